// Functions on numbers and money. Rounding is decimal, half away from zero as on an invoice, and never goes by way of a
// double: 1.005 to two places is 1.01. Amounts that are texts (`"2567.50"`) are taken as numbers.
import { type Evaluation, ALLOCATION_UNITS } from "./limits.ts";
import { compareNumbers, ExactNumber, numberFromText, toDouble } from "./numbers.ts";
import { isNumber } from "./operators.ts";
import { ABSENT, isList, type Value } from "./values.ts";

const MAX_PLACES = 20;
/** Digits before the point and characters of a text: more is no amount. */
const MAX_DIGITS = 60;
const MAX_LENGTH = 100;
const DECIMAL = /^([+-]?)(\d*)(?:\.(\d*))?(?:[eE]([+-]?\d{1,4}))?$/;
/** Some microseconds. */
const DECIMAL_UNITS = 40;

/** A decimal cut to some places: `digits` without a point, of which the last `places` stand behind it. */
interface Rounded {
  readonly isNegative: boolean;
  readonly digits: string;
  readonly places: number;
}

function decimalText(value: Value | undefined): string | null {
  if (typeof value === "number") return Number.isFinite(value) ? String(value) : null;
  if (value instanceof ExactNumber) return value.text;
  return typeof value === "string" ? value.trim() : null;
}

function rounded(value: Value | undefined, places: number, run: Evaluation): Rounded | null {
  const text = decimalText(value);
  if (text === null || text.length > MAX_LENGTH) return null;
  run.spend(DECIMAL_UNITS);
  const match = DECIMAL.exec(text);
  if (match === null) return null;
  const [, sign, whole = "", fraction = "", power = "0"] = match;
  const all = whole + fraction;
  if (all === "") return null;
  const cut = whole.length + Number(power) + places;
  if (cut > MAX_DIGITS + places) return null;
  const kept = cut <= 0 ? "0" : all.slice(0, cut).padEnd(cut, "0");
  const next = cut < 0 ? "0" : (all[cut] ?? "0");
  const magnitude = BigInt(kept) + (next >= "5" ? 1n : 0n);
  const digits = magnitude.toString().padStart(places + 1, "0");
  return { isNegative: sign === "-" && magnitude !== 0n, digits, places };
}

function written({ isNegative, digits, places }: Rounded, thousands: string, point: string): string {
  const whole = digits.slice(0, digits.length - places);
  const grouped = thousands === "" ? whole : whole.replace(/\B(?=(?:\d{3})+$)/g, thousands);
  const fraction = places === 0 ? "" : point + digits.slice(-places);
  return `${isNegative ? "-" : ""}${grouped}${fraction}`;
}

function placesOf(value: Value | undefined): number | null {
  return typeof value === "number" && Number.isInteger(value) && value >= 0 && value <= MAX_PLACES ? value : null;
}

/** A number again, with no more places than asked for. */
export function round([value, given = 0]: readonly Value[], run: Evaluation): Value {
  const places = placesOf(given);
  const result = places === null ? null : rounded(value, places, run);
  if (result === null) return ABSENT;
  const text = written(result, "", ".");
  return numberFromText(text.includes(".") ? text.replace(/\.?0+$/, "") : text);
}

/** A text with exactly so many places: `"2567.50"`. */
export function fixed(value: Value, given: Value, run: Evaluation): Value {
  const places = placesOf(given);
  const result = places === null ? null : rounded(value, places, run);
  return result === null ? ABSENT : written(result, "", ".");
}

/** A text for people: `"2,567.50"`, or with other marks `"2.567,50"`. */
export function formatNumber([value, given, thousands = ",", point = "."]: readonly Value[], run: Evaluation): Value {
  const places = placesOf(given);
  if (places === null || !isMark(thousands) || !isMark(point)) return ABSENT;
  const result = rounded(value, places, run);
  return result === null ? ABSENT : written(result, thousands, point);
}

function isMark(value: Value): value is string {
  return typeof value === "string" && value.length <= 3;
}

/** `"MYR 2,567.50"`: the currency's code, and as many places as it has. */
export function money(value: Value, currency: Value, run: Evaluation): Value {
  const places = placesOfCurrency(currency, run);
  const result = places === null ? null : rounded(value, places, run);
  return result === null || typeof currency !== "string" ? ABSENT : `${currency} ${written(result, ",", ".")}`;
}

/** A whole number of the currency's smallest unit: sen, cents. Payment providers want amounts so. */
export function minorUnits(value: Value, currency: Value, run: Evaluation): Value {
  const places = typeof currency === "string" ? placesOfCurrency(currency, run) : placesOf(currency);
  const result = places === null ? null : rounded(value, places, run);
  return result === null ? ABSENT : numberFromText(written({ ...result, places: 0 }, "", ""));
}

const CURRENCY = /^[A-Z]{3}$/;
/** Three letters have 17,576 forms: what a payload can make us keep is bounded. */
const currencyPlaces = new Map<string, number>();
const CURRENCY_UNITS = 2_000;

function placesOfCurrency(currency: Value, run: Evaluation): number | null {
  if (typeof currency !== "string" || !CURRENCY.test(currency)) return null;
  const known = currencyPlaces.get(currency);
  if (known !== undefined) return known;
  run.spend(CURRENCY_UNITS);
  const format = new Intl.NumberFormat("en", { style: "currency", currency });
  const places = format.resolvedOptions().maximumFractionDigits ?? 2;
  currencyPlaces.set(currency, places);
  return places;
}

export function floor(value: Value): Value {
  return isNumber(value) ? towards(value, Math.floor) : ABSENT;
}

export function ceil(value: Value): Value {
  return isNumber(value) ? towards(value, Math.ceil) : ABSENT;
}

export function abs(value: Value): Value {
  if (!isNumber(value)) return ABSENT;
  if (typeof value === "number") return Math.abs(value);
  return value.value < 0 ? value.negated() : value;
}

/** A whole number keeps all its digits. */
function towards(value: number | ExactNumber, apply: (double: number) => number): Value {
  if (value instanceof ExactNumber && /^-?\d+$/.test(value.text)) return value;
  const result = apply(toDouble(value));
  return Number.isFinite(result) ? result : ABSENT;
}

/**
 * Of the numbers of a list, added as decimals: 0.1 and 0.2 are 0.3. An element that is no number makes it absent; of
 * nothing it is 0.
 */
export function sum(list: Value, run: Evaluation): Value {
  if (!isList(list)) return ABSENT;
  let total = 0n;
  for (const element of list) {
    if (!isNumber(element)) return ABSENT;
    const part = rounded(element, MAX_PLACES, run);
    if (part === null) return ABSENT;
    total += BigInt(part.digits) * (part.isNegative ? -1n : 1n);
  }
  const isNegative = total < 0n;
  const digits = (isNegative ? -total : total).toString().padStart(MAX_PLACES + 1, "0");
  return numberFromText(written({ isNegative, digits, places: MAX_PLACES }, "", ".").replace(/\.?0+$/, ""));
}

export function min(list: Value, run: Evaluation): Value {
  return extreme(list, run, -1);
}

export function max(list: Value, run: Evaluation): Value {
  return extreme(list, run, 1);
}

function extreme(list: Value, run: Evaluation, sign: number): Value {
  if (!isList(list)) return ABSENT;
  run.spend(list.length + ALLOCATION_UNITS);
  let best: number | ExactNumber | undefined;
  for (const element of list) {
    if (!isNumber(element)) return ABSENT;
    if (element instanceof ExactNumber) run.spendCharacters(element.text.length * 2);
    if (best === undefined || compareNumbers(element, best) * sign > 0) best = element;
  }
  return best ?? ABSENT;
}
