// Proves that idempotency keys go when their window is over and that a pass covers the whole table.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { createKeyPurge } from "../../src/maintain/purge-keys.ts";
import { createPooledDatabase, type PooledDatabase } from "./fixtures.ts";

const NOW = Date.UTC(2026, 10, 23, 15, 30);

describe.each([
  { access: "roles", withRoles: true },
  { access: "settings in their place", withRoles: false },
])("with $access", ({ withRoles }) => {
  let database: PooledDatabase;
  beforeAll(async () => {
    database = await createPooledDatabase({ withRoles });
  });
  afterAll(() => database.close());
  beforeEach(() => database.admin.query("truncate event_key"));

  const insertKeys = (name: string, count: number, expiresAtMs: number) =>
    database.admin.query(
      `insert into event_key (tenant_id, event_id, expires_at, retention_class, livemode, kind, key, request_hash)
       select md5((n % 5)::text)::uuid, md5(n::text)::uuid, to_timestamp($3::float8 / 1000), 90, true, 'key',
              format('%s-%s', $1::text, n), decode(repeat('00', 32), 'hex')
       from generate_series(1, $2::integer) n`,
      [name, count, expiresAtMs],
    );
  const countKeys = async () =>
    (await database.admin.query<{ n: number }>("select count(*)::int as n from event_key")).rows[0]?.n;

  test("a key goes at the end of its window and not a millisecond before", async () => {
    await insertKeys("over", 3, NOW);
    await insertKeys("live", 4, NOW + 1);
    expect(await createKeyPurge(database.pools.engine).run(NOW)).toBe(3);
    expect(await countKeys()).toBe(4);
  });

  test("a pass in many steps covers every block", async () => {
    for (const part of [1, 2, 3]) {
      await insertKeys(`over ${part}`, 2_000, NOW - 1);
      await insertKeys(`live ${part}`, 500, NOW + 1);
    }
    expect(await createKeyPurge(database.pools.engine, 1).run(NOW)).toBe(6_000);
    expect(await countKeys()).toBe(1_500);
  });

  test("an empty table costs one question", async () => {
    expect(await createKeyPurge(database.pools.engine).run(NOW)).toBe(0);
  });
});
