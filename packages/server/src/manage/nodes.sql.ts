// Statements on the list of nodes, which belongs to the installation. Engine role.
import type { Executor } from "../storage/pools.ts";

export interface NodeRow {
  id: string;
  host: string;
  process_id: number;
  version: string;
  started_at: Date;
  alive: boolean;
  leaving: boolean;
  beat_age_ms: number;
  memory_bytes: number;
  backlog_count: number;
  in_flight_count: number;
  lane_count: number;
  oldest_due_at: Date | null;
}

/**
 * Nodes below an id, newest first, by primary key. What is due first in a lane is found by a loose scan over
 * delivery_due: one probe for each webhook that is owed something, in the lanes of the nodes of this page only.
 */
export async function selectNodes(db: Executor, beforeUuid: string | null, limit: number): Promise<NodeRow[]> {
  const result = await db.query<NodeRow>({
    name: "select_nodes",
    text: `
with recursive page as (
  select id, host, process_id, version, started_at, alive, leaving, beat_at, memory_bytes, backlog_count, in_flight_count
  from node where $1::uuid is null or id < $1::uuid
  order by id desc
  limit $2
),
first_due as (
  select lane.node_id, first.lane, first.webhook_id, first.due_at
  from lane
  cross join lateral (
    select delivery.lane, webhook_id, due_at from delivery
    where delivery.lane = lane.id order by webhook_id, due_at limit 1
  ) first
  where lane.node_id in (select id from page)
  union all
  select first_due.node_id, next.lane, next.webhook_id, next.due_at
  from first_due
  cross join lateral (
    select delivery.lane, webhook_id, due_at from delivery
    where delivery.lane = first_due.lane and delivery.webhook_id > first_due.webhook_id
    order by webhook_id, due_at limit 1
  ) next
)
select page.id, host, process_id, version, started_at, alive, leaving, memory_bytes, backlog_count, in_flight_count,
  extract(epoch from clock_timestamp() - beat_at)::float8 * 1000 as beat_age_ms,
  (select count(*)::int from lane where lane.node_id = page.id) as lane_count,
  (select min(due_at) from first_due where first_due.node_id = page.id and due_at < 'infinity') as oldest_due_at
from page
order by page.id desc`,
    values: [beforeUuid, limit],
  });
  return result.rows;
}
