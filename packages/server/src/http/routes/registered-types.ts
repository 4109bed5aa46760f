// The routes by which a tenant registers event types of its own. Deciding and storing is manage/event-types.ts.
import { normaliseTimestamp } from "@posthorn/contract";
import { z } from "zod";
import { isEventTypeName } from "../../catalogue/pattern.ts";
import type { RegisteredTypes, TypeRemoved, TypeWritten } from "../../manage/event-types.ts";
import { type Answer, failure, fieldFailure, success } from "../answer.ts";
import { type Call, type OrdinaryRoute, route } from "../route-entry.ts";
import { deletedEventType, eventTypeRecord } from "../schemas/event-type.ts";
import { registeredView } from "./event-types.ts";
import { actorOf } from "./webhooks.ts";

// biome-ignore lint/suspicious/noControlCharactersInRegex: line breaks and tabs are the ones allowed
const TEXT = /^(?:[\t\n\r]|[^\p{Cc}\p{Cs}])*$/u;

const typeName = z
  .string()
  .refine(
    (text) => isEventTypeName(text) && text.includes("."),
    "Expected a resource and a verb, such as warehouse.opened: letters, digits and _, up to 128 characters",
  )
  .meta({ examples: ["warehouse.opened"] });
const description = z.string().min(1).max(500).regex(TEXT, "Use printable characters");
const optional = {
  referencePath: z
    .array(z.string().min(1).max(200))
    .min(1)
    .max(16)
    .meta({ description: "Where in `data` the business number stands.", examples: [["object", "number"]] })
    .nullable()
    .optional(),
  example: z
    .strictObject({
      data: z.unknown(),
      timestamp: z
        .string()
        .refine((text) => normaliseTimestamp(text) !== null, "Expected an ISO 8601 time with an offset")
        .meta({ format: "date-time" })
        .optional(),
      context: z.record(z.string(), z.unknown()).optional(),
    })
    .meta({ description: "An event of this type, without its name." })
    .nullable()
    .optional(),
};
const registration = z.strictObject({ name: typeName, description, ...optional }).meta({
  id: "EventTypeToRegister",
  description: "An event type of the tenant's own.",
  examples: [{ name: "crate.packed", description: "A crate was packed.", referencePath: ["object", "crateNumber"] }],
});
const change = z.strictObject({ description: description.optional(), ...optional }).meta({
  id: "EventTypeChange",
  description: "Fields given are replaced, the rest stay, `null` restores the default.",
  examples: [{ description: "A crate was packed and weighed." }],
});
const setByPosthorn = "It is set by Posthorn. Leave it out.";
const readOnly = { resource: "It is the first part of the name.", registered: setByPosthorn };

export type RegisteredTypesFace = Pick<RegisteredTypes, "register" | "change" | "remove">;

export function registeredTypeRoutes(types: RegisteredTypesFace): OrdinaryRoute[] {
  // Both modes publish events of these types.
  const common = { scope: "admin", tag: "Event types", needsLiveKey: true } as const;
  return [
    route({
      ...common,
      method: "POST",
      path: "/event-types",
      summary: "Register an event type of your own: from now on such events are taken, and webhooks can name it.",
      body: registration,
      hints: { readOnly },
      answer: { status: 201, data: eventTypeRecord, headers: ["Location"] },
      errors: ["ALREADY_EXISTS", "CONFLICT"],
      handle: async (call) => {
        const { name, ...fields } = call.body;
        return answerOfWritten(await types.register(actorOf(call), name, fields), 201);
      },
    }),
    route({
      ...common,
      method: "PATCH",
      path: "/event-types/{name}",
      summary: "Change what is said of an event type of your own; null takes a member away.",
      body: change,
      hints: { readOnly: { ...readOnly, name: "Webhooks and events name it. Register another type instead." } },
      answer: { status: 200, data: eventTypeRecord },
      errors: ["CONFLICT"],
      handle: (call) =>
        withType(call, async (name) => answerOfWritten(await types.change(actorOf(call), name, call.body), 200)),
    }),
    route({
      ...common,
      method: "DELETE",
      path: "/event-types/{name}",
      summary: "Remove an event type of your own that no webhook names. Its events stay.",
      answer: { status: 200, data: deletedEventType },
      errors: ["CONFLICT"],
      handle: (call) => withType(call, async (name) => answerOfRemoved(await types.remove(actorOf(call), name), name)),
    }),
  ];
}

async function withType(call: Call, then: (name: string) => Promise<Answer>): Promise<Answer> {
  const name = call.params["name"] as string;
  return isEventTypeName(name) ? then(name) : noType();
}

function answerOfWritten(outcome: TypeWritten, status: 200 | 201): Answer {
  switch (outcome.kind) {
    case "written": {
      const data = registeredView(outcome.type);
      if (status === 200) return success(data);
      return { ...success(data, status), headers: { location: `/v1/event-types/${outcome.type.name}` } };
    }
    case "exists":
      return failure("ALREADY_EXISTS", "This event type is registered already. PATCH it to change it.");
    case "published":
      return status === 201
        ? failure(
            "ALREADY_EXISTS",
            "This event type is in the catalogue already: publish it, there is nothing to register.",
          )
        : publishedType();
    case "too_many":
      return failure("CONFLICT", `A tenant registers at most ${outcome.limit} event types. Remove those not in use.`);
    case "invalid":
      return fieldFailure(outcome.details);
    case "absent":
      return noType();
    default:
      return outcome satisfies never;
  }
}

function answerOfRemoved(outcome: TypeRemoved, name: string): Answer {
  switch (outcome.kind) {
    case "removed":
      return success({ name, deleted: true });
    case "published":
      return publishedType();
    case "absent":
      return noType();
    case "in_use": {
      const webhooks = outcome.webhookIds.join(", ");
      return failure("CONFLICT", `Webhooks name this event type (${webhooks}). Take it out of their events first.`);
    }
    default:
      return outcome satisfies never;
  }
}

function publishedType(): Answer {
  return failure("CONFLICT", "This event type is in the catalogue: it belongs to nobody and is not changed here.");
}

function noType(): Answer {
  return failure("NOT_FOUND", "You have registered no such event type. GET /v1/event-types lists all that there are.");
}
