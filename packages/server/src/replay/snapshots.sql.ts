// Statements of snapshots: making, filling, reading and cancelling them (API role, inside asTenant), and making deliveries
// of their records (engine role, fenced). The tenant clause is written in all of them.
import { int2Array, textArray, uuidArray } from "../lib/binary-arrays.ts";
import { FENCE, type NodeIdentity } from "../storage/fence.ts";
import type { Executor } from "../storage/pools.ts";

export interface SnapshotRow {
  tenant_id: string;
  id: string;
  webhook_id: string;
  created_at: Date;
  moved_at: Date;
  finished_at: Date | null;
  received_count: number;
  made_count: number;
  records_per_second: number;
  lane: number;
  retention_class: number;
  livemode: boolean;
  is_complete: boolean;
  state: "running" | "done" | "cancelled" | "failed";
  event_type: string;
  token: string;
  created_by: string;
  problem: string | null;
}

const COLUMNS = `tenant_id, id, webhook_id, created_at, moved_at, finished_at, received_count::float8 as received_count,
  made_count::float8 as made_count, records_per_second, lane, retention_class, livemode, is_complete, state, event_type,
  token, created_by, problem`;

export interface NewSnapshot {
  readonly tenantUuid: string;
  readonly uuid: string;
  readonly webhookUuid: string;
  readonly at: string;
  readonly recordsPerSecond: number;
  readonly retentionClass: number;
  readonly livemode: boolean;
  readonly eventType: string;
  readonly token: string;
  readonly createdBy: string;
}

/** Stores one in its webhook's lane; null when the webhook has one of this token. By snapshot_token. */
export async function insertSnapshot(db: Executor, snapshot: NewSnapshot): Promise<SnapshotRow | null> {
  const { rows } = await db.query<SnapshotRow>({
    name: "insert_snapshot",
    text: `insert into snapshot (tenant_id, id, webhook_id, created_at, moved_at, records_per_second, retention_class,
        lane, livemode, state, event_type, token, created_by)
      select $1, $2, $3, $4::timestamptz, $4::timestamptz, $5, $6, w.lane, $7, 'running', $8, $9, $10
      from webhook w where w.tenant_id = $1 and w.id = $3
      on conflict (tenant_id, webhook_id, token) do nothing
      returning ${COLUMNS}`,
    values: [
      snapshot.tenantUuid,
      snapshot.uuid,
      snapshot.webhookUuid,
      snapshot.at,
      snapshot.recordsPerSecond,
      snapshot.retentionClass,
      snapshot.livemode,
      snapshot.eventType,
      snapshot.token,
      snapshot.createdBy,
    ],
  });
  return rows[0] ?? null;
}

/** The one of this token, by snapshot_token. */
export async function selectSnapshotByToken(
  db: Executor,
  tenantUuid: string,
  webhookUuid: string,
  token: string,
): Promise<SnapshotRow | null> {
  const { rows } = await db.query<SnapshotRow>({
    name: "select_snapshot_by_token",
    text: `select ${COLUMNS} from snapshot where tenant_id = $1 and webhook_id = $2 and token = $3`,
    values: [tenantUuid, webhookUuid, token],
  });
  return rows[0] ?? null;
}

/** One, by primary key; locked where something is about to be added to it or changed. */
export async function selectSnapshot(
  db: Executor,
  tenantUuid: string,
  livemode: boolean,
  uuid: string,
  isLocked = false,
): Promise<SnapshotRow | null> {
  const { rows } = await db.query<SnapshotRow>({
    name: isLocked ? "lock_snapshot" : "select_snapshot",
    text: `select ${COLUMNS} from snapshot where tenant_id = $1 and id = $2 and livemode = $3${isLocked ? " for update" : ""}`,
    values: [tenantUuid, uuid, livemode],
  });
  return rows[0] ?? null;
}

/** Newest first, by primary key. */
export async function selectSnapshots(
  db: Executor,
  tenantUuid: string,
  livemode: boolean,
  webhookUuid: string | null,
  beforeUuid: string,
  limit: number,
): Promise<SnapshotRow[]> {
  const { rows } = await db.query<SnapshotRow>({
    name: "select_snapshots",
    text: `select ${COLUMNS} from snapshot
      where tenant_id = $1 and livemode = $2 and id < $3 and ($5::uuid is null or webhook_id = $5)
      order by id desc
      limit $4`,
    values: [tenantUuid, livemode, beforeUuid, limit, webhookUuid],
  });
  return rows;
}

export interface NewRecord {
  readonly eventUuid: string;
  readonly line: number;
  readonly hasLongNumber: boolean;
  readonly reference: string | null;
  readonly data: Buffer;
  readonly context: Buffer;
}

/** Adds records as events that nobody is routed, and counts them; by primary key. The snapshot is locked by the caller. */
export async function insertSnapshotRecords(
  db: Executor,
  snapshot: SnapshotRow,
  records: readonly NewRecord[],
): Promise<void> {
  await db.query({
    name: "insert_snapshot_records",
    text: `with made as (
        insert into event (tenant_id, id, config_version, delivery_count, retention_class, livemode, has_long_number, type,
          reference, data, context, snapshot_id)
        select $1, r.id, (select version from config_version), 1, $3, $4, r.has_long_number, $5, r.reference, r.data,
          r.context, $2
        from unnest($6::uuid[], $8::bool[], $9::text[], $10::bytea[], $11::bytea[])
          as r (id, has_long_number, reference, data, context)
      ),
      listed as (
        insert into snapshot_record (tenant_id, snapshot_id, event_id, line, retention_class)
        select $1, $2, r.id, r.line, $3 from unnest($6::uuid[], $7::int8[]) as r (id, line)
      )
      update snapshot set received_count = received_count + cardinality($6::uuid[])
      where tenant_id = $1 and id = $2`,
    values: [
      snapshot.tenant_id,
      snapshot.id,
      snapshot.retention_class,
      snapshot.livemode,
      snapshot.event_type,
      records.map((record) => record.eventUuid),
      records.map((record) => record.line),
      records.map((record) => record.hasLongNumber),
      records.map((record) => record.reference),
      records.map((record) => record.data),
      records.map((record) => record.context),
    ],
  });
}

/** No more records come; what was delivered already is the end of it. By primary key. */
export async function completeSnapshot(db: Executor, tenantUuid: string, uuid: string, at: string): Promise<void> {
  await db.query({
    name: "complete_snapshot",
    text: `update snapshot set is_complete = true,
        state = case when received_count = made_count then 'done' else state end,
        finished_at = case when received_count = made_count then $3::timestamptz end
      where tenant_id = $1 and id = $2 and state = 'running'`,
    values: [tenantUuid, uuid, at],
  });
}

/** Ends a running one with what waits of it; by primary keys. */
export async function cancelSnapshot(db: Executor, tenantUuid: string, uuid: string, at: string): Promise<void> {
  await db.query({
    name: "cancel_snapshot",
    text: `with waiting as (
        delete from snapshot_record where tenant_id = $1 and snapshot_id = $2
      )
      update snapshot set state = 'cancelled', finished_at = $3::timestamptz
      where tenant_id = $1 and id = $2 and state = 'running'`,
    values: [tenantUuid, uuid, at],
  });
}

// --- making deliveries --------------------------------------------------------------------------------------------

/** Running ones of these lanes, by index snapshot_running. */
export async function selectRunningSnapshots(db: Executor, lanes: readonly number[]): Promise<SnapshotRow[]> {
  const { rows } = await db.query<SnapshotRow>({
    name: "select_running_snapshots",
    text: `select ${COLUMNS} from snapshot where state = 'running' and lane = any ($1::int2[]) order by id`,
    values: [int2Array(lanes)],
  });
  return rows;
}

export interface WaitingRecord {
  line: number;
  event_id: string;
  retention_class: number;
}

/** The first that wait, by primary key. */
export async function selectWaitingRecords(
  db: Executor,
  { tenant_id, id }: Pick<SnapshotRow, "tenant_id" | "id">,
  limit: number,
): Promise<WaitingRecord[]> {
  const { rows } = await db.query<WaitingRecord>({
    name: "select_waiting_records",
    text: `select line::float8 as line, event_id, retention_class from snapshot_record
      where tenant_id = $1 and snapshot_id = $2
      order by line
      limit $3`,
    values: [tenant_id, id, limit],
  });
  return rows;
}

export interface SnapshotChunk {
  readonly snapshot: SnapshotRow;
  readonly lastLine: number;
  readonly webhookVersion: number;
  readonly deliveries: readonly {
    readonly idBytes: Uint8Array;
    readonly eventBytes: Uint8Array;
    readonly retentionClass: number;
    readonly orderingKey: string | null;
  }[];
}

/**
 * Makes deliveries of the first records that wait and takes these off the list, in one statement, by primary keys.
 * @returns false when it was cancelled, or somebody else has moved it
 */
export async function writeSnapshotChunk(
  db: Executor,
  node: NodeIdentity,
  nowMs: number,
  chunk: SnapshotChunk,
): Promise<boolean> {
  const { snapshot, deliveries } = chunk;
  const { rows } = await db.query<{ moved: number }>({
    name: "write_snapshot_chunk",
    text: `
with ${FENCE},
job as (
  update snapshot
  set made_count = made_count + $6::int4, moved_at = to_timestamp($7::float8 / 1000),
    state = case when is_complete and received_count = made_count + $6::int4 then 'done' else state end,
    finished_at = case when is_complete and received_count = made_count + $6::int4 then to_timestamp($7::float8 / 1000) end
  where tenant_id = $3::uuid and id = $4::uuid and state = 'running' and made_count = $5::int8
    and exists (select from fence)
  returning tenant_id, webhook_id, lane
),
taken as (
  delete from snapshot_record r using job
  where r.tenant_id = job.tenant_id and r.snapshot_id = $4::uuid and r.line <= $8::int8
),
written as (
  insert into delivery (tenant_id, id, event_id, webhook_id, seq, due_at, webhook_version, retention_class, lane, handoff,
    ordering_key)
  select made.tenant_id, made.id, made.event_id, made.webhook_id, nextval('delivery_seq'),
    to_timestamp($7::float8 / 1000), $9::int4, made.retention_class, made.lane, false, made.ordering_key
  from (
    select job.tenant_id, job.webhook_id, job.lane, n.id, n.event_id, n.retention_class, n.ordering_key
    from job
    cross join unnest($10::uuid[], $11::uuid[], $12::int2[], $13::text[]) with ordinality
      as n (id, event_id, retention_class, ordering_key, place)
    order by n.place
  ) made
)
select count(*)::int4 as moved from job`,
    values: [
      node.idBytes,
      node.incarnation,
      snapshot.tenant_id,
      snapshot.id,
      snapshot.made_count,
      deliveries.length,
      nowMs,
      chunk.lastLine,
      chunk.webhookVersion,
      uuidArray(deliveries.map((each) => each.idBytes)),
      uuidArray(deliveries.map((each) => each.eventBytes)),
      int2Array(deliveries.map((each) => each.retentionClass)),
      textArray(deliveries.map((each) => each.orderingKey)),
    ],
  });
  return rows[0]?.moved === 1;
}

/** One that cannot go on, by primary key; fenced. */
export async function failSnapshot(
  db: Executor,
  node: NodeIdentity,
  { tenant_id, id }: Pick<SnapshotRow, "tenant_id" | "id">,
  nowMs: number,
  problem: string,
): Promise<void> {
  await db.query({
    name: "fail_snapshot",
    text: `with ${FENCE},
waiting as (
  delete from snapshot_record where tenant_id = $3::uuid and snapshot_id = $4::uuid and exists (select from fence)
)
update snapshot set state = 'failed', problem = $6, finished_at = to_timestamp($5::float8 / 1000)
where tenant_id = $3::uuid and id = $4::uuid and state = 'running' and exists (select from fence)`,
    values: [node.idBytes, node.incarnation, tenant_id, id, nowMs, problem],
  });
}
