// When a module has fallen silent: none came in a time in which, in the weeks before, at the same hours, many always came.
// Pure. False alarms at night, at weekends and after our own downtime are the enemy: in doubt it is not silent.

export const HOUR_MS = 3_600_000;
export const WEEK_MS = 168 * HOUR_MS;
/** How many weeks are looked back. */
export const WEEKS = 4;
/** Fewer known weeks are no habit. */
const LEAST_WEEKS = 2;
/** So many events must usually come in the time of the silence. */
export const FLOOR = 20;
/** Of four weeks one may have been another (a holiday, an outage). */
const ODD_WEEKS = 1;
/** The last hour does not count yet: work that begins an hour late, and the change of clocks. */
const GRACE_HOURS = 1;

export interface Habit {
  readonly firstEventMs: number;
  readonly lastEventMs: number;
  /** Since when events could be heard. */
  readonly watchingSinceMs: number;
  /** How many events came in the hour that begins there. */
  readonly countOf: (hourMs: number) => number;
}

/** Whether it is silent against its habit, judged by whole hours. */
export function isSilent({ firstEventMs, lastEventMs, watchingSinceMs, countOf }: Habit, nowMs: number): boolean {
  const fromMs = nextHour(Math.max(lastEventMs, watchingSinceMs));
  const toMs = hourOf(nowMs) - GRACE_HOURS * HOUR_MS;
  // Longer than a week would be held against the silence itself.
  if (toMs <= fromMs || toMs - fromMs > WEEK_MS) return false;
  let known = 0;
  let quiet = 0;
  for (let week = 1; week <= WEEKS; week += 1) {
    if (fromMs - week * WEEK_MS < nextHour(firstEventMs)) break;
    known += 1;
    if (sumOf(countOf, fromMs - week * WEEK_MS, toMs - week * WEEK_MS) < FLOOR) quiet += 1;
  }
  return known >= LEAST_WEEKS && quiet <= (known === WEEKS ? ODD_WEEKS : 0);
}

/** Events that usually come in an hour like this one, to one decimal; null while too little is known. */
export function usualPerHour({ firstEventMs, countOf }: Pick<Habit, "firstEventMs" | "countOf">, hourMs: number) {
  let known = 0;
  let sum = 0;
  for (let week = 1; week <= WEEKS; week += 1) {
    if (hourMs - week * WEEK_MS < nextHour(firstEventMs)) break;
    known += 1;
    sum += countOf(hourMs - week * WEEK_MS);
  }
  return known < LEAST_WEEKS ? null : Math.round((sum / known) * 10) / 10;
}

export function hourOf(ms: number): number {
  return Math.floor(ms / HOUR_MS) * HOUR_MS;
}

function nextHour(ms: number): number {
  return Math.ceil(ms / HOUR_MS) * HOUR_MS;
}

function sumOf(countOf: (hourMs: number) => number, fromMs: number, toMs: number): number {
  let sum = 0;
  for (let ms = fromMs; ms < toMs; ms += HOUR_MS) sum += countOf(ms);
  return sum;
}
