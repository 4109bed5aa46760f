// The ways to the database. Capture, record, API and upkeep have pools of their own so that none starves another;
// single hot statements are pipelined, transactions are not. Nothing here knows a table.
import pg from "pg";

export type ConnectionConfig = pg.ClientConfig;

/** What a statement runs on: a pool, or a client inside a transaction. */
export interface Executor {
  query<Row extends pg.QueryResultRow>(query: pg.QueryConfig): Promise<pg.QueryResult<Row>>;
}

export interface Pools {
  /** Pipelined, engine role, synchronous_commit=on: what capture acknowledges. */
  readonly capture: pg.Pool;
  /** Pipelined, engine role, synchronous_commit=off: a lost result is a repeated request, never a lost event. */
  readonly record: pg.Pool;
  /**
   * Engine role: beat and configuration, which must not queue behind anything. synchronous_commit=on: a takeover that
   * a crash of the database could undo would leave two owners.
   */
  readonly control: pg.Pool;
  /** API role under row-level security: one transaction a request. */
  readonly api: pg.Pool;
  /** Engine role: reads of the lanes, fan-outs, retention. */
  readonly engine: pg.Pool;
  /** The login itself: makes and drops partitions, vacuums. */
  readonly owner: pg.Pool;
  /** All of them, by name. */
  readonly named: readonly (readonly [name: string, pool: pg.Pool])[];
  end(): Promise<void>;
}

export interface PoolOptions {
  readonly connection: ConnectionConfig;
  /** False where this server did not let the migration make roles; the settings then stand for them. */
  readonly withRoles: boolean;
  /** Called for an error on an idle connection; the pool replaces the connection by itself. */
  readonly onIdleError: (pool: string, error: Error) => void;
}

// bigint columns hold versions, epochs and sequence numbers far below 2^53.
const INT8_OID = 20;
const types = {
  getTypeParser(oid: number, format?: "text" | "binary"): unknown {
    if (oid === INT8_OID && format !== "binary") return Number;
    return pg.types.getTypeParser(oid as never, format as never);
  },
} as pg.CustomTypesConfig;

/** Opens the pools; connections are made when first needed. */
export function openPools(options: PoolOptions): Pools {
  const engine = options.withRoles ? "-c role=posthorn_engine" : "-c posthorn.engine=on";
  const api = options.withRoles ? "-c role=posthorn_api" : "";
  // Up to PostgreSQL 17 a plan that avoids what is switched off below costs so much that it is compiled first, for up to a
  // second each time. No statement of ours is worth that.
  const guards = "-c idle_in_transaction_session_timeout=10s -c jit=off";
  // The hot statements have one right plan each, and it goes by index. Statistics of a table that fills and empties all
  // day would now and then say otherwise (seen: a sequential scan of `delivery` for every batch of results).
  const byIndex = "-c enable_seqscan=off -c plan_cache_mode=force_generic_plan";
  const open = (name: string, max: number, settings: string, extra: Record<string, unknown> = {}): pg.Pool => {
    const pool = new pg.Pool({
      ...options.connection,
      max,
      types,
      connectionTimeoutMillis: 1_000,
      idleTimeoutMillis: 30_000,
      keepAlive: true,
      application_name: `posthorn ${name}`,
      options: `${guards} ${settings}`,
      ...extra,
    } as pg.PoolConfig);
    pool.on("error", (error) => options.onIdleError(name, error));
    // While a connection is checked out the pool does not listen, and an error nobody hears would end the process. The
    // statement under way, or the next one, says what happened.
    pool.on("connect", (client) => void client.on("error", () => {}));
    return pool;
  };
  // query_timeout is the driver's own, for a network that goes silent and keeps the server's timeout from us: a second
  // later than the server's, so that the server, who knows the outcome, speaks first.
  const pools = {
    capture: open("capture", 2, `${engine} ${byIndex} -c statement_timeout=5s -c synchronous_commit=on`, {
      pipeline: true,
      query_timeout: 6_000,
    }),
    record: open("record", 2, `${engine} ${byIndex} -c statement_timeout=5s -c synchronous_commit=off`, {
      pipeline: true,
      query_timeout: 6_000,
    }),
    control: open("control", 1, `${engine} -c statement_timeout=2s -c synchronous_commit=on`, { query_timeout: 3_000 }),
    // People wait rather than be refused: a burst of changes queues for the one configuration version.
    api: open("api", 6, `${api} -c statement_timeout=10s`, {
      connectionTimeoutMillis: 5_000,
      query_timeout: 11_000,
    }),
    engine: open("engine", 4, `${engine} ${byIndex} -c statement_timeout=10s`, { query_timeout: 11_000 }),
    // Upkeep can wait: on a busy machine a new connection has taken more than a second.
    owner: open("owner", 2, options.withRoles ? "" : "-c posthorn.engine=on", { connectionTimeoutMillis: 10_000 }),
  };
  return {
    ...pools,
    named: Object.entries(pools),
    async end() {
      await Promise.all(Object.values(pools).map((pool) => pool.end()));
    },
  };
}

/**
 * Opens a connection in every pool before a node begins: while it serves, a request is refused rather than kept waiting
 * for one, but a node that starts on a busy machine (new connections have taken seconds there) should not give up.
 * Throws what the database or the network says, and a timeout once `patienceMs` have passed.
 */
export async function openFirstConnections(pools: Pools, patienceMs: number): Promise<void> {
  const until = AbortSignal.timeout(patienceMs);
  const openOne = async (pool: pg.Pool): Promise<void> => {
    for (;;) {
      try {
        (await pool.connect()).release();
        return;
      } catch (error) {
        // Only the driver's own timeouts come without a code.
        if ((error as { code?: string }).code !== undefined || until.aborted) throw error;
      }
    }
  };
  await Promise.all(pools.named.map(([, pool]) => openOne(pool)));
}

/** Runs `work` in one transaction; a throw rolls back. */
export async function inTransaction<Result>(
  pool: pg.Pool,
  work: (client: Executor) => Promise<Result>,
): Promise<Result> {
  const client = await pool.connect();
  let broken: Error | undefined;
  try {
    await client.query("begin");
    const result = await work(client);
    await client.query("commit");
    return result;
  } catch (error) {
    await client.query("rollback").catch((rollbackError: Error) => {
      broken = rollbackError;
    });
    throw error;
  } finally {
    client.release(broken);
  }
}

/**
 * Runs `work` in one transaction that sees exactly one tenant: row-level security stands behind every tenant clause.
 * @param tenantUuid the tenant's id as a UUID
 */
export async function asTenant<Result>(
  pool: pg.Pool,
  tenantUuid: string,
  work: (client: Executor) => Promise<Result>,
): Promise<Result> {
  return inTransaction(pool, async (client) => {
    await client.query({
      name: "set_tenant",
      text: "select set_config('posthorn.tenant_id', $1, true)",
      values: [tenantUuid],
    });
    return work(client);
  });
}
