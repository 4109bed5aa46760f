// Fills the disk under PostgreSQL while senders publish: no 2xx without an event, and when there is room again everything
// goes on without a hand.
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import type { ChildNode } from "../support/crash/child-node.ts";
import { type OwnPostgres, startOwnPostgres } from "../support/crash/own-postgres.ts";
import { openScene, type Scene } from "../support/crash/scene.ts";
import { mountSmallDisk } from "../support/crash/small-disk.ts";

// Seconds on an idle machine; whole processes are started, and others may need the machine as well.
vi.setConfig({ testTimeout: 90_000, hookTimeout: 90_000 });

const disk = mountSmallDisk(192);
let postgres: OwnPostgres | undefined;
let scene: Scene;
let node: ChildNode;

beforeAll(async () => {
  if (disk === null) return;
  postgres = await startOwnPostgres({
    folder: disk.folder,
    settings: { shared_buffers: "16MB", min_wal_size: "32MB", max_wal_size: "32MB" },
  });
  scene = await openScene(postgres.connection);
  node = await scene.startNode();
  await scene.subscribe(node);
});
afterAll(async () => {
  await scene?.close();
  await postgres?.stop();
  disk?.remove();
});

const name = disk === null ? "a full disk (not tried: this process may not mount a small file system)" : "a full disk";
test.skipIf(disk === null)(
  `${name}: nothing is acknowledged that is not stored, and it goes on by itself`,
  async () => {
    const answers = (kind: string): number => scene.ledger.entries.filter((entry) => entry.kind === kind).length;
    const stopPublishing = scene.publisher.keepPublishing(6);
    await expect.poll(() => answers("acknowledged"), { timeout: 20_000 }).toBeGreaterThan(50);
    const over = scene.ledger.beginFault("disk_full");
    disk?.fill();
    // Data files cannot grow any more; new segments make the log run out of room as well, and PostgreSQL panics.
    for (let segment = 0; segment < 8; segment += 1) {
      await scene.pool.query("create table filler (); drop table filler; select pg_switch_wal()").catch(() => {});
    }
    await expect.poll(() => answers("not_stored") + answers("unknown"), { timeout: 30_000 }).toBeGreaterThan(20);
    disk?.empty();
    const before = answers("acknowledged");
    await expect.poll(() => answers("acknowledged"), { timeout: 30_000 }).toBeGreaterThan(before + 50);
    await stopPublishing();
    const { violations, counts } = await scene.judge(15_000);
    over();
    expect(violations, node.log()).toEqual([]);
    expect(counts.acknowledged).toBe(counts.invoked);
    expect(node.isGone).toBe(false);
  },
  120_000,
);
