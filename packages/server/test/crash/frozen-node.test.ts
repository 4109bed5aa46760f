// Freezes a node past its lease: another one takes over, and the one that wakes up writes nothing about what it had
// begun and tells no sender yes for what the fence refused.
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { createTestDatabase, type TestDatabase } from "../support/database.ts";
import { freezeUntilTakenOver, QUICK_LEASE } from "../support/crash/stories.ts";
import { openScene, type Scene } from "../support/crash/scene.ts";

// Seconds on an idle machine; whole processes are started, and others may need the machine as well.
vi.setConfig({ testTimeout: 90_000, hookTimeout: 90_000 });

let database: TestDatabase;
let scene: Scene;

beforeAll(async () => {
  database = await createTestDatabase();
  scene = await openScene(database.connection);
});
afterAll(async () => {
  await scene?.close();
  await database?.drop();
});

describe("a node frozen past its lease", () => {
  test("its deliveries are brought by another, and its late results are refused", async () => {
    const frozen = await scene.startNode({ lease: QUICK_LEASE, soleNode: false });
    await scene.subscribe(frozen);
    await freezeUntilTakenOver(scene, frozen, database.connection);
    const { violations, counts } = await scene.judge();
    expect(violations, frozen.log()).toEqual([]);
    // The frozen request and the one that the other node sent instead; nothing else is repeated.
    expect(counts.duplicates).toBe(1);
    expect(counts.acknowledged).toBe(counts.invoked);
  });
});
