// What `posthorn backup` and `posthorn restore` do, on the database that the settings name: one of your own, or the
// embedded one, whose server may run during a backup. Every refusal is a value with a code and what to do.
import { randomFillSync } from "node:crypto";
import type { Writable } from "node:stream";
import { resolve } from "node:path";
import { type BackupProgress, backUp, type BackupSummary } from "./backup/backup.ts";
import { BackupError } from "./backup/errors.ts";
import { restore, type RestoreInput, type RestoreProgress, type RestoreSummary } from "./backup/restore.ts";
import { createLog } from "./lib/log.ts";
import type { Settings } from "./lib/settings.ts";
import { reachDatabase } from "./reach-database.ts";
import { findMasterKey, type MasterKeyResult } from "./security/master-key.ts";
import { obtainDatabase, type ServeRefusal, VERSION } from "./obtain-database.ts";
import { MigrationError } from "./storage/migrate.ts";

export type { BackupProgress };
export type BackupResult = ({ readonly outcome: "backed_up" } & BackupSummary) | ServeRefusal;
export type RestoreResult = ({ readonly outcome: "restored" } & RestoreSummary) | ServeRefusal;

/** Writes a backup and ends the output; what a refusal left of it is no backup. */
export async function backUpDatabase(options: {
  readonly settings: Settings;
  readonly output: Writable;
  readonly onProgress?: (progress: BackupProgress) => void;
}): Promise<BackupResult> {
  const { settings, ...rest } = options;
  const database = await reachDatabase(settings);
  if (database.outcome === "refused") return database;
  try {
    const summary = await backUp({ ...rest, connection: database.connection, program: VERSION });
    return { outcome: "backed_up", ...summary };
  } catch (error) {
    return refusalOf(error);
  } finally {
    await database.stop();
  }
}

/** Makes the database, which must be empty, into what the backup shows. The server starts on it afterwards. */
export async function restoreDatabase(options: {
  readonly settings: Settings;
  readonly input: RestoreInput;
  readonly onProgress?: (progress: RestoreProgress) => void;
}): Promise<RestoreResult> {
  const { settings, ...rest } = options;
  const key = await masterKeyOf(settings);
  if (!key.ok) return { outcome: "refused", code: key.code, message: key.message };
  const database = await obtainDatabase(settings, createLog(settings.logLevel), EMBEDDED_SETTINGS);
  if (database.outcome === "refused") return database;
  try {
    const summary = await restore({ ...rest, connection: database.connection, masterKey: key.key });
    return { outcome: "restored", ...summary };
  } catch (error) {
    return refusalOf(error);
  } finally {
    await database.stop();
  }
}

/** Ten years of daily tables in one transaction; 28 MB while it lasts. */
const EMBEDDED_SETTINGS = { max_locks_per_transaction: "1024" };

/** Given, or in the data directory. Never made: a new one opens nothing that is in a backup. */
async function masterKeyOf(settings: Settings): Promise<MasterKeyResult> {
  const dataDir = settings.databaseUrl === undefined ? resolve(settings.dataDir) : undefined;
  const found = await findMasterKey({
    given: settings.masterKey,
    dataDir,
    hasTenantKeys: async () => true,
    random: (target) => void randomFillSync(target),
  });
  if (found.ok || (found.code !== "MASTER_KEY_LOST" && found.code !== "MASTER_KEY_REQUIRED")) return found;
  const orFile = dataDir === undefined ? "" : `, or put that file into ${dataDir}`;
  return {
    ok: false,
    code: "MASTER_KEY_REQUIRED",
    message: `A restore needs the master key of the installation that the backup shows, which is not in the file. Set POSTHORN_MASTER_KEY to it (the content of its master.key)${orFile}; nothing was changed.`,
  };
}

function refusalOf(error: unknown): ServeRefusal {
  if (error instanceof BackupError || error instanceof MigrationError) {
    return { outcome: "refused", code: error.code, message: error.message };
  }
  throw error;
}
