// Walks the idempotency keys, a stretch at a time, and removes those whose 24 hours are over.
// Capture never depends on it: a key past its time counts as absent there. It must never remove a live key.
import type { Executor } from "../storage/pools.ts";
import { purgeKeyBlocks, readKeyBlockCount } from "./purge-keys.sql.ts";

/** Of each of the 16 partitions: 8 MiB and some 60,000 rows a statement. */
const BLOCKS_PER_STATEMENT = 64;
/** 8 GiB a call; what is left is the next call's. */
const STATEMENTS_PER_CALL = 1_024;

export interface KeyPurge {
  /** Removes expired keys and returns how many; continues where the last call stopped. */
  run(nowMs: number): Promise<number>;
}

/** @param blocksPerStatement blocks of 8 KiB, of each partition */
export function createKeyPurge(engine: Executor, blocksPerStatement: number = BLOCKS_PER_STATEMENT): KeyPurge {
  let nextBlock = 0;
  return {
    async run(nowMs) {
      const blockCount = await readKeyBlockCount(engine);
      let removed = 0;
      for (let statement = 0; statement < STATEMENTS_PER_CALL && nextBlock < blockCount; statement += 1) {
        removed += await purgeKeyBlocks(engine, nowMs, nextBlock, nextBlock + blocksPerStatement);
        nextBlock += blocksPerStatement;
      }
      if (nextBlock >= blockCount) nextBlock = 0;
      return removed;
    },
  };
}
