// Statements that make a delivery due now. API role, inside asTenant, the tenant clause written all the same.
import { attemptsFrom } from "../lib/id-bounds.ts";
import type { Executor } from "../storage/pools.ts";
import { keysReleased } from "../storage/notices.sql.ts";
import { tallyOfDeadLetters } from "../storage/tally.sql.ts";

/**
 * Dead letters of tenant `$1` become the pending deliveries that they were; their webhooks' figures take them back.
 * @param condition which of them
 * @param dueAt the parameter that says when they are due
 */
export function revivalOf(condition: string, dueAt: string): string {
  return `with removed as (
        delete from dead_letter
        where tenant_id = $1 and ${condition}
        returning tenant_id, id, event_id, webhook_id, seq, dead_at, webhook_version, retention_class, lane,
          attempt_count, replayed, ordering_key, batch_id, coalesced_count
      ),
      tallied as (
        ${tallyOfDeadLetters("removed", "taken_back")}
      )
      insert into delivery (tenant_id, id, event_id, webhook_id, seq, due_at, webhook_version, retention_class, lane,
        attempt_count, policy_attempt_base, handoff, replayed, next_trigger, ordering_key,
        batch_id, coalesced_count)
      select tenant_id, id, event_id, webhook_id, seq, ${dueAt}::timestamptz, webhook_version, retention_class, lane,
        attempt_count, attempt_count, true, replayed, 'manual', ordering_key, batch_id,
        coalesced_count
      from removed`;
}

/**
 * The ids, and with each member of a batch the whole batch: it goes as one. By primary keys.
 * @param table where the deliveries are
 * @param ids a parameter with their ids
 */
export function withTheirBatches(table: "delivery" | "dead_letter", ids: string): string {
  // One list, so that the index finds them; who left a batch meanwhile is not meant.
  return `id = any (array(
          select unnest(${ids}::uuid[])
          union
          select unnest(b.member_ids) from batch b
          where b.tenant_id = $1 and b.id = any (array(
            select member.batch_id from ${table} member
            where member.tenant_id = $1 and member.id = any (${ids}::uuid[]) and member.batch_id is not null
          ))
        )) and (batch_id is not null or id = any (${ids}::uuid[]))`;
}

export interface WebhookOfDelivery {
  webhook_id: string;
  status: string;
  /** A reason of the delivery's own: resuming the webhook does not let it go. */
  is_held: boolean;
}

/**
 * The webhook of a pending delivery or a dead letter, by primary keys, locked against a change of status until this
 * transaction ends: a webhook that is disabled meanwhile finds the delivery among its pending ones, or not yet due.
 */
export async function lockWebhookOfDelivery(
  db: Executor,
  tenantUuid: string,
  livemode: boolean,
  deliveryUuid: string,
): Promise<WebhookOfDelivery | null> {
  const { rows } = await db.query<WebhookOfDelivery>({
    name: "lock_webhook_of_delivery",
    text: `select w.id as webhook_id, w.status,
        exists (select from delivery where tenant_id = $1 and id = $3 and held_reason is not null) as is_held
      from webhook w
      where w.tenant_id = $1 and w.livemode = $2 and w.id = any (array(
        select webhook_id from delivery where tenant_id = $1 and id = $3
        union all
        select webhook_id from dead_letter where tenant_id = $1 and id = $3
      ))
      for share`,
    values: [tenantUuid, livemode, deliveryUuid],
  });
  return rows[0] ?? null;
}

/**
 * These deliveries fall due, pending or held, with the batches that they are in; their owners are told by `handoff`, and
 * for keys that were parked it is noted that they go on.
 * @param ids a parameter with their ids @param dueAt one that says when
 */
export function makingDueOf(ids: string, dueAt: string, how: "retried" | "corrected", also = ""): string {
  return `with held as (
        select tenant_id, id, event_id, webhook_id, retention_class, ordering_key, held_reason from delivery
        where tenant_id = $1 and id = any (${ids}::uuid[]) and held_reason is not null and ordering_key is not null
        for update
      ),
      ${keysReleased("held", how, `${dueAt}::timestamptz`)}
      update delivery
      set due_at = ${dueAt}, held_reason = null, held_at = null, next_trigger = 'manual', handoff = true${also},
        -- What used up its attempts begins its policy anew, as a dead letter does.
        policy_attempt_base = case when held_reason = 'key_parked' then attempt_count else policy_attempt_base end
      where tenant_id = $1 and ${withTheirBatches("delivery", ids)}`;
}

/** @returns false when it is not pending (any more) */
export async function makeDueNow(
  db: Executor,
  tenantUuid: string,
  deliveryUuid: string,
  dueAt: string,
): Promise<boolean> {
  const { rowCount } = await db.query({
    name: "make_due_now",
    text: makingDueOf("$2", "$3", "retried"),
    values: [tenantUuid, [deliveryUuid], dueAt],
  });
  return (rowCount ?? 0) > 0;
}

/**
 * A dead letter becomes the pending delivery that it was: same id, attempts counted on, the policy from its start.
 * Whoever deletes the terminal record writes the delivery, so two at once make one. Of a batch all members come back.
 * @returns false when there is no such dead letter (any more)
 */
export async function reviveDeadLetter(
  db: Executor,
  tenantUuid: string,
  deliveryUuid: string,
  dueAt: string,
): Promise<boolean> {
  const { rowCount } = await db.query({
    name: "revive_dead_letter",
    text: revivalOf(withTheirBatches("dead_letter", "$2"), "$3"),
    values: [tenantUuid, [deliveryUuid], dueAt],
  });
  return (rowCount ?? 0) > 0;
}

/**
 * What a delivery is that could not be retried; mode by its webhook. Attempts by attempt_delivery, the rest by primary
 * keys. `pending` and `dead_letter` are seen here when it changed between two statements.
 */
export async function selectState(
  db: Executor,
  tenantUuid: string,
  livemode: boolean,
  deliveryUuid: string,
): Promise<string | null> {
  const { rows } = await db.query<{ state: string }>({
    name: "select_delivery_state",
    text: `select found.state
      from (
        select 'pending' as state, webhook_id from delivery where tenant_id = $1 and id = $2
        union all
        select 'dead_letter', webhook_id from dead_letter where tenant_id = $1 and id = $2
        union all
        select 'delivered', webhook_id from attempt
        where tenant_id = $1 and delivery_id = $2 and id >= $4 and ends_delivery and outcome = 'delivered'
        union all
        select 'cancelled', webhook_id from cancelled_delivery where tenant_id = $1 and id = $2
      ) found
      join webhook w on w.tenant_id = $1 and w.id = found.webhook_id and w.livemode = $3
      limit 1`,
    values: [tenantUuid, deliveryUuid, livemode, attemptsFrom(deliveryUuid)],
  });
  return rows[0]?.state ?? null;
}
