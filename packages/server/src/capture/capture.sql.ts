// The one statement that captures: events, their idempotency keys and their deliveries, or nothing. Engine role.
import { boolArray, int2Array, int4Array, int8Array, packBytes, textArray, uuidArray } from "../lib/binary-arrays.ts";
import { FENCE, type NodeIdentity } from "../storage/fence.ts";
import type { Executor } from "../storage/pools.ts";

export interface EventRow {
  readonly tenantBytes: Uint8Array;
  readonly idBytes: Uint8Array;
  readonly configVersion: number;
  readonly deliveryCount: number;
  readonly retentionClass: number;
  readonly livemode: boolean;
  readonly hasLongNumber: boolean;
  readonly type: string;
  readonly senderId: string | null;
  readonly sentTimestamp: string | null;
  readonly reference: string | null;
  /** As the sender gave it. */
  readonly orderingKey: string | null;
  readonly data: Uint8Array;
  readonly context: Uint8Array | null;
  /** What the request said in `traceparent` and `tracestate`. */
  readonly traceContext: string | null;
  readonly keys: readonly KeyRow[];
  readonly deliveries: readonly DeliveryRow[];
  readonly fanOut: FanOutRow | null;
}

export interface KeyRow {
  /** An Idempotency-Key, or the sender's own event id. */
  readonly kind: "key" | "id";
  readonly key: string;
  /** SHA-256 of the raw bytes. */
  readonly hash: Uint8Array;
}

export interface DeliveryRow {
  readonly idBytes: Uint8Array;
  readonly webhookBytes: Uint8Array;
  readonly webhookVersion: number;
  readonly lane: number;
  readonly handoff: boolean;
  /** Null: its webhook is not ordered. */
  readonly orderingKey: string | null;
}

/**
 * More matches than are written at once: the list is stored with the event and expanded afterwards. Ordered webhooks are
 * not among them: of those the deliveries have to be there when the event is.
 */
export interface FanOutRow {
  readonly lane: number;
  readonly webhooks: readonly { readonly bytes: Uint8Array; readonly version: number; readonly lane: number }[];
}

const incomingOf = ({ eventKeys, traces }: Places): string => `incoming as (
  select * from unnest(
    $4::uuid[], $5::uuid[], $6::int8[], $7::int4[], $8::int2[], $9::bool[], $10::bool[], $11::text[], $12::text[],
    $13::text[], $14::text[], $15::int4[], $16::int4[], $17::int4[], $18::int4[], $19::int4[]${
      (eventKeys === null ? "" : `, ${eventKeys}`) + (traces === null ? "" : `, ${traces}`)
    }
  ) as i (
    tenant_id, id, config_version, delivery_count, retention_class, livemode, has_long_number, type, sender_id,
    sent_timestamp, reference, data_start, data_length, context_start, context_length, key_count${
      (eventKeys === null ? "" : ", ordering_key") + (traces === null ? "" : ", trace_context")
    }
  )
)`;

/** Without a key everything is accepted; the fence alone decides. */
const ACCEPTED_ALL = "accepted as (select * from incoming where exists (select from fence))";

/**
 * A key that is free (or has expired) is taken in the order of the unique index, so that two batches with the same
 * keys wait for each other instead of deadlocking. An event is accepted when all its keys were taken.
 */
const ACCEPTED_WITH_KEYS = `taken as (
  insert into event_key (tenant_id, event_id, expires_at, retention_class, livemode, kind, key, request_hash)
  select k.tenant_id, k.event_id, to_timestamp($3::float8 / 1000) + interval '24 hours', k.retention_class, k.livemode,
    k.kind, k.key, substring($33::bytea from k.hash_start for 32)
  from unnest($27::uuid[], $28::uuid[], $29::int2[], $30::bool[], $31::text[], $32::text[], $34::int4[])
    as k (tenant_id, event_id, retention_class, livemode, kind, key, hash_start)
  where exists (select from fence)
  order by k.tenant_id, k.key, k.kind, k.livemode
  on conflict (tenant_id, key, kind, livemode) do update
    set event_id = excluded.event_id, expires_at = excluded.expires_at, retention_class = excluded.retention_class,
      request_hash = excluded.request_hash
    where event_key.expires_at <= to_timestamp($3::float8 / 1000)
  returning event_id
),
accepted as (
  select * from incoming i
  where exists (select from fence)
    and i.key_count = (select count(*) from taken where taken.event_id = i.id)
)`;

/** What some batches need and most do not: each has columns, parameters and a statement of its own. */
interface Extras {
  readonly withKeys: boolean;
  /** Always with keys. */
  readonly withFanOut: boolean;
  readonly withOrder: boolean;
  readonly withTraces: boolean;
}

/**
 * The numbering of parameters: keys 27 to 34, fan-out 35 to 38; behind whatever is there the ordering keys of the events
 * and of the deliveries, and the traces.
 */
function placesOf({ withKeys, withFanOut, withOrder, withTraces }: Extras) {
  const next = 27 + (withKeys ? 8 : 0) + (withFanOut ? 4 : 0);
  return {
    eventKeys: withOrder ? `$${next}::text[]` : null,
    deliveryKeys: withOrder ? `$${next + 1}::text[]` : null,
    traces: withTraces ? `$${next + (withOrder ? 2 : 0)}::text[]` : null,
  };
}

type Places = ReturnType<typeof placesOf>;

/** seq is drawn here, in the order of the batch: for a sender that awaits each answer it is the sender's order. */
function storedOf({ deliveryKeys, traces }: Places): string {
  const columns = `${deliveryKeys === null ? "" : ", ordering_key"}${traces === null ? "" : ", trace_context"}`;
  const isOrdered = deliveryKeys !== null;
  return `stored as (
  insert into event (
    tenant_id, id, config_version, delivery_count, retention_class, livemode, has_long_number, type, sender_id,
    sent_timestamp, reference, data, context${columns}
  )
  select tenant_id, id, config_version, delivery_count, retention_class, livemode, has_long_number, type, sender_id,
    sent_timestamp, reference, substring($20::bytea from data_start for data_length),
    case when context_length >= 0 then substring($20::bytea from context_start for context_length) end${columns}
  from accepted
  returning id
),
owed as (
  insert into delivery (
    tenant_id, id, event_id, webhook_id, seq, due_at, webhook_version, retention_class, lane, handoff${isOrdered ? ", ordering_key" : ""}
  )
  select i.tenant_id, d.id, i.id, d.webhook_id, nextval('delivery_seq'), to_timestamp($3::float8 / 1000),
    d.webhook_version, i.retention_class, d.lane, d.handoff${isOrdered ? ", d.ordering_key" : ""}
  from unnest($21::uuid[], $22::uuid[], $23::uuid[], $24::int4[], $25::int2[], $26::bool[]${isOrdered ? `, ${deliveryKeys}` : ""}
    )${isOrdered ? " with ordinality" : ""}
    as d (id, event_id, webhook_id, webhook_version, lane, handoff${isOrdered ? ", ordering_key, place" : ""})
  join accepted i on i.id = d.event_id${isOrdered ? "\n  order by d.place" : ""}
)`;
}

const FANNED = `fanned as (
  insert into fan_out (
    tenant_id, id, config_version, seq, retention_class, lane, webhook_ids, webhook_versions, webhook_lanes
  )
  select i.tenant_id, i.id, i.config_version, nextval('delivery_seq'), i.retention_class, $35::int2, $36::uuid[],
    $37::int4[], $38::int2[]
  from accepted i
)`;

function textOf(extras: Extras): string {
  const places = placesOf(extras);
  const { withKeys, withFanOut } = extras;
  const parts = [
    FENCE,
    incomingOf(places),
    withKeys ? ACCEPTED_WITH_KEYS : ACCEPTED_ALL,
    storedOf(places),
    ...(withFanOut ? [FANNED] : []),
  ];
  // Without keys the fence decides alone, for all rows: a count says as much as their ids, and is one row to read.
  const answer = withKeys ? "id" : "count(*)::int4 as stored_count";
  return `with ${parts.join(",\n")}\nselect ${answer} from stored`;
}

const STATEMENTS = new Map<number, { readonly name: string; readonly text: string }>();

function statementOf(extras: Extras): { readonly name: string; readonly text: string } {
  const { withKeys, withFanOut, withOrder, withTraces } = extras;
  const at = (withKeys ? 1 : 0) + (withFanOut ? 2 : 0) + (withOrder ? 4 : 0) + (withTraces ? 8 : 0);
  let statement = STATEMENTS.get(at);
  if (statement === undefined) {
    const parts = [
      "capture",
      ...(withKeys ? ["keys"] : []),
      ...(withFanOut ? ["fan_out"] : []),
      ...(withOrder ? ["order"] : []),
      ...(withTraces ? ["traces"] : []),
    ];
    statement = { name: parts.join("_"), text: textOf(extras) };
    STATEMENTS.set(at, statement);
  }
  return statement;
}

/** Which events of a batch were stored: all, or those with these ids, as PostgreSQL writes them. */
export type Stored = "all" | ReadonlySet<string>;

const NONE: Stored = new Set();

/**
 * Captures a batch: one row or nothing for each event; nothing at all for a node that was declared dead.
 * An event with a fan-out must be alone in its batch.
 * @param nowMs estimated database time: when the deliveries fall due and the keys begin to count
 */
export async function captureEvents(
  db: Executor,
  node: NodeIdentity,
  nowMs: number,
  rows: readonly EventRow[],
): Promise<Stored> {
  const payloads = packPayloads(rows);
  const deliveries: DeliveryRow[] = [];
  const eventOfDelivery: Uint8Array[] = [];
  for (const row of rows) {
    for (const delivery of row.deliveries) {
      deliveries.push(delivery);
      eventOfDelivery.push(row.idBytes);
    }
  }
  const values: unknown[] = [
    node.idBytes,
    node.incarnation,
    nowMs,
    uuidArray(rows.map((row) => row.tenantBytes)),
    uuidArray(rows.map((row) => row.idBytes)),
    int8Array(rows.map((row) => row.configVersion)),
    int4Array(rows.map((row) => row.deliveryCount)),
    int2Array(rows.map((row) => row.retentionClass)),
    boolArray(rows.map((row) => row.livemode)),
    boolArray(rows.map((row) => row.hasLongNumber)),
    textArray(rows.map((row) => row.type)),
    textArray(rows.map((row) => row.senderId)),
    textArray(rows.map((row) => row.sentTimestamp)),
    textArray(rows.map((row) => row.reference)),
    int4Array(payloads.dataStarts),
    int4Array(payloads.dataLengths),
    int4Array(payloads.contextStarts),
    int4Array(payloads.contextLengths),
    int4Array(rows.map((row) => row.keys.length)),
    payloads.bytes,
    uuidArray(deliveries.map((delivery) => delivery.idBytes)),
    uuidArray(eventOfDelivery),
    uuidArray(deliveries.map((delivery) => delivery.webhookBytes)),
    int4Array(deliveries.map((delivery) => delivery.webhookVersion)),
    int2Array(deliveries.map((delivery) => delivery.lane)),
    boolArray(deliveries.map((delivery) => delivery.handoff)),
  ];
  const fanOut = rows.find((row) => row.fanOut !== null)?.fanOut ?? null;
  const withTraces = rows.some((row) => row.traceContext !== null);
  const withKeys = fanOut !== null || rows.some((row) => row.keys.length > 0);
  if (withKeys) addKeys(values, rows);
  if (fanOut !== null) {
    values.push(
      fanOut.lane,
      uuidArray(fanOut.webhooks.map((webhook) => webhook.bytes)),
      int4Array(fanOut.webhooks.map((webhook) => webhook.version)),
      int2Array(fanOut.webhooks.map((webhook) => webhook.lane)),
    );
  }
  // Most batches have none of these, and do not pay for them.
  const withOrder = isAnyOrdered(rows, deliveries);
  if (withOrder) {
    values.push(textArray(rows.map((row) => row.orderingKey)));
    values.push(textArray(deliveries.map((delivery) => delivery.orderingKey)));
  }
  if (withTraces) values.push(textArray(rows.map((row) => row.traceContext)));
  const statement = statementOf({ withKeys, withFanOut: fanOut !== null, withOrder, withTraces });
  if (!withKeys) {
    const counted = await db.query<{ stored_count: number }>({ ...statement, values });
    return counted.rows[0]?.stored_count === rows.length ? "all" : NONE;
  }
  const stored = await db.query<{ id: string }>({ ...statement, values });
  return stored.rows.length === rows.length ? "all" : new Set(stored.rows.map((row) => row.id));
}

function isAnyOrdered(rows: readonly EventRow[], deliveries: readonly DeliveryRow[]): boolean {
  return rows.some((row) => row.orderingKey !== null) || deliveries.some((delivery) => delivery.orderingKey !== null);
}

/**
 * All payloads as one parameter, with the place of each: starts from 1; a context that is not there has length -1. One
 * pass and no object for each row (with the loops of binary-arrays.ts: 5.4 to 1.5 µs an event, 100 with a delivery each).
 */
function packPayloads(rows: readonly EventRow[]) {
  const parts: Uint8Array[] = [];
  const dataStarts: number[] = [];
  const dataLengths: number[] = [];
  const contextStarts: number[] = [];
  const contextLengths: number[] = [];
  let at = 1;
  for (const { data, context } of rows) {
    parts.push(data);
    dataStarts.push(at);
    dataLengths.push(data.byteLength);
    at += data.byteLength;
    contextStarts.push(at);
    contextLengths.push(context === null ? -1 : context.byteLength);
    if (context === null) continue;
    parts.push(context);
    at += context.byteLength;
  }
  return { bytes: Buffer.concat(parts, at - 1), dataStarts, dataLengths, contextStarts, contextLengths };
}

function addKeys(values: unknown[], rows: readonly EventRow[]): void {
  const keys = rows.flatMap((row) => row.keys.map((key) => ({ ...key, row })));
  const hashes = packBytes(keys.map((key) => key.hash));
  values.push(
    uuidArray(keys.map((key) => key.row.tenantBytes)),
    uuidArray(keys.map((key) => key.row.idBytes)),
    int2Array(keys.map((key) => key.row.retentionClass)),
    boolArray(keys.map((key) => key.row.livemode)),
    textArray(keys.map((key) => key.kind)),
    textArray(keys.map((key) => key.key)),
    hashes.bytes,
    int4Array(hashes.starts),
  );
}

export interface FirstAnswer {
  kind: "key" | "id";
  key: string;
  request_hash: Buffer;
  /** Null when the key points at an event that was never stored. */
  event_id: string | null;
  type: string | null;
  sender_id: string | null;
  sent_timestamp: string | null;
  delivery_count: number | null;
}

/** What was answered to the first request with these keys, by the key's and the event's primary keys. */
export async function selectFirstAnswers(
  db: Executor,
  tenantUuid: string,
  livemode: boolean,
  keys: readonly KeyRow[],
): Promise<FirstAnswer[]> {
  const result = await db.query<FirstAnswer>({
    name: "select_first_answers",
    text: `
select k.kind, k.key, k.request_hash, e.id as event_id, e.type, e.sender_id, e.sent_timestamp, e.delivery_count
from unnest($3::text[], $4::text[]) as asked (kind, key)
join event_key k on k.tenant_id = $1 and k.key = asked.key and k.kind = asked.kind and k.livemode = $2
left join event e on e.tenant_id = k.tenant_id and e.retention_class = k.retention_class and e.id = k.event_id`,
    values: [tenantUuid, livemode, textArray(keys.map((key) => key.kind)), textArray(keys.map((key) => key.key))],
  });
  return result.rows;
}

/** Frees keys that were taken for an event which was then not stored (one of its two keys was in use). Fenced. */
export async function deleteKeysOfEvent(
  db: Executor,
  node: NodeIdentity,
  tenantBytes: Uint8Array,
  eventBytes: Uint8Array,
  keys: readonly KeyRow[],
): Promise<void> {
  await db.query({
    name: "delete_keys_of_event",
    text: `
with ${FENCE}
delete from event_key
where tenant_id = $3::uuid and event_id = $4::uuid and key = any ($5::text[]) and exists (select from fence)`,
    values: [node.idBytes, node.incarnation, tenantBytes, eventBytes, textArray(keys.map((key) => key.key))],
  });
}
