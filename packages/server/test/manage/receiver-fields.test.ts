// Authorisation, signature profiles and allowed addresses through the API: what is refused and how, what is kept as a
// secret, what counts as a change.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { uuidFromId } from "@posthorn/contract";
import { type Face, openFace } from "../http/support.ts";

let face: Face;
let tenant: string;
let key: string;
const MINIMAL = { url: "https://example.com/hook", events: ["invoice.paid"] };
const MASK = "********";

beforeAll(async () => {
  face = await openFace();
  tenant = await face.addTenant("one");
  key = await face.addKey(tenant);
});
afterAll(() => face.close());

const create = async (fields: Record<string, unknown> = {}) => {
  const answer = await face.call(key, "POST", "/webhooks", { ...MINIMAL, ...fields });
  expect(answer.status, JSON.stringify(answer.body)).toBe(201);
  return answer.body.data;
};
const change = (id: string, fields: Record<string, unknown>) => face.call(key, "PATCH", `/webhooks/${id}`, fields);
/** Purpose, name and id of the secrets of a webhook. */
const secretsOf = async (id: string): Promise<{ purpose: string; name: string | null; id: string }[]> => {
  const { rows } = await face.owner.query(
    "select purpose, name, id from secret where webhook_id = $1 order by purpose, name",
    [uuidFromId("webhook", id as never)],
  );
  return rows;
};
/** Everything about webhooks that is in the database, as text. */
const everything = async (): Promise<string> => {
  const { rows } = await face.owner.query(`
    select string_agg(t, '') as t from (
      select row_to_json(w)::text t from webhook w union all select row_to_json(v)::text from webhook_version v
      union all select row_to_json(a)::text from audit_entry a union all select row_to_json(s)::text from secret s) x`);
  return rows[0].t;
};

const KINDS: [string, Record<string, unknown>, string, Record<string, unknown>][] = [
  ["apiKey", { type: "apiKey", header: "X-Client", value: "t0p-apikey" }, "t0p-apikey", { value: MASK }],
  ["bearer", { type: "bearer", token: "t0p-bearer" }, "t0p-bearer", { token: MASK }],
  ["basic", { type: "basic", username: "ledger", password: "t0p-pässwörd" }, "t0p-pässwörd", { password: MASK }],
  ["basic without a password", { type: "basic", username: "t0p-key", password: "" }, "t0p-key", { username: MASK }],
  ["oauth2", { type: "oauth2", accessToken: "t0p-oauth" }, "t0p-oauth", { accessToken: MASK }],
];

describe("basic authorisation, whose secret may stand in two places", () => {
  test("a mask never moves from one to the other", async () => {
    const asUser = await create({ auth: { type: "basic", username: "t0p-key", password: "" } });
    const asPassword = await create({ auth: { type: "basic", username: "ledger", password: "t0p-pass" } });
    const refused = [
      [asUser, { type: "basic", username: "ledger", password: MASK }, "auth.password"],
      [asUser, { type: "basic", username: MASK, password: "known" }, "auth.username"],
      [asPassword, { type: "basic", username: MASK, password: "" }, "auth.username"],
      [asPassword, { type: "basic", username: "", password: "" }, "auth.username"],
    ] as const;
    for (const [made, auth, field] of refused) {
      const answer = await change(made.id, { auth });
      expect([answer.status, answer.body.error?.details[0]?.field], JSON.stringify(auth)).toEqual([422, field]);
    }
    const other = await change(asPassword.id, { auth: { type: "basic", username: "other", password: MASK } });
    expect(other.body.data.auth).toEqual({ type: "basic", username: "other", password: MASK });
  });
});

describe("the mask in the place of a signing secret", () => {
  test("is no secret: a new webhook is refused, a stored one keeps what it has", async () => {
    const url = "https://example.com/hooks";
    const refused = await face.call(key, "POST", "/webhooks", { url, events: ["invoice.paid"], secret: MASK });
    expect([refused.status, refused.body.error.details[0].field]).toEqual([422, "secret"]);
    const made = await create({});
    const before = await secretsOf(made.id);
    const same = await change(made.id, { secret: MASK });
    expect([same.status, same.body.data.version]).toEqual([200, 1]);
    expect(await secretsOf(made.id)).toEqual(before);
    const rotated = await face.call(key, "POST", `/webhooks/${made.id}/secret/rotate`, { secret: MASK });
    expect([rotated.status, rotated.body.error.details[0].field]).toEqual([422, "secret"]);
  });
});

describe.each(KINDS)("authorisation of type %s", (_type, auth, secret, masked) => {
  test("is shown masked, kept encrypted, and stays when the mask is sent back", async () => {
    const made = await create({ auth });
    expect(made.auth).toEqual({ ...auth, ...masked });
    const [kept] = await secretsOf(made.id);
    expect(kept).toMatchObject({ purpose: "auth", name: null });
    const same = await change(made.id, { auth: made.auth });
    expect([same.status, same.body.data.version]).toEqual([200, 1]);
    expect((await secretsOf(made.id))[0]).toEqual(kept);
    const again = await change(made.id, { auth });
    expect([again.status, again.body.data.version, "the same text again is no change"]).toEqual([
      200,
      1,
      expect.any(String),
    ]);
    expect(await everything()).not.toContain(secret);
  });

  test("changes the webhook when its secret does: new version, new ETag, masked in the trail", async () => {
    const made = await create({ auth });
    const before = await face.call(key, "GET", `/webhooks/${made.id}`);
    const [old] = await secretsOf(made.id);
    const member = Object.keys(masked)[0] as string;
    const changed = await change(made.id, { auth: { ...auth, [member]: "another-secret" } });
    expect(changed.body.data).toMatchObject({ version: 2, auth: { ...auth, ...masked } });
    expect(changed.headers["etag"]).not.toBe(before.headers["etag"]);
    const [fresh, ...rest] = await secretsOf(made.id);
    expect(fresh?.id).not.toBe(old?.id);
    expect(rest.map((row) => row.purpose)).toEqual(["signing"]);
    const { rows } = await face.owner.query("select change from audit_entry where object_id = $1 order by id desc", [
      made.id,
    ]);
    expect(rows[0].change.auth).toEqual({ from: { ...auth, ...masked }, to: { ...auth, ...masked } });
    expect(await everything()).not.toContain("another-secret");
  });

  test("is gone with its secret when it is set to none, to null, and when the webhook is deleted", async () => {
    for (const none of [{ type: "none" }, null]) {
      const made = await create({ auth });
      const changed = await change(made.id, { auth: none });
      expect(changed.body.data).toMatchObject({ version: 2, auth: { type: "none" } });
      expect((await secretsOf(made.id)).map((row) => row.purpose)).toEqual(["signing"]);
    }
    const made = await create({ auth });
    await face.call(key, "DELETE", `/webhooks/${made.id}`);
    expect(await secretsOf(made.id)).toEqual([]);
  });

  test("refuses its mask for a webhook that has another type, or none", async () => {
    const other = auth["type"] === "bearer" ? { type: "oauth2", accessToken: "x" } : { type: "bearer", token: "x" };
    const field = `auth.${Object.keys(masked)[0]}`;
    for (const made of [await create({ auth: other }), await create()]) {
      const answer = await change(made.id, { auth: { ...auth, ...masked } });
      expect(answer.status).toBe(422);
      expect(answer.body.error.details[0]).toMatchObject({ field });
    }
    expect((await face.call(key, "POST", "/webhooks", { ...MINIMAL, auth: { ...auth, ...masked } })).status).toBe(422);
  });
});

describe("authorisation that is refused", () => {
  const table: [string, unknown, string, string][] = [
    ["jwt", { type: "jwt", key: "x" }, "FIELD_NOT_AVAILABLE_YET", "auth.type"],
    ["mtls", { type: "mtls" }, "FIELD_NOT_AVAILABLE_YET", "auth.type"],
    ["sigv4", { type: "sigv4", region: "eu" }, "FIELD_NOT_AVAILABLE_YET", "auth.type"],
    [
      "an oauth2 grant",
      { type: "oauth2", accessToken: "t", tokenUrl: "x" },
      "FIELD_NOT_AVAILABLE_YET",
      "auth.tokenUrl",
    ],
    ["an unknown type", { type: "digest" }, "VALIDATION_ERROR", "auth.type"],
    ["no type", { token: "x" }, "VALIDATION_ERROR", "auth.type"],
    ["text", "Bearer x", "WRONG_TYPE", "auth"],
    ["a bearer without its token", { type: "bearer" }, "MISSING_MEMBER", "auth.token"],
    ["a member of another type", { type: "bearer", token: "x", value: "y" }, "UNKNOWN_FIELD", "auth.value"],
    ["a token with Bearer before it", { type: "bearer", token: "Bearer x" }, "VALIDATION_ERROR", "auth.token"],
    ["a token with a line break", { type: "oauth2", accessToken: "a\r\nb" }, "VALIDATION_ERROR", "auth.accessToken"],
    ["a value with a line break", { type: "apiKey", header: "X-A", value: "a\r\nb" }, "VALIDATION_ERROR", "auth.value"],
    ["our own header", { type: "apiKey", header: "webhook-id", value: "x" }, "VALIDATION_ERROR", "auth.header"],
    ["no header name", { type: "apiKey", header: "a b", value: "x" }, "VALIDATION_ERROR", "auth.header"],
    ["a user with a colon", { type: "basic", username: "a:b", password: "x" }, "VALIDATION_ERROR", "auth.username"],
  ];
  test.each(table)("%s", async (_what, auth, code, field) => {
    const answer = await face.call(key, "POST", "/webhooks", { ...MINIMAL, auth });
    expect(answer.status, JSON.stringify(answer.body)).toBe(422);
    expect(answer.body.error.code).toBe(code);
    expect(answer.body.error.details[0].field).toBe(field);
  });

  test("a type that is not built yet is named", async () => {
    const answer = await face.call(key, "POST", "/webhooks", { ...MINIMAL, auth: { type: "sigv4" } });
    expect(answer.body.error.message).toContain("sigv4");
  });

  test("a header that is set twice, also when the two come in two requests", async () => {
    const auth = { type: "bearer", token: "t" };
    const headers = { authorization: "Basic x" };
    const both = await face.call(key, "POST", "/webhooks", { ...MINIMAL, auth, headers });
    expect(both.status).toBe(422);
    expect(both.body.error.details[0].message).toContain("headers.authorization");
    const made = await create({ auth });
    expect((await change(made.id, { headers })).status).toBe(422);
    expect((await change(made.id, { headers, auth: null })).status).toBe(200);
    const withApiKey = { type: "apiKey", header: "X-Hub-Signature-256", value: "v" };
    const signed = await face.call(key, "POST", "/webhooks", {
      ...MINIMAL,
      auth: withApiKey,
      signature: { profiles: ["github"] },
    });
    expect(signed.body.error.details[0].field).toBe("signature.profiles[0]");
  });
});

describe("headers whose names mean secrets", () => {
  test("are kept like authorisation: added, changed, kept by mask whatever the case, removed", async () => {
    const made = await create({ headers: { "X-API-Key": "s3cret-one", "X-Shop": "7", "X-Auth-Token": "s3cret-two" } });
    const keep = await change(made.id, { headers: { "x-api-key": MASK, "X-Shop": "8" } });
    expect(keep.body.data).toMatchObject({ version: 2, headers: { "x-api-key": MASK, "X-Shop": "8" } });
    expect((await secretsOf(made.id)).map((row) => row.name)).toEqual(["x-api-key", null]);
    const [kept] = await secretsOf(made.id);
    expect((await change(made.id, { headers: { "x-api-key": "s3cret-one", "X-Shop": "8" } })).body.data.version).toBe(
      2,
    );
    const changed = await change(made.id, { headers: { "x-api-key": "s3cret-three", "X-Shop": "8" } });
    expect(changed.body.data.version).toBe(3);
    expect((await secretsOf(made.id))[0]?.id).not.toBe(kept?.id);
    expect(await everything()).not.toContain("s3cret-");
  });

  test("stored in clear by an earlier release go on, and move when they are given anew", async () => {
    const made = await create();
    const uuid = uuidFromId("webhook", made.id);
    await face.owner.query(
      `update webhook set configuration = jsonb_set(configuration::jsonb, '{headers}', '{"X-API-Key": "legacy-1"}') where id = $1`,
      [uuid],
    );
    const kept = await change(made.id, { headers: { "X-API-Key": MASK, "X-Shop": "1" } });
    expect(kept.body.data.headers).toEqual({ "X-API-Key": MASK, "X-Shop": "1" });
    const { rows } = await face.owner.query("select configuration from webhook where id = $1", [uuid]);
    expect(rows[0].configuration.headers).toEqual({ "X-API-Key": "legacy-1", "X-Shop": "1" });
    await change(made.id, { headers: { "X-API-Key": "legacy-2" } });
    const after = await face.owner.query("select configuration from webhook where id = $1", [uuid]);
    expect(after.rows[0].configuration.headers).toEqual({ "X-API-Key": MASK });
    expect((await secretsOf(made.id)).map((row) => row.purpose)).toEqual(["header", "signing"]);
  });
});

describe("signature profiles", () => {
  const own = { type: "header", header: "X-Webhook-Signature", algorithm: "sha256", encoding: "hex" };

  test("are shown as given, by default the two that every request carries", async () => {
    expect((await create()).signature).toEqual({ profiles: ["bigledger", "standard"] });
    const profiles = ["github", "shopify", "stripe", "standard", { ...own, prefix: "v1=" }];
    const made = await create({ signature: { profiles } });
    expect(made.signature).toEqual({ profiles });
    expect((await change(made.id, { signature: null })).body.data.signature.profiles).toEqual([
      "bigledger",
      "standard",
    ]);
  });

  test("X-Signature may carry a form of its own where the published one is left out", async () => {
    await create({ signature: { profiles: [{ ...own, header: "X-Signature" }] } });
  });

  const table: [string, unknown, string][] = [
    ["none", { profiles: [] }, "signature.profiles"],
    ["a name that nobody knows", { profiles: ["gitlab"] }, "signature.profiles[0]"],
    ["the same twice", { profiles: ["github", "github"] }, "signature.profiles[1]"],
    ["two with one header", { profiles: ["bigledger", { ...own, header: "x-signature" }] }, "signature.profiles[1]"],
    ["md5", { profiles: [{ ...own, algorithm: "md5" }] }, "signature.profiles[0].algorithm"],
    ["a reserved header", { profiles: [{ ...own, header: "webhook-signature" }] }, "signature.profiles[0].header"],
    ["a misspelt member", { profiles: [{ ...own, prefx: "a" }] }, "signature.profiles[0].prefx"],
    ["a prefix with a space", { profiles: [{ ...own, prefix: "a b" }] }, "signature.profiles[0].prefix"],
    ["a bare list", ["github"], "signature"],
  ];
  test.each(table)("refused: %s", async (_what, signature, field) => {
    const answer = await face.call(key, "POST", "/webhooks", { ...MINIMAL, signature });
    expect(answer.status).toBe(422);
    expect(answer.body.error.details[0].field).toBe(field);
  });

  test("a misspelt member is answered with the nearest one", async () => {
    const signature = { profiles: [{ ...own, prefx: "a" }] };
    const answer = await face.call(key, "POST", "/webhooks", { ...MINIMAL, signature });
    expect(answer.body.error.details[0]).toMatchObject({ code: "UNKNOWN_FIELD", nearest: ["prefix"] });
  });
});

describe("allowed addresses", () => {
  test("are shown as given, null by default", async () => {
    expect((await create()).allowedIps).toBeNull();
    const allowedIps = ["203.0.113.7", "2001:db8::/32", "::ffff:198.51.100.0/120"];
    const made = await create({ allowedIps });
    expect(made.allowedIps).toEqual(allowedIps);
    expect((await change(made.id, { allowedIps: null })).body.data.allowedIps).toBeNull();
  });

  const table: [string, Record<string, unknown>, string][] = [
    ["none", { allowedIps: [] }, "allowedIps"],
    ["a name", { allowedIps: ["203.0.113.7", "example.com"] }, "allowedIps[1]"],
    ["bits beyond the prefix", { allowedIps: ["203.0.113.7/24"] }, "allowedIps[0]"],
    ["a prefix that is too long", { allowedIps: ["203.0.113.0/33"] }, "allowedIps[0]"],
    ["101 entries", { allowedIps: Array(101).fill("203.0.113.7") }, "allowedIps"],
    ["a list without the URL's own address", { url: "https://8.8.8.8/", allowedIps: ["9.9.9.9"] }, "allowedIps"],
    ["the same in IPv6", { url: "https://[2606:4700::1111]/", allowedIps: ["2001:db8::/32"] }, "allowedIps"],
  ];
  test.each(table)("refused: %s", async (_what, fields, field) => {
    const answer = await face.call(key, "POST", "/webhooks", { ...MINIMAL, ...fields });
    expect(answer.status, JSON.stringify(answer.body)).toBe(422);
    expect(answer.body.error.details[0].field).toBe(field);
  });

  test("a change of the URL alone is held against the list that is stored", async () => {
    const made = await create({ url: "https://8.8.8.8/", allowedIps: ["8.8.8.0/24"] });
    expect((await change(made.id, { url: "https://9.9.9.9/" })).status).toBe(422);
    expect((await change(made.id, { url: "https://8.8.8.9/" })).status).toBe(200);
  });
});
