// Statements that look for webhooks which fail for too long, and for certificates that run out. Engine role.
import { NEW_ID } from "../../storage/notices.sql.ts";
import type { Executor } from "../../storage/pools.ts";

/** After this much continuous failure a webhook is disabled. */
export const DISABLE_AFTER_MS = 120 * 3_600_000;

/** How much of that time lies between the first failure since the last success and the latest one, in percent. */
const PERCENT = `least(100, floor(extract(epoch from h.last_failure_at - h.failing_since) * 1000 / ${DISABLE_AFTER_MS} * 100))`;
const FAILING = `h.failing_since is not null and h.last_failure_at > h.failing_since`;

/**
 * Notes for each webhook that fails how near it is to being disabled, once for each step (in percent), the highest that
 * it has passed. One statement: what was told stands in the row.
 */
export async function announceDisabling(engine: Executor, nowMs: number, steps: readonly number[]): Promise<number> {
  const { rowCount } = await engine.query({
    name: "announce_disabling",
    text: `
with due as (
  select h.tenant_id, h.webhook_id, w.livemode, h.failing_since, h.reason, h.score,
    (select max(s.step) from unnest($2::int2[]) as s (step) where s.step <= ${PERCENT}) as step
  from webhook_health h
  join webhook w on w.tenant_id = h.tenant_id and w.id = h.webhook_id
  where ${FAILING} and ${PERCENT} < 100 and w.status = 'enabled'
),
told as (
  update webhook_health h set told_percent = due.step
  from due
  where h.tenant_id = due.tenant_id and h.webhook_id = due.webhook_id and h.told_percent < due.step
  returning h.tenant_id, h.webhook_id, due.livemode, due.failing_since, due.reason, due.step
)
insert into operational_notice (tenant_id, id, at, webhook_id, bundle_id, livemode, type, detail)
select tenant_id, n.new_id, to_timestamp($1::float8 / 1000), webhook_id, n.new_id, livemode, 'webhook.disable_announced',
  json_build_object('failingSince', failing_since, 'percent', step,
    'disablesAt', failing_since + ${DISABLE_AFTER_MS} * interval '1 millisecond', 'reason', reason)
from (select *, ${NEW_ID} from told) n`,
    values: [nowMs, steps],
  });
  return rowCount ?? 0;
}

export interface FailedRow {
  tenant_id: string;
  webhook_id: string;
  livemode: boolean;
  version: number;
  failing_since: Date;
  reason: string | null;
}

/** Webhooks that have failed for the whole of the time. */
export async function selectFailedForTooLong(engine: Executor): Promise<FailedRow[]> {
  const { rows } = await engine.query<FailedRow>({
    name: "select_failed_for_too_long",
    text: `select h.tenant_id, h.webhook_id, w.livemode, w.version, h.failing_since, h.reason
      from webhook_health h
      join webhook w on w.tenant_id = h.tenant_id and w.id = h.webhook_id
      where ${FAILING} and ${PERCENT} >= 100 and w.status = 'enabled'
      limit 100`,
  });
  return rows;
}

/** What a disabled webhook's endpoint did is not held against it when it is enabled again. By primary key. */
export async function forgetFailing(engine: Executor, tenantUuid: string, webhookUuid: string): Promise<void> {
  await engine.query({
    name: "forget_failing",
    text: `update webhook_health
      set failing_since = null, told_percent = 0, failure_count = 0, phase = 'closed', open_count = 0, open_until = null
      where tenant_id = $1 and webhook_id = $2`,
    values: [tenantUuid, webhookUuid],
  });
}

/** Notes certificates that run out before a time, once for each date. */
export async function announceCertificates(engine: Executor, nowMs: number, beforeMs: number): Promise<number> {
  const { rowCount } = await engine.query({
    name: "announce_certificates",
    text: `
with told as (
  update webhook_health h set certificate_told_at = h.certificate_expires_at
  from webhook w
  where h.certificate_expires_at < to_timestamp($2::float8 / 1000)
    and h.certificate_told_at is distinct from h.certificate_expires_at
    and w.tenant_id = h.tenant_id and w.id = h.webhook_id and w.status in ('enabled', 'paused')
  returning h.tenant_id, h.webhook_id, h.certificate_expires_at, w.livemode
)
insert into operational_notice (tenant_id, id, at, webhook_id, bundle_id, livemode, type, detail)
select tenant_id, n.new_id, to_timestamp($1::float8 / 1000), webhook_id, n.new_id, livemode, 'webhook.certificate_expiring',
  json_build_object('certificateExpiresAt', certificate_expires_at)
from (select *, ${NEW_ID} from told) n`,
    values: [nowMs, beforeMs],
  });
  return rowCount ?? 0;
}
