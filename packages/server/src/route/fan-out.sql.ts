// Statements that expand a stored fan-out in chunks. Engine role, fenced.
import { boolArray, int2Array, int4Array, uuidArray } from "../lib/binary-arrays.ts";
import { FENCE, type NodeIdentity } from "../storage/fence.ts";
import type { Executor } from "../storage/pools.ts";

export interface FanOutHead {
  tenant_id: string;
  id: string;
  next_index: number;
}

export interface FanOutList extends FanOutHead {
  webhook_ids: string[];
  webhook_versions: number[];
  webhook_lanes: number[];
}

/** Fan-outs of these lanes that are not finished, by index fan_out_lane. */
export async function selectFanOuts(db: Executor, lanes: readonly number[]): Promise<FanOutHead[]> {
  const result = await db.query<FanOutHead>({
    name: "select_fan_outs",
    text: "select tenant_id, id, next_index from fan_out where lane = any ($1::int2[]) order by id",
    values: [int2Array(lanes)],
  });
  return result.rows;
}

/** One fan-out with its list, by primary key; null when somebody finished it. */
export async function selectFanOut(db: Executor, tenantUuid: string, eventUuid: string): Promise<FanOutList | null> {
  const result = await db.query<FanOutList>({
    name: "select_fan_out",
    text: `select tenant_id, id, next_index, webhook_ids, webhook_versions, webhook_lanes
from fan_out where tenant_id = $1 and id = $2`,
    values: [tenantUuid, eventUuid],
  });
  return result.rows[0] ?? null;
}

export interface FanOutChunk {
  readonly tenantUuid: string;
  readonly eventUuid: string;
  /** Where the list stood: another expander that was faster makes this chunk write nothing. */
  readonly fromIndex: number;
  readonly isLast: boolean;
  readonly deliveries: readonly {
    readonly idBytes: Uint8Array;
    readonly webhookBytes: Uint8Array;
    readonly version: number;
    readonly lane: number;
    readonly handoff: boolean;
  }[];
}

/**
 * Writes one chunk and moves the list on, or removes it at its end: a kill leaves either both or neither.
 * @returns how many deliveries were written
 */
export async function expandChunk(
  db: Executor,
  node: NodeIdentity,
  nowMs: number,
  chunk: FanOutChunk,
): Promise<number> {
  const { deliveries } = chunk;
  const result = await db.query<{ written: number }>({
    name: chunk.isLast ? "expand_last_chunk" : "expand_chunk",
    text: `
with ${FENCE},
list as (
  ${
    chunk.isLast
      ? "delete from fan_out where"
      : `update fan_out set next_index = next_index + cardinality($7::uuid[]) where`
  } tenant_id = $3::uuid and id = $4::uuid and next_index = $5::int4 and exists (select from fence)
  returning tenant_id, id, seq, retention_class, ordering_key
),
written as (
  insert into delivery (
    tenant_id, id, event_id, webhook_id, seq, due_at, webhook_version, retention_class, lane, handoff, ordering_key
  )
  select list.tenant_id, d.id, list.id, d.webhook_id, list.seq, to_timestamp($6::float8 / 1000), d.version,
    list.retention_class, d.lane, d.handoff, list.ordering_key
  from list
  cross join unnest($7::uuid[], $8::uuid[], $9::int4[], $10::int2[], $11::bool[]) as d (id, webhook_id, version, lane, handoff)
  returning id
)
select count(*)::int4 as written from written`,
    values: [
      node.idBytes,
      node.incarnation,
      chunk.tenantUuid,
      chunk.eventUuid,
      chunk.fromIndex,
      nowMs,
      uuidArray(deliveries.map((delivery) => delivery.idBytes)),
      uuidArray(deliveries.map((delivery) => delivery.webhookBytes)),
      int4Array(deliveries.map((delivery) => delivery.version)),
      int2Array(deliveries.map((delivery) => delivery.lane)),
      boolArray(deliveries.map((delivery) => delivery.handoff)),
    ],
  });
  return result.rows[0]?.written ?? 0;
}
