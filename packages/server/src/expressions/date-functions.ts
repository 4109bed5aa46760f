// Functions on times. A time is a text, as in payloads: ISO 8601, with an offset or in UTC; a date alone is that day
// everywhere. Zones are IANA names and come from Intl. Nothing here knows what time it is: the same event gives the same.
import { zoneOffsets } from "../lib/calendar.ts";
import type { Evaluation } from "./limits.ts";
import { ABSENT, type Value } from "./values.ts";

interface Time {
  readonly ms: number;
  /** No time of day, and so in no zone. */
  readonly isDate: boolean;
}

const TIME = /^(\d{4})-(\d{2})-(\d{2})(?:[Tt ](\d{2}):(\d{2})(?::(\d{2})(?:\.(\d{1,9}))?)?([Zz]|[+-]\d{2}:?\d{2})?)?$/;
/** Reading or writing a time: some microseconds. */
const TIME_UNITS = 50;
const OFFSET_UNITS = 100;
const NEW_ZONE_UNITS = 5_000;
const DAY_MS = 86_400_000;
/** What years of four digits can hold. */
const FIRST_MS = Date.UTC(0, 0, 1) - 1_900 * 365.25 * DAY_MS;
const LAST_MS = Date.UTC(9999, 11, 31, 23, 59, 59, 999);
const MAX_STEP = 1_000_000;

function timeOf(value: Value | undefined, run: Evaluation): Time | null {
  if (typeof value !== "string" || value.length > 40) return null;
  run.spend(TIME_UNITS);
  const match = TIME.exec(value);
  if (match === null) return null;
  const [, year, month, day, hour = "0", minute = "0", second = "0", fraction = "", offset = "Z"] = match;
  const [h, m, s] = [Number(hour), Number(minute), Number(second)];
  const date = new Date(0);
  date.setUTCFullYear(Number(year), Number(month) - 1, Number(day));
  // 30 February would be another day.
  if (date.getUTCMonth() !== Number(month) - 1 || date.getUTCDate() !== Number(day)) return null;
  if (h > 23 || m > 59 || s > 59) return null;
  const ms = date.getTime() + ((h * 60 + m) * 60 + s) * 1_000 + Number(fraction.padEnd(3, "0").slice(0, 3));
  const ahead = offsetMs(offset);
  return ahead === null ? null : { ms: ms - ahead, isDate: match[4] === undefined };
}

function offsetMs(text: string): number | null {
  if (/^z$/i.test(text)) return 0;
  const minutes = Number(text.slice(1, 3)) * 60 + Number(text.slice(-2));
  if (minutes > 18 * 60) return null;
  return (text.startsWith("-") ? -minutes : minutes) * 60_000;
}

type Offset = (ms: number) => number;
const zones = new Map<string, Offset | null>();
/** Names have as many spellings as letters: what a payload can make us keep is bounded. */
const MAX_ZONES = 256;
const UTC: Offset = () => 0;

function zoneOf(name: Value | undefined, run: Evaluation): Offset | null {
  if (name === undefined) return UTC;
  if (typeof name !== "string" || name.length > 64) return null;
  const known = zones.get(name);
  if (known !== undefined) return known;
  run.spend(NEW_ZONE_UNITS);
  const offset = zoneOffsets(name);
  if (zones.size >= MAX_ZONES) zones.delete(zones.keys().next().value as string);
  zones.set(name, offset);
  return offset;
}

/** @returns what is wrong with a zone that stands in an expression */
export function zoneProblem(name: Value | undefined): string | null {
  if (typeof name !== "string" || zoneOffsets(name) !== null) return null;
  return `There is no time zone “${name.slice(0, 64)}”; zones are called like Asia/Kuala_Lumpur.`;
}

function offsetAt(offset: Offset, ms: number, run: Evaluation): number {
  if (offset !== UTC) run.spend(OFFSET_UNITS);
  return offset(ms);
}

const MONTHS = "January February March April May June July August September October November December".split(" ");
const DAYS = "Sunday Monday Tuesday Wednesday Thursday Friday Saturday".split(" ");
const PATTERN_PART = /'([^']*)'|([A-Za-z])\2*|[^A-Za-z']+/y;
const MAX_PATTERN = 60;

type Write = (local: Date, offset: number) => string;
const two = (value: number): string => String(value).padStart(2, "0");
const LETTERS: Readonly<Record<string, Write>> = {
  yyyy: (local) => String(local.getUTCFullYear()).padStart(4, "0"),
  yy: (local) => two(local.getUTCFullYear() % 100),
  MMMM: (local) => MONTHS[local.getUTCMonth()] ?? "",
  MMM: (local) => (MONTHS[local.getUTCMonth()] ?? "").slice(0, 3),
  MM: (local) => two(local.getUTCMonth() + 1),
  M: (local) => String(local.getUTCMonth() + 1),
  dd: (local) => two(local.getUTCDate()),
  d: (local) => String(local.getUTCDate()),
  EEEE: (local) => DAYS[local.getUTCDay()] ?? "",
  EEE: (local) => (DAYS[local.getUTCDay()] ?? "").slice(0, 3),
  HH: (local) => two(local.getUTCHours()),
  H: (local) => String(local.getUTCHours()),
  hh: (local) => two(local.getUTCHours() % 12 || 12),
  h: (local) => String(local.getUTCHours() % 12 || 12),
  mm: (local) => two(local.getUTCMinutes()),
  m: (local) => String(local.getUTCMinutes()),
  ss: (local) => two(local.getUTCSeconds()),
  s: (local) => String(local.getUTCSeconds()),
  SSS: (local) => String(local.getUTCMilliseconds()).padStart(3, "0"),
  a: (local) => (local.getUTCHours() < 12 ? "AM" : "PM"),
  XXX: (_local, offset) => (offset === 0 ? "Z" : signed(offset, ":")),
  XX: (_local, offset) => (offset === 0 ? "Z" : signed(offset, "")),
};

function signed(offset: number, colon: string): string {
  const minutes = Math.abs(Math.round(offset / 60_000));
  return `${offset < 0 ? "-" : "+"}${two(Math.floor(minutes / 60))}${colon}${two(minutes % 60)}`;
}

/** The parts of a pattern, or what is wrong with it. */
function partsOf(pattern: string): readonly (string | Write)[] | string {
  if (pattern.length > MAX_PATTERN) return `A pattern has at most ${MAX_PATTERN} characters.`;
  const parts: (string | Write)[] = [];
  PATTERN_PART.lastIndex = 0;
  while (PATTERN_PART.lastIndex < pattern.length) {
    const match = PATTERN_PART.exec(pattern);
    if (match === null) return "A ' in a pattern begins a text that the next ' ends.";
    const [whole, quoted, letter] = match;
    if (letter === undefined) parts.push(quoted === undefined ? whole : quoted === "" ? "'" : quoted);
    else if (Object.hasOwn(LETTERS, whole)) parts.push(LETTERS[whole] as Write);
    else return `“${whole}” means nothing in a pattern; there are ${Object.keys(LETTERS).join(", ")}, and text in '…'.`;
  }
  return parts;
}

/** @returns what is wrong with a pattern that stands in an expression */
export function patternProblem(pattern: Value | undefined): string | null {
  const parts = typeof pattern === "string" ? partsOf(pattern) : [];
  return typeof parts === "string" ? parts : null;
}

/** `formatDate(invoice.dueDate, "dd/MM/yyyy")`, on the clock of a zone if there is one. */
export function formatDate([value, pattern, zone]: readonly Value[], run: Evaluation): Value {
  const time = timeOf(value, run);
  const offset = zoneOf(zone, run);
  if (time === null || offset === null || typeof pattern !== "string") return ABSENT;
  run.spend(pattern.length);
  const parts = partsOf(pattern);
  if (typeof parts === "string") return ABSENT;
  const ahead = time.isDate ? 0 : offsetAt(offset, time.ms, run);
  const local = new Date(time.ms + ahead);
  return parts.map((part) => (typeof part === "string" ? part : part(local, ahead))).join("");
}

/** The same moment on the clock of a zone: `2026-12-01T16:00:00.000+08:00`. */
export function inZone(value: Value, zone: Value, run: Evaluation): Value {
  return formatDate([value, "yyyy-MM-dd'T'HH:mm:ss.SSSXXX", zone], run);
}

function textOf(ms: number, isDate: boolean): Value {
  if (!(ms >= FIRST_MS && ms <= LAST_MS)) return ABSENT;
  const iso = new Date(ms).toISOString();
  return isDate ? iso.slice(0, 10) : iso;
}

function stepOf(value: Value | undefined): number | null {
  return typeof value === "number" && Number.isInteger(value) && Math.abs(value) <= MAX_STEP ? value : null;
}

/** So many days later at the same time of day, by the clock of a zone if there is one. */
export function addDays(values: readonly Value[], run: Evaluation): Value {
  return moved(values, run, (local, step) => local.setUTCDate(local.getUTCDate() + step));
}

/** So many months later; a day that the month does not have becomes its last. */
export function addMonths(values: readonly Value[], run: Evaluation): Value {
  return moved(values, run, (local, step) => {
    const day = local.getUTCDate();
    local.setUTCDate(1);
    local.setUTCMonth(local.getUTCMonth() + step);
    const last = new Date(Date.UTC(local.getUTCFullYear(), local.getUTCMonth() + 1, 0)).getUTCDate();
    local.setUTCDate(Math.min(day, last));
  });
}

function moved(
  [value, given, zone]: readonly Value[],
  run: Evaluation,
  move: (local: Date, step: number) => unknown,
): Value {
  const time = timeOf(value, run);
  const step = stepOf(given);
  const offset = zoneOf(zone, run);
  if (time === null || step === null || offset === null) return ABSENT;
  const ahead = time.isDate ? 0 : offsetAt(offset, time.ms, run);
  const local = new Date(time.ms + ahead);
  move(local, step);
  const ms = local.getTime();
  if (Number.isNaN(ms)) return ABSENT;
  return textOf(time.isDate ? ms : ms - offsetAt(offset, ms - ahead, run), time.isDate);
}

export function addSeconds(value: Value, given: Value, run: Evaluation): Value {
  const time = timeOf(value, run);
  if (time === null || typeof given !== "number" || !Number.isFinite(given)) return ABSENT;
  return textOf(time.ms + Math.round(given * 1_000), false);
}

/** From the first to the second; negative when that is earlier. */
export function secondsBetween(from: Value, to: Value, run: Evaluation): Value {
  const [first, second] = [timeOf(from, run), timeOf(to, run)];
  return first === null || second === null ? ABSENT : (second.ms - first.ms) / 1_000;
}

/** Whole days. */
export function daysBetween(from: Value, to: Value, run: Evaluation): Value {
  const [first, second] = [timeOf(from, run), timeOf(to, run)];
  return first === null || second === null ? ABSENT : Math.trunc((second.ms - first.ms) / DAY_MS) + 0;
}

export function unixSeconds(value: Value, run: Evaluation): Value {
  const time = timeOf(value, run);
  return time === null ? ABSENT : Math.floor(time.ms / 1_000);
}

export function unixMilliseconds(value: Value, run: Evaluation): Value {
  return timeOf(value, run)?.ms ?? ABSENT;
}

/** A time from seconds since 1970. */
export function fromUnixSeconds(value: Value, run: Evaluation): Value {
  run.spend(TIME_UNITS);
  return typeof value === "number" ? textOf(Math.round(value * 1_000), false) : ABSENT;
}
