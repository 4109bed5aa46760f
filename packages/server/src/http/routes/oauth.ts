// The routes of programs that may ask for access (OAuth clients) and of what they were allowed to do. Asking and allowing
// itself is http/oauth, deciding and storing manage/oauth-*.ts.
import { type IdKind, parseId, uuidFromBytes, uuidFromId } from "@posthorn/contract";
import { z } from "zod";
import type { OauthClients } from "../../manage/oauth-clients.ts";
import type { OauthGrants } from "../../manage/oauth-grants.ts";
import { type Answer, failure, success } from "../answer.ts";
import { nameField } from "../fields.ts";
import { PAGE_PARAMETERS, pageOf, pageStart } from "../paging.ts";
import { type Call, type OrdinaryRoute, route } from "../route-entry.ts";
import { deletedOauthClient, oauthClientRecord, oauthGrantRecord, revokedOauthGrant } from "../schemas/oauth.ts";
import { SCOPE_NAMES } from "../scopes.ts";
import { actorOf } from "./webhooks.ts";

const redirectUri = z
  .string()
  .max(2_048)
  .refine(isRedirectUri, "Expected https://…, or http://127.0.0.1/… or http://[::1]/…, without a fragment");

const creation = z
  .strictObject({
    name: nameField,
    redirectUris: z.array(redirectUri).min(1, "Name at least one address").max(20),
    scopes: z
      .array(z.enum(SCOPE_NAMES))
      .min(1, "Name at least one scope")
      .refine((names) => !names.includes("operator"), "The scope operator cannot be given to another program"),
  })
  .meta({
    id: "OauthClientToCreate",
    description: "A program, where it may send people back to, and the most that it may ask for.",
    examples: [{ name: "Acme BI", redirectUris: ["https://bi.acme.example/callback"], scopes: ["read:events"] }],
  });
const setByPosthorn = "It is set by Posthorn. Leave it out.";
const hints = { readOnly: { id: setByPosthorn, createdAt: setByPosthorn } };
const grantQuery = z.strictObject({ ...PAGE_PARAMETERS, clientId: z.string().max(200).optional() });

export type OauthClientsFace = Pick<OauthClients, "create" | "remove" | "get" | "list">;
export type OauthGrantsFace = Pick<OauthGrants, "list" | "revoke">;

export function oauthRoutes(clients: OauthClientsFace, grants: OauthGrantsFace): OrdinaryRoute[] {
  const common = { scope: "admin", tag: "API keys" } as const;
  return [
    route({
      ...common,
      method: "GET",
      path: "/oauth-clients",
      summary: "List the programs that may ask for access, newest first.",
      query: z.strictObject(PAGE_PARAMETERS),
      answer: { status: 200, data: oauthClientRecord, isList: true },
      handle: async (call) => {
        const start = pageStart("oauth_client", call.query);
        if (!start.ok) return start.failure;
        const found = await clients.list(actorOf(call), start.beforeUuid, start.limit + 1);
        return pageOf(
          "oauth_client",
          found,
          start.limit,
          (client) => uuidFromId("oauthClient", client.id),
          (client) => client,
        );
      },
    }),
    route({
      ...common,
      method: "POST",
      path: "/oauth-clients",
      summary: "Register a program that may ask for access, by Authorization Code with PKCE.",
      needsLiveKey: true,
      body: creation,
      hints,
      answer: { status: 201, data: oauthClientRecord, headers: ["Location"] },
      handle: async (call) => {
        const client = await clients.create(actorOf(call), call.body);
        return { ...success(client, 201), headers: { location: `/v1/oauth-clients/${client.id}` } };
      },
    }),
    route({
      ...common,
      method: "GET",
      path: "/oauth-clients/{id}",
      summary: "Read one program.",
      answer: { status: 200, data: oauthClientRecord },
      handle: (call) =>
        withId("oauthClient", call, async (uuid) => {
          const client = await clients.get(actorOf(call), uuid);
          return client === null ? nothing("program", "/v1/oauth-clients") : success(client);
        }),
    }),
    route({
      ...common,
      method: "DELETE",
      path: "/oauth-clients/{id}",
      summary: "Remove a program; its tokens end at once.",
      needsLiveKey: true,
      answer: { status: 200, data: deletedOauthClient },
      handle: (call) =>
        withId("oauthClient", call, async (uuid) => {
          const endedGrants = await clients.remove(actorOf(call), uuid);
          if (endedGrants === null) return nothing("program", "/v1/oauth-clients");
          return success({ id: call.params["id"], deleted: true, endedGrants });
        }),
    }),
    route({
      ...common,
      method: "GET",
      path: "/oauth-grants",
      summary: "List what programs were allowed to do, newest first.",
      query: grantQuery,
      answer: { status: 200, data: oauthGrantRecord, isList: true },
      handle: (call) => listGrants(grants, call),
    }),
    route({
      ...common,
      method: "DELETE",
      path: "/oauth-grants/{id}",
      summary: "End what a program was allowed to do; its tokens end at once.",
      answer: { status: 200, data: revokedOauthGrant },
      handle: (call) =>
        withId("oauthGrant", call, async (uuid) => {
          const isRevoked = await grants.revoke(actorOf(call), uuid);
          if (!isRevoked) return nothing("grant that has not ended", "/v1/oauth-grants");
          return success({ id: call.params["id"], revoked: true });
        }),
    }),
  ];
}

async function listGrants(grants: OauthGrantsFace, call: Call<z.output<typeof grantQuery>>): Promise<Answer> {
  const start = pageStart("oauth_grant", call.query);
  if (!start.ok) return start.failure;
  const { clientId } = call.query;
  const client = clientId === undefined ? null : parseId("oauthClient", clientId);
  if (clientId !== undefined && client === null) return nothing("program", "/v1/oauth-clients");
  const filter = { beforeUuid: start.beforeUuid, clientUuid: client === null ? null : uuidFromBytes(client) };
  const found = await grants.list(actorOf(call), filter, start.limit + 1);
  return pageOf(
    "oauth_grant",
    found,
    start.limit,
    (grant) => uuidFromId("oauthGrant", grant.id),
    (grant) => grant,
  );
}

async function withId(kind: IdKind, call: Call, then: (uuid: string) => Promise<Answer>): Promise<Answer> {
  const bytes = parseId(kind, call.params["id"] as string);
  return bytes === null ? nothing("thing", "/v1/oauth-clients") : then(uuidFromBytes(bytes));
}

function nothing(what: string, where: string): Answer {
  return failure("NOT_FOUND", `There is no such ${what}. GET ${where} lists those that there are.`);
}

/** https, or the loopback by its address for programs on the person's own machine (RFC 8252, 7.3 and 8.3). */
function isRedirectUri(text: string): boolean {
  if (!URL.canParse(text) || /[\s\\]/.test(text)) return false;
  const { protocol, hostname, hash, username, password } = new URL(text);
  if (hash !== "" || text.includes("#") || username !== "" || password !== "") return false;
  return protocol === "https:" || (protocol === "http:" && (hostname === "127.0.0.1" || hostname === "[::1]"));
}
