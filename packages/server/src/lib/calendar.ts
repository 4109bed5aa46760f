// When a receiver may be called: business hours and maintenance windows on the clock of a time zone. Pure: the same
// calendar and moment give the same answer everywhere, so that times can be shown ahead and kept.
// Zones come from Intl. Must be right on the days on which clocks are changed.

export const WEEKDAYS = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"] as const;
export type Weekday = (typeof WEEKDAYS)[number];

/** Every week on these days (all seven when left out), `from` inclusive, `to` exclusive; past midnight when `to` is not after `from`. */
export interface WeeklyWindow {
  readonly days?: readonly Weekday[] | undefined;
  /** `HH:MM` on the zone's clock; `to` may be 24:00. */
  readonly from: string;
  readonly to: string;
}

/** Once: two moments, ISO 8601. */
export interface OneOffWindow {
  readonly from: string;
  readonly to: string;
}

export interface CalendarSetting {
  /** An IANA name: Asia/Kuala_Lumpur. */
  readonly timeZone: string;
  /** Attempts start only inside of one of these; at any hour when left out. */
  readonly businessHours?: readonly WeeklyWindow[] | undefined;
  /** Attempts start outside of all of these. */
  readonly maintenanceWindows?: readonly (WeeklyWindow | OneOffWindow)[] | undefined;
}

const MINUTE_MS = 60_000;
const DAY_MINUTES = 1_440;
const WEEK_MINUTES = 7 * DAY_MINUTES;
const DAY_MS = DAY_MINUTES * MINUTE_MS;
/** 1970 began on a Thursday. */
const FIRST_WEEKDAY = 3;
export const CLOCK_PATTERN = /^(?:[01]\d|2[0-3]):[0-5]\d$|^24:00$/;

export class Calendar {
  readonly #offsetOf: (ms: number) => number;
  /** For each minute of the week whether it is open by the weekly rules; Monday 00:00 is 0. */
  readonly #week: Uint8Array;
  readonly #oneOffs: readonly { readonly fromMs: number; readonly toMs: number }[];

  constructor(setting: CalendarSetting) {
    this.#offsetOf = offsetsOf(setting.timeZone);
    this.#week = openMinutes(setting);
    this.#oneOffs = (setting.maintenanceWindows ?? [])
      .filter(isOneOff)
      .map(({ from, to }) => ({ fromMs: Date.parse(from), toMs: Date.parse(to) }));
  }

  /** Whether an attempt may start at this moment. */
  isOpen(ms: number): boolean {
    return (
      this.#week[this.#minuteOfWeek(ms)] === 1 && !this.#oneOffs.some(({ fromMs, toMs }) => ms >= fromMs && ms < toMs)
    );
  }

  /** The first moment from this one on at which an attempt may start: the moment itself when it is open. */
  openAt(ms: number): number {
    let atMs = ms;
    for (;;) {
      const oneOff = this.#oneOffs.find(({ fromMs, toMs }) => atMs >= fromMs && atMs < toMs);
      if (oneOff !== undefined) atMs = oneOff.toMs;
      else if (this.#week[this.#minuteOfWeek(atMs)] === 1) return atMs;
      else atMs = this.#nextOpenMinute(atMs);
    }
  }

  /** From a moment closed by the weekly rules: the next one that may be open by them, never past one. */
  #nextOpenMinute(ms: number): number {
    const minute = this.#minuteOfWeek(ms);
    let ahead = 1;
    // A day at a time: within one, no zone changes its clocks twice.
    while (ahead < DAY_MINUTES && this.#week[(minute + ahead) % WEEK_MINUTES] === 0) ahead += 1;
    const candidateMs = Math.floor(ms / MINUTE_MS) * MINUTE_MS + ahead * MINUTE_MS;
    const offset = this.#offsetOf(ms);
    return this.#offsetOf(candidateMs) === offset ? candidateMs : this.#changeOfClocks(ms, candidateMs, offset);
  }

  /** The first moment in `(fromMs, toMs]` with another offset. */
  #changeOfClocks(fromMs: number, toMs: number, offset: number): number {
    let low = fromMs;
    let high = toMs;
    while (high - low > 1) {
      const middle = Math.floor((low + high) / 2);
      if (this.#offsetOf(middle) === offset) low = middle;
      else high = middle;
    }
    return high;
  }

  #minuteOfWeek(ms: number): number {
    const localMs = ms + this.#offsetOf(ms);
    const day = Math.floor(localMs / DAY_MS);
    const minute = Math.floor((localMs - day * DAY_MS) / MINUTE_MS);
    return ((((day + FIRST_WEEKDAY) % 7) + 7) % 7) * DAY_MINUTES + minute;
  }
}

/** Whether a calendar is open at some minute of an ordinary week. */
export function isEverOpen(setting: CalendarSetting): boolean {
  return openMinutes(setting).includes(1);
}

export function isOneOff(window: WeeklyWindow | OneOffWindow): window is OneOffWindow {
  return !("days" in window && window.days !== undefined) && !CLOCK_PATTERN.test(window.from);
}

/** True for names that this program's Intl knows. */
export function isTimeZone(name: string): boolean {
  // Offsets such as +08:00 are taken by newer engines only, and have no summer time.
  if (!/^[A-Za-z]/.test(name)) return false;
  try {
    return Number.isFinite(offsetsOf(name)(0));
  } catch {
    return false;
  }
}

function openMinutes({ businessHours, maintenanceWindows }: CalendarSetting): Uint8Array {
  const week = new Uint8Array(WEEK_MINUTES).fill(businessHours === undefined ? 1 : 0);
  for (const window of businessHours ?? []) paint(week, window, 1);
  for (const window of maintenanceWindows ?? []) if (!isOneOff(window)) paint(week, window, 0);
  return week;
}

function paint(week: Uint8Array, { days, from, to }: WeeklyWindow, value: number): void {
  const start = minuteOf(from);
  const end = minuteOf(to);
  const length = end > start ? end - start : end - start + DAY_MINUTES;
  for (const day of days ?? WEEKDAYS) {
    const first = WEEKDAYS.indexOf(day) * DAY_MINUTES + start;
    for (let minute = 0; minute < length; minute += 1) week[(first + minute) % WEEK_MINUTES] = value;
  }
}

function minuteOf(clock: string): number {
  return Number(clock.slice(0, 2)) * 60 + Number(clock.slice(3));
}

const formats = new Map<string, Intl.DateTimeFormat>();

/** How far a zone's clock is ahead of UTC at a moment, in milliseconds. Kept: zones here come from webhooks. */
function offsetsOf(timeZone: string): (ms: number) => number {
  let format = formats.get(timeZone);
  if (format === undefined) {
    format = formatOf(timeZone);
    formats.set(timeZone, format);
  }
  return offsetsBy(format);
}

/** The same for a name from anywhere, which is kept by the caller or not at all. Null: there is no such zone. */
export function zoneOffsets(name: string): ((ms: number) => number) | null {
  if (!/^[A-Za-z]/.test(name)) return null;
  try {
    return offsetsBy(formatOf(name));
  } catch {
    return null;
  }
}

function formatOf(timeZone: string): Intl.DateTimeFormat {
  return new Intl.DateTimeFormat("en-US", {
    timeZone,
    calendar: "gregory",
    numberingSystem: "latn",
    hourCycle: "h23",
    year: "numeric",
    month: "numeric",
    day: "numeric",
    hour: "numeric",
    minute: "numeric",
    second: "numeric",
  });
}

function offsetsBy(known: Intl.DateTimeFormat): (ms: number) => number {
  return (ms) => {
    const part: Record<string, number> = {};
    for (const { type, value } of known.formatToParts(ms)) part[type] = Number(value);
    const { year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0 } = part;
    const wholeSecondMs = Math.floor(ms / 1_000) * 1_000;
    return Date.UTC(year, month - 1, day, hour, minute, second) - wholeSecondMs;
  };
}
