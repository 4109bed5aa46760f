// Statements about parked keys: keys of ordered webhooks whose first delivery is held until a person decides. API role,
// inside asTenant, the tenant clause written all the same.
import { keysReleased, noticesOfDeliveries } from "../storage/notices.sql.ts";
import type { Executor } from "../storage/pools.ts";
import { TALLIED_DEAD_LETTER_COLUMNS, tallyOfDeadLetters } from "../storage/tally.sql.ts";
import { makingDueOf } from "./retry.sql.ts";

export interface ParkedFilter {
  readonly webhookUuid: string | null;
  readonly orderingKey: string | null;
}

export interface ParkedKeyRow {
  id: string;
  event_id: string;
  webhook_id: string;
  webhook_name: string | null;
  retention_class: number;
  attempt_count: number;
  ordering_key: string;
  held_reason: string;
  held_at: Date | null;
  event_type: string | null;
  sender_id: string | null;
  reference: string | null;
  /** Counted up to MOST_WAITING. */
  waiting_count: number;
}

/** How far the deliveries behind a parked one are counted. */
export const MOST_WAITING = 10_000;

/**
 * What holds a key: of the held deliveries of a key the first. Few at any time, so delivery_key_held is read whole (of a
 * webhook where one is named), and what stands before each is found by delivery_ordered.
 */
function parked(tenantUuid: string, livemode: boolean, filter: ParkedFilter): { text: string; values: unknown[] } {
  const values: unknown[] = [tenantUuid, livemode];
  let clauses = "";
  if (filter.webhookUuid !== null) clauses += ` and d.webhook_id = $${values.push(filter.webhookUuid)}`;
  if (filter.orderingKey !== null) clauses += ` and d.ordering_key = $${values.push(filter.orderingKey)}`;
  return {
    text: `d.tenant_id = $1 and d.held_reason is not null and d.ordering_key is not null${clauses}
        and (select w.livemode from webhook w where w.tenant_id = $1 and w.id = d.webhook_id) = $2
        and not exists (
          select from delivery b
          where b.tenant_id = $1 and b.webhook_id = d.webhook_id and b.ordering_key = d.ordering_key and b.seq < d.seq
            and b.held_reason is not null
        )`,
    values,
  };
}

/** Newest first, with their events by primary key, and how many wait behind each by delivery_ordered. */
export async function selectParkedKeys(
  db: Executor,
  tenantUuid: string,
  livemode: boolean,
  filter: ParkedFilter,
  beforeUuid: string,
  limit: number,
): Promise<ParkedKeyRow[]> {
  const { text, values } = parked(tenantUuid, livemode, filter);
  const { rows } = await db.query<ParkedKeyRow>({
    text: `
select d.*, e.type as event_type, e.sender_id, e.reference,
  (select w.configuration ->> 'name' from webhook w where w.tenant_id = $1 and w.id = d.webhook_id) as webhook_name,
  (select count(*)::int4 from (
    select from delivery b
    where b.tenant_id = $1 and b.webhook_id = d.webhook_id and b.ordering_key = d.ordering_key and b.seq > d.seq
    limit ${MOST_WAITING}
  ) behind) as waiting_count
from (
  select d.id, d.event_id, d.webhook_id, d.seq, d.retention_class, d.attempt_count, d.ordering_key, d.held_reason, d.held_at
  from delivery d
  where ${text} and d.id < $${values.push(beforeUuid)}
  order by d.id desc
  limit $${values.push(limit)}
) d
left join lateral (
  select type, sender_id, reference from event e
  where e.tenant_id = $1 and e.retention_class = d.retention_class and e.id = d.event_id
  limit 1
) e on true
order by d.id desc`,
    values,
  });
  return rows;
}

/** How many keys are parked, counted up to `limit`. */
export async function countParkedKeys(
  db: Executor,
  tenantUuid: string,
  livemode: boolean,
  filter: ParkedFilter,
  limit: number,
): Promise<number> {
  const { text, values } = parked(tenantUuid, livemode, filter);
  const { rows } = await db.query<{ count: number }>({
    text: `select count(*)::int4 as count from (select from delivery d where ${text} limit $${values.push(limit)}) counted`,
    values,
  });
  return rows[0]?.count ?? 0;
}

/** The oldest that were parked before a time: what a release meets twice because it failed again is left alone. */
export async function selectParkedBefore(
  db: Executor,
  tenantUuid: string,
  livemode: boolean,
  filter: ParkedFilter,
  beforeMs: number,
  limit: number,
): Promise<{ id: string; webhook_id: string }[]> {
  const { text, values } = parked(tenantUuid, livemode, filter);
  const { rows } = await db.query<{ id: string; webhook_id: string }>({
    text: `select d.id, d.webhook_id from delivery d
      where ${text} and (d.held_at is null or d.held_at <= to_timestamp($${values.push(beforeMs)}::float8 / 1000))
      order by d.id
      limit $${values.push(limit)}`,
    values,
  });
  return rows;
}

/**
 * Gives up what holds a key, by primary key: it becomes a dead letter `skipped`, and the owner of the lane gets a notice,
 * so that the key goes on. Whoever deletes the row writes its terminal record.
 * @returns those that held a key until now
 */
export async function skipParked(
  db: Executor,
  tenantUuid: string,
  livemode: boolean,
  deliveryUuids: readonly string[],
  at: string,
): Promise<{ id: string; webhook_id: string }[]> {
  const { rows } = await db.query<{ id: string; webhook_id: string }>({
    name: "skip_parked",
    text: `with removed as (
        delete from delivery d
        where d.tenant_id = $1 and d.id = any ($2::uuid[]) and d.held_reason is not null and d.ordering_key is not null
          and (select w.livemode from webhook w where w.tenant_id = $1 and w.id = d.webhook_id) = $3
        returning d.tenant_id, d.id, d.event_id, d.webhook_id, d.seq, d.webhook_version, d.retention_class, d.lane,
          d.attempt_count, d.replayed, d.ordering_key, d.held_reason, d.coalesced_count
      ),
      dead as (
        insert into dead_letter (tenant_id, id, event_id, webhook_id, seq, dead_at, webhook_version, retention_class, lane,
          attempt_count, replayed, reason, ordering_key, coalesced_count)
        select tenant_id, id, event_id, webhook_id, seq, $4::timestamptz, webhook_version, retention_class, lane,
          attempt_count, replayed, 'skipped', ordering_key, coalesced_count
        from removed
        returning ${TALLIED_DEAD_LETTER_COLUMNS}, id, event_id, retention_class, reason, dead_at as at
      ),
      tallied as (
        ${tallyOfDeadLetters("dead", "added")}
      ),
      told as (
        insert into cancel_notice (tenant_id, delivery_id, webhook_id, lane)
        select tenant_id, id, webhook_id, lane from removed
        on conflict do nothing
      ),
      noted_dead as (
        ${noticesOfDeliveries("dead", "delivery.dead_lettered")}
      ),
      ${keysReleased("removed", "skipped", "$4::timestamptz")}
      select id, webhook_id from removed`,
    values: [tenantUuid, deliveryUuids, livemode, at],
  });
  return rows;
}

/** Those of these that are held fall due, as makeDueNow does with one. By primary key. */
export async function retryParked(
  db: Executor,
  tenantUuid: string,
  deliveryUuids: readonly string[],
  dueAt: string,
): Promise<{ id: string; webhook_id: string }[]> {
  const { rows } = await db.query<{ id: string; webhook_id: string }>({
    name: "retry_parked",
    text: `${makingDueOf("$2", "$3", "retried")} and held_reason is not null returning id, webhook_id`,
    values: [tenantUuid, deliveryUuids, dueAt],
  });
  return rows;
}

/** Those of the webhooks to which deliveries can be made, now or when resumed; by primary key, locked against a change. */
export async function lockReleasableWebhooks(
  db: Executor,
  tenantUuid: string,
  webhookUuids: readonly string[],
): Promise<string[]> {
  const { rows } = await db.query<{ id: string }>({
    name: "lock_releasable_webhooks",
    text: `select id from webhook
      where tenant_id = $1 and id = any ($2::uuid[]) and status in ('enabled', 'paused')
      order by id
      for share`,
    values: [tenantUuid, webhookUuids],
  });
  return rows.map((row) => row.id);
}

/** Why a delivery that holds no key does not: its state, and as a dead letter the reason. By primary keys. */
export async function selectDeadReason(db: Executor, tenantUuid: string, deliveryUuid: string): Promise<string | null> {
  const { rows } = await db.query<{ reason: string }>({
    name: "select_dead_reason",
    text: "select reason from dead_letter where tenant_id = $1 and id = $2",
    values: [tenantUuid, deliveryUuid],
  });
  return rows[0]?.reason ?? null;
}
