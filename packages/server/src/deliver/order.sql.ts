// Statements that read ordered webhooks: their keys, and the first deliveries of a key in the order of `seq`. Engine role.
import { textArray, timestamptzArray, uuidArray } from "../lib/binary-arrays.ts";
import type { Executor } from "../storage/pools.ts";
import { type DueRow, LATEST_CORRECTION } from "./deliver.sql.ts";

export interface KeyRequest {
  readonly tenantBytes: Uint8Array;
  readonly webhookBytes: Uint8Array;
  readonly key: string;
}

export interface KeyedRow extends DueRow {
  /** Which of the requests it belongs to, from 1. */
  place: number;
  /** Milliseconds since 1970; null: held. */
  due_ms: number | null;
}

/**
 * The first deliveries of each key, due or not, oldest first; their events only where they are due. Index
 * delivery_ordered gives one range for each key; the event is found by its whole primary key, so one partition.
 */
export async function selectFirstOfKeys(
  db: Executor,
  requests: readonly KeyRequest[],
  rowsPerKey: number,
  dueBeforeMs: number,
): Promise<KeyedRow[]> {
  const result = await db.query<KeyedRow>({
    name: "select_first_of_keys",
    text: `
select r.place::int4 as place, case when d.due_at < 'infinity' then extract(epoch from d.due_at)::float8 * 1000 end as due_ms,
  d.tenant_id, d.id, d.event_id, d.webhook_id, d.attempt_count, d.policy_attempt_base, d.retention_class, d.replayed,
  d.next_trigger, d.batch_id, d.coalesced_count, d.ordering_key, e.type, e.livemode, e.sender_id, e.sent_timestamp,
  coalesce(c.data, e.data) as data, coalesce(c.context, e.context) as context, e.trace_context, c.id as correction_id
from unnest($1::uuid[], $2::uuid[], $3::text[]) with ordinality as r (tenant_id, webhook_id, ordering_key, place)
cross join lateral (
  select * from delivery
  where delivery.tenant_id = r.tenant_id and delivery.webhook_id = r.webhook_id
    and delivery.ordering_key = r.ordering_key
  order by delivery.seq
  limit $4
) d
left join lateral (
  select type, livemode, sender_id, sent_timestamp, data, context, trace_context from event
  where event.tenant_id = d.tenant_id and event.retention_class = d.retention_class and event.id = d.event_id
    and d.due_at <= ($5::timestamptz[])[1]
  limit 1
) e on true${LATEST_CORRECTION}
order by r.place, d.seq`,
    values: [
      uuidArray(requests.map((request) => request.tenantBytes)),
      uuidArray(requests.map((request) => request.webhookBytes)),
      textArray(requests.map((request) => request.key)),
      rowsPerKey,
      timestamptzArray([dueBeforeMs]),
    ],
  });
  return result.rows;
}

/**
 * Keys of a webhook that have deliveries, in their own order: a loose scan over delivery_ordered, one probe for each key.
 * @param after the last key of the page before; null for the first page
 */
export async function selectKeys(
  db: Executor,
  webhook: Omit<KeyRequest, "key">,
  after: string | null,
  limit: number,
): Promise<string[]> {
  const result = await db.query<{ ordering_key: string }>({
    name: after === null ? "select_first_keys" : "select_next_keys",
    text: `
with recursive found (ordering_key, place) as (
  (
    select delivery.ordering_key, 1 from delivery
    where delivery.tenant_id = $1::uuid and delivery.webhook_id = $2::uuid
      and delivery.ordering_key ${after === null ? ">= ''" : "> $4::text"}
    order by delivery.ordering_key limit 1
  )
  union all
  select next.ordering_key, found.place + 1 from found
  cross join lateral (
    select delivery.ordering_key from delivery
    where delivery.tenant_id = $1::uuid and delivery.webhook_id = $2::uuid
      and delivery.ordering_key > found.ordering_key
    order by delivery.ordering_key limit 1
  ) next
  where found.place < $3
)
select ordering_key from found`,
    values: [webhook.tenantBytes, webhook.webhookBytes, limit, ...(after === null ? [] : [after])],
  });
  return result.rows.map((row) => row.ordering_key);
}
