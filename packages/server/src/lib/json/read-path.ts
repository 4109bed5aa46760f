// Reads single members by path out of JSON that the scanner has accepted, straight from the bytes.
// Never validates: strings are skipped to their closing quote and containers by counting brackets, nothing else.
import { unescapedString } from "./unescaped-string.ts";

// Constants of this file's own, for the reason told in capture/scan/skip-value.ts.
const SPACE = 0x20;
const QUOTE = 0x22;
const COMMA = 0x2c;
const MINUS = 0x2d;
const BACKSLASH = 0x5c;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;

/** 1 for a quote and for the four brackets, which are all that matters when a container is skipped. */
const STRUCTURE = new Uint8Array(256);
for (const byte of [QUOTE, OPEN_BRACE, OPEN_BRACKET, CLOSE_BRACE, CLOSE_BRACKET]) STRUCTURE[byte] = 1;

/** 1 for the two bytes at which the skipping of a string has to stop and look. */
const STRING_STOP = new Uint8Array(256);
for (const byte of [QUOTE, BACKSLASH]) STRING_STOP[byte] = 1;

/** Byte range of a value, end exclusive, no whitespace around. */
export interface ValueRange {
  readonly start: number;
  readonly end: number;
}

interface FoundValue {
  /** -1 for nothing. */
  start: number;
  end: number;
}

/**
 * Finds the member that `path` leads to from the value in `bytes[start, end)`, or null. Steps name own members of
 * objects (never elements of arrays); of members with one name the last counts, as in `JSON.parse`; names are compared
 * after unescaping. The empty path is the value itself.
 */
export function readPath(bytes: Buffer, start: number, end: number, path: readonly string[]): ValueRange | null {
  const valueStart = skipBlank(bytes, start);
  if (valueStart >= end) return null;
  const found: FoundValue = { start: -1, end: -1 };
  walk(bytes, valueStart, path, 0, found);
  return found.start === -1 ? null : found;
}

/** The string at `path` decoded, or the number at `path` as its source text; null for anything else or nothing. */
export function readPathText(bytes: Buffer, start: number, end: number, path: readonly string[]): string | null {
  const range = readPath(bytes, start, end, path);
  if (range === null) return null;
  const first = bytes[range.start] as number;
  if (first === QUOTE) return unescapedString(bytes, range.start, range.end);
  return (first >= 0x30 && first <= 0x39) || first === MINUS ? bytes.toString("latin1", range.start, range.end) : null;
}

/**
 * Walks the value at `start` to its end, which it returns, and notes where the rest of the path leads. One walk over
 * each byte: finding a member first and then going into it skipped its value twice (2.9 to 1.6 µs for a
 * payload of 627 bytes and a path of two steps).
 */
function walk(bytes: Buffer, start: number, path: readonly string[], step: number, found: FoundValue): number {
  const name = path[step];
  if (name === undefined) {
    found.start = start;
    found.end = endOfValue(bytes, start);
    return found.end;
  }
  if (bytes[start] !== OPEN_BRACE) return endOfValue(bytes, start);
  let position = skipBlank(bytes, start + 1);
  while (bytes[position] === QUOTE) {
    const nameEnd = endOfString(bytes, position);
    const colonAt = skipBlank(bytes, nameEnd);
    const valueStart = skipBlank(bytes, colonAt + 1);
    let valueEnd: number;
    if (isNamed(bytes, position, nameEnd, name)) {
      // Whatever an earlier member of this name led to, this one takes its place.
      found.start = -1;
      valueEnd = walk(bytes, valueStart, path, step + 1, found);
    } else {
      valueEnd = endOfValue(bytes, valueStart);
    }
    const commaAt = skipBlank(bytes, valueEnd);
    position = bytes[commaAt] === COMMA ? skipBlank(bytes, commaAt + 1) : commaAt;
  }
  return position + 1;
}

/** Whether the string token in `bytes[start, end)` says `name`. */
export function isNamed(bytes: Buffer, start: number, end: number, name: string): boolean {
  for (let offset = 0; offset < name.length; offset++) {
    const byte = bytes[start + 1 + offset] as number;
    const code = name.charCodeAt(offset);
    // From the first escape, or the first character outside ASCII, on: only the decoded text can tell.
    if (byte === BACKSLASH || code > 0x7f) return unescapedString(bytes, start, end) === name;
    if (byte !== code) return false;
  }
  return end - start === name.length + 2;
}

/** Where the value that begins at `start` ends. */
export function endOfValue(bytes: Buffer, start: number): number {
  const first = bytes[start];
  if (first === QUOTE) return endOfString(bytes, start);
  if (first === OPEN_BRACE || first === OPEN_BRACKET) return endOfContainer(bytes, start);
  let position = start + 1;
  while (isScalarByte(bytes[position])) position++;
  return position;
}

// Both loops end at the buffer's end whatever they are given: a caller's mistake must show as a wrong answer, not hang.

/** Where the string whose quote stands at `quoteAt` ends, behind its closing quote. */
export function endOfString(bytes: Buffer, quoteAt: number): number {
  let position = quoteAt + 1;
  while (position < bytes.length) {
    while (STRING_STOP[bytes[position] as number] === 0) position++;
    if (bytes[position] === QUOTE) return position + 1;
    position += 2; // An escape: whatever follows the backslash does not end the string.
  }
  return position;
}

/** In accepted JSON brackets match, so that counting them outside strings is enough. */
function endOfContainer(bytes: Buffer, start: number): number {
  let openCount = 1;
  let position = start + 1;
  while (openCount > 0 && position < bytes.length) {
    while (STRUCTURE[bytes[position] as number] === 0) position++;
    const byte = bytes[position] as number;
    if (byte === QUOTE) {
      position = endOfString(bytes, position);
    } else {
      openCount += byte === OPEN_BRACE || byte === OPEN_BRACKET ? 1 : -1;
      position++;
    }
  }
  return position;
}

function isScalarByte(byte: number | undefined): boolean {
  return byte !== undefined && byte > SPACE && byte !== COMMA && byte !== CLOSE_BRACE && byte !== CLOSE_BRACKET;
}

/** The first byte from `start` on that is not blank. */
export function skipBlank(bytes: Buffer, start: number): number {
  let position = start;
  while ((bytes[position] as number) <= SPACE) position++;
  return position;
}
