// Reads what a PostgreSQL server wrote about itself and sends it signals.
// It must never delete or change postmaster.pid: whether that file is stale is PostgreSQL's own judgement.
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { isProcessAlive } from "../../lib/process-identity.ts";

export type Postmaster = {
  readonly pid: number;
  readonly port: number;
  /** "" when it listens on no Unix socket (Windows). */
  readonly socketDir: string;
};

/** The server that runs on this cluster now, if any: also one whose starter died. */
export function findPostmaster(clusterDir: string): Postmaster | undefined {
  const postmaster = parsePostmasterPid(readOrEmpty(join(clusterDir, "postmaster.pid")));
  return postmaster !== undefined && isPostmasterAlive(postmaster.pid, clusterDir) ? postmaster : undefined;
}

/** Lines: pid, data directory, start time, port, socket directory, listen address, … (pidfile.h of PostgreSQL). */
export function parsePostmasterPid(text: string): Postmaster | undefined {
  const lines = text.split("\n");
  const pid = Number.parseInt(lines[0] ?? "", 10);
  const port = Number.parseInt(lines[3] ?? "", 10);
  // A server that has just begun has written only its first lines: it is one to wait for.
  return Number.isInteger(pid) && pid > 0
    ? { pid, port: Number.isInteger(port) ? port : 0, socketDir: lines[4] ?? "" }
    : undefined;
}

/** Where the platform shows command lines, a pid that was given out again is told from our server by its folder. */
export function isPostmasterAlive(pid: number, clusterDir: string): boolean {
  if (!isProcessAlive({ pid, startedAt: "" })) return false;
  const commandLine = readOrEmpty(`/proc/${pid}/cmdline`);
  return commandLine === "" || commandLine.split("\0").includes(clusterDir);
}

/** Was the running server started with exactly these arguments? PostgreSQL notes its own in postmaster.opts. */
export function wasStartedAs(clusterDir: string, program: string, args: readonly string[]): boolean {
  const noted = readOrEmpty(join(clusterDir, "postmaster.opts")).trimEnd();
  return noted === [program, ...args.map((arg) => `"${arg}"`)].join(" ");
}

/** INT is PostgreSQL's fast shutdown, QUIT its immediate one. A process that is gone already is no error. */
export function signalPostmaster(pid: number, signal: "SIGINT" | "SIGQUIT" | "SIGKILL", runtimeDir: string): void {
  if (process.platform === "win32" && signal !== "SIGKILL") {
    // Windows has no signals; PostgreSQL's stand-in for them is reached through its own tool.
    spawnSync(join(runtimeDir, "bin", "pg_ctl"), ["kill", signal.slice(3), String(pid)], { windowsHide: true });
    return;
  }
  try {
    process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

function readOrEmpty(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
