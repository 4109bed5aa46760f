// The routes of a webhook's own read keys, with which its receiver can see for itself what it should have got. They are
// API keys like others: what is decided here is only that they belong to the webhook in the path.
import { parseId, uuidFromBytes } from "@posthorn/contract";
import { type Answer, success } from "../answer.ts";
import { type Call, type OrdinaryRoute, route } from "../route-entry.ts";
import { apiKeyRecord, createdApiKey } from "../schemas/api-key.ts";
import {
  answerOfChanged,
  answerOfMade,
  type ApiKeysFace,
  keyActorOf,
  keyListQuery,
  listKeys,
  readKeyCreation,
  readKeyHints,
  withKey,
} from "./api-keys.ts";
import { noWebhook } from "./webhook-actions.ts";
import { actorOf } from "./webhooks.ts";

export function readKeyRoutes(keys: ApiKeysFace): OrdinaryRoute[] {
  const common = { scope: "admin", tag: "API keys" } as const;
  const ofOne = { ...common, path: "/webhooks/{id}/read-keys/{keyId}" } as const;
  return [
    route({
      ...common,
      method: "GET",
      path: "/webhooks/{id}/read-keys",
      summary: "List the keys that read this webhook and nothing else, newest first.",
      query: keyListQuery,
      answer: { status: 200, data: apiKeyRecord, isList: true },
      handle: (call) =>
        withWebhook(call, async (webhookUuid) => notFoundAsWebhook(await listKeys(keys, call, webhookUuid))),
    }),
    route({
      ...common,
      method: "POST",
      path: "/webhooks/{id}/read-keys",
      summary: "Make a key that reads this webhook, its events and its deliveries. Its text is shown this once.",
      body: readKeyCreation,
      bodyOptional: true,
      hints: readKeyHints,
      answer: { status: 201, data: createdApiKey, headers: ["Location"] },
      handle: (call) =>
        withWebhook(call, async (webhookUuid) => {
          const { expiresAt, ...fields } = call.body;
          const made = await keys.createReadKey(keyActorOf(call), webhookUuid, { ...fields, expiresAtMs: expiresAt });
          return notFoundAsWebhook(answerOfMade(call, made));
        }),
    }),
    route({
      ...ofOne,
      method: "GET",
      summary: "Read one of its keys.",
      answer: { status: 200, data: apiKeyRecord },
      handle: (call) => withReadKey(keys, call, async (key) => success(key)),
    }),
    route({
      ...ofOne,
      method: "DELETE",
      summary: "Revoke one of its keys, at once and for good. It stays in the list.",
      answer: { status: 200, data: apiKeyRecord },
      handle: (call) =>
        withReadKey(keys, call, async (_key, uuid) => answerOfChanged(call, await keys.revoke(keyActorOf(call), uuid))),
    }),
  ];
}

async function withWebhook(call: Call, then: (webhookUuid: string) => Promise<Answer>): Promise<Answer> {
  const bytes = parseId("webhook", call.params["id"] as string);
  return bytes === null ? noWebhook() : then(uuidFromBytes(bytes));
}

async function withReadKey(
  keys: ApiKeysFace,
  call: Call,
  then: (key: NonNullable<Awaited<ReturnType<ApiKeysFace["get"]>>>, uuid: string) => Promise<Answer>,
): Promise<Answer> {
  return withWebhook(call, () =>
    withKey(
      call,
      async (uuid) => {
        const key = await keys.get(actorOf(call), uuid);
        if (key === null || key.webhookId !== call.params["id"]) return noWebhook();
        return then(key, uuid);
      },
      "keyId",
    ),
  );
}

function notFoundAsWebhook(answer: Answer): Answer {
  return answer.kind === "failure" && answer.code === "NOT_FOUND" ? noWebhook() : answer;
}
