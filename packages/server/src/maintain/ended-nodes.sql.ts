// The statement that clears the list of nodes.
import type { Executor } from "../storage/pools.ts";

/**
 * Removes nodes that ended more than a day ago; the list has a few rows. One that was only frozen finds no row of its
 * own, which is what the fence asks, and joins again. @returns how many went
 */
export async function deleteEndedNodes(engine: Executor, nowMs: number): Promise<number> {
  const { rowCount } = await engine.query({
    text: `
      delete from node
      where not alive and beat_at < to_timestamp($1::float8 / 1000) - interval '1 day'
        and not exists (select from lane where lane.node_id = node.id)`,
    values: [nowMs],
  });
  return rowCount ?? 0;
}
