// Makes an empty database into what a backup shows: schema at the file's level, rows in one transaction, then the
// schema of this program. Must change nothing before the file was found whole and fit, and load all of it or nothing.
import { createReadStream } from "node:fs";
import type { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import pg from "pg";
import { DAY_MS, RETENTION_CLASSES } from "../maintain/days.ts";
import { classPartitionName, dayPartitionName } from "../maintain/days.ts";
import { createClassPartition, createDayPartitions, listPartitions } from "../maintain/partitions.sql.ts";
import type { MasterKey } from "../security/master-key.ts";
import { findUnopened } from "../security/vault.ts";
import { isBehind, MigrationError, migrateWith } from "../storage/migrate.ts";
import {
  hasMigrationTable,
  listAppliedMigrations,
  lockMigrations,
  policiesNameRoles,
} from "../storage/migrate.sql.ts";
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
  readonly header: BackupHeader;
  readonly masterKey: MasterKey | null;
  readonly onProgress?: (progress: RestoreProgress) => void;
}
