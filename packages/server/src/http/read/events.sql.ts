// Statements that read events back. API role, inside asTenant, the tenant clause written all the same.
// Lists are not prepared by name: their partitions are pruned by the bounds at planning time, which needs the values.
import type { Executor } from "../../storage/pools.ts";
import type { IdSpan } from "../../lib/id-bounds.ts";

export interface EventHeadRow {
  id: string;
  retention_class: number;
  config_version: number;
  delivery_count: number;
  livemode: boolean;
  type: string;
  sender_id: string | null;
  sent_timestamp: string | null;
  reference: string | null;
  ordering_key: string | null;
  erased_at: Date | null;
}

const HEAD = `id, retention_class, config_version, delivery_count, livemode, type, sender_id, sent_timestamp, reference,
  ordering_key, erased_at`;
/** All that a tenant can have; a class without partitions costs nothing. */
const RETENTION_CLASSES = [7, 30, 90, 400, 3650];

/** One event by its own id, which prunes to a day; primary key in each class. */
export async function selectEvent(
  db: Executor,
  tenantUuid: string,
  livemode: boolean,
  eventUuid: string,
): Promise<EventHeadRow | null> {
  const { rows } = await db.query<EventHeadRow>({
    name: "select_event",
    text: `select ${HEAD} from event where tenant_id = $1 and id = $2 and livemode = $3`,
    values: [tenantUuid, eventUuid, livemode],
  });
  return rows[0] ?? null;
}

/** The newest event with this id of the sender's, by index event_sender_id. */
export async function selectEventBySenderId(
  db: Executor,
  tenantUuid: string,
  livemode: boolean,
  senderId: string,
): Promise<EventHeadRow | null> {
  const { rows } = await db.query<EventHeadRow>({
    name: "select_event_by_sender_id",
    text: `select ${HEAD} from event
      where tenant_id = $1 and sender_id = $2 and livemode = $3
      order by id desc
      limit 1`,
    values: [tenantUuid, senderId, livemode],
  });
  return rows[0] ?? null;
}

export interface PayloadRow {
  data: Buffer;
  context: Buffer | null;
}

/** An event's payload as it was received, by primary key. */
export async function selectPayload(
  db: Executor,
  tenantUuid: string,
  retentionClass: number,
  eventUuid: string,
): Promise<PayloadRow | null> {
  const { rows } = await db.query<PayloadRow>({
    name: "select_payload",
    text: "select data, context from event where tenant_id = $1 and retention_class = $2 and id = $3",
    values: [tenantUuid, retentionClass, eventUuid],
  });
  return rows[0] ?? null;
}

export interface EventFilter {
  /** An event type, or a prefix that ends in a full stop when `isPrefix`. */
  readonly type: { readonly text: string; readonly isPrefix: boolean } | null;
  readonly reference: string | null;
}

/**
 * Events of a span, newest first. With an exact type or a reference from event_type_time or event_reference, which hold
 * them in the order of ids over all classes; that no class is named keeps the planner from reading the primary key
 * instead and throwing rows away. Otherwise one branch per retention class: within a class the primary key
 * (tenant_id, retention_class, id) is in the order asked for, so each branch stops at its limit.
 */
export async function selectEvents(
  db: Executor,
  tenantUuid: string,
  livemode: boolean,
  filter: EventFilter,
  span: IdSpan,
  limit: number,
): Promise<EventHeadRow[]> {
  const values: unknown[] = [tenantUuid, livemode, span.fromUuid, span.beforeUuid, limit];
  let clauses = "";
  if (filter.type !== null) {
    values.push(filter.type.text);
    clauses += filter.type.isPrefix ? ` and starts_with(type, $${values.length})` : ` and type = $${values.length}`;
  }
  if (filter.reference !== null) {
    values.push(filter.reference);
    clauses += ` and reference = $${values.length}`;
  }
  const isIndexed = filter.reference !== null || filter.type?.isPrefix === false;
  const branches = (isIndexed ? [""] : RETENTION_CLASSES.map((days) => ` and retention_class = ${days}`)).map(
    (ofClass) => `(select ${HEAD} from event
      where tenant_id = $1${ofClass} and livemode = $2 and id >= $3 and id < $4${clauses}
      order by id desc
      limit $5)`,
  );
  const { rows } = await db.query<EventHeadRow>({
    // In parentheses a single branch may not be ordered once more.
    text: isIndexed ? branches.join("") : `${branches.join("\nunion all\n")}\norder by id desc\nlimit $5`,
    values,
  });
  return rows;
}

/** Events by id, newest first, by primary key; of the mode, and those that retention has not dropped. */
export async function selectEventHeads(
  db: Executor,
  tenantUuid: string,
  livemode: boolean,
  keys: readonly { readonly event_id: string; readonly retention_class: number }[],
): Promise<EventHeadRow[]> {
  const { rows } = await db.query<EventHeadRow>({
    text: `select e.*
      from unnest($3::uuid[], $4::int2[]) as k (event_id, retention_class)
      cross join lateral (
        select ${HEAD} from event
        where tenant_id = $1 and livemode = $2 and retention_class = k.retention_class and id = k.event_id
      ) e
      order by e.id desc`,
    values: [tenantUuid, livemode, keys.map((key) => key.event_id), keys.map((key) => key.retention_class)],
  });
  return rows;
}
