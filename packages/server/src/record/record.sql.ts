// The one statement that records: inserts attempts, ends or reschedules deliveries, writes terminal records. Engine role.
import {
  boolArray,
  int2Array,
  int4Array,
  packBytes,
  textArray,
  timestamptzArray,
  uuidArray,
} from "../lib/binary-arrays.ts";
import { FENCE, type NodeIdentity } from "../storage/fence.ts";
import type { Executor } from "../storage/pools.ts";
import { noticesOfAcknowledgements, noticesOfDeliveries } from "../storage/notices.sql.ts";
import {
  TALLIED_ATTEMPT_COLUMNS,
  TALLIED_DEAD_LETTER_COLUMNS,
  tallyOfAttempts,
  tallyOfDeadLetters,
} from "../storage/tally.sql.ts";

export interface AttemptRow {
  readonly idBytes: Uint8Array;
  readonly number: number;
  readonly trigger: string;
  readonly startedAtMs: number;
  readonly durationMs: number;
  readonly dnsMs: number | null;
  readonly connectMs: number | null;
  readonly tlsMs: number | null;
  readonly firstByteMs: number | null;
  readonly webhookVersion: number;
  readonly outcome: string;
  readonly outcomeCode: string | null;
  readonly url: string;
  readonly address: string | null;
  readonly bodyLength: number;
  readonly bodyHash: Uint8Array;
  /** JSON; null without warnings. */
  readonly warnings: string | null;
  /** JSON of what rules took out of the answer, and the one of it that can be searched for. */
  readonly extracted: string | null;
  readonly externalId: string | null;
  readonly responseStatus: number | null;
  readonly responseHeaders: string | null;
  readonly responseBody: Uint8Array | null;
  readonly responseTruncated: boolean;
  /** The batch that went out. */
  readonly batchBytes: Uint8Array | null;
  /** What was sent in the place of the event's own payload. */
  readonly correctionBytes: Uint8Array | null;
  /** Its request is counted with another delivery's attempt. */
  readonly sharesRequest: boolean;
}

export interface ResultRow {
  readonly tenantBytes: Uint8Array;
  readonly deliveryBytes: Uint8Array;
  readonly eventBytes: Uint8Array;
  readonly webhookBytes: Uint8Array;
  readonly retentionClass: number;
  readonly replayed: boolean;
  readonly verdict: "delivered" | "retry" | "held" | "dead_letter" | "cancelled";
  /** Of a dead letter or a cancellation, or why it is held. */
  readonly reason: string | null;
  readonly nextAttemptAtMs: number | null;
  readonly attempt: AttemptRow | null;
}

/** What some batches need and most do not: a part that is not needed costs PostgreSQL as much to set up as some rows. */
interface Extras {
  readonly withRetries: boolean;
  readonly withHeld: boolean;
  readonly withDead: boolean;
  readonly withCancelled: boolean;
  /** Some arrived that may have been dead once. */
  readonly withRecovered: boolean;
  /** Values were taken out of what receivers answered. */
  readonly withAcknowledged: boolean;
  /** This may have been recorded before: the answer of the statement was lost. */
  readonly isRepeat: boolean;
}

/**
 * Which rows of `delivery`: each by its primary key, whatever the statistics of a table that fills and empties all day
 * say. As an equality PostgreSQL may join the other way round, and after a vacuum of the empty table it did: it walked the
 * whole index for each batch, and all results for each of its rows. A range of one key leaves it no other way (arrays of
 * one do so from PostgreSQL 17 on; 15 looks by tenant alone).
 */
const BY_KEY = `row(d.tenant_id, d.id) >= row(r.tenant_id, r.delivery_id)
    and row(d.tenant_id, d.id) <= row(r.tenant_id, r.delivery_id) and exists (select from fence)`;

// A few columns of their own: PostgreSQL carries the whole row of what a delete or an update is joined with.
const RESCHEDULED = `,
rescheduled as (
  update delivery d
  set attempt_count = r.number, due_at = r.next_attempt_at, next_trigger = 'retry', held_reason = null
  from unnest($3::uuid[], $4::uuid[], $9::text[], $11::timestamptz[], $14::int2[])
    as r (tenant_id, delivery_id, verdict, next_attempt_at, number)
  where r.verdict = 'retry' and ${BY_KEY}
)`;
/** A key that waits for a person is told. */
const HELD = `,
held as (
  update delivery d
  set due_at = 'infinity', held_reason = r.reason, attempt_count = coalesce(r.number, d.attempt_count),
    held_at = clock_timestamp()
  from unnest($3::uuid[], $4::uuid[], $9::text[], $10::text[], $14::int2[])
    as r (tenant_id, delivery_id, verdict, reason, number)
  where r.verdict = 'held' and ${BY_KEY}
    and d.held_reason is null -- told once, though a statement whose answer was lost is repeated
  returning d.tenant_id, d.id, d.webhook_id, d.event_id, d.retention_class, d.ordering_key, d.held_reason as reason,
    d.held_at as at
),
parked as (
  select * from held where ordering_key is not null
),
noted_parked as (
  ${noticesOfDeliveries("parked", "key.parked")}
)`;
/** What died is told. */
const DEAD = `,
dead as (
  insert into dead_letter (
    tenant_id, id, event_id, webhook_id, seq, dead_at, webhook_version, retention_class, lane, attempt_count, replayed,
    reason, ordering_key, batch_id, coalesced_count
  )
  select r.tenant_id, r.delivery_id, r.event_id, r.webhook_id, removed.seq, clock_timestamp(), removed.webhook_version,
    r.retention_class, removed.lane, coalesce(r.number, removed.attempt_count), r.replayed, r.reason, removed.ordering_key,
    removed.batch_id, removed.coalesced_count
  from result r
  join removed on removed.tenant_id = r.tenant_id and removed.id = r.delivery_id
  where r.verdict = 'dead_letter'
  returning ${TALLIED_DEAD_LETTER_COLUMNS}, id, event_id, retention_class, reason, dead_at as at
),
tallied_dead as (
  ${tallyOfDeadLetters("dead", "added")}
),
noted_dead as (
  ${noticesOfDeliveries("dead", "delivery.dead_lettered")}
)`;
const CANCELLED = `,
cancelled as (
  insert into cancelled_delivery (
    tenant_id, id, event_id, webhook_id, cancelled_at, webhook_version, retention_class, attempt_count, replayed, reason,
    batch_id
  )
  select r.tenant_id, r.delivery_id, r.event_id, r.webhook_id, clock_timestamp(), removed.webhook_version,
    r.retention_class, coalesce(r.number, removed.attempt_count), r.replayed, r.reason, removed.batch_id
  from result r
  join removed on removed.tenant_id = r.tenant_id and removed.id = r.delivery_id
  where r.verdict = 'cancelled'
)`;
/** What was dead once (its policy began anew) and has arrived is told. */
const RECOVERED = `,
recovered as (
  select r.tenant_id, r.delivery_id as id, r.event_id, r.webhook_id, r.retention_class, null::text as reason,
    r.started_at + r.duration_ms * interval '1 millisecond' as at
  from result r
  join removed on removed.tenant_id = r.tenant_id and removed.id = r.delivery_id
  where r.verdict = 'delivered' and removed.policy_attempt_base > 0
),
noted_recovered as (
  ${noticesOfDeliveries("recovered", "delivery.recovered")}
)`;
/** What a receiver acknowledged is told with all its values: every delivery, in events of a hundred at most. */
const ACKNOWLEDGED = `,
acknowledged as (
  select r.tenant_id, r.delivery_id as id, r.event_id, r.webhook_id, r.retention_class, r.extracted,
    r.started_at + r.duration_ms * interval '1 millisecond' as at
  from result r
  join removed on removed.tenant_id = r.tenant_id and removed.id = r.delivery_id
  where r.verdict = 'delivered' and r.extracted is not null
),
noted_acknowledged as (
  ${noticesOfAcknowledgements("acknowledged")}
)`;

/**
 * `removed` is the delete-returning rule: whoever removes the delivery row writes its terminal record; an attempt whose
 * delete hit nothing is inserted with ends_delivery = false. delivery is found by primary key (tenant_id, id).
 * `tallied_…` counts what was written, for the webhooks' figures. Measured in PostgreSQL's CPU time, batches of 100: 2 of
 * 36 µs a result while a batch is about one webhook, 9 µs when each result is about another one.
 */
const textOf = ({
  withRetries,
  withHeld,
  withDead,
  withCancelled,
  withRecovered,
  withAcknowledged,
  isRepeat,
}: Extras): string => `
with ${FENCE},
result as (
  select * from unnest(
    $3::uuid[], $4::uuid[], $5::uuid[], $6::uuid[], $7::int2[], $8::bool[], $9::text[], $10::text[], $11::timestamptz[],
    $12::bool[], $13::uuid[], $14::int2[], $15::text[], $16::timestamptz[], $17::int4[], $18::int4[], $19::int4[],
    $20::int4[], $21::int4[], $22::int4[], $23::text[], $24::text[], $25::text[], $26::text[], $27::int4[], $28::int2[],
    $29::text[], $30::int4[], $31::int4[], $32::bool[], $33::int4[], $36::text[], $37::text[], $38::text[],
    $39::uuid[], $40::bool[], $41::uuid[]
  ) as r (
    tenant_id, delivery_id, event_id, webhook_id, retention_class, replayed, verdict, reason, next_attempt_at,
    has_attempt, attempt_id, number, trigger, started_at, duration_ms, dns_ms, connect_ms,
    tls_ms, first_byte_ms, webhook_version, outcome, outcome_code, url, address, body_length, response_status,
    response_headers, response_start, response_length, response_truncated, hash_start,
    warnings, extracted, external_id, batch_id, shares_request, correction_id
  )
  where exists (select from fence)
),
removed as (
  delete from delivery d
  using unnest($3::uuid[], $4::uuid[], $9::text[]) as r (tenant_id, delivery_id, verdict)
  where r.verdict not in ('retry', 'held') and ${BY_KEY}
  returning d.tenant_id, d.id, d.seq, d.lane, d.webhook_version, d.attempt_count, d.policy_attempt_base, d.ordering_key,
    d.batch_id, d.coalesced_count
)${(withRetries ? RESCHEDULED : "") + (withHeld ? HELD : "")},
tried as (
  insert into attempt (
    tenant_id, id, delivery_id, event_id, webhook_id, started_at, next_attempt_at, duration_ms, dns_ms, connect_ms,
    tls_ms, first_byte_ms, body_length, webhook_version, retention_class, number, response_status, ends_delivery,
    replayed, response_truncated, trigger, outcome, outcome_code, url, address, body_hash, response_headers, response_body,
    warnings, extracted, external_id, batch_id, shares_request, correction_id
  )
  select r.tenant_id, r.attempt_id, r.delivery_id, r.event_id, r.webhook_id, r.started_at, r.next_attempt_at,
    r.duration_ms, r.dns_ms, r.connect_ms, r.tls_ms, r.first_byte_ms, r.body_length, r.webhook_version,
    r.retention_class, r.number, r.response_status, removed.id is not null, r.replayed, r.response_truncated, r.trigger,
    r.outcome, r.outcome_code, r.url, r.address, substring($35::bytea from r.hash_start for 32), r.response_headers,
    case when r.response_length >= 0 then substring($34::bytea from r.response_start for r.response_length) end,
    r.warnings::json, r.extracted::json, r.external_id, nullif(r.batch_id, '00000000-0000-0000-0000-000000000000'),
    r.shares_request, nullif(r.correction_id, '00000000-0000-0000-0000-000000000000')
  from result r
  left join removed on removed.tenant_id = r.tenant_id and removed.id = r.delivery_id
  where r.has_attempt
  ${isRepeat ? "on conflict do nothing" : ""}
  returning ${TALLIED_ATTEMPT_COLUMNS}
),
tallied_attempts as (
  ${tallyOfAttempts("tried")}
)${(withDead ? DEAD : "") + (withCancelled ? CANCELLED : "") + (withRecovered ? RECOVERED : "") + (withAcknowledged ? ACKNOWLEDGED : "")}
select count(*)::int4 as fence_held from fence`;

const STATEMENTS = new Map<string, { readonly name: string; readonly text: string }>();

function statementOf(extras: Extras): { readonly name: string; readonly text: string } {
  const named: readonly (readonly [boolean, string])[] = [
    [extras.withRetries, "_retries"],
    [extras.withHeld, "_held"],
    [extras.withDead, "_dead"],
    [extras.withCancelled, "_cancelled"],
    [extras.withRecovered, "_recovered"],
    [extras.withAcknowledged, "_acknowledged"],
    [extras.isRepeat, "_again"],
  ];
  const name = named.reduce((joined, [isNeeded, part]) => (isNeeded ? joined + part : joined), "record_results");
  let statement = STATEMENTS.get(name);
  if (statement === undefined) {
    statement = { name, text: textOf(extras) };
    STATEMENTS.set(name, statement);
  }
  return statement;
}

function extrasOf(rows: readonly ResultRow[], isRepeat: boolean): Extras {
  const has = (verdict: ResultRow["verdict"]): boolean => rows.some((row) => row.verdict === verdict);
  return {
    withRetries: has("retry"),
    withHeld: has("held"),
    withDead: has("dead_letter"),
    withCancelled: has("cancelled"),
    withRecovered: rows.some(mayHaveBeenDead),
    withAcknowledged: rows.some(
      ({ verdict, attempt }) => verdict === "delivered" && (attempt?.extracted ?? null) !== null,
    ),
    isRepeat,
  };
}

function mayHaveBeenDead({ verdict, attempt }: ResultRow): boolean {
  return verdict === "delivered" && attempt !== null && attempt.trigger !== "initial";
}

const NO_ID = new Uint8Array(16);

/**
 * Records results; `fence_held` 0 means that this node was declared dead and nothing was written.
 * @param isRepeat they may have been recorded already: attempts that are there are left as they are
 */
export async function recordResults(
  db: Executor,
  node: NodeIdentity,
  rows: readonly ResultRow[],
  isRepeat = false,
): Promise<{ fence_held: number }> {
  const responses = packBytes(rows.map((row) => row.attempt?.responseBody ?? null));
  const hashes = packBytes(rows.map((row) => row.attempt?.bodyHash ?? null));
  const of = <Value>(pick: (attempt: AttemptRow) => Value): (Value | null)[] =>
    rows.map((row) => (row.attempt === null ? null : pick(row.attempt)));
  const result = await db.query<{ fence_held: number }>({
    ...statementOf(extrasOf(rows, isRepeat)),
    values: [
      node.idBytes,
      node.incarnation,
      uuidArray(rows.map((row) => row.tenantBytes)),
      uuidArray(rows.map((row) => row.deliveryBytes)),
      uuidArray(rows.map((row) => row.eventBytes)),
      uuidArray(rows.map((row) => row.webhookBytes)),
      int2Array(rows.map((row) => row.retentionClass)),
      boolArray(rows.map((row) => row.replayed)),
      textArray(rows.map((row) => row.verdict)),
      textArray(rows.map((row) => row.reason)),
      timestamptzArray(rows.map((row) => row.nextAttemptAtMs)),
      boolArray(rows.map((row) => row.attempt !== null)),
      uuidArray(rows.map((row) => row.attempt?.idBytes ?? NO_ID)),
      int2Array(of((attempt) => attempt.number)),
      textArray(of((attempt) => attempt.trigger)),
      timestamptzArray(of((attempt) => attempt.startedAtMs)),
      int4Array(of((attempt) => attempt.durationMs)),
      int4Array(of((attempt) => attempt.dnsMs)),
      int4Array(of((attempt) => attempt.connectMs)),
      int4Array(of((attempt) => attempt.tlsMs)),
      int4Array(of((attempt) => attempt.firstByteMs)),
      int4Array(of((attempt) => attempt.webhookVersion)),
      textArray(of((attempt) => attempt.outcome)),
      textArray(of((attempt) => attempt.outcomeCode)),
      textArray(of((attempt) => attempt.url)),
      textArray(of((attempt) => attempt.address)),
      int4Array(of((attempt) => attempt.bodyLength)),
      int2Array(of((attempt) => attempt.responseStatus)),
      textArray(of((attempt) => attempt.responseHeaders)),
      int4Array(responses.starts),
      int4Array(responses.lengths),
      boolArray(rows.map((row) => row.attempt?.responseTruncated ?? false)),
      int4Array(hashes.starts),
      responses.bytes,
      hashes.bytes,
      textArray(rows.map((row) => row.attempt?.warnings ?? null)),
      textArray(rows.map((row) => row.attempt?.extracted ?? null)),
      textArray(rows.map((row) => row.attempt?.externalId ?? null)),
      uuidArray(rows.map((row) => row.attempt?.batchBytes ?? NO_ID)),
      boolArray(rows.map((row) => row.attempt?.sharesRequest ?? false)),
      uuidArray(rows.map((row) => row.attempt?.correctionBytes ?? NO_ID)),
    ],
  });
  return result.rows[0] as { fence_held: number };
}
