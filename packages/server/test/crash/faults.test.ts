// Faults on two nodes that share the work, one of them behind a proxy: backends ended at random, one node cut off from the
// database, one node's wall clock days off, a transaction that stays open. Broken on purpose: see mutations.test.ts.
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { createTestDatabase, type TestDatabase } from "../support/database.ts";
import type { ChildNode } from "../support/crash/child-node.ts";
import { type PostgresProxy, startPostgresProxy } from "../support/crash/postgres-proxy.ts";
import { openScene, type Scene } from "../support/crash/scene.ts";
import { connectBlocker, jumpWhileBothSend } from "../support/crash/stories.ts";
import { until } from "../support/until.ts";

vi.setConfig({ testTimeout: 90_000, hookTimeout: 90_000 });

/** Longer than a machine that does much else keeps a node waiting: a lease that runs out repeats what was under way. */
const LEASE = { beatIntervalMs: 250, leaseMs: 5_000, silenceMs: 6_500 };
const SHARED = { lease: LEASE, soleNode: false } as const;
let database: TestDatabase;
let proxy: PostgresProxy;
let scene: Scene;
let cutNode: ChildNode;
let otherNode: ChildNode;

beforeAll(async () => {
  database = await createTestDatabase();
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
  await judgedWell();
  expect(await takenOverCount()).toBeGreaterThan(before);
});
