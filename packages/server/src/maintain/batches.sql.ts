// The statement that removes batches of which nothing is kept any more.
import type { Executor } from "../storage/pools.ts";
import { lowestUuidAt } from "./days.ts";

/**
 * Removes up to `limit` batches made before a time, tenant by tenant, by primary key. Nothing that is pending or dead is
 * older than the longest retention in use.
 * @returns how many there were
 */
export async function deleteOldBatches(engine: Executor, beforeMs: number, limit: number): Promise<number> {
  const { rowCount } = await engine.query({
    name: "delete_old_batches",
    text: `
      delete from batch
      using (
        select old.tenant_id, old.id
        from tenant t
        cross join lateral (
          select tenant_id, id from batch where batch.tenant_id = t.id and batch.id < $1::uuid limit $2
        ) old
        limit $2
      ) gone
      where batch.tenant_id = gone.tenant_id and batch.id = gone.id`,
    values: [lowestUuidAt(beforeMs), limit],
  });
  return rowCount ?? 0;
}
