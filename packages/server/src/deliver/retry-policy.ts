// When a failed delivery is tried again: pure arithmetic, so that the same times can be shown ahead and kept.
// Delays count from the end of the attempt before. Must not read a clock or draw a random number.
import type { RetryPolicySetting } from "../storage/configuration.ts";

/** Seconds after the 1st, 2nd … failed attempt: ten attempts over 75 h 35 min 5 s (Standard Webhooks' example schedule). */
const DEFAULT_DELAYS_SECONDS = [5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400] as const;
/** A receiver may ask for patience, but not for more than a day at a time. */
const MAX_RETRY_AFTER_MS = 24 * 3_600_000;
/** No step of a given policy waits longer than a week. */
const MAX_STEP_MS = 7 * 24 * 3_600_000;

/** How many requests a policy allows in all. */
export function maxAttempts(policy: RetryPolicySetting | null): number {
  return policy === null ? DEFAULT_DELAYS_SECONDS.length + 1 : policy.maxRetries + 1;
}

/**
 * Milliseconds to wait after a failed attempt, or null when it was the last one.
 * The default schedule is spread by ±25 %, derived from delivery and attempt so that it can be shown ahead; a policy
 * given by an integrator is kept exactly.
 * @param attempt number of the attempt that failed, from 1, counted since the policy started
 */
export function retryDelayMs(
  policy: RetryPolicySetting | null,
  deliveryId: Uint8Array,
  attempt: number,
): number | null {
  if (attempt >= maxAttempts(policy)) return null;
  if (policy !== null) {
    return Math.min(MAX_STEP_MS, policy.retryDelay * 1_000 * policy.backoffMultiplier ** (attempt - 1));
  }
  const seconds = DEFAULT_DELAYS_SECONDS[attempt - 1] as number;
  return Math.round(seconds * 1_000 * (0.75 + 0.5 * fraction(deliveryId, attempt)));
}

/**
 * The times of every attempt still to come if all of them fail.
 * @param nextAttemptAtMs when the next attempt is due, milliseconds since 1970
 * @param attemptsMade attempts made since the policy started
 */
export function retryTimes(
  policy: RetryPolicySetting | null,
  deliveryId: Uint8Array,
  attemptsMade: number,
  nextAttemptAtMs: number,
): number[] {
  const times = [nextAttemptAtMs];
  let atMs = nextAttemptAtMs;
  for (let attempt = attemptsMade + 1; ; attempt += 1) {
    const delayMs = retryDelayMs(policy, deliveryId, attempt);
    if (delayMs === null) return times;
    atMs += delayMs;
    times.push(atMs);
  }
}

/** A number in [0, 1) that is always the same for this id and number (FNV-1a, finished by murmur3's mixer). */
export function fraction(deliveryId: Uint8Array, attempt: number): number {
  let hash = 0x811c9dc5;
  for (const byte of deliveryId) hash = Math.imul(hash ^ byte, 0x01000193);
  hash = Math.imul(hash ^ attempt, 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return ((hash ^ (hash >>> 16)) >>> 0) / 0x100000000;
}

const HTTP_DATE =
  /^(?:(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT|(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day, \d{2}-[A-Z][a-z]{2}-\d{2} \d{2}:\d{2}:\d{2} GMT|(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) [A-Z][a-z]{2} [ \d]\d \d{2}:\d{2}:\d{2} \d{4})$/;

/**
 * Reads `Retry-After` (RFC 9110, section 10.2.3): seconds, also with a fraction, or any of the three HTTP dates.
 * @returns milliseconds from now, at most a day; a past date is 0; null for negative numbers and garbage
 */
export function parseRetryAfter(value: string | undefined, nowMs: number): number | null {
  if (value === undefined) return null;
  const text = value.trim();
  if (/^\d{1,12}(?:\.\d{1,9})?$/.test(text)) return Math.min(MAX_RETRY_AFTER_MS, Math.ceil(Number(text)) * 1_000);
  if (!HTTP_DATE.test(text)) return null;
  // The asctime form has no zone; HTTP dates are always GMT.
  const atMs = Date.parse(text.endsWith("GMT") ? text : `${text} GMT`);
  if (Number.isNaN(atMs)) return null;
  return Math.min(MAX_RETRY_AFTER_MS, Math.max(0, atMs - nowMs));
}
