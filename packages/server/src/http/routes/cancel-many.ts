// The routes that cancel what is pending of a webhook or of an event.
import { parseId, uuidFromBytes } from "@posthorn/contract";
import { z } from "zod";
import type { BulkCancellations } from "../../replay/cancel-many.ts";
import type { PendingOf } from "../../replay/cancel-many.sql.ts";
import { type Answer, fieldFailure, failure, success } from "../answer.ts";
import type { Reader } from "../read/records.ts";
import { type Call, type OrdinaryRoute, route } from "../route-entry.ts";
import { cancelledMany } from "../schemas/replay.ts";
import { actorOf, noWebhook, withWebhook } from "./webhooks.ts";

const DEFAULT_CANCELLED = 1_000;
const MAX_CANCELLED = 10_000;

const shared = {
  limit: z
    .int()
    .min(1)
    .max(MAX_CANCELLED)
    .optional()
    .meta({ description: `At most so many; ${DEFAULT_CANCELLED} when left out.` }),
  dryRun: z.boolean().optional().meta({ description: "Counts and changes nothing." }),
};
const ofWebhook = z
  .strictObject(shared)
  .meta({ id: "PendingToCancel", description: "How many.", examples: [{ dryRun: true }] });
const ofEvent = z
  .strictObject({ ...shared, webhookId: z.string().max(200).optional().meta({ description: "Only to this webhook." }) })
  .meta({ id: "EventToCancel", description: "Which deliveries of the event.", examples: [{ dryRun: true }] });

export interface BulkCancellationsFace {
  readonly cancellations: Pick<BulkCancellations, "count" | "cancel">;
  /** UUID of an event by our id or the sender's; null when there is none. */
  readonly findEvent: (reader: Reader, id: string) => Promise<string | null>;
  /** Whether there is such a webhook, in this mode and not deleted. */
  readonly hasWebhook: (reader: Reader, webhookUuid: string) => Promise<boolean>;
}

export function cancelManyRoutes(face: BulkCancellationsFace): OrdinaryRoute[] {
  return [
    route({
      method: "POST",
      path: "/webhooks/{id}/cancel-pending",
      scope: "write:deliveries",
      summary: "Cancel what a webhook is owed: its pending and held deliveries.",
      tag: "Deliveries",
      body: ofWebhook,
      bodyOptional: true,
      answer: { status: 200, data: cancelledMany },
      handle: (call) =>
        withWebhook(call, async (webhookUuid) => {
          if (!(await face.hasWebhook(call.principal, webhookUuid))) return noWebhook();
          return run(face, call, { kind: "webhook", webhookUuid });
        }),
    }),
    route({
      method: "POST",
      path: "/events/{id}/cancel",
      scope: "write:deliveries",
      summary: "Cancel the pending and held deliveries of an event.",
      tag: "Events",
      body: ofEvent,
      bodyOptional: true,
      answer: { status: 200, data: cancelledMany },
      handle: (call) => cancelEvent(face, call),
    }),
  ];
}

async function cancelEvent(
  face: BulkCancellationsFace,
  call: Call<undefined, z.output<typeof ofEvent>>,
): Promise<Answer> {
  const { webhookId } = call.body;
  const webhook = webhookId === undefined ? undefined : parseId("webhook", webhookId);
  if (webhook === null) {
    return fieldFailure([{ field: "webhookId", message: "Expected an id webhook_….", code: "INVALID_VALUE" }]);
  }
  const eventUuid = await face.findEvent(call.principal, call.params["id"] as string);
  if (eventUuid === null) return failure("NOT_FOUND", "There is no such event. Check the id and the mode of the key.");
  return run(face, call, {
    kind: "event",
    eventUuid,
    webhookUuid: webhook === undefined ? null : uuidFromBytes(webhook),
  });
}

async function run(
  { cancellations }: BulkCancellationsFace,
  call: Call<undefined, { readonly limit?: number | undefined; readonly dryRun?: boolean | undefined }>,
  of: PendingOf,
): Promise<Answer> {
  const { dryRun = false, limit = DEFAULT_CANCELLED } = call.body;
  const actor = actorOf(call);
  const { count, hasMore } = dryRun
    ? await cancellations.count(actor, of)
    : await cancellations.cancel(actor, of, limit);
  return success({ dryRun, count, hasMore });
}
