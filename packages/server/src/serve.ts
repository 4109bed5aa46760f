// What `posthorn serve` does, start to stop: a database, its preparation, a node. Every refusal is a value with a code
// and a sentence that says what to do; nothing is left running after one.
import { resolve } from "node:path";
import { type RunningNode, startNode } from "./compose.ts";
import { createLog, type Log } from "./lib/log.ts";
import type { Settings } from "./lib/settings.ts";
import { type Database, obtainDatabase, refusalOf, type ServeRefusal, VERSION } from "./obtain-database.ts";
import { openOperatorAccess } from "./operator-access.ts";
import { prepareDatabase } from "./prepare.ts";

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
