// Statistics, log entries and dead letters as the API shows them: the members of read/log-views.ts, one by one.
import { z } from "zod";
import { eventTypeName, idSchema, publicEventId, time } from "./common.ts";
import { listedDelivery } from "./delivery.ts";

const milliseconds = z.int().min(0).meta({ description: "Milliseconds." });
const responseCode = z.int().nullable().meta({ description: "Null when no answer came." });

const figures = {
  totalDelivered: z.int().min(0).meta({ description: "Deliveries that arrived, replays too." }),
  totalFailed: z.int().min(0).meta({ description: "Dead letters that nobody has retried." }),
  successRate: z
    .number()
    .min(0)
    .max(100)
    .nullable()
    .meta({ description: "Percent of both, two decimals; null while there are none.", examples: [99.5] }),
  deliveredRatio: z
    .number()
    .min(0)
    .max(1)
    .nullable()
    .meta({
      description:
        "Delivered ÷ ended: totalDelivered of totalDelivered and totalFailed, cut after six decimals, so that 1 means all of them. What was cancelled counts on neither side. Null while nothing has ended.",
      examples: [0.999],
    }),
  lastDelivery: time.nullable(),
  averageResponseTime: milliseconds
    .nullable()
    .meta({ description: "Milliseconds from the start of a request to its answer, over all that were answered." }),
};

export const tenantStatistics = z.object(figures).meta({
  id: "TenantStatistics",
  description: "What all webhooks of the key's tenant and mode have done, deleted ones included, exact at this moment.",
});

export const webhookStatistics = z
  .object({
    ...figures,
    recentDeliveries: z
      .array(
        z.object({
          eventId: publicEventId,
          event: eventTypeName.nullable(),
          deliveredAt: time.nullable(),
          responseCode,
          responseTime: milliseconds.nullable(),
        }),
      )
      .max(10)
      .meta({ description: "The ten newest that arrived." }),
  })
  .meta({ id: "WebhookStatistics", description: "What a webhook has done since it was made, exact at this moment." });

export const logEntry = z
  .object({
    id: z.string().regex(/^log_[0-7][0-9A-HJKMNP-TV-Z]{25}$/),
    deliveryId: idSchema("delivery"),
    eventId: publicEventId,
    event: eventTypeName.nullable().meta({ description: "Null when the event is past its retention already." }),
    status: z.enum(["success", "failed", "pending", "cancelled"]),
    deliveredAt: time.nullable().meta({ description: "When it arrived; null while it has not." }),
    responseCode,
    responseTime: milliseconds.nullable(),
    responseBody: z.string().nullable().meta({ description: "The beginning of the answer, up to 16 KiB." }),
    responseBodyEncoding: z.literal("base64").meta({ description: "Only when the answer is no text." }).optional(),
    retryCount: z.int().min(0).meta({ description: "Attempts after the first." }),
    nextRetryAt: time.nullable().meta({ description: "When the next attempt is due." }),
    outcome: z
      .string()
      .nullable()
      .meta({ description: "How the latest attempt went.", examples: ["delivered", "timed_out"] }),
    lastAttemptAt: time.nullable(),
    reason: z.string().nullable().meta({ description: "Why it is held, dead or cancelled." }),
  })
  .meta({ id: "LogEntry", description: "A delivery with its latest attempt." });

export const deadLetter = z
  .object({
    ...listedDelivery.shape,
    lastAttempt: z
      .object({
        startedAt: time,
        durationMs: milliseconds,
        outcome: z.string(),
        outcomeCode: z.string().nullable(),
        responseStatus: z.int().nullable(),
      })
      .nullable()
      .meta({ description: "Null when it ended before its first attempt." }),
  })
  .meta({ id: "DeadLetter", description: "A delivery that is not tried by itself any more." });

const bulk = {
  dryRun: z.boolean(),
  count: z.int().min(0).meta({ description: "How many; a dry run counts up to 100,000." }),
  hasMore: z.boolean(),
};

export const retriedDeadLetters = z
  .object(bulk)
  .meta({ id: "RetriedDeadLetters", description: "How many dead letters are pending again, or would be." });

export const replayedWebhook = z
  .object({
    webhookId: idSchema("webhook"),
    ...bulk,
    nextCursor: z.string().nullable().meta({ description: "Given back as `cursor`, the next call goes on there." }),
  })
  .meta({ id: "ReplayedWebhook", description: "How many events are delivered once more, or would be." });
