// The sender: a process of its own that posts events over keep-alive connections, either as fast as the answers come
// (closed loop) or at a fixed rate (open loop), and times every answer. Must never retry: a refused event is a finding.
//
// Started with an IPC channel by run.mjs. Message in: {type:"run", …LoadPlan}. Messages out: window-start, window-end, done.
import { connect } from "node:net";
import { machineClockMs } from "./lib/clock.mjs";
import { eventTemplate, stampEvent } from "./lib/event-body.mjs";
import { frameMessage } from "./lib/http-messages.mjs";
import { percentiles, Samples } from "./lib/samples.mjs";

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

const LAST_ANSWERS_TIMEOUT_MS = 20_000;
const REFUSED = Buffer.from('"refused"');
const NOTHING = Buffer.alloc(0);

/** @param {LoadPlan} plan */
async function run(plan) {
  const template = eventTemplate(plan.eventBytes);
  const request = requestTemplate(plan, template.bytes);
  const startedAtMs = machineClockMs();
  const fromMs = startedAtMs + plan.warmUpMs;
  const toMs = fromMs + plan.measureMs;
  const state = {
    plan,
    template,
    request,
    fromMs,
    toMs,
    sentCount: 0,
    acknowledgedCount: 0,
    acknowledgedInWindowCount: 0,
    refusedCount: 0,
    /** @type {Record<string, number>} */
    refusals: {},
    latencies: new Samples(),
    stopping: false,
    /** @type {number[]} open loop: when each request that found no free connection was due */
    overdue: [],
    /** @type {Connection[]} open loop: connections that wait for work */
    idle: [],
    lateCount: 0,
  };
  /** @type {Connection[]} */
  const connections = [];
  for (let index = 0; index < plan.connections; index += 1) connections.push(await openConnection(state));
  // Opening the connections may have taken a while: only now does time start.
  state.fromMs = machineClockMs() + plan.warmUpMs;
  state.toMs = state.fromMs + plan.measureMs;
  const ended = new Promise((resolve) => setTimeout(resolve, plan.warmUpMs + plan.measureMs));
  setTimeout(() => process.send?.({ type: "window-start", atMs: machineClockMs() }), plan.warmUpMs);
  if (plan.ratePerSecond === 0) for (const connection of connections) connection.post(machineClockMs());
  else paceRequests(state, connections);
  await ended;
  state.stopping = true;
  process.send?.({ type: "window-end", atMs: machineClockMs() });
  await Promise.race([
    Promise.all(connections.map((connection) => connection.settled())),
    new Promise((resolve) => setTimeout(resolve, LAST_ANSWERS_TIMEOUT_MS)),
  ]);
  const unansweredCount = connections.filter((connection) => connection.waiting).length * plan.batchSize;
  for (const connection of connections) connection.close();
  return {
    fromMs: state.fromMs,
    toMs: state.toMs,
    sentCount: state.sentCount,
    acknowledgedCount: state.acknowledgedCount,
    acknowledgedInWindowCount: state.acknowledgedInWindowCount,
    refusedCount: state.refusedCount,
    refusals: state.refusals,
    unansweredCount,
    lateCount: state.lateCount,
    latencyMs: percentiles(state.latencies),
  };
}

/** @param {LoadPlan} plan @param {Buffer} event @returns {{ bytes: Buffer, eventOffsets: number[] }} */
function requestTemplate(plan, event) {
  const batch = plan.batchSize > 1;
  const events = Array.from({ length: plan.batchSize }, () => event.latin1Slice());
  const body = batch ? `{"events":[${events.join(",")}]}` : (events[0] ?? "");
  const head = [
    `POST ${batch ? "/v1/events/batch" : "/v1/events"} HTTP/1.1`,
    `host: 127.0.0.1:${plan.port}`,
    `authorization: Bearer ${plan.apiKey}`,
    "content-type: application/json",
    `content-length: ${body.length}`,
    "\r\n",
  ].join("\r\n");
  const firstOffset = head.length + (batch ? '{"events":['.length : 0);
  const eventOffsets = events.map((_, index) => firstOffset + index * (event.length + 1));
  return { bytes: Buffer.from(head + body, "latin1"), eventOffsets };
}

/** One keep-alive connection with at most one request under way, so that its request bytes can be stamped in place. */
class Connection {
  /** @param {any} state @param {import("node:net").Socket} socket */
  constructor(state, socket) {
    this.state = state;
    this.socket = socket;
    this.bytes = Buffer.from(state.request.bytes);
    this.waiting = false;
    this.sentAtMs = 0;
    this.pending = NOTHING;
    /** @type {(() => void) | null} */
    this.onSettled = null;
    socket.on("data", (chunk) => this.read(chunk));
    socket.on("error", (error) => this.broken(error.message));
    socket.on("close", () => this.broken("connection closed"));
  }

  /** @param {number} sentAtMs */
  post(sentAtMs) {
    const { state } = this;
    this.waiting = true;
    this.sentAtMs = sentAtMs;
    for (const offset of state.request.eventOffsets) {
      stampEvent(this.bytes, offset, state.template, sentAtMs, nextSequence(state));
    }
    this.socket.write(this.bytes);
  }

  /** @param {Buffer} chunk */
  read(chunk) {
    const bytes = this.pending.length === 0 ? chunk : Buffer.concat([this.pending, chunk]);
    const frame = frameMessage(bytes, 0);
    if (frame === null) {
      this.pending = bytes;
      return;
    }
    this.pending = NOTHING;
    this.waiting = false;
    noteAnswer(this.state, this.sentAtMs, frame, bytes);
    this.next();
  }

  next() {
    const { state } = this;
    if (state.stopping) this.onSettled?.();
    else if (state.plan.ratePerSecond === 0) this.post(machineClockMs());
    else if (state.overdue.length > 0) this.post(state.overdue.shift());
    else state.idle.push(this);
  }

  /** @param {string} reason */
  broken(reason) {
    if (!this.waiting) return;
    this.waiting = false;
    refused(this.state, reason);
    this.onSettled?.();
  }

  /** @returns {Promise<void>} */
  settled() {
    if (!this.waiting) return Promise.resolve();
    return new Promise((resolve) => {
      this.onSettled = resolve;
    });
  }

  close() {
    this.socket.removeAllListeners();
    this.socket.on("error", () => {});
    this.socket.destroy();
  }
}

/** @param {any} state */
function nextSequence(state) {
  const sequence = state.plan.firstSequence + state.sentCount * state.plan.sequenceStep;
  state.sentCount += 1;
  return sequence;
}

/** @param {any} state @param {number} sentAtMs @param {import("./lib/http-messages.mjs").Frame} frame @param {Buffer} bytes */
function noteAnswer(state, sentAtMs, frame, bytes) {
  const status = frame.head.slice(9, 12);
  if (!status.startsWith("2") || (state.plan.batchSize > 1 && bytes.includes(REFUSED, frame.bodyStart))) {
    refused(state, `${status} ${bytes.latin1Slice(frame.bodyStart, Math.min(frame.end, frame.bodyStart + 300))}`);
    return;
  }
  const nowMs = machineClockMs();
  state.acknowledgedCount += state.plan.batchSize;
  if (nowMs >= state.fromMs && nowMs < state.toMs) state.acknowledgedInWindowCount += state.plan.batchSize;
  if (sentAtMs >= state.fromMs && sentAtMs < state.toMs) state.latencies.push(nowMs - sentAtMs);
}

/** @param {any} state @param {string} reason */
function refused(state, reason) {
  state.refusedCount += state.plan.batchSize;
  const known = reason in state.refusals;
  // Answers carry request ids: a handful is enough to see what is wrong.
  if (known || Object.keys(state.refusals).length < 5) state.refusals[reason] = (state.refusals[reason] ?? 0) + 1;
}

/** @param {any} state @returns {Promise<Connection>} */
function openConnection(state) {
  return new Promise((resolve, reject) => {
    const socket = connect({ port: state.plan.port, host: "127.0.0.1", noDelay: true });
    socket.once("error", reject);
    socket.once("connect", () => {
      socket.removeListener("error", reject);
      resolve(new Connection(state, socket));
    });
  });
}

/**
 * Open loop. A request that finds a free connection is stamped when it is written (the timer's own millisecond is not
 * the server's fault); one that finds none is stamped with the moment it was due, so that waiting is not hidden.
 * @param {any} state @param {Connection[]} connections
 */
function paceRequests(state, connections) {
  const startedAtMs = machineClockMs();
  const intervalMs = 1000 / state.plan.ratePerSecond;
  let dueCount = 0;
  state.idle.push(...connections);
  const tick = () => {
    if (state.stopping) return;
    const nowMs = machineClockMs();
    for (; startedAtMs + dueCount * intervalMs <= nowMs; dueCount += 1) {
      const connection = state.idle.pop();
      if (connection === undefined) {
        state.overdue.push(startedAtMs + dueCount * intervalMs);
        state.lateCount += 1;
      } else connection.post(nowMs);
    }
    setTimeout(tick, 1);
  };
  tick();
}

process.on("message", (/** @type {any} */ message) => {
  if (message.type !== "run") return;
  run(message.plan).then(
    (result) => process.send?.({ type: "done", result }),
    (error) => process.send?.({ type: "failed", message: String(error?.stack ?? error) }),
  );
});
process.on("disconnect", () => process.exit(0));
process.send?.({ type: "ready" });
