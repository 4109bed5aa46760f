// When a failed delivery is tried again: pure arithmetic, so that the same times can be shown ahead and kept.
// Delays count from the end of the attempt before. Must not read a clock or draw a random number.
import { millisecondsOfBytes } from "@posthorn/contract";
import { Calendar, type CalendarSetting } from "../lib/calendar.ts";
import type { RetryPolicySetting } from "../storage/retry-setting.ts";

/** Seconds after the 1st, 2nd … failed attempt: ten attempts over 75 h 35 min 5 s (Standard Webhooks' example schedule). */
const DEFAULT_DELAYS_SECONDS = [5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400] as const;
const DEFAULT_JITTER = 0.25;
/** A receiver may ask for patience, but not for more than a day at a time. */
const MAX_RETRY_AFTER_MS = 24 * 3_600_000;
/** No step of a given policy waits longer than a week. */
const MAX_STEP_MS = 7 * 24 * 3_600_000;

/** What of a webhook decides about times. */
export interface RetrySchedule {
  readonly retryPolicy: RetryPolicySetting | null;
  /** Milliseconds from the delivery's creation; null for never. */
  readonly expireAfterMs: number | null;
}

/** Which attempt is meant. */
export interface AttemptPlace {
  /** Sixteen bytes; they begin with the time of the delivery's creation. */
  readonly deliveryId: Uint8Array;
  /** The attempt's number since the policy started, from 1. */
  readonly policyAttempt: number;
  /** The policy started afresh after a retry by hand: its age is not counted any more. */
  readonly isRevived: boolean;
}

export type NextAttempt =
  | { readonly kind: "at"; readonly ms: number }
  | { readonly kind: "none"; readonly reason: "attempts_exhausted" | "expired" };

/** How many requests a policy allows in all. */
export function maxAttempts(policy: RetryPolicySetting | null): number {
  if (policy === null) return DEFAULT_DELAYS_SECONDS.length + 1;
  if ("delays" in policy) return policy.delays.length + 1;
  return policy.backoff === "standard" ? DEFAULT_DELAYS_SECONDS.length + 1 : policy.maxRetries + 1;
}

/**
 * Milliseconds to wait after a failed attempt, or null when it was the last one.
 * The default schedule is spread by ±25 %, derived from delivery and attempt so that it can be shown ahead; a policy
 * given by an integrator is kept exactly unless it has a jitter of its own.
 * @param attempt number of the attempt that failed, from 1, counted since the policy started
 */
export function retryDelayMs(
  policy: RetryPolicySetting | null,
  deliveryId: Uint8Array,
  attempt: number,
): number | null {
  if (attempt >= maxAttempts(policy)) return null;
  const stepMs = Math.min(MAX_STEP_MS, (policy?.maxDelay ?? Number.POSITIVE_INFINITY) * 1_000, stepOf(policy, attempt));
  const jitter = policy?.jitter ?? (isStandard(policy) ? DEFAULT_JITTER : 0);
  return jitter === 0 ? stepMs : Math.round(stepMs * (1 - jitter + 2 * jitter * fraction(deliveryId, attempt)));
}

function isStandard(policy: RetryPolicySetting | null): boolean {
  return policy === null || ("backoff" in policy && policy.backoff === "standard");
}

function stepOf(policy: RetryPolicySetting | null, attempt: number): number {
  if (policy === null) return (DEFAULT_DELAYS_SECONDS[attempt - 1] as number) * 1_000;
  if ("delays" in policy) return (policy.delays[attempt - 1] as number) * 1_000;
  switch (policy.backoff) {
    case "standard":
      return (DEFAULT_DELAYS_SECONDS[attempt - 1] as number) * 1_000;
    case "linear":
      return (policy.retryDelay + policy.increment * (attempt - 1)) * 1_000;
    case "exponential":
    case undefined:
      return policy.retryDelay * 1_000 * policy.backoffMultiplier ** (attempt - 1);
    default:
      return policy satisfies never;
  }
}

/**
 * When a failed delivery is tried again: its pause, or the receiver's own if that is longer, or what a rule of the webhook
 * says (`afterMs`), moved to where the calendar
 * is open. None when the policy has no further attempt, or the delivery would be too old for it.
 */
export function nextAttempt(
  schedule: RetrySchedule,
  place: AttemptPlace,
  endedAtMs: number,
  { patienceMs = 0, afterMs = null }: { readonly patienceMs?: number; readonly afterMs?: number | null } = {},
): NextAttempt {
  const { retryPolicy } = schedule;
  const delayMs = retryDelayMs(retryPolicy, place.deliveryId, place.policyAttempt);
  if (delayMs === null) return { kind: "none", reason: "attempts_exhausted" };
  const ms = openAt(schedule, endedAtMs + (afterMs ?? Math.max(delayMs, patienceMs)));
  if (isExpired(schedule, place.deliveryId, ms)) return { kind: "none", reason: "expired" };
  const maxAge = retryPolicy?.maxAge;
  if (maxAge !== undefined && !place.isRevived && ms > millisecondsOfBytes(place.deliveryId) + maxAge * 1_000) {
    return { kind: "none", reason: "attempts_exhausted" };
  }
  return { kind: "at", ms };
}

/** Whether a delivery is too old to be attempted at this moment. */
export function isExpired({ expireAfterMs }: RetrySchedule, deliveryId: Uint8Array, ms: number): boolean {
  return expireAfterMs !== null && ms >= millisecondsOfBytes(deliveryId) + expireAfterMs;
}

const calendars = new WeakMap<CalendarSetting, Calendar>();

/** The first moment from this one on at which the webhook's calendar lets an attempt start. */
export function openAt({ retryPolicy }: Pick<RetrySchedule, "retryPolicy">, ms: number): number {
  const setting = retryPolicy?.calendar;
  if (setting === undefined) return ms;
  let calendar = calendars.get(setting);
  if (calendar === undefined) {
    calendar = new Calendar(setting);
    calendars.set(setting, calendar);
  }
  return calendar.openAt(ms);
}

/**
 * The times of every attempt still to come if all of them fail.
 * @param place of the next attempt
 * @param dueAtMs when the next attempt is due, milliseconds since 1970
 */
export function retryTimes(schedule: RetrySchedule, place: AttemptPlace, dueAtMs: number): number[] {
  let atMs = openAt(schedule, dueAtMs);
  const times = [atMs];
  for (let policyAttempt = place.policyAttempt; ; policyAttempt += 1) {
    const next = nextAttempt(schedule, { ...place, policyAttempt }, atMs);
    if (next.kind === "none") return times;
    atMs = next.ms;
    times.push(atMs);
  }
}

/** True for statuses that the policy says are not worth another attempt. */
export function failsFast(policy: RetryPolicySetting | null, status: number): boolean {
  const ofClass = `${Math.floor(status / 100)}xx`;
  return policy?.failFastStatuses?.some((each) => each === status || each === ofClass) ?? false;
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
