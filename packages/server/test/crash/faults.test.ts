// Faults on two nodes that share the work, one of them behind a proxy: backends ended at random, one node cut off from the
// database, one node's wall clock or the database's days off, a transaction that stays open. Broken on purpose: see
// mutations.test.ts; and where a node follows the database's clock whatever it says, a repeated key stores a second event.
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { createTestDatabase, type TestDatabase } from "../support/database.ts";
import type { ChildNode } from "../support/crash/child-node.ts";
import { type ClockShim, shimClock } from "../support/crash/clock-shim.ts";
import { openOrderedLine } from "../support/crash/ordered-line.ts";
import { type PostgresProxy, startPostgresProxy } from "../support/crash/postgres-proxy.ts";
import { CRASH_API_KEY, openScene, type Scene } from "../support/crash/scene.ts";
import { beatsGoBy, connectBlocker, jumpWhileBothSend } from "../support/crash/stories.ts";
import { callApi } from "../support/node.ts";
import { startReceiver } from "../support/receivers/receiver.ts";
import { until } from "../support/until.ts";

vi.setConfig({ testTimeout: 90_000, hookTimeout: 90_000 });

/** Longer than a machine that does much else keeps a node waiting: a lease that runs out repeats what was under way. */
const LEASE = { beatIntervalMs: 250, leaseMs: 5_000, silenceMs: 6_500 };
const SHARED = { lease: LEASE, soleNode: false } as const;
let database: TestDatabase;
let databaseClock: ClockShim;
let proxy: PostgresProxy;
let scene: Scene;
let cutNode: ChildNode;
let otherNode: ChildNode;

beforeAll(async () => {
  database = await createTestDatabase();
  databaseClock = await shimClock(database);
  proxy = await startPostgresProxy(database.connection);
  scene = await openScene(database.connection);
  cutNode = await scene.startNode({ connection: proxy.connection, ...SHARED });
  otherNode = await scene.startNode(SHARED);
  await scene.subscribe(otherNode);
  await bothShare();
});
afterAll(async () => {
  await scene?.close();
  await proxy?.close();
  await database?.drop();
});

const bothShare = () =>
  until("both have their share", async () => {
    const { rows } = await scene.pool.query<{ n: number }>(
      "select count(*)::int4 as n from lane where node_id is not null group by node_id",
    );
    return rows.length === 2 && rows.every(({ n }) => n === 128);
  });

async function judgedWell() {
  const { violations, counts } = await scene.judge(20_000);
  expect(violations, `${cutNode.log()}\n${otherNode.log()}`).toEqual([]);
  expect([cutNode.isGone, otherNode.isGone]).toEqual([false, false]);
  return counts;
}

const takenOverCount = async () => {
  const { rows } = await scene.pool.query<{ n: number }>("select sum(incarnation - 1)::int4 as n from node");
  return rows[0]?.n ?? 0;
};

test("a transaction that stays open holds nothing up", async () => {
  const blocker = await connectBlocker(database.connection);
  await blocker.query("begin isolation level repeatable read");
  await blocker.query("select count(*) from delivery");
  await Promise.all(Array.from({ length: 40 }, () => scene.publisher.publish()));
  const counts = await judgedWell();
  await blocker.end();
  expect(counts).toMatchObject({ acknowledged: 40, stored: 40, duplicates: 0 });
});

test("a wall clock that jumps days ahead and back: nobody is taken over, nothing is repeated", async () => {
  const before = (await judgedWell()).duplicates;
  for (const jumping of [cutNode, otherNode]) await jumpWhileBothSend(scene, [cutNode, otherNode], jumping);
  expect((await judgedWell()).duplicates).toBe(before);
  expect(await takenOverCount()).toBe(0);
});

test("the database's clock jumps more than a day ahead and back: order, keys, configuration and times stay right", async () => {
  await bothShare();
  const before = (await judgedWell()).duplicates;
  const urls = [cutNode.url, otherNode.url];
  const call = (url: string, method: string, path: string, body?: object, headers: Record<string, string> = {}) =>
    callApi(url, method, path, body, { authorization: `Bearer ${CRASH_API_KEY}`, ...headers });
  const [later, moved, target] = [
    await startReceiver({ answer: () => 500 }),
    await startReceiver(),
    await startReceiver(),
  ];
  const line = await openOrderedLine(otherNode.url);
  // Due in half a day: a jump must not bring it forward.
  const hook = { events: ["bill.created"], retryPolicy: { maxRetries: 3, retryDelay: 43_200, backoffMultiplier: 1 } };
  await call(otherNode.url, "POST", "/v1/webhooks", { ...hook, url: `${later.origin}/` });
  const movable = await call(otherNode.url, "POST", "/v1/webhooks", {
    events: ["bill.paid"],
    url: `${target.origin}/`,
  });
  const keyed = { event: "bill.created", data: { n: 1 } };
  const key = { "idempotency-key": "before-the-jump" };
  const first = await call(otherNode.url, "POST", "/v1/events", keyed, key);
  await later.received(1);
  for (const offByMs of [30 * 3_600_000, -30 * 3_600_000]) {
    await databaseClock.setOff(offByMs);
    await beatsGoBy(scene);
    await line.publish(urls, 10);
    for (const url of urls) {
      const repeat = await call(url, "POST", "/v1/events", keyed, key);
      expect([repeat.status, repeat.headers.get("idempotency-replayed"), repeat.body.data.id]).toEqual([
        202,
        "true",
        first.body.data.id,
      ]);
    }
    // Changed at one node, so it counts at the other two seconds later.
    const to = offByMs > 0 ? moved : target;
    const change = await call(cutNode.url, "PATCH", `/v1/webhooks/${movable.body.data.id}`, { url: `${to.origin}/` });
    expect(change.status, JSON.stringify(change.body)).toBe(200);
    await delay(2_000);
    const count = to.requests.length;
    const paid = await call(otherNode.url, "POST", "/v1/events", { event: "bill.paid", data: { offByMs } });
    expect(paid.body.data?.deliveries).toBe(1);
    await to.received(count + 1);
  }
  await databaseClock.setOff(0);
  expect(await line.arrived()).toEqual(Array.from({ length: 20 }, (_, n) => n));
  // Receivers take up to five minutes for right.
  expect(line.worstTimestampOffS()).toBeLessThan(120);
  expect(later.requests).toHaveLength(1);
  await scene.pool.query("delete from delivery where next_trigger = 'retry'");
  expect((await judgedWell()).duplicates).toBe(before);
  expect(await takenOverCount()).toBe(0);
  for (const each of [line, later, moved, target]) await each.close();
});

test("backends terminated at random under load: nothing acknowledged is lost", async () => {
  const stop = scene.publisher.keepPublishing(4);
  for (let round = 0; round < 10; round += 1) {
    await delay(150);
    const over = scene.ledger.beginFault("connections_terminated");
    await scene.pool.query(
      `select pg_terminate_backend(pid) from pg_stat_activity
where datname = current_database() and application_name like 'posthorn %' and random() < 0.5`,
    );
    over();
  }
  await stop();
  await judgedWell();
});

test("a node cut off from the database is taken over, writes nothing, and joins again when the network is back", async () => {
  await bothShare();
  const before = await takenOverCount();
  const stop = scene.publisher.keepPublishing(3, { url: otherNode.url });
  const line = await openOrderedLine(otherNode.url);
  const stopLine = line.keepPublishing([otherNode.url]);
  await line.received(5);
  const over = scene.ledger.beginFault("connections_stalled");
  proxy.stall();
  await until(
    "the other one has all lanes",
    async () =>
      (
        await scene.pool.query(
          "select from lane where node_id is null or node_id in (select id from node where not alive)",
        )
      ).rowCount === 0 && (await scene.pool.query("select from node where not alive")).rowCount === 1,
    20_000,
  );
  await delay(300);
  proxy.endStall();
  await bothShare();
  over();
  await stop();
  await stopLine();
  // G6: what was under way may come again; nothing overtakes it.
  const numbers = await line.arrived();
  expect(numbers).toEqual([...numbers].sort((a, b) => a - b));
  await line.close();
  await judgedWell();
  expect(await takenOverCount()).toBeGreaterThan(before);
});
