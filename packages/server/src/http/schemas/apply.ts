// The plan of an apply as the API shows it: manage/apply.ts, member by member.
import { z } from "zod";
import { idSchema } from "./common.ts";

const fieldChange = z.object({
  from: z.unknown().meta({ description: "Null for a webhook that is new." }),
  to: z.unknown(),
});

const plannedWebhook = z
  .object({
    name: z.string().nullable().meta({ description: "Null only for a webhook without a name that is deleted." }),
    action: z.enum(["create", "update", "unchanged", "delete"]),
    id: idSchema("webhook").optional(),
    changes: z.record(z.string(), fieldChange).meta({ description: "By field. Secret values show as `********`." }),
    warnings: z
      .array(z.object({ code: z.string(), field: z.string(), message: z.string() }))
      .meta({ description: "What is allowed and probably not meant." }),
    secret: z
      .string()
      .optional()
      .meta({ description: "The signing secret, where one was made. It is shown this once." }),
    standardWebhooksSecret: z
      .string()
      .optional()
      .meta({ description: "The same, as libraries for Standard Webhooks take it." }),
  })
  .meta({ id: "PlannedWebhook", description: "What becomes of one webhook." });

export const appliedPlan = z
  .object({
    plan: z.array(plannedWebhook).meta({ description: "In the order of the request; deletions come last." }),
    applied: z.boolean().meta({ description: "False for a dry run." }),
  })
  .meta({ id: "AppliedPlan", description: "What applying changes, or would change." });
