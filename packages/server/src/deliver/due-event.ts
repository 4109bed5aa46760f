// An event as a row of the table gives it, for deliveries that are read back. Pure.
import { idFromUuid } from "@posthorn/contract";
import type { DueRow } from "./deliver.sql.ts";
import type { DeliverableEvent } from "./queue.ts";

const NO_BYTES = Buffer.alloc(0);

/** @param timestampOfEvent the time written in an event's id, as receivers see it when the sender gave none */
export function eventOfRow(row: DueRow, timestampOfEvent: (eventIdBytes: Uint8Array) => string): DeliverableEvent {
  const idBytes = bytesOfUuid(row.event_id);
  return {
    idBytes,
    publicId: row.sender_id ?? idFromUuid("event", row.event_id),
    type: row.type ?? "",
    timestamp: row.sent_timestamp ?? timestampOfEvent(idBytes),
    livemode: row.livemode,
    retentionClass: row.retention_class,
    data: row.data ?? NO_BYTES,
    context: row.context,
    traceContext: row.trace_context,
    ...(row.correction_id === null ? {} : { correctionBytes: bytesOfUuid(row.correction_id) }),
  };
}

export function bytesOfUuid(uuid: string): Uint8Array {
  return Buffer.from(uuid.replaceAll("-", ""), "hex");
}
