// Starts the PostgreSQL server, or takes over the one that is running, and waits until it answers.
// It must never take a server for ready because of what its log says: only a connection proves it.
import { type ChildProcess, spawn } from "node:child_process";
import {
  closeSync,
  constants,
  existsSync,
  fchownSync,
  fstatSync,
  openSync,
  readFileSync,
  realpathSync,
  renameSync,
  statSync,
} from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import pg from "pg";
import { postgresEnvironment, SUPERUSER } from "./cluster.ts";
import { EmbeddedPostgresError } from "./errors.ts";
import { type Layout, SOCKET_PORT } from "./layout.ts";
import type { EmbeddedLog } from "./log.ts";
import { findPostmaster, isPostmasterAlive, type Postmaster, signalPostmaster, wasStartedAs } from "./postmaster.ts";
import { serverArguments } from "./settings.ts";

/** What pg's Client and Pool take; `host` is the socket's folder (127.0.0.1 on Windows). */
export type EmbeddedConnection = {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly database: string;
  /** Spelled out, because pg would otherwise obey a PGSSLMODE of the shell. */
  readonly ssl: false;
};

export type ServerExit = { readonly code: number | null; readonly signal: string | null; readonly lastLines: string };

export type ServerProcess = {
  readonly pid: number;
  readonly adopted: boolean;
  /** Settles when the process is gone; never rejects. */
  readonly exited: Promise<ServerExit>;
};

export type ServerPlan = {
  readonly layout: Layout;
  readonly runtimeDir: string;
  readonly password: string;
  /** Chosen once, so that connections find the server again after a restart. */
  readonly port: number;
  readonly settings: Readonly<Record<string, string>>;
  readonly log: EmbeddedLog;
};

/** A server that says nothing at all for this long has failed; one that recovers after a crash may take its time. */
const SILENCE_LIMIT_MS = 60_000;
const POLL_MS = 15;
const ADOPTED_POLL_MS = 100;
const LOG_LIMIT_BYTES = 10 * 1024 * 1024;

/**
 * Brings the server up. One that runs already (its starter was killed) is adopted if it was started by the very command
 * that we would use, else stopped and started anew, so that an update of binaries or settings is not put off for ever.
 * Throws EMBEDDED_START_FAILED with the end of the server's log.
 */
export async function obtainServer(plan: ServerPlan): Promise<ServerProcess> {
  const { clusterDir } = plan.layout;
  let attempt = 1;
  for (;;) {
    const running = findPostmaster(clusterDir);
    if (running !== undefined) {
      const adopted = await adoptServer(plan, running);
      if (adopted !== undefined) return adopted;
      continue;
    }
    const started = await startServer(plan);
    if (started.outcome === "ready") return started.server;
    // Somebody's server took the cluster in between, or a killed one is still a zombie, which PostgreSQL counts as
    // alive until it is reaped: look again for a while.
    if (attempt >= 20 || !existsSync(join(clusterDir, "postmaster.pid")))
      throw startFailed(started.exit, plan.layout.logPath);
    attempt += 1;
    await delay(100);
  }
}

async function adoptServer(plan: ServerPlan, running: Postmaster): Promise<ServerProcess | undefined> {
  const { layout, runtimeDir, log } = plan;
  const answer = await waitUntilReady(plan, () => isPostmasterAlive(running.pid, layout.clusterDir));
  if (answer === "gone") return undefined;
  if (wasStartedAs(layout.clusterDir, programOf(runtimeDir), argumentsOf(plan))) {
    return { pid: running.pid, adopted: true, exited: watchAdopted(running.pid, layout) };
  }
  log.info(
    { pid: running.pid },
    "the running PostgreSQL was started by another version or with other settings: restarting it",
  );
  signalPostmaster(running.pid, "SIGINT", runtimeDir);
  await watchAdopted(running.pid, layout, POLL_MS);
  return undefined;
}

type Started = { outcome: "ready"; server: ServerProcess } | { outcome: "exited"; exit: ServerExit };

async function startServer(plan: ServerPlan): Promise<Started> {
  const logFile = openLog(plan.layout);
  const logStart = fstatSync(logFile).size;
  const child = spawnServer(plan, logFile);
  closeSync(logFile);
  const exited = watchChild(child, plan.layout.logPath, logStart);
  let isGone = false;
  void exited.then(() => (isGone = true));
  const pid = child.pid ?? 0;
  try {
    if ((await waitUntilReady(plan, () => !isGone)) === "gone") return { outcome: "exited", exit: await exited };
  } catch (error) {
    // We do not leave behind what we started and cannot use.
    if (pid > 0) signalPostmaster(pid, "SIGINT", plan.runtimeDir);
    throw error;
  }
  return { outcome: "ready", server: { pid, adopted: false, exited } };
}

/**
 * `detached` gives the server a session of its own: Ctrl-C in a terminal signals the whole process group, and the
 * database must not stop before the node has written what it knows. The child is unreferenced: it outlives us by design.
 */
function spawnServer(plan: ServerPlan, logFile: number): ChildProcess {
  const { user, clusterDir } = plan.layout;
  const child = spawn(programOf(plan.runtimeDir), argumentsOf(plan), {
    cwd: clusterDir,
    detached: true,
    env: postgresEnvironment(),
    stdio: ["ignore", logFile, logFile],
    windowsHide: true,
    ...(user === undefined ? {} : { uid: user.uid, gid: user.gid }),
  });
  child.unref();
  return child;
}

/** PostgreSQL notes its own path with links resolved. */
function programOf(runtimeDir: string): string {
  return join(realpathSync(runtimeDir), "bin", process.platform === "win32" ? "postgres.exe" : "postgres");
}

function argumentsOf(plan: ServerPlan): string[] {
  const { clusterDir, socketDir } = plan.layout;
  const isWindows = process.platform === "win32";
  const where = isWindows
    ? ["-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories="]
    : [
        "-c",
        "listen_addresses=",
        "-c",
        `unix_socket_directories=${quoteListItem(socketDir)}`,
        "-c",
        "unix_socket_permissions=0700",
      ];
  return ["-D", clusterDir, "-p", String(plan.port), ...where, ...serverArguments(plan.settings)];
}

/** The setting is a list: a comma or blank in the path would split it. */
function quoteListItem(path: string): string {
  return /^[\w./-]+$/.test(path) ? path : `"${path.replaceAll('"', '""')}"`;
}

export function connectionTo(
  plan: Pick<ServerPlan, "layout" | "port" | "password">,
  database: string,
): EmbeddedConnection {
  const host = process.platform === "win32" ? "127.0.0.1" : plan.layout.socketDir;
  return { host, port: plan.port, user: SUPERUSER, password: plan.password, database, ssl: false };
}

async function waitUntilReady(plan: ServerPlan, isAlive: () => boolean): Promise<"ready" | "gone"> {
  let silentSince = performance.now();
  let told = performance.now();
  for (;;) {
    const answer = await tryConnect(connectionTo(plan, "postgres"));
    if (answer === undefined) return "ready";
    if (!isAlive()) return "gone";
    if (answer.code === "28P01") throw wrongPassword(plan.layout, answer);
    const now = performance.now();
    // 57P03: it answers that it is starting up, recovering or shutting down.
    if (answer.code === "57P03") silentSince = now;
    if (now - silentSince > SILENCE_LIMIT_MS) throw silent(plan.layout, answer);
    if (now - told > 10_000) {
      told = now;
      plan.log.info({ answer: answer.message }, "still waiting for PostgreSQL");
    }
    await delay(POLL_MS);
  }
}

async function tryConnect(connection: EmbeddedConnection): Promise<(Error & { code?: string }) | undefined> {
  const client = new pg.Client({ ...connection, connectionTimeoutMillis: 5_000 });
  client.on("error", () => {});
  try {
    await client.connect();
    return undefined;
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  } finally {
    await client.end().catch(() => {});
  }
}

function watchChild(child: ChildProcess, logPath: string, logStart: number): Promise<ServerExit> {
  return new Promise((resolve) => {
    child.once("error", (error) => resolve({ code: null, signal: null, lastLines: error.message }));
    child.once("exit", (code, signal) => resolve({ code, signal, lastLines: lastLogLines(logPath, logStart) }));
  });
}

/** Not our child, so nobody tells us; looking costs a few microseconds. */
async function watchAdopted(pid: number, layout: Layout, pollMs = ADOPTED_POLL_MS): Promise<ServerExit> {
  const logStart = existsSync(layout.logPath) ? statSync(layout.logPath).size : 0;
  while (isPostmasterAlive(pid, layout.clusterDir)) await delay(pollMs, undefined, { ref: pollMs === POLL_MS });
  return { code: null, signal: null, lastLines: lastLogLines(layout.logPath, logStart) };
}

/** O_NOFOLLOW: root writes here, and must not be led elsewhere by a link. A full log makes room for a new one. */
function openLog(layout: Layout): number {
  const { logPath, user } = layout;
  if (existsSync(logPath) && statSync(logPath).size > LOG_LIMIT_BYTES) renameSync(logPath, `${logPath}.1`);
  const flags = constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT | (constants.O_NOFOLLOW ?? 0);
  const file = openSync(logPath, flags, 0o600);
  if (user !== undefined) fchownSync(file, user.uid, user.gid);
  return file;
}

function lastLogLines(logPath: string, fromByte: number): string {
  try {
    const text = readFileSync(logPath).subarray(fromByte).toString("utf8").trim();
    return text.split("\n").slice(-15).join("\n");
  } catch {
    return "";
  }
}

/** The port of the server that runs already, else ours: it only names the socket, save on Windows, where it must be free. */
export function choosePort(clusterDir: string): number | Promise<number> {
  const running = findPostmaster(clusterDir)?.port ?? 0;
  if (running > 0) return running;
  return process.platform === "win32" ? findFreePort() : SOCKET_PORT;
}

function findFreePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().on("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => resolve(typeof address === "object" && address !== null ? address.port : 0));
    });
  });
}

function startFailed(exit: ServerExit, logPath: string): EmbeddedPostgresError {
  const how = exit.signal ?? `exit code ${exit.code ?? "unknown"}`;
  return new EmbeddedPostgresError(
    "EMBEDDED_START_FAILED",
    `PostgreSQL did not start (${how}). The last lines of ${logPath}:\n${exit.lastLines}`,
  );
}

function silent(layout: Layout, cause: Error): EmbeddedPostgresError {
  return new EmbeddedPostgresError(
    "EMBEDDED_START_FAILED",
    `PostgreSQL runs but does not answer in ${layout.socketDir} (${cause.message}). ` +
      `The last lines of ${layout.logPath}:\n${lastLogLines(layout.logPath, 0)}`,
    { cause },
  );
}

function wrongPassword(layout: Layout, cause: Error): EmbeddedPostgresError {
  return new EmbeddedPostgresError(
    "EMBEDDED_START_FAILED",
    `The database in ${layout.clusterDir} does not accept the password in ${layout.passwordPath}: ` +
      "the two come from different data directories. Put back the file that belongs to this database.",
    { cause },
  );
}
