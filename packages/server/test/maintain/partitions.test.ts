// Proves that partitions are there before they are needed and go when their time is over, never sooner.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { DAY_MS, lowestUuidAt, startOfDay } from "../../src/maintain/days.ts";
import { dropExpiredPartitions, ensureDays, ensurePartitions } from "../../src/maintain/partitions.ts";
import { createPooledDatabase, insertDelivery, insertTenant, type PooledDatabase, uuidAt } from "./fixtures.ts";

const NOW = Date.UTC(2026, 10, 23, 15, 30);

async function partitionNames({ admin }: PooledDatabase, prefix: string): Promise<string[]> {
  const { rows } = await admin.query<{ name: string }>(
    `select inhrelid::regclass::text as name from pg_inherits
     where inhrelid::regclass::text like $1 and inhrelid::regclass::text not like '%idx' and inhrelid::regclass::text not like '%pkey'
     order by 1`,
    [`${prefix}%`],
  );
  return rows.map((row) => row.name);
}

async function tableExists({ admin }: PooledDatabase, name: string): Promise<boolean> {
  const { rows } = await admin.query<{ found: boolean }>("select to_regclass($1) is not null as found", [name]);
  return rows[0]?.found === true;
}

const insertAttempt = `
  insert into attempt (tenant_id, id, delivery_id, event_id, webhook_id, started_at, duration_ms, body_length,
                       webhook_version, retention_class, number, ends_delivery, replayed, trigger, outcome, url)
  values ($1, $2, $2, $2, $2, now(), 1, 1, 1, $3, 1, true, false, 'initial', 'delivered', 'https://example.com')`;

describe.each([
  { access: "roles", withRoles: true },
  { access: "settings in their place", withRoles: false },
])("with $access", ({ withRoles }) => {
  let database: PooledDatabase;
  beforeAll(async () => {
    database = await createPooledDatabase({ withRoles });
  });
  afterAll(() => database.close());

  test("the first call makes yesterday to a week ahead for all four tables, the second nothing", async () => {
    const made = await ensurePartitions(database.pools.owner, NOW, []);
    expect(made).toHaveLength(4 * (1 + 9));
    expect((await partitionNames(database, "event_c90_")).map((name) => name.slice(-8))).toEqual([
      "20261122",
      "20261123",
      "20261124",
      "20261125",
      "20261126",
      "20261127",
      "20261128",
      "20261129",
      "20261130",
    ]);
    expect(await ensurePartitions(database.pools.owner, NOW, [90])).toEqual([]);
  });

  test("a row lands in the partition of its class and of its id's day, and the next day makes one more", async () => {
    await ensurePartitions(database.pools.owner, NOW, [7]);
    const id = uuidAt(NOW + DAY_MS);
    await database.pools.engine.query({ text: insertAttempt, values: [uuidAt(0), id, 7] });
    const { rows } = await database.admin.query("select tableoid::regclass::text as place from attempt where id = $1", [
      id,
    ]);
    expect(rows).toEqual([{ place: "attempt_c7_20261124" }]);
    const made = await ensurePartitions(database.pools.owner, NOW + DAY_MS, [7]);
    expect(made.filter((name) => name.startsWith("attempt"))).toEqual(["attempt_c90_20261201", "attempt_c7_20261201"]);
  });

  test("a partition has every index of its parent and cannot be read around the parent's policies", async () => {
    await ensurePartitions(database.pools.owner, NOW, []);
    const { rows } = await database.admin.query(
      `select relname as name, relrowsecurity and relforcerowsecurity as closed,
              (select count(*)::int from pg_index where indrelid = c.oid and indisvalid) as indexes
       from pg_class c where relname in ('event', 'event_c90', 'event_c90_20261123') order by 1`,
    );
    expect(rows).toEqual(
      ["event", "event_c90", "event_c90_20261123"].map((name) => ({ name, closed: true, indexes: 4 })),
    );
    if (withRoles) return;
    // Where there are no roles the API works as the owner: only the missing policy stops it.
    await database.admin.query(insertAttempt, [uuidAt(0), uuidAt(NOW), 90]);
    const direct = await database.pools.api.query("select id from attempt_c90_20261123");
    expect(direct.rows).toEqual([]);
  });
});

describe("making partitions", () => {
  let database: PooledDatabase;
  beforeAll(async () => {
    database = await createPooledDatabase();
  });
  afterAll(() => database.close());

  test("two nodes may do it at once: each partition is made by one of them", async () => {
    const made = await Promise.all([
      ensurePartitions(database.pools.owner, NOW, [30]),
      ensurePartitions(database.pools.owner, NOW, [30]),
    ]);
    const names = made.flat();
    expect(new Set(names).size).toBe(names.length);
    expect(names).toHaveLength(2 * 4 * (1 + 9));
  });

  test("a day that was lost is made again", async () => {
    await ensurePartitions(database.pools.owner, NOW, []);
    await database.admin.query("drop table event_c90_20261124");
    expect(await ensurePartitions(database.pools.owner, NOW, [])).toEqual(["event_c90_20261124"]);
  });

  test("inserts go on while a partition is being attached", async () => {
    await ensurePartitions(database.pools.owner, NOW, []);
    await database.admin.query("begin");
    await database.admin.query(insertAttempt, [uuidAt(0), uuidAt(NOW), 90]);
    // The open insert would make anything that needs the whole table wait for ever.
    expect(await ensurePartitions(database.pools.owner, NOW + DAY_MS, [])).toHaveLength(4);
    await database.admin.query("rollback");
  });

  test("five days without upkeep: rows of each day find their place, and the next call makes what is missing", async () => {
    await ensurePartitions(database.pools.owner, NOW, [400]);
    for (let day = 0; day <= 5; day += 1) {
      await database.pools.engine.query({
        text: insertAttempt,
        values: [uuidAt(0), uuidAt(NOW + day * DAY_MS), 400],
      });
    }
    expect(await ensurePartitions(database.pools.owner, NOW + 5 * DAY_MS, [400])).toHaveLength(2 * 4 * 5 - 4);
  });

  test("a class that no tenant can have is refused", async () => {
    await expect(ensurePartitions(database.pools.owner, NOW, [31])).rejects.toThrow(RangeError);
  });
});

describe("dropping partitions", () => {
  const OLD_DAY = startOfDay(NOW) - 8 * DAY_MS;
  let database: PooledDatabase;
  beforeAll(async () => {
    database = await createPooledDatabase();
    await ensurePartitions(database.pools.owner, NOW, [7]);
  });
  afterAll(() => database.close());
  const drop = () => dropExpiredPartitions(database.pools.owner, database.pools.engine, NOW);
  const DROPPED = ["attempt", "cancelled_delivery", "dead_letter", "event"].map((table) => `${table}_c7_20261115`);

  test("a day goes when every event in it has its age, and not a day earlier", async () => {
    await ensureDays(database.pools.owner, [OLD_DAY, OLD_DAY + DAY_MS], [7]);
    expect(await drop()).toEqual({ dropped: DROPPED, kept: [] });
    expect(await partitionNames(database, "event_c7_20261116")).toEqual(["event_c7_20261116"]);
    expect(await drop()).toEqual({ dropped: [], kept: [] });
  });

  test("a day stays while a delivery of its events is pending, also a replay with an id of today", async () => {
    await ensureDays(database.pools.owner, [OLD_DAY], [7]);
    const tenantId = await insertTenant(database.admin);
    const id = await insertDelivery(database.admin, {
      tenantId,
      eventMs: OLD_DAY + DAY_MS - 1,
      ownMs: NOW,
      retentionClass: 7,
    });
    expect(await drop()).toEqual({
      dropped: ["attempt_c7_20261115"],
      kept: ["cancelled_delivery_c7_20261115", "dead_letter_c7_20261115", "event_c7_20261115"],
    });
    await database.admin.query("delete from delivery where id = $1", [id]);
    expect((await drop())?.dropped).toHaveLength(3);
  });

  test("a detach that was interrupted is finished by the next call", async () => {
    await ensureDays(database.pools.owner, [OLD_DAY], [7]);
    await interruptDetach("event_c7", "event_c7_20261115");
    expect((await drop())?.dropped.toSorted()).toEqual(DROPPED);
    expect(await tableExists(database, "event_c7_20261115")).toBe(false);
  });

  test("a table that was detached and not dropped is dropped by the next call", async () => {
    await ensureDays(database.pools.owner, [OLD_DAY], [7]);
    await database.admin.query("alter table event_c7 detach partition event_c7_20261115");
    expect((await drop())?.dropped).toEqual(DROPPED);
  });

  /** Cancels `detach concurrently` while it waits for a reader: exactly what a killed node leaves behind. */
  async function interruptDetach(parent: string, name: string): Promise<void> {
    const reader = await database.pools.owner.connect();
    const detacher = await database.pools.owner.connect();
    try {
      await reader.query("begin");
      await reader.query(`select from ${parent} limit 1`);
      const detaching = detacher.query(`alter table ${parent} detach partition ${name} concurrently`);
      const expectation = expect(detaching).rejects.toMatchObject({ code: "57014" });
      await until("select 1 from pg_inherits where inhdetachpending");
      await database.admin.query(
        "select pg_cancel_backend(pid) from pg_stat_activity where query like '%detach partition%' and pid <> pg_backend_pid()",
      );
      await expectation;
      await reader.query("rollback");
    } finally {
      reader.release();
      detacher.release();
    }
  }

  /** Asks the catalogue until it says so; each question is a round trip, so nothing spins. */
  async function until(sql: string): Promise<void> {
    for (let tries = 0; tries < 5_000; tries += 1) {
      if ((await database.admin.query(sql)).rows.length > 0) return;
    }
    throw new Error(`never true: ${sql}`);
  }

  test("bounds are UTC days of the id", () => {
    expect(lowestUuidAt(OLD_DAY)).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-0000-0000-000000000000$/);
  });
});
