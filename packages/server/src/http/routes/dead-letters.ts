// The routes that read dead letters and retry many of them.
import { parseId, uuidFromBytes } from "@posthorn/contract";
import { z } from "zod";
import type { BulkRetries } from "../../replay/retry-many.ts";
import { type Answer, type Failure, failure, fieldFailure, success } from "../answer.ts";
import { PAGE_PARAMETERS, pageOf, pageStart, TIME_PARAMETER } from "../paging.ts";
import type { DeliveryLogs } from "../read/delivery-logs.ts";
import { deadLetterView } from "../read/log-views.ts";
import { type Call, type OrdinaryRoute, route } from "../route-entry.ts";
import { deadLetter, retriedDeadLetters } from "../schemas/log.ts";
import { TYPE_PARAMETER, typeFilter } from "../type-parameter.ts";
import { actorOf } from "./webhooks.ts";

/** Why a delivery is not tried any more; those of the table dead_letter. */
const REASONS = [
  "attempts_exhausted",
  "endpoint_gone",
  "webhook_disabled",
  "rejected_permanently",
  "expired",
  "skipped",
] as const;
const DEFAULT_RETRIES = 1_000;
const MAX_RETRIES = 10_000;

const filter = {
  webhookId: z.string().max(200).optional(),
  reason: z.enum(REASONS).optional(),
  type: TYPE_PARAMETER.optional(),
  from: TIME_PARAMETER.optional(),
  to: TIME_PARAMETER.optional(),
};
const listQuery = z.strictObject({ ...PAGE_PARAMETERS, ...filter });
const retryBody = z
  .strictObject({
    ...filter,
    limit: z
      .int()
      .min(1)
      .max(MAX_RETRIES)
      .optional()
      .meta({ description: `At most so many; ${DEFAULT_RETRIES} when left out.` }),
    dryRun: z.boolean().optional().meta({ description: "Counts and changes nothing." }),
  })
  .meta({
    id: "DeadLettersToRetry",
    description: "Which dead letters; without a filter all whose webhook is enabled.",
    examples: [{ reason: "attempts_exhausted", from: "2026-11-23T00:00:00Z", dryRun: true }],
  });

export type DeadLettersFace = Pick<DeliveryLogs, "deadLetters">;
export type BulkRetriesFace = Pick<BulkRetries, "retry">;

export function deadLetterRoutes(deliveryLogs: DeadLettersFace, bulkRetries: BulkRetriesFace): OrdinaryRoute[] {
  return [
    route({
      method: "GET",
      path: "/dead-letters",
      allowsReadKey: true,
      scope: "read:events",
      summary: "List dead letters, newest first, with what their latest attempts met.",
      tag: "Deliveries",
      query: listQuery,
      answer: { status: 200, data: deadLetter, isList: true },
      handle: (call) => list(deliveryLogs, call),
    }),
    route({
      method: "POST",
      path: "/dead-letters/retry",
      scope: "write:deliveries",
      summary: "Try many dead letters now, oldest first; repeat the call while it says that there are more.",
      tag: "Deliveries",
      body: retryBody,
      answer: { status: 200, data: retriedDeadLetters },
      errors: ["CONFLICT"],
      handle: (call) => retry(bulkRetries, call),
    }),
  ];
}

async function list(deliveryLogs: DeadLettersFace, call: Call<z.output<typeof listQuery>>): Promise<Answer> {
  const start = pageStart("dead_letter", call.query);
  if (!start.ok) return start.failure;
  const wanted = wantedOf(call.query);
  if (!wanted.ok) return wanted.failure;
  const query = { ...wanted.query, cursorUuid: start.beforeUuid };
  const found = await deliveryLogs.deadLetters(call.principal, query, start.limit + 1);
  return pageOf("dead_letter", found, start.limit, ({ delivery }) => delivery.id, deadLetterView);
}

async function retry(bulkRetries: BulkRetriesFace, call: Call<undefined, z.output<typeof retryBody>>): Promise<Answer> {
  const wanted = wantedOf(call.body);
  if (!wanted.ok) return wanted.failure;
  const dryRun = call.body.dryRun ?? false;
  const limit = call.body.limit ?? DEFAULT_RETRIES;
  const outcome = await bulkRetries.retry(actorOf(call), { ...wanted.query, limit, dryRun });
  switch (outcome.kind) {
    case "retried":
      return success({ dryRun, count: outcome.count, hasMore: outcome.hasMore });
    case "no_webhook":
      return unknownWebhook();
    case "not_possible":
      return failure("CONFLICT", outcome.message);
    default:
      return outcome satisfies never;
  }
}

type Wanted = {
  readonly webhookUuid: string | null;
  readonly reason: string | null;
  readonly type: ReturnType<typeof typeFilter>;
  readonly fromMs: number | null;
  readonly toMs: number | null;
};

/** The members of a filter, in the form that statements take. */
function wantedOf(
  given: z.output<typeof retryBody> | z.output<typeof listQuery>,
): { readonly ok: true; readonly query: Wanted } | { readonly ok: false; readonly failure: Failure } {
  const webhook = given.webhookId === undefined ? undefined : parseId("webhook", given.webhookId);
  if (webhook === null) {
    const detail = { field: "webhookId", message: "Expected an id webhook_….", code: "INVALID_VALUE" };
    return { ok: false, failure: fieldFailure([detail]) };
  }
  return {
    ok: true,
    query: {
      webhookUuid: webhook === undefined ? null : uuidFromBytes(webhook),
      reason: given.reason ?? null,
      type: typeFilter(given.type),
      fromMs: given.from ?? null,
      toMs: given.to ?? null,
    },
  };
}

function unknownWebhook(): Answer {
  return fieldFailure([
    { field: "webhookId", message: "There is no such webhook in this mode.", code: "UNKNOWN_WEBHOOK" },
  ]);
}
