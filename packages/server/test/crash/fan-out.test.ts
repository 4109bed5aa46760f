// A fan-out to more webhooks than one statement takes: stored as a list, expanded in steps. Killed between two steps it
// goes on where it stands, and a node that owns the list's lane finds it whoever captured the event.
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { createTestDatabase, type TestDatabase } from "../support/database.ts";
import type { ChildNode } from "../support/crash/child-node.ts";
import { createMutant, type Mutant, SMALL_CHUNKS } from "../support/crash/mutant.ts";
import { openScene, type Scene } from "../support/crash/scene.ts";
import { QUICK_LEASE } from "../support/crash/stories.ts";

// Seconds on an idle machine; whole processes are started, and others may need the machine as well.
vi.setConfig({ testTimeout: 90_000, hookTimeout: 90_000 });

const WEBHOOK_COUNT = 300;

let database: TestDatabase;
let scene: Scene;
let build: Mutant;
let node: ChildNode;

beforeAll(async () => {
  build = createMutant(SMALL_CHUNKS);
  database = await createTestDatabase();
  scene = await openScene(database.connection);
  node = await scene.startNode({ dist: build.dist });
  await scene.subscribe(node);
  await scene.subscribeFan(node, WEBHOOK_COUNT);
});
afterAll(async () => {
  await scene?.close();
  await database?.drop();
  build?.remove();
});

describe("a stored fan-out", () => {
  test("killed between two steps, every webhook hears of the event", async () => {
    node.crashAt("between_chunks", 2);
    const over = scene.ledger.beginFault("node_killed");
    const published = scene.publisher.publish();
    expect((await node.gone).signal).toBe("SIGKILL");
    over();
    node = await scene.startNode({ dist: build.dist, lease: QUICK_LEASE });
    await published;
    const { violations, counts } = await scene.judge();
    expect(violations, node.log()).toEqual([]);
    expect(counts.deliveries).toBe(WEBHOOK_COUNT + 1);
  });

  test("captured by one node, it is expanded by the one that owns its lane", async () => {
    const other = await scene.startNode({ lease: QUICK_LEASE, soleNode: false });
    const lanes = await scene.pool.query("select from lane where node_id is not null group by node_id");
    expect(lanes.rowCount).toBe(1);
    await scene.publisher.publish({ url: other.url });
    const { violations } = await scene.judge();
    expect(violations, node.log()).toEqual([]);
  });
});
