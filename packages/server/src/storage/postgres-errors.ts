// What an error of the database means for the caller: refused by its rules, not reached at all, or outcome unknown.
// The difference decides whether a sender is told to correct, to wait, or to repeat with the same key.

export type DatabaseFailure =
  /** The statement ran and was refused (SQLSTATE 22, 23, 54): this data will be refused again. */
  | { readonly kind: "refused"; readonly sqlState: string }
  /** Nothing was sent, or the server says that nothing happened: safe to repeat as it is. */
  | { readonly kind: "unavailable"; readonly sqlState: string | null }
  /** The connection broke while the answer was awaited: the statement may or may not have been committed. */
  | { readonly kind: "unknown"; readonly sqlState: string | null };

const CONNECT_CODES = new Set([
  "ECONNREFUSED",
  "ENOENT",
  "ENOTFOUND",
  "EAI_AGAIN",
  "EACCES",
  "EHOSTUNREACH",
  "ENETUNREACH",
]);

/**
 * Classifies what a query rejected with.
 * 57P01/57P02 (terminated while running) count as unknown: the termination can arrive between commit and answer.
 * @throws the error itself when it is a mistake in the program
 */
export function classifyDatabaseError(error: unknown): DatabaseFailure {
  if (!(error instanceof Error)) throw error;
  const code = (error as { code?: unknown }).code;
  const { message } = error;
  if (typeof code === "string") {
    if (CONNECT_CODES.has(code)) return { kind: "unavailable", sqlState: null };
    // A server that panics says so before it dies, also when the commit record may be on the disk already.
    if ((error as { severity?: unknown }).severity === "PANIC") return { kind: "unknown", sqlState: code };
    if (/^[0-9A-Z]{5}$/.test(code)) return fromSqlState(code);
    if (code.startsWith("E")) return { kind: "unknown", sqlState: null };
  }
  if (NOT_SENT.test(message)) return { kind: "unavailable", sqlState: null };
  if (PROGRAMMING_ERRORS.some((kind) => error instanceof kind)) throw error;
  // Everything else that a driver can say ("Connection terminated unexpectedly", "Query read timeout") leaves open
  // whether the statement was committed.
  return { kind: "unknown", sqlState: null };
}

/** The driver's own words for a statement that never left this process. */
const NOT_SENT =
  /timeout exceeded when trying to connect|terminated due to connection timeout|not queryable|client was closed|after calling end on the pool/i;
const PROGRAMMING_ERRORS = [TypeError, RangeError, ReferenceError, SyntaxError];

function fromSqlState(sqlState: string): DatabaseFailure {
  switch (sqlState.slice(0, 2)) {
    case "22":
    case "23":
    case "54":
      return { kind: "refused", sqlState };
    case "08":
      return { kind: "unknown", sqlState };
    case "57":
      // 57P03: the server cannot take connections now; 57014: statement_timeout, which rolled the statement back.
      return { kind: sqlState === "57P03" || sqlState === "57014" ? "unavailable" : "unknown", sqlState };
    default:
      // 53 (resources: disk full), 40 (deadlock, serialisation), 25, 28, 42, XX: the statement did not happen.
      return { kind: "unavailable", sqlState };
  }
}
