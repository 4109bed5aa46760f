// The routes that read events and replay them. Publishing has a file of its own.
import { z } from "zod";
import type { Replays } from "../../replay/replay.ts";
import { type Answer, failure, fieldFailure, success } from "../answer.ts";
import { PAGE_PARAMETERS, pageOf, pageStart, REFERENCE_PARAMETER, TIME_PARAMETER } from "../paging.ts";
import type { Records } from "../read/records.ts";
import { deliveryView, eventHeadView, publicEventId } from "../read/views.ts";
import { type Call, type OrdinaryRoute, route } from "../route-entry.ts";
import { eventHead, eventRecord, replayedEvent } from "../schemas/event.ts";
import { TYPE_PARAMETER, typeFilter } from "../type-parameter.ts";
import { actorOf } from "./webhooks.ts";

const listQuery = z.strictObject({
  ...PAGE_PARAMETERS,
  type: TYPE_PARAMETER.optional(),
  reference: REFERENCE_PARAMETER.optional(),
  from: TIME_PARAMETER.optional(),
  to: TIME_PARAMETER.optional(),
});
const replayBody = z
  .strictObject({
    webhookId: z
      .string()
      .nullable()
      .optional()
      .meta({ description: "The one webhook to deliver it to; all that match it now when left out." }),
  })
  .meta({
    id: "EventReplay",
    description: "Whom to deliver an event to once more.",
    examples: [{ webhookId: "webhook_01KATEK0G3F3Q8T9W7M1N5V2XB" }],
  });

export type EventsFace = Pick<Records, "event" | "events">;
export type ReplaysFace = Pick<Replays, "replay">;

export function eventRoutes(records: EventsFace, replays: ReplaysFace): OrdinaryRoute[] {
  return [
    route({
      method: "GET",
      path: "/events",
      allowsReadKey: true,
      scope: "read:events",
      summary: "List events, newest first, without their payloads.",
      tag: "Events",
      query: listQuery,
      answer: { status: 200, data: eventHead, isList: true },
      handle: (call) => list(records, call),
    }),
    route({
      method: "GET",
      path: "/events/{id}",
      allowsReadKey: true,
      scope: "read:events",
      summary: "Read one event with its payload and its deliveries.",
      tag: "Events",
      answer: { status: 200, data: eventRecord },
      handle: (call) => get(records, call),
    }),
    route({
      method: "POST",
      path: "/events/{id}/replay",
      scope: "write:deliveries",
      summary: "Deliver an event once more: to one webhook, or to all that match it now.",
      tag: "Events",
      body: replayBody,
      bodyOptional: true,
      answer: { status: 202, data: replayedEvent },
      errors: ["CONFLICT"],
      handle: (call) => replay(replays, call),
    }),
  ];
}

async function list(records: EventsFace, call: Call<z.output<typeof listQuery>>): Promise<Answer> {
  const start = pageStart("event", call.query);
  if (!start.ok) return start.failure;
  const { type, reference, from, to } = call.query;
  const query = {
    type: typeFilter(type),
    reference: reference ?? null,
    fromMs: from ?? null,
    toMs: to ?? null,
    cursorUuid: start.beforeUuid,
  };
  const found = await records.events(call.principal, query, start.limit + 1);
  return pageOf("event", found, start.limit, (event) => event.id, eventHeadView);
}

async function get(records: EventsFace, call: Call): Promise<Answer> {
  const found = await records.event(call.principal, call.params["id"] as string);
  if (found === null) return noEvent();
  const { event, payload, deliveries } = found;
  const data = { ...eventHeadView(event), deliveries: deliveries.map(deliveryView) };
  // An erased event keeps its row; what stands in the place of its bytes is nobody's payload.
  const isErased = event.erased_at !== null;
  const rawMembers = {
    data: isErased ? "null" : payload.data.toString("utf8"),
    ...(isErased || payload.context === null ? {} : { context: payload.context.toString("utf8") }),
  };
  return { ...success(data), rawMembers };
}

async function replay(replays: ReplaysFace, call: Call<undefined, z.output<typeof replayBody>>): Promise<Answer> {
  const outcome = await replays.replay(actorOf(call), call.params["id"] as string, call.body.webhookId ?? null);
  switch (outcome.kind) {
    case "replayed": {
      const data = { id: publicEventId(outcome.event), event: outcome.event.type, deliveries: outcome.deliveries };
      return success(data, 202);
    }
    case "no_event":
      return noEvent();
    case "no_webhook":
      return fieldFailure([
        { field: "webhookId", message: "There is no such webhook in this mode.", code: "UNKNOWN_WEBHOOK" },
      ]);
    case "not_possible":
      return failure("CONFLICT", outcome.message);
    default:
      return outcome satisfies never;
  }
}

function noEvent(): Answer {
  return failure("NOT_FOUND", "There is no such event. Check the id; events are kept for the tenant's retention time.");
}
