// One measurement: a fresh database, one side started, loaded, drained, checked and stopped.
// Must never return a figure of a run that lost, repeated or refused an event: it throws instead.
import { randomBytes } from "node:crypto";
import { mkdir } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { startInstrument } from "./children.mjs";
import { cpuSeconds, machineCpuSeconds, peakMemoryBytes } from "./proc.mjs";
import { EVENT_BYTES, LARGE_EVENT_BYTES } from "./scenarios.mjs";

const LOAD = fileURLToPath(new URL("../load.mjs", import.meta.url));
const DRAIN_TIMEOUT_MS = 120_000;
const ANSWER_TIMEOUT_MS = 30_000;
/** Large events have odd sequence numbers when both kinds are sent, so that each can be told from the other. */
const SEQUENCE_STEP_WITH_LARGE = 2;

const STORED_BYTES_SQL = `
select coalesce(sum(pg_total_relation_size(c.oid)), 0)::float8 as bytes
from pg_class c join pg_namespace n on n.oid = c.relnamespace
where c.relkind in ('r', 'm') and n.nspname not in ('pg_catalog', 'information_schema', 'pg_toast')`;
const TABLE_NAMES_SQL = `
select n.nspname as schema, c.relname as name from pg_class c join pg_namespace n on n.oid = c.relnamespace
where c.relkind in ('r', 'p') and not c.relispartition and n.nspname not in ('pg_catalog', 'information_schema')`;

/**
 * @typedef {object} Bench what a run has started once and every measurement uses
 * @property {import("./postgres.mjs").BenchPostgres} postgres
 * @property {import("./children.mjs").Instrument} receiver
 * @property {number} warmUpMs
 * @property {number} measureMs
 * @property {number} [drainTimeoutMs]
 *
 * @typedef {Awaited<ReturnType<typeof measure>>} Measurement
 */

let measurementCount = 0;

/** @param {Bench} bench @param {import("./sides.mjs").Side} side @param {import("./scenarios.mjs").Scenario} scenario */
export async function measure(bench, side, scenario) {
  measurementCount += 1;
  const database = `bench_${side.name}_${measurementCount}`;
  const directory = join(bench.postgres.directory, database);
  await mkdir(directory, { mode: 0o700 });
  const admin = await bench.postgres.connect("postgres");
  await admin.query(`create database ${database}`);
  const inside = await bench.postgres.connect(database);
  try {
    return await measureIn(bench, side, scenario, {
      inside,
      admin,
      databaseUrl: bench.postgres.url(database),
      directory,
    });
  } finally {
    await inside.end();
    await admin.query(`drop database ${database} with (force)`).finally(() => admin.end());
  }
}

/**
 * @param {Bench} bench @param {import("./sides.mjs").Side} side @param {import("./scenarios.mjs").Scenario} scenario
 * @param {{ inside: import("pg").Client, admin: import("pg").Client, databaseUrl: string, directory: string }} place
 */
async function measureIn(bench, side, scenario, { inside, admin, databaseUrl, directory }) {
  const secret = randomBytes(24).toString("hex");
  await bench.receiver.ask({ type: "reset", secret }, "reset", ANSWER_TIMEOUT_MS);
  const running = await side.start({
    databaseUrl,
    receiverPort: bench.receiver.ready.port,
    secret,
    deliveries: scenario.deliveries,
    directory,
  });
  try {
    const bytesBefore = await storedBytes(inside);
    await admin.query("checkpoint");
    const { load, large, cpu } = await applyLoad(bench, scenario, running);
    const sentCount = load.sentCount + (large?.sentCount ?? 0);
    const acknowledgedCount = load.acknowledgedCount + (large?.acknowledgedCount ?? 0);
    refuseUnless(acknowledgedCount === sentCount, "every event is acknowledged", { load, large, log: running.log() });
    const drainedMs = scenario.deliveries ? await drain(bench, inside, acknowledgedCount) : 0;
    const received = await report(bench, scenario, load, large, acknowledgedCount);
    const eventCount = await countRows(inside, "event");
    refuseUnless(eventCount === null || eventCount === acknowledgedCount, "every acknowledged event is stored", {
      eventCount,
      acknowledgedCount,
    });
    const bytes = (await storedBytes(inside)) - bytesBefore;
    const seconds = (load.toMs - load.fromMs) / 1000;
    const acknowledgedInWindowCount = load.acknowledgedInWindowCount;
    const finishedCount = scenario.deliveries
      ? Math.min(acknowledgedInWindowCount, received.arrivedInWindowCount)
      : acknowledgedInWindowCount;
    return {
      side: side.name,
      scenario: scenario.name,
      eventsPerSecond: finishedCount / seconds,
      acknowledgedPerSecond: acknowledgedInWindowCount / seconds,
      receivedPerSecond: received.arrivedInWindowCount / seconds,
      acknowledgeMs: load.latencyMs,
      acknowledgeLargeMs: large?.latencyMs ?? null,
      receiveMs: received.latencyMs,
      drainedMs,
      nodeCpuUsPerEvent: perEventUs(cpu.node, finishedCount),
      postgresCpuUsPerEvent: perEventUs(cpu.postgres, finishedCount),
      storedBytesPerEvent: bytes / acknowledgedCount,
      peakMemoryBytes: peakMemoryBytes(running.pid),
      othersCpuShare: cpu.others === null ? null : cpu.others / seconds / availableParallelism(),
      acknowledgedCount,
      lateCount: load.lateCount,
      signatureCheckedCount: received.signatureCheckedCount,
    };
  } catch (error) {
    throw new Error(`${side.name}, ${scenario.name}: ${error instanceof Error ? error.message : error}`, {
      cause: error,
    });
  } finally {
    await running.stop();
  }
}

/** @param {Bench} bench @param {import("./scenarios.mjs").Scenario} scenario @param {import("./sides.mjs").RunningSide} running */
async function applyLoad(bench, scenario, running) {
  const sequenceStep = scenario.largeRatePerSecond > 0 ? SEQUENCE_STEP_WITH_LARGE : 1;
  const plan = {
    port: running.port,
    apiKey: running.apiKey,
    connections: scenario.connections,
    batchSize: scenario.batchSize,
    eventBytes: EVENT_BYTES,
    ratePerSecond: scenario.ratePerSecond,
    warmUpMs: bench.warmUpMs,
    measureMs: bench.measureMs,
    firstSequence: 0,
    sequenceStep,
  };
  const largePlan = {
    ...plan,
    connections: 16,
    eventBytes: LARGE_EVENT_BYTES,
    ratePerSecond: scenario.largeRatePerSecond,
    firstSequence: 1,
  };
  const usage = cpuMeter(bench.postgres.pid, running.pid);
  const [load, large] = await Promise.all([
    loadWith(bench, plan, usage.hear),
    scenario.largeRatePerSecond > 0 ? loadWith(bench, largePlan, () => {}) : null,
  ]);
  return { load, large, cpu: usage.used() };
}

/** @param {Bench} bench @param {object} plan @param {(message: any) => void} hear */
async function loadWith(bench, plan, hear) {
  const loader = await startInstrument(LOAD);
  try {
    const timeoutMs = bench.warmUpMs + bench.measureMs + ANSWER_TIMEOUT_MS;
    return (await loader.ask({ type: "run", plan }, "done", timeoutMs, hear)).result;
  } finally {
    await loader.stop();
  }
}

/** CPU seconds between the messages that open and close the window. @param {number} postgresPid @param {number} nodePid */
function cpuMeter(postgresPid, nodePid) {
  const read = () => ({
    node: cpuSeconds(nodePid),
    postgres: cpuSeconds(postgresPid),
    // Everything that belongs to the run descends from this process.
    others: difference(machineCpuSeconds(), cpuSeconds(process.pid)),
  });
  let start = read();
  let end = start;
  return {
    /** @param {any} message */
    hear(message) {
      if (message.type === "window-start") start = read();
      if (message.type === "window-end") end = read();
    },
    used: () => ({
      node: difference(end.node, start.node),
      postgres: difference(end.postgres, start.postgres),
      others: difference(end.others, start.others),
    }),
  };
}

/** @param {number | null} end @param {number | null} start */
function difference(end, start) {
  return end === null || start === null ? null : end - start;
}

/** @param {number | null} seconds @param {number} count */
function perEventUs(seconds, count) {
  return seconds === null || count === 0 ? null : (seconds * 1e6) / count;
}

/**
 * Waits until the receiver has as many requests as events were acknowledged and no delivery is pending in the tables.
 * @param {Bench} bench @param {import("pg").Client} inside @param {number} acknowledgedCount
 * @returns {Promise<number>} milliseconds from the last answer to the last recorded result
 */
async function drain(bench, inside, acknowledgedCount) {
  const startedAtMs = performance.now();
  for (;;) {
    const { receivedCount } = await bench.receiver.ask({ type: "count" }, "count", ANSWER_TIMEOUT_MS);
    const pendingCount = receivedCount >= acknowledgedCount ? await countRows(inside, "delivery") : null;
    const elapsedMs = performance.now() - startedAtMs;
    if (receivedCount >= acknowledgedCount && (pendingCount ?? 0) === 0) return elapsedMs;
    const state = { receivedCount, acknowledgedCount, pendingCount };
    refuseUnless(
      elapsedMs < (bench.drainTimeoutMs ?? DRAIN_TIMEOUT_MS),
      "every event is delivered and recorded in time",
      state,
    );
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** @param {Bench} bench @param {import("./scenarios.mjs").Scenario} scenario @param {any} load @param {any} large @param {number} acknowledgedCount */
async function report(bench, scenario, load, large, acknowledgedCount) {
  const ranges = [{ first: 0, step: large === null ? 1 : SEQUENCE_STEP_WITH_LARGE, count: load.sentCount }];
  if (large !== null) ranges.push({ first: 1, step: SEQUENCE_STEP_WITH_LARGE, count: large.sentCount });
  const message = { type: "report", fromMs: load.fromMs, toMs: load.toMs, ranges };
  const { report: received } = await bench.receiver.ask(message, "report", ANSWER_TIMEOUT_MS);
  const expectedCount = scenario.deliveries ? acknowledgedCount : 0;
  const paths = Object.keys(received.countByPath);
  refuseUnless(received.protocolError === null, "requests can be read", received);
  refuseUnless(
    received.receivedCount === expectedCount && received.unstampedCount === 0,
    "nothing else is received",
    received,
  );
  refuseUnless(!scenario.deliveries || received.missingCount === 0, "every acknowledged event is received", received);
  refuseUnless(received.repeatedCount === 0, "no event is received twice", received);
  refuseUnless(received.signatureWrongCount === 0, "signatures are right", received);
  refuseUnless(
    paths.every((path) => path === "/webhook/matching"),
    "only the matching webhook is called",
    received,
  );
  return received;
}

/** @param {boolean} holds @param {string} rule @param {object} facts */
function refuseUnless(holds, rule, facts) {
  if (!holds) throw new Error(`broken: ${rule}: ${JSON.stringify(facts)}`);
}

/** @param {import("pg").Client} client @returns {Promise<number>} */
async function storedBytes(client) {
  const { rows } = await client.query(STORED_BYTES_SQL);
  return rows[0].bytes;
}

/** Rows of the table of that name, in whichever schema it is; null where there is none. @param {import("pg").Client} client @param {string} table */
async function countRows(client, table) {
  const { rows } = await client.query(TABLE_NAMES_SQL);
  const found = rows.find(({ name }) => name === table);
  if (found === undefined) return null;
  const counted = await client.query(`select count(*)::float8 as count from "${found.schema}"."${found.name}"`);
  return Number(counted.rows[0].count);
}
