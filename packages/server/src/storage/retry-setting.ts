// The retry policy of a webhook as it is stored and shown: seconds everywhere, defaults of a schedule filled in.
import type { CalendarSetting } from "../lib/calendar.ts";

/** What any policy may say beside its pauses. */
export interface RetryRules {
  /** No pause is longer; seconds. */
  readonly maxDelay?: number;
  /** Share by which a pause is lengthened or shortened, derived from the delivery: 0.25 is up to a quarter. */
  readonly jitter?: number;
  /** Seconds from the delivery's creation; no retry of the policy comes later. */
  readonly maxAge?: number;
  /** Statuses (`422`) and classes of them (`4xx`) that are not retried. */
  readonly failFastStatuses?: readonly (number | string)[];
  /** Attempts start only when it is open. */
  readonly calendar?: CalendarSetting;
}

/** Retries as an integrator gave them: attempts = 1 + maxRetries, delays in seconds, no jitter. */
export interface ExponentialPolicy extends RetryRules {
  readonly backoff?: "exponential";
  readonly maxRetries: number;
  readonly retryDelay: number;
  readonly backoffMultiplier: number;
}

/** Each pause is `increment` seconds longer than the one before. */
export interface LinearPolicy extends RetryRules {
  readonly backoff: "linear";
  readonly maxRetries: number;
  readonly retryDelay: number;
  readonly increment: number;
}

/** Each pause by itself; attempts = 1 + their number. */
export interface ListPolicy extends RetryRules {
  readonly delays: readonly number[];
}

/** The default schedule, with rules beside it. */
export interface StandardPolicy extends RetryRules {
  readonly backoff: "standard";
}

export type RetryPolicySetting = ExponentialPolicy | LinearPolicy | ListPolicy | StandardPolicy;
