// Statements that cancel many pending deliveries at once. API role, inside asTenant, the tenant clause written all the
// same. Not prepared by name: the bounds choose the index at planning time, which needs the values.
import { highestUuid, lowestUuid, millisecondsOfUuid } from "../lib/id-bounds.ts";
import { keysReleased } from "../storage/notices.sql.ts";
import type { Executor } from "../storage/pools.ts";

/** Whose pending and held deliveries. */
export type PendingOf =
  | { readonly kind: "webhook"; readonly webhookUuid: string }
  /** Of one webhook only, or of all when `webhookUuid` is null. */
  | { readonly kind: "event"; readonly eventUuid: string; readonly webhookUuid: string | null };

/**
 * Which rows: of a webhook by delivery_due; of an event by its millisecond in the primary key, and by delivery_replayed.
 * The mode is the webhook's.
 */
function pendingOf(tenantUuid: string, livemode: boolean, of: PendingOf): { text: string; values: unknown[] } {
  const MODE = "(select w.livemode from webhook w where w.tenant_id = $1 and w.id = d.webhook_id) = $2";
  if (of.kind === "webhook") {
    return {
      text: `select d.tenant_id, d.id from delivery d
        where d.lane = (select w.lane from webhook w where w.tenant_id = $1 and w.id = $3) and d.webhook_id = $3
          and d.tenant_id = $1 and ${MODE}`,
      values: [tenantUuid, livemode, of.webhookUuid],
    };
  }
  const ms = millisecondsOfUuid(of.eventUuid);
  const common = `select d.tenant_id, d.id from delivery d
      where d.tenant_id = $1 and d.event_id = $3 and ($6::uuid is null or d.webhook_id = $6) and ${MODE}`;
  return {
    text: `${common} and d.id between $4 and $5 union all ${common} and d.replayed and not (d.id between $4 and $5)`,
    values: [tenantUuid, livemode, of.eventUuid, lowestUuid(ms), highestUuid(ms), of.webhookUuid],
  };
}

/** How many there are, counted up to `limit`. */
export async function countPending(
  db: Executor,
  tenantUuid: string,
  livemode: boolean,
  of: PendingOf,
  limit: number,
): Promise<number> {
  const { text, values } = pendingOf(tenantUuid, livemode, of);
  const { rows } = await db.query<{ count: number }>({
    text: `select count(*)::int4 as count from (${text} limit $${values.push(limit)}) counted`,
    values,
  });
  return rows[0]?.count ?? 0;
}

/**
 * Ends up to `limit` of them as cancelDelivery ends one: whoever deletes the row writes its terminal record, and the owner
 * of the lane gets a notice.
 */
export async function cancelPending(
  db: Executor,
  tenantUuid: string,
  livemode: boolean,
  of: PendingOf,
  at: string,
  limit: number,
): Promise<{ id: string; webhook_id: string }[]> {
  const { text, values } = pendingOf(tenantUuid, livemode, of);
  const most = `$${values.push(limit)}`;
  const atTime = `$${values.push(at)}::timestamptz`;
  const { rows } = await db.query<{ id: string; webhook_id: string }>({
    text: `with wanted as materialized (
        select tenant_id, id from (${text}) found limit ${most}
      ),
      removed as (
        delete from delivery d using wanted
        where d.tenant_id = wanted.tenant_id and d.id = wanted.id
        returning d.tenant_id, d.id, d.event_id, d.webhook_id, d.webhook_version, d.retention_class, d.attempt_count,
          d.replayed, d.lane, d.batch_id, d.held_reason, d.ordering_key
      ),
      ended as (
        insert into cancelled_delivery (tenant_id, id, event_id, webhook_id, cancelled_at, webhook_version,
          retention_class, attempt_count, replayed, batch_id, reason)
        select tenant_id, id, event_id, webhook_id, ${atTime}, webhook_version, retention_class, attempt_count, replayed,
          batch_id, 'requested'
        from removed
      ),
      told as (
        insert into cancel_notice (tenant_id, delivery_id, webhook_id, lane)
        select tenant_id, id, webhook_id, lane from removed
        on conflict do nothing
      ),
      ${keysReleased("removed", "cancelled", atTime)}
      select id, webhook_id from removed`,
    values,
  });
  return rows;
}
