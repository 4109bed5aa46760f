// Statements that write down what travels together before it is sent: batches with their members, and which state of a
// key stands for which others. Engine role, fenced.
import { int2Array, int4Array, textArray, timestamptzArray, uuidArray } from "../../lib/binary-arrays.ts";
import { FENCE, type NodeIdentity } from "../../storage/fence.ts";
import type { Executor } from "../../storage/pools.ts";
import { type DueRow, LATEST_CORRECTION } from "../deliver.sql.ts";

export interface BatchToStore {
  readonly idBytes: Uint8Array;
  readonly tenantBytes: Uint8Array;
  readonly webhookBytes: Uint8Array;
  readonly lane: number;
  readonly kind: "batch" | "digest";
  /** Estimated database time; receivers see it, at every repeat the same. */
  readonly createdAtMs: number;
  /** Deliveries. */
  readonly memberBytes: readonly Uint8Array[];
}

/**
 * Stores batches and marks their members, by primary key. A member that is gone (cancelled), or in another batch, is left
 * out; a batch of which nothing is left is not stored. The order of the members is that of their `seq`.
 * @returns what was stored; nothing when this node was declared dead
 */
export async function storeBatches(
  db: Executor,
  node: NodeIdentity,
  batches: readonly BatchToStore[],
): Promise<{ id: string; member_ids: string[] }[]> {
  const members = batches.flatMap(({ memberBytes }, index) => memberBytes.map((bytes) => ({ index, bytes })));
  const result = await db.query<{ id: string; member_ids: string[] }>({
    name: "store_batches",
    text: `
with ${FENCE},
wanted as (
  select * from unnest($3::uuid[], $4::uuid[], $5::uuid[], $6::int2[], $7::text[], $8::timestamptz[])
    with ordinality as w (id, tenant_id, webhook_id, lane, kind, created_at, place)
  where exists (select from fence)
),
marked as (
  update delivery d set batch_id = wanted.id
  from unnest($9::int4[], $10::uuid[]) as m (place, id)
  join wanted on wanted.place = m.place
  where d.tenant_id = wanted.tenant_id and d.id = m.id and d.batch_id is null and d.due_at < 'infinity'
  returning d.batch_id, d.id, d.seq
)
insert into batch (tenant_id, id, webhook_id, created_at, lane, kind, member_ids)
select wanted.tenant_id, wanted.id, wanted.webhook_id, wanted.created_at, wanted.lane, wanted.kind, members.ids
from wanted
join (select batch_id, array_agg(id order by seq, id) as ids from marked group by batch_id) members
  on members.batch_id = wanted.id
returning id, member_ids`,
    values: [
      node.idBytes,
      node.incarnation,
      uuidArray(batches.map((batch) => batch.idBytes)),
      uuidArray(batches.map((batch) => batch.tenantBytes)),
      uuidArray(batches.map((batch) => batch.webhookBytes)),
      int2Array(batches.map((batch) => batch.lane)),
      textArray(batches.map((batch) => batch.kind)),
      timestamptzArray(batches.map((batch) => batch.createdAtMs)),
      int4Array(members.map(({ index }) => index + 1)),
      uuidArray(members.map(({ bytes }) => bytes)),
    ],
  });
  return result.rows;
}

/** A member of a stored batch in its place; `id` is null when the delivery is not pending any more. */
export interface MemberRow extends Omit<DueRow, "id"> {
  batch_uuid: string;
  kind: "batch" | "digest";
  created_ms: number;
  id: string | null;
}

/**
 * Stored batches with all their members and the members' events, in their order. By the primary keys of batch and
 * delivery; the event is found by its whole primary key, so one partition.
 */
export async function selectBatchMembers(
  db: Executor,
  batches: readonly { readonly tenant_id: string; readonly batch_id: string }[],
): Promise<MemberRow[]> {
  const result = await db.query<MemberRow>({
    name: "select_batch_members",
    text: `
select b.id as batch_uuid, b.kind, extract(epoch from b.created_at)::float8 * 1000 as created_ms,
  b.tenant_id, d.id, d.event_id, b.webhook_id, d.attempt_count, d.policy_attempt_base, d.retention_class,
  d.replayed, d.next_trigger, d.batch_id, d.coalesced_count, e.type, e.livemode, e.sender_id, e.sent_timestamp,
  coalesce(c.data, e.data) as data, coalesce(c.context, e.context) as context, c.id as correction_id
from unnest($1::uuid[], $2::uuid[]) as w (tenant_id, id)
join batch b on b.tenant_id = w.tenant_id and b.id = w.id
cross join lateral unnest(b.member_ids) with ordinality as m (id, place)
left join delivery d on d.tenant_id = b.tenant_id and d.id = m.id and d.batch_id = b.id and d.due_at < 'infinity'
left join lateral (
  select type, livemode, sender_id, sent_timestamp, data, context from event
  where event.tenant_id = d.tenant_id and event.retention_class = d.retention_class and event.id = d.event_id
  limit 1
) e on true${LATEST_CORRECTION}
order by b.id, m.place`,
    values: [batches.map((each) => each.tenant_id), batches.map((each) => each.batch_id)],
  });
  return result.rows;
}

/**
 * The rest of a batch that has lost a member (its event expired) goes on without it, and so without its id: each of them
 * by itself. By primary keys.
 * @param memberUuids those that are known to be pending: of a batch that was dissolved before a dead member was revived
 */
export async function dissolveBatch(
  db: Executor,
  node: NodeIdentity,
  batch: { readonly tenant_id: string; readonly batch_id: string },
  memberUuids: readonly string[],
): Promise<void> {
  await db.query({
    name: "dissolve_batch",
    text: `
with ${FENCE},
gone as (
  delete from batch where tenant_id = $3 and id = $4 and exists (select from fence) returning member_ids
)
update delivery d set batch_id = null
where d.tenant_id = $3 and d.batch_id = $4 and exists (select from fence)
  and d.id = any (array(select unnest(member_ids) from gone union select unnest($5::uuid[])))`,
    values: [node.idBytes, node.incarnation, batch.tenant_id, batch.batch_id, memberUuids],
  });
}

export interface SurvivorToStore {
  readonly tenantBytes: Uint8Array;
  readonly webhookBytes: Uint8Array;
  readonly idBytes: Uint8Array;
  readonly key: string;
  /** Deliveries that it stands for. */
  readonly supersededBytes: readonly Uint8Array[];
}

/**
 * Writes down which states were superseded, before the survivor is sent: those named, and what still waits for the retry
 * of an older state of the key (index delivery_coalesced; not the members of a batch, which go as one). The survivor is
 * marked with its key and with how many events it stands for.
 * @returns the survivors with their counts; one that is missing is gone, and then nothing was superseded by it
 */
export async function storeSurvivors(
  db: Executor,
  node: NodeIdentity,
  survivors: readonly SurvivorToStore[],
): Promise<{ id: string; coalesced_count: number }[]> {
  const losers = survivors.flatMap(({ supersededBytes }, index) => supersededBytes.map((bytes) => ({ index, bytes })));
  const result = await db.query<{ id: string; coalesced_count: number }>({
    name: "store_survivors",
    text: `
with ${FENCE},
survivor as (
  select s.place, s.key, d.tenant_id, d.webhook_id, d.id, d.seq
  from unnest($3::uuid[], $4::uuid[], $5::uuid[], $6::text[])
    with ordinality as s (tenant_id, webhook_id, id, key, place)
  join delivery d on d.tenant_id = s.tenant_id and d.id = s.id
  where exists (select from fence)
),
loser as (
  select survivor.tenant_id, l.id, survivor.id as survivor_id
  from unnest($7::int4[], $8::uuid[]) as l (place, id)
  join survivor on survivor.place = l.place
  union
  select survivor.tenant_id, d.id, survivor.id
  from survivor
  join delivery d on d.tenant_id = survivor.tenant_id and d.webhook_id = survivor.webhook_id
    and d.coalesce_key = survivor.key and d.seq < survivor.seq
),
removed as (
  delete from delivery d using loser
  where d.tenant_id = loser.tenant_id and d.id = loser.id and d.batch_id is null
  returning d.tenant_id, d.id, d.event_id, d.webhook_id, d.webhook_version, d.retention_class, d.attempt_count,
    d.replayed, coalesce(d.coalesced_count, 1) as coalesced_count, loser.survivor_id
),
cancelled as (
  insert into cancelled_delivery (tenant_id, id, event_id, webhook_id, cancelled_at, webhook_version, retention_class,
    attempt_count, replayed, reason, superseded_by)
  select tenant_id, id, event_id, webhook_id, clock_timestamp(), webhook_version, retention_class, attempt_count,
    replayed, 'superseded', survivor_id
  from removed
)
update delivery d
set coalesce_key = survivor.key, coalesced_count = coalesce(d.coalesced_count, 1) + coalesce((
    select sum(removed.coalesced_count) from removed where removed.survivor_id = d.id
  ), 0)
from survivor
where d.tenant_id = survivor.tenant_id and d.id = survivor.id
returning d.id, d.coalesced_count`,
    values: [
      node.idBytes,
      node.incarnation,
      uuidArray(survivors.map((each) => each.tenantBytes)),
      uuidArray(survivors.map((each) => each.webhookBytes)),
      uuidArray(survivors.map((each) => each.idBytes)),
      textArray(survivors.map((each) => each.key)),
      int4Array(losers.map(({ index }) => index + 1)),
      uuidArray(losers.map(({ bytes }) => bytes)),
    ],
  });
  return result.rows;
}
