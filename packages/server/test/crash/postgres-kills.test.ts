// Kills PostgreSQL under load: the node stays up, answers 503 instead of 2xx, and goes on by itself; what was
// acknowledged is there. SIGKILL keeps what the kernel was given, so this does not test fsync: the node asserts that.
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import type { ChildNode } from "../support/crash/child-node.ts";
import { type OwnPostgres, startOwnPostgres } from "../support/crash/own-postgres.ts";
import { CRASH_API_KEY, openScene, type Scene } from "../support/crash/scene.ts";
import { connectBlocker } from "../support/crash/stories.ts";

// Seconds on an idle machine; whole processes are started, and others may need the machine as well.
vi.setConfig({ testTimeout: 90_000, hookTimeout: 90_000 });

let postgres: OwnPostgres;
let scene: Scene;
let node: ChildNode;

beforeAll(async () => {
  postgres = await startOwnPostgres();
  scene = await openScene(postgres.connection);
  node = await scene.startNode();
  await scene.subscribe(node);
});
afterAll(async () => {
  await scene?.close();
  await postgres?.stop();
});

describe("PostgreSQL ends in the middle of everything", () => {
  test("killed twice and stopped at once twice, nothing acknowledged is lost", async () => {
    const stopPublishing = scene.publisher.keepPublishing(8);
    for (const [fault, strike] of [
      ["postgres_killed", () => postgres.kill()],
      ["postgres_stopped", () => postgres.stopImmediately()],
      ["postgres_killed", () => postgres.kill()],
      ["postgres_stopped", () => postgres.stopImmediately()],
    ] as const) {
      await expect.poll(() => countAcknowledged(), { timeout: 20_000 }).toBeGreaterThan(acknowledgedBefore + 50);
      const over = scene.ledger.beginFault(fault);
      const restarted = postgres.restarted();
      strike();
      await restarted;
      over();
      acknowledgedBefore = countAcknowledged();
    }
    await stopPublishing();
    const { violations, counts } = await scene.judge(15_000);
    expect(violations, node.log()).toEqual([]);
    expect(counts.acknowledged).toBe(counts.invoked);
    expect(node.isGone).toBe(false);
  });

  test("killed in the middle of somebody's transaction, it takes no node with it", async () => {
    const blocker = await connectBlocker(postgres.connection);
    await blocker.query("begin; lock table webhook in access exclusive mode");
    const over = scene.ledger.beginFault("postgres_killed");
    const answer = fetch(`${node.url}/v1/webhooks`, { headers: { authorization: `Bearer ${CRASH_API_KEY}` } });
    await expect.poll(countWaitingForLocks, { timeout: 5_000 }).toBeGreaterThan(0);
    const restarted = postgres.restarted();
    postgres.kill();
    expect((await answer).status).toBe(503);
    await restarted;
    expect(await scene.publisher.publish()).toBe("acknowledged");
    over();
    expect(node.isGone, node.log()).toBe(false);
    expect((await scene.judge()).violations, node.log()).toEqual([]);
  });

  async function countWaitingForLocks(): Promise<number> {
    const { rowCount } = await scene.pool.query("select from pg_stat_activity where wait_event_type = 'Lock'");
    return rowCount ?? 0;
  }

  let acknowledgedBefore = 0;
  const countAcknowledged = (): number => scene.ledger.entries.filter(({ kind }) => kind === "acknowledged").length;
});
