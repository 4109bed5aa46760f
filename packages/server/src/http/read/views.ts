// Events, deliveries and attempts as everybody sees them. Pure: rows in, published names out.
import { BATCH_EVENT, DIGEST_EVENT, idFromUuid } from "@posthorn/contract";
import type { StoredConfiguration } from "../../manage/webhook-configuration.ts";
import { attemptWarning } from "../../manage/response-fields.ts";
import { bodyExcerpt } from "./body-excerpt.ts";
import { millisecondsOfUuid } from "../../lib/id-bounds.ts";
import type { AttemptRow, CorrectionRow, DeliveryRow, ListedDeliveryRow } from "./deliveries.sql.ts";
import type { EventHeadRow } from "./events.sql.ts";
import { receivedHeaders, recordedParts, sentHeaders } from "./request-headers.ts";

/** What receivers see as the event's id: the sender's own, or ours. */
export function publicEventId(event: { readonly id: string; readonly sender_id: string | null }): string {
  return event.sender_id ?? idFromUuid("event", event.id);
}

/** An event without its payload. */
export function eventHeadView(event: EventHeadRow): Record<string, unknown> {
  const receivedAt = new Date(millisecondsOfUuid(event.id)).toISOString();
  return {
    id: publicEventId(event),
    // Only this one is for ever: a sender may use an id again after the idempotency window.
    ...(event.sender_id === null ? {} : { recordId: idFromUuid("event", event.id) }),
    event: event.type,
    timestamp: event.sent_timestamp ?? receivedAt,
    livemode: event.livemode,
    api_version: "v1",
    reference: event.reference,
    orderingKey: event.ordering_key,
    receivedAt,
    deliveryCount: event.delivery_count,
    ...(event.erased_at === null ? {} : { erasedAt: event.erased_at.toISOString() }),
  };
}

/** A delivery's own part, without its event. */
export function deliveryView(row: DeliveryRow): Record<string, unknown> {
  const at = row.at?.toISOString() ?? null;
  return {
    id: idFromUuid("delivery", row.id),
    webhookId: idFromUuid("webhook", row.webhook_id),
    state: row.state,
    attemptCount: row.attempt_count,
    webhookVersion: row.webhook_version,
    replayed: row.replayed,
    batchId: row.batch_id === null ? null : idFromUuid("batch", row.batch_id),
    createdAt: new Date(millisecondsOfUuid(row.id)).toISOString(),
    ...stateView(row, at),
  };
}

function stateView(row: DeliveryRow, at: string | null): Record<string, unknown> {
  switch (row.state) {
    case "pending":
      return { nextAttemptAt: at };
    case "held":
      return { nextAttemptAt: null, heldReason: row.reason, ...(at === null ? {} : { heldUntil: at }) };
    case "delivered":
      return { nextAttemptAt: null, deliveredAt: at };
    case "dead_letter":
      return { nextAttemptAt: null, deadAt: at, deadReason: row.reason };
    case "cancelled":
      return { nextAttemptAt: null, cancelledAt: at, cancelledReason: row.reason, ...supersededBy(row) };
    default:
      return row.state satisfies never;
  }
}

function supersededBy(row: DeliveryRow): { supersededBy?: string } {
  return row.superseded_by === null ? {} : { supersededBy: idFromUuid("delivery", row.superseded_by) };
}

/** A delivery with the name of its event. */
export function listedDeliveryView(row: ListedDeliveryRow): Record<string, unknown> {
  return {
    ...deliveryView(row),
    eventId: publicEventId({ id: row.event_id, sender_id: row.sender_id }),
    event: row.event_type,
    reference: row.reference,
  };
}

/** One attempt of a delivery; `configuration` is of the version that it used, absent when that is not kept. */
export function attemptView(
  row: AttemptRow,
  delivery: ListedDeliveryRow,
  configuration: StoredConfiguration | undefined,
): Record<string, unknown> {
  const sent = {
    ...namesOf(row, delivery),
    number: row.number,
    startedAtMs: row.started_at.getTime(),
    ...(row.correction_id === null ? {} : { correctionId: idFromUuid("correction", row.correction_id) }),
  };
  const parts = configuration === undefined ? null : recordedParts(configuration, sent);
  return {
    id: idFromUuid("attempt", row.id),
    number: row.number,
    trigger: row.trigger,
    startedAt: row.started_at.toISOString(),
    durationMs: row.duration_ms,
    timings: { dnsMs: row.dns_ms, connectMs: row.connect_ms, tlsMs: row.tls_ms, firstByteMs: row.first_byte_ms },
    outcome: row.outcome,
    outcomeCode: row.outcome_code,
    ...notAllowedMessage(row, configuration),
    endsDelivery: row.ends_delivery,
    batchId: row.batch_id === null ? null : idFromUuid("batch", row.batch_id),
    ...(row.correction_id === null ? {} : { correctionId: idFromUuid("correction", row.correction_id) }),
    ...(row.warnings === null ? {} : { warnings: row.warnings.map(attemptWarning) }),
    ...(row.extracted === null ? {} : { extracted: row.extracted }),
    nextAttemptAt: row.next_attempt_at?.toISOString() ?? null,
    webhookVersion: row.webhook_version,
    address: row.address,
    request: {
      method: parts?.method ?? configuration?.method ?? "POST",
      url: row.url,
      headers: configuration === undefined ? null : sentHeaders(configuration, sent, parts),
      bodyLength: row.body_length,
      bodySha256: row.body_hash?.toString("hex") ?? null,
    },
    response: responseView(row),
  };
}

export function correctionView(row: CorrectionRow): Record<string, unknown> {
  return {
    id: idFromUuid("correction", row.id),
    correctedAt: row.corrected_at.toISOString(),
    correctedBy: row.corrected_by,
    note: row.note,
    changed: row.changed,
  };
}

/** What a request was called: by its event, or by the batch that went. */
function namesOf(
  { batch_id: batchUuid, is_digest: isDigest }: AttemptRow,
  delivery: ListedDeliveryRow,
): { publicEventId: string; eventType: string; deliveryId: string } {
  if (batchUuid !== null) {
    const id = idFromUuid("batch", batchUuid);
    return { publicEventId: id, eventType: isDigest ? DIGEST_EVENT : BATCH_EVENT, deliveryId: id };
  }
  return {
    publicEventId: publicEventId({ id: delivery.event_id, sender_id: delivery.sender_id }),
    eventType: delivery.event_type,
    deliveryId: idFromUuid("delivery", delivery.id),
  };
}

/** What was seen and what was expected, where the webhook's own list refused the receiver's address. */
function notAllowedMessage(
  row: AttemptRow,
  configuration: StoredConfiguration | undefined,
): { outcomeMessage?: string } {
  if (row.outcome_code !== "ADDRESS_NOT_ALLOWED") return {};
  const list = configuration?.allowedIps?.join(", ") ?? "another list";
  return { outcomeMessage: `The receiver is at ${row.address ?? "an unknown address"}; allowedIps had ${list}.` };
}

function responseView(row: AttemptRow): Record<string, unknown> | null {
  if (row.response_status === null) return null;
  const bytes = row.response_body ?? Buffer.alloc(0);
  return {
    status: row.response_status,
    headers: receivedHeaders(row.response_headers),
    ...bodyExcerpt(bytes, row.response_truncated),
    bodyTruncated: row.response_truncated,
  };
}
