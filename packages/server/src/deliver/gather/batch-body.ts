// The bodies of requests that stand for many events. Pure. Must copy every event byte for byte, and must make the same
// bytes of the same batch at every repeat.
import {
  BATCH_BEFORE_EVENTS,
  batchAfterEvents,
  type DigestBody,
  type DigestedType,
  ENVELOPE_BEFORE_CONTEXT,
  envelopeBeforeData,
  formatId,
  type Id,
} from "@posthorn/contract";
import type { DeliverableEvent } from "../queue.ts";

/** A batch that is stored: what it is called, and when it was made. */
export interface BatchIdentity {
  readonly kind: "batch" | "digest";
  readonly idBytes: Uint8Array;
  readonly id: Id<"batch">;
  readonly createdAtMs: number;
}

/** As far as a body names it. */
export interface NamedBatch {
  readonly id: string;
  readonly createdAtMs: number;
}

/** @param idBytes sixteen bytes of a UUIDv7 */
export function newBatch(kind: BatchIdentity["kind"], idBytes: Uint8Array, nowMs: number): BatchIdentity {
  return { kind, idBytes, id: formatId("batch", idBytes), createdAtMs: Math.floor(nowMs) };
}

/** More is never in one body: the most that receivers are told to expect. */
export const MAX_BATCH_BYTES = 10 * 1024 * 1024;
/** What a batch's body has besides its events and the commas between them. */
export const BATCH_FRAME_BYTES = 200;

/** The envelopes, or what a template made of each event, as one body. */
export function batchBody(batch: NamedBatch, parts: readonly Uint8Array[]): Buffer {
  const after = batchAfterEvents(batch.id, timestampOf(batch));
  const length = parts.reduce((sum, part) => sum + part.byteLength + 1, BATCH_BEFORE_EVENTS.length + after.length - 1);
  const body = Buffer.allocUnsafe(length);
  let at = body.write(BATCH_BEFORE_EVENTS, 0, "latin1");
  parts.forEach((part, index) => {
    if (index > 0) at += body.write(",", at, "latin1");
    body.set(part, at);
    at += part.byteLength;
  });
  body.write(after, at, "latin1");
  return body;
}

/** How many of which types there were. */
export function digestBody(batch: BatchIdentity, events: readonly DeliverableEvent[]): Buffer {
  const types = new Map<string, DigestedType>();
  for (const { type, publicId, timestamp } of events) {
    const known = types.get(type);
    types.set(type, {
      event: type,
      count: (known?.count ?? 0) + 1,
      firstId: known?.firstId ?? publicId,
      lastId: publicId,
      firstTimestamp: known?.firstTimestamp ?? timestamp,
      lastTimestamp: timestamp,
    });
  }
  const body: DigestBody = {
    digest: true,
    eventCount: events.length,
    eventTypes: [...types.values()],
    livemode: events[0]?.livemode ?? true,
    api_version: "v1",
    batchId: batch.id,
    batchTimestamp: timestampOf(batch),
  };
  return Buffer.from(JSON.stringify(body), "utf8");
}

function timestampOf(batch: NamedBatch): string {
  return new Date(batch.createdAtMs).toISOString();
}

/** The length of an event's envelope, without making it. */
export function envelopeLength(event: DeliverableEvent): number {
  if (event.envelope !== undefined) return event.envelope.length;
  const head = envelopeBeforeData({
    id: event.publicId,
    event: event.type,
    timestamp: event.timestamp,
    livemode: event.livemode,
  });
  const context = event.context === null ? 0 : ENVELOPE_BEFORE_CONTEXT.length + event.context.byteLength;
  return head.length + event.data.byteLength + context + 1;
}
