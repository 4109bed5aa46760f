// The coded ways in which getting an embedded PostgreSQL can fail.
// A message says what was seen and what to do next; it must never hold the database password.

export type EmbeddedPostgresErrorCode =
  /** No PostgreSQL binaries for this operating system and processor are installed. */
  | "EMBEDDED_UNSUPPORTED_PLATFORM"
  /** The data directory was made by another PostgreSQL major version. */
  | "EMBEDDED_OTHER_MAJOR"
  /** No operating system user is there that PostgreSQL agrees to run as. */
  | "EMBEDDED_NO_USER"
  /** The state that the data directory refers to, or a part of it, is gone. */
  | "EMBEDDED_STATE_MISSING"
  /** A folder could not be made or used. */
  | "EMBEDDED_DATA_DIR"
  /** initdb or the server failed; the message ends with the last lines of its log. */
  | "EMBEDDED_START_FAILED"
  /** Another living process runs the server of this data directory. */
  | "DATA_DIR_LOCKED";

/** Thrown by startEmbeddedPostgres; `code` is stable, the text is for people. */
export class EmbeddedPostgresError extends Error {
  readonly code: EmbeddedPostgresErrorCode;

  constructor(code: EmbeddedPostgresErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "EmbeddedPostgresError";
    this.code = code;
  }
}
