// Proves that what is owed of an event becomes a dead letter before the event goes, once, whoever else is at it.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { DAY_MS, startOfDay } from "../../src/maintain/days.ts";
import { expireDeliveries, expireHeld } from "../../src/maintain/expire.ts";
import { ensureDays, ensurePartitions } from "../../src/maintain/partitions.ts";
import { createPooledDatabase, insertDelivery, insertTenant, type PooledDatabase, uuidAt } from "./fixtures.ts";

const NOW = Date.UTC(2026, 10, 23, 15, 30);
const TODAY = startOfDay(NOW);
/** The last day whose class-7 events expire now: they go with their partition after one more day. */
const EXPIRING_DAY = TODAY - 7 * DAY_MS;

describe.each([
  { access: "roles", withRoles: true },
  { access: "settings in their place", withRoles: false },
])("with $access", ({ withRoles }) => {
  let database: PooledDatabase;
  let tenantId: string;
  beforeAll(async () => {
    database = await createPooledDatabase({ withRoles });
    await ensurePartitions(database.pools.owner, NOW, [7]);
    await ensureDays(database.pools.owner, [EXPIRING_DAY, EXPIRING_DAY + DAY_MS], [7, 90]);
    tenantId = await insertTenant(database.admin, 7);
  });
  afterAll(() => database.close());
  beforeEach(() => database.admin.query("delete from delivery; delete from dead_letter"));

  const expire = (chunkSize?: number) => expireDeliveries(database.pools.owner, database.pools.engine, NOW, chunkSize);
  const deadLetters = async () =>
    (await database.admin.query<{ id: string }>("select id from dead_letter order by id")).rows.map((row) => row.id);
  const pending = async () =>
    (await database.admin.query<{ id: string }>("select id from delivery order by id")).rows.map((row) => row.id);

  test("the last millisecond of the expiring day is taken and the next is not", async () => {
    const last = await insertDelivery(database.admin, {
      tenantId,
      eventMs: EXPIRING_DAY + DAY_MS - 1,
      retentionClass: 7,
    });
    const next = await insertDelivery(database.admin, { tenantId, eventMs: EXPIRING_DAY + DAY_MS, retentionClass: 7 });
    expect(await expire()).toBe(1);
    expect(await deadLetters()).toEqual([last]);
    expect(await pending()).toEqual([next]);
  });

  test("the dead letter says why and when, and keeps everything that a retry needs", async () => {
    const id = await insertDelivery(database.admin, { tenantId, eventMs: EXPIRING_DAY, retentionClass: 7 });
    const before = (await database.admin.query("select * from delivery where id = $1", [id])).rows[0] as object;
    await expire();
    const letter = (await database.admin.query("select * from dead_letter where id = $1", [id])).rows[0] as Record<
      string,
      unknown
    >;
    const { reason, dead_at: deadAt, ...kept } = letter;
    expect(reason).toBe("expired");
    expect(deadAt).toEqual(new Date(NOW));
    expect(before).toMatchObject(kept);
  });

  test("a replay expires with its event, although its own id is young", async () => {
    const replay = await insertDelivery(database.admin, {
      tenantId,
      eventMs: EXPIRING_DAY,
      ownMs: NOW,
      retentionClass: 7,
    });
    const young = await insertDelivery(database.admin, {
      tenantId,
      eventMs: NOW - DAY_MS,
      ownMs: NOW,
      retentionClass: 7,
    });
    expect(await expire()).toBe(1);
    expect(await deadLetters()).toEqual([replay]);
    expect(await pending()).toEqual([young]);
  });

  test("a longer class keeps its deliveries", async () => {
    await insertDelivery(database.admin, { tenantId, eventMs: EXPIRING_DAY, retentionClass: 90 });
    expect(await expire()).toBe(0);
  });

  test("many go in chunks, of all tenants", async () => {
    const other = await insertTenant(database.admin, 7);
    for (let index = 0; index < 7; index += 1) {
      await insertDelivery(database.admin, {
        tenantId: index % 2 === 0 ? tenantId : other,
        eventMs: EXPIRING_DAY,
        retentionClass: 7,
      });
    }
    expect(await expire(3)).toBe(7);
    expect(await pending()).toEqual([]);
    expect(await deadLetters()).toHaveLength(7);
  });

  test("two nodes at once end each delivery once", async () => {
    for (let index = 0; index < 50; index += 1) {
      await insertDelivery(database.admin, { tenantId, eventMs: EXPIRING_DAY, retentionClass: 7 });
    }
    await Promise.all([expire(5), expire(5)]);
    await expire();
    expect(await deadLetters()).toHaveLength(50);
    expect(await pending()).toEqual([]);
  });

  test("a retried dead letter that outlived its partition gets it back instead of getting lost", async () => {
    const gone = EXPIRING_DAY - 5 * DAY_MS;
    const id = await insertDelivery(database.admin, { tenantId, eventMs: gone, retentionClass: 7 });
    expect(await expire()).toBe(1);
    expect(await deadLetters()).toEqual([id]);
  });

  test("what is held past its webhook's expireAfter expires; what is due, young or retried by hand is left", async () => {
    const { admin, pools } = database;
    const webhookOf = async (status: string, expireAfter: number | null): Promise<string> => {
      const id = uuidAt(0);
      const configuration = expireAfter === null ? {} : { expireAfter };
      await admin.query(
        `insert into webhook (tenant_id, id, created_at, updated_at, config_version, version, lane, livemode, status,
           configuration)
         values ($1, $2, now(), now(), 1, 1, 3, true, $3, $4)`,
        [tenantId, id, status, configuration],
      );
      return id;
    };
    const [paused, enabled, without] = [
      await webhookOf("paused", 3_600),
      await webhookOf("enabled", 3_600),
      await webhookOf("paused", null),
    ];
    const of = async (webhookId: string, ageMs: number, change = "webhook_id = $2"): Promise<string> => {
      const id = await insertDelivery(admin, { tenantId, eventMs: NOW - ageMs });
      await admin.query(
        `update delivery set webhook_id = $2, ${change.replace("webhook_id = $2", "seq = seq")} where id = $1`,
        [id, webhookId],
      );
      return id;
    };
    const OLD = 3_600_000 + 61_000;
    const gone = [
      await of(paused, OLD),
      await of(enabled, OLD, "due_at = 'infinity', held_reason = 'transformation_failed'"),
    ];
    const left = [
      await of(paused, 3_600_000),
      await of(enabled, OLD),
      await of(without, OLD),
      await of(paused, OLD, "next_trigger = 'manual'"),
    ];
    expect(await expireHeld(pools.engine, NOW, 1)).toBe(2);
    expect(await deadLetters()).toEqual(gone.sort());
    expect(await pending()).toEqual(left.sort());
  });
});
