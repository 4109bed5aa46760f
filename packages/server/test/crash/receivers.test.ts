// Trouble at receivers in the numbers in which it comes: a slow one with a hundred thousand deliveries behind it, a thousand
// dead ones, and those thousand back at the same time. Minutes, so `npm run chaos -- --faults F9 F10 F11` only; the rules
// themselves are in guarantees/isolation-of-trouble, guarantees/breaker and deliver/breaker.
import { randomUUID } from "node:crypto";
import { createServer, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { uuidFromId } from "@posthorn/contract";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import type { ChildNode } from "../support/crash/child-node.ts";
import { copyWebhook } from "../support/crash/many-webhooks.ts";
import { CRASH_API_KEY, openScene, type Scene } from "../support/crash/scene.ts";
import { createTestDatabase, type TestDatabase } from "../support/database.ts";
import { callApi } from "../support/node.ts";
import { until } from "../support/until.ts";

vi.setConfig({ testTimeout: 600_000, hookTimeout: 90_000 });

const BACKLOG = 100_000;
const SLOW_MS = 14_000;
const ENDPOINTS = 1_000;
/** Deliveries that wait for each of them when they come back. */
const QUEUED_EACH = 20;
/** Production waits 30 s at first and a quarter of an hour at last; the proportions of what follows are the same. */
const BREAKER = { firstOpenMs: 10_000, longestOpenMs: 10_000 };
const OF_BREAKER = { maxInFlight: 10 };

let database: TestDatabase;
let scene: Scene;
let node: ChildNode;
let receiver: Endpoints;

describe.runIf(process.env["POSTHORN_FAULT_REPORT"] !== undefined)("receivers in trouble, by the thousand", () => {
  beforeAll(async () => {
    database = await createTestDatabase();
    scene = await openScene(database.connection);
    node = await scene.startNode({ breaker: BREAKER });
    receiver = await startEndpoints();
    await makeWebhook("/well", "invoice.paid");
  });
  afterAll(async () => {
    await scene?.close();
    await receiver?.close();
    await database?.drop();
  });

  test(`a slow receiver with ${BACKLOG} deliveries behind it has its ten requests and no more; its neighbour has all`, async () => {
    const calmMs = await neighbourHears(500);
    await makeWebhook("/slow", "bill.created", { maxInFlight: OF_BREAKER.maxInFlight, timeout: 15 });
    for (let sent = 0; sent < BACKLOG; sent += 1_000) await publish("bill.created", 1_000);
    const busyMs = await neighbourHears(500);
    console.info(`500 events to the neighbour: ${calmMs} ms alone, ${busyMs} ms beside the backlog`);
    expect(receiver.of("/slow").mostAtOnce).toBe(OF_BREAKER.maxInFlight);
    const { rows } = await scene.pool.query("select backlog_count::int4 as n from node where alive");
    // One webhook's share of memory is 10,000; the rest waits in the table. The neighbour has some as well.
    expect(rows[0].n).toBeLessThanOrEqual(11_000);
    const hook = await callWebhooks("GET");
    const slow = hook.body.data.find(({ url }: { url: string }) => url.endsWith("/slow"));
    await callWebhooks("DELETE", `/${slow.id}`);
    await until("nothing is owed to it", async () => (await owed()) === 0, 400_000);
  });

  test(`${ENDPOINTS} dead endpoints, half of them silent: left alone after some requests, probed at different times`, async () => {
    receiver.isDown = true;
    const model = await makeWebhook("/dead", "report.generated", {
      maxInFlight: OF_BREAKER.maxInFlight,
      timeout: 1,
      retryPolicy: { maxRetries: 100, retryDelay: 5, backoffMultiplier: 1 },
    });
    const urls = Array.from({ length: ENDPOINTS - 1 }, (_, n) => ({
      url: `${receiver.origin}/dead-${n}`,
      secret: "0123456789abcdef0123456789abcdef",
    }));
    await copyWebhook(scene.pool, scene.masterKey, uuidFromId("webhook", model), urls);
    // Whoever takes a change has read all that came before it.
    await makeWebhook("/nobody", "bill.paid");
    const calmMs = await neighbourHears(500);
    for (let round = 0; round < QUEUED_EACH; round += 1) {
      await publish("report.generated", 1);
      await publish("invoice.paid", 25);
    }
    await until(
      "every breaker is open",
      async () => {
        const { rows } = await scene.pool.query(
          "select count(*)::int4 as n from webhook_health where phase <> 'closed'",
        );
        return rows[0].n >= ENDPOINTS;
      },
      120_000,
    );
    const busyMs = await neighbourHears(500);
    console.info(`500 events to the neighbour: ${calmMs} ms alone, ${busyMs} ms beside ${ENDPOINTS} dead endpoints`);
    const before = receiver.deadTimesMs.length;
    await delay(2 * BREAKER.firstOpenMs);
    const probes = receiver.deadTimesMs.slice(before);
    const perSecond = new Map<number, number>();
    for (const atMs of probes) {
      const second = Math.floor(atMs / 1_000);
      perSecond.set(second, (perSecond.get(second) ?? 0) + 1);
    }
    const mean = probes.length / ((2 * BREAKER.firstOpenMs) / 1_000);
    console.info(
      `${probes.length} probes, ${mean.toFixed(0)} a second on average, ${Math.max(...perSecond.values())} at most`,
    );
    // One probe for each in its open time, spread by a fifth either way.
    expect(probes.length).toBeLessThan(ENDPOINTS * 3);
    expect(Math.max(...perSecond.values())).toBeLessThan(Math.max(30, mean * 3));
  });

  test(`the ${ENDPOINTS} come back together with ${QUEUED_EACH} deliveries each: one at a time first, everything arrives`, async () => {
    receiver.isDown = false;
    receiver.beginRecovery();
    const owedBefore = await owed();
    const startMs = performance.now();
    await until("nothing is owed", async () => (await owed()) === 0, 200_000);
    console.info(`${owedBefore} deliveries in ${Math.round((performance.now() - startMs) / 1_000)} s`);
    const { rows } = await scene.pool.query<{ n: number; ended: number }>(
      `select count(distinct delivery_id)::int4 as n, count(*)::int4 as ended from attempt
where ends_delivery and event_id in (select id from event where type = 'report.generated')`,
    );
    expect(rows[0]).toEqual({ n: ENDPOINTS * QUEUED_EACH, ended: ENDPOINTS * QUEUED_EACH });
    for (const { firstAtOnce, mostAtOnce } of receiver.recovered()) {
      expect(firstAtOnce).toBe(1);
      expect(mostAtOnce).toBeLessThanOrEqual(OF_BREAKER.maxInFlight);
    }
  });
});

const headers = { authorization: `Bearer ${CRASH_API_KEY}` };
const callWebhooks = (method: string, path = "", body?: object) =>
  callApi(node.url, method, `/v1/webhooks${path}`, body, headers);

async function makeWebhook(path: string, type: string, fields: object = {}): Promise<string> {
  const made = await callWebhooks("POST", "", { url: `${receiver.origin}${path}`, events: [type], ...fields });
  expect(made.status, JSON.stringify(made.body)).toBe(201);
  return made.body.data.id;
}

/** As a sender does: again after 503, with the same key. */
async function publish(type: string, count: number): Promise<void> {
  const events = Array.from({ length: count }, (_, n) => ({ event: type, data: { n } }));
  const given = { ...headers, "idempotency-key": randomUUID() };
  for (;;) {
    const answer = await callApi(node.url, "POST", "/v1/events/batch", { events }, given);
    if (answer.status === 202 && answer.body.data.results.every(({ error }: { error?: unknown }) => !error)) return;
    expect(answer.status === 202 || answer.status === 503, JSON.stringify(answer.body)).toBe(true);
    await delay(500);
  }
}

/** How long it takes until the neighbour has heard of so many events. */
async function neighbourHears(count: number): Promise<number> {
  const before = receiver.of("/well").count;
  const startMs = performance.now();
  for (let sent = 0; sent < count; sent += 50) await publish("invoice.paid", 50);
  await until("the neighbour has heard", async () => receiver.of("/well").count >= before + count, 60_000);
  return Math.round(performance.now() - startMs);
}

const owed = async () => {
  const { rows } = await scene.pool.query<{ n: number }>(
    "select ((select count(*) from delivery) + (select count(*) from fan_out))::int4 as n",
  );
  return rows[0]?.n ?? 0;
};

interface Seen {
  count: number;
  atOnce: number;
  mostAtOnce: number;
  /** Of the first three requests. */
  firstAtOnce: number;
}

interface Endpoints {
  readonly origin: string;
  /** Those whose path begins with /dead: silent, or cutting every connection, by turns. */
  isDown: boolean;
  /** When requests came to those. */
  readonly deadTimesMs: readonly number[];
  of(path: string): Seen;
  beginRecovery(): void;
  /** What has come to each of the dead since then. */
  recovered(): Seen[];
  close(): Promise<void>;
}

async function startEndpoints(): Promise<Endpoints> {
  const seen = new Map<string, Seen>();
  const deadTimesMs: number[] = [];
  const of = (path: string): Seen => {
    const known = seen.get(path) ?? { count: 0, atOnce: 0, mostAtOnce: 0, firstAtOnce: 0 };
    seen.set(path, known);
    return known;
  };
  const endpoints = { isDown: false };
  const answerMs = (path: string): number => (path === "/slow" ? SLOW_MS : path.startsWith("/dead") ? 5 : 0);
  const hear = async (path: string, response: ServerResponse): Promise<void> => {
    if (path.startsWith("/dead") && endpoints.isDown) {
      deadTimesMs.push(performance.now());
      if (path.length % 2 === 0) response.destroy();
      return;
    }
    const here = of(path);
    here.count += 1;
    here.atOnce += 1;
    here.mostAtOnce = Math.max(here.mostAtOnce, here.atOnce);
    if (here.count <= 3) here.firstAtOnce = Math.max(here.firstAtOnce, here.atOnce);
    response.once("close", () => (here.atOnce -= 1));
    await delay(answerMs(path), undefined, { ref: false });
    response.writeHead(200).end();
  };
  const server: Server = createServer((request, response) => {
    request.resume();
    request.once("end", () => void hear(request.url ?? "", response));
    response.on("error", () => {});
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    origin: `http://127.0.0.1:${port}`,
    get isDown() {
      return endpoints.isDown;
    },
    set isDown(down) {
      endpoints.isDown = down;
    },
    deadTimesMs,
    of,
    beginRecovery: () => {
      for (const path of seen.keys()) if (path.startsWith("/dead")) seen.delete(path);
    },
    recovered: () => [...seen].flatMap(([path, each]) => (path.startsWith("/dead") ? [each] : [])),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
