// Sorts the errors of sockets, TLS and undici into the outcomes of an attempt.
// It must never let an error message out: codes only, messages may hold addresses or the receiver's bytes.
import { errors } from "undici";
import type { Failure } from "./result.ts";
import { errorCode } from "./resolver.ts";

/** What the HTTP phase was doing when it failed. */
export type HttpPhase = "request" | "response";

const NETWORK_CODES: ReadonlySet<string> = new Set([
  "CLOSED",
  "EADDRNOTAVAIL",
  "ECONNABORTED",
  "ECONNREFUSED",
  "ECONNRESET",
  "EHOSTDOWN",
  "EHOSTUNREACH",
  "EMFILE",
  "ENETDOWN",
  "ENETUNREACH",
  "ENFILE",
  "EPIPE",
  "ETIMEDOUT",
]);

/** An error before or while the handshake ran: a broken line, or a receiver we cannot trust. */
export function classifyTlsError(error: unknown): Failure {
  const code = errorCode(error, "TLS_FAILED");
  return NETWORK_CODES.has(code) ? { kind: "connection_failed", phase: "tls", code } : { kind: "tls_failed", code };
}

/** undici's own names for what is wrong with a response, in the words of our outcomes. */
const RESPONSE_CODES: Readonly<Record<string, string>> = {
  UND_ERR_HEADERS_OVERFLOW: "HPE_HEADER_OVERFLOW",
  UND_ERR_RES_CONTENT_LENGTH_MISMATCH: "CONTENT_LENGTH_MISMATCH",
  // undici asserts what a sane receiver would send, for example a status of 100 or more.
  ERR_ASSERTION: "UNEXPECTED_RESPONSE",
};

/** An error that undici reports after the connection was made and before a response head arrived. */
export function classifyHttpError(error: unknown, phase: HttpPhase): Failure {
  const code = errorCode(error, "UNKNOWN");
  const responseCode = code.startsWith("HPE_") ? code : RESPONSE_CODES[code];
  if (responseCode !== undefined) return { kind: "invalid_response", code: responseCode };
  // llhttp error numbers that undici has no name for, such as a first line that is not HTTP.
  if (error instanceof errors.HTTPParserError) return { kind: "invalid_response", code: "HPE_INVALID_RESPONSE" };
  if (code === "UND_ERR_SOCKET") return classifyUndiciSocketError(error, phase);
  // TLS 1.3: a refused client certificate is only told after the handshake, on the first read.
  if (code.startsWith("ERR_SSL_")) return { kind: "tls_failed", code };
  return { kind: "connection_failed", phase, code };
}

/** undici 7 tells these four apart by message only; the receiver zoo's tests notice when that changes. */
function classifyUndiciSocketError(error: unknown, phase: HttpPhase): Failure {
  const message = error instanceof Error ? error.message : "";
  if (message === "bad upgrade") return { kind: "invalid_response", code: "UNEXPECTED_UPGRADE" };
  if (message === "bad response") return { kind: "invalid_response", code: "UNEXPECTED_RESPONSE" };
  return { kind: "connection_failed", phase, code: "CLOSED" };
}
