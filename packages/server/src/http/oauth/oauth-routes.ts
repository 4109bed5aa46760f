// /oauth: where a person allows a program, and where the program gets its tokens. Authorization Code with PKCE for
// public clients (RFC 6749, 7636), revocation (RFC 7009), metadata (RFC 8414), issuer in the answer (RFC 9207).
// Beside the table of routes: its bodies are forms and its answers are those of the RFCs.
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import type { OauthClients } from "../../manage/oauth-clients.ts";
import type { AskedGrant, OauthGrants, TokensIssued } from "../../manage/oauth-grants.ts";
import type { Authenticator } from "../authenticate.ts";
import { COMMON_HEADERS, JSON_TYPE } from "../answer-now.ts";
import { refusedByHead } from "../request-head.ts";
import { hasScope, type Scope, SCOPE_NAMES } from "../scopes.ts";
import { readAuthorizationRequest } from "./authorization-request.ts";
import { consentPage, pageHeaders, strangerPage } from "./consent-page.ts";

export interface OauthOptions {
  readonly clients: Pick<OauthClients, "find">;
  readonly grants: Pick<OauthGrants, "allow" | "exchange" | "refresh" | "revokeByToken">;
  readonly authenticator: Pick<Authenticator, "authenticate">;
}

/** Errors of the token endpoint (RFC 6749, 5.2). */
type TokenError = "invalid_request" | "invalid_grant" | "unsupported_grant_type";

const FORM = ["application/x-www-form-urlencoded"];
const HIDDEN = [
  "client_id",
  "redirect_uri",
  "response_type",
  "scope",
  "state",
  "code_challenge",
  "code_challenge_method",
];
/** RFC 7636, 4.1. */
const VERIFIER = /^[A-Za-z0-9\-._~]{43,128}$/;
/** Codes and tokens of ours are shorter; what is longer is nobody's. */
const TOKEN = /^[\x21-\x7e]{1,256}$/;

export function addOauthRoutes(app: FastifyInstance, options: OauthOptions): void {
  app.get("/.well-known/oauth-authorization-server", (request, reply) => sendMetadata(request, reply));
  app.get("/oauth/authorize", async (request, reply) => {
    const parameters = new URL(request.url, "http://localhost").searchParams;
    const read = await readAuthorizationRequest(parameters, (uuid) => options.clients.find(uuid));
    if (read.kind === "stranger") return sendPage(reply, 400, strangerPage(read.message), null);
    if (read.kind === "refused") {
      const { error, description } = read;
      return goBack(request, reply, read, { error, error_description: description });
    }
    return sendConsent(reply, 200, read.asked, parameters, null);
  });
  app.post("/oauth/authorize", async (request, reply) => {
    const form = readForm(request);
    if (form === null) return sendPage(reply, 400, strangerPage("This was not sent by our form."), null);
    const read = await readAuthorizationRequest(form, (uuid) => options.clients.find(uuid));
    if (read.kind === "stranger") return sendPage(reply, 400, strangerPage(read.message), null);
    if (read.kind === "refused") {
      const { error, description } = read;
      return goBack(request, reply, read, { error, error_description: description });
    }
    const target = { redirectUri: read.asked.redirectUri, state: read.state };
    if (form.get("decision") !== "allow") return goBack(request, reply, target, { error: "access_denied" });
    const allowed = await allow(options, request, read.asked, form.get("api_key") ?? "");
    if ("problem" in allowed) return sendConsent(reply, 403, read.asked, form, allowed.problem);
    return goBack(request, reply, target, { code: allowed.code });
  });
  app.post("/oauth/token", async (request, reply) => {
    const form = readForm(request);
    if (form === null) return sendTokenError(reply, "invalid_request", "Send a form, each parameter once.");
    return sendTokens(reply, await redeem(options, form, request.id));
  });
  app.post("/oauth/revoke", async (request, reply) => {
    const token = readForm(request)?.get("token");
    if (!token || !TOKEN.test(token)) return sendTokenError(reply, "invalid_request", "Send a form with token.");
    await options.grants.revokeByToken(token, request.id);
    return reply.headers(COMMON_HEADERS).status(200).send("");
  });
}

/** The person shows a key: what it may not do itself, it cannot allow. */
async function allow(
  { authenticator, grants }: OauthOptions,
  request: FastifyRequest,
  asked: AskedGrant,
  key: string,
): Promise<{ readonly code: string } | { readonly problem: string }> {
  const credentials = { authorization: `Bearer ${key.trim()}`, companyId: undefined, ip: request.ip };
  const who = await authenticator.authenticate(credentials);
  if (!who.ok) {
    const isUnknown = who.failure.code === "UNAUTHORIZED";
    if (isUnknown) return { problem: "This is no key of ours, or it has ended. Check it and try again." };
    return { problem: who.failure.message ?? "This key may not be used here." };
  }
  const { principal } = who;
  if (principal.tenantUuid !== asked.client.tenantUuid) {
    return {
      problem: "This key belongs to another tenant than the program. Use a key of the tenant that registered it.",
    };
  }
  if (principal.webhookUuid !== null || key.trim().startsWith("blg_oauth_")) {
    return { problem: "A read key or an access token cannot allow anything. Use an API key of the tenant." };
  }
  const missing = asked.scopes.filter((scope) => !hasScope(principal.scopes, scope as Scope));
  if (missing.length > 0) {
    return { problem: `This key may not do what the program asks for (${missing.join(", ")}). Use one that may.` };
  }
  const { tenantUuid, livemode, keyId, unknownEventTypes } = principal;
  const code = await grants.allow({ tenantUuid, livemode, keyId, requestId: request.id, unknownEventTypes }, asked);
  return { code };
}

async function redeem(
  { grants }: OauthOptions,
  form: URLSearchParams,
  requestId: string,
): Promise<TokensIssued | { readonly kind: "error"; readonly error: TokenError; readonly description: string }> {
  const clientId = form.get("client_id");
  const error = (code: TokenError, description: string) => ({ kind: "error", error: code, description }) as const;
  if (clientId === null) return error("invalid_request", "client_id is missing.");
  switch (form.get("grant_type")) {
    case "authorization_code": {
      const code = form.get("code") ?? "";
      const verifier = form.get("code_verifier") ?? "";
      const redirectUri = form.get("redirect_uri") ?? "";
      if (!TOKEN.test(code)) return error("invalid_request", "code is missing.");
      if (!VERIFIER.test(verifier)) return error("invalid_request", "code_verifier has to be 43 to 128 characters.");
      return grants.exchange({ code, clientId, redirectUri, verifier }, requestId);
    }
    case "refresh_token": {
      const refreshToken = form.get("refresh_token") ?? "";
      if (!TOKEN.test(refreshToken)) return error("invalid_request", "refresh_token is missing.");
      return grants.refresh({ refreshToken, clientId }, requestId);
    }
    default:
      return error("unsupported_grant_type", "grant_type has to be authorization_code or refresh_token.");
  }
}

function sendTokens(reply: FastifyReply, outcome: Awaited<ReturnType<typeof redeem>>): FastifyReply {
  switch (outcome.kind) {
    case "issued":
      return sendJson(reply, 200, {
        access_token: outcome.accessToken,
        token_type: "Bearer",
        expires_in: outcome.expiresInSeconds,
        refresh_token: outcome.refreshToken,
        scope: outcome.scopes.join(" "),
      });
    case "refused":
      return sendTokenError(reply, "invalid_grant", "It is unknown, used, expired or revoked. Ask the person again.");
    case "error":
      return sendTokenError(reply, outcome.error, outcome.description);
    default:
      return outcome satisfies never;
  }
}

function sendTokenError(reply: FastifyReply, error: TokenError, description: string): FastifyReply {
  return sendJson(reply, 400, { error, error_description: description });
}

function sendMetadata(request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const issuer = issuerOf(request);
  return sendJson(reply, 200, {
    issuer,
    authorization_endpoint: `${issuer}/oauth/authorize`,
    token_endpoint: `${issuer}/oauth/token`,
    revocation_endpoint: `${issuer}/oauth/revoke`,
    response_types_supported: ["code"],
    response_modes_supported: ["query"],
    grant_types_supported: ["authorization_code", "refresh_token"],
    code_challenge_methods_supported: ["S256"],
    token_endpoint_auth_methods_supported: ["none"],
    revocation_endpoint_auth_methods_supported: ["none"],
    scopes_supported: SCOPE_NAMES.filter((scope) => scope !== "operator"),
    authorization_response_iss_parameter_supported: true,
    service_documentation: `${issuer}/docs/guides/security`,
  });
}

function sendJson(reply: FastifyReply, status: number, body: unknown): FastifyReply {
  reply.headers({ ...COMMON_HEADERS, pragma: "no-cache", "content-type": JSON_TYPE });
  return reply.status(status).send(JSON.stringify(body));
}

function sendPage(reply: FastifyReply, status: number, html: string, redirectUri: string | null): FastifyReply {
  return reply.headers(pageHeaders(redirectUri)).status(status).send(html);
}

function sendConsent(
  reply: FastifyReply,
  status: number,
  asked: AskedGrant,
  parameters: URLSearchParams,
  problem: string | null,
): FastifyReply {
  const hidden: Record<string, string> = {};
  for (const name of HIDDEN) {
    const value = parameters.get(name);
    if (value !== null) hidden[name] = value;
  }
  return sendPage(reply, status, consentPage(asked, hidden, problem), asked.redirectUri);
}

/** To the program's own address, with what it is told. 303: whatever it was, go there with GET. */
function goBack(
  request: FastifyRequest,
  reply: FastifyReply,
  target: { readonly redirectUri: string; readonly state: string | null },
  told: Readonly<Record<string, string>>,
): FastifyReply {
  const url = new URL(target.redirectUri);
  for (const [name, value] of Object.entries(told)) url.searchParams.set(name, value);
  if (target.state !== null) url.searchParams.set("state", target.state);
  url.searchParams.set("iss", issuerOf(request));
  return reply
    .headers({ "cache-control": "no-store", "referrer-policy": "no-referrer", location: url.href })
    .status(303)
    .send("");
}

/** As the caller reaches us: behind a proxy that is trusted, as it says. */
function issuerOf(request: FastifyRequest): string {
  return `${request.protocol}://${request.host}`;
}

/** Null when it is no form, or gives a parameter twice. */
function readForm(request: FastifyRequest): URLSearchParams | null {
  if (refusedByHead(request.headers, FORM) !== null) return null;
  const form = new URLSearchParams((request.body as Buffer | undefined)?.toString("utf8") ?? "");
  const names = [...form.keys()];
  return names.length === new Set(names).size ? form : null;
}
