// The routes by which a person acts on one delivery: cancel it, or see the request that it would be now.
import { idFromUuid, parseId, uuidFromBytes } from "@posthorn/contract";
import type pg from "pg";
import { newBatch } from "../../deliver/gather/batch-body.ts";
import type { OneRequests, RequestSubject } from "../../deliver/one-request.ts";
import type { DeliverableEvent } from "../../deliver/queue.ts";
import { missingValueWarning, templateFieldName } from "../../manage/transform.ts";
import type { Cancellations } from "../../replay/cancel.ts";
import type { Webhook } from "../../storage/configuration.ts";
import { asTenant } from "../../storage/pools.ts";
import { type Answer, failure, success } from "../answer.ts";
import type { Principal } from "../principal.ts";
import { type SendableEventRow, selectSendableBatch, selectSendableDelivery } from "../read/sendable-delivery.sql.ts";
import { shownRequest } from "../read/shown-request.ts";
import { scopeFailure } from "../permission.ts";
import { type Call, type OrdinaryRoute, route } from "../route-entry.ts";
import { hasScope } from "../scopes.ts";
import { cancelledDelivery, deliveryRequest } from "../schemas/actions.ts";
import { actorOf } from "./webhooks.ts";

export type CancellationsFace = Pick<Cancellations, "cancel">;

/** What showing a request needs. */
export interface RequestViewFace {
  /** API role, under row-level security. */
  readonly api: pg.Pool;
  readonly requests: Pick<OneRequests, "show">;
  /** The webhook as it is now, deleted ones included. */
  readonly findWebhook: (tenantId: Principal["tenantId"], webhookUuid: string) => Promise<Webhook | null>;
  /** The time written in an event's id. */
  readonly timestampOfEvent: (eventIdBytes: Uint8Array) => string;
}

export function deliveryActionRoutes(cancellations: CancellationsFace, view: RequestViewFace): OrdinaryRoute[] {
  return [
    route({
      method: "POST",
      path: "/deliveries/{id}/cancel",
      scope: "write:deliveries",
      summary: "Cancel a pending or held delivery.",
      tag: "Deliveries",
      answer: { status: 200, data: cancelledDelivery },
      errors: ["NOT_CANCELLABLE"],
      handle: (call) => withDelivery(call, (uuid) => cancel(cancellations, call, uuid)),
    }),
    route({
      method: "GET",
      path: "/deliveries/{id}/request",
      scope: "write:deliveries",
      summary: "See the request of a delivery as it would be sent now; needs read:events too.",
      tag: "Deliveries",
      answer: { status: 200, data: deliveryRequest },
      errors: ["CONFLICT"],
      handle: (call) => withDelivery(call, (uuid) => show(view, call, uuid)),
    }),
  ];
}

async function cancel(cancellations: CancellationsFace, call: Call, uuid: string): Promise<Answer> {
  const outcome = await cancellations.cancel(actorOf(call), uuid);
  switch (outcome.kind) {
    case "cancelled":
      return success({
        id: call.params["id"],
        state: "cancelled",
        cancelledAt: outcome.at,
        cancelledReason: "requested",
      });
    case "absent":
      return noDelivery();
    case "not_cancellable": {
      const message = `This delivery is ${outcome.state}: only a pending or held one can be cancelled.`;
      return failure("NOT_CANCELLABLE", message, [{ field: "state", message: outcome.state, code: "NOT_CANCELLABLE" }]);
    }
    default:
      return outcome satisfies never;
  }
}

async function show(view: RequestViewFace, call: Call, uuid: string): Promise<Answer> {
  const { principal } = call;
  // It holds the payload and signatures that receivers accept, so one scope alone is not enough.
  if (!hasScope(principal.scopes, "read:events")) return scopeFailure("read:events", principal.scopes);
  const row = await asTenant(view.api, principal.tenantUuid, (db) =>
    selectSendableDelivery(db, principal.tenantUuid, principal.livemode, uuid),
  );
  if (row === null) return noDelivery();
  const webhook = await view.findWebhook(principal.tenantId, row.webhook_id);
  if (webhook === null || webhook.status === "deleted") {
    return failure(
      "CONFLICT",
      "The webhook of this delivery is deleted, so there is nothing that it would be sent by.",
    );
  }
  if (row.is_erased) return failure("CONFLICT", "The payload of this event was erased; no request can be made of it.");
  const deliveryBytes = parseId("delivery", call.params["id"] as string) as Uint8Array;
  const batch = row.batch_id === null ? null : await storedBatch(view, principal, row.batch_id);
  if (batch === "incomplete") {
    return failure("CONFLICT", "It went in a batch of which events are not kept any more, so its body cannot be made.");
  }
  const shown = await view.requests.show({
    webhook,
    event: {
      ...eventOf(view, row),
      ...(row.correction_id === null
        ? {}
        : { correctionBytes: parseId("correction", idFromUuid("correction", row.correction_id)) as Uint8Array }),
    },
    ...(batch === null ? {} : { batch }),
    deliveryBytes,
    number: row.attempt_count + 1,
  });
  if (shown.kind === "not_rendered") {
    const field = templateFieldName(shown.path, shown.field);
    return failure("CONFLICT", `There is no request for this event, because of ${field}: ${shown.message}`);
  }
  const { request } = shown;
  return success({
    ...shownRequest(request),
    bodyHashMatches: row.last_body_hash === null ? null : Buffer.compare(row.last_body_hash, request.bodyHash) === 0,
    ...(request.warnings === null ? {} : { warnings: request.warnings.map(missingValueWarning) }),
  });
}

/** The batch as it is stored; null when it was dissolved. */
async function storedBatch(
  view: RequestViewFace,
  { tenantUuid }: Principal,
  batchUuid: string,
): Promise<NonNullable<RequestSubject["batch"]> | null | "incomplete"> {
  const rows = await asTenant(view.api, tenantUuid, (db) => selectSendableBatch(db, tenantUuid, batchUuid));
  const [first] = rows;
  if (first === undefined) return null;
  if (rows.length < first.member_count || rows.some((row) => row.is_erased)) return "incomplete";
  const idBytes = parseId("batch", idFromUuid("batch", batchUuid)) as Uint8Array;
  return {
    identity: newBatch(first.kind, idBytes, first.created_ms),
    events: rows.map((row) => eventOf(view, row)),
  };
}

function eventOf(view: RequestViewFace, row: SendableEventRow): DeliverableEvent {
  const id = idFromUuid("event", row.event_id);
  const idBytes = parseId("event", id) as Uint8Array;
  return {
    idBytes,
    publicId: row.sender_id ?? id,
    type: row.type,
    timestamp: row.sent_timestamp ?? view.timestampOfEvent(idBytes),
    livemode: row.livemode,
    retentionClass: row.retention_class,
    data: row.data,
    context: row.context,
  };
}

async function withDelivery(call: Call, then: (uuid: string) => Promise<Answer>): Promise<Answer> {
  const bytes = parseId("delivery", call.params["id"] as string);
  return bytes === null ? noDelivery() : then(uuidFromBytes(bytes));
}

function noDelivery(): Answer {
  return failure("NOT_FOUND", "There is no such delivery. Check the id; deliveries are kept as long as their events.");
}
