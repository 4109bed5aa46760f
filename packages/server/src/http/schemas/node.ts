// A node as the API shows it.
import { z } from "zod";
import { idSchema, time } from "./common.ts";

export const nodeRecord = z
  .object({
    id: idSchema("node"),
    host: z.string(),
    processId: z.int(),
    version: z.string(),
    status: z.enum(["alive", "leaving", "ended"]).meta({ description: "A leaving one was told to stop and finishes." }),
    startedAt: time,
    beatAgeMs: z.int().meta({ description: "Milliseconds since its last beat. One beat is due every two seconds." }),
    lanes: z.int().meta({ description: "How many of the 256 shares of all webhooks it works for." }),
    backlog: z.int().meta({ description: "Deliveries in its memory at its last beat, waiting or under way." }),
    inFlight: z.int().meta({ description: "Requests under way at its last beat." }),
    oldestDueAt: time.nullable().meta({ description: "When the first delivery of its lanes fell, or falls, due." }),
    memoryBytes: z.int().meta({ description: "Resident memory of the process at its last beat." }),
  })
  .meta({ id: "Node", description: "A process of this installation." });
