// Makes the PostgreSQL data directory once, and refuses one that these binaries cannot run.
// It must never touch an existing one: a half-made one never gets the final name.
import { spawn } from "node:child_process";
import { randomBytes, randomUUID } from "node:crypto";
import {
  chownSync,
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { EmbeddedPostgresError } from "./errors.ts";
import type { Layout } from "./layout.ts";
import type { OsUser } from "./os-user.ts";

export const SUPERUSER = "posthorn";

/** Throws EMBEDDED_OTHER_MAJOR when the cluster was made by another major version; changes nothing. */
export function requireSameMajor(clusterDir: string, majorVersion: number): void {
  if (!existsSync(clusterDir)) return;
  const versionPath = join(clusterDir, "PG_VERSION");
  const seen = existsSync(versionPath) ? readFileSync(versionPath, "utf8").trim() : "unknown (no file PG_VERSION)";
  if (seen === String(majorVersion)) return;
  throw new EmbeddedPostgresError(
    "EMBEDDED_OTHER_MAJOR",
    `The database in ${clusterDir} was made by PostgreSQL ${seen}; this Posthorn brings PostgreSQL ${majorVersion}, ` +
      "which cannot open it. Nothing was changed. Start the Posthorn version that made it, or run a PostgreSQL " +
      `${seen} on that folder and point DATABASE_URL at it, or begin anew with another --data-dir.`,
  );
}

/**
 * Makes the cluster if there is none and returns the superuser's password. Killed at any point, the next call finishes
 * the work: initdb runs in a draft folder that is renamed when complete.
 * Throws EMBEDDED_STATE_MISSING when there is a cluster without its password, EMBEDDED_START_FAILED when initdb fails.
 */
export async function ensureCluster(layout: Layout, runtimeDir: string): Promise<string> {
  if (existsSync(layout.clusterDir)) return readPassword(layout);
  removeDrafts(layout.stateDir);
  const password = existsSync(layout.passwordPath) ? readPassword(layout) : makePassword(layout.passwordPath);
  const draft = join(layout.stateDir, `.initdb-${randomUUID().slice(0, 8)}`);
  mkdirSync(draft, { mode: 0o700 });
  const passwordCopy = `${draft}.password`;
  writeFileSync(passwordCopy, `${password}\n`, { mode: 0o600, flag: "wx" });
  if (layout.user !== undefined) {
    chownSync(draft, layout.user.uid, layout.user.gid);
    chownSync(passwordCopy, layout.user.uid, layout.user.gid);
  }
  try {
    await runInitdb(runtimeDir, draft, passwordCopy, layout.user);
  } finally {
    rmSync(passwordCopy, { force: true });
  }
  renameSync(draft, layout.clusterDir);
  syncFolder(layout.stateDir);
  return password;
}

/** The superuser's password, or EMBEDDED_STATE_MISSING. */
export function readPassword(layout: Layout): string {
  const password = existsSync(layout.passwordPath) ? readFileSync(layout.passwordPath, "utf8").trim() : "";
  if (password !== "") return password;
  throw new EmbeddedPostgresError(
    "EMBEDDED_STATE_MISSING",
    `The password of the database in ${layout.clusterDir} is missing: ${layout.passwordPath} is gone or empty. ` +
      "Bring that file back from a backup of the data directory, or begin anew with another --data-dir.",
  );
}

/** Synced before initdb uses it: a cluster whose password is lost cannot be entered. */
function makePassword(path: string): string {
  const password = randomBytes(24).toString("base64url");
  const file = openSync(path, "wx", 0o600);
  try {
    writeFileSync(file, `${password}\n`);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  syncFolder(dirname(path));
  return password;
}

function removeDrafts(stateDir: string): void {
  for (const name of readdirSync(stateDir)) {
    if (name.startsWith(".initdb-")) rmSync(join(stateDir, name), { recursive: true, force: true });
  }
}

/**
 * The builtin C.UTF-8 locale sorts the same on every system and for ever; those of the C library and of ICU change with
 * their versions, which corrupts indexes. Checksums are on by default since PostgreSQL 18.
 */
async function runInitdb(
  runtimeDir: string,
  into: string,
  passwordFile: string,
  user: OsUser | undefined,
): Promise<void> {
  const args = ["-D", into, "-U", SUPERUSER, "--auth=scram-sha-256", `--pwfile=${passwordFile}`, "--encoding=UTF8"];
  args.push("--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C", "--no-instructions");
  const child = spawn(join(runtimeDir, "bin", "initdb"), args, {
    cwd: into,
    env: postgresEnvironment(),
    stdio: ["ignore", "pipe", "pipe"],
    windowsHide: true,
    ...(user === undefined ? {} : { uid: user.uid, gid: user.gid }),
  });
  let output = "";
  child.stdout.on("data", (chunk: Buffer) => (output += chunk.toString()));
  child.stderr.on("data", (chunk: Buffer) => (output += chunk.toString()));
  const failure = await new Promise<string | undefined>((resolve) => {
    child.on("error", (error) => resolve(error.message));
    child.on("close", (code, signal) => resolve(code === 0 ? undefined : `exit ${code ?? signal}`));
  });
  if (failure === undefined) return;
  rmSync(into, { recursive: true, force: true });
  throw new EmbeddedPostgresError(
    "EMBEDDED_START_FAILED",
    `initdb could not make a database in ${dirname(into)} (${failure}). Its last words:\n${output.trim().slice(-2000)}`,
  );
}

/** Only what PostgreSQL needs: a PGPORT, PGOPTIONS or LD_PRELOAD of the shell must not reach it. */
export function postgresEnvironment(): NodeJS.ProcessEnv {
  const kept = process.platform === "win32" ? ["PATH", "SYSTEMROOT", "TEMP", "TMP"] : ["PATH"];
  const environment: NodeJS.ProcessEnv = { LC_ALL: "C", TZ: "UTC" };
  for (const name of kept) if (process.env[name] !== undefined) environment[name] = process.env[name];
  return environment;
}

/** Makes a rename durable; Windows cannot open folders, and needs it not. */
function syncFolder(path: string): void {
  if (process.platform === "win32") return;
  const folder = openSync(path, "r");
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}
