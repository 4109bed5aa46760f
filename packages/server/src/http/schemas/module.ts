// A module or source as the API shows it.
import { z } from "zod";
import { time } from "./common.ts";

export const moduleRecord = z
  .object({
    kind: z.enum(["module", "source"]).meta({
      description: "`module`: what the catalogue says that an event type is raised by. `source`: `context.source`.",
    }),
    name: z.string().meta({ examples: ["Sales & CRM"] }),
    firstEventAt: time,
    lastEventAt: time.meta({ description: "To some seconds." }),
    lastHour: z.int().meta({ description: "Events of the latest whole hour." }),
    usualPerHour: z.number().nullable().meta({
      description: "Events that usually come in such an hour of the week; null while less than two weeks are known.",
    }),
    silentSince: time.nullable().meta({ description: "Its last event, while it is silent against its habit." }),
  })
  .meta({ id: "Module", description: "Who sends events, and whether it is silent." });
