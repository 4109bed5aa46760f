// The one shape in which a scanned body is refused, and the words for it: what was seen, what was expected, where.
// Never quotes more of a body than one character or a member's name cut short: messages end up in logs.
import { LOWER_F, LOWER_N, LOWER_T, OPEN_BRACE, OPEN_BRACKET, QUOTE } from "./ascii.ts";
import { byteAt, type ScanState } from "./scan-state.ts";
import { firstInvalidUtf8 } from "./utf8.ts";

/** The bytes are not a JSON text that Posthorn reads at all: HTTP 400. */
export type SyntaxRefusalCode = "EMPTY_BODY" | "INVALID_UTF8" | "INVALID_JSON" | "JSON_TOO_DEEP";

/** JSON, but not the members that were asked for: HTTP 422. */
export type ShapeRefusalCode =
  | "NOT_AN_OBJECT"
  | "DUPLICATE_MEMBER"
  | "UNKNOWN_MEMBER"
  | "MISSING_MEMBER"
  | "WRONG_TYPE"
  | "EMPTY_BATCH"
  | "TOO_MANY_EVENTS";

/** One thing wrong with the shape. `position` is a byte offset in the scanned buffer. */
export interface ShapeProblem {
  readonly code: ShapeRefusalCode;
  readonly message: string;
  readonly position: number;
  /** The member concerned; absent where the body as a whole is. */
  readonly field?: string;
}

/**
 * Why a body was refused. `position` is a byte offset in the scanned buffer (for an item of a batch too: in the whole
 * body). For 422 `details` lists every problem found, at most `MAX_PROBLEMS`, and the other fields repeat the first.
 */
export interface ScanRefusal {
  readonly kind: "refused";
  readonly status: 400 | 422;
  readonly code: SyntaxRefusalCode | ShapeRefusalCode;
  readonly message: string;
  readonly position: number;
  readonly field?: string;
  readonly details: readonly ShapeProblem[];
}

/** Problems listed in one refusal: a body of a million unknown members must not become an answer as long. */
export const MAX_PROBLEMS = 20;

/** A non-empty list of problems as one refusal with HTTP status 422. */
export function shapeRefusal(first: ShapeProblem, details: readonly ShapeProblem[] = [first]): ScanRefusal {
  return { kind: "refused", status: 422, ...first, details };
}

/** Nothing but whitespace, or nothing at all. */
export function emptyBody(position: number): ScanRefusal {
  return syntaxRefusal("EMPTY_BODY", "The body is empty; expected JSON.", position);
}

/** A refusal if the slice is not well-formed UTF-8 (RFC 3629), else null. */
export function refuseInvalidUtf8(bytes: Buffer, start: number, end: number): ScanRefusal | null {
  const position = firstInvalidUtf8(bytes, start, end);
  if (position === -1) return null;
  const seen = position < end ? `${hexByte(bytes[position])} cannot stand there` : "the text ends inside a character";
  const message = `Invalid UTF-8 at byte ${position}: ${seen}; send JSON as UTF-8.`;
  return syntaxRefusal("INVALID_UTF8", message, position);
}

/** The refusal that a skip function left in the state. */
export function refusalOf(state: ScanState): ScanRefusal {
  const position = state.failedAt;
  if (state.isTooDeep) {
    const message = `JSON nested too deep at byte ${position}: expected at most ${state.maxDepth} levels.`;
    return syntaxRefusal("JSON_TOO_DEEP", message, position);
  }
  const message = `Invalid JSON at byte ${position}: expected ${state.expected}, saw ${seenAt(state, position)}.`;
  return syntaxRefusal("INVALID_JSON", message, position);
}

/** The kind of a value by its first byte, as a noun for messages. Only for values that were skipped before. */
export function kindOfValue(firstByte: number | undefined): string {
  switch (firstByte) {
    case QUOTE:
      return "a string";
    case OPEN_BRACE:
      return "an object";
    case OPEN_BRACKET:
      return "an array";
    case LOWER_T:
    case LOWER_F:
      return "a boolean";
    case LOWER_N:
      return "null";
    default:
      return "a number";
  }
}

function syntaxRefusal(code: SyntaxRefusalCode, message: string, position: number): ScanRefusal {
  return { kind: "refused", status: 400, code, message, position, details: [] };
}

function seenAt(state: ScanState, position: number): string {
  const byte = byteAt(state, position);
  if (byte === -1) return "the end";
  if (byte > 0x20 && byte < 0x7f) return byte === 0x27 ? "a single quote" : `'${String.fromCharCode(byte)}'`;
  // The two ways to send another encoding that still reach this place as well-formed UTF-8.
  if (byte === 0) return "byte 0x00 (UTF-16? send JSON as UTF-8)";
  const codePoint = state.bytes.toString("utf8", position, position + 4).codePointAt(0) ?? byte;
  if (codePoint === 0xfeff) return "a byte order mark (send JSON without one)";
  return byte < 0x80 ? `byte ${hexByte(byte)}` : `U+${codePoint.toString(16).toUpperCase().padStart(4, "0")}`;
}

function hexByte(byte: number | undefined): string {
  return `0x${(byte ?? 0).toString(16).padStart(2, "0")}`;
}
