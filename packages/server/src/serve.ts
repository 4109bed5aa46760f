// What `posthorn serve` does, start to stop: a database, its preparation, a node. Every refusal is a value with a code
// and a sentence that says what to do; nothing is left running after one.
import { resolve } from "node:path";
import { startNode } from "./compose.ts";
import { declareAllDead } from "./deliver/takeover.ts";
import { DatabaseClock } from "./lib/clock.ts";
import { createLog, type Log } from "./lib/log.ts";
import { mailServerOf, type Settings } from "./lib/settings.ts";
import { type Database, obtainDatabase, refusalOf, type ServeRefusal, VERSION } from "./obtain-database.ts";
import { openOperatorAccess } from "./operator-access.ts";
import { type Prepared, prepareDatabase } from "./prepare.ts";
import { startProcesses } from "./processes/primary.ts";
import { type ConnectionConfig, openPools } from "./storage/pools.ts";

export type ServeResult =
  | {
      readonly outcome: "serving";
      readonly url: string;
      /** The first administrator's key if it was made now; print it once. */
      readonly mintedApiKey: string | null;
      readonly isFirstStart: boolean;
      readonly database: "embedded" | "adopted" | "external";
      /** Ends the nodes, then the embedded database; within 20 s. */
      stop(): Promise<void>;
      /**
       * For a caller that is about to end at once: kills the other processes, tells the embedded database to shut down,
       * and waits for neither. What was under way is repeated at the next start.
       */
      abandon(): void;
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
    administratorEmail: settings.administratorEmail,
  });
  if (prepared.outcome === "refused") return prepared;
  const { connection } = database;
  const node = await startNodes(database, prepared, settings, log);
  if (node.outcome === "refused") return node;
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
    abandon() {
      node.abandon();
      database.abandon();
    },
  };
}

interface Nodes {
  readonly outcome: "serving";
  readonly url: string;
  readonly address: string;
  stop(): Promise<void>;
  abandon(): void;
}

/** One node in this process, or several in processes of their own. */
async function startNodes(
  { connection, kind }: Database,
  { withRoles, masterKey }: Extract<Prepared, { outcome: "ready" }>,
  settings: Settings,
  log: Log,
): Promise<Nodes | ServeRefusal> {
  // The lock on the data directory keeps every other start away from the embedded database.
  const isEmbedded = kind !== "external";
  const { allowTargets, host, logLevel, metricsToken, port, processes } = settings;
  const shared = { connection, withRoles, host, port, version: VERSION };
  const mailServer = mailServerOf(settings);
  const given = {
    ...shared,
    ...(mailServer === undefined ? {} : { mailServer }),
    ...(metricsToken === undefined ? {} : { metricsToken }),
    ...(settings.otlpEndpoint === undefined
      ? {}
      : { otlp: { tracesUrl: `${settings.otlpEndpoint}/v1/traces`, headers: settings.otlpHeaders ?? [] } }),
  };
  if (processes === 1) {
    const node = await startNode({ ...given, masterKey, allowTargets, soleNode: isEmbedded, log });
    // It ends with this process.
    return { outcome: "serving", url: node.url, address: node.address, stop: () => node.stop(), abandon() {} };
  }
  // Whoever is in the list was killed with an earlier start.
  if (isEmbedded) await endEveryNode(connection, withRoles);
  return startProcesses({
    count: processes,
    start: {
      ...given,
      masterKeyBase64: masterKey.key.export().toString("base64"),
      allowTargets: allowTargets.text,
      logLevel,
    },
    clock: new DatabaseClock(),
    log,
  });
}

async function endEveryNode(connection: ConnectionConfig, withRoles: boolean): Promise<void> {
  const pools = openPools({ connection, withRoles, onIdleError: () => {} });
  try {
    await declareAllDead(pools.control);
  } finally {
    await pools.end();
  }
}
