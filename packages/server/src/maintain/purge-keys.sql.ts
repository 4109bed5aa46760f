// Statements that remove idempotency keys whose window is over.
import type { Executor } from "../storage/pools.ts";

/** Length, in blocks of 8 KiB, of the longest partition of `event_key`. */
export async function readKeyBlockCount(engine: Executor): Promise<number> {
  const { rows } = await engine.query<{ block_count: number }>({
    text: `
      select coalesce(max(pg_relation_size(inhrelid)) / current_setting('block_size')::bigint, 0) as block_count
      from pg_inherits
      where inhparent = 'event_key'::regclass`,
  });
  return rows[0]?.block_count ?? 0;
}

/**
 * Removes the expired keys in one range of blocks of every partition, by TID range scans. An index on expires_at would
 * cost every insert; chunks by `limit` would read the same live rows again and again. This reads each block once.
 * @returns how many keys went
 */
export async function purgeKeyBlocks(
  engine: Executor,
  nowMs: number,
  fromBlock: number,
  toBlock: number,
): Promise<number> {
  const { rowCount } = await engine.query({
    text: `
      delete from event_key
      where ctid >= $2::tid and ctid < $3::tid and expires_at <= to_timestamp($1::float8 / 1000)`,
    values: [nowMs, `(${fromBlock},0)`, `(${toBlock},0)`],
  });
  return rowCount ?? 0;
}
