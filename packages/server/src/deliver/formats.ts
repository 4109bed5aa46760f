// The bodies that need no template: one event in each format, and the batch of a format that has a form of its own.
// Must copy `data` byte for byte: it is never parsed here, only single ids are read from it.
import {
  CLOUD_EVENT_BATCH_TYPE,
  type CloudEventHead,
  cloudEventAttributes,
  cloudEventBeforeData,
} from "@posthorn/contract";
import { readPathText } from "../lib/json/read-path.ts";
import { IN_CLOUD_EVENT, percentEncoded } from "../lib/percent-encoding.ts";
import type { Format } from "../storage/formats.ts";
import type { DeliverableEvent } from "./queue.ts";
import { envelopeOf } from "./request.ts";

/** The body of one event. */
export function formattedBody(format: Format, event: DeliverableEvent, source: string): Buffer {
  switch (format) {
    case "bigledger":
      return envelopeOf(event);
    case "cloudEvents":
      return around(cloudEventBeforeData(headOf(event, source)), event.data, "}");
    case "cloudEventsBinary":
    case "data":
      return bufferOf(event.data);
    case "thin":
      return thinBody(event);
    case "none":
      return Buffer.alloc(0);
    default:
      return format satisfies never;
  }
}

/** Headers that belong to the format, name and value in turn (CloudEvents HTTP binding, section 3.1.3). */
export function formatHeaders(format: Format, event: DeliverableEvent, source: string): string[] {
  if (format !== "cloudEventsBinary") return [];
  return cloudEventAttributes(headOf(event, source)).flatMap(([name, value]) => [
    `ce-${name}`,
    percentEncoded(String(value), IN_CLOUD_EVENT),
  ]);
}

/** A batch as the format itself has it; null where a batch has the published form around the single bodies. */
export function formattedBatch(
  format: Format,
  events: readonly DeliverableEvent[],
  source: string,
): { readonly bytes: Buffer; readonly contentType: string } | null {
  if (format !== "cloudEvents") return null;
  const parts = events.flatMap((event, index) => [
    Buffer.from(index === 0 ? "[" : ",", "latin1"),
    formattedBody(format, event, source),
  ]);
  return { bytes: Buffer.concat([...parts, Buffer.from("]", "latin1")]), contentType: CLOUD_EVENT_BATCH_TYPE };
}

function headOf(
  { publicId, type, timestamp, livemode, data, context }: DeliverableEvent,
  source: string,
): CloudEventHead {
  return {
    id: publicId,
    source,
    type,
    time: timestamp,
    livemode,
    subject: textAt(data, ["object", "id"]),
    companyId: context === null ? null : textAt(context, ["companyId"]),
    userId: context === null ? null : textAt(context, ["userId"]),
  };
}

/** What happened to which object, and nothing of it: whoever wants to know more asks the API. */
function thinBody({ publicId, type, timestamp, livemode, data }: DeliverableEvent): Buffer {
  const body = { type, timestamp, livemode, data: { eventId: publicId, id: textAt(data, ["object", "id"]) } };
  return Buffer.from(JSON.stringify(body), "utf8");
}

/** A text that is there and not empty: attributes of CloudEvents are not. */
function textAt(bytes: Uint8Array, path: readonly string[]): string | null {
  const buffer = bufferOf(bytes);
  return readPathText(buffer, 0, buffer.length, path) || null;
}

function around(before: string, data: Uint8Array, after: string): Buffer {
  const length = Buffer.byteLength(before, "utf8");
  const body = Buffer.allocUnsafe(length + data.byteLength + after.length);
  body.write(before, 0, "utf8");
  body.set(data, length);
  body.write(after, length + data.byteLength, "latin1");
  return body;
}

function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
