// Removes batches of which nothing is kept any more. Must never remove one that is pending or dead.
import type { Executor } from "../storage/pools.ts";
import { deleteOldBatches } from "./batches.sql.ts";
import { DAY_MS } from "./days.ts";
import { listRetentionClasses } from "./partitions.sql.ts";

const CHUNK_SIZE = 1_000;

/** @returns how many there were */
export async function dropOldBatches(engine: Executor, nowMs: number): Promise<number> {
  // A batch is younger than its events, and a day of which something is pending is kept.
  const days = Math.max(...(await listRetentionClasses(engine))) + 1;
  let removed = 0;
  for (;;) {
    const count = await deleteOldBatches(engine, nowMs - days * DAY_MS, CHUNK_SIZE);
    removed += count;
    if (count < CHUNK_SIZE) return removed;
  }
}
