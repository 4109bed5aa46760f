// Statements that read the figures of webhooks. API role, inside asTenant, the tenant clause written all the same.
import { DURATION_COLUMNS } from "../storage/rollup-columns.ts";
import type { Executor } from "../storage/pools.ts";

export interface StatisticsRow {
  webhook_id: string;
  /** Deliveries that arrived since the webhook was made, replays too. */
  total_delivered: number;
  /** Dead letters that nobody retried, also those that retention has dropped. */
  total_failed: number;
  /** When the last successful attempt ended. */
  last_delivery: Date | null;
  /** Attempts that were answered, whatever the status, and how long they took together. */
  answered_count: number;
  answered_duration_ms: number;
}

const WANTED = "where tenant_id = $1 and webhook_id = any ($2::uuid[])";

/**
 * What webhooks have done: total plus tail, read in one statement so that a row which is being folded counts once.
 * By the primary keys of rollup_total and rollup_tail; the tail holds some seconds.
 * @returns a row for each webhook that has figures
 */
export async function selectStatistics(
  db: Executor,
  tenantUuid: string,
  webhookUuids: readonly string[],
): Promise<StatisticsRow[]> {
  const { rows } = await db.query<StatisticsRow>({
    name: "select_webhook_statistics",
    text: `select webhook_id, sum(delivered_count)::bigint as total_delivered, sum(failed_count)::bigint as total_failed,
        max(last_delivered_at) as last_delivery, sum(answered)::bigint as answered_count,
        sum(duration_ms_sum)::bigint as answered_duration_ms
      from (
        select webhook_id, delivered_count, failed_count, last_delivered_at, duration_ms_sum,
          ${DURATION_COLUMNS.join(" + ")} as answered
        from rollup_total ${WANTED}
        union all
        select webhook_id, delivered_count, failed_count, last_delivered_at,
          case when duration_bucket is null then 0 else duration_ms_sum end,
          case when duration_bucket is null then 0 else attempt_count end
        from rollup_tail ${WANTED}
      ) figures
      group by webhook_id`,
    values: [tenantUuid, webhookUuids],
  });
  return rows;
}

/** What all webhooks of one mode have done together. */
export type TenantStatisticsRow = Omit<StatisticsRow, "webhook_id">;

/**
 * The same for all of a tenant's webhooks of one mode, deleted ones included. By the tenant's part of the primary keys of
 * rollup_total and rollup_tail, one row for each webhook; the mode is found by webhook's primary key.
 */
export async function selectTenantStatistics(
  db: Executor,
  tenantUuid: string,
  livemode: boolean,
): Promise<TenantStatisticsRow> {
  const { rows } = await db.query<TenantStatisticsRow>({
    name: "select_tenant_statistics",
    text: `select coalesce(sum(delivered_count), 0)::bigint as total_delivered,
        coalesce(sum(failed_count), 0)::bigint as total_failed, max(last_delivered_at) as last_delivery,
        coalesce(sum(answered), 0)::bigint as answered_count,
        coalesce(sum(duration_ms_sum), 0)::bigint as answered_duration_ms
      from (
        select webhook_id, delivered_count, failed_count, last_delivered_at, duration_ms_sum,
          ${DURATION_COLUMNS.join(" + ")} as answered
        from rollup_total where tenant_id = $1
        union all
        select webhook_id, delivered_count, failed_count, last_delivered_at,
          case when duration_bucket is null then 0 else duration_ms_sum end,
          case when duration_bucket is null then 0 else attempt_count end
        from rollup_tail where tenant_id = $1
      ) figures
      join webhook w on w.tenant_id = $1 and w.id = figures.webhook_id
      where w.livemode = $2`,
    values: [tenantUuid, livemode],
  });
  return rows[0] as TenantStatisticsRow;
}
