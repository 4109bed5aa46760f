// API keys as the API shows them: the members of manage/api-key-view.ts, one by one.
import { z } from "zod";
import { SCOPE_NAMES } from "../scopes.ts";
import { idSchema, time } from "./common.ts";

const own = {
  id: idSchema("apiKey"),
  name: z.string(),
  status: z.enum(["active", "expired", "revoked"]),
  scopes: z.array(z.enum(SCOPE_NAMES)),
  livemode: z.boolean().meta({ description: "False for a sandbox key." }),
  companyId: z.string().nullable().meta({ description: "The company that the key is bound to." }),
  webhookId: idSchema("webhook").nullable().meta({ description: "The webhook that it reads, for a read key." }),
  allowedIps: z
    .array(z.string())
    .nullable()
    .meta({ description: "Addresses and CIDR ranges from which it may be used; null for any." }),
  captureLimitPerSecond: z.int().nullable(),
  lastCharacters: z.string().meta({ description: "The end of its text, to tell it from others." }),
  createdAt: time,
  expiresAt: time.nullable(),
  lastUsedAt: time.nullable().meta({ description: "To the minute." }),
  revokedAt: time.nullable(),
};

export const apiKeyRecord = z.object(own).meta({ id: "ApiKey", description: "An API key, without its text." });

export const createdApiKey = z
  .object({ ...own, key: z.string().meta({ description: "The key itself. It is shown this once." }) })
  .meta({ id: "CreatedApiKey", description: "A new API key with its text." });
