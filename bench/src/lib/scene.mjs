// A Posthorn, its receivers and its senders in one place, for benches that ask who gets what and when. Times are of this
// process alone: a request's start and its arrival are read from one clock. Must never count a request that came twice.
import { randomBytes, randomUUID } from "node:crypto";
import { mkdir } from "node:fs/promises";
import { createServer } from "node:http";
import { join } from "node:path";
import { Agent, request } from "undici";
import { stopAllChildren } from "./children.mjs";
import { startPostgres } from "./postgres.mjs";
import { freePort, startPosthorn } from "./product-side.mjs";
import { percentiles, Samples } from "./samples.mjs";

/** @typedef {{ path: string, n: number, atMs: number }} Arrival */
/** @typedef {Awaited<ReturnType<typeof openScene>>} Scene */

const PADDING = "x".repeat(500);
const CONNECTIONS = 64;

/**
 * @param {(incoming: import("node:http").IncomingMessage, answer: import("node:http").ServerResponse) => void} behave
 * answers; the arrival has been noted
 * @param {string[]} [serveArguments]
 */
export async function openScene(behave, serveArguments = []) {
  const postgres = await startPostgres(undefined);
  const agent = new Agent({ connections: CONNECTIONS, keepAliveTimeout: 4_000 });
  /** When each event was published, by its number. @type {Map<number, number>} */
  const publishedAtMs = new Map();
  /** @type {Arrival[]} */
  const arrivals = [];
  const receiver = createServer((incoming, answer) => {
    const atMs = performance.now();
    /** @type {Buffer[]} */
    const chunks = [];
    incoming.on("data", (chunk) => chunks.push(chunk));
    incoming.once("end", () => {
      const n = Number(/"n":(\d+)/.exec(Buffer.concat(chunks).toString("latin1"))?.[1]);
      arrivals.push({ path: incoming.url ?? "", n, atMs });
      behave(incoming, answer);
    });
  });
  const port = await listen(receiver);
  const admin = await postgres.connect("postgres");
  await admin.query("create database scene");
  await admin.end();
  const directory = join(postgres.directory, "scene");
  await mkdir(directory, { mode: 0o700 });
  const apiKey = `blg_live_sk_${randomBytes(24).toString("hex")}`;
  const serverPort = await freePort();
  const databaseUrl = postgres.url("scene");
  const posthorn = await startPosthorn({ port: serverPort, apiKey, databaseUrl, directory, serveArguments });
  const inside = await postgres.connect("scene");
  let next = 0;

  /** @param {string} path @param {object} body @param {number} status @param {string} [key] */
  const call = async (path, body, status, key = apiKey) => {
    const headers = {
      authorization: `Bearer ${key}`,
      "content-type": "application/json",
      "idempotency-key": randomUUID(),
    };
    const send = () =>
      request(`http://127.0.0.1:${serverPort}${path}`, {
        method: "POST",
        headers,
        body: JSON.stringify(body),
        dispatcher: agent,
      });
    let response = await send().catch(send);
    // As senders do: the same request with the same key. Its wait counts.
    for (let tries = 0; response.statusCode === 503 && tries < 50; tries += 1) {
      await response.body.dump();
      await pause(200);
      response = await send().catch(send);
    }
    const text = await response.body.text();
    if (response.statusCode !== status) throw new Error(`${path}: ${response.statusCode} ${text.slice(0, 300)}`);
    return JSON.parse(text).data;
  };

  return {
    postgres,
    posthorn,
    inside,
    arrivals,
    publishedAtMs,
    receiverPort: port,
    call,
    /** @param {string} type @param {string} [key] */
    async publish(type, key = apiKey) {
      const n = (next += 1);
      publishedAtMs.set(n, performance.now());
      await call("/v1/events", { event: type, data: { n, padding: PADDING } }, 202, key);
      return n;
    },
    /** In requests of 500. @param {string} type @param {number} count @param {string} [key] */
    async publishMany(type, count, key = apiKey) {
      for (let left = count; left > 0; left -= 500) {
        const events = Array.from({ length: Math.min(500, left) }, () => {
          const n = (next += 1);
          publishedAtMs.set(n, performance.now());
          return { event: type, data: { n, padding: PADDING } };
        });
        const { results } = await call("/v1/events/batch", { events }, 202, key);
        if (results.some((/** @type {any} */ result) => result.status !== "accepted"))
          throw new Error("one was refused");
      }
    },
    /** @param {string} name @param {string} type @param {Record<string, unknown>} [fields] @param {string} [key] */
    subscribe(name, type, fields = {}, key = apiKey) {
      const url = `http://127.0.0.1:${port}/${name}`;
      return call("/v1/webhooks/subscribe", { name, url, events: [type], ...fields }, 201, key);
    },
    /**
     * From publishing to arriving, of first arrivals of these numbers on this path.
     * @param {string} path @param {number[]} numbers
     */
    latencies(path, numbers) {
      const wanted = new Set(numbers);
      const samples = new Samples(1_024);
      for (const arrival of arrivals) {
        if (arrival.path !== path || !wanted.delete(arrival.n)) continue;
        samples.push(arrival.atMs - (publishedAtMs.get(arrival.n) ?? Number.NaN));
      }
      return { ...percentiles(samples), count: samples.count, missing: wanted.size };
    },
    async close() {
      await inside.end().catch(() => {});
      await stopAllChildren();
      await postgres.stop();
      await agent.destroy();
      receiver.close();
      receiver.closeAllConnections();
    },
  };
}

/** @param {import("node:net").Server} server @returns {Promise<number>} its port */
export async function listen(server, port = 0) {
  await new Promise((resolve) => server.listen({ port, host: "127.0.0.1", backlog: 4_096 }, () => resolve(undefined)));
  return /** @type {import("node:net").AddressInfo} */ (server.address()).port;
}

/**
 * Does something at a fixed rate for a while; what is late is done at once.
 * @param {number} perSecond @param {number} seconds @param {() => void} act
 */
export async function atRate(perSecond, seconds, act) {
  const startedAtMs = performance.now();
  for (let done = 0; done < perSecond * seconds; ) {
    while (done < perSecond * seconds && performance.now() - startedAtMs >= (done * 1_000) / perSecond) {
      act();
      done += 1;
    }
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

/** @param {number} ms */
export function pause(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** @param {() => boolean | Promise<boolean>} isTrue @param {number} limitMs @param {string} what */
export async function until(isTrue, limitMs, what) {
  const endMs = performance.now() + limitMs;
  while (!(await isTrue())) {
    if (performance.now() > endMs) throw new Error(`not in time: ${what}`);
    await pause(20);
  }
}
