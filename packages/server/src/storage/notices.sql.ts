// Parts of statements that note the cause of an operational event: in the very statement that causes it, so that it is
// noted once, and never for something that did not happen. Upkeep makes events of the notices (maintain/operational).
// Must note nothing about operational events: one that cannot be delivered raises no other.
import { OPERATIONAL_TYPES, type OperationalType } from "../lib/operational-types.ts";
import type { Executor } from "./pools.ts";

/** Of each statement so many deliveries are named; the rest is counted. */
export const NAMED_DELIVERIES = 20;
/**
 * A column: another id in each row, which the select outside may use twice. In a select of its own, which PostgreSQL keeps
 * apart because it is volatile; in a lateral one PostgreSQL 15 remembers the first id and gives it to every row.
 */
export const NEW_ID = "gen_random_uuid() as new_id";
const NOT_ABOUT_OURSELVES = `e.type not in (${OPERATIONAL_TYPES.map((type) => `'${type}'`).join(", ")})`;

/**
 * Notes deliveries of a webhook, all of one statement together.
 * @param rows name of a CTE with tenant_id, webhook_id, id, event_id, retention_class, at, reason; for `key.…` ordering_key
 */
export function noticesOfDeliveries(rows: string, type: OperationalType): string {
  const ofKey = type.startsWith("key.") ? ", 'orderingKey', r.ordering_key" : "";
  return `insert into operational_notice (tenant_id, id, at, webhook_id, livemode, type, count, detail)
  select r.tenant_id, gen_random_uuid(), max(r.at), r.webhook_id, e.livemode, '${type}', count(*)::int4,
    json_build_object('deliveries', json_agg(json_build_object('id', r.id, 'eventId', r.event_id, 'senderId', e.sender_id,
      'event', e.type, 'reference', e.reference, 'reason', r.reason${ofKey}) order by r.place)
      filter (where r.place <= ${NAMED_DELIVERIES}))
  from (select *, row_number() over (partition by tenant_id, webhook_id order by id) as place from ${rows}) r
  cross join lateral (
    select type, livemode, sender_id, reference from event
    where event.tenant_id = r.tenant_id and event.retention_class = r.retention_class and event.id = r.event_id
    limit 1 -- a fence: the planner would hash all events
  ) e
  where ${NOT_ABOUT_OURSELVES}
  group by r.tenant_id, r.webhook_id, e.livemode
  having count(*) filter (where r.place <= ${NAMED_DELIVERIES}) > 0`;
}

/** Of one event so many acknowledgements are told: all are, in several. */
const ACKNOWLEDGED_TOGETHER = 100;

/**
 * Notes what receivers acknowledged. None is left out, so each notice is an event of its own.
 * @param rows name of a CTE with tenant_id, webhook_id, id, event_id, retention_class, at, extracted (JSON as text)
 */
export function noticesOfAcknowledgements(rows: string): string {
  return `insert into operational_notice (tenant_id, id, at, webhook_id, bundle_id, livemode, type, count, detail)
  select g.tenant_id, g.new_id, g.at, g.webhook_id, g.new_id, g.livemode, 'delivery.acknowledged', g.count, g.detail
  from (
    select ${NEW_ID}, r.tenant_id, max(r.at) as at, r.webhook_id, e.livemode, count(*)::int4 as count,
      json_build_object('deliveries', json_agg(json_build_object('id', r.id, 'eventId', r.event_id, 'senderId', e.sender_id,
        'event', e.type, 'reference', e.reference, 'extracted', r.extracted::json) order by r.place)) as detail
    from (select *, row_number() over (partition by tenant_id, webhook_id order by id) as place from ${rows}) r
    cross join lateral (
      select type, livemode, sender_id, reference from event
      where event.tenant_id = r.tenant_id and event.retention_class = r.retention_class and event.id = r.event_id
      limit 1 -- a fence: the planner would hash all events
    ) e
    where ${NOT_ABOUT_OURSELVES}
    group by r.tenant_id, r.webhook_id, e.livemode, (r.place - 1) / ${ACKNOWLEDGED_TOGETHER}
  ) g`;
}

/**
 * CTEs that note which keys go on because a person dealt with the delivery that held them.
 * @param rows name of a CTE with what is held or was: held_reason, ordering_key, and what noticesOfDeliveries asks for but `at`
 */
export function keysReleased(rows: string, how: "retried" | "corrected" | "skipped" | "cancelled", at: string): string {
  return `released as (
    select tenant_id, id, event_id, webhook_id, retention_class, ordering_key, '${how}' as reason, ${at} as at
    from ${rows} where held_reason is not null and ordering_key is not null
  ),
  noted_released as (
    ${noticesOfDeliveries("released", "key.released")}
  )`;
}

/** What a webhook's notice says; `at` is when it happened. */
export interface WebhookNotice {
  readonly tenantUuid: string;
  readonly webhookUuid: string;
  readonly livemode: boolean;
  readonly type: OperationalType;
  readonly atMs: number;
  readonly detail: Readonly<Record<string, unknown>>;
}

/** Notes something about a webhook, inside of the transaction that does it. Either role. */
export async function insertWebhookNotices(db: Executor, notices: readonly WebhookNotice[]): Promise<void> {
  await db.query({
    name: "insert_webhook_notices",
    text: `insert into operational_notice (tenant_id, id, at, webhook_id, bundle_id, livemode, type, detail)
      select n.tenant_id, n.new_id, to_timestamp(n.at_ms / 1000), n.webhook_id, n.new_id, n.livemode, n.type, n.detail::json
      from (
        select *, ${NEW_ID}
        from unnest($1::uuid[], $2::uuid[], $3::bool[], $4::text[], $5::float8[], $6::text[])
          as i (tenant_id, webhook_id, livemode, type, at_ms, detail)
      ) n`,
    values: [
      notices.map((notice) => notice.tenantUuid),
      notices.map((notice) => notice.webhookUuid),
      notices.map((notice) => notice.livemode),
      notices.map((notice) => notice.type),
      notices.map((notice) => notice.atMs),
      notices.map((notice) => JSON.stringify(notice.detail)),
    ],
  });
}
