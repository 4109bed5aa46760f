// Parked keys as the API shows them: the members of read/parked-keys.ts, and what releases them.
import { z } from "zod";
import { eventTypeName, idSchema, publicEventId, time } from "./common.ts";

export const parkedKey = z
  .object({
    orderingKey: z.string().meta({ description: "Empty for all events that have no key.", examples: ["customer-17"] }),
    webhookId: idSchema("webhook"),
    webhookName: z.string().nullable(),
    heldReason: z.enum(["key_parked", "transformation_failed"]).meta({
      description: "`key_parked`: it used up its attempts. `transformation_failed`: no body can be made of its event.",
    }),
    parkedAt: time.nullable(),
    waitingCount: z.int().min(0).meta({ description: "Deliveries behind it; counted up to 10,000." }),
    waitingIsMore: z.boolean().meta({ description: "There are that many or more." }),
    deliveryId: idSchema("delivery").meta({ description: "What holds the key." }),
    eventId: publicEventId,
    event: eventTypeName.nullable(),
    reference: z.string().nullable(),
    attemptCount: z.int().min(0),
    lastAttempt: z
      .object({
        startedAt: time,
        durationMs: z.int().min(0),
        outcome: z.string(),
        outcomeCode: z.string().nullable(),
        responseStatus: z.int().nullable(),
        responseBody: z.string().nullable().meta({ description: "The beginning of the answer, up to 1 KiB." }),
      })
      .nullable()
      .meta({ description: "Why: what its latest attempt met. Null when none was made." }),
  })
  .meta({
    id: "ParkedKey",
    description:
      "A key of an ordered webhook of which nothing goes out until somebody decided about its first delivery.",
  });

const DEFAULT_RELEASED = 1_000;
const MAX_RELEASED = 10_000;

export const keysToRelease = z
  .strictObject({
    how: z.enum(["retry", "skip"]).meta({
      description:
        "`retry`: what holds each key is tried again, its policy from the start. `skip`: it becomes a dead letter, and the rest goes on.",
    }),
    webhookId: z.string().max(200).optional().meta({ description: "Only of this webhook." }),
    orderingKey: z.string().max(200).optional().meta({ description: "Only this key." }),
    limit: z
      .int()
      .min(1)
      .max(MAX_RELEASED)
      .default(DEFAULT_RELEASED)
      .meta({ description: `At most so many keys; ${DEFAULT_RELEASED} when left out.` }),
    dryRun: z.boolean().optional().meta({ description: "Counts and changes nothing." }),
  })
  .meta({
    id: "KeysToRelease",
    description: "Which parked keys; without a filter all of the tenant in the key's mode.",
    examples: [{ how: "retry", webhookId: "webhook_01M85E49TGEY9RXH7T9DZ16ZPH" }],
  });

export const releasedKeys = z
  .object({
    dryRun: z.boolean(),
    count: z.int().min(0).meta({ description: "How many keys; a dry run counts up to 100,000." }),
    hasMore: z.boolean().meta({ description: "There are more: repeat the call." }),
  })
  .meta({ id: "ReleasedKeys", description: "How many keys go on, or would." });

export const correctionToMake = z
  .strictObject({
    data: z.unknown().meta({ description: "What stands as `data`, whole; sent as it is written here, byte for byte." }),
    context: z
      .record(z.string(), z.unknown())
      .optional()
      .meta({ description: "What stands as `context`; the event's own when left out." }),
    note: z.string().min(1).max(500).optional().meta({ description: "Why, for the record." }),
  })
  .refine((given) => given.data !== undefined, { path: ["data"], message: "Expected a value" })
  .meta({
    id: "CorrectionToMake",
    description: "The payload to be sent in the place of the event's own.",
    examples: [{ data: { object: { customerId: "cust_17" } }, note: "The customer had been merged." }],
  });

export const correctedDelivery = z
  .object({
    id: idSchema("delivery"),
    correctionId: idSchema("correction"),
    state: z.enum(["pending", "delivered", "dead_letter", "cancelled"]).meta({
      description: "`pending`: tried now. Something else only when the same correction had been made before.",
    }),
  })
  .meta({ id: "CorrectedDelivery", description: "A delivery that goes on with a corrected payload." });

export const skippedDelivery = z
  .object({
    id: idSchema("delivery"),
    state: z.literal("dead_letter"),
    deadReason: z.literal("skipped"),
    deadAt: time.nullable().meta({ description: "Null when it had been skipped before." }),
  })
  .meta({ id: "SkippedDelivery", description: "A delivery that was given up, so that its key goes on." });
