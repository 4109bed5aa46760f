// Events as the API takes and shows them. The bodies to publish are described here and checked by capture's scanner,
// which never builds a value; a test holds the two together.
import { z } from "zod";
import { eventTypeName, idSchema, publicEventId, time } from "./common.ts";
import { deliverySchema } from "./delivery.ts";

const EXAMPLE = {
  event: "invoice.paid",
  timestamp: "2026-11-23T08:00:00Z",
  data: { object: { id: "inv_871", invoiceNumber: "INV-00871", status: "PAID", total: 1250.5, currency: "MYR" } },
  context: { companyId: "company_default", source: "web" },
};

/** Body of POST /events. */
export const eventToPublish = z
  .strictObject({
    event: eventTypeName,
    data: z.unknown().meta({ description: "Any JSON value, up to 10 MiB; delivered byte for byte." }),
    id: publicEventId.optional(),
    timestamp: z
      .string()
      .meta({ format: "date-time", description: "When it happened, with an offset. Now when left out." })
      .optional(),
    context: z
      .record(z.string(), z.unknown())
      .meta({
        description: "Where it came from, up to 64 KiB: `companyId`, `userId`, `source`, `ip` and what you like.",
      })
      .optional(),
  })
  .meta({ id: "EventToPublish", description: "An event, as a sender publishes it.", examples: [EXAMPLE] });

const CLOUD_EVENT = {
  specversion: "1.0",
  id: "A234-1234-1234",
  source: "/erp/invoicing",
  type: "invoice.paid",
  data: EXAMPLE.data,
};

/** Body of POST /events as a structured CloudEvent. */
export const cloudEventToPublish = z
  .looseObject({
    specversion: z.literal("1.0"),
    id: publicEventId,
    source: z.string().meta({ description: "Becomes `context.source`." }),
    type: eventTypeName,
    data: z.unknown().meta({ description: "Any JSON value, up to 10 MiB; delivered byte for byte." }),
    time: z.string().meta({ format: "date-time" }).optional(),
    datacontenttype: z.string().meta({ description: "JSON; `application/json` when left out." }).optional(),
    partitionkey: z.string().meta({ description: "Becomes `orderingKey`." }).optional(),
    companyid: z.string().meta({ description: "Becomes `context.companyId`." }).optional(),
    userid: z.string().meta({ description: "Becomes `context.userId`." }).optional(),
  })
  .meta({
    id: "CloudEventToPublish",
    description:
      "A CloudEvent 1.0. In binary mode these are `ce-…` headers beside `application/json`, and the body is `data`.",
    examples: [CLOUD_EVENT],
  });

/** Body of POST /events/batch as a batch of CloudEvents. */
export const cloudEventsToPublish = z
  .array(cloudEventToPublish)
  .min(1)
  .max(1_000)
  .meta({ description: "Up to 1,000 CloudEvents and 32 MiB.", examples: [[CLOUD_EVENT]] });

/** Body of POST /events/batch as JSON. */
export const batchToPublish = z
  .strictObject({ events: z.array(eventToPublish).min(1).max(1_000) })
  .meta({ id: "BatchToPublish", description: "Up to 1,000 events and 32 MiB.", examples: [{ events: [EXAMPLE] }] });

/** Body of POST /events/batch as NDJSON. */
export const linesToPublish = z.string().meta({
  description: "One event on each line, up to 1,000 and 32 MiB; each line is an EventToPublish.",
  examples: [`${JSON.stringify(EXAMPLE)}\n${JSON.stringify({ ...EXAMPLE, event: "invoice.sent" })}\n`],
});

export const publishedEvent = z
  .object({
    id: publicEventId,
    event: eventTypeName,
    timestamp: time,
    livemode: z.boolean(),
    deliveries: z.int().min(0).meta({ description: "How many webhooks will get it." }),
  })
  .meta({ id: "PublishedEvent", description: "An event that is stored together with its deliveries." });

const refusal = z.object({
  code: z.string().meta({ description: "A code of the page of errors." }),
  message: z.string(),
  details: z.array(z.looseObject({ message: z.string(), code: z.string(), field: z.string().optional() })),
  retryable: z.boolean().meta({ description: "True when the same event may be taken later, unchanged." }),
});

export const batchResult = z
  .object({
    results: z.array(
      z.union([
        z.object({
          index: z.int().min(0),
          status: z.enum(["accepted", "duplicate"]),
          id: publicEventId,
          deliveries: z.int().min(0),
        }),
        z.object({ index: z.int().min(0), status: z.literal("refused"), error: refusal }),
      ]),
    ),
  })
  .meta({ id: "BatchResult", description: "What became of each event of a batch, in the order of the batch." });

const head = {
  id: publicEventId,
  recordId: idSchema("event")
    .meta({ description: "Our own id, where `id` is the sender's; a sender may use an id again." })
    .optional(),
  event: eventTypeName,
  timestamp: time,
  livemode: z.boolean(),
  api_version: z.literal("v1"),
  reference: z
    .string()
    .nullable()
    .meta({ description: "The business number inside the payload.", examples: ["INV-00871"] }),
  orderingKey: z.string().nullable(),
  receivedAt: time,
  deliveryCount: z.int().min(0),
  erasedAt: time.meta({ description: "Only when the payload was erased." }).optional(),
};

export const eventHead = z.object(head).meta({ id: "EventHead", description: "An event without its payload." });

export const eventRecord = z
  .object({
    ...head,
    deliveries: z.array(deliverySchema).meta({ description: "Its newest hundred deliveries." }),
    data: z.unknown().meta({ description: "The payload, byte for byte; null when it was erased." }),
    context: z.record(z.string(), z.unknown()).optional(),
  })
  .meta({ id: "Event", description: "An event with its payload and its deliveries." });

export const replayedEvent = z
  .object({
    id: publicEventId,
    event: eventTypeName,
    deliveries: z.array(
      z.object({ id: idSchema("delivery"), webhookId: idSchema("webhook"), state: z.literal("pending") }),
    ),
  })
  .meta({ id: "Replay", description: "The new deliveries of a replayed event." });
