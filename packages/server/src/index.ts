// The door of the server package, for the command line.
export { printableSettings, readSettings, SETTINGS, type Settings as SettingsOfServe } from "./lib/settings.ts";
export { type ServeRefusal, type ServeResult, serve, VERSION } from "./serve.ts";
export { migrateOnly } from "./migrate-only.ts";
export { recoverAdministrator, type RecoverOptions, type RecoverResult } from "./recover.ts";
export { backUpDatabase, type BackupResult, restoreDatabase, type RestoreResult } from "./backup-and-restore.ts";
export type { BackupProgress } from "./backup/backup.ts";
