// Bulk replays: what starts one, and how one is shown.
import { z } from "zod";
import { TIME_PARAMETER } from "../paging.ts";
import { TYPE_PARAMETER } from "../type-parameter.ts";
import { idSchema, time } from "./common.ts";

export const REPLAY_WHICH = ["owed", "missed", "all"] as const;
/** A pending one is on its way: replaying it would deliver it twice. */
export const REPLAYED_STATES = ["delivered", "dead_letter", "cancelled"] as const;

export const replayToStart = z
  .strictObject({
    webhookId: z.string().max(200),
    from: TIME_PARAMETER,
    to: TIME_PARAMETER.optional(),
    which: z.enum(REPLAY_WHICH).optional().meta({
      description:
        "`owed` (unless given): what the webhook was owed, whatever its filters say now. `missed`: what it would hear of now and was never owed, also from before it existed or while it was disabled. `all`: all that it would hear of now.",
    }),
    types: z.array(TYPE_PARAMETER).min(1).max(200).optional().meta({ description: "Only these event types." }),
    states: z
      .array(z.enum(REPLAYED_STATES))
      .min(1)
      .optional()
      .meta({ description: "Of `owed`: only events whose delivery ended so." }),
    filter: z.string().min(1).optional().meta({ description: "An expression that the events must pass as well." }),
    dryRun: z.boolean().optional().meta({ description: "Counts exactly, and estimates how long it would take." }),
  })
  .meta({
    id: "BulkReplayToStart",
    description: "Events received in `[from, to)`, oldest first.",
    examples: [
      {
        webhookId: "webhook_01M85E49TGEY9RXH7T9DZ16ZPH",
        from: "2026-11-23T00:00:00Z",
        which: "missed",
        filter: "invoice.total > 100",
        dryRun: true,
      },
    ],
  });

export const replayView = z
  .object({
    id: idSchema("replay"),
    webhookId: idSchema("webhook"),
    state: z.enum(["running", "done", "cancelled", "failed"]),
    dryRun: z.boolean(),
    which: z.enum(REPLAY_WHICH),
    from: time,
    to: time,
    types: z.array(z.string()).nullable(),
    states: z.array(z.string()).nullable(),
    filter: z.string().nullable(),
    count: z.int().min(0).meta({ description: "Deliveries made so far; of a dry run: that would be made." }),
    examined: z.int().min(0).meta({ description: "Events looked at so far." }),
    progress: z.number().min(0).max(1).meta({ description: "Share of the time range that is done." }),
    position: time.nullable().meta({ description: "Everything before this is done." }),
    estimatedSeconds: z.int().min(0).nullable().meta({
      description: "Of a dry run that is done: how long the deliveries would take at the receiver's usual pace.",
    }),
    problem: z.string().nullable().meta({ description: "Why it failed." }),
    createdBy: z.string(),
    createdAt: time,
    finishedAt: time.nullable(),
  })
  .meta({ id: "BulkReplay", description: "A bulk replay, and how far it has come." });

export const cancelledMany = z
  .object({
    dryRun: z.boolean(),
    count: z.int().min(0),
    hasMore: z.boolean().meta({ description: "There are more: repeat the call." }),
  })
  .meta({ id: "CancelledDeliveries", description: "How many deliveries were cancelled, or would be." });
