// Folds the tail of figures into a row for each webhook and minute and one for each webhook, and drops old minutes.
// Must never touch attempts or dead letters: they were counted by the statements that wrote them (storage/tally.sql.ts).
import type pg from "pg";
import { withLockIfFree } from "../storage/advisory-locks.sql.ts";
import type { Executor } from "../storage/pools.ts";
import { DAY_MS } from "./days.ts";
import { deleteOldMinutes, foldTail, isTailEmpty } from "./rollup.sql.ts";

/** Rows of a statement: some tens of milliseconds, and short locks on the totals. */
const CHUNK_SIZE = 5_000;
/** Minutes are kept for charts as long as the default history; a webhook's totals are kept for ever. */
export const MINUTES_KEPT_DAYS = 90;

/**
 * Folds all that is there. One node at a time: two would wait for each other's rows of the same webhooks, in any order.
 * @param ownerPool for the lock only
 * @param engine sees all tenants
 * @returns how many rows of the tail were folded; 0 also while another node is at it
 */
export async function foldRollups(
  ownerPool: pg.Pool,
  engine: Executor,
  chunkSize: number = CHUNK_SIZE,
): Promise<number> {
  if (await isTailEmpty(engine)) return 0;
  const folded = await withLockIfFree(ownerPool, "rollup", () =>
    inChunks(chunkSize, () => foldTail(engine, chunkSize)),
  );
  return folded ?? 0;
}

/** Drops the minutes that are older than `MINUTES_KEPT_DAYS`; the totals keep what they held. */
export async function dropOldMinutes(engine: Executor, nowMs: number, chunkSize: number = CHUNK_SIZE): Promise<number> {
  return inChunks(chunkSize, () => deleteOldMinutes(engine, nowMs - MINUTES_KEPT_DAYS * DAY_MS, chunkSize));
}

async function inChunks(chunkSize: number, takeChunk: () => Promise<number>): Promise<number> {
  let total = 0;
  for (;;) {
    const count = await takeChunk();
    total += count;
    if (count < chunkSize) return total;
  }
}
