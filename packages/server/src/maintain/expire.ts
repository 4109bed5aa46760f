// Ends what is still owed of events that are about to leave with their partition: dead letters with reason `expired`.
// It must never lose a delivery: each is removed and recorded by the same statement.
import type pg from "pg";
import type { Executor } from "../storage/pools.ts";
import { expiryCutoffMs, RETENTION_CLASSES, startOfDay } from "./days.ts";
import { expireChunk, listExpiringTimes } from "./expire.sql.ts";
import { expireHeldChunk } from "./expire-held.sql.ts";
import { ensureDays } from "./partitions.ts";

/** Small enough to hold row locks for milliseconds only. */
const CHUNK_SIZE = 1_000;
/** SQLSTATE check_violation: also what PostgreSQL says when no partition takes a row. */
const NO_PARTITION = "23514";

/**
 * Makes dead letters of all pending deliveries whose event goes within a day, class by class and in chunks.
 * @param ownerPool makes the partition again where a retried dead letter outlived it
 * @param chunkSize rows per statement
 * @returns how many deliveries it ended
 */
export async function expireDeliveries(
  ownerPool: pg.Pool,
  engine: Executor,
  nowMs: number,
  chunkSize: number = CHUNK_SIZE,
): Promise<number> {
  let expired = 0;
  for (const retentionClass of RETENTION_CLASSES) {
    const cutoffMs = expiryCutoffMs(retentionClass, nowMs);
    const takeChunk = (): Promise<number> => expireChunk(engine, cutoffMs, retentionClass, nowMs, chunkSize);
    for (;;) {
      const count = await takeChunk().catch(async (error: unknown) => {
        if ((error as { code?: unknown }).code !== NO_PARTITION) throw error;
        const times = await listExpiringTimes(engine, cutoffMs, retentionClass, chunkSize);
        await ensureDays(ownerPool, [...new Set(times.map(dayOfHex))], [retentionClass]);
        return takeChunk();
      });
      expired += count;
      if (count < chunkSize) break;
    }
  }
  return expired;
}

function dayOfHex(milliseconds: string): number {
  return startOfDay(Number.parseInt(milliseconds, 16));
}

/** The longest request and its body, and some patience with the record of it. */
const GRACE_MS = 60_000;

/**
 * Ends what is held, or owed by a paused webhook, and past its webhook's `expireAfter`.
 * @returns how many deliveries it ended
 */
export async function expireHeld(engine: Executor, nowMs: number, chunkSize: number = CHUNK_SIZE): Promise<number> {
  let expired = 0;
  for (;;) {
    const count = await expireHeldChunk(engine, nowMs, GRACE_MS, chunkSize);
    expired += count;
    if (count < chunkSize) return expired;
  }
}
