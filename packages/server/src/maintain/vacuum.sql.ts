// Statements that keep the one hot table small.
import type pg from "pg";
import type { Executor } from "../storage/pools.ts";

/** Rows of `delivery` that were deleted or replaced since its last vacuum, as the statistics know it (a second old). */
export async function readDeadDeliveryRows(db: Executor): Promise<number> {
  const { rows } = await db.query<{ dead_rows: number }>({
    text: "select pg_stat_get_dead_tuples('delivery'::regclass) as dead_rows",
  });
  return rows[0]?.dead_rows ?? 0;
}

/** Cannot run inside a transaction. Truncation is off in the table's options: it would need an exclusive lock. */
export async function vacuumDelivery(client: pg.PoolClient): Promise<void> {
  await client.query("vacuum delivery");
}
