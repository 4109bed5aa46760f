// What recording costs PostgreSQL: it looks for its rows by key. A plan is made once for a connection, by statistics of
// a table that fills and empties all day, and must not depend on the moment.
import { afterAll, beforeAll, expect, test } from "vitest";
import { recordResults, type ResultRow } from "../../src/record/record.sql.ts";
import { type Executor, inTransaction } from "../../src/storage/pools.ts";
import {
  createPooledDatabase,
  insertDelivery,
  insertTenant,
  type PooledDatabase,
  uuidAt,
} from "../maintain/fixtures.ts";

const NOW = Date.UTC(2026, 10, 23, 15, 30);
const OWED_COUNT = 400;
const bytesOf = (uuid: string): Uint8Array => Buffer.from(uuid.replaceAll("-", ""), "hex");

let database: PooledDatabase;
let tenantId: string;
const nodeUuid = uuidAt(NOW);

beforeAll(async () => {
  database = await createPooledDatabase();
  tenantId = await insertTenant(database.admin);
  await database.admin.query(
    `insert into node (id, incarnation, started_at, beat_at, process_id, alive, version, host)
     values ($1, 1, now(), now(), 1, true, 'x', 'x')`,
    [nodeUuid],
  );
  // As upkeep leaves it when nothing is owed any more: pages without a row. PostgreSQL takes it for empty, however much
  // comes afterwards.
  await owe();
  await database.admin.query("delete from delivery");
  await database.admin.query("vacuum delivery");
});
afterAll(() => database.close());

// Seen red with `d.tenant_id = r.tenant_id and d.id = r.delivery_id`: all 400 rows are read.
test.each(["delivered", "held"] as const)(
  "one result among many deliveries reads one row of delivery: %s",
  async (verdict) => {
    const deliveryId = await owe();
    await inTransaction(database.pools.record, async (db) => {
      const node = { uuid: nodeUuid, id: "node", incarnation: 1, idBytes: bytesOf(nodeUuid) };
      const before = await countsOf(db);
      expect((await recordResults(db, node, [row(deliveryId, verdict)])).fence_held).toBe(1);
      const after = await countsOf(db);
      expect([after.read - before.read, after.changed - before.changed]).toEqual([1, 1]);
    });
  },
);

// Seen red without it on PostgreSQL 15: what is planned around a setting that is off costs so much that it is compiled.
test("no pool has its plans compiled", async () => {
  const { capture, record, control, api, engine, owner } = database.pools;
  for (const pool of [capture, record, control, api, engine, owner]) {
    expect((await pool.query<{ jit: string }>({ text: "show jit" })).rows).toEqual([{ jit: "off" }]);
  }
});

/** Many deliveries; the id of the last one. */
async function owe(): Promise<string> {
  let deliveryId = "";
  for (let count = 0; count < OWED_COUNT; count += 1) {
    deliveryId = await insertDelivery(database.admin, { tenantId, eventMs: NOW });
  }
  return deliveryId;
}

/** What this connection read and changed of the table, as far as it has not been handed over yet. */
async function countsOf(db: Executor): Promise<{ read: number; changed: number }> {
  const { rows } = await db.query<{ read: number; changed: number }>({
    text: `select (coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0))::int4 as read,
        (n_tup_del + n_tup_upd)::int4 as changed
      from pg_stat_xact_user_tables where relname = 'delivery'`,
  });
  return rows[0] as { read: number; changed: number };
}

/** A delivery that has to be found and changed, whatever else is written for it. */
function row(deliveryId: string, verdict: ResultRow["verdict"]): ResultRow {
  return {
    tenantBytes: bytesOf(tenantId),
    deliveryBytes: bytesOf(deliveryId),
    eventBytes: bytesOf(uuidAt(NOW)),
    webhookBytes: bytesOf(uuidAt(NOW)),
    retentionClass: 90,
    replayed: false,
    verdict,
    reason: verdict === "held" ? "transformation_failed" : null,
    nextAttemptAtMs: null,
    attempt: null,
  };
}
