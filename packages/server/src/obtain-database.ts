// The database that the settings name, or our own: what every command begins with that works on it. A refusal is a value
// with a code and a sentence that says what to do. Must not load the node: backup and restore start without it.
import { resolve } from "node:path";
import type { Log } from "./lib/log.ts";
import type { Settings } from "./lib/settings.ts";
import { EmbeddedPostgresError } from "./storage/embedded/errors.ts";
import { type EmbeddedServer, startEmbeddedPostgres } from "./storage/embedded/start.ts";
import { MigrationError } from "./storage/migrate.ts";
import type { ConnectionConfig } from "./storage/pools.ts";
import { checkServer } from "./storage/server-check.ts";

export const VERSION = "0.1.0";

export interface ServeRefusal {
  readonly outcome: "refused";
  readonly code: string;
  readonly message: string;
}

export interface Database {
  readonly outcome: "obtained";
  readonly kind: "embedded" | "adopted" | "external";
  readonly connection: ConnectionConfig;
  /** Tells a second start where this one serves. */
  announce(url: string): Promise<void>;
  stop(): Promise<void>;
  /** Tells our own to shut down, without waiting for it. */
  abandon(): void;
}

/**
 * The database that the settings name, or our own; checked, not changed.
 * @param embeddedSettings of PostgreSQL, when it is our own
 */
export async function obtainDatabase(
  settings: Settings,
  log: Log,
  embeddedSettings: Readonly<Record<string, string>> = {},
): Promise<Database | ServeRefusal> {
  if (settings.databaseUrl !== undefined) {
    const connection = { connectionString: settings.databaseUrl };
    const check = await checkServer(connection);
    if (!check.ok) return { outcome: "refused", code: check.code, message: check.message };
    const nothing = async (): Promise<void> => {};
    return { outcome: "obtained", kind: "external", connection, announce: nothing, stop: nothing, abandon() {} };
  }
  try {
    const dataDir = resolve(settings.dataDir);
    const server: EmbeddedServer = await startEmbeddedPostgres({ dataDir, log, settings: embeddedSettings });
    return {
      outcome: "obtained",
      kind: server.adopted ? "adopted" : "embedded",
      connection: server.connection,
      announce: (url) => server.announce(url),
      stop: () => server.stop(),
      abandon: () => server.abandon(),
    };
  } catch (error) {
    const refusal = refusalOf(error);
    if (refusal === null) throw error;
    return refusal;
  }
}

/** What an operator can mend, as a refusal; null for what nobody foresaw. */
export function refusalOf(error: unknown): ServeRefusal | null {
  if (error instanceof EmbeddedPostgresError || error instanceof MigrationError) {
    return { outcome: "refused", code: error.code, message: error.message };
  }
  const code = (error as NodeJS.ErrnoException | null)?.code;
  if (code === "EADDRINUSE") {
    const { port } = error as { port?: number };
    return {
      outcome: "refused",
      code: "PORT_IN_USE",
      message: `Port ${port} is in use, perhaps by another Posthorn. Stop it, or choose another port with --port or POSTHORN_PORT.`,
    };
  }
  if (code === "EACCES" || code === "EPERM" || code === "EROFS") {
    const { path } = error as NodeJS.ErrnoException;
    return {
      outcome: "refused",
      code: "NO_ACCESS",
      message: `${path ?? "A file or address"} cannot be used (${code}). Choose another folder with --data-dir, or another address.`,
    };
  }
  return null;
}
