// A preview: what goes in (a webhook and an event) and what comes out (what would happen, and why).
import { SENDER_ID_PATTERN } from "@posthorn/contract";
import { z } from "zod";
import { webhookCreation } from "../../manage/webhook-fields.ts";
import { headerMap } from "./common.ts";
import { warnings } from "./warning.ts";

const event = z
  .strictObject({
    example: z.string().max(200).optional().meta({ description: "An event type, for its example; then nothing else." }),
    id: z
      .string()
      .regex(SENDER_ID_PATTERN, "Expected the id of an event")
      .optional()
      .meta({ description: "Alone: a stored event. Beside `event`: the id that the event would have." }),
    event: z.string().max(200).optional().meta({ description: "The event type of an event that is given here." }),
    data: z.unknown().optional(),
    timestamp: z.string().max(100).optional(),
    context: z.record(z.string(), z.unknown()).optional(),
    orderingKey: z.string().max(200).optional(),
  })
  .meta({ description: "An event as it would be published, the id of a stored one, or a type for its example." });

export const previewBody = z
  .strictObject({
    webhook: z
      .union([webhookCreation, z.string().max(200)])
      .meta({ description: "A webhook as it would be created, or the id of one." }),
    event,
    response: z
      .strictObject({
        status: z.int().min(200).max(599),
        headers: z.record(z.string(), z.string()).optional(),
        body: z.unknown().optional().meta({ description: "Any JSON value; a text is the body as it is." }),
      })
      .optional()
      .meta({ description: "An answer, to see what the webhook's rules would make of it." }),
  })
  .meta({
    id: "PreviewRequest",
    description: "A webhook and an event.",
    examples: [
      {
        webhook: {
          url: "https://receiver.example.com/hooks",
          events: ["invoice.paid"],
          filters: ["invoice.total > 100"],
        },
        event: { example: "invoice.paid" },
      },
    ],
  });

const result = z.boolean().nullable().meta({ description: "Null: no answer, because something it needs is missing." });

const filter = z.object({
  field: z.string().meta({ description: "Where it stands in the webhook.", examples: ["filters[0]", "conditions[1]"] }),
  source: z.string().meta({ description: "The expression that was asked; a map and conditions are translated." }),
  result,
  clauses: z
    .array(
      z.object({
        source: z.string(),
        result,
        reads: z.array(z.object({ path: z.string(), json: z.string().nullable() })).meta({
          description: "What the clause found: the beginning of each value as JSON, null where there is none.",
        }),
      }),
    )
    .meta({ description: "The parts between `&&`." }),
  fault: z
    .object({ code: z.string(), message: z.string() })
    .meta({ description: "Only when it was stopped." })
    .optional(),
});

export const preview = z
  .object({
    matched: z.boolean().meta({ description: "Whether the event's type, the scope, all filters and the routes fit." }),
    typeMatches: z.boolean(),
    scope: z
      .object({ inScope: z.boolean(), reason: z.string().nullable().meta({ description: "Why it is outside." }) })
      .nullable()
      .meta({ description: "Whether the event lies in the webhook's scope; null: it has none." }),
    status: z.string().optional().meta({ description: "Of a webhook that exists: one that is disabled gets nothing." }),
    filters: z.array(filter),
    routes: z
      .array(
        z.object({
          name: z.string(),
          gives: z.boolean(),
          steps: z.array(z.int()).meta({ description: "Those that hold, from 0; empty: it came to the default." }),
        }),
      )
      .meta({ description: "Of a webhook that exists: the routes in which it stands; one has to give it the event." }),
    event: z.object({ id: z.string(), event: z.string(), timestamp: z.string(), livemode: z.boolean() }),
    batch: z
      .object({
        kind: z.enum(["batch", "digest"]),
        key: z.string().nullable().meta({ description: "What the batch's key says of the event, as JSON." }),
        sendsAtOnce: z.boolean().meta({ description: "Whether the event sends its batch (`flushOnEvent`)." }),
      })
      .nullable()
      .meta({ description: "How the event would travel with others; the request shows a batch of it alone." }),
    coalesceKey: z
      .string()
      .nullable()
      .meta({ description: "The thing that it is a state of, as JSON: only the last one is sent." }),
    request: z
      .object({
        method: z.string(),
        url: z.string(),
        headers: headerMap,
        contentType: z.string().nullable().meta({ description: "Null: there is no body." }),
        body: z.string().meta({ description: "Its first 256 KiB." }),
        bodyLength: z.int().meta({ description: "Bytes." }),
        bodyTruncated: z.boolean(),
      })
      .nullable()
      .meta({ description: "What would be sent if the event matched; signatures and secret values are masked." }),
    fault: z
      .object({ code: z.string(), field: z.string(), message: z.string() })
      .meta({ description: "Why there is no request: the template cannot be rendered, so the delivery would be held." })
      .optional(),
    answer: z
      .object({
        outcome: z.string().meta({ examples: ["delivered", "rejected_by_rule"] }),
        decidedBy: z.string().nullable().meta({ description: "The rule that decided; null: the status." }),
        verdict: z.string().meta({ examples: ["delivered", "retry", "dead_letter"] }),
        nextAttemptAt: z.string().nullable().meta({ description: "If it came now, after a first attempt." }),
        reason: z.string().nullable(),
        webhookBecomes: z.enum(["paused", "disabled"]).nullable(),
        extracted: z.record(z.string(), z.string()),
      })
      .meta({ description: "What would follow the answer given; only with `response`." })
      .optional(),
    warnings,
  })
  .meta({ id: "Preview", description: "What would happen. Nothing was sent or stored." });

export type PreviewBody = z.output<typeof previewBody>;
