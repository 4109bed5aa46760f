// When people are told: soon after the first trouble, then what was collected, and how long a failed try waits. Pure.

/** The first event waits so long for those that come with it. */
export const SETTLE_MS = 60_000;
/** After a digest the next one of this tenant and channel waits so long. */
export const INTERVAL_MS = 3_600_000;
/** A node that is at it has so long; then another one may. Longer than the slowest try. */
export const CLAIM_MS = 180_000;
/** What could not be told in this time is not told any more. */
export const KEPT_MS = 3 * 86_400_000;

const MINUTE_MS = 60_000;
const RETRY_MS = [MINUTE_MS, 2 * MINUTE_MS, 5 * MINUTE_MS, 10 * MINUTE_MS, 30 * MINUTE_MS];

/** @param failureCount tries that failed in a row, 1 or more */
export function retryDelayMs(failureCount: number): number {
  return RETRY_MS[failureCount - 1] ?? INTERVAL_MS;
}
