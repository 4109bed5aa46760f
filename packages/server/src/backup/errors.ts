// What can stand in the way of a backup or a restore, by stable codes. Messages say what to do; they must never hold a
// key, a secret or a row.

export type BackupErrorCode =
  /** The database holds no schema of Posthorn. */
  | "NOTHING_TO_BACK_UP"
  /** The schema was migrated while the backup ran: what was written is not to be trusted. */
  | "SCHEMA_CHANGED"
  /** The input is something else than a backup. */
  | "NOT_A_BACKUP"
  /** The file ends before its end. */
  | "BACKUP_CUT"
  /** The file is not what was written: its bytes, its counts or its names disagree. */
  | "BACKUP_DAMAGED"
  /** A newer program made the file. */
  | "BACKUP_NEWER"
  /** The file was made by a program whose migrations are others under the same name. */
  | "BACKUP_FOREIGN"
  /** The secrets in the file were encrypted under another master key. */
  | "WRONG_MASTER_KEY"
  /** The database to restore into holds something of Posthorn already. */
  | "RESTORE_TARGET_NOT_EMPTY"
  /** The server allows fewer locks than the days of history in the file take in one transaction. */
  | "RESTORE_LOCKS";

/** Thrown by `backUp` and `restore`; `code` is stable. */
export class BackupError extends Error {
  readonly code: BackupErrorCode;

  constructor(code: BackupErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "BackupError";
    this.code = code;
  }
}
