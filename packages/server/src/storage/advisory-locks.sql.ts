// The advisory locks of one database, in one list so that no two uses ever share a number by accident.
// Only for work that must not run twice at once; never for deliveries (those belong to lanes).
import type pg from "pg";

/** First half of every lock key: "post" in ASCII, so that other users of the database are not in our way. */
export const LOCK_CLASS = 0x706f7374;

/** Second half of the key: what is being done. Numbers are never reused. */
export const LOCKS = {
  migrate: 1,
  /** Making partitions. */
  partitions: 2,
  /** Dropping partitions; apart from making them, because it can wait long for a reader. */
  retention: 3,
  vacuum: 4,
  bootstrap: 5,
  /** Folding figures. */
  rollup: 6,
  /** Telling what is about to expire. */
  expiring: 7,
} as const;

export type LockName = keyof typeof LOCKS;

/** Runs `work` on one connection while this session alone holds the lock; waits for it as long as it takes. */
export async function withLock<Result>(
  pool: pg.Pool,
  lock: LockName,
  work: (client: pg.PoolClient) => Promise<Result>,
): Promise<Result> {
  return withConnection(pool, async (client) => {
    await client.query({ text: "select pg_advisory_lock($1, $2)", values: [LOCK_CLASS, LOCKS[lock]] });
    return work(client);
  });
}

/** Like `withLock`, but returns null at once when another session holds the lock. */
export async function withLockIfFree<Result>(
  pool: pg.Pool,
  lock: LockName,
  work: (client: pg.PoolClient) => Promise<Result>,
): Promise<Result | null> {
  return withConnection(pool, async (client) => {
    const { rows } = await client.query<{ locked: boolean }>({
      text: "select pg_try_advisory_lock($1, $2) as locked",
      values: [LOCK_CLASS, LOCKS[lock]],
    });
    return rows[0]?.locked === true ? work(client) : null;
  });
}

/** Session locks outlive a failed transaction, so the connection gives all of them up, or is closed. */
async function withConnection<Result>(
  pool: pg.Pool,
  work: (client: pg.PoolClient) => Promise<Result>,
): Promise<Result> {
  const client = await pool.connect();
  let broken: Error | undefined;
  try {
    return await work(client);
  } finally {
    await client.query("select pg_advisory_unlock_all()").catch((error: Error) => {
      broken = error;
    });
    client.release(broken);
  }
}
