// What comes of acting on a webhook or a delivery: a test, a cancellation, a request as it would be sent now.
import { z } from "zod";
import { isEventTypeName } from "../../catalogue/pattern.ts";
import { headerMap, idSchema, time } from "./common.ts";

const request = {
  method: z.string(),
  url: z.string(),
  headers: headerMap,
  body: z.string().meta({ description: "Absent when it is not UTF-8." }).optional(),
  bodyBase64: z.string().meta({ description: "In the place of `body` when that is not UTF-8." }).optional(),
};

const warnings = z
  .array(z.object({ code: z.string(), field: z.string(), message: z.string() }))
  .meta({ description: "What a template found no value for." })
  .optional();

export const webhookTestBody = z
  .strictObject({
    event: z
      .string()
      // It goes into a header and into the envelope as it is.
      .refine(isEventTypeName, "Expected an event type such as invoice.paid")
      .meta({ description: "The event type.", examples: ["invoice.paid"] }),
    testData: z
      .unknown()
      .meta({ description: "What stands as `data`, whole. The catalogue's example when left out." })
      .optional(),
    secret: z
      .enum(["current", "next"])
      .meta({ description: "`next` signs with the secret that a rotation brings, to try it before the switch." })
      .optional(),
  })
  .meta({ id: "WebhookTest", description: "What to send.", examples: [{ event: "invoice.paid" }] });

export const webhookTestResult = z
  .object({
    delivered: z
      .boolean()
      .meta({ description: "True when the answer is a success: 200 to 299, or as the webhook's rules say." }),
    outcome: z.string().meta({ description: "As of an attempt; `not_sent` when no request could be made." }),
    responseCode: z.int().nullable(),
    responseTime: z.int().nullable().meta({ description: "Milliseconds, from the name's lookup to the end." }),
    responseHeaders: headerMap.nullable(),
    responseBody: z.string().nullable().meta({ description: "Its first 16 KiB." }),
    responseBodyEncoding: z.enum(["utf8", "base64"]).nullable(),
    responseBodyTruncated: z.boolean(),
    decidedBy: z
      .string()
      .meta({ description: "The rule that decided, such as `onResponse[0]`; only when one did." })
      .optional(),
    extracted: z.record(z.string(), z.string()).meta({ description: "What rules took out of the answer." }).optional(),
    request: z.object(request).nullable().meta({ description: "What was sent; signatures are real." }),
    error: z
      .object({ code: z.string(), message: z.string() })
      .meta({ description: "Only when nothing came back." })
      .optional(),
    warnings,
  })
  .meta({ id: "WebhookTestResult", description: "What came back from one real request." });

export const cancelledDelivery = z
  .object({
    id: idSchema("delivery"),
    state: z.literal("cancelled"),
    cancelledAt: time,
    cancelledReason: z.literal("requested"),
  })
  .meta({ id: "CancelledDelivery", description: "A delivery that will not be made." });

export const deliveryRequest = z
  .object({
    ...request,
    bodyHashMatches: z
      .boolean()
      .nullable()
      .meta({ description: "Whether the body is the one sent last; null when nothing was sent yet." }),
    warnings,
  })
  .meta({ id: "DeliveryRequest", description: "A request as it would be sent now: fresh signatures, secrets masked." });
