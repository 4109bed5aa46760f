// When silence is told, purely. False alarms are the enemy: nights, weekends, holidays, an hour late, the change of clocks,
// our own downtime, young modules and slow ones must not be told; a busy module that stops must be, within some hours.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  FLOOR,
  type Habit,
  HOUR_MS,
  hourOf,
  isSilent,
  usualPerHour,
  WEEK_MS,
} from "../../../src/maintain/modules/habit.ts";

/** A Monday, 00:00 UTC. */
const MONDAY = Date.UTC(2026, 10, 2);
const AGES_AGO = MONDAY - 20 * WEEK_MS;
const DAY_MS = 24 * HOUR_MS;

/** Works Monday to Friday, 9 to 18, and sends so many an hour. */
const office =
  (perHour: number) =>
  (ms: number): number => {
    const day = Math.floor((ms - MONDAY) / DAY_MS);
    const weekday = ((day % 7) + 7) % 7;
    const hour = Math.floor((((ms - MONDAY) % DAY_MS) + DAY_MS) / HOUR_MS) % 24;
    return weekday < 5 && hour >= 9 && hour < 18 ? perHour : 0;
  };
const at = (weekday: number, hour: number, minute = 0): number =>
  MONDAY + weekday * DAY_MS + hour * HOUR_MS + minute * 60_000;
const habit = (lastEventMs: number, countOf: Habit["countOf"], more: Partial<Habit> = {}): Habit => ({
  firstEventMs: AGES_AGO,
  watchingSinceMs: AGES_AGO,
  lastEventMs,
  // Nothing came after its last event.
  countOf: (ms) => (ms > lastEventMs ? 0 : countOf(ms)),
  ...more,
});

describe("a module", () => {
  test("that stops in the middle of a working day is told once a whole hour and one of grace are over", () => {
    const stopped = habit(at(1, 10, 20), office(40));
    expect(isSilent(stopped, at(1, 12, 59))).toBe(false);
    expect(isSilent(stopped, at(1, 13, 0))).toBe(true);
  });

  test("is not silent at night, nor at the weekend, nor on Monday before work begins and for an hour after", () => {
    const sinceFriday = habit(at(4, 17, 50), office(40));
    for (let ms = at(4, 18); ms <= at(7, 10); ms += HOUR_MS) expect(isSilent(sinceFriday, ms), String(ms)).toBe(false);
    expect(isSilent(sinceFriday, at(7, 11))).toBe(true);
  });

  test("whose clocks were changed, or whose people begin an hour late, is not told of", () => {
    const sinceYesterday = habit(at(1, 17, 59), office(1_000));
    // By its habit it begins at 9; today at 10, and the first event comes in that hour.
    expect(isSilent(sinceYesterday, at(2, 10, 5))).toBe(false);
  });

  test("is given one odd week of four, a holiday last year's Tuesday, and none of fewer", () => {
    const withHoliday = (weeksAgo: readonly number[]) => (ms: number) =>
      weeksAgo.some((week) => Math.floor((ms - MONDAY) / DAY_MS) === 1 - 7 * week) ? 0 : office(40)(ms);
    expect(isSilent(habit(at(1, 9, 30), withHoliday([2])), at(1, 14))).toBe(true);
    expect(isSilent(habit(at(1, 9, 30), withHoliday([1, 2])), at(1, 14))).toBe(false);
    const young = { firstEventMs: MONDAY - 3 * WEEK_MS };
    expect(isSilent(habit(at(1, 9, 30), office(40), young), at(1, 14))).toBe(true);
    expect(isSilent(habit(at(1, 9, 30), withHoliday([2]), young), at(1, 14))).toBe(false);
  });

  test("that is younger than two weeks has no habit yet", () => {
    expect(isSilent(habit(at(1, 9, 30), office(400), { firstEventMs: MONDAY - WEEK_MS }), at(1, 16))).toBe(false);
    expect(usualPerHour(habit(at(1, 9), office(400), { firstEventMs: MONDAY - WEEK_MS }), at(1, 10))).toBeNull();
    expect(usualPerHour(habit(at(1, 9), office(40)), at(1, 10))).toBe(40);
  });

  test("is not held to account for the time in which no node listened", () => {
    const wasDown = habit(at(1, 9, 30), office(40), { watchingSinceMs: at(1, 13, 40) });
    expect(isSilent(wasDown, at(1, 15, 59))).toBe(false);
    expect(isSilent(wasDown, at(1, 16, 0))).toBe(true);
  });

  test("that sends little is told later, or never", () => {
    const slow = habit(at(1, 9, 30), office(3)); // 20 come in 7 hours
    expect(isSilent(slow, at(1, 17, 59))).toBe(false);
    expect(isSilent(slow, at(2, 11))).toBe(true);
    const rare = habit(at(1, 9, 30), (ms) => (office(1)(ms) === 1 && hourOf(ms) === at(1, 9) ? 19 : 0));
    for (let ms = at(1, 10); ms < at(15, 0); ms += HOUR_MS) expect(isSilent(rare, ms)).toBe(false);
  });
});

test("whatever the habit: told only when every week that is known but one of four had the floor, never while events come", () => {
  const weekly = fc.array(fc.integer({ min: 0, max: 60 }), { minLength: 168, maxLength: 168 });
  fc.assert(
    fc.property(
      weekly,
      fc.integer({ min: 0, max: 200 }),
      fc.integer({ min: 0, max: 200 }),
      (week, startHour, hours) => {
        const countOf = (ms: number): number => week[Math.floor((ms - AGES_AGO) / HOUR_MS) % 168] ?? 0;
        const lastEventMs = at(0, startHour, 30);
        const nowMs = lastEventMs + hours * HOUR_MS;
        let missed = 0;
        for (let ms = hourOf(lastEventMs) + HOUR_MS; ms < hourOf(nowMs) - HOUR_MS; ms += HOUR_MS) {
          missed += countOf(ms - WEEK_MS);
        }
        const silent = isSilent({ firstEventMs: AGES_AGO, watchingSinceMs: 0, lastEventMs, countOf }, nowMs);
        // Of 170 hours 168 are judged: not the first, which had an event, nor the last.
        expect(silent).toBe(missed >= FLOOR && hours <= 170);
        // An event that came within the hour ends all suspicion.
        expect(isSilent({ firstEventMs: AGES_AGO, watchingSinceMs: 0, lastEventMs: nowMs - 1, countOf }, nowMs)).toBe(
          false,
        );
      },
    ),
  );
});
