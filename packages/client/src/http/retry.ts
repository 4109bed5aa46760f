// When a failed request is sent again: pure, with chance and time as parameters.
// Must never repeat a request that may have been carried out, unless repeating it changes nothing.
import { ConnectionFailed, type PosthornError, TimedOut } from "../errors.ts";

/** How patiently a request is repeated. */
export interface RetryOptions {
  /** Tries in all, the first included. */
  readonly maxTries: number;
  /** Longest pause before the second try; it doubles with each further one. */
  readonly baseDelayMs: number;
  readonly maxDelayMs: number;
  /** No try begins later than this after the first one began. */
  readonly deadlineMs: number;
}

export const RETRY_DEFAULTS: RetryOptions = {
  maxTries: 8,
  baseDelayMs: 200,
  maxDelayMs: 10_000,
  deadlineMs: 60_000,
};

/** Whether a request may be sent again although the first one may have been carried out. */
export type Repeatable = "always" | "only_if_nothing_happened";

/** What proxies answer when the server behind them was not reached, or went away. */
const PROXY_STATUSES: ReadonlySet<number> = new Set([502, 504]);

/** A certificate does not become right by asking again. */
const LASTING = /CERT|SSL|TLS|SIGNATURE|ISSUER/;

/** True when `error` is worth another try of a request of this kind. */
export function mayRepeat(error: PosthornError, repeatable: Repeatable): boolean {
  if (error.status === 429) return true;
  if (error.status === 503) return repeatable === "always" || error.code !== "OUTCOME_UNKNOWN";
  if (error instanceof ConnectionFailed) {
    if (error.reason !== null && LASTING.test(error.reason)) return false;
    return repeatable === "always" || error.nothingSent;
  }
  if (repeatable !== "always") return false;
  return error instanceof TimedOut || error.code === "REQUEST_TIMEOUT" || PROXY_STATUSES.has(error.status ?? 0);
}

/**
 * How long to wait before the next try, or null to give up. Full jitter: a random share of a bound that doubles
 * (https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/), never less than the server asked for.
 * @param tries how often it was sent so far, from 1
 * @param elapsedMs since the first try began
 * @param random from 0 up to, not including, 1
 */
export function nextDelayMs(
  options: RetryOptions,
  tries: number,
  elapsedMs: number,
  retryAfterSeconds: number | null,
  random: number,
): number | null {
  if (tries >= options.maxTries) return null;
  const bound = Math.min(options.maxDelayMs, options.baseDelayMs * 2 ** (tries - 1));
  const jittered = random * bound;
  const delayMs = retryAfterSeconds === null ? jittered : retryAfterSeconds * 1_000 + jittered;
  return elapsedMs + delayMs > options.deadlineMs ? null : delayMs;
}

/** Seconds of a `Retry-After` header: a number, or a date (RFC 9110, section 10.2.3). */
export function secondsOfRetryAfter(value: string | null, nowMs: number): number | null {
  if (value === null) return null;
  if (/^[0-9]{1,9}$/.test(value)) return Number(value);
  const atMs = Date.parse(value);
  return Number.isNaN(atMs) ? null : Math.max(0, (atMs - nowMs) / 1_000);
}
