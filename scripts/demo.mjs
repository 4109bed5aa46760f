// npm run demo: the two webhooks of the documentation and a believable day of events, on a Posthorn, a database and
// receivers of its own, in under a minute. It must leave nothing behind, however it ends.
import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath, pathToFileURL } from "node:url";
import { DAY_TYPES, dayOf } from "./demo/day.mjs";
import { startReceiver } from "./demo/receiver.mjs";
import { bar, figures, makeScreen } from "./demo/screen.mjs";
import { startServer } from "./demo/server.mjs";
import { StartProblem } from "./install.mjs";
import { prepare, requireNode } from "./prepare.mjs";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const DAY_MS = 14_000;
/** From the last event on; the paced webhook needs some 10 s. */
const DELIVERY_LIMIT_MS = 30_000;
const FILES = ["ecommerce-order", "crm-customer-sync"];

const screen = makeScreen(process.stdout, process.env);
const stopping = new AbortController();
let signalled = null;
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) {
  process.on(signal, () => {
    signalled ??= signal;
    stopping.abort(new Error("stopped"));
  });
}

const ends = [];
try {
  requireNode(root);
  await prepare(root, { dev: false, say: (line) => screen.say(line) });
  await demo();
} catch (error) {
  if (signalled === null) {
    screen.say(`\n${error instanceof StartProblem ? error.message : `The demo failed: ${error?.message ?? error}`}\n`);
    process.exitCode = 1;
  }
} finally {
  if (signalled !== null) screen.say("\nStopping …");
  for (const end of ends.reverse()) await end();
  if (signalled !== null) process.exitCode = signalled === "SIGINT" ? 130 : 143;
}

async function demo() {
  const startedAt = performance.now();
  const built = (path) => import(pathToFileURL(join(root, "packages", ...path.split("/"))).href);
  const { checkWebhook, Posthorn } = await built("client/dist/index.js");

  const apiKeyOfShop = randomBytes(16).toString("hex");
  const tokenOfCrm = randomBytes(16).toString("hex");
  const receiver = await startReceiver(checkWebhook, {
    "/shop/webhooks/bigledger": {
      name: "E-Commerce Order Integration",
      header: "x-api-key",
      value: apiKeyOfShop,
      canFail: true,
    },
    "/crm/webhooks/customers": {
      name: "CRM Customer Synchronization",
      header: "authorization",
      value: `Bearer ${tokenOfCrm}`,
    },
  });
  ends.push(receiver.stop);
  const here = `http://127.0.0.1:${receiver.port}`;

  screen.say(screen.bold("Posthorn: a day of business events, in a moment"));
  screen.say();
  const apiKey = `demo-${randomBytes(16).toString("hex")}`;
  const server = await startServer({
    root,
    apiKey,
    allowTargets: `127.0.0.1:${receiver.port}`,
    signal: stopping.signal,
  });
  ends.push(server.stop);
  const posthorn = new Posthorn({ url: server.url, apiKey });
  screen.tell(`Posthorn serves at ${server.url} with a new PostgreSQL of its own (${seconds(startedAt)}).`);

  const webhooks = await subscribe(posthorn, await built("cli/dist/files/load.js"), receiver, {
    placeholders: { ENCRYPTED_API_KEY: apiKeyOfShop, OAUTH_TOKEN: tokenOfCrm, CRM_SERVER_IPS: "127.0.0.1" },
    mappings: [
      { from: "https://api.ecommerce.com", to: `${here}/shop` },
      { from: "https://api.crm.com", to: `${here}/crm` },
    ],
  });
  screen.tell(`The webhooks of examples/webhooks are applied as they stand, mapped to receivers at ${here}.`);
  screen.say();

  const day = await live(posthorn, receiver, webhooks);
  const rows = await Promise.all(webhooks.map((webhook) => account(posthorn, receiver, webhook, day)));
  report(webhooks, rows, day, startedAt);
}

/** Applies both files as `posthorn apply … --map-url` does, and gives the receivers the secrets that were made. */
async function subscribe(posthorn, { loadWebhookFiles }, receiver, { placeholders, mappings }) {
  const files = FILES.map((name) => {
    const path = join("examples", "webhooks", `${name}.yaml`);
    return { name: path, text: readFileSync(join(root, path), "utf8") };
  });
  const given = new Map(Object.entries(placeholders));
  const loaded = loadWebhookFiles(files, { given, mappings, environment: {}, keepSecrets: false });
  if (!loaded.ok)
    throw new Error([...loaded.problems.map(({ message }) => message), ...loaded.optionProblems].join("\n"));
  const { plan } = await posthorn.webhooks.apply(loaded.webhooks);
  for (const { name, secret } of plan) receiver.secrets.set(name, secret);
  return Promise.all(plan.map(({ id }) => posthorn.webhooks.get(id)));
}

/** Publishes the day and waits until everything has arrived. Resolves with what was published. */
async function live(posthorn, receiver, webhooks) {
  const examples = new Map();
  for (const type of DAY_TYPES) examples.set(type, (await posthorn.eventTypes.get(type)).example);
  const day = dayOf(examples);
  const published = [];
  const last = day.at(-1).minute;
  const arrived = () => webhooks.reduce((sum, { name }) => sum + receiver.heard.get(name).arrivals.size, 0);
  const owed = () => published.reduce((sum, { deliveries }) => sum + deliveries, 0);
  const show = (minute, isLast) =>
    screen.progress(
      () => linesOf(minute),
      () => lineOf(minute),
      isLast,
    );
  const lineOf = (minute) =>
    `${clockOf(minute)}  captured ${published.length} of ${day.length}, arrived ${arrived()} of ${owed()}`;
  const linesOf = (minute) => {
    const width = Math.max(10, Math.min(40, screen.columns() - 36));
    const count = (number, all) => `${String(number).padStart(4)} of ${all}`;
    return [
      `${clockOf(minute)}  captured  ${bar(published.length / day.length, width)} ${count(published.length, day.length)}`,
      `       arrived   ${bar(owed() === 0 ? 0 : arrived() / owed(), width)} ${count(arrived(), owed())}`,
    ];
  };

  const beganAt = performance.now();
  const underWay = new Set();
  for (const { minute, event } of day) {
    const waitMs = beganAt + (minute / last) * DAY_MS - performance.now();
    if (waitMs > 0) await sleep(waitMs, undefined, { signal: stopping.signal });
    stopping.signal.throwIfAborted();
    const sentAtMs = performance.now();
    const publishing = posthorn.events
      .publish(event)
      .then(({ id, deliveries }) => published.push({ id, type: event.event, deliveries, sentAtMs }))
      .finally(() => underWay.delete(publishing));
    underWay.add(publishing);
    show(minute);
  }
  await Promise.all(underWay);
  const deadline = performance.now() + DELIVERY_LIMIT_MS;
  while (arrived() < owed()) {
    if (performance.now() > deadline) throw new Error(`only ${arrived()} of ${owed()} deliveries arrived in time.`);
    show(last);
    await sleep(50, undefined, { signal: stopping.signal });
  }
  show(last, true);
  return published;
}

/** What became of a webhook's events: by the API's own account, times by the receiver's clock. */
async function account(posthorn, receiver, { id, name, events }, day) {
  const mine = day.filter(({ type }) => events.includes(type));
  const record = receiver.heard.get(name);
  const filteredOut = new Map();
  for (const event of mine.filter(({ deliveries }) => deliveries === 0)) {
    const { filters } = await posthorn.preview({ webhook: id, event: { id: event.id } });
    const why = filters.find(({ result }) => result !== true)?.source ?? "(unknown)";
    filteredOut.set(why, (filteredOut.get(why) ?? 0) + 1);
  }
  const deliveries = [];
  let isSettled = false;
  for (const deadline = performance.now() + 5_000; !isSettled && performance.now() < deadline; ) {
    deliveries.length = 0;
    for await (const delivery of posthorn.deliveries.list({ webhookId: id, limit: 200 })) deliveries.push(delivery);
    // The last results may still be on their way to the database.
    isSettled = deliveries.every(({ state }) => state !== "pending");
    if (!isSettled) await sleep(100, undefined, { signal: stopping.signal });
  }
  const sentAtMs = new Map(day.map((event) => [event.id, event.sentAtMs]));
  const latencies = [...record.arrivals]
    .map(([eventId, { arrivedAtMs }]) => arrivedAtMs - sentAtMs.get(eventId))
    .sort((a, b) => a - b);
  return {
    captured: mine.length,
    matched: deliveries.length,
    filteredOut,
    delivered: deliveries.filter(({ state }) => state === "delivered").length,
    retried: deliveries.filter(({ attemptCount }) => attemptCount > 1).length,
    refused: record.refused,
    latencies,
  };
}

function report(webhooks, rows, day, startedAt) {
  const filters = [...new Set(rows.flatMap(({ filteredOut }) => [...filteredOut.keys()]))];
  const each = (label, value) => [label, ...rows.map((row) => String(value(row)))];
  const table = [
    each("captured, of its types", ({ captured }) => captured),
    each("filtered out by", ({ captured, matched }) => captured - matched),
    ...filters.map((filter) => each(`  ${filter}`, ({ filteredOut }) => filteredOut.get(filter) ?? 0)),
    each("matched", ({ matched }) => matched),
    each("delivered", ({ delivered }) => delivered),
    each("  of them retried", ({ retried }) => retried),
    each("signatures refused", ({ refused }) => refused),
    each("until received, p50", ({ latencies }) => duration(quantile(latencies, 0.5))),
    each("  p99", ({ latencies }) => duration(quantile(latencies, 0.99))),
    each("  slowest", ({ latencies }) => duration(latencies.at(-1) ?? 0)),
  ];
  const paint = { bold: screen.bold, dim: screen.dim };
  screen.say();
  screen.say(
    figures(
      webhooks.map(({ name }) => name),
      table,
      screen.columns(),
      paint,
    ),
  );
  screen.say();
  const unheard = day.filter(({ type }) => webhooks.every(({ events }) => !events.includes(type))).length;
  screen.tell(`${day.length} events captured, ${unheard} of them of types that no webhook listens to.`);
  screen.tell("The order system answered 503 once; that delivery came again 5 seconds later.");
  screen.tell("The CRM takes 100 requests a minute, so its events wait for their turn; none is lost.");
  screen.say();
  const isWell = rows.every(({ matched, delivered, refused }) => matched === delivered && refused === 0);
  if (!isWell) throw new Error("not everything that matched was delivered, see the table.");
  screen.tell(
    `Everything that matched was delivered, in ${seconds(startedAt)} with the start. Nothing is left behind.`,
  );
}

/** Minutes after 8 o'clock, as a clock shows them. */
function clockOf(minute) {
  return `${String(8 + Math.floor(minute / 60)).padStart(2, "0")}:${String(minute % 60).padStart(2, "0")}`;
}

function quantile(sorted, share) {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
}

function duration(ms) {
  return ms < 1_000 ? `${ms.toFixed(ms < 10 ? 1 : 0)} ms` : `${(ms / 1_000).toFixed(1)} s`;
}

function seconds(sinceMs) {
  return `${((performance.now() - sinceMs) / 1_000).toFixed(1)} s`;
}
