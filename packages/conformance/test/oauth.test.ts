// OAuth 2.0 with a client that nobody here wrote (oauth4webapi): discovery, Authorization Code with PKCE, the issuer in
// the answer, refresh and revocation, against a real node.
import * as oauth from "oauth4webapi";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startTestNode, TEST_API_KEY, type TestNode } from "../../server/test/support/node.ts";

const http = { [oauth.allowInsecureRequests]: true };
const REDIRECT_URI = "http://127.0.0.1:55555/callback";
let node: TestNode;
let server: oauth.AuthorizationServer;
let client: oauth.Client;

beforeAll(async () => {
  node = await startTestNode();
  const issuer = new URL(node.node.url);
  server = await oauth.processDiscoveryResponse(
    issuer,
    await oauth.discoveryRequest(issuer, { algorithm: "oauth2", ...http }),
  );
  const created = await node.api("POST", "/v1/oauth-clients", {
    name: "Acme BI",
    redirectUris: ["http://127.0.0.1/callback"],
    scopes: ["read:events", "write:events"],
  });
  client = { client_id: created.body.data.id };
});
afterAll(() => node.stop());

/** What the person does: the page, its form with a key, and the way back. */
async function allowInBrowser(url: URL): Promise<URL> {
  const page = await fetch(url);
  const html = await page.text();
  expect([page.status, page.headers.get("content-type")]).toEqual([200, "text/html; charset=utf-8"]);
  const form = new URLSearchParams({ api_key: TEST_API_KEY, decision: "allow" });
  for (const [, name, value] of html.matchAll(/<input type="hidden" name="([^"]+)" value="([^"]*)">/g)) {
    form.set(name as string, (value as string).replaceAll("&amp;", "&"));
  }
  const back = await fetch(new URL("authorize", url), { method: "POST", body: form, redirect: "manual" });
  expect(back.status).toBe(303);
  return new URL(back.headers.get("location") as string);
}

const useToken = (token: string, path: string) =>
  fetch(`${node.node.url}/v1${path}`, { headers: { authorization: `Bearer ${token}` } });

test("a program gets a token by PKCE, renews it, and ends it", async () => {
  const verifier = oauth.generateRandomCodeVerifier();
  const state = oauth.generateRandomState();
  const url = new URL(server.authorization_endpoint as string);
  url.search = new URLSearchParams({
    client_id: client.client_id,
    redirect_uri: REDIRECT_URI,
    response_type: "code",
    scope: "read:events",
    state,
    code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
    code_challenge_method: "S256",
  }).toString();
  const back = await allowInBrowser(url);
  expect(back.origin + back.pathname).toBe(REDIRECT_URI);

  const parameters = oauth.validateAuthResponse(server, client, back, state);
  const answer = await oauth.authorizationCodeGrantRequest(
    server,
    client,
    oauth.None(),
    parameters,
    REDIRECT_URI,
    verifier,
    http,
  );
  const tokens = await oauth.processAuthorizationCodeResponse(server, client, answer);
  expect(tokens).toMatchObject({ token_type: "bearer", expires_in: 3_600, scope: "read:events" });
  expect(tokens.access_token).toMatch(/^blg_oauth_at_[0-9A-Za-z]{36}$/);
  expect((await useToken(tokens.access_token, "/events")).status).toBe(200);
  expect((await useToken(tokens.access_token, "/webhooks")).status, "it was not allowed to").toBe(403);

  const renewing = await oauth.refreshTokenGrantRequest(
    server,
    client,
    oauth.None(),
    tokens.refresh_token as string,
    http,
  );
  const renewed = await oauth.processRefreshTokenResponse(server, client, renewing);
  expect((await useToken(renewed.access_token, "/events")).status).toBe(200);
  expect((await useToken(tokens.access_token, "/events")).status, "the one before counts no more").toBe(401);

  const ending = await oauth.revocationRequest(server, client, oauth.None(), renewed.refresh_token as string, http);
  await oauth.processRevocationResponse(ending);
  expect((await useToken(renewed.access_token, "/events")).status).toBe(401);
});

test("what the person denies comes back as access_denied, which the client tells from a failure of ours", async () => {
  const url = new URL(server.authorization_endpoint as string);
  const challenge = await oauth.calculatePKCECodeChallenge(oauth.generateRandomCodeVerifier());
  const form = {
    client_id: client.client_id,
    redirect_uri: REDIRECT_URI,
    response_type: "code",
    state: "s",
    code_challenge: challenge,
    code_challenge_method: "S256",
    decision: "deny",
  };
  const back = await fetch(url, { method: "POST", body: new URLSearchParams(form), redirect: "manual" });
  const location = new URL(back.headers.get("location") as string);
  expect(() => oauth.validateAuthResponse(server, client, location, "s")).toThrow(oauth.AuthorizationResponseError);
});
