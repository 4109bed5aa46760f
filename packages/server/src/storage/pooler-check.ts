// Finds out whether a pooler that shares server connections between clients stands before the database.
// It must never keep a transaction or a connection open, whatever happens on the way.
import pg from "pg";
import { beginPinned, readBackendPid, readProbe, rollback } from "./server-check.sql.ts";

export type PoolerFinding =
  /** Every connection has a server process of its own; `isPooled` when something stands between nevertheless. */
  | { readonly kind: "dedicated"; readonly isPooled: boolean }
  /** Statements of one connection reach different server processes. */
  | { readonly kind: "shared" }
  /** Settings given with the connection are refused, or dropped without a word. */
  | { readonly kind: "no_startup_settings" };

const HOLDERS = 3;
const ANSWER_LIMIT_MS = 5_000;

/**
 * One connection stays idle while others open transactions. With PostgreSQL itself, and with a pooler in session mode,
 * the idle one keeps its process. A pooler in transaction mode lends that process to a transaction (pgbouncer hands out
 * the one used last) and gives another one to the idle connection's next statement; with nothing left to give it makes
 * that statement wait; in statement mode it refuses the transaction. Each of the three is taken for the same answer.
 */
export async function findPooler(connection: pg.ClientConfig): Promise<PoolerFinding> {
  const clients: pg.Client[] = [];
  const open = async (extra: pg.ClientConfig = {}): Promise<pg.Client> => {
    const client = new pg.Client({
      connectionTimeoutMillis: ANSWER_LIMIT_MS,
      query_timeout: ANSWER_LIMIT_MS,
      application_name: "posthorn check",
      ...connection,
      ...extra,
    });
    client.on("error", () => {});
    clients.push(client);
    await client.connect();
    return client;
  };
  try {
    const idle = await open();
    if (await isShared(idle, open)) return { kind: "shared" };
    if (!(await carriesSettings(open))) return { kind: "no_startup_settings" };
    return { kind: "dedicated", isPooled: (await readBackendPid(idle)) !== announcedPid(idle) };
  } finally {
    await Promise.all(clients.map((client) => client.end().catch(() => {})));
  }
}

async function isShared(idle: pg.Client, open: () => Promise<pg.Client>): Promise<boolean> {
  const holders = [];
  for (let count = 0; count < HOLDERS; count += 1) holders.push(await open());
  const ownPids = new Set([await readBackendPid(idle)]);
  try {
    for (const holder of holders) {
      if (ownPids.has(await beginPinned(holder))) return true;
      ownPids.add(await readBackendPid(idle));
      if (ownPids.size > 1) return true;
    }
    await Promise.all(holders.map((holder) => rollback(holder)));
    return false;
  } catch (error) {
    if (error instanceof Error && /timeout|statement pooling|transaction blocks not allowed/i.test(error.message))
      return true;
    throw error;
  }
}

/** Posthorn opens its pools with settings (role, timeouts, durability): dropped ones would be a hole, not a nuisance. */
async function carriesSettings(open: (extra: pg.ClientConfig) => Promise<pg.Client>): Promise<boolean> {
  const sent = `probe${process.pid}`;
  try {
    const client = await open({ options: `-c posthorn.probe=${sent}` });
    return (await readProbe(client)) === sent;
  } catch (error) {
    if (error instanceof Error && /startup parameter/i.test(error.message)) return false;
    throw error;
  }
}

/** The number that came with the connection for cancelling; a pooler makes one up. Not in pg's types. */
function announcedPid(client: pg.Client): number | null {
  return (client as unknown as { processID: number | null }).processID;
}
