// What `posthorn migrate` does: brings the schema up to date and ends. For upgrades in a step of their own.
import { createLog } from "./lib/log.ts";
import type { Settings } from "./lib/settings.ts";
import { obtainDatabase, type ServeRefusal } from "./obtain-database.ts";
import { MigrationError, migrate } from "./storage/migrate.ts";

export type MigrateResult = { readonly outcome: "migrated"; readonly applied: readonly string[] } | ServeRefusal;

/** Applies what is missing; the names of the files applied come back. */
export async function migrateOnly(settings: Settings): Promise<MigrateResult> {
  const database = await obtainDatabase(settings, createLog(settings.logLevel));
  if (database.outcome === "refused") return database;
  try {
    const { applied } = await migrate(database.connection);
    return { outcome: "migrated", applied };
  } catch (error) {
    if (!(error instanceof MigrationError)) throw error;
    return { outcome: "refused", code: error.code, message: error.message };
  } finally {
    await database.stop();
  }
}
