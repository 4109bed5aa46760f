// What `posthorn serve` does, start to stop: a database, its preparation, a node. Every refusal is a value with a code
// and a sentence that says what to do; nothing is left running after one.
import { resolve } from "node:path";
import { type RunningNode, startNode } from "./compose.ts";
import { createLog, type Log } from "./lib/log.ts";
import type { Settings } from "./lib/settings.ts";
import { openOperatorAccess } from "./operator-access.ts";
import { prepareDatabase } from "./prepare.ts";
import { EmbeddedPostgresError } from "./storage/embedded/errors.ts";
import { type EmbeddedServer, startEmbeddedPostgres } from "./storage/embedded/start.ts";
import { MigrationError } from "./storage/migrate.ts";
import type { ConnectionConfig } from "./storage/pools.ts";
import { checkServer } from "./storage/server-check.ts";

export const VERSION = "0.1.0";

export type ServeResult =
  | {
      readonly outcome: "serving";
      readonly url: string;
      /** The first administrator's key if it was made now; print it once. */
      readonly mintedApiKey: string | null;
      readonly isFirstStart: boolean;
      readonly database: "embedded" | "adopted" | "external";
      /** Ends the node, then the embedded database; within 20 s. */
      stop(): Promise<void>;
    }
  | ServeRefusal;

export interface ServeRefusal {
  readonly outcome: "refused";
  readonly code: string;
  readonly message: string;
}

/** Starts everything. Throws only for what nobody foresaw. */
export async function serve(settings: Settings): Promise<ServeResult> {
  const log = createLog(settings.logLevel);
  const database = await obtainDatabase(settings, log);
  if (database.outcome === "refused") return database;
  try {
    const served = await startOn(database, settings, log);
    if (served.outcome === "refused") await database.stop();
    return served;
  } catch (error) {
    await database.stop();
    const refusal = refusalOf(error);
    if (refusal === null) throw error;
    return refusal;
  }
}

interface Database {
  readonly outcome: "obtained";
  readonly kind: "embedded" | "adopted" | "external";
  readonly connection: ConnectionConfig;
  /** Tells a second start where this one serves. */
  announce(url: string): Promise<void>;
  stop(): Promise<void>;
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
    return { outcome: "obtained", kind: "external", connection, announce: async () => {}, stop: async () => {} };
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
    };
  } catch (error) {
    const refusal = refusalOf(error);
    if (refusal === null) throw error;
    return refusal;
  }
}

async function startOn(database: Database, settings: Settings, log: Log): Promise<ServeResult> {
  const isEmbedded = database.kind !== "external";
  const dataDir = isEmbedded ? resolve(settings.dataDir) : undefined;
  const prepared = await prepareDatabase({
    connection: database.connection,
    givenMasterKey: settings.masterKey,
    dataDir,
    givenApiKey: settings.bootstrapApiKey,
  });
  if (prepared.outcome === "refused") return prepared;
  const node: RunningNode = await startNode({
    connection: database.connection,
    withRoles: prepared.withRoles,
    masterKey: prepared.masterKey,
    allowTargets: settings.allowTargets,
    host: settings.host,
    port: settings.port,
    // The lock on the data directory keeps every other node away from the embedded database.
    soleNode: isEmbedded,
    version: VERSION,
    log,
    ...(settings.metricsToken === undefined ? {} : { metricsToken: settings.metricsToken }),
  });
  const { connection } = database;
  const closeAccess = await openOperatorAccess({ connection, withRoles: prepared.withRoles, dataDir, node }).catch(
    async (error: unknown) => {
      await node.stop();
      throw error;
    },
  );
  await database.announce(node.url);
  return {
    outcome: "serving",
    url: node.url,
    mintedApiKey: prepared.mintedApiKey,
    isFirstStart: prepared.isFirstStart,
    database: database.kind,
    async stop() {
      // The next start ends the key in any case.
      await closeAccess().catch((error: unknown) => log.warn({ err: error }, "the operator's key was not ended"));
      await node.stop();
      await database.stop();
    },
  };
}

function refusalOf(error: unknown): ServeRefusal | null {
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
