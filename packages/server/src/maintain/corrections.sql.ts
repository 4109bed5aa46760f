// The statement that removes corrections whose events are gone.
import type { Executor } from "../storage/pools.ts";
import { lowestUuidAt } from "./days.ts";

/**
 * Removes corrections of a retention class that were made before a time, by index correction_old: a correction is younger
 * than its event, and a day of which something is pending is kept, but never for so long.
 */
export async function deleteOldCorrections(engine: Executor, retentionClass: number, beforeMs: number): Promise<void> {
  await engine.query({
    name: "delete_old_corrections",
    text: `delete from correction c where c.retention_class = $1 and c.id < $2::uuid
      and not exists (select from delivery d where d.tenant_id = c.tenant_id and d.id = c.delivery_id)`,
    values: [retentionClass, lowestUuidAt(beforeMs)],
  });
}
