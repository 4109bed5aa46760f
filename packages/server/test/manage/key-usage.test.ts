// When keys were used: noted in memory, written when asked, never back in time, never twice for nothing.
import { randomFillSync } from "node:crypto";
import { IdGenerator, idFromUuid, uuidFromBytes } from "@posthorn/contract";
import { afterAll, beforeAll, expect, test } from "vitest";
import { KeyUsage } from "../../src/manage/key-usage.ts";
import { createPooledDatabase, insertTenant, type PooledDatabase } from "../maintain/fixtures.ts";

let database: PooledDatabase;
let tenantUuid: string;
const clock = { atMs: Date.UTC(2026, 10, 23, 15, 30), nowMs: () => clock.atMs, monotonicMs: () => clock.atMs };
const ids = new IdGenerator(clock.nowMs, (target) => void randomFillSync(target));
beforeAll(async () => {
  database = await createPooledDatabase();
  tenantUuid = await insertTenant(database.admin);
});
afterAll(() => database.close());

async function newKey() {
  const uuid = uuidFromBytes(ids.next());
  await database.admin.query(
    `insert into api_key (tenant_id, id, created_at, config_version, livemode, key_hash, name, last_characters, scopes)
     values ($1, $2::uuid, now(), 1, true, sha256($2::uuid::text::bytea), 'x', 'abcd', '{admin}')`,
    [tenantUuid, uuid],
  );
  const lastUsed = async (): Promise<number | null> => {
    const { rows } = await database.admin.query("select last_used_at from api_key where id = $1", [uuid]);
    return rows[0].last_used_at?.getTime() ?? null;
  };
  return { key: { tenantUuid, keyId: idFromUuid("apiKey", uuid) }, lastUsed };
}
const newUsage = () => new KeyUsage({ engine: database.pools.engine, clock });

test("the last use counts, and is written once for any number of requests", async () => {
  const usage = newUsage();
  const [used, idle] = [await newKey(), await newKey()];
  for (let i = 0; i < 5; i += 1) {
    clock.atMs += 1_000;
    usage.note(used.key);
  }
  expect(await used.lastUsed()).toBeNull();
  await usage.flush();
  expect([await used.lastUsed(), await idle.lastUsed()]).toEqual([clock.atMs, null]);
});

test("what was written is not written again, and raises no configuration version", async () => {
  const usage = newUsage();
  const { key } = await newKey();
  usage.note(key);
  await usage.flush();
  const row = async () =>
    (
      await database.admin.query(
        "select (select version from config_version), (select xmin::text from api_key order by id desc limit 1)",
      )
    ).rows;
  const before = await row();
  clock.atMs += 60_000;
  await usage.flush();
  expect(await row()).toEqual(before);
});

test("a node that comes later with an earlier time changes nothing", async () => {
  const [early, late] = [newUsage(), newUsage()];
  const { key, lastUsed } = await newKey();
  early.note(key);
  clock.atMs += 5_000;
  late.note(key);
  await late.flush();
  await early.flush();
  expect(await lastUsed()).toBe(clock.atMs);
});

test("many nodes write the same keys at once without a deadlock", async () => {
  const keys: Awaited<ReturnType<typeof newKey>>[] = [];
  for (let i = 0; i < 40; i += 1) keys.push(await newKey());
  const usages = Array.from({ length: 4 }, newUsage);
  for (const [index, usage] of usages.entries()) {
    const order = index % 2 === 0 ? keys : keys.toReversed();
    for (const { key } of order) usage.note(key);
  }
  await Promise.all(usages.map((usage) => usage.flush()));
  for (const { lastUsed } of keys) expect(await lastUsed()).toBe(clock.atMs);
});

test("nothing is lost when the database fails: it is written the next time", async () => {
  const usage = newUsage();
  const { key, lastUsed } = await newKey();
  usage.note(key);
  const atMs = clock.atMs;
  await database.admin.query("alter table api_key rename column last_used_at to hidden");
  await expect(usage.flush()).rejects.toMatchObject({ code: "42703" });
  await database.admin.query("alter table api_key rename column hidden to last_used_at");
  clock.atMs += 1_000;
  await usage.flush();
  expect(await lastUsed()).toBe(atMs);
});
