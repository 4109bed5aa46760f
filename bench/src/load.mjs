// The sender: a process of its own that posts events over keep-alive connections, either as fast as the answers come
// (closed loop) or at a fixed rate (open loop), and times every answer. Must never retry: a refused event is a finding.
//
// Started with an IPC channel by run.mjs. Message in: {type:"run", plan}. Messages out: window-start, window-end, done.
import { machineClockMs } from "./lib/clock.mjs";
import { eventTemplate } from "./lib/event-body.mjs";
import { openConnection, postTemplate, Tally } from "./lib/load-connection.mjs";
import { percentiles } from "./lib/samples.mjs";

/** @typedef {import("./lib/load-connection.mjs").LoadConnection} LoadConnection */

const LAST_ANSWERS_TIMEOUT_MS = 20_000;
const LAST_ANSWERS_POLL_MS = 5;

/** @param {import("./lib/load-connection.mjs").LoadPlan} plan */
async function run(plan) {
  const tally = new Tally(plan);
  const template = postTemplate(plan, eventTemplate(plan.eventBytes));
  const pace = plan.ratePerSecond === 0 ? closedLoop() : openLoop(plan.ratePerSecond);
  /** @type {LoadConnection[]} */
  const connections = [];
  while (connections.length < plan.connections) connections.push(await openConnection(template, tally, pace.onFree));
  tally.fromMs = machineClockMs() + plan.warmUpMs;
  tally.toMs = tally.fromMs + plan.measureMs;
  pace.start(connections);
  await until(tally.fromMs);
  process.send?.({ type: "window-start" });
  await until(tally.toMs);
  process.send?.({ type: "window-end" });
  pace.stop();
  const deadline = machineClockMs() + LAST_ANSWERS_TIMEOUT_MS;
  while (connections.some(({ waiting }) => waiting) && machineClockMs() < deadline) {
    await until(machineClockMs() + LAST_ANSWERS_POLL_MS);
  }
  const unansweredCount = connections.filter(({ waiting }) => waiting).length * plan.batchSize;
  for (const connection of connections) connection.close();
  return {
    fromMs: tally.fromMs,
    toMs: tally.toMs,
    sentCount: tally.sentCount,
    acknowledgedCount: tally.acknowledgedCount,
    acknowledgedInWindowCount: tally.acknowledgedInWindowCount,
    refusedCount: tally.refusedCount,
    refusals: tally.refusals,
    unansweredCount,
    lateCount: pace.lateCount(),
    latencyMs: percentiles(tally.latencies),
  };
}

/** @param {number} atMs machine clock */
function until(atMs) {
  return new Promise((resolve) => setTimeout(resolve, Math.max(0, atMs - machineClockMs())));
}

/**
 * @typedef {object} Pace decides when a connection posts
 * @property {(connections: LoadConnection[]) => void} start
 * @property {(connection: LoadConnection) => void} onFree
 * @property {() => void} stop
 * @property {() => number} lateCount requests that were due while every connection was waiting
 */

/** Each connection posts again as soon as it has its answer. @returns {Pace} */
function closedLoop() {
  let stopped = false;
  return {
    start(connections) {
      for (const connection of connections) connection.post(machineClockMs());
    },
    onFree(connection) {
      if (!stopped) connection.post(machineClockMs());
    },
    stop() {
      stopped = true;
    },
    lateCount: () => 0,
  };
}

/**
 * A fixed rate. A request that finds a free connection is stamped when it is written (the timer's own millisecond is not
 * the server's fault); one that finds none is stamped with the moment it was due, so that its waiting is not hidden.
 * @param {number} ratePerSecond
 * @returns {Pace}
 */
function openLoop(ratePerSecond) {
  const intervalMs = 1000 / ratePerSecond;
  /** @type {LoadConnection[]} */
  const free = [];
  /** @type {number[]} when each request that waits for a connection was due */
  const overdue = [];
  let startedAtMs = 0;
  let dueCount = 0;
  let lateCount = 0;
  let stopped = false;
  const tick = () => {
    if (stopped) return;
    const nowMs = machineClockMs();
    for (; startedAtMs + dueCount * intervalMs <= nowMs; dueCount += 1) {
      const connection = free.pop();
      if (connection !== undefined) {
        connection.post(nowMs);
      } else {
        overdue.push(startedAtMs + dueCount * intervalMs);
        lateCount += 1;
      }
    }
    setTimeout(tick, 1);
  };
  return {
    start(connections) {
      free.push(...connections);
      startedAtMs = machineClockMs();
      tick();
    },
    onFree(connection) {
      const dueAtMs = stopped ? undefined : overdue.shift();
      if (dueAtMs === undefined) free.push(connection);
      else connection.post(dueAtMs);
    },
    stop() {
      stopped = true;
    },
    lateCount: () => lateCount,
  };
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
