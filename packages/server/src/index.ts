// The door of the server package, for the command line.
export { printableSettings, readSettings, SETTINGS, type Settings as SettingsOfServe } from "./lib/settings.ts";
export { type ServeRefusal, type ServeResult, serve, VERSION } from "./serve.ts";
export { migrateOnly } from "./migrate-only.ts";
export { recoverAdministrator, type RecoverOptions, type RecoverResult } from "./recover.ts";
