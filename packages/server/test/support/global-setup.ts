// Gives every vitest run a folder of its own, and afterwards stops and removes what grew in it.
// It must never stop a server or remove a folder of a run that is still alive.
import { randomBytes } from "node:crypto";
import { chmodSync, existsSync, lstatSync, mkdirSync, readdirSync, rmSync, statfsSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import pg from "pg";
import { acquireProcessLock, findLockHolder } from "../../src/lib/process-lock.ts";
import { findPostmaster, signalPostmaster } from "../../src/storage/embedded/postmaster.ts";
import { RUN_DIR_VARIABLE, readServerFile, sharedRuntimeRoot } from "./database.ts";

const SHARED_MEMORY = "/dev/shm";
const NEEDED_BYTES = 2 * 1024 ** 3;

export default async function setup(): Promise<() => Promise<void>> {
  const bases = [...new Set([baseIn(tmpdir()), ...(hasSharedMemory() ? [baseIn(SHARED_MEMORY)] : [])])];
  for (const base of bases) {
    makeBase(base);
    await sweepDeadRuns(base);
  }
  const base = bases.at(-1) ?? baseIn(tmpdir());
  const runDir = join(base, `run-${randomBytes(4).toString("hex")}`);
  mkdirSync(runDir, { mode: 0o711 });
  const result = await acquireProcessLock(ownerLock(runDir));
  if (result.outcome === "held") throw new Error(`${runDir} is somebody else's`);
  process.env[RUN_DIR_VARIABLE] = runDir;
  return async () => {
    await dropDatabases(runDir);
    await removeRun(runDir);
    await result.lock.release();
  };
}

/**
 * Memory stands in for the disk where there is enough of it: fsync stays on, as in production, and costs nothing.
 * Measured: 35 ms to clone a database there, 77 ms on a disk.
 */
function hasSharedMemory(): boolean {
  if (!existsSync(SHARED_MEMORY)) return false;
  const space = statfsSync(SHARED_MEMORY);
  return space.bavail * space.bsize >= NEEDED_BYTES;
}

function baseIn(folder: string): string {
  return join(folder, `posthorn-test-${process.getuid?.() ?? "user"}`);
}

function ownerLock(runDir: string): string {
  return `${runDir}.lock`;
}

/** Others may pass (as root, PostgreSQL runs as another user) but not write; a folder that is not ours is refused. */
function makeBase(base: string): void {
  mkdirSync(base, { recursive: true });
  const stat = lstatSync(base);
  if (!stat.isDirectory() || (process.getuid !== undefined && stat.uid !== process.getuid())) {
    throw new Error(`${base} belongs to somebody else; remove it`);
  }
  if (process.getuid !== undefined) chmodSync(base, 0o711);
}

/** A run that was killed leaves its server running: recognised by its dead owner, and cleared away by the next run. */
async function sweepDeadRuns(base: string): Promise<void> {
  for (const name of readdirSync(base)) {
    if (!/^run-[0-9a-f]+$/.test(name)) continue;
    const runDir = join(base, name);
    if (Date.now() - lstatSync(runDir).birthtimeMs < 10_000) continue;
    if ((await findLockHolder(ownerLock(runDir))) !== undefined) continue;
    await removeRun(runDir);
    rmSync(ownerLock(runDir), { recursive: true, force: true });
  }
}

/** Nothing in there is wanted again, so the server is ended at once. */
async function removeRun(runDir: string): Promise<void> {
  for (const clusterDir of [join(runDir, "posthorn", "postgres", "data"), ...stateClusters(join(runDir, "state"))]) {
    for (let signals = 0; ; signals += 1) {
      const postmaster = findPostmaster(clusterDir);
      if (postmaster === undefined) break;
      if (signals % 50 === 0) signalPostmaster(postmaster.pid, "SIGQUIT", sharedRuntimeRoot());
      await delay(10);
    }
  }
  rmSync(runDir, { recursive: true, force: true, maxRetries: 5 });
}

function stateClusters(stateRoot: string): string[] {
  return existsSync(stateRoot) ? readdirSync(stateRoot).map((name) => join(stateRoot, name, "data")) : [];
}

/** On a server of others only the databases go; on our own they go with it. */
async function dropDatabases(runDir: string): Promise<void> {
  const server = readServerFile(runDir);
  if (server === undefined || (process.env.POSTHORN_TEST_DATABASE_URL ?? "") === "") return;
  const client = new pg.Client(server.connection);
  await client.connect();
  try {
    const { rows } = await client.query<{ datname: string }>(
      "select datname from pg_database where starts_with(datname, $1)",
      [server.prefix],
    );
    for (const { datname } of rows) await client.query(`drop database if exists ${datname} with (force)`);
  } finally {
    await client.end();
  }
}
