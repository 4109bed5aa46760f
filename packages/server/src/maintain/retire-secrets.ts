// Clears what rotations of signing secrets leave behind. Signing does not wait for it: what a secret may sign is decided
// by its end. Must never take a webhook's last secret.
import type pg from "pg";
import { inTransaction } from "../storage/pools.ts";
import { deleteEndedSecrets, promoteNextSecrets } from "./retire-secrets.sql.ts";

/**
 * Destroys secrets whose overlap is over. Nodes need not hear of it: a secret keeps its row and its ciphertext when it
 * moves up, and the snapshots in memory know the end of the other one.
 * @param nowMs estimated database time
 * @returns how many went
 */
export async function retireSecrets(engine: pg.Pool, nowMs: number): Promise<number> {
  return inTransaction(engine, async (db) => {
    const retired = await deleteEndedSecrets(db, nowMs);
    if (retired.length > 0) await promoteNextSecrets(db, retired);
    return retired.length;
  });
}
