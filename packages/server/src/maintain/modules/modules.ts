// Writes down who was heard, and tells when one has fallen silent against its habit, or is heard again. Any node does it;
// each module is judged once an hour by one of them.
import type { Clock } from "../../lib/clock.ts";
import type { Executor } from "../../storage/pools.ts";
import { type Habit, hourOf, HOUR_MS, isSilent, usualPerHour, WEEK_MS, WEEKS } from "./habit.ts";
import type { Hearing } from "./hearing.ts";
import {
  addHeard,
  dropOldHours,
  markResumed,
  markSilent,
  type ModuleRow,
  takeQuietModules,
  watchOn,
} from "./modules.sql.ts";

export interface ModulesOptions {
  readonly engine: Executor;
  readonly clock: Clock;
  readonly hearing: Hearing;
}

/** What habits are read from: the weeks that are looked back, and one for the silence itself. */
export const HOURS_KEPT_MS = (WEEKS + 1) * WEEK_MS;
/** After a longer time without a look nobody was listening. */
const GAP_MS = 10 * 60_000;
const ROWS_PER_LOOK = 500;

export async function lookAtModules({ engine, clock, hearing }: ModulesOptions): Promise<void> {
  const heard = hearing.take();
  if (heard.length > 0) {
    try {
      await addHeard(engine, heard);
    } catch (error) {
      hearing.giveBack(heard);
      throw error;
    }
  }
  const nowMs = clock.nowMs();
  const watchingSinceMs = await watchOn(engine, nowMs, GAP_MS);
  await markResumed(engine, nowMs);
  const hourMs = hourOf(nowMs);
  const times = { hoursFromMs: hourMs - HOURS_KEPT_MS, hourMs, quietSinceMs: hourMs - HOUR_MS };
  for (;;) {
    const rows = await takeQuietModules(engine, times, ROWS_PER_LOOK);
    for (const row of rows) {
      const habit = habitOf(row, watchingSinceMs);
      if (isSilent(habit, nowMs)) await markSilent(engine, row, nowMs, usualPerHour(habit, hourMs - HOUR_MS));
    }
    if (rows.length < ROWS_PER_LOOK) break;
  }
}

/** Hours that are too old go, seldom. */
export async function forgetOldModules(engine: Executor, nowMs: number): Promise<void> {
  await dropOldHours(engine, hourOf(nowMs) - HOURS_KEPT_MS);
}

export function habitOf(row: ModuleRow, watchingSinceMs: number): Habit {
  const counts = new Map<number, number>();
  for (let i = 0; i + 1 < row.hours.length; i += 2) counts.set(row.hours[i] as number, row.hours[i + 1] as number);
  return {
    firstEventMs: row.first_ms,
    lastEventMs: row.last_ms,
    watchingSinceMs,
    countOf: (hourMs) => counts.get(hourMs) ?? 0,
  };
}
