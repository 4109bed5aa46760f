// Batches and coalescing when the node dies: what was stored goes out as it was stored, what was not is put together
// anew, and what was superseded stays so. Real processes, killed.
// To break on purpose (not tried yet): sending before the batch is stored, or reading its members one by one, goes red here.
import { randomBytes } from "node:crypto";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import pg from "pg";
import { type ChildNode, startChildNode } from "../support/crash/child-node.ts";
import { createTestDatabase, type TestDatabase } from "../support/database.ts";
import { callApi, TEST_API_KEY } from "../support/node.ts";
import { type Answer, type ReceivedRequest, type Receiver, startReceiver } from "../support/receivers/receiver.ts";
import { until } from "../support/until.ts";

vi.setConfig({ testTimeout: 90_000, hookTimeout: 90_000 });

const masterKey = randomBytes(32).toString("base64");
/** A node that is silent for two seconds is dead. */
const QUICK = { beatIntervalMs: 300, leaseMs: 1_500, silenceMs: 2_000, handoffLookMs: 200 };
const FOR_EVER = 3_000;

let database: TestDatabase;
let pool: pg.Pool;
const nodes: ChildNode[] = [];
let receivers: Receiver[] = [];

beforeEach(async () => {
  database = await createTestDatabase();
  pool = new pg.Pool({ ...database.connection, max: 2 });
});
afterEach(async () => {
  for (const node of nodes.splice(0)) await node.kill();
  for (const receiver of receivers) await receiver.close();
  receivers = [];
  await pool?.end();
  await database?.drop();
});

async function start(soleNode = true): Promise<ChildNode> {
  const { connection } = database;
  const node = await startChildNode({ connection, apiKey: TEST_API_KEY, masterKey, soleNode, lease: QUICK });
  nodes.push(node);
  return node;
}

async function hear(node: ChildNode, fields: object, answer: (index: number) => Answer = () => 200): Promise<Receiver> {
  const receiver = await startReceiver({ answer: (_request, index) => answer(index) });
  receivers.push(receiver);
  const webhook = { url: `${receiver.origin}/`, events: ["product.updated", "backup.completed"], ...fields };
  const made = await callApi(node.url, "POST", "/v1/webhooks", webhook);
  expect(made.status, JSON.stringify(made.body)).toBe(201);
  return receiver;
}

async function publish(node: ChildNode, ...numbers: readonly number[]): Promise<void> {
  const events = numbers.map((n) => ({ event: "product.updated", data: { n, thing: "a" } }));
  const answer = await callApi(node.url, "POST", "/v1/events/batch", { events });
  expect(answer.status, JSON.stringify(answer.body)).toBe(202);
}

const numbersIn = (request: ReceivedRequest | undefined): number[] =>
  JSON.parse(request?.body.toString("utf8") ?? "{}").events.map((event: { data: { n: number } }) => event.data.n);
const nothingOwed = () =>
  until("nothing pending", async () => (await pool.query("select 1 from delivery limit 1")).rowCount === 0, 30_000);

test("killed between storing a batch and sending it, and again after the answer: the same id, the same bytes", async () => {
  const first = await start();
  const receiver = await hear(first, { batchSettings: { maxEvents: 3, maxWaitTime: FOR_EVER } });
  first.crashAt("batch_stored");
  await publish(first, 1, 2, 3);
  await first.gone;
  expect(receiver.requests).toHaveLength(0);
  const stored = await pool.query("select id, member_ids from batch");
  expect(stored.rows).toHaveLength(1);
  const second = await start();
  second.crashAt("after_response");
  await second.gone;
  const third = await start();
  // Others come meanwhile: they belong to another batch.
  await publish(third, 4, 5, 6);
  const requests = await receiver.received(3);
  await nothingOwed();
  expect(receiver.requests).toHaveLength(3);
  const [one, other] = requests.filter((request) => numbersIn(request).includes(1));
  expect(numbersIn(one)).toEqual([1, 2, 3]);
  expect(other?.body.equals(one?.body as Buffer)).toBe(true);
  expect(other?.headers["webhook-id"]).toBe(one?.headers["webhook-id"]);
  const tried = await pool.query(
    "select distinct batch_id, array_agg(delivery_id) over (partition by batch_id) as members from attempt where batch_id = $1",
    [stored.rows[0].id],
  );
  expect(tried.rows[0].members.sort()).toEqual(stored.rows[0].member_ids.sort());
});

test("another node takes over an open batch and a failed one, each as old and as whole as it was", async () => {
  const first = await start(false);
  const open = await hear(first, { batchSettings: { maxEvents: 4, maxWaitTime: FOR_EVER } });
  const failing = await hear(
    first,
    { batchSettings: { maxEvents: 2, maxWaitTime: FOR_EVER }, retryPolicy: { maxRetries: 3, retryDelay: 4 } },
    (index) => (index === 0 ? 500 : 200),
  );
  await publish(first, 1, 2);
  await failing.received(1);
  await until(
    "the failure is recorded",
    async () =>
      (await pool.query("select 1 from attempt where batch_id is not null and outcome = 'rejected'")).rowCount === 2,
  );
  const second = await start(false);
  await first.kill();
  // Whoever captures it: until the takeover it is a hand-off.
  await publish(second, 3, 4);
  const [taken] = await open.received(1);
  expect(numbersIn(taken)).toEqual([1, 2, 3, 4]);
  const [refused, , again] = [failing.requests[0], ...(await failing.received(3)).slice(1)];
  const repeated = [failing.requests[1], again].find(
    (request) => request?.headers["webhook-id"] === refused?.headers["webhook-id"],
  );
  expect(repeated?.body.equals(refused?.body as Buffer)).toBe(true);
  await nothingOwed();
});

test("killed within a window: the states before are superseded by the one after, and counted", async () => {
  const first = await start();
  const receiver = await hear(first, { coalesce: { key: "data.thing", window: FOR_EVER } });
  await publish(first, 1);
  await publish(first, 2);
  await first.kill();
  const second = await start();
  await publish(second, 3);
  const [webhook] = (await callApi(second.url, "GET", "/v1/webhooks")).body.data;
  await callApi(second.url, "PATCH", `/v1/webhooks/${webhook.id}`, { coalesce: { key: "data.thing", window: 0.2 } });
  const [request] = await receiver.received(1);
  await nothingOwed();
  expect(receiver.requests).toHaveLength(1);
  expect(JSON.parse(request?.body.toString("utf8") ?? "").data.n).toBe(3);
  expect(request?.headers["x-bigledger-coalesced"]).toBe("3");
  const superseded = await pool.query("select count(*)::int as n from cancelled_delivery where reason = 'superseded'");
  expect(superseded.rows).toEqual([{ n: 2 }]);
});
