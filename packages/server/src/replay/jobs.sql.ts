// Statements of bulk replays: making, reading and cancelling them (API role, inside asTenant), and working them off
// (engine role, fenced). The tenant clause is written in all of them.
import { int2Array, textArray, uuidArray } from "../lib/binary-arrays.ts";
import { FENCE, type NodeIdentity } from "../storage/fence.ts";
import type { Executor } from "../storage/pools.ts";
import type { DeliveryPlace } from "../storage/webhook-events.sql.ts";

export type ReplayWhich = "owed" | "missed" | "all";
export type ReplayState = "running" | "done" | "cancelled" | "failed";

export interface ReplayJobRow {
  tenant_id: string;
  id: string;
  webhook_id: string;
  from_id: string;
  before_id: string;
  cursor_id: string | null;
  created_at: Date;
  updated_at: Date;
  finished_at: Date | null;
  examined_count: number;
  replayed_count: number;
  lane: number;
  livemode: boolean;
  dry_run: boolean;
  state: ReplayState;
  which: ReplayWhich;
  created_by: string;
  filter: string | null;
  problem: string | null;
  types: string[] | null;
  states: DeliveryPlace[] | null;
}

const COLUMNS = `tenant_id, id, webhook_id, from_id, before_id, cursor_id, created_at, updated_at, finished_at,
  examined_count::float8 as examined_count, replayed_count::float8 as replayed_count, lane, livemode, dry_run, state, which,
  created_by, filter, problem, types, states`;

export interface NewReplayJob {
  readonly tenantUuid: string;
  readonly uuid: string;
  readonly webhookUuid: string;
  readonly fromUuid: string;
  readonly beforeUuid: string;
  readonly at: string;
  readonly livemode: boolean;
  readonly dryRun: boolean;
  readonly which: ReplayWhich;
  readonly createdBy: string;
  readonly requestId: string;
  readonly filter: string | null;
  readonly types: readonly string[] | null;
  readonly states: readonly DeliveryPlace[] | null;
}

/** Stores a job in its webhook's lane; the webhook by primary key. */
export async function insertReplayJob(db: Executor, job: NewReplayJob): Promise<ReplayJobRow> {
  const { rows } = await db.query<ReplayJobRow>({
    name: "insert_replay_job",
    text: `insert into replay_job (tenant_id, id, webhook_id, from_id, before_id, created_at, updated_at, lane, livemode,
        dry_run, state, which, created_by, request_id, filter, types, states)
      select $1, $2, $3, $4, $5, $6::timestamptz, $6::timestamptz, w.lane, $7, $8, 'running', $9, $10, $11, $12,
        $13::text[], $14::text[]
      from webhook w where w.tenant_id = $1 and w.id = $3
      returning ${COLUMNS}`,
    values: [
      job.tenantUuid,
      job.uuid,
      job.webhookUuid,
      job.fromUuid,
      job.beforeUuid,
      job.at,
      job.livemode,
      job.dryRun,
      job.which,
      job.createdBy,
      job.requestId,
      job.filter,
      job.types,
      job.states,
    ],
  });
  return rows[0] as ReplayJobRow;
}

/** One job, by primary key. */
export async function selectReplayJob(
  db: Executor,
  tenantUuid: string,
  livemode: boolean,
  uuid: string,
): Promise<ReplayJobRow | null> {
  const { rows } = await db.query<ReplayJobRow>({
    name: "select_replay_job",
    text: `select ${COLUMNS} from replay_job where tenant_id = $1 and id = $2 and livemode = $3`,
    values: [tenantUuid, uuid, livemode],
  });
  return rows[0] ?? null;
}

/** Newest first, by primary key; with a webhook by replay_job_webhook. */
export async function selectReplayJobs(
  db: Executor,
  tenantUuid: string,
  livemode: boolean,
  webhookUuid: string | null,
  beforeUuid: string,
  limit: number,
): Promise<ReplayJobRow[]> {
  const { rows } = await db.query<ReplayJobRow>({
    text: `select ${COLUMNS} from replay_job
      where tenant_id = $1 and livemode = $2 and id < $3 ${webhookUuid === null ? "" : "and webhook_id = $5"}
      order by id desc
      limit $4`,
    values: [tenantUuid, livemode, beforeUuid, limit, ...(webhookUuid === null ? [] : [webhookUuid])],
  });
  return rows;
}

/** Ends a running job, by primary key. False: it had ended already. */
export async function cancelReplayJob(
  db: Executor,
  tenantUuid: string,
  livemode: boolean,
  uuid: string,
  at: string,
): Promise<boolean> {
  const { rowCount } = await db.query({
    name: "cancel_replay_job",
    text: `update replay_job set state = 'cancelled', updated_at = $4, finished_at = $4
      where tenant_id = $1 and id = $2 and livemode = $3 and state = 'running'`,
    values: [tenantUuid, uuid, livemode, at],
  });
  return rowCount === 1;
}

// --- working them off ---------------------------------------------------------------------------------------------

/** Running jobs of these lanes, by index replay_job_running. */
export async function selectRunningJobs(db: Executor, lanes: readonly number[]): Promise<ReplayJobRow[]> {
  const { rows } = await db.query<ReplayJobRow>({
    name: "select_running_replay_jobs",
    text: `select ${COLUMNS} from replay_job where state = 'running' and lane = any ($1::int2[]) order by id`,
    values: [int2Array(lanes)],
  });
  return rows;
}

/** How many deliveries of a webhook are due, counted up to `limit`, by index delivery_due. */
export async function countDue(
  db: Executor,
  job: Pick<ReplayJobRow, "tenant_id" | "webhook_id" | "lane">,
  nowMs: number,
  limit: number,
): Promise<number> {
  const { rows } = await db.query<{ count: number }>({
    name: "count_due_of_webhook",
    text: `select count(*)::int4 as count from (
        select from delivery
        where lane = $1 and webhook_id = $2 and tenant_id = $3 and due_at <= to_timestamp($4::float8 / 1000)
        limit $5
      ) due`,
    values: [job.lane, job.webhook_id, job.tenant_id, nowMs, limit],
  });
  return rows[0]?.count ?? 0;
}

export interface ReplayChunk {
  readonly job: ReplayJobRow;
  /** Where the job stands afterwards. */
  readonly cursorUuid: string | null;
  readonly isLast: boolean;
  readonly examinedCount: number;
  /** Of a dry run: how many would be replayed; none are written. */
  readonly countedOnly: number;
  readonly webhookVersion: number;
  readonly deliveries: readonly {
    readonly idBytes: Uint8Array;
    readonly eventBytes: Uint8Array;
    readonly retentionClass: number;
    readonly orderingKey: string | null;
  }[];
}

/**
 * Moves a job on and writes the deliveries of its chunk, in one statement. Events by their whole primary key; one that is
 * gone or erased meanwhile is left out.
 * @returns whether the job was moved: not when it was cancelled, or somebody else has moved it
 */
export async function writeReplayChunk(
  db: Executor,
  node: NodeIdentity,
  nowMs: number,
  chunk: ReplayChunk,
): Promise<{ moved: boolean; written: number }> {
  const { job, deliveries } = chunk;
  const { rows } = await db.query<{ moved: number; written: number }>({
    name: "write_replay_chunk",
    text: `
with ${FENCE},
wanted as (
  select n.id, n.event_id, n.retention_class, n.place, n.ordering_key
  from unnest($10::uuid[], $11::uuid[], $12::int2[], $15::text[]) with ordinality
    as n (id, event_id, retention_class, ordering_key, place)
  cross join lateral (
    select from event
    where tenant_id = $3::uuid and retention_class = n.retention_class and id = n.event_id and erased_at is null
  ) e
),
job as (
  update replay_job
  set cursor_id = $6::uuid, examined_count = examined_count + $7::int4,
    replayed_count = replayed_count + $8::int4 + (select count(*) from wanted),
    updated_at = to_timestamp($9::float8 / 1000),
    state = case when $13::bool then 'done' else state end,
    finished_at = case when $13::bool then to_timestamp($9::float8 / 1000) end
  where tenant_id = $3::uuid and id = $4::uuid and state = 'running' and cursor_id is not distinct from $5::uuid
    and exists (select from fence)
  returning tenant_id, webhook_id, lane
),
written as (
  insert into delivery (tenant_id, id, event_id, webhook_id, seq, due_at, webhook_version, retention_class, lane, handoff,
    replayed, next_trigger, ordering_key)
  select made.tenant_id, made.id, made.event_id, made.webhook_id, nextval('delivery_seq'),
    to_timestamp($9::float8 / 1000), $14::int4, made.retention_class, made.lane, false, true, 'replay', made.ordering_key
  from (
    select job.tenant_id, job.webhook_id, job.lane, wanted.id, wanted.event_id, wanted.retention_class,
      wanted.ordering_key
    from job cross join wanted
    order by wanted.place
  ) made
  returning id
)
select (select count(*)::int4 from job) as moved, (select count(*)::int4 from written) as written`,
    values: [
      node.idBytes,
      node.incarnation,
      job.tenant_id,
      job.id,
      job.cursor_id,
      chunk.cursorUuid,
      chunk.examinedCount,
      chunk.countedOnly,
      nowMs,
      uuidArray(deliveries.map((each) => each.idBytes)),
      uuidArray(deliveries.map((each) => each.eventBytes)),
      int2Array(deliveries.map((each) => each.retentionClass)),
      chunk.isLast,
      chunk.webhookVersion,
      textArray(deliveries.map((each) => each.orderingKey)),
    ],
  });
  return { moved: rows[0]?.moved === 1, written: rows[0]?.written ?? 0 };
}

/** A job that cannot go on, by primary key; fenced. */
export async function failReplayJob(
  db: Executor,
  node: NodeIdentity,
  job: Pick<ReplayJobRow, "tenant_id" | "id">,
  nowMs: number,
  problem: string,
): Promise<void> {
  await db.query({
    name: "fail_replay_job",
    text: `with ${FENCE}
update replay_job
set state = 'failed', problem = $6, updated_at = to_timestamp($5::float8 / 1000),
  finished_at = to_timestamp($5::float8 / 1000)
where tenant_id = $3::uuid and id = $4::uuid and state = 'running' and exists (select from fence)`,
    values: [node.idBytes, node.incarnation, job.tenant_id, job.id, nowMs, problem],
  });
}
