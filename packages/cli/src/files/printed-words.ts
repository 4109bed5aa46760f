// The words in which the printed form says durations and rates, both ways. Pure.

const UNIT_SECONDS = { second: 1, minute: 60, hour: 3_600, day: 86_400 } as const;
type DurationUnit = keyof typeof UNIT_SECONDS;

/** Longest first, so that what is written is short: 300 is `5 minutes`. */
const UNITS: readonly DurationUnit[] = ["day", "hour", "minute", "second"];

export type RatePeriod = "second" | "minute" | "hour";

export interface Rate {
  readonly limit: number;
  readonly per: RatePeriod;
}

/** `30 seconds`, `1 minute`, `5 min`, `2 h` in seconds; null when it is none of these. */
export function parseDuration(text: string): number | null {
  const match = /^\s*(\d+(?:\.\d+)?)\s*(s|secs?|seconds?|m|mins?|minutes?|h|hours?|d|days?)\s*$/i.exec(text);
  if (match === null) return null;
  const unit = UNITS.find((name) => name.startsWith((match[2] as string)[0]?.toLowerCase() as string)) as DurationUnit;
  return Number(match[1]) * UNIT_SECONDS[unit];
}

/** Seconds in the largest unit that says them in whole numbers. */
export function formatDuration(seconds: number): string {
  const unit = UNITS.find((name) => seconds >= UNIT_SECONDS[name] && seconds % UNIT_SECONDS[name] === 0) ?? "second";
  const count = seconds / UNIT_SECONDS[unit];
  return `${count} ${unit}${count === 1 ? "" : "s"}`;
}

/** `100 requests/minute`, also `100 requests per minute` and `100/minute`; null when it is none of these. */
export function parseRate(text: string): Rate | null {
  const match = /^\s*(\d+)\s*(?:requests?)?\s*(?:\/|\bper\b)\s*(?:an?\s+)?(second|minute|hour)s?\s*$/i.exec(text);
  if (match === null) return null;
  return { limit: Number(match[1]), per: (match[2] as string).toLowerCase() as RatePeriod };
}

export function formatRate(rate: Rate): string {
  return `${rate.limit} request${rate.limit === 1 ? "" : "s"}/${rate.per}`;
}
