// Gives Posthorn a real PostgreSQL of its own: finds the binaries, makes the database, starts, watches and stops it.
// It must never weaken durability, never run two servers on one data directory, and never touch a foreign one.
import pg from "pg";
import { acquireProcessLock, type ProcessLock } from "../../lib/process-lock.ts";
import { findBinaries } from "./binaries.ts";
import { ensureCluster, requireSameMajor } from "./cluster.ts";
import { createDatabase, databaseExists } from "./embedded.sql.ts";
import { EmbeddedPostgresError } from "./errors.ts";
import { type Layout, prepareLayout } from "./layout.ts";
import type { EmbeddedLog } from "./log.ts";
import { signalPostmaster } from "./postmaster.ts";
import { ensureRuntime, removeOtherRuntimes } from "./runtime.ts";
import { choosePort, connectionTo, type EmbeddedConnection, obtainServer, type ServerPlan } from "./server-process.ts";
import { type EmbeddedServerEvent, type Supervision, superviseServer } from "./supervisor.ts";

export type EmbeddedServerOptions = {
  /** Posthorn's data directory; made if absent. */
  readonly dataDir: string;
  readonly log: EmbeddedLog;
  /** PostgreSQL settings over ours, as for `postgres -c`. */
  readonly settings?: Readonly<Record<string, string>>;
  /** Where root puts what PostgreSQL's user could not reach in `dataDir`; /var/lib/posthorn. */
  readonly stateRoot?: string;
  /** Where the binaries are copied to, for tests that share one copy; `<state>/runtime` otherwise. */
  readonly runtimeRoot?: string;
  /** Told when the server dies unasked and when it is back. Must not throw. */
  readonly onEvent?: (event: EmbeddedServerEvent) => void;
};

export type EmbeddedServer = {
  /** For pg's Client and Pool; stays valid over restarts of the server. */
  readonly connection: EmbeddedConnection;
  /** True when a server that was left running by a killed process was taken over. */
  readonly adopted: boolean;
  readonly majorVersion: number;
  readonly clusterDir: string;
  readonly logPath: string;
  /** Tells a second start of this data directory where the node of this one listens. */
  announce(url: string): Promise<void>;
  /** Of the server process now; changes when it has to be restarted. */
  pid(): number;
  /** Fast shutdown (open transactions are rolled back), waits for the end; any number of calls. */
  stop(): Promise<void>;
  /** Has the server shut down by itself and does not wait for it; a start that comes meanwhile waits. */
  abandon(): void;
  /** Goes without stopping the server; the next start adopts it. */
  leaveRunning(): Promise<void>;
  /** SIGKILL, as a crash would: the supervision brings the server back. For tests. */
  kill(): void;
};

export const DATABASE_NAME = "posthorn";

/**
 * Starts (or adopts) the PostgreSQL of this data directory and returns when it answers: 0.1 s, the first time about 1 s.
 * Throws EmbeddedPostgresError; its codes are explained in errors.ts. Whatever it throws, a running server of another
 * process is left alone, and an existing database is unchanged.
 */
export async function startEmbeddedPostgres(options: EmbeddedServerOptions): Promise<EmbeddedServer> {
  const binaries = findBinaries();
  const layout = inWords(options.dataDir, () =>
    prepareLayout(options.dataDir, options.stateRoot ?? "/var/lib/posthorn"),
  );
  const lock = await lockDataDir(layout);
  try {
    requireSameMajor(layout.clusterDir, binaries.majorVersion);
    const runtimeRoot = options.runtimeRoot ?? `${layout.stateDir}/runtime`;
    const runtimeDir = inWords(runtimeRoot, () => ensureRuntime(binaries, runtimeRoot));
    const password = await ensureCluster(layout, runtimeDir);
    const port = await choosePort(layout.clusterDir);
    const plan: ServerPlan = { layout, runtimeDir, password, port, settings: options.settings ?? {}, log: options.log };
    const first = await obtainServer(plan);
    const supervision = superviseServer(first, {
      obtain: () => obtainServer(plan),
      signal: (pid, signal) => signalPostmaster(pid, signal, runtimeDir),
      onEvent: options.onEvent ?? (() => {}),
      log: options.log,
    });
    try {
      await ensureDatabase(plan);
      if (options.runtimeRoot === undefined) removeOtherRuntimes(runtimeDir);
    } catch (error) {
      await supervision.stop();
      throw error;
    }
    return describe(plan, first.adopted, binaries.majorVersion, supervision, lock);
  } catch (error) {
    await lock.release();
    throw error;
  }
}

function describe(
  plan: ServerPlan,
  adopted: boolean,
  majorVersion: number,
  supervision: Supervision,
  lock: ProcessLock,
): EmbeddedServer {
  return {
    connection: connectionTo(plan, DATABASE_NAME),
    adopted,
    majorVersion,
    clusterDir: plan.layout.clusterDir,
    logPath: plan.layout.logPath,
    announce: (url) => lock.update({ url }),
    pid: () => supervision.current().pid,
    stop: async () => {
      await supervision.stop();
      await lock.release();
    },
    abandon: () => supervision.abandon(),
    leaveRunning: async () => {
      supervision.leave();
      await lock.release();
    },
    kill: () => signalPostmaster(supervision.current().pid, "SIGKILL", plan.runtimeDir),
  };
}

async function lockDataDir(layout: Layout): Promise<ProcessLock> {
  const result = await acquireProcessLock(layout.lockPath).catch((error: unknown) => {
    throw asDataDirError(layout.dataDir, error);
  });
  switch (result.outcome) {
    case "acquired":
      return result.lock;
    case "held":
      throw new EmbeddedPostgresError(
        "DATA_DIR_LOCKED",
        `Posthorn already runs from the data directory ${layout.dataDir}: ${result.info.url ?? "it is just starting"} ` +
          `(pid ${result.pid}). Use that one, stop it first, or start this one with another --data-dir and --port.`,
      );
    default:
      return result satisfies never;
  }
}

/** Between initdb and here the first start can be killed, so every start looks. */
async function ensureDatabase(plan: ServerPlan): Promise<void> {
  const client = new pg.Client(connectionTo(plan, "postgres"));
  await client.connect();
  try {
    if (!(await databaseExists(client, DATABASE_NAME))) await createDatabase(client, DATABASE_NAME);
  } finally {
    await client.end();
  }
}

/** Full disks, read-only folders and missing rights are the operator's to mend, so they get a code and a sentence. */
function inWords<T>(path: string, task: () => T): T {
  try {
    return task();
  } catch (error) {
    throw asDataDirError(path, error);
  }
}

function asDataDirError(path: string, error: unknown): unknown {
  if (error instanceof EmbeddedPostgresError || typeof (error as NodeJS.ErrnoException)?.code !== "string")
    return error;
  return new EmbeddedPostgresError(
    "EMBEDDED_DATA_DIR",
    `The folder ${path} cannot be used (${(error as Error).message}). ` +
      "Give another with --data-dir or POSTHORN_DATA_DIR, or correct its rights.",
    { cause: error },
  );
}
