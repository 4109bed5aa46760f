// Vacuums `delivery` every few seconds of load: its rows live for milliseconds, and what autovacuum leaves for a
// minute would have to be stepped over by every read. Must never run on two nodes at once, nor when nothing happened.
import type pg from "pg";
import { withLockIfFree } from "../storage/advisory-locks.sql.ts";
import { readDeadDeliveryRows, vacuumDelivery } from "./vacuum.sql.ts";

/** Fewer dead rows fit into a dozen pages: not worth a pass over the indexes. */
const LEAST_DEAD_ROWS = 500;

/**
 * @param leastDeadRows how many dead rows make a vacuum worth it
 * @returns whether this call vacuumed: false when there was little to do or another node was at it
 */
export async function vacuumIfNeeded(ownerPool: pg.Pool, leastDeadRows: number = LEAST_DEAD_ROWS): Promise<boolean> {
  if ((await readDeadDeliveryRows(ownerPool)) < leastDeadRows) return false;
  const vacuumed = await withLockIfFree(ownerPool, "vacuum", async (client) => {
    // Looked at again under the lock: another node may have finished meanwhile.
    if ((await readDeadDeliveryRows(client)) < leastDeadRows) return false;
    await vacuumDelivery(client);
    return true;
  });
  return vacuumed === true;
}
