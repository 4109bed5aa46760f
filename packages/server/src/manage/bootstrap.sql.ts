// Statements of the first start. Engine role: there is no tenant yet to work as.
import { LOCK_CLASS, LOCKS } from "../storage/advisory-locks.sql.ts";
import type { Executor } from "../storage/pools.ts";

/** Waits until no other node is at it; the lock ends with the transaction. */
export async function lockBootstrap(db: Executor): Promise<void> {
  await db.query({ text: "select pg_advisory_xact_lock($1, $2)", values: [LOCK_CLASS, LOCKS.bootstrap] });
}

export async function hasTenants(db: Executor): Promise<boolean> {
  const { rows } = await db.query<{ found: boolean }>({ text: "select exists (select from tenant) as found" });
  return rows[0]?.found === true;
}
