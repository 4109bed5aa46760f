// Finds the items of a batch, `{ "events": [ … ] }` or NDJSON, as byte ranges, each to be scanned as an event later.
// Never judges an item: one that is no good refuses only itself, in `scanEvent`.
import { CARRIAGE_RETURN, CLOSE_BRACKET, COMMA, LINE_FEED, OPEN_BRACKET, SPACE, TAB } from "./ascii.ts";
import { emptyBody, refusalOf, refuseInvalidUtf8, type ScanRefusal, shapeRefusal } from "./refusals.ts";
import { type MemberRules, type SkipMember, scanMembers, skipMember } from "./scan-members.ts";
import { byteAt, REFUSED, refuseSyntax, ScanState } from "./scan-state.ts";
import { skipSpace, skipValue } from "./skip-value.ts";

/** Events that one request may bring. */
export const MAX_BATCH_EVENTS = 1000;

/** One item: byte range in the body, end exclusive, no whitespace around. */
export interface BatchItem {
  readonly start: number;
  readonly end: number;
}

/** The items of a batch in the order in which they were sent, at least 1 and at most `MAX_BATCH_EVENTS`. */
export interface ScannedBatch {
  readonly kind: "batch";
  readonly items: readonly BatchItem[];
}

const batchRules: MemberRules = {
  names: ["events"],
  firstBytes: [OPEN_BRACKET],
  expected: ["an array of events"],
  allAbsent: [-1],
  requiredCount: 1,
  object: 'a batch (a JSON object with the one member "events")',
};

/**
 * Scans a whole body as `{ "events": [ … ] }`. The body must be JSON throughout; its items may be anything, of any
 * depth (the depth of an item counts from the item, in `scanEvent`).
 *
 * Refusals: EMPTY_BODY, INVALID_UTF8, INVALID_JSON (400); NOT_AN_OBJECT, UNKNOWN_MEMBER, DUPLICATE_MEMBER, WRONG_TYPE,
 * MISSING_MEMBER, EMPTY_BATCH, TOO_MANY_EVENTS (422).
 */
export function scanBatch(body: Buffer): ScannedBatch | ScanRefusal {
  const invalid = refuseInvalidUtf8(body, 0, body.length);
  if (invalid !== null) return invalid;
  const state = new ScanState(body, body.length, Number.POSITIVE_INFINITY);
  const found = new FoundItems();
  const skipEvents: SkipMember = (at, start, index) =>
    index === 0 && byteAt(at, start) === OPEN_BRACKET ? skipItems(at, start, found) : skipMember(at, start, index);
  const members = scanMembers(state, 0, batchRules, skipEvents);
  return members.kind === "refused" ? members : batchOf(found, members.starts[0] as number);
}

/**
 * Splits a body of newline-delimited JSON (lines end with LF or CR LF; blank lines are ignored). A line that is not
 * JSON is an item like any other and refuses only itself, in `scanEvent`.
 *
 * Refusals: EMPTY_BODY (400); EMPTY_BATCH, TOO_MANY_EVENTS (422).
 */
export function scanNdjson(body: Buffer): ScannedBatch | ScanRefusal {
  if (body.length === 0) return emptyBody(0);
  const found = new FoundItems();
  let position = skipBlank(body, 0);
  while (position < body.length && found.count <= MAX_BATCH_EVENTS) {
    const lineFeedAt = body.indexOf(LINE_FEED, position);
    const lineEnd = lineFeedAt === -1 ? body.length : lineFeedAt;
    found.add(position, trimmedEnd(body, lineEnd));
    position = skipBlank(body, lineEnd);
  }
  return batchOf(found, 0);
}

/**
 * Scans a whole body as a list of CloudEvents (`application/cloudevents-batch+json`).
 *
 * Refusals: EMPTY_BODY, INVALID_UTF8, INVALID_JSON (400); WRONG_TYPE, EMPTY_BATCH, TOO_MANY_EVENTS (422).
 */
export function scanCloudEventBatch(body: Buffer): ScannedBatch | ScanRefusal {
  const invalid = refuseInvalidUtf8(body, 0, body.length);
  if (invalid !== null) return invalid;
  const state = new ScanState(body, body.length, Number.POSITIVE_INFINITY);
  const start = skipSpace(body, 0, body.length);
  if (start === body.length) return emptyBody(start);
  const found = new FoundItems();
  const isList = byteAt(state, start) === OPEN_BRACKET;
  const end = isList ? skipItems(state, start, found) : skipValue(state, start, 0);
  if (end === REFUSED) return refusalOf(state);
  const rest = skipSpace(body, end, body.length);
  if (rest !== body.length) {
    refuseSyntax(state, rest, "nothing after the JSON value");
    return refusalOf(state);
  }
  if (isList) return batchOf(found, start);
  const message = "A batch of CloudEvents is a list of them.";
  return shapeRefusal({ code: "WRONG_TYPE", message, position: start });
}

/** Keeps the first `MAX_BATCH_EVENTS` items and only counts the rest: 32 MiB can hold 16 million of them. */
class FoundItems {
  readonly items: BatchItem[] = [];
  count = 0;

  add(start: number, end: number): void {
    if (++this.count <= MAX_BATCH_EVENTS) this.items.push({ start, end });
  }
}

function batchOf(found: FoundItems, position: number): ScannedBatch | ScanRefusal {
  const field = "events";
  if (found.count === 0) {
    const message = `The batch holds no events; expected 1 to ${MAX_BATCH_EVENTS} of them.`;
    return shapeRefusal({ code: "EMPTY_BATCH", message, position, field });
  }
  if (found.count > MAX_BATCH_EVENTS) {
    const message = `The batch holds more than ${MAX_BATCH_EVENTS} events; send several batches.`;
    return shapeRefusal({ code: "TOO_MANY_EVENTS", message, position, field });
  }
  return { kind: "batch", items: found.items };
}

/** Skips the array at `arrayAt` and notes the range of each element. */
function skipItems(state: ScanState, arrayAt: number, found: FoundItems): number {
  let position = skipSpace(state.bytes, arrayAt + 1, state.end);
  if (byteAt(state, position) === CLOSE_BRACKET) return position + 1;
  for (;;) {
    const itemEnd = skipValue(state, position, 2);
    if (itemEnd === REFUSED) return REFUSED;
    found.add(position, itemEnd);
    position = skipSpace(state.bytes, itemEnd, state.end);
    const byte = byteAt(state, position);
    if (byte === CLOSE_BRACKET) return position + 1;
    if (byte !== COMMA) return refuseSyntax(state, position, "',' or ']'");
    position = skipSpace(state.bytes, position + 1, state.end);
  }
}

/** Skips blank lines and what stands before a line's first byte: a byte at a time, as a body may be nothing else. */
function skipBlank(body: Buffer, start: number): number {
  let position = start;
  while (position < body.length && isBlank(body[position] as number)) position++;
  return position;
}

function trimmedEnd(body: Buffer, lineEnd: number): number {
  let end = lineEnd;
  while (isBlank(body[end - 1] as number)) end--;
  return end;
}

function isBlank(byte: number): boolean {
  return byte === SPACE || byte === TAB || byte === CARRIAGE_RETURN || byte === LINE_FEED;
}
