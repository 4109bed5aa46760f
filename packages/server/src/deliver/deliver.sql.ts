// Statements of the deliver stage: reading the lanes. Engine role.
import { int2Array, int4Array, timestamptzArray, uuidArray } from "../lib/binary-arrays.ts";
import { FENCE, type NodeIdentity } from "../storage/fence.ts";
import type { Executor } from "../storage/pools.ts";

export interface DueRow {
  tenant_id: string;
  id: string;
  event_id: string;
  webhook_id: string;
  attempt_count: number;
  policy_attempt_base: number;
  retention_class: number;
  replayed: boolean;
  next_trigger: "initial" | "retry" | "manual" | "replay";
  /** The stored batch that it goes in. */
  batch_id: string | null;
  /** How many events it stands for; null until coalescing has let it through. */
  coalesced_count: number | null;
  ordering_key: string | null;
  type: string | null;
  livemode: boolean;
  sender_id: string | null;
  sent_timestamp: string | null;
  data: Buffer | null;
  context: Buffer | null;
  trace_context: string | null;
  /** `data` and `context` are not the event's own: somebody corrected them. */
  correction_id: string | null;
}

export interface RefillRequest {
  readonly lane: number;
  readonly webhookBytes: Uint8Array;
  /** Rows due up to this time are read; Infinity reads held ones too (a webhook that was disabled or deleted). */
  readonly dueBeforeMs: number;
  readonly limit: number;
}

/** What somebody put in the place of the payload of `d`; only what was tried, and then held or dead, can have one. */
export const LATEST_CORRECTION = `
left join lateral (
  select id, data, context from correction
  where correction.tenant_id = d.tenant_id and correction.delivery_id = d.id and d.next_trigger <> 'initial'
  order by correction.id desc
  limit 1
) c on true`;

/**
 * Due deliveries of several webhooks with their events, oldest first, without those already in memory.
 * Index delivery_due gives one range for each webhook; the event is found by its whole primary key, so one partition.
 * @param keyless only those without an ordering key
 */
export async function selectDue(
  db: Executor,
  requests: readonly RefillRequest[],
  inMemory: readonly Uint8Array[],
  keyless = false,
): Promise<DueRow[]> {
  const result = await db.query<DueRow>({
    name: keyless ? "select_due_keyless" : "select_due",
    text: `
select d.tenant_id, d.id, d.event_id, d.webhook_id, d.attempt_count, d.policy_attempt_base, d.retention_class,
  d.replayed, d.next_trigger, d.batch_id, d.coalesced_count, d.ordering_key, e.type, e.livemode, e.sender_id,
  e.sent_timestamp, coalesce(c.data, e.data) as data, coalesce(c.context, e.context) as context, e.trace_context,
  c.id as correction_id
from unnest($1::int2[], $2::uuid[], $3::timestamptz[], $4::int4[]) as r (lane, webhook_id, due_before, row_limit)
cross join lateral (
  select * from delivery
  where delivery.lane = r.lane and delivery.webhook_id = r.webhook_id and delivery.due_at <= r.due_before
    and delivery.id <> all ($5::uuid[])${keyless ? " and delivery.ordering_key is null" : ""}
  order by delivery.due_at, delivery.seq
  limit r.row_limit
) d
left join lateral (
  select type, livemode, sender_id, sent_timestamp, data, context, trace_context from event
  where event.tenant_id = d.tenant_id and event.retention_class = d.retention_class and event.id = d.event_id
  limit 1
) e on true${LATEST_CORRECTION}`,
    values: [
      int2Array(requests.map((request) => request.lane)),
      uuidArray(requests.map((request) => request.webhookBytes)),
      timestamptzArray(requests.map((request) => request.dueBeforeMs)),
      int4Array(requests.map((request) => request.limit)),
      uuidArray(inMemory),
    ],
  });
  return result.rows;
}

/** For each webhook: when its earliest delivery after `dueBeforeMs` falls due; held ones (infinity) do not count. */
export async function selectNextDue(
  db: Executor,
  requests: readonly RefillRequest[],
  keyless = false,
): Promise<{ webhook_id: string; next_due_ms: number | null }[]> {
  const result = await db.query<{ webhook_id: string; next_due_ms: number | null }>({
    name: keyless ? "select_next_due_keyless" : "select_next_due",
    text: `
select r.webhook_id, (
    select extract(epoch from delivery.due_at)::float8 * 1000 from delivery
    where delivery.lane = r.lane and delivery.webhook_id = r.webhook_id
      and delivery.due_at > r.due_before and delivery.due_at < 'infinity'${keyless ? " and delivery.ordering_key is null" : ""}
    order by delivery.due_at
    limit 1
  ) as next_due_ms
from unnest($1::int2[], $2::uuid[], $3::timestamptz[]) as r (lane, webhook_id, due_before)`,
    values: [
      int2Array(requests.map((request) => request.lane)),
      uuidArray(requests.map((request) => request.webhookBytes)),
      timestamptzArray(requests.map((request) => request.dueBeforeMs)),
    ],
  });
  return result.rows;
}

/** Webhooks that have deliveries in these lanes: a loose scan over delivery_due, one probe for each webhook found. */
export async function selectWebhooksWithDeliveries(
  db: Executor,
  lanes: readonly number[],
): Promise<{ tenant_id: string; webhook_id: string }[]> {
  const result = await db.query<{ tenant_id: string; webhook_id: string }>({
    name: "select_webhooks_with_deliveries",
    text: `
with recursive found as (
  select first.* from unnest($1::int2[]) as l (lane)
  cross join lateral (
    select tenant_id, lane, webhook_id from delivery where delivery.lane = l.lane order by webhook_id limit 1
  ) first
  union all
  select next.* from found
  cross join lateral (
    select tenant_id, lane, webhook_id from delivery
    where delivery.lane = found.lane and delivery.webhook_id > found.webhook_id
    order by webhook_id limit 1
  ) next
)
select tenant_id, webhook_id from found`,
    values: [int2Array(lanes)],
  });
  return result.rows;
}

/** What was left for the owner of a lane: deliveries of a webhook, or the word that one of them was cancelled. */
export interface HandedOver {
  tenant_id: string;
  webhook_id: string;
  /** Of deliveries that are ordered. */
  ordering_key: string | null;
  cancelled_id: string | null;
  /** A person asked for it: an endpoint at rest is probed at once. */
  is_manual: boolean;
}

/**
 * Takes what others left for the owner of these lanes, by index delivery_handoff. Fenced. Notices are read only:
 * `deleteCancelNotices` removes them when they were heeded.
 */
export async function takeHandoffs(db: Executor, node: NodeIdentity, lanes: readonly number[]): Promise<HandedOver[]> {
  const result = await db.query<HandedOver>({
    name: "take_handoffs",
    text: `
with ${FENCE},
taken as (
  update delivery set handoff = false
  where handoff and lane = any ($3::int2[]) and exists (select from fence)
  returning tenant_id, webhook_id, ordering_key, next_trigger
)
select tenant_id, webhook_id, ordering_key, null::uuid as cancelled_id, bool_or(next_trigger = 'manual') as is_manual
from taken
group by tenant_id, webhook_id, ordering_key
union all
select tenant_id, webhook_id, null, delivery_id, false from cancel_notice
where lane = any ($3::int2[]) and exists (select from fence)`,
    values: [node.idBytes, node.incarnation, int2Array(lanes)],
  });
  return result.rows;
}

/** Removes notices that the owner of the lane has heeded, by primary key. */
export async function deleteCancelNotices(db: Executor, notices: readonly HandedOver[]): Promise<void> {
  await db.query({
    name: "delete_cancel_notices",
    text: `delete from cancel_notice n using unnest($1::uuid[], $2::uuid[]) as h (tenant_id, delivery_id)
where n.tenant_id = h.tenant_id and n.delivery_id = h.delivery_id`,
    values: [notices.map((each) => each.tenant_id), notices.map((each) => each.cancelled_id)],
  });
}

// --- nodes and lanes ---------------------------------------------------------------------------------------------

/** Enters this process into the list of nodes, or a new incarnation of it after it was declared dead. */
export async function upsertNode(
  db: Executor,
  node: { uuid: string; incarnation: number; startedAtMs: number; processId: number; version: string; host: string },
): Promise<void> {
  await db.query({
    name: "upsert_node",
    text: `
insert into node (id, incarnation, started_at, beat_at, process_id, alive, version, host)
values ($1, $2, to_timestamp($3::float8 / 1000), clock_timestamp(), $4, true, $5, $6)
on conflict (id) do update
  set incarnation = excluded.incarnation, alive = true, leaving = false, beat = 0, beat_at = clock_timestamp()`,
    values: [node.uuid, node.incarnation, node.startedAtMs, node.processId, node.version, node.host],
  });
}

/** What a node says about itself with each beat. */
export interface NodeFigures {
  readonly memoryBytes: number;
  /** Deliveries in memory, waiting or under way. */
  readonly backlogCount: number;
  readonly inFlightCount: number;
}

/**
 * Raises the beat. No row: this incarnation was declared dead.
 * @returns with the sum of all lanes' epochs: the same as before means that no lane has changed hands
 */
export async function raiseBeat(
  db: Executor,
  node: NodeIdentity,
  figures: NodeFigures,
): Promise<{ beat: number; epochs: number } | null> {
  const result = await db.query<{ beat: number; epochs: number }>({
    name: "raise_beat",
    text: `update node set beat = beat + 1, beat_at = clock_timestamp(),
  memory_bytes = $3, backlog_count = $4, in_flight_count = $5
where id = $1::uuid and incarnation = $2 and alive
returning beat, (select sum(epoch)::float8 from lane) as epochs`,
    values: [node.uuid, node.incarnation, figures.memoryBytes, figures.backlogCount, figures.inFlightCount],
  });
  return result.rows[0] ?? null;
}

export interface OtherNode {
  id: string;
  incarnation: number;
  beat: number;
  /** Told to stop: it finishes what it began and takes no lanes. */
  leaving: boolean;
}

/** All other nodes that count as alive. */
export async function selectOtherNodes(db: Executor, node: Pick<NodeIdentity, "uuid">): Promise<OtherNode[]> {
  const result = await db.query<OtherNode>({
    name: "select_other_nodes",
    text: "select id, incarnation, beat, leaving from node where alive and id <> $1::uuid",
    values: [node.uuid],
  });
  return result.rows;
}

/**
 * Declares a silent node dead and frees its lanes: waits for the statements that hold its fence, then raises the
 * epochs. One statement, so that a frozen taker cannot hold the lock. False: it beat again or somebody was faster.
 */
export async function declareDead(db: Executor, silent: OtherNode): Promise<boolean> {
  const result = await db.query<{ id: string }>({
    name: "declare_dead",
    text: `
with silent as (
  select id from node where id = $1 and incarnation = $2 and beat = $3 and alive for update
),
marked as (
  update node set alive = false where id in (select id from silent) returning id
),
freed as (
  update lane set node_id = null, epoch = epoch + 1, unclean = true where node_id in (select id from marked) returning id
)
select marked.id from marked, (select count(*) from freed) freed_count`,
    values: [silent.id, silent.incarnation, silent.beat],
  });
  return result.rows.length > 0;
}

/** Tells the others that this node takes no lanes any more. */
export async function markLeaving(db: Executor, node: NodeIdentity): Promise<void> {
  await db.query({
    name: "mark_leaving",
    text: "update node set leaving = true where id = $1::uuid and incarnation = $2 and alive",
    values: [node.uuid, node.incarnation],
  });
}

/** Who owns which lanes. */
export async function selectLaneOwners(db: Executor): Promise<{ node_id: string | null; lanes: number[] }[]> {
  const result = await db.query<{ node_id: string | null; lanes: number[] }>({
    name: "select_lane_owners",
    text: "select node_id, array_agg(id) as lanes from lane group by node_id",
  });
  return result.rows;
}

export interface AcquiredLane {
  readonly id: number;
  /** The owner before did not give it back: a request of its may still be under way. */
  readonly unclean: boolean;
}

/** Takes those of these lanes that are still free. Fenced: a dead node takes nothing. */
export async function acquireLanes(
  db: Executor,
  node: NodeIdentity,
  lanes: readonly number[],
): Promise<AcquiredLane[]> {
  const result = await db.query<AcquiredLane>({
    name: "acquire_lanes",
    text: `
with ${FENCE}
update lane set node_id = $1::uuid, epoch = epoch + 1
where id = any ($3::int2[]) and node_id is null and exists (select from fence)
returning id, unclean`,
    values: [node.idBytes, node.incarnation, int2Array(lanes)],
  });
  return result.rows;
}

/**
 * Gives drained lanes back, while the node lives on. Fenced: a dead node has none to give. Nothing of theirs may be on
 * its way to the database: the next owner reads them once, as they are after this.
 * @param unclean those of which a request of an earlier owner may still be under way
 */
export async function releaseLanes(
  db: Executor,
  node: NodeIdentity,
  lanes: readonly number[],
  unclean: readonly number[],
): Promise<void> {
  await db.query({
    name: "release_lanes",
    text: `
with ${FENCE}
update lane set node_id = null, epoch = epoch + 1, unclean = id = any ($4::int2[])
where id = any ($3::int2[]) and node_id = $1::uuid and exists (select from fence)`,
    values: [node.idBytes, node.incarnation, int2Array(lanes), int2Array(unclean)],
  });
}

/**
 * Gives all lanes back and leaves the list: the clean end of a node, or of an incarnation whose lease ran out. Waits,
 * like a takeover, for the statements that hold its fence, so that the next owner's read finds what they wrote.
 * @param clean those lanes of which no request of an earlier owner can be under way
 */
export async function releaseNode(db: Executor, node: NodeIdentity, clean: readonly number[]): Promise<void> {
  await db.query({
    name: "release_node",
    text: `
with leaving as (
  select id from node where id = $1::uuid and incarnation = $2 for update
),
freed as (
  update lane set node_id = null, epoch = epoch + 1, unclean = unclean and not id = any ($3::int2[])
  where node_id in (select id from leaving) returning id
)
update node set alive = false where id in (select id from leaving) and (select count(*) from freed) >= 0`,
    values: [node.uuid, node.incarnation, int2Array(clean)],
  });
}
