// The figures that are kept of a webhook: the columns that rollup and rollup_total share.
// A test holds this list against the tables and against the outcomes that deliver knows.

/** How an attempt can have gone, as it is recorded. */
export const COUNTED_OUTCOMES = [
  "delivered",
  "rejected",
  "rejected_by_rule",
  "throttled",
  "gone",
  "timed_out",
  "connection_failed",
  "tls_failed",
  "blocked",
  "invalid_response",
  "interrupted",
] as const;

/** Upper bounds of the histogram of durations, milliseconds, exclusive; one more bucket holds what took longer. */
export const DURATION_BOUNDS_MS = [10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000] as const;

/** By bucket: the place in this list is `rollup_tail.duration_bucket`. */
export const DURATION_COLUMNS: readonly string[] = [
  ...DURATION_BOUNDS_MS.map((boundMs) => `under_${boundMs}_ms_count`),
  "longer_count",
];

export const outcomeColumn = (outcome: string): string => `attempt_${outcome}_count`;

/** Columns that are added up; `last_delivered_at` beside them is the latest. */
export const SUMMED_COLUMNS: readonly string[] = [
  "duration_ms_sum",
  "delivered_count",
  "failed_count",
  ...COUNTED_OUTCOMES.map(outcomeColumn),
  ...DURATION_COLUMNS,
];
