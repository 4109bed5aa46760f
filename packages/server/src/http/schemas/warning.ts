// Warnings as the API shows them: beside a webhook that was written, beside an attempt, in a preview.
import { z } from "zod";

export const configurationWarning = z
  .object({
    code: z.enum(["NEVER_MATCHES_TYPE", "MISSING_IN_TEMPLATE", "RULE_NOT_EVALUATED", "TAGGED_FIELDS_SENT"]),
    field: z.string().meta({ examples: ["filters[0]", "transform.template.order_id"] }),
    message: z.string(),
  })
  .meta({ id: "Warning", description: "Something that is allowed and probably not meant." });

/** Only there when there is something to tell. */
export const warnings = z.array(configurationWarning).optional();
