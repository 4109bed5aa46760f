// Sends a delivery's request to a URL of this machine. Follows no redirects and keeps nothing of the answer but its status.
import type { DeliveryRequest } from "@posthorn/client";

export type Forwarded =
  | { readonly kind: "answered"; readonly status: number; readonly durationMs: number }
  | { readonly kind: "failed"; readonly code: string; readonly message: string; readonly durationMs: number };

/** Of the connection to the webhook's own server; the client here writes its own. */
const OF_THE_CONNECTION = new Set(["host", "content-length", "connection", "transfer-encoding", "keep-alive"]);

export async function forward(
  request: DeliveryRequest,
  to: URL,
  options: { readonly timeoutMs: number; readonly signal: AbortSignal },
): Promise<Forwarded> {
  const startedAtMs = performance.now();
  const durationMs = (): number => performance.now() - startedAtMs;
  const timeout = AbortSignal.timeout(options.timeoutMs);
  const { body, bodyBase64 } = request;
  try {
    const response = await fetch(to, {
      method: request.method,
      headers: Object.entries(request.headers).filter(([name]) => !OF_THE_CONNECTION.has(name.toLowerCase())),
      body: bodyBase64 === undefined ? (body ?? "") : Buffer.from(bodyBase64, "base64"),
      redirect: "manual",
      signal: AbortSignal.any([options.signal, timeout]),
    });
    await response.body?.cancel();
    return { kind: "answered", status: response.status, durationMs: durationMs() };
  } catch (error) {
    if (timeout.aborted) {
      const message = `No answer within ${options.timeoutMs} ms.`;
      return { kind: "failed", code: "TIMED_OUT", message, durationMs: durationMs() };
    }
    const cause = (error as { cause?: { code?: unknown } }).cause?.code;
    const code = typeof cause === "string" ? cause : "CONNECTION_FAILED";
    return { kind: "failed", code, message: `${to.origin} did not answer.`, durationMs: durationMs() };
  }
}
