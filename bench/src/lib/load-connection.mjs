// One keep-alive connection of the sender and the tally that all of them share.
// Must never have two requests under way at once: request bytes are stamped in place.
import { connect } from "node:net";
import { machineClockMs } from "./clock.mjs";
import { stampEvent } from "./event-body.mjs";
import { frameMessage } from "./http-messages.mjs";
import { Samples } from "./samples.mjs";

const REFUSED = Buffer.from('"refused"');
const NOTHING = Buffer.alloc(0);
/** Refusals carry request ids, so that each text is new: a handful is enough to see what is wrong. */
const REFUSAL_KINDS = 5;

/**
 * @typedef {object} LoadPlan
 * @property {number} port
 * @property {string} apiKey
 * @property {number} connections
 * @property {number} batchSize 1: `POST /v1/events`; more: `POST /v1/events/batch`
 * @property {number} eventBytes
 * @property {number} ratePerSecond requests per second; 0: closed loop
 * @property {number} warmUpMs
 * @property {number} measureMs
 * @property {number} firstSequence
 * @property {number} sequenceStep
 */

/** What was sent and what came back, over all connections. */
export class Tally {
  /** @param {LoadPlan} plan */
  constructor(plan) {
    this.plan = plan;
    this.fromMs = Number.POSITIVE_INFINITY;
    this.toMs = Number.POSITIVE_INFINITY;
    this.sentCount = 0;
    this.acknowledgedCount = 0;
    this.acknowledgedInWindowCount = 0;
    this.refusedCount = 0;
    /** @type {Record<string, number>} */
    this.refusals = {};
    this.latencies = new Samples();
  }

  /** @returns {number} the sequence number of the next event */
  nextSequence() {
    const sequence = this.plan.firstSequence + this.sentCount * this.plan.sequenceStep;
    this.sentCount += 1;
    return sequence;
  }

  /** @param {number} sentAtMs */
  acknowledged(sentAtMs) {
    const nowMs = machineClockMs();
    this.acknowledgedCount += this.plan.batchSize;
    if (nowMs >= this.fromMs && nowMs < this.toMs) this.acknowledgedInWindowCount += this.plan.batchSize;
    if (sentAtMs >= this.fromMs && sentAtMs < this.toMs) this.latencies.push(nowMs - sentAtMs);
  }

  /** @param {string} reason */
  refused(reason) {
    this.refusedCount += this.plan.batchSize;
    if (reason in this.refusals || Object.keys(this.refusals).length < REFUSAL_KINDS) {
      this.refusals[reason] = (this.refusals[reason] ?? 0) + 1;
    }
  }
}

export class LoadConnection {
  /**
   * @param {import("node:net").Socket} socket
   * @param {PostTemplate} template
   * @param {Tally} tally
   * @param {(connection: LoadConnection) => void} onFree what to do once an answer is there
   */
  constructor(socket, template, tally, onFree) {
    this.socket = socket;
    this.template = template;
    this.tally = tally;
    this.onFree = onFree;
    this.bytes = Buffer.from(template.bytes);
    this.waiting = false;
    this.sentAtMs = 0;
    /** @type {Buffer} */
    this.pending = NOTHING;
    socket.on("data", (chunk) => this.read(chunk));
    socket.on("error", (error) => this.broken(error.message));
    socket.on("close", () => this.broken("connection closed"));
  }

  /** @param {number} sentAtMs the moment that latency is counted from */
  post(sentAtMs) {
    this.waiting = true;
    this.sentAtMs = sentAtMs;
    for (const offset of this.template.eventOffsets) {
      stampEvent(this.bytes, offset, this.template.event, sentAtMs, this.tally.nextSequence());
    }
    this.socket.write(this.bytes);
  }

  /** @param {Buffer} chunk */
  read(chunk) {
    const bytes = this.pending.length === 0 ? chunk : Buffer.concat([this.pending, chunk]);
    const frame = frameMessage(bytes, 0);
    this.pending = frame === null ? bytes : NOTHING;
    if (frame === null) return;
    this.waiting = false;
    const status = frame.head.slice(9, 12);
    const partly = this.template.eventOffsets.length > 1 && bytes.includes(REFUSED, frame.bodyStart);
    if (status.startsWith("2") && !partly) this.tally.acknowledged(this.sentAtMs);
    else
      this.tally.refused(
        `${status} ${bytes.toString("latin1", frame.bodyStart, Math.min(frame.end, frame.bodyStart + 300))}`,
      );
    this.onFree(this);
  }

  /** @param {string} reason */
  broken(reason) {
    if (!this.waiting) return;
    this.waiting = false;
    this.tally.refused(reason);
  }

  close() {
    this.waiting = false;
    this.socket.destroy();
  }
}

/**
 * @param {PostTemplate} template @param {Tally} tally
 * @param {(connection: LoadConnection) => void} onFree
 * @returns {Promise<LoadConnection>}
 */
export function openConnection(template, tally, onFree) {
  return new Promise((resolve, reject) => {
    const socket = connect({ port: tally.plan.port, host: "127.0.0.1", noDelay: true });
    socket.once("error", reject);
    socket.once("connect", () => {
      socket.removeListener("error", reject);
      resolve(new LoadConnection(socket, template, tally, onFree));
    });
  });
}

/**
 * @typedef {object} PostTemplate one whole HTTP request
 * @property {Buffer} bytes
 * @property {number[]} eventOffsets where its events start
 * @property {import("./event-body.mjs").EventTemplate} event
 */

/** @param {LoadPlan} plan @param {import("./event-body.mjs").EventTemplate} event @returns {PostTemplate} */
export function postTemplate(plan, event) {
  const batch = plan.batchSize > 1;
  const opening = batch ? '{"events":[' : "";
  const events = Array.from({ length: plan.batchSize }, () => event.bytes.toString("latin1"));
  const body = opening + events.join(",") + (batch ? "]}" : "");
  const head = [
    `POST ${batch ? "/v1/events/batch" : "/v1/events"} HTTP/1.1`,
    `host: 127.0.0.1:${plan.port}`,
    `authorization: Bearer ${plan.apiKey}`,
    "content-type: application/json",
    `content-length: ${body.length}`,
    "\r\n",
  ].join("\r\n");
  const firstOffset = head.length + opening.length;
  const eventOffsets = events.map((_, index) => firstOffset + index * (event.bytes.length + 1));
  return { bytes: Buffer.from(head + body, "latin1"), eventOffsets, event };
}
