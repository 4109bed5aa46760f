// The routes that read deliveries and their attempts, and retry them.
import { parseId, uuidFromBytes } from "@posthorn/contract";
import { z } from "zod";
import type { Retries } from "../../replay/retry.ts";
import { type Answer, failure, fieldFailure, success } from "../answer.ts";
import { PAGE_PARAMETERS, pageOf, pageStart, REFERENCE_PARAMETER, TIME_PARAMETER } from "../paging.ts";
import { ASKED_STATES, DELIVERY_STATES } from "../read/deliveries.sql.ts";
import type { Records } from "../read/records.ts";
import { listedDeliveryView } from "../read/views.ts";
import { type Call, type OrdinaryRoute, route } from "../route-entry.ts";
import { deliveryRecord, listedDelivery, retriedDelivery } from "../schemas/delivery.ts";
import { TYPE_PARAMETER, typeFilter } from "../type-parameter.ts";
import { actorOf } from "./webhooks.ts";

const state = z.enum(ASKED_STATES);
const listQuery = z.strictObject({
  ...PAGE_PARAMETERS,
  state: state.optional(),
  /** The published pages say status where we say state; both work. */
  status: state.optional(),
  webhookId: z.string().max(200).optional(),
  eventId: z.string().max(200).optional(),
  batchId: z
    .string()
    .max(200)
    .meta({ description: "The batch that they go or went in: `batch_…`, as receivers see it." })
    .optional(),
  type: TYPE_PARAMETER.optional(),
  reference: REFERENCE_PARAMETER.optional(),
  externalId: z
    .string()
    .min(1)
    .max(500)
    .meta({ description: "What the receiver calls it, where a rule of the webhook extracts `externalId`." })
    .optional(),
  from: TIME_PARAMETER.optional(),
  to: TIME_PARAMETER.optional(),
});

export type DeliveriesFace = Pick<Records, "delivery" | "deliveries">;
export type RetriesFace = Pick<Retries, "retry">;

export function deliveryRoutes(records: DeliveriesFace, retries: RetriesFace): OrdinaryRoute[] {
  return [
    route({
      method: "GET",
      path: "/deliveries",
      allowsReadKey: true,
      scope: "read:events",
      summary: "List deliveries in any state, newest first.",
      tag: "Deliveries",
      query: listQuery,
      answer: { status: 200, data: listedDelivery, isList: true },
      handle: (call) => list(records, call),
    }),
    route({
      method: "GET",
      path: "/deliveries/{id}",
      allowsReadKey: true,
      scope: "read:events",
      summary: "Read one delivery with its attempts and the times of those to come.",
      tag: "Deliveries",
      answer: { status: 200, data: deliveryRecord },
      handle: (call) => withDelivery(call, (uuid) => get(records, call, uuid)),
    }),
    route({
      method: "POST",
      path: "/deliveries/{id}/retry",
      scope: "write:deliveries",
      summary: "Try a pending, held or dead-lettered delivery now.",
      tag: "Deliveries",
      answer: { status: 202, data: retriedDelivery },
      errors: ["NOT_RETRYABLE", "CONFLICT"],
      handle: (call) => withDelivery(call, (uuid) => retry(retries, call, uuid)),
    }),
  ];
}

async function list(records: DeliveriesFace, call: Call<z.output<typeof listQuery>>): Promise<Answer> {
  const start = pageStart("delivery", call.query);
  if (!start.ok) return start.failure;
  const { type, reference, externalId, from, to, eventId, webhookId, batchId } = call.query;
  if (call.query.state !== undefined && call.query.status !== undefined && call.query.state !== call.query.status) {
    return fieldFailure([
      { field: "status", message: "It is another word for state: give one.", code: "INVALID_VALUE" },
    ]);
  }
  const webhook = webhookId === undefined ? undefined : parseId("webhook", webhookId);
  if (webhook === null) {
    return fieldFailure([{ field: "webhookId", message: "Expected an id webhook_….", code: "INVALID_VALUE" }]);
  }
  if (batchId !== undefined && externalId !== undefined) {
    return fieldFailure([{ field: "batchId", message: "Give it or externalId, not both.", code: "INVALID_VALUE" }]);
  }
  const batch = batchId === undefined ? undefined : parseId("batch", batchId);
  if (batch === null) {
    return fieldFailure([{ field: "batchId", message: "Expected an id batch_….", code: "INVALID_VALUE" }]);
  }
  const wanted = call.query.state ?? call.query.status;
  const query = {
    states: wanted === undefined ? DELIVERY_STATES : [wanted],
    webhookUuid: webhook === undefined ? null : uuidFromBytes(webhook),
    type: typeFilter(type),
    reference: reference ?? null,
    eventId: eventId ?? null,
    externalId: externalId ?? null,
    batchUuid: batch === undefined ? null : uuidFromBytes(batch),
    fromMs: from ?? null,
    toMs: to ?? null,
    cursorUuid: start.beforeUuid,
  };
  const found = await records.deliveries(call.principal, query, start.limit + 1);
  return pageOf("delivery", found, start.limit, (delivery) => delivery.id, listedDeliveryView);
}

async function get(records: DeliveriesFace, call: Call, uuid: string): Promise<Answer> {
  const found = await records.delivery(call.principal, uuid);
  return found === null ? noDelivery() : success(found);
}

async function retry(retries: RetriesFace, call: Call, uuid: string): Promise<Answer> {
  const outcome = await retries.retry(actorOf(call), uuid);
  switch (outcome.kind) {
    case "retried":
      return success({ id: call.params["id"], state: "pending", nextAttemptAt: outcome.dueAt }, 202);
    case "absent":
      return noDelivery();
    case "not_retryable": {
      const message = `This delivery is ${outcome.state}, which is its end. Replay its event instead: POST /v1/events/{id}/replay.`;
      return failure("NOT_RETRYABLE", message, [{ field: "state", message: outcome.state, code: "NOT_RETRYABLE" }]);
    }
    case "not_possible":
      return failure("CONFLICT", outcome.message);
    default:
      return outcome satisfies never;
  }
}

async function withDelivery(call: Call, then: (uuid: string) => Promise<Answer>): Promise<Answer> {
  const bytes = parseId("delivery", call.params["id"] as string);
  return bytes === null ? noDelivery() : then(uuidFromBytes(bytes));
}

function noDelivery(): Answer {
  return failure("NOT_FOUND", "There is no such delivery. Check the id; deliveries are kept as long as their events.");
}
