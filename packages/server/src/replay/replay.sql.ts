// Statements that make new deliveries of a recorded event. API role, inside asTenant, the tenant clause written all
// the same.
import type { Executor } from "../storage/pools.ts";

export interface ReplayedEventRow {
  id: string;
  retention_class: number;
  livemode: boolean;
  has_long_number: boolean;
  erased_at: Date | null;
  type: string;
  sender_id: string | null;
  sent_timestamp: string | null;
  ordering_key: string | null;
  data: Buffer;
  context: Buffer | null;
}

const COLUMNS = `id, retention_class, livemode, has_long_number, erased_at, type, sender_id, sent_timestamp, ordering_key,
  data, context`;

/** The event by its own id, which prunes to a day; primary key in each class. */
export async function selectEventToReplay(
  db: Executor,
  tenantUuid: string,
  livemode: boolean,
  eventUuid: string,
): Promise<ReplayedEventRow | null> {
  const { rows } = await db.query<ReplayedEventRow>({
    name: "select_event_to_replay",
    text: `select ${COLUMNS} from event where tenant_id = $1 and id = $2 and livemode = $3`,
    values: [tenantUuid, eventUuid, livemode],
  });
  return rows[0] ?? null;
}

/** The newest event with this id of the sender's, by index event_sender_id. */
export async function selectEventToReplayBySenderId(
  db: Executor,
  tenantUuid: string,
  livemode: boolean,
  senderId: string,
): Promise<ReplayedEventRow | null> {
  const { rows } = await db.query<ReplayedEventRow>({
    name: "select_event_to_replay_by_sender_id",
    text: `select ${COLUMNS} from event
      where tenant_id = $1 and sender_id = $2 and livemode = $3
      order by id desc
      limit 1`,
    values: [tenantUuid, senderId, livemode],
  });
  return rows[0] ?? null;
}

/** A webhook's status, by primary key, locked against a change of status until this transaction ends. */
export async function lockWebhook(
  db: Executor,
  tenantUuid: string,
  livemode: boolean,
  webhookUuid: string,
): Promise<string | null> {
  const { rows } = await db.query<{ status: string }>({
    name: "lock_webhook_to_replay",
    text: `select status from webhook
      where tenant_id = $1 and id = $2 and livemode = $3 and status <> 'deleted'
      for share`,
    values: [tenantUuid, webhookUuid, livemode],
  });
  return rows[0]?.status ?? null;
}

export interface NewDelivery {
  readonly uuid: string;
  readonly webhookUuid: string;
  readonly orderingKey: string | null;
}

/**
 * Adds a delivery for each webhook that is enabled at this moment, in its current version. `handoff` has the owner of
 * the lane read them. Webhooks by primary key, locked as in lockWebhook.
 * @returns what was made; a webhook that is gone or disabled is left out
 */
export async function insertReplays(
  db: Executor,
  tenantUuid: string,
  event: Pick<ReplayedEventRow, "id" | "retention_class" | "livemode">,
  deliveries: readonly NewDelivery[],
  dueAt: string,
): Promise<{ id: string; webhook_id: string }[]> {
  const { rows } = await db.query<{ id: string; webhook_id: string }>({
    name: "insert_replays",
    text: `with wanted as (
        select w.id as webhook_id, w.version, w.lane, n.id, n.ordering_key
        from unnest($2::uuid[], $3::uuid[], $8::text[]) as n (id, webhook_id, ordering_key)
        join webhook w on w.tenant_id = $1 and w.id = n.webhook_id and w.livemode = $4 and w.status = 'enabled'
        for share of w
      )
      insert into delivery (tenant_id, id, event_id, webhook_id, seq, due_at, webhook_version, retention_class, lane,
        handoff, replayed, next_trigger, ordering_key)
      select $1, id, $5, webhook_id, nextval('delivery_seq'), $6, version, $7, lane, true, true, 'replay', ordering_key
      from wanted
      returning id, webhook_id`,
    values: [
      tenantUuid,
      deliveries.map((delivery) => delivery.uuid),
      deliveries.map((delivery) => delivery.webhookUuid),
      event.livemode,
      event.id,
      dueAt,
      event.retention_class,
      deliveries.map((delivery) => delivery.orderingKey),
    ],
  });
  return rows;
}

export interface NewReplay {
  readonly uuid: string;
  readonly eventUuid: string;
  readonly retentionClass: number;
  readonly orderingKey: string | null;
}

/**
 * Adds deliveries of many events to one webhook, in its current version and in the order given. The webhook is locked by
 * the caller (lockWebhook). Events by primary key; one that is gone or erased is left out.
 * @returns how many were made
 */
export async function insertReplaysOfWebhook(
  db: Executor,
  tenantUuid: string,
  webhookUuid: string,
  replays: readonly NewReplay[],
  dueAt: string,
): Promise<number> {
  const { rowCount } = await db.query({
    name: "insert_replays_of_webhook",
    text: `insert into delivery (tenant_id, id, event_id, webhook_id, seq, due_at, webhook_version, retention_class, lane,
        handoff, replayed, next_trigger, ordering_key)
      select $1, made.id, made.event_id, $2, nextval('delivery_seq'), $6::timestamptz, w.version, made.retention_class,
        w.lane, true, true, 'replay', made.ordering_key
      from (
        select n.id, n.event_id, n.retention_class, n.ordering_key
        from unnest($3::uuid[], $4::uuid[], $5::int2[], $7::text[]) with ordinality
          as n (id, event_id, retention_class, ordering_key, place)
        cross join lateral (
          select from event
          where tenant_id = $1 and retention_class = n.retention_class and id = n.event_id and erased_at is null
        ) e
        order by n.place
      ) made
      cross join webhook w
      where w.tenant_id = $1 and w.id = $2`,
    values: [
      tenantUuid,
      webhookUuid,
      replays.map((replay) => replay.uuid),
      replays.map((replay) => replay.eventUuid),
      replays.map((replay) => replay.retentionClass),
      dueAt,
      replays.map((replay) => replay.orderingKey),
    ],
  });
  return rowCount ?? 0;
}
