// The statement that cancels a delivery by hand. API role, inside asTenant, the tenant clause written all the same.
import { keysReleased } from "../storage/notices.sql.ts";
import type { Executor } from "../storage/pools.ts";

/**
 * Ends a pending or held delivery of the given mode, by primary key: whoever deletes the row writes its terminal record,
 * so of a cancellation and a result that come at once one counts. The owner of the lane gets a notice. Of a batch this one
 * is taken out: what is left of it goes on one by one, because the batch's id belongs to all of its members.
 * @returns its webhook, or null when it is not pending (any more)
 */
export async function cancelDelivery(
  db: Executor,
  tenantUuid: string,
  livemode: boolean,
  deliveryUuid: string,
  at: string,
): Promise<{ webhook_id: string } | null> {
  const { rows } = await db.query<{ webhook_id: string }>({
    name: "cancel_delivery",
    text: `with removed as (
        delete from delivery d
        where d.tenant_id = $1 and d.id = $2
          and (select w.livemode from webhook w where w.tenant_id = $1 and w.id = d.webhook_id) = $3
        returning d.tenant_id, d.id, d.event_id, d.webhook_id, d.webhook_version, d.retention_class, d.attempt_count,
          d.replayed, d.lane, d.batch_id, d.held_reason, d.ordering_key
      ),
      ended as (
        insert into cancelled_delivery (tenant_id, id, event_id, webhook_id, cancelled_at, webhook_version,
          retention_class, attempt_count, replayed, batch_id, reason)
        select tenant_id, id, event_id, webhook_id, $4::timestamptz, webhook_version, retention_class, attempt_count,
          replayed, batch_id, 'requested'
        from removed
      ),
      told as (
        insert into cancel_notice (tenant_id, delivery_id, webhook_id, lane)
        select tenant_id, id, webhook_id, lane from removed
        on conflict do nothing
      ),
      ${keysReleased("removed", "cancelled", "$4::timestamptz")}
      select webhook_id from removed`,
    values: [tenantUuid, deliveryUuid, livemode, at],
  });
  return rows[0] ?? null;
}
