// OAuth 2.0: what is refused, and how grants end. The ordinary way, with a client that nobody here wrote, is tested in
// packages/conformance.
import { createHash } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { callApi, startTestNode, TEST_API_KEY, type TestNode } from "../support/node.ts";

const REDIRECT_URI = "https://bi.example.com/callback?kept=1";
const VERIFIER = "v".repeat(43);
const CHALLENGE = createHash("sha256").update(VERIFIER).digest("base64url");
let node: TestNode;
let clientId: string;

beforeAll(async () => {
  node = await startTestNode();
  clientId = (await register()).id;
});
afterAll(() => node.stop());

async function register(fields: object = {}) {
  const client = {
    name: "<b>Acme</b> & Co",
    redirectUris: [REDIRECT_URI],
    scopes: ["read:events", "admin"],
    ...fields,
  };
  const answer = await node.api("POST", "/v1/oauth-clients", client);
  expect(answer.status, JSON.stringify(answer.body)).toBe(201);
  return answer.body.data;
}

type Form = Record<string, string>;
const asking = (changes: Form = {}): Form => ({
  client_id: clientId,
  redirect_uri: REDIRECT_URI,
  response_type: "code",
  scope: "read:events",
  state: "kept as it is & more",
  code_challenge: CHALLENGE,
  code_challenge_method: "S256",
  ...changes,
});
const post = (path: string, form: Form | string) =>
  fetch(node.node.url + path, { method: "POST", body: new URLSearchParams(form), redirect: "manual" });
const authorize = (form: Form) =>
  fetch(`${node.node.url}/oauth/authorize?${new URLSearchParams(form).toString()}`, { redirect: "manual" });
const allow = (form: Form, key = TEST_API_KEY) =>
  post("/oauth/authorize", { ...form, api_key: key, decision: "allow" });
const locationOf = (answer: Response) => new URL(answer.headers.get("location") as string);

async function codeFor(form: Form = asking(), key = TEST_API_KEY): Promise<string> {
  return locationOf(await allow(form, key)).searchParams.get("code") as string;
}
async function token(form: Form) {
  const answer = await post("/oauth/token", { client_id: clientId, ...form });
  return { status: answer.status, headers: answer.headers, body: (await answer.json()) as Form };
}
const exchange = (code: string, changes: Form = {}) =>
  token({ grant_type: "authorization_code", code, redirect_uri: REDIRECT_URI, code_verifier: VERIFIER, ...changes });
const refresh = (refreshToken: string) => token({ grant_type: "refresh_token", refresh_token: refreshToken });
const statusWith = async (key: string, path = "/v1/events") =>
  (await callApi(node.node.url, "GET", path, undefined, { authorization: `Bearer ${key}` })).status;
const newKey = async (fields: object): Promise<{ id: string; key: string }> =>
  (await node.api("POST", "/v1/api-keys", { name: "test", scopes: ["read:events"], ...fields })).body.data;

describe("the consent page", () => {
  test("shows the program's name as text, loads nothing, and leads nowhere but to the program", async () => {
    const answer = await authorize(asking());
    const html = await answer.text();
    expect(html).toContain("&lt;b&gt;Acme&lt;/b&gt; &amp; Co");
    expect(html).not.toContain("<b>Acme");
    const policy = answer.headers.get("content-security-policy");
    expect(policy).toContain("default-src 'none'");
    expect(policy).toContain("form-action 'self' https://bi.example.com;");
    expect(policy).toContain("frame-ancestors 'none'");
  });

  test.each([
    ["an unknown program", { client_id: "client_01M85E49VEEH89Z5GRVMA6GG5E" }],
    ["no id of a program", { client_id: "'; drop table" }],
    ["an address that is not registered", { redirect_uri: "https://evil.example.com/callback" }],
    ["an address that only begins like a registered one", { redirect_uri: `${REDIRECT_URI}&more=1` }],
  ])("never redirects for %s", async (_name, changes) => {
    const answer = await authorize(asking(changes as unknown as Form));
    expect([answer.status, answer.headers.get("location")]).toEqual([400, null]);
    expect(await answer.text()).toContain("Nothing to allow");
  });

  test.each([
    ["another response type", { response_type: "token" }, "unsupported_response_type"],
    ["no PKCE", { code_challenge: "" }, "invalid_request"],
    ["a plain challenge", { code_challenge_method: "plain" }, "invalid_request"],
    ["a scope beyond its own", { scope: "read:events write:events" }, "invalid_scope"],
  ])("tells the program at its own address about %s", async (_name, changes, error) => {
    for (const answer of [await authorize(asking(changes as Form)), await allow(asking(changes as Form))]) {
      expect(answer.status).toBe(303);
      const url = locationOf(answer);
      expect(url.href.startsWith(REDIRECT_URI)).toBe(true);
      expect(Object.fromEntries(url.searchParams)).toMatchObject({ error, state: "kept as it is & more", kept: "1" });
    }
  });

  test("asks again for a key that is none, is of another tenant, reads one webhook, or may do less", async () => {
    const other = (await node.api("POST", "/v1/tenants", { name: "Other", company: { id: "company_x", name: "X" } }))
      .body;
    const webhook = (await node.api("POST", "/v1/webhooks", { url: "https://example.com/in", events: ["*"] })).body;
    const readKey = (await node.api("POST", `/v1/webhooks/${webhook.data.id}/read-keys`)).body;
    const { key: narrow } = await newKey({ scopes: ["write:events"] });
    const { access_token: access } = (await exchange(await codeFor())).body;
    const keys = ["nobody-knows-this-key", "", other.data.apiKey.key, readKey.data.key, narrow, access as string];
    for (const key of keys) {
      const answer = await allow(asking(), key);
      expect([answer.status, answer.headers.get("location")], key).toEqual([403, null]);
      const html = await answer.text();
      expect(html).toContain('role="alert"');
      if (key !== "") expect(html).not.toContain(key);
    }
  });
});

describe("a code", () => {
  test("is good once; a second time ends what it gave", async () => {
    const code = await codeFor();
    const first = await exchange(code);
    expect([first.status, first.headers.get("cache-control")]).toEqual([200, "no-store"]);
    expect(await statusWith(first.body["access_token"] as string)).toBe(200);
    expect((await exchange(code)).body).toMatchObject({ error: "invalid_grant" });
    expect(await statusWith(first.body["access_token"] as string)).toBe(401);
    expect((await refresh(first.body["refresh_token"] as string)).status).toBe(400);
  });

  test("is good once also when fifty ask at the same time", async () => {
    const code = await codeFor();
    const answers = await Promise.all(Array.from({ length: 50 }, () => exchange(code)));
    expect(answers.filter((answer) => answer.status === 200).length).toBe(1);
  });

  test("is refused with another verifier, address or program, and stays good for its holder", async () => {
    const other = await register();
    const code = await codeFor();
    for (const changes of [
      { code_verifier: "w".repeat(43) },
      { redirect_uri: "https://bi.example.com/other" },
      { client_id: other.id as string },
    ]) {
      expect((await exchange(code, changes)).body).toMatchObject({ error: "invalid_grant" });
    }
    expect((await exchange(code)).status).toBe(200);
  });

  test("is refused after its minute", async () => {
    const code = await codeFor();
    await node.sql("update oauth_grant set code_expires_at = now() - interval '1 second' where code_used_at is null");
    expect((await exchange(code)).body).toMatchObject({ error: "invalid_grant" });
  });

  test.each([
    [{ grant_type: "password" }, "unsupported_grant_type"],
    [{ grant_type: "authorization_code" }, "invalid_request"],
    [{ grant_type: "refresh_token" }, "invalid_request"],
    [{ grant_type: "refresh_token", refresh_token: "nobody-has-this" }, "invalid_grant"],
  ])("a request for tokens with %j is %s", async (form, error) => {
    expect((await token(form as unknown as Form)).body).toMatchObject({ error });
  });

  test("a token request that is no form, or says something twice, is refused", async () => {
    const json = await fetch(`${node.node.url}/oauth/token`, {
      method: "POST",
      body: "{}",
      headers: { "content-type": "application/json" },
    });
    expect([json.status, ((await json.json()) as Form)["error"]]).toEqual([400, "invalid_request"]);
    expect((await post("/oauth/token", "grant_type=refresh_token&grant_type=refresh_token")).status).toBe(400);
  });
});

describe("what was allowed", () => {
  test("ends when a refresh token is used a second time", async () => {
    const { body } = await exchange(await codeFor());
    const renewed = await refresh(body["refresh_token"] as string);
    expect(renewed.status).toBe(200);
    expect((await refresh(body["refresh_token"] as string)).status).toBe(400);
    expect(await statusWith(renewed.body["access_token"] as string)).toBe(401);
    expect((await refresh(renewed.body["refresh_token"] as string)).status).toBe(400);
  });

  test("ends with the key that allowed it, and is bound as that key is", async () => {
    const { id, key } = await newKey({ scopes: ["read:events"], companyId: "company_default" });
    const { body } = await exchange(await codeFor(asking(), key));
    const access = body["access_token"] as string;
    expect(await statusWith(access)).toBe(200);
    const elsewhere = await callApi(node.node.url, "GET", "/v1/events", undefined, {
      authorization: `Bearer ${access}`,
      "x-company-id": "company_other",
    });
    expect(elsewhere.status).toBe(403);
    await node.api("DELETE", `/v1/api-keys/${id}`);
    expect(await statusWith(access)).toBe(401);
    expect((await refresh(body["refresh_token"] as string)).status).toBe(400);
  });

  test("is not renewed once the key may do less", async () => {
    const { id, key } = await newKey({ scopes: ["read:events", "write:events"] });
    const { body } = await exchange(await codeFor(asking(), key));
    await node.api("PATCH", `/v1/api-keys/${id}`, { scopes: ["write:events"] });
    expect((await refresh(body["refresh_token"] as string)).status).toBe(400);
  });

  test("makes no keys, not even as an administrator: they would outlive it", async () => {
    const { body } = await exchange(await codeFor(asking({ scope: "admin" })));
    const answer = await callApi(
      node.node.url,
      "POST",
      "/v1/api-keys",
      { name: "mine for ever", scopes: ["admin"] },
      { authorization: `Bearer ${body["access_token"] as string}` },
    );
    expect([answer.status, answer.body.error.details[0].code]).toEqual([403, "KEY_BOUNDS_EXCEEDED"]);
  });

  test("is listed, can be ended by an administrator, is no API key, and stands in the trail", async () => {
    const { body } = await exchange(await codeFor());
    const [grant] = (await node.api("GET", `/v1/oauth-grants?clientId=${clientId}&limit=1`)).body.data;
    expect(grant).toMatchObject({ clientId, scopes: ["read:events"], status: "active" });
    const asKey = (grant.id as string).replace("grant_", "key_");
    expect((await node.api("GET", `/v1/api-keys/${asKey}`)).status).toBe(404);
    const keys = (await node.api("GET", "/v1/api-keys?limit=200")).body.data as { id: string }[];
    expect(keys.map((key) => key.id)).not.toContain(asKey);
    expect((await node.api("DELETE", `/v1/oauth-grants/${grant.id}`)).status).toBe(200);
    expect(await statusWith(body["access_token"] as string)).toBe(401);
    expect((await node.api("DELETE", `/v1/oauth-grants/${grant.id}`)).status).toBe(404);
    const trail = (await node.api("GET", `/v1/audit?objectId=${grant.id}`)).body.data as { action: string }[];
    expect(trail.map((entry) => entry.action)).toEqual(["oauth_grant.revoked", "oauth_grant.created"]);
  });

  test("ends with the program, and nothing of it is stored as text", async () => {
    const client = await register();
    const code = await codeFor(asking({ client_id: client.id }));
    const { body } = await exchange(code, { client_id: client.id });
    const rows = await node.sql("select * from oauth_grant");
    const keys = await node.sql("select * from api_key");
    const stored = JSON.stringify([rows, keys]);
    for (const text of [code, body["access_token"], body["refresh_token"]]) expect(stored).not.toContain(text);
    const removed = await node.api("DELETE", `/v1/oauth-clients/${client.id}`);
    expect(removed.body.data).toMatchObject({ deleted: true, endedGrants: 1 });
    expect(await statusWith(body["access_token"] as string)).toBe(401);
  });
});

test("addresses to go back to are https, or the loopback by its number; nobody gets the operator's scope", async () => {
  const refused = [
    "http://bi.example.com/cb",
    "https://a.example/#f",
    "javascript:alert(1)",
    "http://localhost/cb",
    "x",
  ];
  for (const uri of refused) {
    const answer = await node.api("POST", "/v1/oauth-clients", { name: "x", redirectUris: [uri], scopes: ["admin"] });
    expect([answer.status, uri]).toEqual([422, uri]);
  }
  const fields = { name: "x", redirectUris: ["https://a.example/cb"], scopes: ["operator"] };
  expect((await node.api("POST", "/v1/oauth-clients", fields)).status).toBe(422);
});
