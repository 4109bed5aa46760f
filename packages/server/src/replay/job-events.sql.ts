// Statements that find the events of replays by themselves, not by their deliveries. Engine role, or API role inside
// asTenant, the tenant clause written all the same. Not prepared by name: the bounds prune partitions at planning time, which needs the values.
import { highestUuid, type IdSpan, lowestUuid, millisecondsOfUuid } from "../lib/id-bounds.ts";
import type { Executor } from "../storage/pools.ts";

export interface StoredEventRow {
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

const COLUMNS =
  "e.id, e.retention_class, e.livemode, e.has_long_number, e.erased_at, e.type, e.sender_id, e.sent_timestamp, e.ordering_key, e.data, e.context";
const RETENTION_CLASSES = [7, 30, 90, 400, 3650];

/** All events of a span but those of snapshots, which are for one webhook only; oldest first, by primary key: a branch for each retention class. */
export async function selectEventsInSpan(
  db: Executor,
  tenantUuid: string,
  span: IdSpan,
  limit: number,
): Promise<StoredEventRow[]> {
  const branches = RETENTION_CLASSES.map(
    (days) => `(select ${COLUMNS} from event e
      where e.tenant_id = $1 and e.retention_class = ${days} and e.id >= $2 and e.id < $3 and e.snapshot_id is null
      order by e.id limit $4)`,
  );
  const { rows } = await db.query<StoredEventRow>({
    text: `select * from (${branches.join("\nunion all\n")}) found order by id limit $4`,
    values: [tenantUuid, span.fromUuid, span.beforeUuid, limit],
  });
  return rows;
}

/** Events with their payloads, by their whole primary keys. */
export async function selectEventsByKeys(
  db: Executor,
  tenantUuid: string,
  keys: readonly { readonly event_id: string; readonly retention_class: number }[],
): Promise<StoredEventRow[]> {
  const { rows } = await db.query<StoredEventRow>({
    text: `select ${COLUMNS}
      from unnest($2::uuid[], $3::int2[]) as k (id, retention_class)
      cross join lateral (
        select * from event where tenant_id = $1 and retention_class = k.retention_class and id = k.id limit 1
      ) e
      order by e.id`,
    values: [tenantUuid, keys.map((key) => key.event_id), keys.map((key) => key.retention_class)],
  });
  return rows;
}

/**
 * Those of these events (of one span of time) of which the webhook was ever owed a delivery, in whatever state. A delivery's
 * id carries its event's millisecond, so they lie in a narrow range of delivery's primary key, attempt_delivered,
 * dead_letter_webhook and cancelled_delivery_webhook; replays are found by the partial indexes `…_replayed`, and what is
 * still to be expanded in fan_out.
 */
export async function selectOwedEvents(
  db: Executor,
  tenantUuid: string,
  webhookUuid: string,
  eventUuids: readonly string[],
): Promise<Set<string>> {
  const times = eventUuids.map(millisecondsOfUuid);
  const lowest = lowestUuid(Math.min(...times));
  const highest = highestUuid(Math.max(...times));
  const places = [
    { from: "delivery t", id: "t.id" },
    { from: "dead_letter t", id: "t.id" },
    { from: "cancelled_delivery t", id: "t.id" },
    { from: "attempt t", id: "t.delivery_id", where: " and t.ends_delivery and t.outcome = 'delivered'" },
  ];
  const branches = places.flatMap(({ from, id, where = "" }) => [
    `select t.event_id from ${from}
     where t.tenant_id = $1 and t.webhook_id = $2 and ${id} between $4 and $5 and t.event_id = any ($3::uuid[])${where}`,
    `select t.event_id from ${from}
     where t.tenant_id = $1 and t.webhook_id = $2 and t.replayed and t.event_id = any ($3::uuid[])${where}`,
  ]);
  const { rows } = await db.query<{ event_id: string }>({
    text: `select distinct event_id from (
        ${branches.join("\nunion all\n")}
        union all
        select f.id from fan_out f where f.tenant_id = $1 and f.id = any ($3::uuid[]) and $2 = any (f.webhook_ids)
      ) owed`,
    values: [tenantUuid, webhookUuid, eventUuids, lowest, highest],
  });
  return new Set(rows.map((row) => row.event_id));
}
