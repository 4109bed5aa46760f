// Turns measurements into the figures that are published: medians, spreads and ratios per scenario.
// Must never drop an outlier: the spread shows it.
import { median } from "./samples.mjs";

/**
 * @typedef {import("./measure.mjs").Measurement} Measurement
 * @typedef {{ median: number, min: number, max: number }} Spread
 *
 * @typedef {object} SideSummary
 * @property {number} rounds
 * @property {Spread} eventsPerSecond
 * @property {Record<"p50" | "p95" | "p99", Spread | null>} acknowledgeMs
 * @property {Record<"p50" | "p95" | "p99", Spread | null>} receiveMs
 * @property {Spread | null} nodeCpuUsPerEvent
 * @property {Spread | null} postgresCpuUsPerEvent
 * @property {Spread | null} storedBytesPerEvent
 * @property {Spread | null} peakMemoryBytes
 * @property {Spread | null} othersCpuShare
 * @property {Record<"p50" | "p95" | "p99", Spread | null>} acknowledgeLargeMs
 *
 * @typedef {object} ScenarioSummary
 * @property {string} scenario
 * @property {string} title
 * @property {boolean} paced a fixed rate: its throughput says nothing
 * @property {SideSummary | null} bare
 * @property {SideSummary | null} product
 * @property {Spread | null} ratio product to bare in events per second, over the pairs of rounds
 */

/**
 * @param {import("./scenarios.mjs").Scenario[]} scenarios
 * @param {(Measurement & { round: number })[]} measurements
 * @returns {ScenarioSummary[]}
 */
export function summarise(scenarios, measurements) {
  return scenarios.map((scenario) => {
    const of = (/** @type {string} */ side) =>
      measurements.filter((one) => one.scenario === scenario.name && one.side === side);
    const bare = of("bare");
    const product = of("product");
    const ratios = product.flatMap((one) => {
      const pair = bare.find(({ round }) => round === one.round);
      return pair === undefined ? [] : [one.eventsPerSecond / pair.eventsPerSecond];
    });
    return {
      scenario: scenario.name,
      title: scenario.title,
      paced: scenario.ratePerSecond > 0,
      bare: summariseSide(bare),
      product: summariseSide(product),
      ratio: spread(ratios),
    };
  });
}

/** @param {Measurement[]} measurements @returns {SideSummary | null} */
function summariseSide(measurements) {
  const eventsPerSecond = spread(measurements.map((one) => one.eventsPerSecond));
  if (eventsPerSecond === null) return null;
  /** @param {(one: Measurement) => number | null | undefined} pick */
  const over = (pick) => spread(measurements.map(pick));
  /** @param {(one: Measurement) => import("./samples.mjs").Percentiles | null} pick */
  const percentilesOver = (pick) => ({
    p50: over((one) => pick(one)?.p50),
    p95: over((one) => pick(one)?.p95),
    p99: over((one) => pick(one)?.p99),
  });
  return {
    rounds: measurements.length,
    eventsPerSecond,
    acknowledgeMs: percentilesOver((one) => one.acknowledgeMs),
    receiveMs: percentilesOver((one) => one.receiveMs),
    acknowledgeLargeMs: percentilesOver((one) => one.acknowledgeLargeMs),
    nodeCpuUsPerEvent: over((one) => one.nodeCpuUsPerEvent),
    postgresCpuUsPerEvent: over((one) => one.postgresCpuUsPerEvent),
    storedBytesPerEvent: over((one) => one.storedBytesPerEvent),
    peakMemoryBytes: over((one) => one.peakMemoryBytes),
    othersCpuShare: over((one) => one.othersCpuShare),
  };
}

/** @param {(number | null | undefined)[]} values @returns {Spread | null} */
function spread(values) {
  const known = values.filter((value) => typeof value === "number" && Number.isFinite(value));
  const numbers = /** @type {number[]} */ (known);
  if (numbers.length === 0) return null;
  return { median: median(numbers), min: Math.min(...numbers), max: Math.max(...numbers) };
}
