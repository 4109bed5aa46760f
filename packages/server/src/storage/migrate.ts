// Brings a database to the schema that this program needs: numbered, forward-only SQL files, one transaction each.
// It must never run on a database that a newer program has migrated, and never edit what was applied before.
//
// Why not node-pg-migrate: it keeps no checksums, accepts a database that is ahead of the program, needs a second
// table for both, cuts a file in two at any comment that reads like "down migration", and loads jiti, glob and yargs
// into every start.
import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import pg from "pg";
import {
  type AppliedMigration,
  applyMigration,
  createMigrationTable,
  hasMigrationTable,
  listAppliedMigrations,
  lockMigrations,
  policiesNameRoles,
  readServerVersion,
} from "./migrate.sql.ts";

const OLDEST_SERVER = 15;
/** The same distance from src/storage and from dist/storage. */
const MIGRATIONS_DIR = fileURLToPath(new URL("../../migrations/", import.meta.url));
const FILE_PATTERN = /^(\d{4})_[a-z0-9_]+\.sql$/;

export type MigrationErrorCode =
  /** The server is older than PostgreSQL 15. */
  | "POSTGRES_TOO_OLD"
  /** The database holds migrations that this program does not know. */
  | "SCHEMA_NEWER"
  /** A file was edited after it had been applied here. */
  | "MIGRATION_CHANGED"
  /** A file failed; nothing of it remains. */
  | "MIGRATION_FAILED"
  /** The program's own files are not numbered 0001, 0002, … */
  | "MIGRATION_FILES";

/** Thrown by `migrate`; `code` is stable, the message says what to do. */
export class MigrationError extends Error {
  readonly code: MigrationErrorCode;

  constructor(code: MigrationErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "MigrationError";
    this.code = code;
  }
}

/** How a migration waits for tables that others use. */
export interface LockPatience {
  /** Below the statement timeouts of capture and record: whoever queues behind us still gets his turn. */
  readonly timeoutMs: number;
  readonly tries: number;
  /** Between two tries, for whoever queued behind us. */
  readonly pause: () => Promise<unknown>;
}

/** A quarter of an hour: longer than any statement of a node, shorter than most backups. */
const PATIENCE: LockPatience = { timeoutMs: 2_000, tries: 300, pause: () => sleep(1_000) };
/** SQLSTATE lock_not_available: the lock timeout. */
const LOCK_TIMEOUT = "55P03";

interface MigrationFile extends AppliedMigration {
  readonly sql: string;
}

/**
 * Applies the migrations that are missing, in order. Any number of processes may call it at once: one works, the
 * others wait and then find nothing to do. Uses a connection of its own, which must be the owner's (no role set).
 * @param migrationsDir another folder of files, for tests
 * @param patience with locks, for tests
 * @returns the names that this call applied
 * @throws MigrationError by code
 */
export async function migrate(
  connection: pg.ClientConfig,
  migrationsDir: string = MIGRATIONS_DIR,
  patience: LockPatience = PATIENCE,
): Promise<{ applied: string[] }> {
  const files = await readMigrationFiles(migrationsDir);
  return withClient(connection, (client) => applyMissing(client, files, patience));
}

/**
 * The same on a connection that the caller has, for work that must not be interrupted by another migration: the lock
 * stays with the session.
 * @param options.upTo name of the last migration to apply; all of them otherwise
 */
export async function migrateWith(
  client: pg.Client,
  options: { readonly migrationsDir?: string; readonly upTo?: string } = {},
): Promise<{ applied: string[] }> {
  const files = await readMigrationFiles(options.migrationsDir ?? MIGRATIONS_DIR);
  return applyMissing(client, files, PATIENCE, options.upTo);
}

async function applyMissing(
  client: pg.Client,
  files: readonly MigrationFile[],
  patience: LockPatience,
  upTo?: string,
): Promise<{ applied: string[] }> {
  refuseOldServer(await readServerVersion(client));
  await lockMigrations(client);
  await createMigrationTable(client);
  const missing = missingMigrations(files, await listAppliedMigrations(client));
  const wanted = missing.filter((file) => upTo === undefined || file.name <= upTo);
  for (const file of wanted) await applyFile(client, file, patience);
  return { applied: wanted.map((file) => file.name) };
}

/**
 * Compares what was applied somewhere with the files of this program; applies nothing.
 * @returns whether this program has migrations that are not applied there
 * @throws MigrationError SCHEMA_NEWER, MIGRATION_CHANGED
 */
export async function isBehind(applied: readonly AppliedMigration[]): Promise<boolean> {
  return missingMigrations(await readMigrationFiles(MIGRATIONS_DIR), applied).length > 0;
}

/**
 * What a database is ready for, without changing it.
 * @returns `migrated`: every migration of this program is applied; `withRoles`: the policies name the roles
 *   posthorn_engine and posthorn_api (otherwise the settings posthorn.engine and posthorn.tenant_id stand for them)
 */
export async function readSchemaState(
  connection: pg.ClientConfig,
  migrationsDir: string = MIGRATIONS_DIR,
): Promise<{ migrated: boolean; withRoles: boolean }> {
  const files = await readMigrationFiles(migrationsDir);
  return withClient(connection, async (client) => {
    if (!(await hasMigrationTable(client))) return { migrated: false, withRoles: false };
    const applied = new Set((await listAppliedMigrations(client)).map((migration) => migration.name));
    return { migrated: files.every((file) => applied.has(file.name)), withRoles: await policiesNameRoles(client) };
  });
}

async function withClient<Result>(
  connection: pg.ClientConfig,
  work: (client: pg.Client) => Promise<Result>,
): Promise<Result> {
  const client = new pg.Client({ application_name: "posthorn migrate", ...connection });
  // Without a listener a connection lost between two statements would end the process; the next statement reports it.
  client.on("error", () => {});
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

async function readMigrationFiles(dir: string): Promise<MigrationFile[]> {
  const names = (await readdir(dir)).filter((name) => name.endsWith(".sql")).sort();
  return Promise.all(
    names.map(async (name, index) => {
      if (Number(FILE_PATTERN.exec(name)?.[1]) !== index + 1) {
        const wanted = String(index + 1).padStart(4, "0");
        throw new MigrationError(
          "MIGRATION_FILES",
          `Expected migration ${wanted}_<name>.sql in ${dir}, found ${name}.`,
        );
      }
      // A checkout with CRLF line ends is the same migration.
      const sql = (await readFile(`${dir}/${name}`, "utf8")).replaceAll("\r\n", "\n");
      return { name: name.slice(0, -".sql".length), checksum: createHash("sha256").update(sql).digest("hex"), sql };
    }),
  );
}

function refuseOldServer(version: number): void {
  if (version >= OLDEST_SERVER * 10_000) return;
  const major = Math.floor(version / 10_000);
  throw new MigrationError(
    "POSTGRES_TOO_OLD",
    `This database server is PostgreSQL ${major}; Posthorn needs ${OLDEST_SERVER} to 18. Upgrade the server, or leave DATABASE_URL out to use the PostgreSQL that comes with Posthorn.`,
  );
}

function missingMigrations(
  files: readonly MigrationFile[],
  appliedMigrations: readonly AppliedMigration[],
): MigrationFile[] {
  const applied = new Map(appliedMigrations.map((migration) => [migration.name, migration.checksum]));
  const known = new Set(files.map((file) => file.name));
  const unknown = [...applied.keys()].filter((name) => !known.has(name));
  if (unknown.length > 0) {
    throw new MigrationError(
      "SCHEMA_NEWER",
      `The database has migrations that this version of Posthorn does not know (${unknown.join(", ")}): a newer version has migrated it. Start that version or a later one; nothing was changed.`,
    );
  }
  for (const file of files) {
    const checksum = applied.get(file.name);
    if (checksum === undefined || checksum === file.checksum) continue;
    throw new MigrationError(
      "MIGRATION_CHANGED",
      `Migration ${file.name} was applied to this database with another content. Restore the file as it was released and put the change into a new migration; a development database can simply be dropped.`,
    );
  }
  return files.filter((file) => !applied.has(file.name));
}

/**
 * A lock that does not come soon is given up and asked for again: a backup or a long query that reads a table would
 * otherwise stop, through us, everybody who writes to it.
 */
async function applyFile(client: pg.Client, file: MigrationFile, patience: LockPatience): Promise<void> {
  try {
    for (let tries = 1; ; tries += 1) {
      try {
        return await applyMigration(client, file, file.sql, patience.timeoutMs);
      } catch (error) {
        if ((error as { code?: unknown }).code !== LOCK_TIMEOUT || tries >= patience.tries) throw error;
      }
      await patience.pause();
    }
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new MigrationError(
      "MIGRATION_FAILED",
      `Migration ${file.name} failed and was rolled back: ${reason}. Earlier migrations stay applied; start again once the cause is gone.`,
      { cause: error },
    );
  }
}
