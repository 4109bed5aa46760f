// The statement that reads a delivery as a request is made of it: its event with the payload, and the hash of what was
// sent last. API role, inside asTenant, the tenant clause written all the same.
import { attemptsFrom } from "../../lib/id-bounds.ts";
import type { Executor } from "../../storage/pools.ts";

/** An event as a body is made of it. */
export interface SendableEventRow {
  event_id: string;
  retention_class: number;
  type: string;
  livemode: boolean;
  sender_id: string | null;
  sent_timestamp: string | null;
  data: Buffer;
  context: Buffer | null;
  is_erased: boolean;
}

export interface SendableDeliveryRow extends SendableEventRow {
  webhook_id: string;
  attempt_count: number;
  /** The stored batch that it goes or went in. */
  batch_id: string | null;
  /** `data` and `context` are what somebody put in the place of the event's own. */
  correction_id: string | null;
  /** SHA-256 of the body of the latest attempt; null when there was none. */
  last_body_hash: Buffer | null;
}

/** @param id of the delivery @param attemptsFrom the oldest attempt that it may have */
function inAnyState(id: string, oldestAttempt: string): string {
  const columns = "event_id, webhook_id, retention_class, batch_id";
  return `select ${columns}, attempt_count from delivery where tenant_id = $1 and id = ${id}
        union all
        select ${columns}, attempt_count from dead_letter where tenant_id = $1 and id = ${id}
        union all
        select ${columns}, attempt_count from cancelled_delivery where tenant_id = $1 and id = ${id}
        union all
        select ${columns}, number from attempt
        where tenant_id = $1 and delivery_id = ${id} and id >= ${oldestAttempt} and ends_delivery and outcome = 'delivered'`;
}

/**
 * A delivery in whatever state, by primary keys and attempt_delivery; the event by its whole primary key. An event's
 * mode is its deliveries'.
 */
export async function selectSendableDelivery(
  db: Executor,
  tenantUuid: string,
  livemode: boolean,
  deliveryUuid: string,
): Promise<SendableDeliveryRow | null> {
  const { rows } = await db.query<SendableDeliveryRow>({
    name: "select_sendable_delivery",
    text: `select d.event_id, d.webhook_id, d.retention_class, d.attempt_count, d.batch_id, e.type, e.livemode, e.sender_id,
        e.sent_timestamp, coalesce(c.data, e.data) as data, coalesce(c.context, e.context) as context,
        e.erased_at is not null as is_erased, c.id as correction_id, a.body_hash as last_body_hash
      from (${inAnyState("$2", "$4")}) d
      join event e on e.tenant_id = $1 and e.retention_class = d.retention_class and e.id = d.event_id
        and e.livemode = $3
      left join lateral (
        select body_hash from attempt
        where tenant_id = $1 and delivery_id = $2 and id >= $4
        order by started_at desc, id desc
        limit 1
      ) a on true
      left join lateral (
        select id, data, context from correction
        where tenant_id = $1 and delivery_id = $2
        order by correction.id desc
        limit 1
      ) c on true
      limit 1`,
    values: [tenantUuid, deliveryUuid, livemode, attemptsFrom(deliveryUuid)],
  });
  return rows[0] ?? null;
}

export interface SendableBatchRow extends SendableEventRow {
  kind: "batch" | "digest";
  created_ms: number;
  member_count: number;
}

/** The events of a stored batch in their order, whatever became of its members; fewer than its members when some are gone. */
export async function selectSendableBatch(
  db: Executor,
  tenantUuid: string,
  batchUuid: string,
): Promise<SendableBatchRow[]> {
  const { rows } = await db.query<SendableBatchRow>({
    name: "select_sendable_batch",
    text: `select b.kind, extract(epoch from b.created_at)::float8 * 1000 as created_ms,
        cardinality(b.member_ids) as member_count, d.event_id, d.retention_class, e.type, e.livemode, e.sender_id,
        e.sent_timestamp, e.data, e.context, e.erased_at is not null as is_erased
      from batch b
      cross join lateral unnest(b.member_ids) with ordinality as m (id, place)
      cross join lateral (select * from (${inAnyState("m.id", "$3")}) found limit 1) d
      join event e on e.tenant_id = $1 and e.retention_class = d.retention_class and e.id = d.event_id
      where b.tenant_id = $1 and b.id = $2
      order by m.place`,
    values: [tenantUuid, batchUuid, attemptsFrom(batchUuid)],
  });
  return rows;
}
