// Programs that may ask for access, and what they were allowed to do, as the API shows them.
import { z } from "zod";
import { SCOPE_NAMES } from "../scopes.ts";
import { idSchema, time } from "./common.ts";

const scopes = z.array(z.enum(SCOPE_NAMES));

export const oauthClientRecord = z
  .object({
    id: idSchema("oauthClient").meta({ description: "What the program sends as `client_id`." }),
    name: z.string().meta({ description: "Shown to whoever is asked." }),
    redirectUris: z.array(z.string()),
    scopes: scopes.meta({ description: "The most that it may ask for." }),
    createdAt: time,
  })
  .meta({ id: "OauthClient", description: "A program that may ask for access (OAuth 2.0)." });

export const deletedOauthClient = z
  .object({ id: idSchema("oauthClient"), deleted: z.literal(true), endedGrants: z.int() })
  .meta({ id: "DeletedOauthClient", description: "A program that is gone, with what it was allowed to do." });

export const oauthGrantRecord = z
  .object({
    id: idSchema("oauthGrant"),
    clientId: idSchema("oauthClient"),
    clientName: z.string().nullable().meta({ description: "Null when the program was removed." }),
    grantedBy: idSchema("apiKey").meta({ description: "The key with which it was allowed; the grant ends with it." }),
    scopes,
    status: z.enum(["active", "expired", "revoked"]),
    createdAt: time,
    lastUsedAt: time.nullable().meta({ description: "To the minute." }),
    revokedAt: time.nullable(),
  })
  .meta({ id: "OauthGrant", description: "What somebody allowed a program to do." });

export const revokedOauthGrant = z
  .object({ id: idSchema("oauthGrant"), revoked: z.literal(true) })
  .meta({ id: "RevokedOauthGrant", description: "A grant that has ended." });
