// Entries of the trail as the API shows them.
import { z } from "zod";
import { idSchema, time } from "./common.ts";

export const AUDITED_OBJECTS = [
  "webhook",
  "delivery",
  "event",
  "api_key",
  "company",
  "tenant",
  "digest",
  "event_type",
  "rule",
  "code_table",
  "organisation",
  "route",
  "oauth_client",
  "oauth_grant",
] as const;

export const auditEntry = z
  .object({
    id: idSchema("audit"),
    at: time,
    actor: z.string().meta({ description: "The key that did it, a node that did it by itself, or `operator`." }),
    action: z.string().meta({ examples: ["webhook.updated"] }),
    objectType: z.enum(AUDITED_OBJECTS),
    objectId: z.string(),
    requestId: z.string().nullable().meta({ description: "Null when it did not come by a request." }),
    change: z
      .record(z.string(), z.unknown())
      .meta({ description: "What changed: `{ field: { from, to } }`; secrets are masked." }),
  })
  .meta({ id: "AuditEntry", description: "One change, and who made it." });
