// `npm run bench:fairness -- dead|whale|recovery|rate`: what one webhook gets while others are in trouble or greedy, each
// beside its reference in the same run: 200 dead endpoints beside one that works; one tenant with a backlog beside 99 with
// little; a thousand endpoints that come back at once; a rate limit at the receiver's clock. Must print no figure of a run
// that lost an event.
import { createServer } from "node:net";
import { parseArgs } from "node:util";
import { stopAllChildren } from "./lib/children.mjs";
import { describeMachine, machineLine } from "./lib/machine.mjs";
import { atRate, listen, openScene, pause, until } from "./lib/scene.mjs";
import { cpuSeconds, peakMemoryBytes } from "./lib/proc.mjs";

const HELP = `npm run bench:fairness -- dead|whale|recovery|rate [options]
  --dead N       endpoints that are dead (200)
  --mice N       tenants beside the whale (99)
  --endpoints N  that come back (1000)
  --seconds S    of each load (15)
`;
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    dead: { type: "string", default: "200" },
    mice: { type: "string", default: "99" },
    endpoints: { type: "string", default: "1000" },
    seconds: { type: "string", default: "15" },
    help: { type: "boolean", default: false },
  },
});
const seconds = Number(values.seconds);
const WARM_UP_S = 8;
/** No delivery is given up during a run. */
const PATIENT = { retryPolicy: { maxRetries: 100, retryDelay: 5, backoffMultiplier: 1 } };
const [HEALTHY, OTHER] = ["invoice.paid", "customer.created"];

/** @type {Record<string, () => Promise<void>>} */
const PARTS = { dead, whale, recovery, rate };
const part = PARTS[positionals[0] ?? ""];
if (values.help || part === undefined) {
  process.stdout.write(HELP);
  process.exit(values.help ? 0 : 1);
}
for (const signal of /** @type {const} */ (["SIGINT", "SIGTERM", "SIGHUP"])) {
  // Ends whatever the run waits for; its error brings it to its clean-up.
  process.on(signal, () => void stopAllChildren());
}
await part();

// --- 200 dead endpoints beside one that works ----------------------------------------------------------------------

async function dead() {
  const count = Number(values.dead);
  let areDead = false;
  const scene = await openScene((incoming, answer) => {
    if (!areDead || incoming.url === "/healthy") return void answer.writeHead(204).end();
    // A third of them is a black hole; a third drips, a byte a second, and never comes to its end.
    if ((incoming.url ?? "").startsWith("/drip")) drip(answer);
  });
  // The last third listens on a port of its own, and refuses when it is dead.
  let refusing = answering();
  const refusingPort = await listen(refusing);
  try {
    say(machineLine(await describeMachine(scene.postgres)));
    await scene.subscribe("healthy", HEALTHY);
    for (let n = 0; n < count; n += 1) {
      const kind = /** @type {string} */ (["hole", "drip", "refused"][n % 3]);
      const fields = kind === "refused" ? { ...PATIENT, url: `http://127.0.0.1:${refusingPort}/${n}` } : PATIENT;
      await scene.subscribe(`${kind}-${n}`, OTHER, fields);
    }
    await scene.publish(HEALTHY);
    await load(scene, 0, WARM_UP_S);
    await load(scene, 2, WARM_UP_S);
    const alone = await load(scene, 0, seconds);
    show("alone", alone);
    const beside = await load(scene, 2, seconds);
    show(`beside ${count} that work`, beside);
    areDead = true;
    refusing.close();
    refusing.closeAllConnections();
    const first = await load(scene, 2, seconds);
    show(`while ${count} die`, first);
    const later = await load(scene, 2, seconds);
    show(`beside ${count} that have been dead for ${seconds} s`, later);
    say(
      `p99 beside ${count} dead ones: ${ratio(first.p99, beside.p99)} and ${ratio(later.p99, beside.p99)} times what it is beside as many that work, ` +
        `${ratio(first.p99, alone.p99)} and ${ratio(later.p99, alone.p99)} times what it is alone; memory at most ${memory(scene)} MB`,
    );
  } finally {
    refusing.close();
    await scene.close();
  }
}

/** 50 events a second for the healthy one; so many a second for each of the others. @param {import("./lib/scene.mjs").Scene} scene @param {number} othersPerSecond @param {number} forSeconds */
async function load(scene, othersPerSecond, forSeconds) {
  /** @type {Promise<number>[]} */
  const published = [];
  const before = cpuSeconds(scene.posthorn.pid) ?? 0;
  await Promise.all([
    atRate(50, forSeconds, () => void published.push(kept(scene.publish(HEALTHY)))),
    atRate(othersPerSecond, forSeconds, () => void published.push(kept(scene.publish(OTHER).then(() => -1)))),
  ]);
  const numbers = (await Promise.all(published)).filter((n) => n > 0);
  await until(() => scene.latencies("/healthy", numbers).missing === 0, 60_000, "the healthy one's events");
  const cpu = ((cpuSeconds(scene.posthorn.pid) ?? 0) - before) / forSeconds;
  return { ...scene.latencies("/healthy", numbers), cpu };
}

/** @param {import("node:http").ServerResponse} answer */
function drip(answer) {
  const socket = answer.socket;
  const text = "HTTP/1.1 200 OK\r\nx-slow: ";
  let at = 0;
  const timer = setInterval(() => {
    if (socket === null || socket.destroyed) return clearInterval(timer);
    socket.write(text[at] ?? "x");
    at += 1;
  }, 1_000);
}

/** Says 204 to whatever comes. */
function answering() {
  /** @type {Set<import("node:net").Socket>} */
  const sockets = new Set();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
    socket.on("error", () => socket.destroy());
    socket.on("data", () => socket.write("HTTP/1.1 204 No Content\r\n\r\n"));
  });
  return Object.assign(server, {
    closeAllConnections() {
      for (const socket of sockets) socket.destroy();
    },
  });
}

// --- one whale and 99 mice -----------------------------------------------------------------------------------------

async function whale() {
  const count = Number(values.mice);
  // Every receiver takes a moment, so that slots are what everybody wants.
  const scene = await openScene((_incoming, answer) => void setTimeout(() => answer.writeHead(204).end(), 100));
  try {
    say(machineLine(await describeMachine(scene.postgres)));
    /** @type {string[]} */
    const keys = [];
    for (let n = 0; n < count; n += 1) {
      const tenant = await scene.call("/v1/tenants", { name: `mouse ${n}` }, 201);
      keys.push(tenant.apiKey.key);
      await scene.subscribe(`mouse-${n}`, HEALTHY, {}, tenant.apiKey.key);
    }
    const whaleWebhook = await scene.subscribe("whale", OTHER, { maxInFlight: 500 });
    let turn = 0;
    const mice = async () => {
      /** @type {Promise<number>[]} */
      const published = [];
      await atRate(count, seconds, () => {
        turn += 1;
        published.push(kept(scene.publish(HEALTHY, keys[turn % count])));
      });
      const wanted = new Set(await Promise.all(published));
      const arrived = () => scene.arrivals.filter(({ path, n }) => path.startsWith("/mouse") && wanted.has(n));
      await until(() => arrived().length >= wanted.size, 120_000, "the mice's events");
      const waits = arrived()
        .map(({ n, atMs }) => atMs - (scene.publishedAtMs.get(n) ?? 0))
        .sort((a, b) => a - b);
      return { p50: rankOf(waits, 0.5), p99: rankOf(waits, 0.99), max: rankOf(waits, 1), count: waits.length };
    };
    await mice();
    const alone = await mice();
    show(`${count} mice alone`, alone);
    // More than can be delivered while the mice are watched, and none of it before.
    await scene.call(`/v1/webhooks/${whaleWebhook.id}/pause`, {}, 200);
    await scene.publishMany(OTHER, 100_000);
    await scene.call(`/v1/webhooks/${whaleWebhook.id}/resume`, {}, 200);
    const before = scene.arrivals.filter(({ path }) => path === "/whale").length;
    const startedAtMs = performance.now();
    const beside = await mice();
    const whaleCount = scene.arrivals.filter(({ path }) => path === "/whale").length - before;
    const perSecond = whaleCount / ((performance.now() - startedAtMs) / 1_000);
    show(`${count} mice beside a whale with 100,000 due`, beside);
    say(
      `p99 of the mice beside the whale: ${ratio(beside.p99, alone.p99)} times what it is alone; the whale got ${Math.round(perSecond)} requests a second meanwhile; ` +
        `memory at most ${memory(scene)} MB`,
    );
  } finally {
    await scene.close();
  }
}

// --- a thousand endpoints come back --------------------------------------------------------------------------------

async function recovery() {
  const count = Number(values.endpoints);
  const each = 20;
  let isDown = false;
  /** By path: under way, and the most at once. @type {Map<string, { now: number, most: number }>} */
  const underWay = new Map();
  const scene = await openScene((incoming, answer) => {
    const path = incoming.url ?? "";
    const one = underWay.get(path) ?? { now: 0, most: 0 };
    underWay.set(path, one);
    one.now += 1;
    one.most = Math.max(one.most, one.now);
    setTimeout(() => {
      one.now -= 1;
      answer.writeHead(isDown ? 500 : 204).end();
    }, 50);
  });
  try {
    say(machineLine(await describeMachine(scene.postgres)));
    const webhooks = Array.from({ length: count }, (_, n) => ({
      name: `e-${n}`,
      url: `http://127.0.0.1:${scene.receiverPort}/e-${n}`,
      events: [OTHER],
      ...PATIENT,
    }));
    for (let from = 0; from < count; from += 500) {
      await scene.call("/v1/webhooks/apply", { webhooks: webhooks.slice(from, from + 500) }, 200);
    }
    const total = count * each;
    const isOver = async () => (await scene.inside.query("select 1 from delivery limit 1")).rowCount === 0;
    // The reference: the same deliveries to endpoints that never failed.
    const usualAtMs = performance.now();
    await scene.publishMany(OTHER, each);
    await until(isOver, 180_000, "the deliveries of the reference");
    const usual = (performance.now() - usualAtMs) / 1_000;
    say(`never down: ${total} deliveries in ${usual.toFixed(1)} s`);
    isDown = true;
    await scene.publishMany(OTHER, each);
    const open = async () => {
      const { rows } = await scene.inside.query("select count(*)::int4 as n from webhook_health where phase = 'open'");
      return rows[0].n >= count;
    };
    await until(open, 120_000, "all breakers to open");
    const burnt = scene.arrivals.length - total;
    say(`down: ${count} breakers open after ${burnt} attempts, ${(burnt / count).toFixed(1)} each`);
    underWay.clear();
    isDown = false;
    const from = scene.arrivals.length;
    const backAtMs = performance.now();
    await until(isOver, 300_000, "all deliveries after the recovery");
    const after = scene.arrivals.slice(from);
    /** @type {number[]} */
    const perSecond = [];
    for (const { atMs } of after) {
      const second = Math.max(0, Math.floor((atMs - backAtMs) / 1_000));
      perSecond[second] = (perSecond[second] ?? 0) + 1;
    }
    const times = after.map(({ atMs }) => (atMs - backAtMs) / 1_000);
    const mostOfOne = Math.max(...[...underWay.values()].map(({ most }) => most));
    const peak = Math.max(...[...perSecond].map((n) => n ?? 0));
    say(
      `back: ${after.length} requests, half of them after ${rankOf(times, 0.5).toFixed(1)} s, all after ${rankOf(times, 1).toFixed(1)} s; ` +
        `at most ${peak} a second (never down: ${Math.round(total / usual)}), at most ${mostOfOne} side by side at one endpoint`,
    );
    say(`requests in each second: ${[...perSecond].map((n) => n ?? 0).join(" ")}`);
  } finally {
    await scene.close();
  }
}

// --- a rate at the receiver's clock --------------------------------------------------------------------------------

async function rate() {
  const scene = await openScene((_incoming, answer) => void answer.writeHead(204).end());
  try {
    say(machineLine(await describeMachine(scene.postgres)));
    const limits = [
      { name: "ten", type: "invoice.paid", limit: 10, per: "second", windowMs: 1_000 },
      { name: "hundred", type: "customer.created", limit: 100, per: "second", windowMs: 1_000 },
      { name: "minute", type: "bill.created", limit: 600, per: "minute", windowMs: 60_000 },
      { name: "free", type: "product.updated", limit: null, per: null, windowMs: 1_000 },
    ];
    for (const { name, type, limit, per } of limits)
      await scene.subscribe(name, type, limit === null ? {} : { rateLimit: { limit, per } });
    const forMs = Math.max(seconds, 75) * 1_000;
    await scene.publishMany("product.updated", 10_000);
    await until(() => of("free").length >= 10_000, 120_000, "the reference without a limit");
    for (const { type, limit, windowMs } of limits)
      if (limit !== null) await scene.publishMany(type, Math.ceil((limit * forMs * 1.1) / windowMs));
    const startedAtMs = performance.now();
    await pause(forMs);
    for (const { name, limit, per, windowMs } of limits) {
      const times = of(name).filter((ms) => limit === null || (ms >= startedAtMs && ms < startedAtMs + forMs));
      const spanMs = (times.at(-1) ?? 0) - (times[0] ?? 0);
      const average = ((times.length - 1) / spanMs) * windowMs;
      const most = mostInAnyWindow(times, windowMs);
      say(
        limit === null
          ? `no limit: ${Math.round(average)} a second`
          : `${limit} a ${per}: ${average.toFixed(1)} on average (${percent(average / limit)}), at most ${most} in any ${per} (${percent(most / limit)})`,
      );
    }
  } finally {
    await scene.close();
  }

  /** @param {string} name */
  function of(name) {
    return scene.arrivals.filter(({ path }) => path === `/${name}`).map(({ atMs }) => atMs);
  }
}

/** @param {number[]} times rising @param {number} windowMs */
function mostInAnyWindow(times, windowMs) {
  let [most, first] = [0, 0];
  for (let last = 0; last < times.length; last += 1) {
    while ((times[last] ?? 0) - (times[first] ?? 0) >= windowMs) first += 1;
    most = Math.max(most, last - first + 1);
  }
  return most;
}

/** Its failure is seen by whoever awaits it, after the load: until then it must not end this process. @template T @param {Promise<T>} promise */
function kept(promise) {
  promise.catch(() => {});
  return promise;
}

// --- words -----------------------------------------------------------------------------------------------------------

/** @param {number[]} sorted @param {number} share */
function rankOf(sorted, share) {
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN;
}

/** @param {string} name @param {{ p50: number | null, p99: number | null, max: number | null, count: number, cpu?: number }} one */
function show(name, { p50, p99, max, count, cpu }) {
  const used = cpu === undefined ? "" : `, ${(cpu * 100).toFixed(0)} % of a core (Node)`;
  const [a, b, c] = [p50, p99, max].map((ms) => (ms ?? Number.NaN).toFixed(1));
  say(`${name}: ${count} events, from publishing to the receiver p50 ${a}, p99 ${b}, most ${c} ms${used}`);
}

/** @param {number | null} one @param {number | null} other */
function ratio(one, other) {
  return ((one ?? Number.NaN) / (other ?? Number.NaN)).toFixed(2);
}

/** @param {number} share */
function percent(share) {
  return `${(share * 100).toFixed(1)} %`;
}

/** @param {import("./lib/scene.mjs").Scene} scene */
function memory(scene) {
  return Math.round((peakMemoryBytes(scene.posthorn.pid) ?? 0) / 2 ** 20);
}

/** @param {string} text */
function say(text) {
  process.stdout.write(`${text}\n`);
}
