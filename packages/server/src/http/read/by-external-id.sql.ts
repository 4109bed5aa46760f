// The statement that finds deliveries by what their receiver called them. API role, inside asTenant, the tenant clause
// written all the same.
import type { Executor } from "../../storage/pools.ts";

/** Deliveries with an attempt from whose answer this `externalId` was taken, by index attempt_external_id; newest first. */
export async function selectDeliveryIdsByExternalId(
  db: Executor,
  tenantUuid: string,
  externalId: string,
  beforeUuid: string,
  limit: number,
): Promise<string[]> {
  const { rows } = await db.query<{ delivery_id: string }>({
    name: "select_delivery_ids_by_external_id",
    text: `select distinct delivery_id from attempt
      where tenant_id = $1 and external_id = $2 and delivery_id < $3
      order by delivery_id desc
      limit $4`,
    values: [tenantUuid, externalId, beforeUuid, limit],
  });
  return rows.map((row) => row.delivery_id);
}
