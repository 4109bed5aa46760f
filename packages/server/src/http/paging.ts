// What all lists share: their query parameters, and how rows become a page with a cursor to the next one.
import { normaliseTimestamp } from "@posthorn/contract";
import { z } from "zod";
import { type Failure, fieldFailure, type Page } from "./answer.ts";
import { type CursorKind, decodeUuidCursor, encodeCursor, HIGHEST_UUID } from "./cursor.ts";

const DEFAULT_LIMIT = 50;
const MAX_LIMIT = 200;

/** `cursor` and `limit`, on every list. */
export const PAGE_PARAMETERS = {
  cursor: z.string().max(200).meta({ description: "`pagination.nextCursor` of the page before." }).optional(),
  limit: z
    .string()
    .regex(/^[0-9]{1,4}$/, "Expected a whole number")
    .transform(Number)
    .refine((limit) => limit >= 1 && limit <= MAX_LIMIT, `Expected 1 to ${MAX_LIMIT}`)
    // In the reference it is the number that it stands for.
    .meta({ type: "integer", minimum: 1, maximum: MAX_LIMIT, default: DEFAULT_LIMIT, pattern: undefined })
    .meta({ description: "Rows of a page." })
    .optional(),
};

/** A time as ISO 8601 with an offset, in milliseconds since 1970. */
export const TIME_PARAMETER = z
  .string()
  .transform((text) => normaliseTimestamp(text))
  .refine((text) => text !== null, "Expected an ISO 8601 time with an offset, such as 2026-11-23T08:00:00Z")
  .transform((text) => Date.parse(text as string))
  .meta({ format: "date-time", description: "ISO 8601 with an offset." });

export const REFERENCE_PARAMETER = z
  .string()
  .min(1)
  .max(200)
  .meta({ description: "The business number inside the payload.", examples: ["INV-00871"] });

export type PageStart =
  | { readonly ok: true; readonly beforeUuid: string; readonly limit: number }
  | { readonly ok: false; readonly failure: Failure };

/** Where a page of a list keyed by UUID starts. */
export function pageStart(
  kind: CursorKind,
  query: { readonly cursor?: string | undefined; readonly limit?: number | undefined },
): PageStart {
  const limit = query.limit ?? DEFAULT_LIMIT;
  if (query.cursor === undefined) return { ok: true, beforeUuid: HIGHEST_UUID, limit };
  const beforeUuid = decodeUuidCursor(kind, query.cursor);
  if (beforeUuid === null) return { ok: false, failure: cursorFailure() };
  return { ok: true, beforeUuid, limit };
}

export function cursorFailure(): Failure {
  const message = "This is no cursor of this list. Use `pagination.nextCursor` of its last page, or leave it out.";
  return fieldFailure([{ field: "cursor", message, code: "INVALID_VALUE" }]);
}

/**
 * Makes a page of up to `limit` rows out of up to `limit + 1`.
 * @param keyOf what the cursor remembers of a row
 */
export function pageOf<Row>(
  kind: CursorKind,
  rows: readonly Row[],
  limit: number,
  keyOf: (row: Row) => string,
  view: (row: Row) => unknown,
): Page {
  const shown = rows.slice(0, limit);
  const last = shown.at(-1);
  const hasMore = rows.length > limit;
  const nextCursor = hasMore && last !== undefined ? encodeCursor(kind, keyOf(last)) : null;
  return { kind: "page", data: shown.map(view), pagination: { hasMore, nextCursor, limit } };
}
