// Freezes a node past its lease: another one takes over, and the one that wakes up writes nothing about what it had
// begun and tells no sender yes for what the fence refused.
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { createTestDatabase, type TestDatabase } from "../support/database.ts";
import { freezeUntilTakenOver, QUICK_LEASE } from "../support/crash/stories.ts";
import { CRASH_API_KEY, openScene, type Scene } from "../support/crash/scene.ts";
import { callApi } from "../support/node.ts";
import { startReceiver } from "../support/receivers/receiver.ts";
import { until } from "../support/until.ts";

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

  // Broken on purpose: with `unclean` never set the first request is repeated at once.
  test("its ordered webhooks wait out the timeout of the request that it left, and go on in order", async () => {
    const frozen = await scene.startNode({ lease: QUICK_LEASE, soleNode: false });
    const receiver = await startReceiver({ answer: (_request, index) => (index === 0 ? "hang" : 200) });
    const timeoutMs = 3_000;
    const call = (path: string, body: object) =>
      callApi(frozen.url, "POST", path, body, { authorization: `Bearer ${CRASH_API_KEY}` });
    const made = await call("/v1/webhooks", {
      url: `${receiver.origin}/`,
      events: ["shift.closed"],
      orderingKey: true,
      timeout: timeoutMs / 1_000,
    });
    expect(made.status, JSON.stringify(made.body)).toBe(201);
    for (const n of [0, 1, 2]) await call("/v1/events", { event: "shift.closed", orderingKey: "k", data: { n } });
    await receiver.received(1);
    frozen.pause();
    await scene.startNode({ lease: QUICK_LEASE, soleNode: false });
    let aliveAtMs = 0;
    await until("the frozen node is declared dead", async () => {
      const atMs = performance.now();
      const { rows } = await scene.pool.query("select 1 from node where process_id = $1 and alive", [frozen.pid]);
      if (rows.length > 0) aliveAtMs = atMs;
      return rows.length === 0;
    });
    const requests = await receiver.received(4);
    expect(requests.map(({ body }) => JSON.parse(body.toString()).data.n)).toEqual([0, 0, 1, 2]);
    expect((requests[1]?.receivedAtMs as number) - aliveAtMs).toBeGreaterThanOrEqual(timeoutMs);
    await receiver.close();
  });
});
