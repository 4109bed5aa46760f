// Kills the node at each named point of an event's way: nothing acknowledged is lost, each repeat is explained.
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { createTestDatabase, type TestDatabase } from "../support/database.ts";
import type { ChildNode } from "../support/crash/child-node.ts";
import { openScene, type Scene } from "../support/crash/scene.ts";
import { killWhileCommitWaits, redirectToCanary } from "../support/crash/stories.ts";

// Seconds on an idle machine; whole processes are started, and others may need the machine as well.
vi.setConfig({ testTimeout: 90_000, hookTimeout: 90_000 });

let database: TestDatabase;
let scene: Scene;
let node: ChildNode;

beforeAll(async () => {
  database = await createTestDatabase();
  scene = await openScene(database.connection);
  node = await scene.startNode();
  await scene.subscribe(node);
});
beforeEach(async () => {
  // Only where the test before has failed.
  if (node.isGone) node = await scene.startNode();
});
afterAll(async () => {
  await scene?.close();
  await database?.drop();
});

/** Publishes until the node is dead, starts another, and waits for the senders' repeats. */
async function publishThroughDeath(): Promise<void> {
  const over = scene.ledger.beginFault("node_killed");
  const published = Promise.all(Array.from({ length: 24 }, () => scene.publisher.publish()));
  expect((await node.gone).signal).toBe("SIGKILL");
  over();
  node = await scene.startNode();
  await published;
}

describe("a node killed in the middle", () => {
  test("it delivers everything once when nothing happens", async () => {
    await Promise.all(Array.from({ length: 60 }, () => scene.publisher.publish()));
    const verdict = await scene.judge();
    expect(verdict.violations).toEqual([]);
    expect(verdict.counts).toMatchObject({ acknowledged: 60, stored: 60, requests: 80, duplicates: 0 });
  });

  for (const point of ["before_commit", "after_commit", "before_send", "after_response", "before_record"] as const) {
    test(`${point}: nothing is lost and nothing is doubled`, async () => {
      // Statements take many events at once, so only their first passing is sure to come; sends and answers are one each.
      const isStatement = point.endsWith("commit") || point === "before_record";
      node.crashAt(point, isStatement ? 1 : 3);
      await publishThroughDeath();
      const { violations, counts } = await scene.judge();
      expect(violations, node.log()).toEqual([]);
      expect(counts.acknowledged).toBe(counts.invoked);
    });
  }

  test("after the request has left and before its answer: it is repeated under the same ids", async () => {
    let toKill = 3;
    scene.hearers.onRequest(() => {
      toKill -= 1;
      if (toKill === 0) process.kill(node.pid, "SIGKILL");
      return 200;
    });
    await publishThroughDeath();
    const { violations, counts } = await scene.judge();
    expect(violations, node.log()).toEqual([]);
    expect(counts.duplicates).toBeGreaterThan(0);
  });

  test("while its commit waits for a lock: nobody was told yes", async () => {
    await killWhileCommitWaits(scene, node, database.connection);
    node = await scene.startNode();
    const { violations } = await scene.judge();
    expect(violations, node.log()).toEqual([]);
  });
});

test("a receiver that redirects is asked again; where it points to, nobody hears anything", async () => {
  await redirectToCanary(scene, node);
  const { violations } = await scene.judge();
  expect(violations, node.log()).toEqual([]);
});
