// `npm run bench:fan-out`: one event that every webhook of a tenant hears, beside the same event that one of them hears.
// Says how long the sender waited for its 202, when the last webhook had the event, and what memory it took; with --kill
// the node is killed in the middle and started again. Must print no figure of a round that lost a delivery.
import { randomBytes } from "node:crypto";
import { mkdir } from "node:fs/promises";
import { createServer } from "node:http";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { request } from "undici";
import { stopAllChildren } from "./lib/children.mjs";
import { describeMachine, machineLine } from "./lib/machine.mjs";
import { startPostgres } from "./lib/postgres.mjs";
import { cpuSeconds, peakMemoryBytes } from "./lib/proc.mjs";
import { freePort, startPosthorn } from "./lib/product-side.mjs";
import { median } from "./lib/samples.mjs";

const HELP = `npm run bench:fan-out -- [options]
  --webhooks N   that hear the event (10000)
  --rounds N     events, one after the other (5)
  --kill         kills the node while the last event is being delivered
`;
const { values } = parseArgs({
  options: {
    webhooks: { type: "string", default: "10000" },
    rounds: { type: "string", default: "5" },
    kill: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  },
});
if (values.help) {
  process.stdout.write(HELP);
  process.exit(0);
}
const webhookCount = Number(values.webhooks);
const roundCount = Number(values.rounds);

const ALL_TYPE = "shift.closed";
const ONE_TYPE = "product.updated";
/** What one request of `apply` takes. */
const PER_APPLY = 1_000;
const TIMEOUT_MS = 180_000;
const LOOK_MS = 20;

/** Requests by webhook's path, of the event that is under way. @type {Map<string, number>} */
let countByPath = new Map();
let requestCount = 0;
const receiver = createServer((incoming, answer) => {
  incoming.resume();
  incoming.once("end", () => {
    const path = incoming.url ?? "";
    countByPath.set(path, (countByPath.get(path) ?? 0) + 1);
    requestCount += 1;
    answer.writeHead(204).end();
  });
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
    say(machineLine(await describeMachine(postgres)));
    const admin = await postgres.connect("postgres");
    await admin.query("create database fan_out");
    await admin.end();
    const inside = await postgres.connect("fan_out");
    const directory = join(postgres.directory, "fan_out");
    await mkdir(directory, { mode: 0o700 });
    const settings = {
      port: await freePort(),
      apiKey: `blg_live_sk_${randomBytes(24).toString("hex")}`,
      masterKey: randomBytes(32).toString("base64"),
      databaseUrl: postgres.url("fan_out"),
      directory,
    };
    let posthorn = await startPosthorn(settings);
    await subscribeAll(settings);
    say(`${webhookCount} webhooks, memory ${megabytes(posthorn.pid)} MB`);
    const world = { ...settings, inside, postgres };
    const rounds = [];
    for (let round = 1; round <= roundCount; round += 1) {
      const one = await publish(world, ONE_TYPE, 1, posthorn, null);
      const isKilled = values.kill && round === roundCount;
      const restart = async () => {
        posthorn.child.kill("SIGKILL");
        await new Promise((resolve) => posthorn.child.once("exit", resolve));
        posthorn = await startPosthorn(settings);
      };
      const all = await publish(world, ALL_TYPE, webhookCount, posthorn, isKilled ? restart : null);
      const memory = megabytes(posthorn.pid);
      say(
        `${round}: to one ${one.ackMs.toFixed(1)} ms; to ${webhookCount} acknowledged after ${all.ackMs.toFixed(1)} ms, ` +
          `the last one has it after ${(all.allMs / 1000).toFixed(2)} s, CPU ${all.cpuUs.toFixed(0)} µs a delivery (Node), ` +
          `${all.repeats} repeated${isKilled ? " (node killed)" : ""}, peak memory ${memory} MB`,
      );
      rounds.push({ one, all });
    }
    const of = (/** @type {(round: any) => number} */ pick) => {
      const sorted = rounds.map(pick).sort((a, b) => a - b);
      return `${median(sorted).toFixed(1)} (${sorted[0]?.toFixed(1)}–${sorted.at(-1)?.toFixed(1)}) ms`;
    };
    say(
      `median of ${roundCount}: acknowledged after ${of(({ all }) => all.ackMs)}, to one webhook ${of(({ one }) => one.ackMs)}`,
    );
    await inside.end();
    return 0;
  } finally {
    await stopAllChildren();
    await postgres.stop();
    receiver.close();
    receiver.closeAllConnections();
  }
}

/** @param {{ port: number, apiKey: string }} server */
async function subscribeAll({ port, apiKey }) {
  for (let from = 0; from < webhookCount; from += PER_APPLY) {
    const webhooks = Array.from({ length: Math.min(PER_APPLY, webhookCount - from) }, (_, index) => {
      const path = `w${from + index}`;
      const events = from + index === 0 ? [ALL_TYPE, ONE_TYPE] : [ALL_TYPE];
      return {
        name: path,
        url: `http://127.0.0.1:${receiverPort}/${path}`,
        events,
        secret: randomBytes(24).toString("hex"),
      };
    });
    await call(port, apiKey, "/v1/webhooks/apply", { webhooks }, 200);
  }
}

/**
 * Publishes one event and waits until all of its deliveries have ended.
 * @param {any} world @param {string} type @param {number} expectedCount @param {any} posthorn
 * @param {(() => Promise<void>) | null} restart when a third of it has arrived
 */
async function publish({ port, apiKey, inside }, type, expectedCount, posthorn, restart) {
  countByPath = new Map();
  requestCount = 0;
  const cpuBefore = cpuSeconds(posthorn.pid) ?? 0;
  const startedAtMs = performance.now();
  const { deliveries } = await call(port, apiKey, "/v1/events", { event: type, data: { n: 1 } }, 202);
  const ackMs = performance.now() - startedAtMs;
  if (deliveries !== expectedCount) throw new Error(`${deliveries} deliveries instead of ${expectedCount}`);
  let isRestarted = restart === null;
  while (countByPath.size < expectedCount) {
    if (performance.now() - startedAtMs > TIMEOUT_MS)
      throw new Error(`only ${countByPath.size} of ${expectedCount} came`);
    if (!isRestarted && countByPath.size > expectedCount / 3) {
      isRestarted = true;
      await restart?.();
    }
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
  const allMs = performance.now() - startedAtMs;
  for (;;) {
    const { rows } = await inside.query(
      "select (select count(*) from delivery)::int4 + (select count(*) from fan_out)::int4 as n",
    );
    if (rows[0].n === 0) break;
    if (performance.now() - startedAtMs > TIMEOUT_MS) throw new Error(`${rows[0].n} deliveries do not end`);
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
  const cpuUs = (((cpuSeconds(posthorn.pid) ?? 0) - cpuBefore) * 1e6) / expectedCount;
  const ended = await inside.query(
    `select count(*)::int4 as n, count(distinct webhook_id)::int4 as webhooks from attempt
where ends_delivery and event_id = (select id from event order by id desc limit 1)`,
  );
  const { n, webhooks } = ended.rows[0];
  if (n !== expectedCount || webhooks !== expectedCount) {
    throw new Error(`${n} deliveries of ${webhooks} webhooks ended, ${expectedCount} were owed`);
  }
  const repeats = requestCount - expectedCount;
  if (restart === null && repeats !== 0) throw new Error(`${repeats} requests were repeated`);
  return { ackMs, allMs, cpuUs, repeats };
}

/** @param {number} port @param {string} apiKey @param {string} path @param {object} body @param {number} status */
async function call(port, apiKey, path, body, status) {
  const response = await request(`http://127.0.0.1:${port}${path}`, {
    method: "POST",
    headers: { authorization: `Bearer ${apiKey}`, "content-type": "application/json" },
    body: JSON.stringify(body),
    headersTimeout: TIMEOUT_MS,
    bodyTimeout: TIMEOUT_MS,
  });
  const text = await response.body.text();
  if (response.statusCode !== status) throw new Error(`${path}: ${response.statusCode} ${text.slice(0, 500)}`);
  return JSON.parse(text).data;
}

/** @param {number} pid */
function megabytes(pid) {
  return Math.round((peakMemoryBytes(pid) ?? 0) / 2 ** 20);
}

/** @param {string} text */
function say(text) {
  process.stdout.write(`${text}\n`);
}
