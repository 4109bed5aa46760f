// Breaks the connections to PostgreSQL at the worst moments: nobody is told yes or no where nobody can know, a repeat
// with the same key finds the event, and what was committed unseen is delivered soon.
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { createTestDatabase, type TestDatabase } from "../support/database.ts";
import type { ChildNode } from "../support/crash/child-node.ts";
import { type PostgresProxy, startPostgresProxy } from "../support/crash/postgres-proxy.ts";
import { openScene, type Scene } from "../support/crash/scene.ts";
import { connectBlocker } from "../support/crash/stories.ts";

// Seconds on an idle machine; whole processes are started, and others may need the machine as well.
vi.setConfig({ testTimeout: 90_000, hookTimeout: 90_000 });

let database: TestDatabase;
let proxy: PostgresProxy;
let scene: Scene;
let node: ChildNode;

beforeAll(async () => {
  database = await createTestDatabase();
  proxy = await startPostgresProxy(database.connection);
  scene = await openScene(database.connection);
  node = await scene.startNode({ connection: proxy.connection });
  await scene.subscribe(node);
  await scene.publisher.publish();
});
afterAll(async () => {
  await scene?.close();
  await proxy?.close();
  await database?.drop();
});

describe("a connection cut between COMMIT and its answer", () => {
  test("the sender is told that nobody knows, and its repeat gets the first event again", async () => {
    const over = scene.ledger.beginFault("connection_cut");
    const cut = proxy.cutNextAnswer("capture");
    const published = scene.publisher.publish();
    await cut;
    expect(await published).toBe("acknowledged");
    over();
    const told = scene.ledger.entries.filter(({ kind }) => kind === "unknown" || kind === "acknowledged").slice(-2);
    expect(told).toMatchObject([
      { kind: "unknown", why: "503 OUTCOME_UNKNOWN" },
      { kind: "acknowledged", replayed: true },
    ]);
    const { violations, counts } = await scene.judge();
    expect(violations, node.log()).toEqual([]);
    expect(counts.stored).toBe(2);
  });

  test("an event that nobody asks for again is delivered all the same", async () => {
    const over = scene.ledger.beginFault("connection_cut");
    const cut = proxy.cutNextAnswer("capture");
    const published = scene.publisher.publish({ withKey: false });
    await cut;
    expect(await published).toBe("unknown");
    over();
    const { violations, counts } = await scene.judge();
    expect(violations, node.log()).toEqual([]);
    expect(counts.stored).toBe(3);
  });

  test("even one that is committed seconds after the connection was lost", async () => {
    const over = scene.ledger.beginFault("connection_cut");
    const blocker = await connectBlocker(database.connection);
    await blocker.query("begin; lock table delivery in exclusive mode");
    const cut = proxy.cutAfterNextStatement("capture");
    const published = scene.publisher.publish({ withKey: false });
    await cut;
    expect(await published).toBe("unknown");
    await new Promise((resolve) => setTimeout(resolve, 700));
    await blocker.end();
    over();
    await expect.poll(() => countStored(), { timeout: 5_000 }).toBe(4);
    const { violations } = await scene.judge(8_000);
    expect(violations, node.log()).toEqual([]);
  });

  test("a result whose answer is lost is recorded once", async () => {
    const over = scene.ledger.beginFault("connection_cut");
    const cut = proxy.cutNextAnswer("record");
    await scene.publisher.publish();
    await cut;
    const { violations, counts } = await scene.judge();
    over();
    expect(violations, node.log()).toEqual([]);
    expect(counts.duplicates).toBe(0);
  });

  async function countStored(): Promise<number> {
    return (await scene.pool.query<{ count: number }>("select count(*)::int4 from event")).rows[0]?.count ?? 0;
  }
});

describe("a database that cannot be reached", () => {
  test("nothing is acknowledged while it refuses, and no hand is needed afterwards", async () => {
    const over = scene.ledger.beginFault("connections_refused");
    proxy.refuse();
    // The first may still find a connection that is just breaking, so that nobody knows.
    expect(await scene.publisher.publish({ once: true })).not.toBe("acknowledged");
    const begunAtMs = performance.now();
    expect(await scene.publisher.publish({ once: true })).toBe("not_stored");
    expect(performance.now() - begunAtMs).toBeLessThan(3_000);
    await proxy.accept();
    expect(await scene.publisher.publish()).toBe("acknowledged");
    over();
    const { violations } = await scene.judge();
    expect(violations, node.log()).toEqual([]);
  });

  test("a network that goes silent lets no request hang for ever", async () => {
    const over = scene.ledger.beginFault("connections_stalled");
    proxy.stall();
    const begunAtMs = performance.now();
    expect(await scene.publisher.publish({ once: true, withKey: false })).toBe("unknown");
    const waitedMs = performance.now() - begunAtMs;
    proxy.endStall();
    expect(await scene.publisher.publish()).toBe("acknowledged");
    over();
    const { violations } = await scene.judge();
    expect(violations, node.log()).toEqual([]);
    expect(waitedMs).toBeLessThan(8_000);
  });
});
