// The way to the database for commands that work on it directly, beside a running server or without one.
// Must never stop a database that it has not started.
import { resolve } from "node:path";
import { createLog } from "./lib/log.ts";
import type { Settings } from "./lib/settings.ts";
import { obtainDatabase, type ServeRefusal } from "./obtain-database.ts";
import { connectionToRunning } from "./storage/embedded/connect.ts";
import { EmbeddedPostgresError } from "./storage/embedded/errors.ts";
import type { ConnectionConfig } from "./storage/pools.ts";

export interface Reached {
  readonly outcome: "reached";
  readonly connection: ConnectionConfig;
  readonly stop: () => Promise<void>;
}

/** The database as `serve` would get it; the embedded one of a server that runs, through its socket. */
export async function reachDatabase(settings: Settings): Promise<Reached | ServeRefusal> {
  const obtained = await obtainDatabase(settings, createLog(settings.logLevel));
  if (obtained.outcome === "obtained") {
    return { outcome: "reached", connection: obtained.connection, stop: () => obtained.stop() };
  }
  if (obtained.code !== "DATA_DIR_LOCKED") return obtained;
  try {
    const connection = connectionToRunning(resolve(settings.dataDir));
    return connection === null ? obtained : { outcome: "reached", connection, stop: async () => {} };
  } catch (error) {
    if (!(error instanceof EmbeddedPostgresError)) throw error;
    return { outcome: "refused", code: error.code, message: error.message };
  }
}
