// UUIDs as bounds of time: an id starts with its milliseconds, so a span of time is a span of ids, and the partitions
// outside of it are not touched. Lists are read in growing spans from new to old.
import { uuidFromBytes } from "@posthorn/contract";

const DAY_MS = 86_400_000;
/** The longest retention is 3,650 days; nothing older exists. */
const OLDEST_MS = 3_700 * DAY_MS;
/** First span read for a page, and how much wider each next one is: 1, 8, 64, 512 days, and the rest. */
const FIRST_SPAN_MS = DAY_MS;
const WIDENING = 8;
/** Ids of other nodes may be ahead of this node's time. */
const AHEAD_MS = 60_000;

/** The smallest UUIDv7 of a millisecond. */
export function lowestUuid(ms: number): string {
  return boundary(ms, 0);
}

/** The largest UUIDv7 of a millisecond. */
export function highestUuid(ms: number): string {
  return boundary(ms, 255);
}

/** The milliseconds that a UUIDv7 starts with. */
export function millisecondsOfUuid(uuid: string): number {
  return Number.parseInt(uuid.slice(0, 8) + uuid.slice(9, 13), 16);
}

/** The milliseconds that a UUIDv7's sixteen bytes start with. */
export function millisecondsOfId(bytes: Uint8Array): number {
  return Buffer.from(bytes.buffer, bytes.byteOffset, 6).readUIntBE(0, 6);
}

/** The next UUID: as the inclusive start of what comes after this one. */
export function uuidAfter(uuid: string): string {
  const next = (BigInt(`0x${uuid.replaceAll("-", "")}`) + 1n).toString(16).padStart(32, "0").slice(-32);
  return next.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}

/** Ids in `[fromUuid, beforeUuid)`. */
export interface IdSpan {
  readonly fromUuid: string;
  readonly beforeUuid: string;
}

export interface TimeBounds {
  /** Inclusive, milliseconds since 1970. */
  readonly fromMs: number | null;
  /** Exclusive. */
  readonly toMs: number | null;
}

/** The ids that a page may show: within the times asked for and below the cursor. */
export function spanOf(bounds: TimeBounds, cursorUuid: string, nowMs: number): IdSpan {
  const toUuid = lowestUuid(bounds.toMs ?? nowMs + AHEAD_MS);
  return {
    fromUuid: lowestUuid(Math.max(0, bounds.fromMs ?? 0, nowMs - OLDEST_MS)),
    beforeUuid: cursorUuid < toUuid ? cursorUuid : toUuid,
  };
}

/**
 * Reads rows newest first until there are `limit` or the span is used up. Each read names its bounds, so that a page of
 * recent rows costs one day's partitions and not those of ten years.
 * @param read rows of a span, newest first, at most so many
 */
export async function readBackwards<Row>(
  span: IdSpan,
  limit: number,
  read: (span: IdSpan, limit: number) => Promise<Row[]>,
): Promise<Row[]> {
  const rows: Row[] = [];
  let { beforeUuid } = span;
  for (let widthMs = FIRST_SPAN_MS; rows.length < limit && beforeUuid > span.fromUuid; widthMs *= WIDENING) {
    const low = lowestUuid(Math.max(0, millisecondsOfUuid(beforeUuid) - widthMs));
    const fromUuid = low > span.fromUuid ? low : span.fromUuid;
    rows.push(...(await read({ fromUuid, beforeUuid }, limit - rows.length)));
    beforeUuid = fromUuid;
  }
  return rows;
}

/** The six bytes of milliseconds go from 1970 to the year 10889; a time before or after is one of their ends. */
const HIGHEST_MS = 2 ** 48 - 1;

function boundary(ms: number, filler: number): string {
  const bytes = new Uint8Array(16).fill(filler);
  for (let i = 5, rest = Math.floor(Math.min(Math.max(ms, 0), HIGHEST_MS)); i >= 0; i -= 1) {
    bytes[i] = rest % 256;
    rest = Math.floor(rest / 256);
  }
  return uuidFromBytes(bytes);
}

/**
 * Where the attempts of a delivery begin: attempts are partitioned by their own time, which is never before the
 * delivery's, but may be given by a node whose idea of time lags. Partitions are days, so an hour costs nothing.
 */
export function attemptsFrom(deliveryUuid: string): string {
  return lowestUuid(Math.max(0, millisecondsOfUuid(deliveryUuid) - 3_600_000));
}
