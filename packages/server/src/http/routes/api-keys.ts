// The routes of API keys: what they take, and how outcomes become answers. Deciding and storing is manage/api-keys.ts.
// A key's text leaves in one answer, the one that made it.
import { parseId, uuidFromBytes, uuidFromId } from "@posthorn/contract";
import { z } from "zod";
import type { ApiKeys, KeyChanged, KeyMade } from "../../manage/api-keys.ts";
import type { KeyActor } from "../../manage/key-actor.ts";
import { allowedIpsField } from "../../manage/receiver-fields.ts";
import { parseAddressEntry } from "../../security/addresses/address-list.ts";
import { type Answer, failure, fieldFailure, success } from "../answer.ts";
import { captureLimitField, companyIdField, nameField } from "../fields.ts";
import { PAGE_PARAMETERS, pageOf, pageStart, TIME_PARAMETER } from "../paging.ts";
import { boundsFailure, liveKeyFailure, scopeFailure } from "../permission.ts";
import { type Call, type OrdinaryRoute, route } from "../route-entry.ts";
import { apiKeyRecord, createdApiKey } from "../schemas/api-key.ts";
import { hasScope, type Scope, SCOPE_NAMES } from "../scopes.ts";
import { actorOf } from "./webhooks.ts";

/** Every entry must be readable: one that is not would allow nobody, without a word. */
const allowedIps = allowedIpsField.superRefine((entries, context) => {
  for (const [index, entry] of entries.entries()) {
    if (parseAddressEntry(entry) !== null) continue;
    const message = "Expected an address such as 203.0.113.7, or a range such as 2001:db8::/32 without bits beyond it";
    context.addIssue({ code: "custom", path: [index], message });
  }
});
const scopes = z.array(z.enum(SCOPE_NAMES)).min(1, "Name at least one scope");
const limits = {
  allowedIps: allowedIps.nullable().optional(),
  expiresAt: TIME_PARAMETER.nullable().optional(),
};
const ownLimits = {
  ...limits,
  companyId: companyIdField.nullable().optional(),
  captureLimitPerSecond: captureLimitField.nullable().optional(),
};
const creation = z.strictObject({ name: nameField, scopes, livemode: z.boolean().optional(), ...ownLimits }).meta({
  id: "ApiKeyToCreate",
  description: "A key, and what it may do. Its mode is that of the key it is made with, unless `livemode` says other.",
  examples: [{ name: "ERP, publishing", scopes: ["write:events"], allowedIps: ["203.0.113.0/24"] }],
});
const change = z.strictObject({ name: nameField.optional(), scopes: scopes.optional(), ...ownLimits }).meta({
  id: "ApiKeyChange",
  description: "Fields given are replaced, the rest stay, `null` restores the default.",
  examples: [{ expiresAt: "2027-01-01T00:00:00Z" }],
});
export const readKeyCreation = z.strictObject({ name: nameField.optional(), ...limits }).meta({
  id: "ReadKeyToCreate",
  description: "A key that reads one webhook, its events and its deliveries.",
  examples: [{ name: "the receiver, reconciling" }],
});

const setByPosthorn = "It is set by Posthorn. Leave it out.";
const ofOneWebhook = "Keys that read one webhook are made by POST /v1/webhooks/{id}/read-keys.";
const readOnly = {
  id: setByPosthorn,
  key: setByPosthorn,
  status: "It follows from expiresAt and from a revocation.",
  webhookId: ofOneWebhook,
  lastCharacters: setByPosthorn,
  createdAt: setByPosthorn,
  lastUsedAt: setByPosthorn,
  revokedAt: "To revoke a key, DELETE it.",
};
export const readKeyHints = { readOnly: { ...readOnly, webhookId: "It follows from the path." } };
const statusParameter = z.enum(["active", "expired", "revoked"]).optional();
export const keyListQuery = z.strictObject({ ...PAGE_PARAMETERS, status: statusParameter });

export type ApiKeysFace = Pick<ApiKeys, "create" | "createReadKey" | "change" | "revoke" | "get" | "list">;

export function apiKeyRoutes(keys: ApiKeysFace): OrdinaryRoute[] {
  const common = { scope: "admin", tag: "API keys" } as const;
  return [
    route({
      ...common,
      method: "GET",
      path: "/api-keys",
      summary: "List the tenant's API keys, newest first. A sandbox key sees sandbox keys.",
      query: keyListQuery,
      answer: { status: 200, data: apiKeyRecord, isList: true },
      handle: (call) => listKeys(keys, call, null),
    }),
    route({
      ...common,
      method: "POST",
      path: "/api-keys",
      summary: "Make an API key. Its text is shown this once.",
      body: creation,
      hints: { readOnly },
      answer: { status: 201, data: createdApiKey, headers: ["Location"] },
      handle: async (call) => {
        const { livemode, expiresAt, ...fields } = call.body;
        return answerOfMade(call, await keys.create(keyActorOf(call), { ...fields, expiresAtMs: expiresAt }, livemode));
      },
    }),
    route({
      ...common,
      method: "GET",
      path: "/api-keys/{id}",
      summary: "Read one API key.",
      answer: { status: 200, data: apiKeyRecord },
      handle: (call) =>
        withKey(call, async (uuid) => {
          const key = await keys.get(actorOf(call), uuid);
          return key === null ? noKey() : success(key);
        }),
    }),
    route({
      ...common,
      method: "PATCH",
      path: "/api-keys/{id}",
      summary: "Change what an API key may do; null restores the default.",
      body: change,
      hints: { readOnly: { ...readOnly, livemode: "A key keeps its mode. Make another one." } },
      answer: { status: 200, data: apiKeyRecord },
      errors: ["CONFLICT", "LAST_ADMINISTRATOR"],
      handle: (call) =>
        withKey(call, async (uuid) => {
          const { expiresAt, ...fields } = call.body;
          const outcome = await keys.change(keyActorOf(call), uuid, { ...fields, expiresAtMs: expiresAt });
          return answerOfChanged(call, outcome);
        }),
    }),
    route({
      ...common,
      method: "DELETE",
      path: "/api-keys/{id}",
      summary: "Revoke an API key, at once and for good. It stays in the list.",
      answer: { status: 200, data: apiKeyRecord },
      errors: ["LAST_ADMINISTRATOR"],
      handle: (call) => withKey(call, async (uuid) => answerOfChanged(call, await keys.revoke(keyActorOf(call), uuid))),
    }),
  ];
}

/** The key of a request as one who manages keys. */
export function keyActorOf(call: Call): KeyActor {
  const held = call.principal.scopes;
  return { ...actorOf(call), holds: (scope) => hasScope(held, scope as Scope) };
}

/** @param webhookUuid whose read keys; null for all keys */
export async function listKeys(
  keys: ApiKeysFace,
  call: Call<z.output<typeof keyListQuery>>,
  webhookUuid: string | null,
): Promise<Answer> {
  const start = pageStart("api_key", call.query);
  if (!start.ok) return start.failure;
  const filter = { beforeUuid: start.beforeUuid, webhookUuid, status: call.query.status ?? null };
  const found = await keys.list(actorOf(call), filter, start.limit + 1);
  if (found === null) return noKey();
  return pageOf(
    "api_key",
    found,
    start.limit,
    (key) => uuidFromId("apiKey", key.id),
    (key) => key,
  );
}

export async function withKey(call: Call, then: (uuid: string) => Promise<Answer>, name = "id"): Promise<Answer> {
  const bytes = parseId("apiKey", call.params[name] as string);
  return bytes === null ? noKey() : then(uuidFromBytes(bytes));
}

export function answerOfMade(call: Call, outcome: KeyMade): Answer {
  if (outcome.kind !== "made") return refusalOf(call, outcome);
  const data = { ...outcome.key, key: outcome.text };
  return { ...success(data, 201), headers: { location: `/v1/api-keys/${outcome.key.id}` } };
}

export function answerOfChanged(call: Call, outcome: KeyChanged): Answer {
  switch (outcome.kind) {
    case "changed":
      return success(outcome.key);
    case "last_administrator":
      return failure("LAST_ADMINISTRATOR");
    case "revoked":
      return failure("CONFLICT", "This key is revoked, and stays so. Make another one.");
    default:
      return refusalOf(call, outcome);
  }
}

function refusalOf(call: Call, outcome: Exclude<KeyMade, { kind: "made" }>): Answer {
  switch (outcome.kind) {
    case "invalid":
      return fieldFailure(outcome.details);
    case "scope_missing":
      return scopeFailure(outcome.scope as Scope, call.principal.scopes);
    case "live_key_needed":
      return liveKeyFailure();
    case "out_of_bounds":
      return boundsFailure(outcome.field, outcome.message);
    case "absent":
      return noKey();
    default:
      return outcome satisfies never;
  }
}

function noKey(): Answer {
  return failure("NOT_FOUND", "There is no such thing. Check the ids; a sandbox key sees nothing of live mode.");
}
