// Statements that find endpoints to which nothing was sent for long, and remember that they were checked. Engine role.
import { int2Array } from "../lib/binary-arrays.ts";
import type { Webhook } from "../storage/configuration.ts";
import type { Executor } from "../storage/pools.ts";

export interface QuietRow {
  tenant_id: string;
  webhook_id: string;
}

/**
 * Webhooks of these lanes whose endpoint has not been heard of for their `checkAfter`; one whose last request failed, for
 * `againAfterMs` if that is sooner. By the partial index webhook_checked; the rest by primary keys.
 */
export async function selectQuiet(
  db: Executor,
  lanes: readonly number[],
  nowMs: number,
  againAfterMs: number,
  limit: number,
): Promise<QuietRow[]> {
  const { rows } = await db.query<QuietRow>({
    name: "select_quiet_endpoints",
    text: `
select w.tenant_id, w.id as webhook_id
from webhook w
left join webhook_health h on h.tenant_id = w.tenant_id and h.webhook_id = w.id
left join rollup_total r on r.tenant_id = w.tenant_id and r.webhook_id = w.id
where w.configuration ->> 'checkAfter' is not null and w.status = 'enabled' and w.lane = any ($1::int2[])
  and greatest(w.created_at, h.checked_at, h.last_success_at, h.last_failure_at, r.last_delivered_at)
    <= to_timestamp(($2::float8 - least((w.configuration ->> 'checkAfter')::float8 * 1000,
      case when h.failure_count > 0 then $3::float8 else 'infinity' end)) / 1000)
limit $4`,
    values: [int2Array(lanes), nowMs, againAfterMs, limit],
  });
  return rows;
}

/**
 * Remembers when it was checked, by primary key. Where nothing is known of the endpoint yet, the check was the first
 * request, and it went well: a failure has made its row already.
 */
export async function markChecked(db: Executor, webhook: Webhook, nowMs: number): Promise<void> {
  await db.query({
    name: "mark_endpoint_checked",
    text: `
insert into webhook_health as h (tenant_id, webhook_id, since, last_success_at, checked_at, lane, score, status, phase)
values ($1, $2, to_timestamp($3::float8 / 1000), to_timestamp($3::float8 / 1000), to_timestamp($3::float8 / 1000), $4, 100,
  'healthy', 'closed')
on conflict (tenant_id, webhook_id) do update set checked_at = greatest(h.checked_at, excluded.checked_at)`,
    values: [webhook.tenantUuid, webhook.uuid, nowMs, webhook.lane],
  });
}
