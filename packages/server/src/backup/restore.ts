// Makes an empty database into what a backup shows: schema at the file's level, rows in one transaction, then the
// schema of this program. Must change nothing before the file was found whole and fit, and load all of it or nothing.
import { createReadStream } from "node:fs";
import type { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import pg from "pg";
import { classPartitionName, dayPartitionName, RETENTION_CLASSES } from "../maintain/days.ts";
import { createClassPartition, createDayPartitions, listPartitions } from "../maintain/partitions.sql.ts";
import type { MasterKey } from "../security/master-key.ts";
import { findUnopened } from "../security/vault.ts";
import { isBehind, MigrationError, migrateWith } from "../storage/migrate.ts";
import { hasMigrationTable, listAppliedMigrations, lockMigrations, policiesNameRoles } from "../storage/migrate.sql.ts";
import type { ConnectionConfig } from "../storage/pools.ts";
import { listColumns, listTables } from "../storage/schema-dump.sql.ts";
import { commit, liftTimeLimits } from "./backup.sql.ts";
import { BackupError } from "./errors.ts";
import type { BackupHeader, Section } from "./format.ts";
import { damaged, readBackup } from "./read-file.ts";
import {
  becomeEngine,
  begin,
  copyIn,
  deleteConfigVersion,
  forceRowSecurity,
  holdsRows,
  readLockCapacity,
  rollback,
  setDeliverySeq,
} from "./restore.sql.ts";
import { isHistoryTable, tablesInFile } from "./tables.ts";

export interface RestoreProgress {
  readonly phase: "checking" | "loading";
  /** Of the compressed file so far; null when it cannot be told. */
  readonly readBytes: number | null;
  readonly rowCount: number;
}

/** A file is read twice: first to find it whole, then to load it. A stream only once, so a fault is found late. */
export type RestoreInput = { readonly path: string } | { readonly stream: Readable };

export interface RestoreOptions {
  /** The owner's, of an empty database. */
  readonly connection: ConnectionConfig;
  readonly input: RestoreInput;
  /** Must be the one of the installation that the backup shows. */
  readonly masterKey: MasterKey;
  readonly onProgress?: (progress: RestoreProgress) => void;
}

export interface RestoreSummary {
  /** The moment that the file shows, ISO 8601. */
  readonly createdAt: string;
  /** The program that made the file. */
  readonly program: string;
  readonly rowCounts: Readonly<Record<string, number>>;
  /** Names of the migrations that came after those of the file. */
  readonly migratedForward: readonly string[];
}

/**
 * Restores. Whoever starts a node on this database meanwhile waits until it is done. A file that is cut or damaged is
 * found before anything changes; from a stream it is found at its end, and then an empty schema stays, into which the
 * next restore goes.
 * @throws BackupError by code; MigrationError MIGRATION_FAILED, POSTGRES_TOO_OLD; what the database throws
 */
export async function restore(options: RestoreOptions): Promise<RestoreSummary> {
  const client = new pg.Client({ application_name: "posthorn restore", keepAlive: true, ...options.connection });
  // The statement under way says what happened.
  client.on("error", () => {});
  await client.connect();
  try {
    await liftTimeLimits(client);
    // Not only against other restores: a node that starts migrates first, and so waits here.
    await lockMigrations(client);
    if ("path" in options.input) await checkWhole(client, options, options.input.path);
    const summary = await load(client, options);
    return { ...summary, migratedForward: (await migrateWith(client)).applied };
  } finally {
    await client.end();
  }
}

async function checkWhole(client: pg.Client, options: RestoreOptions, path: string): Promise<void> {
  const input = createReadStream(path);
  input.on("data", () => options.onProgress?.({ phase: "checking", readBytes: input.bytesRead, rowCount: 0 }));
  input.pause();
  await readBackup(input, { onHeader: (header) => refuseUnfit(client, options, header) });
}

async function load(client: pg.Client, options: RestoreOptions): Promise<Omit<RestoreSummary, "migratedForward">> {
  const input = "path" in options.input ? createReadStream(options.input.path) : options.input.stream;
  const readBytes = (): number | null => ("bytesRead" in input ? (input.bytesRead as number) : null);
  let loading: Loading | undefined;
  let rowCount = 0;
  try {
    const trailer = await readBackup(input, {
      async onHeader(header) {
        await refuseUnfit(client, options, header);
        loading = await beginLoading(client, header);
      },
      async onSection(section, bytes) {
        if (loading === undefined) throw damaged("it has no header");
        const count = await loadSection(client, loading, section, bytes);
        rowCount += count;
        options.onProgress?.({ phase: "loading", readBytes: readBytes(), rowCount });
        return count;
      },
    });
    if (loading === undefined) throw damaged("it has no header");
    await finishLoading(client, loading);
    const { createdAt, program } = loading.header;
    return { createdAt, program, rowCounts: trailer.rowCounts };
  } catch (error) {
    await rollback(client).catch(() => {});
    throw error;
  }
}

/** Everything that can be said from the header alone. Reads only. */
async function refuseUnfit(client: pg.Client, options: RestoreOptions, header: BackupHeader): Promise<void> {
  await refuseForeignMigrations(header);
  const keys = header.wrappedKeys.map((key) => ({ tenant_id: key.tenantId, id: key.id, wrapped_key: key.wrappedKey }));
  if (findUnopened(options.masterKey, keys) !== null) {
    throw new BackupError(
      "WRONG_MASTER_KEY",
      `The master key ${options.masterKey.id} is not the one of the installation that this backup shows. Set POSTHORN_MASTER_KEY to that one (the content of its master.key); nothing was changed.`,
    );
  }
  await refuseNonEmpty(client, header);
  await refuseTooManyLocks(client, header);
}

async function refuseForeignMigrations(header: BackupHeader): Promise<void> {
  try {
    await isBehind(header.migrations);
  } catch (error) {
    if (!(error instanceof MigrationError)) throw error;
    if (error.code === "SCHEMA_NEWER") {
      throw new BackupError(
        "BACKUP_NEWER",
        `The file was made by Posthorn ${header.program}, whose schema this program does not know yet. Restore it with that version or a later one; nothing was changed.`,
      );
    }
    throw new BackupError(
      "BACKUP_FOREIGN",
      `The file was made by a Posthorn ${header.program} whose migrations differ from those of this program under the same names. Restore it with the program that made it; nothing was changed.`,
    );
  }
}

/** What an interrupted restore leaves, a schema without rows, counts as empty; so does a schema just migrated. */
async function refuseNonEmpty(client: pg.Client, header: BackupHeader): Promise<void> {
  if (!(await hasMigrationTable(client))) return;
  const applied = await listAppliedMigrations(client);
  const level = header.migrations.length;
  if (applied.length > level) {
    throw notEmpty(`it is at migration ${applied.at(-1)?.name}, the file at ${header.migrations[level - 1]?.name}`);
  }
  const withRoles = await policiesNameRoles(client);
  await begin(client);
  try {
    // As its owner we would see no row under forced row-level security, and take a full database for an empty one.
    await becomeEngine(client, withRoles);
    const present = new Set((await listTables(client)).map((table) => table.name));
    for (const table of tablesInFile()) {
      if (table === "config_version" || !present.has(table)) continue;
      if (await holdsRows(client, table)) throw notEmpty(`its table ${table} has rows`);
    }
  } finally {
    await rollback(client);
  }
}

function notEmpty(seen: string): BackupError {
  return new BackupError(
    "RESTORE_TARGET_NOT_EMPTY",
    `A backup is restored into an empty database only, and this one is not: ${seen}. Make a new one (or name another data directory); nothing was changed.`,
  );
}

/** A day's table with its indexes; counted between 4 (dead_letter) and 7 (event with large payloads). */
const LOCKS_PER_DAY = 6;

async function refuseTooManyLocks(client: pg.Client, header: BackupHeader): Promise<void> {
  const dayCount = header.history.reduce((sum, { days }) => sum + days.length, 0);
  const needed = dayCount * LOCKS_PER_DAY;
  const { capacity, perTransaction } = await readLockCapacity(client);
  if (needed <= capacity) return;
  const wanted = Math.ceil((perTransaction * needed) / capacity / 64) * 64;
  throw new BackupError(
    "RESTORE_LOCKS",
    `The file has ${dayCount} daily tables of history; loading them in one transaction takes about ${needed} locks, and this server allows ${capacity}. As a superuser: alter system set max_locks_per_transaction = ${wanted}; then restart it. It can go back afterwards; nothing was changed.`,
  );
}

interface Loading {
  readonly header: BackupHeader;
  /** Columns by table, as they are here. */
  readonly columns: ReadonlyMap<string, readonly string[]>;
  /** Tables whose policies bind the owner, and must again. */
  readonly forced: readonly string[];
}

/** Schema and partitions, each in transactions of their own; then the one that loads is open. */
async function beginLoading(client: pg.Client, header: BackupHeader): Promise<Loading> {
  const upTo = header.migrations.at(-1)?.name;
  await migrateWith(client, upTo === undefined ? {} : { upTo });
  await makePartitions(client, header);
  const columns = new Map<string, string[]>();
  const wanted = new Set(tablesInFile());
  for (const { table, name } of await listColumns(client)) {
    if (wanted.has(table)) columns.set(table, [...(columns.get(table) ?? []), name]);
  }
  const tables = await listTables(client);
  const forced = tables.filter((row) => wanted.has(row.name) && row.force_row_security).map((row) => row.name);
  await begin(client);
  for (const table of forced) await forceRowSecurity(client, table, false);
  await deleteConfigVersion(client);
  return { header, columns, forced };
}

/** Days in one statement: few round trips, and locks far below what a server allows. */
const DAYS_AT_ONCE = 30;

async function makePartitions(client: pg.Client, header: BackupHeader): Promise<void> {
  const present = new Set((await listPartitions(client)).map((row) => row.name));
  for (const { table, retentionClass, days } of header.history) {
    if (!isHistoryTable(table)) throw damaged(`${table} is no table of history`);
    if (!(RETENTION_CLASSES as readonly number[]).includes(retentionClass)) {
      throw damaged(`there is no retention class ${retentionClass}`);
    }
    const name = classPartitionName(table, retentionClass);
    if (!present.has(name)) await createClassPartition(client, table, retentionClass);
    const missing = days
      .map((day) => Date.parse(day))
      .filter((dayMs) => !present.has(dayPartitionName(table, retentionClass, dayMs)));
    for (let from = 0; from < missing.length; from += DAYS_AT_ONCE) {
      await createDayPartitions(client, table, retentionClass, missing.slice(from, from + DAYS_AT_ONCE));
    }
  }
}

async function loadSection(
  client: pg.Client,
  loading: Loading,
  section: Section,
  bytes: AsyncIterable<Buffer>,
): Promise<number> {
  const { table } = section;
  const here = loading.columns.get(table);
  // Names go into a statement: only those that the catalogue knows.
  if (here === undefined || here.toSorted().join() !== section.columns.toSorted().join()) {
    throw damaged(`the columns of ${table} are not those of its migration`);
  }
  const into = copyIn(client, table, section.columns);
  try {
    await pipeline(bytes, into);
  } catch (error) {
    const code = (error as { code?: unknown }).code;
    if (typeof code === "string" && /^2[23]/.test(code))
      throw damaged(`the database refuses rows of ${table} (${code})`, error);
    throw error;
  }
  return into.rowCount;
}

async function finishLoading(client: pg.Client, { header, forced }: Loading): Promise<void> {
  await setDeliverySeq(client, header.deliverySeq);
  for (const table of forced) await forceRowSecurity(client, table, true);
  await commit(client);
}
