// What a fetch that failed means, in words for a person: nobody there, cut off, no such name, a wrong certificate.
// Must never pass on the runtime's own error: it may hold the request, and with it the key.
import { ConnectionFailed } from "../errors.ts";

/** The request cannot have left: no connection was there to send it on. */
const NOTHING_SENT: ReadonlySet<string> = new Set([
  "ECONNREFUSED",
  "ENOTFOUND",
  "EAI_AGAIN",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "UND_ERR_CONNECT_TIMEOUT",
]);

const CERTIFICATE = /CERT|SSL|TLS|SIGNATURE|ISSUER/;

/** Reads what fetch threw. Node puts the system's error into `cause`; browsers say nothing. */
export function connectionFailure(error: unknown, origin: string): ConnectionFailed {
  const reason = reasonOf(error);
  const nothingSent = reason !== null && (NOTHING_SENT.has(reason) || CERTIFICATE.test(reason));
  return new ConnectionFailed(`${origin} cannot be reached${explain(reason)}`, { reason, nothingSent });
}

function reasonOf(error: unknown): string | null {
  for (let at: unknown = error, depth = 0; depth < 4; depth += 1) {
    if (typeof at !== "object" || at === null) return null;
    const { code, cause } = at as { code?: unknown; cause?: unknown };
    if (typeof code === "string") return code;
    at = cause;
  }
  return null;
}

function explain(reason: string | null): string {
  if (reason === null) return ".";
  if (reason === "ECONNREFUSED") return ` (${reason}): nothing listens there. Is Posthorn running?`;
  if (reason === "ENOTFOUND" || reason === "EAI_AGAIN") return ` (${reason}): the host name is not known.`;
  if (reason === "UND_ERR_CONNECT_TIMEOUT") return ` (${reason}): it does not answer.`;
  if (CERTIFICATE.test(reason)) return ` (${reason}): its certificate is not trusted.`;
  return ` (${reason}): the connection broke before the answer was complete.`;
}
