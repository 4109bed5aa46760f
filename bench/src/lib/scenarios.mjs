// What is measured: each scenario as data. Must never differ between the sides, except for what `deliveries` means:
// the bare loop delivers every event unfiltered, the product through ten filtered webhooks of which one matches.
import { EVENT_BYTES } from "./event-body.mjs";

/**
 * @typedef {object} Scenario
 * @property {string} name
 * @property {string} title for tables and charts
 * @property {boolean} deliveries
 * @property {number} batchSize events per request
 * @property {number} connections
 * @property {number} ratePerSecond 0: as fast as answers come
 * @property {number} largeRatePerSecond 64 KiB events sent beside the others over connections of their own
 * @property {boolean} byDefault
 */

export const LARGE_EVENT_BYTES = 65_536;

/** @type {Scenario[]} */
export const SCENARIOS = [
  {
    name: "capture",
    title: "capture",
    deliveries: false,
    batchSize: 1,
    connections: 128,
    ratePerSecond: 0,
    largeRatePerSecond: 0,
    byDefault: true,
  },
  {
    name: "capture-batch",
    title: "capture, 100 a request",
    deliveries: false,
    batchSize: 100,
    connections: 8,
    ratePerSecond: 0,
    largeRatePerSecond: 0,
    byDefault: true,
  },
  {
    name: "end-to-end",
    title: "end to end",
    deliveries: true,
    batchSize: 1,
    connections: 128,
    ratePerSecond: 0,
    largeRatePerSecond: 0,
    byDefault: true,
  },
  {
    name: "latency",
    title: "end to end at 1,000/s",
    deliveries: true,
    batchSize: 1,
    connections: 64,
    ratePerSecond: 1000,
    largeRatePerSecond: 0,
    byDefault: true,
  },
  {
    name: "light",
    title: "end to end at 50/s",
    deliveries: true,
    batchSize: 1,
    connections: 16,
    ratePerSecond: 50,
    largeRatePerSecond: 0,
    byDefault: false,
  },
  {
    name: "large",
    title: "64 KiB beside 5,000/s",
    deliveries: true,
    batchSize: 1,
    connections: 128,
    ratePerSecond: 5000,
    largeRatePerSecond: 50,
    byDefault: false,
  },
];

export { EVENT_BYTES };
