// What capture answers with, and what it can refuse before anything is routed or stored. Pure.
// Must never quote a payload: messages end up in logs.
import { type ErrorCode, type ErrorDetail, normaliseTimestamp, SENDER_ID_PATTERN } from "@posthorn/contract";
import type { ScannedEvent } from "./scan/scan-event.ts";

/** `refused`: correct it. `unavailable`: repeat it. An empty message stands for the code's own. */
export interface CaptureRefusal {
  readonly outcome: "refused" | "unavailable";
  readonly code: ErrorCode;
  readonly message: string;
  readonly details: readonly ErrorDetail[];
}

export type CaptureOutcome =
  | { readonly outcome: "accepted"; readonly answer: EventAnswer }
  /** Idempotency: the first answer again. */
  | { readonly outcome: "replayed"; readonly answer: EventAnswer }
  | CaptureRefusal;

/** The 202's `data`. */
export interface EventAnswer {
  readonly id: string;
  readonly event: string;
  readonly timestamp: string;
  readonly livemode: boolean;
  readonly deliveries: number;
}

const MAX_DATA_BYTES = 10 * 1024 * 1024;
const MAX_CONTEXT_BYTES = 64 * 1024;
const ORDERING_KEY = /^[^\p{Cc}\p{Cs}]{1,200}$/u;
const IDEMPOTENCY_KEY = /^[\x20-\x7e]{1,255}$/;

/** A refusal; an empty message stands for the code's own. */
export function refusal(
  outcome: "refused" | "unavailable",
  code: ErrorCode,
  message = "",
  details: readonly ErrorDetail[] = [],
): CaptureRefusal {
  return { outcome, code, message, details };
}

/** What is wrong with the members themselves, or null. Changes nothing, asks nobody. */
export function checkMembers(scanned: ScannedEvent): CaptureOutcome | null {
  const details: ErrorDetail[] = [];
  if (scanned.id !== null && !SENDER_ID_PATTERN.test(scanned.id)) {
    details.push({
      field: "id",
      code: "INVALID_ID",
      message: "1 to 64 of the characters A-Z a-z 0-9 _ - are expected.",
    });
  }
  if (scanned.timestamp !== null && normaliseTimestamp(scanned.timestamp) === null) {
    details.push({
      field: "timestamp",
      code: "INVALID_TIMESTAMP",
      message: "An ISO 8601 time with an offset is expected, such as 2024-01-15T10:30:00Z.",
    });
  }
  if (scanned.dataEnd - scanned.dataStart > MAX_DATA_BYTES) {
    return refusal("refused", "BODY_TOO_LARGE", "`data` is larger than 10 MiB.");
  }
  if (scanned.contextEnd - scanned.contextStart > MAX_CONTEXT_BYTES) {
    details.push({ field: "context", code: "TOO_LARGE", message: "At most 64 KiB are expected." });
  }
  if (scanned.orderingKey !== null && !ORDERING_KEY.test(scanned.orderingKey)) {
    details.push({
      field: "orderingKey",
      code: "INVALID_VALUE",
      message: "1 to 200 characters are expected, none of them a control character.",
    });
  }
  return details.length === 0
    ? null
    : refusal("refused", "VALIDATION_ERROR", `${details[0]?.field}: ${details[0]?.message}`, details);
}

/**
 * What is wrong with the header of a request, or null. A key inside of a batch is longer: its place is added to it.
 * @param key as sent, or undefined
 */
export function checkIdempotencyKey(key: unknown): CaptureRefusal | null {
  if (key === undefined || (typeof key === "string" && IDEMPOTENCY_KEY.test(key))) return null;
  const field = "Idempotency-Key";
  const message = "1 to 255 printable ASCII characters are expected.";
  return refusal("refused", "VALIDATION_ERROR", `${field}: ${message}`, [{ field, code: "INVALID_KEY", message }]);
}

/** The answer to an event type that nobody knows. */
export function unknownType(type: string, nearest: readonly string[]): CaptureOutcome {
  const shown = type.length > 128 ? `${type.slice(0, 128)}…` : type;
  const hint = nearest.length === 0 ? "" : ` The nearest are ${nearest.join(", ")}.`;
  return refusal("refused", "UNKNOWN_EVENT_TYPE", `There is no event type ${JSON.stringify(shown)}.${hint}`, [
    { field: "event", code: "UNKNOWN_EVENT_TYPE", message: `Unknown event type.${hint}`, nearest },
  ]);
}
