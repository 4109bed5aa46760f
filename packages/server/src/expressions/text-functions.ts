// Functions on texts that expressions can call; those that CEL's strings extension has, with its meaning. Positions count
// code points. A text or a position that a function is not made for yields ABSENT; every cost is paid for beforehand.
import { createHash } from "node:crypto";
import { IN_URL, percentEncoded } from "../lib/percent-encoding.ts";
import { ExpressionFault } from "./errors.ts";
import { JsonText, plainText } from "./json-text.ts";
import { ALLOCATION_UNITS, type Evaluation, MAX_BUILT_TEXT } from "./limits.ts";
import { isNumber, spendValue } from "./operators.ts";
import { ABSENT, isList, type Value } from "./values.ts";

/** Beyond these a search of the engine may be quadratic (texts.ts). */
const SHORT_PART = 12;
const PAIRS_PER_UNIT = 128;
/** Longest side of what is padded. */
const MAX_PADDED = 1_000;
const SURROGATE = /[\ud800-\udfff]/;

function spendSearch(text: string, part: string, run: Evaluation): void {
  run.spendText(text.length);
  if (part.length > SHORT_PART) run.spend(Math.floor((text.length * part.length) / PAIRS_PER_UNIT));
}

function checkedLength(length: number, run: Evaluation): void {
  if (length > MAX_BUILT_TEXT) {
    throw new ExpressionFault(
      "TEXT_TOO_LONG",
      `The expression builds a text of more than ${MAX_BUILT_TEXT} characters.`,
    );
  }
  run.spendText(length);
}

/** The code points of a text; a plain one is not taken apart. */
function pointsOf(text: string, run: Evaluation): string | readonly string[] {
  run.spendCharacters(text.length);
  if (!SURROGATE.test(text)) return text;
  run.spend(text.length);
  return Array.from(text);
}

function sliced(points: string | readonly string[], start: number, end: number): string {
  return typeof points === "string" ? points.slice(start, end) : points.slice(start, end).join("");
}

function wholeOf(value: Value | undefined): number | null {
  return typeof value === "number" && Number.isSafeInteger(value) ? value : null;
}

export function trim(value: Value, run: Evaluation): Value {
  if (typeof value !== "string") return ABSENT;
  run.spendText(value.length);
  return value.trim();
}

export function lower(value: Value, run: Evaluation): Value {
  if (typeof value !== "string") return ABSENT;
  run.spendCharacters(value.length);
  return value.toLowerCase();
}

export function upper(value: Value, run: Evaluation): Value {
  if (typeof value !== "string") return ABSENT;
  run.spendCharacters(value.length);
  return value.toUpperCase();
}

/** Every occurrence; an empty part has none. */
export function replace([text, part, by]: readonly Value[], run: Evaluation): Value {
  if (typeof text !== "string" || typeof part !== "string" || typeof by !== "string" || part === "") return ABSENT;
  spendSearch(text, part, run);
  const pieces = text.split(part);
  run.spend(pieces.length);
  checkedLength(text.length + (pieces.length - 1) * (by.length - part.length), run);
  return pieces.join(by);
}

export function split(text: Value, separator: Value, run: Evaluation): Value {
  if (typeof text !== "string" || typeof separator !== "string" || separator === "") return ABSENT;
  spendSearch(text, separator, run);
  const pieces = text.split(separator);
  run.spend(pieces.length + ALLOCATION_UNITS);
  return pieces;
}

/** Texts, numbers and truth values of a list in one text. */
export function join([list, separator = ""]: readonly Value[], run: Evaluation): Value {
  if (list === undefined || !isList(list) || typeof separator !== "string") return ABSENT;
  run.spend(list.length);
  const pieces: string[] = [];
  let length = 0;
  for (const element of list) {
    if (typeof element !== "string" && typeof element !== "boolean" && !isNumber(element)) return ABSENT;
    const piece = plainText(element);
    length += piece.length + separator.length;
    if (length > MAX_BUILT_TEXT) checkedLength(length, run);
    pieces.push(piece);
  }
  run.spendText(length);
  return pieces.join(separator);
}

/** From a position to another, which is not included; beyond the text there is nothing, as in CEL. */
export function substring([text, from, to]: readonly Value[], run: Evaluation): Value {
  const start = wholeOf(from);
  if (typeof text !== "string" || start === null) return ABSENT;
  const points = pointsOf(text, run);
  const end = to === undefined ? points.length : wholeOf(to);
  if (end === null || start < 0 || end > points.length || start > end) return ABSENT;
  return sliced(points, start, end);
}

export function charAt(text: Value, position: Value, run: Evaluation): Value {
  const at = wholeOf(position);
  if (typeof text !== "string" || at === null) return ABSENT;
  const points = pointsOf(text, run);
  return at < 0 || at > points.length ? ABSENT : (points[at] ?? "");
}

/** At most so many code points of the beginning. */
export function truncate(text: Value, most: Value, run: Evaluation): Value {
  const length = wholeOf(most);
  if (typeof text !== "string" || length === null || length < 0) return ABSENT;
  if (text.length <= length) return text;
  return sliced(pointsOf(text, run), 0, length);
}

function positionOf(text: Value, part: Value, run: Evaluation, find: (text: string, part: string) => number): Value {
  if (typeof text !== "string" || typeof part !== "string") return ABSENT;
  spendSearch(text, part, run);
  const unit = find(text, part);
  if (unit <= 0) return unit;
  return pointsOf(text.slice(0, unit), run).length;
}

export function indexOf(text: Value, part: Value, run: Evaluation): Value {
  return positionOf(text, part, run, (whole, searched) => whole.indexOf(searched));
}

export function lastIndexOf(text: Value, part: Value, run: Evaluation): Value {
  return positionOf(text, part, run, (whole, searched) => whole.lastIndexOf(searched));
}

function pad([value, most, fill = " "]: readonly Value[], run: Evaluation, isStart: boolean): Value {
  const length = wholeOf(most);
  if (value === undefined || (typeof value !== "string" && !isNumber(value))) return ABSENT;
  if (length === null || length > MAX_PADDED || typeof fill !== "string" || fill.length !== 1) return ABSENT;
  const text = plainText(value);
  const missing = length - pointsOf(text, run).length;
  if (missing <= 0) return text;
  checkedLength(text.length + missing, run);
  return isStart ? fill.repeat(missing) + text : text + fill.repeat(missing);
}

export function padStart(values: readonly Value[], run: Evaluation): Value {
  return pad(values, run, true);
}

export function padEnd(values: readonly Value[], run: Evaluation): Value {
  return pad(values, run, false);
}

export function urlEncode(value: Value, run: Evaluation): Value {
  if (typeof value !== "string" && typeof value !== "boolean" && !isNumber(value)) return ABSENT;
  const text = plainText(value);
  checkedLength(text.length * 3, run);
  run.spendCharacters(text.length);
  return percentEncoded(text, IN_URL);
}

/** Any value as JSON, for a receiver that wants JSON inside a text. */
export function json(value: Value, run: Evaluation): Value {
  if (value === ABSENT) return ABSENT;
  spendValue(value, run);
  const written = new JsonText(MAX_BUILT_TEXT);
  written.write(value);
  run.spend(written.text.length);
  return written.text;
}

export function base64(value: Value, run: Evaluation): Value {
  if (typeof value !== "string") return ABSENT;
  checkedLength(value.length * 4, run);
  return Buffer.from(value, "utf8").toString("base64");
}

function digest(algorithm: "sha256" | "sha512" | "md5") {
  return (value: Value, run: Evaluation): Value => {
    if (typeof value !== "string") return ABSENT;
    run.spend(HASH_UNITS);
    run.spendCharacters(value.length);
    return createHash(algorithm).update(value, "utf8").digest("hex");
  };
}

/** Setting one up, whatever it hashes: some microseconds. */
const HASH_UNITS = 100;

/** In hexadecimal, of the UTF-8 bytes. `md5` is no protection: receivers exist that name things by it. */
export const sha256 = digest("sha256");
export const sha512 = digest("sha512");
export const md5 = digest("md5");
