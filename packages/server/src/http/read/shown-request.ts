// A built request, and what a receiver answered to one, as everybody sees them. Pure: values in, published names out.
import type { Outcome } from "../../deliver/decide.ts";
import type { ShownRequest } from "../../deliver/one-request.ts";
import type { SendResult } from "../../security/outbound/result.ts";
import { bodyExcerpt } from "./body-excerpt.ts";
import { receivedHeaders } from "./request-headers.ts";

/** The request; a body that is not UTF-8 comes as base64 under another name. */
export function shownRequest(request: ShownRequest): Record<string, unknown> {
  const headers: Record<string, string> = {};
  for (let i = 0; i + 1 < request.headers.length; i += 2)
    headers[request.headers[i] as string] = request.headers[i + 1] as string;
  const { body, bodyEncoding } = bodyExcerpt(request.body, false);
  return {
    method: request.method,
    url: request.url,
    headers,
    ...(bodyEncoding === "utf8" ? { body } : { bodyBase64: body }),
  };
}

/** What came back, or why nothing did. Times in milliseconds. */
export function testAnswer(outcome: Outcome, result: SendResult): Record<string, unknown> {
  const responded = result.kind === "responded" ? result : null;
  const excerpt = responded === null ? null : bodyExcerpt(responded.body, responded.bodyTruncated);
  const error = errorOf(result);
  return {
    delivered: outcome === "delivered",
    outcome,
    responseCode: responded?.status ?? null,
    responseTime: Math.round(result.timings.totalMs),
    responseHeaders: responded === null ? null : receivedHeaders(headerLines(responded.headers)),
    responseBody: excerpt?.body ?? null,
    responseBodyEncoding: excerpt?.bodyEncoding ?? null,
    responseBodyTruncated: responded?.bodyTruncated ?? false,
    ...(error === null ? {} : { error }),
  };
}

/** A sentence for whoever pressed the button; null when a status line came back. */
function errorOf(result: SendResult): { code: string; message: string } | null {
  switch (result.kind) {
    case "responded":
      return null;
    case "blocked":
      return { code: result.code, message: result.message };
    case "timed_out":
      return {
        code: `TIMED_OUT_${result.phase.toUpperCase()}`,
        message: `Nothing came back within the webhook's timeout; it was spent on: ${PHASES[result.phase]}.`,
      };
    case "connection_failed":
      return { code: result.code, message: `The connection failed while ${PHASES[result.phase]}: ${result.code}.` };
    case "tls_failed":
      return { code: result.code, message: `No safe connection: ${result.code}. Check the receiver's certificate.` };
    case "invalid_response":
      return { code: result.code, message: `What came back is not an HTTP response: ${result.code}.` };
    case "aborted":
      return { code: "INTERRUPTED", message: "This node is shutting down; whether the request arrived is unknown." };
    default:
      return result satisfies never;
  }
}

const PHASES = {
  dns: "looking up the name",
  connect: "connecting",
  tls: "agreeing on TLS",
  request: "sending the request",
  response: "waiting for the response",
} as const;

function headerLines(headers: readonly string[]): string {
  let lines = "";
  for (let i = 0; i + 1 < headers.length; i += 2) lines += `${headers[i]}: ${headers[i + 1]}\n`;
  return lines;
}
