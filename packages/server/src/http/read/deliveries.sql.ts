// Statements that read deliveries back, wherever they are: pending in `delivery`, otherwise in their terminal record
// (a delivered attempt, a dead letter, a cancelled delivery). One statement reads all four, so that a delivery that
// changes state meanwhile is seen once. API role, inside asTenant, the tenant clause written all the same.
import type { AttemptWarning } from "../../manage/response-fields.ts";
import type { StoredConfiguration } from "../../manage/webhook-configuration.ts";
import type { Executor } from "../../storage/pools.ts";
import { attemptsFrom, highestUuid, type IdSpan, lowestUuid, millisecondsOfUuid } from "../../lib/id-bounds.ts";

export const DELIVERY_STATES = ["pending", "delivered", "dead_letter", "cancelled"] as const;
/** What can be asked for: a held one is a pending one that waits for something else than its time. */
export const ASKED_STATES = [...DELIVERY_STATES, "held"] as const;
export type DeliveryState = (typeof ASKED_STATES)[number];

export interface DeliveryRow {
  id: string;
  event_id: string;
  webhook_id: string;
  retention_class: number;
  webhook_version: number;
  attempt_count: number;
  policy_attempt_base: number;
  replayed: boolean;
  /** The batch that it goes or went in. */
  batch_id: string | null;
  /** The first member of that batch: its times are those of all. Of one delivery only. */
  batch_lead_id?: string | null;
  /** Of one that was superseded: the delivery that was sent in its place. */
  superseded_by: string | null;
  state: DeliveryState;
  /** When it is due, when it ended, or until when its endpoint is given a rest; null while held for another reason. */
  at: Date | null;
  /** Why it is held, dead or cancelled. */
  reason: string | null;
}

export interface ListedDeliveryRow extends DeliveryRow {
  event_type: string;
  reference: string | null;
  sender_id: string | null;
}

/** Where a state is stored, and its columns in the shape of DeliveryRow. */
interface Source {
  readonly from: string;
  readonly id: string;
  readonly columns: string;
  /** Which rows of the table are such deliveries. */
  readonly where: string;
  /** True when the primary key begins with tenant and retention class, so that order by id needs the class. */
  readonly byClass: boolean;
}

const SHARED = "t.event_id, t.webhook_id, t.retention_class, t.webhook_version, t.batch_id";
/** Pausing a webhook writes nothing into its deliveries, of which there may be millions: its status holds them. */
const PAUSED = "exists (select from webhook w where w.tenant_id = $1 and w.id = t.webhook_id and w.status = 'paused')";
/**
 * Neither does an open breaker: what falls due before its next probe waits for it. The time of that probe, by primary key.
 */
const REST = `(select h.open_until from webhook_health h
      where h.tenant_id = $1 and h.webhook_id = t.webhook_id and h.phase = 'open' and h.open_until > t.due_at
        and h.open_until > clock_timestamp())`;
const HELD = `(t.held_reason is not null or ${PAUSED} or ${REST} is not null)`;
const WHY_AT_REST = `(select case h.open_reason when 'throttled' then 'throttled' else 'breaker_open' end
      from webhook_health h where h.tenant_id = $1 and h.webhook_id = t.webhook_id)`;
const PENDING: Source = {
  from: "delivery t",
  id: "t.id",
  columns: `t.id, ${SHARED}, t.attempt_count, t.policy_attempt_base, t.replayed,
      null::uuid as superseded_by, case when ${HELD} then 'held' else 'pending' end as state, case
        when not ${HELD} then t.due_at
        when t.held_reason is null and not ${PAUSED} then ${REST}
      end as at,
      case when ${HELD} then coalesce(t.held_reason, case when ${PAUSED} then 'paused' end, ${WHY_AT_REST}) end as reason`,
  where: "true",
  byClass: false,
};
const SOURCES: Readonly<Record<DeliveryState, Source>> = {
  /** The held ones among them; they say so themselves. */
  pending: PENDING,
  held: { ...PENDING, where: HELD },
  delivered: {
    from: "attempt t",
    id: "t.delivery_id",
    columns: `t.delivery_id as id, ${SHARED}, t.number as attempt_count, 0::smallint as policy_attempt_base, t.replayed,
      null::uuid as superseded_by, 'delivered' as state, t.started_at + t.duration_ms * interval '1 millisecond' as at, null as reason`,
    where: "t.ends_delivery and t.outcome = 'delivered'",
    byClass: false,
  },
  dead_letter: {
    from: "dead_letter t",
    id: "t.id",
    columns: `t.id, ${SHARED}, t.attempt_count, 0::smallint as policy_attempt_base, t.replayed,
      null::uuid as superseded_by, 'dead_letter' as state,
      t.dead_at as at, t.reason`,
    where: "true",
    byClass: true,
  },
  cancelled: {
    from: "cancelled_delivery t",
    id: "t.id",
    columns: `t.id, ${SHARED}, t.attempt_count, 0::smallint as policy_attempt_base, t.replayed,
      t.superseded_by, 'cancelled' as state,
      t.cancelled_at as at, t.reason`,
    where: "true",
    byClass: true,
  },
};

const RETENTION_CLASSES = [7, 30, 90, 400, 3650];

export interface DeliveryFilter {
  readonly states: readonly DeliveryState[];
  readonly webhookUuid: string | null;
  readonly type: { readonly text: string; readonly isPrefix: boolean } | null;
  /** Of the event. */
  readonly reference?: string | null;
  /** Of a dead letter. */
  readonly deadReason?: string | null;
}

/** The mode is the webhook's: primary key of webhook, as a scalar so that the order of the outer index is kept. */
const MODE = "(select w.livemode from webhook w where w.tenant_id = $1 and w.id = t.webhook_id)";
const EVENT_OF_ROW = "e.tenant_id = $1 and e.retention_class = t.retention_class and e.id = t.event_id";
/** What to call a row's event. The limit is a fence: without it the planner hashes all events for a page of fifty. */
const NAMED_EVENT = `left join lateral (
      select e.type as event_type, e.reference, e.sender_id from event e where ${EVENT_OF_ROW} limit 1
    ) e on true`;

/**
 * Deliveries of a span, newest first, with what to call their events. `delivery`, `dead_letter` and
 * `cancelled_delivery` are read from their primary keys (a branch per retention class), delivered attempts from
 * attempt_delivery, or with a webhook from attempt_delivered and dead_letter_webhook.
 * Not prepared by name: the bounds prune partitions at planning time, which needs the values.
 */
export async function selectDeliveries(
  db: Executor,
  tenantUuid: string,
  livemode: boolean,
  filter: DeliveryFilter,
  span: IdSpan,
  limit: number,
): Promise<ListedDeliveryRow[]> {
  const values: unknown[] = [tenantUuid, livemode, span.fromUuid, span.beforeUuid, limit];
  // $6 of the branch for attempts; PostgreSQL refuses a parameter that no branch uses.
  if (filter.states.includes("delivered")) values.push(attemptsFrom(span.fromUuid));
  let clauses = ` and ${MODE} = $2`;
  if (filter.webhookUuid !== null) {
    values.push(filter.webhookUuid);
    clauses += ` and t.webhook_id = $${values.length}`;
  }
  if (filter.type !== null) {
    values.push(filter.type.text);
    const type = `(select e.type from event e where ${EVENT_OF_ROW})`;
    clauses += filter.type.isPrefix
      ? ` and starts_with(${type}, $${values.length})`
      : ` and ${type} = $${values.length}`;
  }
  if (filter.reference !== undefined && filter.reference !== null) {
    values.push(filter.reference);
    clauses += ` and (select e.reference from event e where ${EVENT_OF_ROW}) = $${values.length}`;
  }
  if (filter.deadReason !== undefined && filter.deadReason !== null) {
    values.push(filter.deadReason);
    clauses += ` and t.reason = $${values.length}`;
  }
  const branches = filter.states.flatMap((state) => branchesOf(state, clauses));
  return withEvents(db, branches, values);
}

function branchesOf(state: DeliveryState, clauses: string): string[] {
  const source = SOURCES[state];
  const pruned = state === "delivered" ? " and t.id >= $6" : "";
  const branch = (ofClass: string) => `(select ${source.columns} from ${source.from}
    where t.tenant_id = $1${ofClass} and ${source.id} >= $3 and ${source.id} < $4${pruned} and ${source.where}${clauses}
    order by ${source.id} desc
    limit $5)`;
  return source.byClass ? RETENTION_CLASSES.map((days) => branch(` and t.retention_class = ${days}`)) : [branch("")];
}

async function withEvents(db: Executor, branches: string[], values: unknown[]): Promise<ListedDeliveryRow[]> {
  const { rows } = await db.query<ListedDeliveryRow>({
    text: `select t.*, e.event_type, e.reference, e.sender_id
      from (select * from (${branches.join("\nunion all\n")}) branch order by id desc limit $5) t
      ${NAMED_EVENT}
      order by t.id desc`,
    values,
  });
  return rows;
}

/** An event whose deliveries are wanted. */
export interface EventKey {
  readonly uuid: string;
  readonly retentionClass: number;
}

/**
 * Deliveries of some events, newest first. A delivery's id carries the millisecond of its event, so they lie in a
 * narrow range of each primary key (of attempt_delivery for attempts); replays carry their own time and are found by
 * the partial indexes `…_replayed`.
 */
export async function selectDeliveriesOfEvents(
  db: Executor,
  tenantUuid: string,
  events: readonly EventKey[],
  filter: Pick<DeliveryFilter, "states" | "webhookUuid">,
  span: IdSpan,
  limit: number,
): Promise<DeliveryRow[]> {
  const times = events.map((event) => millisecondsOfUuid(event.uuid));
  const { rows } = await db.query<DeliveryRow>({
    text: `select t.*
      from unnest($2::uuid[], $3::int2[], $4::uuid[], $5::uuid[], $6::uuid[])
        as w (event_id, retention_class, lowest, highest, attempts_from)
      cross join lateral (${filter.states.flatMap(branchesOfEvent).join("\nunion all\n")}) t
      where t.id >= $7 and t.id < $8 and ($9::uuid is null or t.webhook_id = $9)
      order by t.id desc
      limit $10`,
    values: [
      tenantUuid,
      events.map((event) => event.uuid),
      events.map((event) => event.retentionClass),
      times.map(lowestUuid),
      times.map(highestUuid),
      events.map((event) => attemptsFrom(event.uuid)),
      span.fromUuid,
      span.beforeUuid,
      filter.webhookUuid,
      limit,
    ],
  });
  return rows;
}

function branchesOfEvent(state: DeliveryState): string[] {
  const { columns, from, id, where } = SOURCES[state];
  const ofClass = from === PENDING.from ? "" : " and t.retention_class = w.retention_class";
  const pruned = state === "delivered" ? " and t.id >= w.attempts_from" : "";
  const common = `select ${columns} from ${from}
    where t.tenant_id = $1 and t.event_id = w.event_id${ofClass}${pruned} and ${where}`;
  const beside = `${id} between w.lowest and w.highest`;
  return [`${common} and ${beside}`, `${common} and t.replayed and not (${beside})`];
}

/** One delivery in whatever state, by primary keys and attempt_delivery. */
export async function selectDelivery(
  db: Executor,
  tenantUuid: string,
  livemode: boolean,
  deliveryUuid: string,
): Promise<ListedDeliveryRow | null> {
  const branches = DELIVERY_STATES.map((state) => {
    const { columns, from, id, where } = SOURCES[state];
    const pruned = state === "delivered" ? " and t.id >= $4" : "";
    return `select ${columns} from ${from}
      where t.tenant_id = $1 and ${id} = $3${pruned} and ${where} and ${MODE} = $2`;
  });
  const { rows } = await db.query<ListedDeliveryRow>({
    name: "select_delivery",
    text: `select t.*, e.event_type, e.reference, e.sender_id,
        (select b.member_ids[1] from batch b where b.tenant_id = $1 and b.id = t.batch_id) as batch_lead_id
      from (${branches.join("\nunion all\n")}) t
      ${NAMED_EVENT}`,
    values: [tenantUuid, livemode, deliveryUuid, attemptsFrom(deliveryUuid)],
  });
  return rows[0] ?? null;
}

export interface AttemptRow {
  id: string;
  number: number;
  trigger: string;
  started_at: Date;
  next_attempt_at: Date | null;
  duration_ms: number;
  dns_ms: number | null;
  connect_ms: number | null;
  tls_ms: number | null;
  first_byte_ms: number | null;
  body_length: number;
  webhook_version: number;
  response_status: number | null;
  ends_delivery: boolean;
  /** The batch that went. */
  batch_id: string | null;
  is_digest: boolean;
  response_truncated: boolean;
  outcome: string;
  outcome_code: string | null;
  url: string;
  address: string | null;
  body_hash: Buffer | null;
  response_headers: string | null;
  response_body: Buffer | null;
  warnings: readonly AttemptWarning[] | null;
  /** What rules took out of the answer. */
  extracted: Readonly<Record<string, string>> | null;
  /** What was sent in the place of the event's own payload. */
  correction_id: string | null;
}

/** What somebody put in the place of the event's own payload. */
export interface CorrectionRow {
  id: string;
  corrected_at: Date;
  corrected_by: string;
  note: string | null;
  changed: string[];
}

/** The deliveries that a batch was stored with, by primary key. */
export async function selectBatchMemberIds(db: Executor, tenantUuid: string, batchUuid: string): Promise<string[]> {
  const { rows } = await db.query<{ member_ids: string[] }>({
    name: "select_batch_member_ids",
    text: "select member_ids from batch where tenant_id = $1 and id = $2",
    values: [tenantUuid, batchUuid],
  });
  return rows[0]?.member_ids ?? [];
}

/** The corrections of one delivery, latest first, by primary key. */
export async function selectCorrections(
  db: Executor,
  tenantUuid: string,
  deliveryUuid: string,
): Promise<CorrectionRow[]> {
  const { rows } = await db.query<CorrectionRow>({
    name: "select_corrections",
    text: `select id, corrected_at, corrected_by, note, changed from correction
      where tenant_id = $1 and delivery_id = $2
      order by id desc limit 100`,
    values: [tenantUuid, deliveryUuid],
  });
  return rows;
}

/** The attempts of one delivery in their order, by index attempt_delivery. */
export async function selectAttempts(db: Executor, tenantUuid: string, deliveryUuid: string): Promise<AttemptRow[]> {
  const { rows } = await db.query<AttemptRow>({
    name: "select_attempts",
    text: `select id, number, trigger, started_at, next_attempt_at, duration_ms, dns_ms, connect_ms, tls_ms,
        first_byte_ms, body_length, webhook_version, response_status, ends_delivery, response_truncated, outcome,
        outcome_code, url, address, body_hash, response_headers, response_body, warnings, extracted, correction_id,
        batch_id, coalesce((select b.kind = 'digest' from batch b where b.tenant_id = $1 and b.id = batch_id), false) as is_digest
      from attempt
      where tenant_id = $1 and delivery_id = $2 and id >= $3
      order by started_at, id`,
    values: [tenantUuid, deliveryUuid, attemptsFrom(deliveryUuid)],
  });
  return rows;
}

/** A delivery's latest attempt, as lists show it. */
export interface LatestAttemptRow {
  delivery_id: string;
  started_at: Date;
  duration_ms: number;
  response_status: number | null;
  response_truncated: boolean;
  outcome: string;
  outcome_code: string | null;
  response_body: Buffer | null;
}

/** The latest attempt of each delivery that has one, by index attempt_delivery. */
export async function selectLatestAttempts(
  db: Executor,
  tenantUuid: string,
  deliveryUuids: readonly string[],
): Promise<LatestAttemptRow[]> {
  const { rows } = await db.query<LatestAttemptRow>({
    text: `select a.*
      from unnest($2::uuid[], $3::uuid[]) as d (delivery_id, attempts_from)
      cross join lateral (
        select delivery_id, started_at, duration_ms, response_status, response_truncated, outcome, outcome_code,
          response_body
        from attempt
        where tenant_id = $1 and delivery_id = d.delivery_id and id >= d.attempts_from
        order by number desc, ends_delivery desc, id desc
        limit 1
      ) a`,
    values: [tenantUuid, deliveryUuids, deliveryUuids.map(attemptsFrom)],
  });
  return rows;
}

/** What a webhook says now and said in the versions that its attempts used; by primary keys. */
export async function selectConfigurations(
  db: Executor,
  tenantUuid: string,
  webhookUuid: string,
  versions: readonly number[],
): Promise<{ version: number; configuration: StoredConfiguration; is_current: boolean; status: string }[]> {
  const { rows } = await db.query<{
    version: number;
    configuration: StoredConfiguration;
    is_current: boolean;
    status: string;
  }>({
    name: "select_configurations_of_attempts",
    text: `select v.version, v.configuration, v.version = w.version as is_current, w.status
      from webhook w
      join webhook_version v on v.tenant_id = w.tenant_id and v.webhook_id = w.id
      where w.tenant_id = $1 and w.id = $2 and (v.version = w.version or v.version = any ($3))`,
    values: [tenantUuid, webhookUuid, versions],
  });
  return rows;
}
