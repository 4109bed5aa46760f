// `npm run bench:gather`: the same events to a webhook that gets each by itself, to one that gets them in the order of 200
// keys, to one that gets batches of 100, and to one that gets last states only; one Posthorn, one PostgreSQL, in turn. Must
// print no figure of a round in which an event was lost, came twice, out of its order, or was not the last state.
import { randomBytes } from "node:crypto";
import { mkdir, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { request } from "undici";
import { stopAllChildren } from "./lib/children.mjs";
import { describeMachine, machineLine } from "./lib/machine.mjs";
import { startPostgres } from "./lib/postgres.mjs";
import { cpuSeconds } from "./lib/proc.mjs";
import { freePort, startPosthorn, subscribe } from "./lib/product-side.mjs";
import { median } from "./lib/samples.mjs";

const HELP = `npm run bench:gather -- [options]
  --events N    of each kind in a round (20000)
  --rounds N    (5)
  --name NAME   results/NAME.json (gather)
`;
const { values } = parseArgs({
  options: {
    events: { type: "string", default: "20000" },
    rounds: { type: "string", default: "5" },
    name: { type: "string", default: "gather" },
    help: { type: "boolean", default: false },
  },
});
if (values.help) {
  process.stdout.write(HELP);
  process.exit(0);
}
const eventCount = Number(values.events);
const roundCount = Number(values.rounds);

const PER_REQUEST = 500;
/** Things that events are states of. */
const THINGS = 200;
const PADDING = "x".repeat(500);
const TIMEOUT_MS = 120_000;

/** An event type each, so that each has its own webhook. */
const KINDS = [
  { name: "plain", type: "product.updated", fields: {} },
  { name: "in order", type: "customer.created", fields: { orderingKey: "data.thing" } },
  { name: "batches of 100", type: "stock.updated", fields: { batchSettings: { maxEvents: 100, maxWaitTime: 1 } } },
  { name: "last states", type: "bill.created", fields: { coalesce: { key: "data.thing", window: 0.5, maxWait: 5 } } },
];

const nothing = () => ({ requests: 0, late: 0, events: new Map(), last: new Map() });
/** @type {{ requests: number, late: number, events: Map<number, number>, last: Map<number, number> }} */
let seen = nothing();
let heard = () => {};
const receiver = createServer(async (incoming, answer) => {
  const chunks = [];
  for await (const chunk of incoming) chunks.push(chunk);
  answer.writeHead(204).end();
  const body = JSON.parse(Buffer.concat(chunks).toString("utf8"));
  seen.requests += 1;
  for (const { data } of body.batch === true ? body.events : [body]) {
    seen.events.set(data.n, (seen.events.get(data.n) ?? 0) + 1);
    if ((seen.last.get(data.thing) ?? -1) > data.n) seen.late += 1;
    seen.last.set(data.thing, data.n);
  }
  heard();
});
await new Promise((resolve) => receiver.listen(0, "127.0.0.1", () => resolve(undefined)));
const receiverPort = /** @type {import("node:net").AddressInfo} */ (receiver.address()).port;
for (const signal of /** @type {const} */ (["SIGINT", "SIGTERM", "SIGHUP"])) {
  // Ends whatever the round waits for; its error brings main to its clean-up.
  process.on(signal, () => void stopAllChildren());
}
process.exitCode = await main();

async function main() {
  const postgres = await startPostgres(undefined);
  try {
    const machine = await describeMachine(postgres);
    const admin = await postgres.connect("postgres");
    await admin.query("create database gather");
    await admin.end();
    const directory = join(postgres.directory, "gather");
    await mkdir(directory, { mode: 0o700 });
    const port = await freePort();
    const apiKey = `blg_live_sk_${randomBytes(24).toString("hex")}`;
    const posthorn = await startPosthorn({ port, apiKey, databaseUrl: postgres.url("gather"), directory });
    const origin = `http://127.0.0.1:${port}`;
    for (const { name, type, fields } of KINDS) {
      const url = `http://127.0.0.1:${receiverPort}/`;
      await subscribe(origin, apiKey, { name, url, events: [type], ...fields });
    }
    const measured = [];
    for (let round = 1; round <= roundCount; round += 1) {
      for (const kind of round % 2 === 1 ? KINDS : [...KINDS].reverse()) {
        const one = await measure(kind, { origin, apiKey, posthorn, postgres });
        measured.push({ round, ...one });
        say(`${round}/${roundCount} ${line(one)}`);
      }
    }
    const summary = KINDS.map(({ name }) => summarise(name, measured));
    await mkdir(join(dirname(dirname(fileURLToPath(import.meta.url))), "results"), { recursive: true });
    const file = join(dirname(dirname(fileURLToPath(import.meta.url))), "results", `${values.name}.json`);
    await writeFile(file, `${JSON.stringify({ machine, eventCount, summary, measured }, null, 1)}\n`);
    say(machineLine(machine));
    const [plain] = summary;
    for (const one of summary) {
      const ratio = ((plain?.seconds ?? Number.NaN) / one.seconds).toFixed(2);
      say(`median: ${line(one)}; ${ratio} times the events per second of plain delivery`);
    }
    return 0;
  } finally {
    await stopAllChildren();
    await postgres.stop();
    receiver.close();
    receiver.closeAllConnections();
  }
}

/** @param {(typeof KINDS)[number]} kind @param {any} world */
async function measure({ name, type }, { origin, apiKey, posthorn, postgres }) {
  seen = nothing();
  const isLast = name === "last states";
  const done = new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`${name}: not everything came in time`)), TIMEOUT_MS);
    posthorn.child.once("exit", () => reject(new Error("Posthorn ended")));
    heard = () => {
      if (!isComplete(isLast)) return;
      clearTimeout(timer);
      resolve(performance.now());
    };
  });
  const before = { node: cpuSeconds(posthorn.pid) ?? 0, postgres: cpuSeconds(postgres.pid) ?? 0 };
  const startedAtMs = performance.now();
  for (let from = 0; from < eventCount; from += PER_REQUEST) {
    const events = Array.from({ length: Math.min(PER_REQUEST, eventCount - from) }, (_, index) => {
      const n = from + index;
      return { event: type, data: { n, thing: n % THINGS, padding: PADDING } };
    });
    const response = await request(`${origin}/v1/events/batch`, {
      method: "POST",
      headers: { authorization: `Bearer ${apiKey}`, "content-type": "application/json" },
      body: JSON.stringify({ events }),
    });
    const body = await response.body.text();
    if (response.statusCode !== 202 || body.includes('"refused"'))
      throw new Error(`not accepted: ${body.slice(0, 300)}`);
  }
  const seconds = (Number(await done) - startedAtMs) / 1000;
  await settled(postgres);
  const cpu = {
    node: (cpuSeconds(posthorn.pid) ?? 0) - before.node,
    postgres: (cpuSeconds(postgres.pid) ?? 0) - before.postgres,
  };
  if (!isComplete(isLast)) throw new Error(`${name}: something came twice or not at all`);
  if (name === "in order" && seen.late > 0) throw new Error(`${seen.late} came after a later one of their key`);
  return {
    name,
    seconds,
    requests: seen.requests,
    nodeUsPerEvent: (cpu.node * 1e6) / eventCount,
    postgresUsPerEvent: (cpu.postgres * 1e6) / eventCount,
  };
}

/** @param {boolean} isLast */
function isComplete(isLast) {
  if (isLast) return [...Array(THINGS).keys()].every((thing) => seen.last.get(thing) === eventCount - THINGS + thing);
  return seen.events.size === eventCount && [...seen.events.values()].every((count) => count === 1);
}

/** Nothing is owed any more, so that the next one starts from rest. @param {any} postgres */
async function settled(postgres) {
  const client = await postgres.connect("gather");
  try {
    while ((await client.query("select 1 from delivery limit 1")).rowCount !== 0) {
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  } finally {
    await client.end();
  }
}

/** @param {string} name @param {any[]} measured */
function summarise(name, measured) {
  const of = (/** @type {string} */ member) =>
    median(measured.filter((one) => one.name === name).map((one) => one[member]));
  return {
    name,
    seconds: of("seconds"),
    requests: of("requests"),
    nodeUsPerEvent: of("nodeUsPerEvent"),
    postgresUsPerEvent: of("postgresUsPerEvent"),
  };
}

/** @param {any} one */
function line({ name, seconds, requests, nodeUsPerEvent, postgresUsPerEvent }) {
  return `${name}: ${eventCount} events in ${Math.round(requests)} requests, ${seconds.toFixed(2)} s, CPU ${Math.round(nodeUsPerEvent)} + ${Math.round(postgresUsPerEvent)} µs an event (Node + PostgreSQL)`;
}

/** @param {string} text */
function say(text) {
  process.stdout.write(`${text}\n`);
}
