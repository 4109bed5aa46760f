// Splits a list of events into requests that the API takes, and puts the results of several tries together. Pure.
import type { BatchResult } from "../types/event.ts";

/** Limits of POST /v1/events/batch. */
export const MAX_BATCH_EVENTS = 1_000;
export const MAX_BATCH_BYTES = 32 * 1024 * 1024;

export interface BatchPart {
  /** `{"events":[…]}` */
  readonly body: Uint8Array<ArrayBuffer>;
  readonly count: number;
}

const encoder = new TextEncoder();
const BEGIN = encoder.encode('{"events":[');
const END = encoder.encode("]}");
const COMMA = 44;

/**
 * Requests for these events, in their order. An event that is too large for any request gets one of its own, for the
 * server to refuse by name.
 */
export function splitBatch(
  events: readonly Uint8Array[],
  maxEvents = MAX_BATCH_EVENTS,
  maxBytes = MAX_BATCH_BYTES,
): BatchPart[] {
  const parts: BatchPart[] = [];
  const frameBytes = BEGIN.length + END.length;
  let from = 0;
  let bytes = frameBytes;
  for (const [index, event] of events.entries()) {
    const added = event.length + (index === from ? 0 : 1);
    if (index > from && (index - from === maxEvents || bytes + added > maxBytes)) {
      parts.push(bodyOf(events.slice(from, index), bytes));
      from = index;
      bytes = frameBytes + event.length;
    } else {
      bytes += added;
    }
  }
  if (events.length > 0) parts.push(bodyOf(events.slice(from), bytes));
  return parts;
}

function bodyOf(events: readonly Uint8Array[], byteLength: number): BatchPart {
  const body = new Uint8Array(byteLength);
  body.set(BEGIN);
  let at = BEGIN.length;
  for (const [index, event] of events.entries()) {
    if (index > 0) body[at++] = COMMA;
    body.set(event, at);
    at += event.length;
  }
  body.set(END, at);
  return { body, count: events.length };
}

/** Results of a later try over those of an earlier one: what was taken, or refused for good, stays as it was said first. */
export function mergeResults(earlier: readonly BatchResult[], later: readonly BatchResult[]): readonly BatchResult[] {
  return later.map((result, index) => {
    const before = earlier[index];
    const isOpen = before === undefined || (before.status === "refused" && before.error.retryable);
    return isOpen ? result : before;
  });
}
