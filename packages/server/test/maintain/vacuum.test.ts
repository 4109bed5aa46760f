// Proves that the hot table is vacuumed when it was written to, by one node, and otherwise left alone.
import { afterAll, beforeAll, expect, test } from "vitest";
import { vacuumIfNeeded } from "../../src/maintain/vacuum.ts";
import { withLock } from "../../src/storage/advisory-locks.sql.ts";
import { createPooledDatabase, insertDelivery, insertTenant, type PooledDatabase } from "./fixtures.ts";

let database: PooledDatabase;
beforeAll(async () => {
  database = await createPooledDatabase();
});
afterAll(() => database.close());

const statistics = async () => {
  const { rows } = await database.admin.query<{ dead: number; vacuums: number }>(
    "select n_dead_tup::int as dead, vacuum_count::int as vacuums from pg_stat_user_tables where relname = 'delivery'",
  );
  return rows[0] as { dead: number; vacuums: number };
};

/** The statistics of a session are published at the latest when it asks for that. */
async function makeDeadRows(count: number): Promise<void> {
  const tenantId = await insertTenant(database.admin);
  for (let index = 0; index < count; index += 1) await insertDelivery(database.admin, { tenantId, eventMs: index });
  await database.admin.query("delete from delivery");
  await database.admin.query("select pg_stat_force_next_flush()");
  await database.admin.query("select 1");
}

test("a table at rest is left alone", async () => {
  expect(await vacuumIfNeeded(database.pools.owner, 10)).toBe(false);
  expect((await statistics()).vacuums).toBe(0);
});

test("dead rows are vacuumed once there are enough of them", async () => {
  await makeDeadRows(20);
  expect(await vacuumIfNeeded(database.pools.owner, 21)).toBe(false);
  expect(await vacuumIfNeeded(database.pools.owner, 20)).toBe(true);
  expect(await statistics()).toEqual({ dead: 0, vacuums: 1 });
  expect(await vacuumIfNeeded(database.pools.owner, 20)).toBe(false);
});

test("a node does not wait for another that is vacuuming", async () => {
  await makeDeadRows(20);
  const { vacuums } = await statistics();
  const other = await withLock(database.pools.owner, "vacuum", () => vacuumIfNeeded(database.pools.owner, 1));
  expect(other).toBe(false);
  expect((await statistics()).vacuums).toBe(vacuums);
});
