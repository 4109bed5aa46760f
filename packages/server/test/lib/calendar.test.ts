// Against a clock that knows nothing of the shortcuts: minute by minute, asked of Intl directly.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Calendar, type CalendarSetting, isEverOpen, isTimeZone, WEEKDAYS } from "../../src/lib/calendar.ts";

const MINUTE_MS = 60_000;
const HOUR_MS = 3_600_000;
/** Summer time in both halves of the world, half hours, a change by half an hour, none at all. */
const ZONES = [
  "Asia/Kuala_Lumpur",
  "Europe/Berlin",
  "America/St_Johns",
  "Australia/Lord_Howe",
  "Asia/Kathmandu",
  "UTC",
];
/** Days around changes of clocks in 2026, and some others. */
const AROUND = [
  "2026-03-08T06:00:00Z",
  "2026-03-29T00:30:00Z",
  "2026-04-04T14:40:00Z",
  "2026-10-03T15:00:00Z",
  "2026-10-25T00:30:00Z",
  "2026-11-01T04:00:00Z",
  "2026-12-31T20:00:00Z",
].map((text) => Date.parse(text));

const clockText = fc
  .integer({ min: 0, max: 1_439 })
  .map((minute) => `${String(Math.floor(minute / 60)).padStart(2, "0")}:${String(minute % 60).padStart(2, "0")}`);
const weekly = fc
  .record({
    days: fc.option(fc.uniqueArray(fc.constantFrom(...WEEKDAYS), { minLength: 1 }), { nil: undefined }),
    from: clockText,
    to: clockText,
  })
  .filter(({ from, to }) => from !== to);
const oneOff = fc
  .tuple(fc.constantFrom(...AROUND), fc.integer({ min: -48, max: 48 }), fc.integer({ min: 1, max: 30 }))
  .map(([at, hours, length]) => ({
    from: new Date(at + hours * HOUR_MS).toISOString(),
    to: new Date(at + (hours + length) * HOUR_MS).toISOString(),
  }));
const setting: fc.Arbitrary<CalendarSetting> = fc
  .record({
    timeZone: fc.constantFrom(...ZONES),
    businessHours: fc.option(fc.array(weekly, { minLength: 1, maxLength: 3 }), { nil: undefined }),
    maintenanceWindows: fc.option(fc.array(fc.oneof(weekly, oneOff), { minLength: 1, maxLength: 3 }), {
      nil: undefined,
    }),
  })
  .filter(isEverOpen);
const moment = fc
  .tuple(fc.constantFrom(...AROUND), fc.integer({ min: -36 * HOUR_MS, max: 36 * HOUR_MS }))
  .map(([at, shift]) => at + shift);

describe("a calendar", () => {
  test("opens at a moment that is open and never later than the first minute that is (clock changes included)", () => {
    fc.assert(
      fc.property(setting, moment, (calendarSetting, ms) => {
        const calendar = new Calendar(calendarSetting);
        const openMs = calendar.openAt(ms);
        expect(openMs).toBeGreaterThanOrEqual(ms);
        expect(isOpenByHand(calendarSetting, openMs)).toBe(true);
        expect(calendar.openAt(openMs)).toBe(openMs);
        // Every minute in between is closed; half a day of them is looked at.
        const lastMs = Math.min(openMs, ms + 12 * HOUR_MS);
        for (let at = ms; at < lastMs; at = Math.floor(at / MINUTE_MS) * MINUTE_MS + MINUTE_MS) {
          if (isOpenByHand(calendarSetting, at)) throw new Error(`open at ${new Date(at).toISOString()} already`);
        }
      }),
      { numRuns: 60 },
    );
  });

  test("is monotone: a later moment never opens earlier", () => {
    fc.assert(
      fc.property(setting, moment, fc.nat({ max: 48 * HOUR_MS }), (calendarSetting, ms, later) => {
        const calendar = new Calendar(calendarSetting);
        expect(calendar.openAt(ms + later)).toBeGreaterThanOrEqual(calendar.openAt(ms));
      }),
    );
  });

  test("opens when the clocks jump over its beginning, and once when they are set back over it", () => {
    const spring = new Calendar({ timeZone: "Europe/Berlin", businessHours: [{ from: "02:30", to: "18:00" }] });
    expect(iso(spring.openAt(Date.parse("2026-03-29T00:10:00Z")))).toBe("2026-03-29T01:00:00.000Z");
    const autumn = new Calendar({ timeZone: "Europe/Berlin", businessHours: [{ from: "02:00", to: "02:30" }] });
    // 02:00 to 02:30 comes twice that night: both are business hours.
    expect(iso(autumn.openAt(Date.parse("2026-10-25T00:40:00Z")))).toBe("2026-10-25T01:00:00.000Z");
  });

  test("reads business hours on the receiver's clock, over midnight and over the weekend", () => {
    const office = new Calendar({
      timeZone: "Asia/Kuala_Lumpur",
      businessHours: [{ days: ["mon", "tue", "wed", "thu", "fri"], from: "09:00", to: "18:00" }],
    });
    expect(iso(office.openAt(Date.parse("2026-11-27T10:30:00Z")))).toBe("2026-11-30T01:00:00.000Z");
    const night = new Calendar({
      timeZone: "UTC",
      maintenanceWindows: [{ days: ["sat"], from: "22:00", to: "03:00" }],
    });
    expect(iso(night.openAt(Date.parse("2026-11-28T23:00:00Z")))).toBe("2026-11-29T03:00:00.000Z");
    expect(night.isOpen(Date.parse("2026-11-30T23:00:00Z"))).toBe(true);
  });

  test("that is open for one minute a week is found, and one that is never open is known as such", () => {
    const rare = { timeZone: "UTC", businessHours: [{ days: ["tue"], from: "11:59", to: "12:00" }] } as const;
    expect(iso(new Calendar(rare).openAt(Date.parse("2026-12-01T12:00:00Z")))).toBe("2026-12-08T11:59:00.000Z");
    const covered = { from: "00:00", to: "24:00" } as const;
    expect(isEverOpen({ timeZone: "UTC", maintenanceWindows: [covered] })).toBe(false);
    expect(isEverOpen(rare)).toBe(true);
  });

  test("takes zones by their names only", () => {
    expect(["Asia/Kuala_Lumpur", "UTC", "Mars/Olympus", "+08:00", ""].map(isTimeZone)).toEqual([
      true,
      true,
      false,
      false,
      false,
    ]);
  });
});

const iso = (ms: number): string => new Date(ms).toISOString();

const formats = new Map<string, Intl.DateTimeFormat>();
function formatOf(timeZone: string): Intl.DateTimeFormat {
  const options = { timeZone, weekday: "short", hour: "2-digit", minute: "2-digit" } as const;
  const format = formats.get(timeZone) ?? new Intl.DateTimeFormat("en-GB", options);
  formats.set(timeZone, format);
  return format;
}

function isOpenByHand({ timeZone, businessHours, maintenanceWindows }: CalendarSetting, ms: number): boolean {
  const part = Object.fromEntries(
    formatOf(timeZone)
      .formatToParts(ms)
      .map(({ type, value }) => [type, value]),
  );
  const clock = `${part["hour"]}:${part["minute"]}`;
  const today = WEEKDAYS.indexOf((part["weekday"] as string).toLowerCase() as (typeof WEEKDAYS)[number]);
  const isIn = ({ days = WEEKDAYS, from, to }: { days?: readonly string[] | undefined; from: string; to: string }) => {
    const has = (day: number): boolean => days.includes(WEEKDAYS[(day + 7) % 7] as string);
    if (from < to) return has(today) && clock >= from && clock < to;
    return (has(today) && clock >= from) || (has(today - 1) && clock < to);
  };
  const isClosed = (maintenanceWindows ?? []).some((window) =>
    window.from.includes("T") ? ms >= Date.parse(window.from) && ms < Date.parse(window.to) : isIn(window),
  );
  return !isClosed && (businessHours === undefined || businessHours.some(isIn));
}
