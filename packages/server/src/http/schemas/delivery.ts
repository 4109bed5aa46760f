// Deliveries and attempts as the API shows them: the members of read/views.ts, one by one.
import { z } from "zod";
import { eventTypeName, headerMap, idSchema, publicEventId, time } from "./common.ts";
import { warnings } from "./warning.ts";

export const DELIVERY_STATE = z.enum(["pending", "held", "delivered", "dead_letter", "cancelled"]);

const own = {
  id: idSchema("delivery"),
  webhookId: idSchema("webhook"),
  state: DELIVERY_STATE,
  attemptCount: z.int().min(0),
  webhookVersion: z.int().min(1).meta({ description: "The version of the webhook that the event matched." }),
  replayed: z.boolean(),
  batchId: idSchema("batch").nullable().meta({ description: "The batch that it goes or went in, with others." }),
  createdAt: time,
  nextAttemptAt: time.nullable().meta({ description: "Null while held, and when it has ended." }),
  heldReason: z
    .string()
    .meta({ description: "Only while it is held.", examples: ["paused", "breaker_open", "throttled"] })
    .optional(),
  heldUntil: time
    .meta({
      description: "Only while its endpoint is given a rest: when the next probe goes, the oldest delivery first.",
    })
    .optional(),
  deliveredAt: time.nullable().optional(),
  deadAt: time.nullable().optional(),
  deadReason: z.string().nullable().optional(),
  cancelledAt: time.nullable().optional(),
  cancelledReason: z.string().nullable().optional(),
  supersededBy: idSchema("delivery")
    .meta({ description: "Only when a newer state was sent in its place: that state's delivery." })
    .optional(),
};

export const deliverySchema = z
  .object(own)
  .meta({ id: "Delivery", description: "The duty to bring one event to one webhook, and what came of it." });

const ofEvent = { eventId: publicEventId, event: eventTypeName, reference: z.string().nullable() };

export const listedDelivery = z
  .object({ ...own, ...ofEvent })
  .meta({ id: "ListedDelivery", description: "A delivery with the name of its event." });

const milliseconds = z.int().min(0).nullable();

export const attemptSchema = z
  .object({
    id: idSchema("attempt"),
    number: z.int().min(1),
    trigger: z.enum(["initial", "retry", "manual", "replay"]),
    startedAt: time,
    durationMs: z.int().min(0),
    timings: z.object({
      dnsMs: milliseconds,
      connectMs: milliseconds,
      tlsMs: milliseconds,
      firstByteMs: milliseconds,
    }),
    outcome: z.string().meta({ description: "How it went.", examples: ["delivered", "rejected", "timed_out"] }),
    outcomeCode: z.string().nullable(),
    outcomeMessage: z
      .string()
      .meta({ description: "Only with ADDRESS_NOT_ALLOWED: the address seen, and the list." })
      .optional(),
    endsDelivery: z.boolean(),
    batchId: idSchema("batch")
      .nullable()
      .meta({ description: "The batch that was sent; its members share the request." }),
    correctionId: idSchema("correction")
      .meta({ description: "The correction that was sent in the place of the event's own payload; only then." })
      .optional(),
    warnings: warnings.meta({
      description: "What a template found no value for, and rules that could not be evaluated; only then.",
    }),
    extracted: z
      .record(z.string(), z.string())
      .meta({ description: "What rules of the webhook took out of the answer; only then." })
      .optional(),
    nextAttemptAt: time.nullable(),
    webhookVersion: z.int().min(1),
    address: z.string().nullable().meta({ description: "The address dialled." }),
    request: z.object({
      method: z.string(),
      url: z.string(),
      headers: headerMap.nullable(),
      bodyLength: z.int().min(0).nullable(),
      bodySha256: z.string().nullable(),
    }),
    response: z
      .object({
        status: z.int(),
        headers: headerMap,
        body: z.string(),
        bodyEncoding: z.enum(["utf8", "base64"]),
        bodyTruncated: z.boolean(),
      })
      .nullable()
      .meta({ description: "Null when nothing came back." }),
  })
  .meta({ id: "Attempt", description: "One HTTP request of a delivery, with what came back." });

export const deliveryRecord = z
  .object({
    ...own,
    ...ofEvent,
    nextAttempts: z
      .array(time)
      .meta({ description: "While pending: the times of all attempts to come, if each of them fails." })
      .optional(),
    expiresAt: time
      .meta({ description: "While pending or held: when its webhook's `expireAfter` ends it." })
      .optional(),
    corrections: z
      .array(
        z.object({
          id: idSchema("correction"),
          correctedAt: time,
          correctedBy: z.string(),
          note: z.string().nullable(),
          changed: z.array(z.string()).meta({ description: "JSON pointers into `data` and `context`, up to 100." }),
        }),
      )
      .meta({ description: "Only when somebody corrected its payload: latest first; the latest is what is sent." })
      .optional(),
    attempts: z.array(attemptSchema),
  })
  .meta({ id: "DeliveryRecord", description: "A delivery with its attempts." });

export const retriedDelivery = z
  .object({ id: idSchema("delivery"), state: z.literal("pending"), nextAttemptAt: time })
  .meta({ id: "RetriedDelivery", description: "A delivery that is due again." });
