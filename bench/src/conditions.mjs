// `npm run bench:conditions -- NAME`: what the same work costs in other circumstances, measured in turn with the usual ones:
// one, two and four processes; a million deliveries that wait; a transaction that stays open; ten thousand requests under
// way to receivers that take a second; nothing to do at all. Must print no figure of a round that lost or repeated anything.
import { randomBytes, randomUUID } from "node:crypto";
import { mkdir } from "node:fs/promises";
import { createServer } from "node:http";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { request } from "undici";
import { stopAllChildren } from "./lib/children.mjs";
import { describeMachine, machineLine } from "./lib/machine.mjs";
import { startPostgres } from "./lib/postgres.mjs";
import { cpuSeconds, peakMemoryBytes } from "./lib/proc.mjs";
import { freePort, startPosthorn, subscribe } from "./lib/product-side.mjs";
import { median } from "./lib/samples.mjs";

const HELP = `npm run bench:conditions -- processes|pending|pinned|in-flight|idle [options]
  --events N    of a round (10000; in-flight 30000)
  --rounds N    of each condition (3)
  --seconds S   of idleness (60)
  --pending N   deliveries that wait (1000000)
  --answer MS   how long receivers take in in-flight (1000)
`;
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    events: { type: "string" },
    rounds: { type: "string", default: "3" },
    seconds: { type: "string", default: "60" },
    pending: { type: "string", default: "1000000" },
    answer: { type: "string", default: "1000" },
    help: { type: "boolean", default: false },
  },
});
const TYPE = "invoice.paid";
const PER_REQUEST = 100;
const SENDERS = 4;
const TIMEOUT_MS = 300_000;
const LOOK_MS = 20;
const PADDING = "x".repeat(600);
/** A start compiles, fills its caches, and has its first upkeep behind it. */
const SETTLE_MS = 25_000;

/** By number of an event: how often it came. @type {Map<number, number>} */
let counts = new Map();
let [atOnce, mostAtOnce, answerAfterMs, databaseCount] = [0, 0, 0, 0];
const receiver = createServer((incoming, answer) => {
  atOnce += 1;
  mostAtOnce = Math.max(mostAtOnce, atOnce);
  /** @type {Buffer[]} */
  const chunks = [];
  incoming.on("data", (chunk) => chunks.push(chunk));
  incoming.once("end", () => {
    const n = Number(/"n":(\d+)/.exec(Buffer.concat(chunks).toString("latin1"))?.[1]);
    counts.set(n, (counts.get(n) ?? 0) + 1);
    const end = () => {
      atOnce -= 1;
      answer.writeHead(204).end();
    };
    if (answerAfterMs === 0) end();
    else setTimeout(end, answerAfterMs);
  });
});
await new Promise((resolve) =>
  receiver.listen({ port: 0, host: "127.0.0.1", backlog: 4_096 }, () => resolve(undefined)),
);
const receiverPort = /** @type {import("node:net").AddressInfo} */ (receiver.address()).port;
for (const signal of /** @type {const} */ (["SIGINT", "SIGTERM", "SIGHUP"])) {
  process.on(signal, () => void stopAllChildren());
}

/** @type {Record<string, (postgres: import("./lib/postgres.mjs").BenchPostgres) => Promise<void>>} */
const CONDITIONS = { processes, pending, pinned, "in-flight": inFlight, idle };
const chosen = CONDITIONS[positionals[0] ?? ""];
if (values.help || chosen === undefined) {
  process.stdout.write(HELP);
  process.exit(values.help ? 0 : 1);
}
const eventCount = Number(values.events ?? (positionals[0] === "in-flight" ? 30_000 : 10_000));
const roundCount = Number(values.rounds);
process.exitCode = await main(chosen);

/** @param {(postgres: import("./lib/postgres.mjs").BenchPostgres) => Promise<void>} measure */
async function main(measure) {
  const postgres = await startPostgres(undefined);
  try {
    say(machineLine(await describeMachine(postgres)));
    await measure(postgres);
    return 0;
  } finally {
    await stopAllChildren();
    await postgres.stop();
    receiver.close();
    receiver.closeAllConnections();
  }
}

// --- the conditions ------------------------------------------------------------------------------------------------

/** @param {import("./lib/postgres.mjs").BenchPostgres} postgres */
async function processes(postgres) {
  await inTurn([1, 2, 4], async (count) => {
    const world = await start(postgres, ["--processes", String(count)]);
    await eightWebhooks(world);
    // The configuration has reached every process, and so has compiled code the work.
    await new Promise((resolve) => setTimeout(resolve, 3_000));
    await load(world, 3_000, 1);
    const one = await load(world, eventCount, 1);
    await stop(world);
    return one;
  });
}

/** @param {import("./lib/postgres.mjs").BenchPostgres} postgres */
async function pending(postgres) {
  const names = ["no other deliveries", `${values.pending} that wait`];
  const worlds = [await start(postgres, []), await start(postgres, [])];
  for (const [at, world] of worlds.entries()) {
    await eightWebhooks(world);
    const url = `http://127.0.0.1:${receiverPort}/`;
    const waiting = await subscribe(world.origin, world.apiKey, { name: "paused", url, events: ["bill.created"] });
    await call(world, `/v1/webhooks/${waiting.id}/pause`, {}, 200);
    await call(world, "/v1/events", { event: "bill.created", data: { n: 0 } }, 202);
    if (at === 1) {
      await world.inside.query(
        `insert into delivery (tenant_id, id, event_id, webhook_id, seq, due_at, webhook_version, retention_class, lane, handoff)
select d.tenant_id, uuidv7(), d.event_id, d.webhook_id, nextval('delivery_seq'), d.due_at, d.webhook_version,
  d.retention_class, d.lane, false from delivery d, generate_series(1, $1::int)`,
        [Number(values.pending)],
      );
      await world.inside.query("vacuum analyze delivery");
    }
    await load(world, 3_000, 1);
  }
  await inTurn(names, async (name) => load(/** @type {any} */ (worlds[names.indexOf(name)]), eventCount, 1));
  for (const world of worlds) await stop(world);
}

/** @param {import("./lib/postgres.mjs").BenchPostgres} postgres */
async function pinned(postgres) {
  const world = await start(postgres, []);
  await eightWebhooks(world);
  await load(world, 3_000, 1);
  await inTurn(["no transaction", "a transaction that reads and stays open"], async (name) => {
    const blocker = await postgres.connect(world.database);
    if (name !== "no transaction") {
      await blocker.query("begin isolation level repeatable read");
      await blocker.query("select count(*) from delivery");
    }
    const one = await load(world, eventCount, 1);
    await blocker.end();
    return one;
  });
  await stop(world);
}

/** @param {import("./lib/postgres.mjs").BenchPostgres} postgres */
async function inFlight(postgres) {
  const world = await start(postgres, []);
  await subscribe(world.origin, world.apiKey, {
    name: "slow",
    url: `http://127.0.0.1:${receiverPort}/`,
    events: [TYPE],
    maxInFlight: 10_000,
  });
  await load(world, 2_000, 1);
  answerAfterMs = Number(values.answer);
  for (let round = 1; round <= roundCount; round += 1) {
    mostAtOnce = 0;
    const one = await load(world, eventCount, 1);
    const memory = Math.round((peakMemoryBytes(world.posthorn.pid) ?? 0) / 2 ** 20);
    say(
      `${round}: ${line(`answers after ${answerAfterMs} ms`, one)}, ${mostAtOnce} under way at most, peak memory ${memory} MB`,
    );
  }
  await stop(world);
}

/** @param {import("./lib/postgres.mjs").BenchPostgres} postgres */
async function idle(postgres) {
  const world = await start(postgres, []);
  await load(world, 0, 1);
  await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
  const seconds = Number(values.seconds);
  const before = cpu(world);
  await new Promise((resolve) => setTimeout(resolve, seconds * 1_000));
  const after = cpu(world);
  const share = (/** @type {number} */ used) => `${((used / seconds) * 100).toFixed(2)} %`;
  say(
    `idle for ${seconds} s: Node ${share(after.node - before.node)} and PostgreSQL ${share(after.postgres - before.postgres)} of a core, ` +
      `memory of Node at most ${Math.round((peakMemoryBytes(world.posthorn.pid) ?? 0) / 2 ** 20)} MB`,
  );
  await stop(world);
}

// --- one measurement -------------------------------------------------------------------------------------------------

/**
 * Each condition in every round, in an order that turns round.
 * @template Name
 * @param {Name[]} names @param {(name: Name) => Promise<any>} measure
 */
async function inTurn(names, measure) {
  /** @type {Map<Name, any[]>} */
  const all = new Map(names.map((name) => [name, []]));
  for (let round = 1; round <= roundCount; round += 1) {
    for (const name of round % 2 === 1 ? names : [...names].reverse()) {
      const one = await measure(name);
      all.get(name)?.push(one);
      say(`${round}/${roundCount} ${line(String(name), one)}`);
    }
  }
  for (const [name, ones] of all) {
    const of = (/** @type {string} */ member) => median(ones.map((one) => one[member]));
    say(
      `median: ${line(String(name), { seconds: of("seconds"), nodeUs: of("nodeUs"), postgresUs: of("postgresUs") })}`,
    );
  }
}

/** @param {import("./lib/postgres.mjs").BenchPostgres} postgres @param {string[]} serveArguments */
async function start(postgres, serveArguments) {
  databaseCount += 1;
  const database = `conditions_${databaseCount}`;
  const admin = await postgres.connect("postgres");
  await admin.query(`create database ${database}`);
  await admin.end();
  const directory = join(postgres.directory, database);
  await mkdir(directory, { mode: 0o700 });
  const port = await freePort();
  const apiKey = `blg_live_sk_${randomBytes(24).toString("hex")}`;
  const databaseUrl = postgres.url(database);
  const posthorn = await startPosthorn({ port, apiKey, databaseUrl, directory, serveArguments });
  const inside = await postgres.connect(database);
  return { postgres, database, posthorn, inside, apiKey, origin: `http://127.0.0.1:${port}` };
}

/** @typedef {Awaited<ReturnType<typeof start>>} World */

/** @param {World} world */
async function stop({ inside, posthorn }) {
  await inside.end();
  await posthorn.stop();
}

/** Eight, so that several processes have their part; an event is for one of them. @param {World} world */
async function eightWebhooks({ origin, apiKey }) {
  for (let k = 0; k < 8; k += 1) {
    const filters = [`data.k == ${k}`];
    await subscribe(origin, apiKey, {
      name: `w${k}`,
      url: `http://127.0.0.1:${receiverPort}/`,
      events: [TYPE],
      filters,
    });
  }
}

/**
 * Publishes so many events, in requests of a hundred side by side, and waits until all are delivered and recorded.
 * @param {World} world @param {number} count @param {number} each how often each has to come
 */
async function load(world, count, each) {
  counts = new Map();
  const before = cpu(world);
  const startedAtMs = performance.now();
  let next = 0;
  const sendOn = async () => {
    while (next < count) {
      const from = next;
      next += PER_REQUEST;
      const events = Array.from({ length: Math.min(PER_REQUEST, count - from) }, (_, at) => {
        const n = from + at;
        return { event: TYPE, data: { n, k: n % 8, padding: PADDING } };
      });
      const { results } = await call(world, "/v1/events/batch", { events }, 202);
      if (results.some((/** @type {any} */ result) => result.status !== "accepted"))
        throw new Error("not all were accepted");
    }
  };
  await Promise.all(Array.from({ length: SENDERS }, sendOn));
  for (;;) {
    // Not asked before everything has come: over a million rows it is work of its own.
    const { rows } =
      counts.size < count
        ? { rows: [{ n: -1 }] }
        : await world.inside.query(
            "select count(*)::int4 as n from webhook w where w.status <> 'paused' and exists (select from delivery d where d.lane = w.lane and d.webhook_id = w.id)",
          );
    if (counts.size >= count && rows[0].n === 0) break;
    if (performance.now() - startedAtMs > TIMEOUT_MS)
      throw new Error(`${counts.size} of ${count} came, ${rows[0].n} wait`);
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
  const seconds = (performance.now() - startedAtMs) / 1_000;
  if ([...counts.values()].some((times) => times !== each)) throw new Error("something came twice");
  const after = cpu(world);
  const perEvent = (/** @type {number} */ used) => (used * 1e6) / Math.max(1, count);
  return {
    seconds,
    nodeUs: perEvent(after.node - before.node),
    postgresUs: perEvent(after.postgres - before.postgres),
  };
}

/** @param {World} world */
function cpu({ posthorn, postgres }) {
  return { node: cpuSeconds(posthorn.pid) ?? 0, postgres: cpuSeconds(postgres.pid) ?? 0 };
}

/** @param {World} world @param {string} path @param {object} body @param {number} status */
async function call({ origin, apiKey }, path, body, status) {
  const headers = {
    authorization: `Bearer ${apiKey}`,
    "content-type": "application/json",
    "idempotency-key": randomUUID(),
  };
  const send = () => request(`${origin}${path}`, { method: "POST", headers, body: JSON.stringify(body) });
  // A connection that the server closed at this moment, because nothing had come for some seconds.
  const response = await send().catch(send);
  const text = await response.body.text();
  if (response.statusCode !== status) throw new Error(`${path}: ${response.statusCode} ${text.slice(0, 500)}`);
  return JSON.parse(text).data;
}

/** @param {string} name @param {{ seconds: number, nodeUs: number, postgresUs: number }} one */
function line(name, { seconds, nodeUs, postgresUs }) {
  return `${name}: ${Math.round(eventCount / seconds)} events/s, CPU ${Math.round(nodeUs)} + ${Math.round(postgresUs)} µs an event (Node + PostgreSQL)`;
}

/** @param {string} text */
function say(text) {
  process.stdout.write(`${text}\n`);
}
