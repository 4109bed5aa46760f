// The statement that reads a delivery as a request is made of it: its event with the payload, and the hash of what was
// sent last. API role, inside asTenant, the tenant clause written all the same.
import { attemptsFrom } from "../../lib/id-bounds.ts";
import type { Executor } from "../../storage/pools.ts";

export interface SendableDeliveryRow {
  event_id: string;
  webhook_id: string;
  retention_class: number;
  attempt_count: number;
  type: string;
  livemode: boolean;
  sender_id: string | null;
  sent_timestamp: string | null;
  data: Buffer;
  context: Buffer | null;
  is_erased: boolean;
  /** SHA-256 of the body of the latest attempt; null when there was none. */
  last_body_hash: Buffer | null;
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
    text: `select d.event_id, d.webhook_id, d.retention_class, d.attempt_count, e.type, e.livemode, e.sender_id,
        e.sent_timestamp, e.data, e.context, e.erased_at is not null as is_erased, a.body_hash as last_body_hash
      from (
        select event_id, webhook_id, retention_class, attempt_count from delivery where tenant_id = $1 and id = $2
        union all
        select event_id, webhook_id, retention_class, attempt_count from dead_letter where tenant_id = $1 and id = $2
        union all
        select event_id, webhook_id, retention_class, attempt_count from cancelled_delivery
        where tenant_id = $1 and id = $2
        union all
        select event_id, webhook_id, retention_class, number from attempt
        where tenant_id = $1 and delivery_id = $2 and id >= $4 and ends_delivery and outcome = 'delivered'
      ) d
      join event e on e.tenant_id = $1 and e.retention_class = d.retention_class and e.id = d.event_id
        and e.livemode = $3
      left join lateral (
        select body_hash from attempt
        where tenant_id = $1 and delivery_id = $2 and id >= $4
        order by started_at desc, id desc
        limit 1
      ) a on true
      limit 1`,
    values: [tenantUuid, deliveryUuid, livemode, attemptsFrom(deliveryUuid)],
  });
  return rows[0] ?? null;
}
