// What a backup does with each table. A migration that makes a table has to say it here; a test watches.
// Must never leave out a table whose rows cannot be made again.
import { HISTORY_TABLES, type HistoryTable } from "../maintain/days.ts";

export type Treatment =
  | { readonly kind: "copied" }
  /** Copied by retention class and day. */
  | { readonly kind: "history" }
  | { readonly kind: "left_out"; readonly reason: string };

const copied: Treatment = { kind: "copied" };
const history: Treatment = { kind: "history" };
const leftOut = (reason: string): Treatment => ({ kind: "left_out", reason });

/** By name, in the order of the file: what decides whether a file can be used at all stands first. */
export const TABLES: Readonly<Record<string, Treatment>> = {
  config_version: copied,
  tenant: copied,
  tenant_key: copied,
  secret: copied,
  company: copied,
  api_key: copied,
  oauth_client: copied,
  oauth_grant: copied,
  event_type: copied,
  definition: copied,
  definition_version: copied,
  organisation_entry: copied,
  route: copied,
  webhook: copied,
  webhook_version: copied,
  audit_entry: copied,
  event: history,
  event_key: copied,
  delivery: copied,
  batch: copied,
  fan_out: copied,
  replay_job: copied,
  correction: copied,
  snapshot: copied,
  snapshot_record: copied,
  attempt: history,
  dead_letter: history,
  cancelled_delivery: history,
  webhook_health: copied,
  operational_notice: copied,
  digest_channel: copied,
  digest_entry: copied,
  expiry_watch: copied,
  module: copied,
  module_hour: copied,
  rollup: copied,
  rollup_total: copied,
  rollup_tail: copied,
  schema_migration: leftOut("the header names the migrations, and the restore applies them"),
  module_watch: leftOut("a new database has not been watching"),
  node: leftOut("no node of the old database is a node of the new one"),
  lane: leftOut("lanes are free in a new database; epochs only fence nodes that it has never seen"),
  cancel_notice: leftOut("they tell a node's memory of a cancellation that is already recorded"),
};

export function isHistoryTable(table: string): table is HistoryTable {
  return (HISTORY_TABLES as readonly string[]).includes(table);
}

/** Tables of which rows are in the file. */
export function tablesInFile(): string[] {
  return Object.keys(TABLES).filter((table) => TABLES[table]?.kind !== "left_out");
}
