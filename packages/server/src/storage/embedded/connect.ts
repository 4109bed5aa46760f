// The way to an embedded PostgreSQL that another process of this machine runs: for what must work beside a server, or
// without its help. Must never start, stop or change one.
import { readPassword } from "./cluster.ts";
import { prepareLayout } from "./layout.ts";
import { findPostmaster } from "./postmaster.ts";
import { connectionTo, type EmbeddedConnection } from "./server-process.ts";
import { DATABASE_NAME } from "./start.ts";

/**
 * How to connect to the server that runs on this data directory now, or null when none does.
 * Throws EmbeddedPostgresError when the data directory cannot be read.
 */
export function connectionToRunning(dataDir: string, stateRoot = "/var/lib/posthorn"): EmbeddedConnection | null {
  const layout = prepareLayout(dataDir, stateRoot);
  const running = findPostmaster(layout.clusterDir);
  if (running === undefined) return null;
  return connectionTo({ layout, port: running.port, password: readPassword(layout) }, DATABASE_NAME);
}
