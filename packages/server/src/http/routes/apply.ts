// The route that makes webhooks what a file says. Planning and writing is manage/apply.ts.
import { z } from "zod";
import type { Applied, Applies } from "../../manage/apply.ts";
import { WEBHOOK_FIELD_HINTS, webhookToApply } from "../../manage/webhook-fields.ts";
import { type Answer, failure, fieldFailure, success } from "../answer.ts";
import { type OrdinaryRoute, route } from "../route-entry.ts";
import { appliedPlan } from "../schemas/apply.ts";
import { actorOf, FIELD_ERRORS } from "./webhooks.ts";

export type AppliesFace = Pick<Applies, "apply">;

/** One transaction, during which no other webhook of the installation can be changed. */
export const MAX_WEBHOOKS_APPLIED = 1_000;

const applyQuery = z.strictObject({
  dryRun: z.enum(["true", "false"]).optional().meta({ description: "`true` plans and changes nothing." }),
});

const applyBody = z
  .strictObject({
    webhooks: z
      .array(webhookToApply)
      .max(MAX_WEBHOOKS_APPLIED, `At most ${MAX_WEBHOOKS_APPLIED} at a time; all of them change at once or none does`)
      .meta({ description: "Matched by `name` within the tenant and the key's mode." }),
    prune: z.boolean().optional().meta({ description: "True deletes every other webhook of this tenant and mode." }),
  })
  .meta({
    id: "WebhooksToApply",
    description: "What webhooks should be. All of it is done, or nothing.",
    examples: [
      { webhooks: [{ name: "Paid invoices", url: "https://receiver.example.com/webhooks", events: ["invoice.paid"] }] },
    ],
  });

export function applyRoutes(applies: AppliesFace): OrdinaryRoute[] {
  return [
    route({
      method: "POST",
      path: "/webhooks/apply",
      scope: "write:webhooks",
      summary: "Make webhooks what a file says: create, change, and with `prune` delete, all or nothing.",
      tag: "Webhooks",
      query: applyQuery,
      body: applyBody,
      hints: { ...WEBHOOK_FIELD_HINTS, inListOf: "webhooks" },
      answer: { status: 200, data: appliedPlan },
      errors: [...FIELD_ERRORS, "DUPLICATE_NAME", "AMBIGUOUS_NAME", "CONFLICT"],
      handle: async (call) => {
        const { webhooks, prune = false } = call.body;
        const how = { dryRun: call.query.dryRun === "true", prune };
        return answerOf(await applies.apply(actorOf(call), webhooks, how));
      },
    }),
  ];
}

function answerOf(outcome: Applied): Answer {
  switch (outcome.kind) {
    case "planned":
      return success({ plan: outcome.plan, applied: outcome.applied });
    case "invalid":
    case "ambiguous":
      return fieldFailure(outcome.details);
    case "overtaken":
      return failure("CONFLICT", "These webhooks were changed by somebody else again and again. Repeat the request.");
    default:
      return outcome satisfies never;
  }
}
