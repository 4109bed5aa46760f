// Routes between webhooks as the API takes and shows them.
import { z } from "zod";
import { time } from "./common.ts";

export const ROUTE_NAME = /^[a-z][a-z0-9_]{0,62}$/;

const TEXT = /^[^\p{Cc}\p{Cs}]*$/u;
const MAX_STEPS = 50;
const MAX_WEBHOOKS = 100;

const webhooks = z.array(z.string().min(1).max(200)).max(MAX_WEBHOOKS);
const about = {
  description: z.string().min(1).max(500).regex(TEXT, "Use printable characters").optional(),
  owner: z.string().min(1).max(200).regex(TEXT, "Use printable characters").optional().meta({
    description: "Who decides what it says: a person or a department.",
  }),
};

export const routeToPut = z
  .strictObject({
    steps: z
      .array(
        z.strictObject({
          when: z.string().min(1).meta({ description: "An expression over the event." }),
          webhooks: webhooks.min(1, "Name at least one webhook").meta({ description: "By id, or by name." }),
        }),
      )
      .min(1, "Give at least one step")
      .max(MAX_STEPS)
      .meta({ description: "Asked in their order." }),
    matches: z
      .enum(["first", "all"])
      .optional()
      .meta({ description: "Whether the first step that holds gives the event, or every one; first unless given." }),
    default: webhooks.optional().meta({ description: "Who gets an event for which no step holds." }),
    ...about,
  })
  .meta({
    id: "RouteToPut",
    description: "A route: a webhook that stands in one hears only what it gives.",
    examples: [
      {
        steps: [{ when: "order.total > 10000", webhooks: ["Large orders"] }],
        matches: "first",
        default: ["All other orders"],
      },
    ],
  });

const shown = {
  name: z.string().meta({ examples: ["orders"] }),
  version: z.int().positive(),
  createdAt: time,
  createdBy: z.string().meta({ description: "The key that made this version." }),
  fromConfigVersion: z.int().positive(),
  toConfigVersion: z.int().nullable().meta({ description: "It was in force before this one; null: it still is." }),
  description: z.string().nullable(),
  owner: z.string().nullable(),
  steps: z.array(z.object({ when: z.string(), webhooks: z.array(z.string()).meta({ description: "By id." }) })),
  matches: z.enum(["first", "all"]),
  default: z.array(z.string()),
};

export const routeRecord = z.object(shown).meta({ id: "Route", description: "A version of a route." });
export const deletedRoute = z
  .object({ name: z.string(), deleted: z.literal(true) })
  .meta({ id: "DeletedRoute", description: "A route that is gone; its versions stay." });
