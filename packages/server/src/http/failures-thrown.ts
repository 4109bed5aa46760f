// What a thrown error becomes for the client: Fastify's own refusals, a database that is away, and the unexpected.
// Must never show the text of an unexpected error.
import { type Failure, failure } from "./answer.ts";

const RETRY_AFTER_SECONDS = "2";

/** @param changesData whether the request may have changed something before the connection was lost */
export function failureOfThrown(error: unknown, changesData: boolean): Failure {
  const { code, statusCode, message } = (typeof error === "object" && error !== null ? error : {}) as {
    code?: unknown;
    statusCode?: unknown;
    message?: unknown;
  };
  if (code === "FST_ERR_CTP_BODY_TOO_LARGE") return failure("BODY_TOO_LARGE");
  if (code === "FST_ERR_MAX_PARAM_LENGTH") return failure("NOT_FOUND");
  if (code === "FST_ERR_CTP_INVALID_MEDIA_TYPE") return failure("UNSUPPORTED_MEDIA_TYPE");
  const away = databaseAway(typeof code === "string" ? code : "", typeof message === "string" ? message : "");
  if (away !== null) return databaseFailure(away, changesData);
  if (typeof code === "string" && code.startsWith("FST_") && typeof statusCode === "number" && statusCode < 500) {
    return failure("INVALID_REQUEST", `The request cannot be read: ${String(message).replace(/\.$/, "")}.`);
  }
  return failure("INTERNAL");
}

type Away = "never_reached" | "rolled_back" | "lost";

const NEVER_REACHED = new Set([
  "ECONNREFUSED",
  "ENOENT",
  "ENOTFOUND",
  "EAI_AGAIN",
  "EHOSTUNREACH",
  "57P03",
  "53300",
  "08001",
]);
const LOST = new Set(["ECONNRESET", "EPIPE", "ETIMEDOUT", "57P01", "57P02", "08000", "08003", "08006", "25P03"]);

/** SQLSTATE classes 08, 53 and 57, Node's socket errors, and the messages that pg throws without a code. */
function databaseAway(code: string, message: string): Away | null {
  if (NEVER_REACHED.has(code) || message.includes("timeout exceeded when trying to connect")) return "never_reached";
  // statement_timeout, serialization failure and deadlock end the transaction: nothing of it remains.
  if (code === "57014" || code === "40001" || code === "40P01") return "rolled_back";
  if (LOST.has(code) || /^(Connection terminated|Client has encountered a connection error)/.test(message))
    return "lost";
  return null;
}

function databaseFailure(away: Away, changesData: boolean): Failure {
  const headers = { "retry-after": RETRY_AFTER_SECONDS };
  if (away === "lost" && changesData) {
    const message =
      "The connection to the database was lost during the change, so it may or may not be stored. Read it before you repeat the request.";
    return { ...failure("OUTCOME_UNKNOWN", message), headers };
  }
  return { ...failure("DATABASE_UNAVAILABLE"), headers };
}
