// The statement that notes deliveries which are about to expire by their webhook's `expireAfter`. Engine role.
import { noticesOfDeliveries } from "../storage/notices.sql.ts";
import type { Executor } from "../storage/pools.ts";

/** The share of `expireAfter` after which it is told, where the webhook does not say. */
export const EXPIRE_WARNING_SHARE = 0.8;

const MAX_WEBHOOKS = 1_000;
const idAt = (ms: string): string => `(lpad(to_hex(floor(${ms})::bigint), 12, '0') || '00000000000000000000')::uuid`;

/**
 * Notes what is still owed of a webhook after a share of its `expireAfter`, held or not, and moves the webhook's mark past
 * it in the same statement: each delivery is told once. What is past its end when it is first looked at is left to the
 * event of its end. Webhooks by the partial index webhook_expiring, their deliveries by the time in the primary key: what
 * is pending for that long is little. One node at a time: two would read the same mark.
 * @returns how many deliveries there were
 */
export async function announceExpiring(engine: Executor, nowMs: number): Promise<number> {
  const { rows } = await engine.query<{ told_count: number }>({
    name: "announce_expiring_deliveries",
    text: `
with expiring as materialized (
  select tenant_id, id, lane, expire_ms,
    greatest(${idAt("$1::float8 - expire_ms")}, told_before_id) as from_id,
    ${idAt("$1::float8 - expire_ms * share")} as before_id
  from (
    select w.tenant_id, w.id, w.lane, (w.configuration ->> 'expireAfter')::float8 * 1000 as expire_ms,
      coalesce((w.configuration ->> 'expireWarning')::float8, ${EXPIRE_WARNING_SHARE}) as share, t.told_before_id
    from webhook w
    left join expiry_watch t on t.tenant_id = w.tenant_id and t.webhook_id = w.id
    where w.configuration ->> 'expireAfter' is not null and w.status in ('enabled', 'paused')
  ) w
  where share < 1
),
owed as materialized (
  select d.tenant_id, d.id, d.event_id, d.webhook_id, d.retention_class, d.held_reason as reason,
    to_timestamp($1::float8 / 1000) as at
  from expiring e
  cross join lateral (
    select tenant_id, id, event_id, webhook_id, retention_class, held_reason from delivery
    where delivery.tenant_id = e.tenant_id and delivery.id >= e.from_id and delivery.id < e.before_id
      and delivery.webhook_id = e.id and delivery.lane = e.lane
  ) d
),
told as (
  insert into expiry_watch as t (tenant_id, webhook_id, told_before_id)
  select e.tenant_id, e.id, e.before_id from expiring e
  where exists (select from owed o where o.tenant_id = e.tenant_id and o.webhook_id = e.id)
  limit ${MAX_WEBHOOKS}
  on conflict (tenant_id, webhook_id) do update set told_before_id = greatest(t.told_before_id, excluded.told_before_id)
  returning tenant_id, webhook_id
),
counted as (
  select o.* from owed o join told t on t.tenant_id = o.tenant_id and t.webhook_id = o.webhook_id
),
noted as (
  ${noticesOfDeliveries("counted", "delivery.expiring")}
)
select count(*)::int4 as told_count from counted`,
    values: [nowMs],
  });
  return rows[0]?.told_count ?? 0;
}
