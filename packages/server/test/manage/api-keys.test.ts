// API keys through their routes: what a key may hand on, what it may not lose, and that its text is shown once.
import { idFromUuid } from "@posthorn/contract";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { hashApiKey, inspectApiKey } from "../../src/security/api-keys.ts";
import { type Face, openFace } from "../http/support.ts";

let face: Face;
beforeAll(async () => {
  face = await openFace();
});
afterAll(() => face.close());

let tenantCount = 0;
/** A tenant of its own for each test, with an administrator's key. */
async function newTenant(options: Parameters<Face["addKey"]>[1] = {}): Promise<{ tenant: string; admin: string }> {
  tenantCount += 1;
  const tenant = await face.addTenant(`tenant ${tenantCount}`);
  return { tenant, admin: await face.addKey(tenant, options) };
}
const create = (key: string, body: object) => face.call(key, "POST", "/api-keys", body);
const change = (key: string, id: string, body: object) => face.call(key, "PATCH", `/api-keys/${id}`, body);
const revoke = (key: string, id: string) => face.call(key, "DELETE", `/api-keys/${id}`);
/** What it may do now. */
const statusOf = async (key: string, path = "/webhooks") => (await face.call(key, "GET", path)).status;

describe("a new key", () => {
  test("works at once, is shown once, and leaves nothing but its hash and last characters behind", async () => {
    const { tenant, admin } = await newTenant();
    const answer = await create(admin, { name: "erp", scopes: ["write:events", "read:events"] });
    expect(answer.status).toBe(201);
    const { key, ...shown } = answer.body.data;
    expect(inspectApiKey(key)).toBe("minted");
    expect(key).toMatch(/^blg_live_sk_/);
    expect(answer.headers["location"]).toBe(`/v1/api-keys/${shown.id}`);
    expect(shown).toEqual({
      id: expect.stringMatching(/^key_/),
      name: "erp",
      status: "active",
      scopes: ["write:events", "read:events"],
      livemode: true,
      companyId: null,
      webhookId: null,
      allowedIps: null,
      captureLimitPerSecond: null,
      lastCharacters: key.slice(-4),
      createdAt: new Date(face.clock.nowMs()).toISOString(),
      expiresAt: null,
      lastUsedAt: null,
      revokedAt: null,
    });
    expect(await statusOf(key, "/events")).toBe(200);
    expect(await statusOf(key, "/webhooks")).toBe(403);
    const read = await face.call(admin, "GET", `/api-keys/${shown.id}`);
    expect(read.body.data).toEqual(shown);
    const { rows } = await face.owner.query("select api_key::text, key_hash from api_key where tenant_id = $1", [
      tenant,
    ]);
    expect(rows.some((row) => row.key_hash.equals(hashApiKey(key)))).toBe(true);
    const trail = await face.owner.query("select change::text from audit_entry where tenant_id = $1", [tenant]);
    expect(JSON.stringify([rows.map((row) => row.api_key), trail.rows])).not.toContain(key.slice(12, 40));
  });

  test("carries its limits: company, addresses, expiry, events a second", async () => {
    const { tenant, admin } = await newTenant();
    await face.owner.query(
      "insert into company (tenant_id, id, created_at, config_version, name) values ($1, 'company_a', now(), 1, 'A')",
      [tenant],
    );
    const expiresAt = new Date(face.clock.nowMs() + 60_000).toISOString();
    const limits = {
      companyId: "company_a",
      allowedIps: ["203.0.113.7", "2001:db8::/32"],
      expiresAt,
      captureLimitPerSecond: 5,
    };
    const { data } = (await create(admin, { name: "narrow", scopes: ["read:webhooks"], ...limits })).body;
    expect(data).toMatchObject(limits);
    const from = async (remoteAddress: string) =>
      (await face.inject({ url: "/v1/webhooks", headers: { authorization: `Bearer ${data.key}` }, remoteAddress }))
        .status;
    expect([await from("203.0.113.7"), await from("2001:db8::9"), await from("127.0.0.1")]).toEqual([200, 200, 403]);
    face.clock.atMs += 60_000;
    expect(await from("203.0.113.7")).toBe(401);
    expect((await face.call(admin, "GET", `/api-keys/${data.id}`)).body.data.status).toBe("expired");
    expect((await face.call(admin, "GET", "/api-keys?status=expired")).body.data).toHaveLength(1);
    expect((await face.call(admin, "GET", "/api-keys?status=active")).body.data).toHaveLength(1);
  });

  test.each([
    [{ name: "", scopes: ["admin"] }, "name"],
    [{ name: "x", scopes: [] }, "scopes"],
    [{ name: "x", scopes: ["write:everything"] }, "scopes[0]"],
    [{ scopes: ["admin"] }, "name"],
    [{ name: "x", scopes: ["admin"], allowedIps: [] }, "allowedIps"],
    [{ name: "x", scopes: ["admin"], allowedIps: ["10.0.0.1", "10.0.0.1/8"] }, "allowedIps[1]"],
    [{ name: "x", scopes: ["admin"], allowedIps: ["example.com"] }, "allowedIps[0]"],
    [{ name: "x", scopes: ["admin"], companyId: "company_nobody" }, "companyId"],
    [{ name: "x", scopes: ["admin"], companyId: "acme" }, "companyId"],
    [{ name: "x", scopes: ["admin"], expiresAt: "2020-01-01T00:00:00Z" }, "expiresAt"],
    [{ name: "x", scopes: ["admin"], expiresAt: "tomorrow" }, "expiresAt"],
    [{ name: "x", scopes: ["admin"], captureLimitPerSecond: 0 }, "captureLimitPerSecond"],
    [{ name: "x", scopes: ["admin"], webhookId: "webhook_x" }, "webhookId"],
    [{ name: "x", scopes: ["admin"], key: "blg_live_sk_mine" }, "key"],
    [{ name: "x", scopes: ["admin"], scope: "admin" }, "scope"],
  ])("is refused for %j, by the name of the field", async (body, field) => {
    const { tenant, admin } = await newTenant();
    const answer = await create(admin, body);
    expect([answer.status, answer.body.error.details[0].field]).toEqual([422, field]);
    const { rows } = await face.owner.query("select count(*)::int as n from api_key where tenant_id = $1", [tenant]);
    expect(rows).toEqual([{ n: 1 }]);
  });
});

describe("a key hands on what it may do itself", () => {
  test("an administrator gives every scope but operator; the refusal says what is needed and what is there", async () => {
    const { admin } = await newTenant();
    for (const scope of ["write:events", "read:events", "read:webhooks", "write:webhooks", "write:deliveries", "admin"])
      expect((await create(admin, { name: scope, scopes: [scope] })).status).toBe(201);
    const refused = await create(admin, { name: "x", scopes: ["read:events", "operator"] });
    expect(refused.status).toBe(403);
    expect(refused.body.error.details).toEqual([
      {
        message: "This needs a key with the scope operator.",
        code: "INSUFFICIENT_SCOPE",
        required_scope: "operator",
        current_scopes: ["admin"],
      },
    ]);
    const { admin: operator } = await newTenant({ scopes: ["admin", "operator"] });
    expect((await create(operator, { name: "x", scopes: ["operator"] })).status).toBe(201);
  });

  test("a key without admin neither sees nor makes keys", async () => {
    const { tenant } = await newTenant();
    const key = await face.addKey(tenant, { scopes: ["write:webhooks", "read:webhooks", "operator"] });
    for (const answer of [
      await face.call(key, "GET", "/api-keys"),
      await create(key, { name: "x", scopes: ["read:webhooks"] }),
    ]) {
      expect(answer.status).toBe(403);
      expect(answer.body.error.details[0]).toMatchObject({
        required_scope: "admin",
        current_scopes: ["write:webhooks", "read:webhooks", "operator"],
      });
    }
  });

  test("an administrator changes no key that may do more than his own", async () => {
    const { tenant, admin } = await newTenant();
    const operator = await face.addKey(tenant, { scopes: ["admin", "operator"] });
    const { data } = (await create(operator, { name: "op", scopes: ["admin", "operator"] })).body;
    expect((await revoke(admin, data.id)).status).toBe(403);
    expect((await change(admin, data.id, { allowedIps: null })).status).toBe(403);
    const { data: plain } = (await create(admin, { name: "x", scopes: ["read:events"] })).body;
    expect((await change(admin, plain.id, { scopes: ["operator"] })).status).toBe(403);
    expect(await statusOf(data.key)).toBe(200);
  });

  test("a live key makes sandbox keys; a sandbox key makes, sees and changes sandbox keys only", async () => {
    const { tenant, admin } = await newTenant();
    const { data: live } = (await create(admin, { name: "live", scopes: ["read:webhooks"] })).body;
    const { data: made } = (await create(admin, { name: "test", scopes: ["admin"], livemode: false })).body;
    expect(made).toMatchObject({ livemode: false, key: expect.stringMatching(/^blg_test_sk_/) });
    const refused = await create(made.key, { name: "x", scopes: ["admin"], livemode: true });
    expect([refused.status, refused.body.error.details[0].code]).toEqual([403, "LIVE_KEY_REQUIRED"]);
    const own = await create(made.key, { name: "x", scopes: ["read:events"] });
    expect([own.status, own.body.data.livemode]).toEqual([201, false]);
    const seen = (await face.call(made.key, "GET", "/api-keys")).body.data;
    expect(seen.map((key: { livemode: boolean }) => key.livemode)).toEqual([false, false]);
    expect((await face.call(made.key, "GET", `/api-keys/${live.id}`)).status).toBe(404);
    expect((await revoke(made.key, live.id)).status).toBe(404);
    expect((await face.call(admin, "GET", "/api-keys")).body.data).toHaveLength(4);
    expect(tenant).toBeTruthy();
  });
});

describe("a key hands on where it may be used", () => {
  const OFFICE = ["127.0.0.0/8", "203.0.113.0/24"];
  const refusalOf = (answer: Awaited<ReturnType<typeof create>>) => [
    answer.status,
    answer.body.error?.details[0]?.code,
    answer.body.error?.details[0]?.field,
  ];

  test("bound to addresses it makes keys bound to them, or to some of them, and frees none", async () => {
    const { tenant } = await newTenant();
    const bound = await face.addKey(tenant, { allowedIps: OFFICE });
    const body = { name: "made", scopes: ["admin"] };
    for (const left of [body, { ...body, allowedIps: null }]) {
      expect((await create(bound, left)).body.data.allowedIps).toEqual(OFFICE);
    }
    const narrower = (await create(bound, { ...body, allowedIps: ["127.0.0.1", "203.0.113.128/25"] })).body.data;
    expect(narrower.allowedIps).toEqual(["127.0.0.1", "203.0.113.128/25"]);
    const beyond = [403, "KEY_BOUNDS_EXCEEDED", "allowedIps"];
    for (const allowedIps of [["0.0.0.0/0"], ["127.0.0.1", "198.51.100.7"], ["203.0.112.0/23"], ["::/0"]]) {
      expect(refusalOf(await create(bound, { ...body, allowedIps })), String(allowedIps)).toEqual(beyond);
    }
    for (const wish of [{ allowedIps: null }, { allowedIps: ["0.0.0.0/0"] }]) {
      expect(refusalOf(await change(bound, narrower.id, wish))).toEqual(beyond);
    }
    const free = (await create(await face.addKey(tenant), { ...body, scopes: ["write:events"] })).body.data;
    expect(refusalOf(await change(bound, free.id, { scopes: ["admin"] }))).toEqual(beyond);
    expect((await revoke(bound, free.id)).body.data.status).toBe("revoked");
  });

  test("bound to a company it makes keys of that company only, read keys too", async () => {
    const { tenant, admin } = await newTenant();
    for (const id of ["company_a", "company_b"]) await face.call(admin, "POST", "/companies", { id, name: id });
    const bound = await face.addKey(tenant, { companyId: "company_a" });
    const body = { name: "made", scopes: ["write:events"] };
    const made = (await create(bound, body)).body.data;
    expect(made.companyId).toBe("company_a");
    const beyond = [403, "KEY_BOUNDS_EXCEEDED", "companyId"];
    expect(refusalOf(await create(bound, { ...body, companyId: "company_b" }))).toEqual(beyond);
    expect(refusalOf(await change(bound, made.id, { companyId: null }))).toEqual(beyond);
    const url = "https://example.com/hooks";
    const webhook = (await face.call(admin, "POST", "/webhooks", { url, events: ["invoice.paid"] })).body.data.id;
    const reader = await face.call(bound, "POST", `/webhooks/${webhook}/read-keys`);
    expect([reader.status, reader.body.data.companyId]).toEqual([201, "company_a"]);
  });

  test("except the key in the operator's file, which is bound to the machine because it lies there", async () => {
    const { tenant } = await newTenant();
    const ofFile = await face.addKey(tenant, { scopes: ["admin", "operator"], allowedIps: ["127.0.0.1"] });
    await face.owner.query("update api_key set of_operator_file = true where key_hash = $1", [hashApiKey(ofFile)]);
    const made = await create(ofFile, { name: "erp", scopes: ["admin"] });
    expect([made.status, made.body.data.allowedIps]).toEqual([201, null]);
  });
});

test("a condition on a key is refused, not passed over: keys have no ETag", async () => {
  const { admin } = await newTenant();
  const made = (await create(admin, { name: "one", scopes: ["read:events"] })).body.data;
  const patch = (ifMatch: string) =>
    face.call(admin, "PATCH", `/api-keys/${made.id}`, { name: "two" }, { "if-match": ifMatch });
  const refused = await patch('"1-1"');
  expect([refused.status, refused.body.error.code]).toEqual([400, "INVALID_REQUEST"]);
  expect((await face.call(admin, "GET", `/api-keys/${made.id}`)).body.data.name).toBe("one");
  expect((await patch("*")).body.data.name).toBe("two");
});

describe("a change of a key", () => {
  test("counts at once, and null restores the default", async () => {
    const { admin } = await newTenant();
    const { data } = (await create(admin, { name: "x", scopes: ["read:events"], allowedIps: ["203.0.113.7"] })).body;
    expect(await statusOf(data.key, "/events")).toBe(403);
    const changed = await change(admin, data.id, { allowedIps: null, scopes: ["read:webhooks"], name: "y" });
    expect(changed.body.data).toMatchObject({ name: "y", scopes: ["read:webhooks"], allowedIps: null });
    expect([await statusOf(data.key, "/events"), await statusOf(data.key, "/webhooks")]).toEqual([403, 200]);
  });

  test("that changes nothing writes nothing", async () => {
    const { tenant, admin } = await newTenant();
    const { data } = (await create(admin, { name: "x", scopes: ["read:events"] })).body;
    const count = async () =>
      (await face.owner.query("select count(*)::int as n from audit_entry where tenant_id = $1", [tenant])).rows[0].n;
    const before = [face.configuration.version, await count()];
    expect((await change(admin, data.id, { name: "x", scopes: ["read:events"] })).status).toBe(200);
    expect([face.configuration.version, await count()]).toEqual(before);
  });

  test("cannot give it another mode, an id or a text", async () => {
    const { admin } = await newTenant();
    const { data } = (await create(admin, { name: "x", scopes: ["read:events"] })).body;
    for (const field of ["livemode", "id", "key", "status", "webhookId", "revokedAt", "createdAt", "lastUsedAt"]) {
      const answer = await change(admin, data.id, { [field]: true });
      expect([answer.status, answer.body.error.code]).toEqual([422, "READ_ONLY_FIELD"]);
    }
  });

  test("revoking ends it for good: it stays in the list, is not changed again, and revoking it again does nothing", async () => {
    const { admin } = await newTenant();
    const { data } = (await create(admin, { name: "x", scopes: ["read:webhooks"] })).body;
    expect(await statusOf(data.key)).toBe(200);
    const answer = await revoke(admin, data.id);
    expect(answer.body.data).toMatchObject({ status: "revoked", revokedAt: expect.any(String) });
    expect(await statusOf(data.key)).toBe(401);
    face.clock.atMs += 5_000;
    expect((await revoke(admin, data.id)).body.data).toEqual(answer.body.data);
    expect((await change(admin, data.id, { name: "back" })).status).toBe(409);
    expect((await face.call(admin, "GET", "/api-keys?status=revoked")).body.data).toHaveLength(1);
  });
});

describe("the last lasting administrator", () => {
  const idOf = async (tenant: string, where = "true"): Promise<string> =>
    (await face.owner.query(`select id from api_key where tenant_id = $1 and ${where} order by id limit 1`, [tenant]))
      .rows[0].id;

  test("cannot be revoked, given an expiry, or lose its scope", async () => {
    const { tenant, admin } = await newTenant();
    const id = idFromUuid("apiKey", await idOf(tenant));
    const later = new Date(face.clock.nowMs() + 1e9).toISOString();
    for (const answer of [
      await revoke(admin, id),
      await change(admin, id, { expiresAt: later }),
      await change(admin, id, { scopes: ["read:events"] }),
    ]) {
      expect([answer.status, answer.body.error.code]).toEqual([409, "LAST_ADMINISTRATOR"]);
      expect(answer.body.error.message).toContain("Make another key first");
    }
    expect(await statusOf(admin, "/api-keys")).toBe(200);
    expect((await change(admin, id, { name: "renamed", allowedIps: ["127.0.0.1"] })).status).toBe(200);
  });

  test.each([
    ["expires", { scopes: ["admin"], expiresAt: "2999-01-01T00:00:00Z" }, 409],
    ["is a sandbox key", { scopes: ["admin"], livemode: false }, 409],
    ["may do less", { scopes: ["write:webhooks"] }, 409],
    ["lasts", { scopes: ["admin"] }, 200],
  ])("another key that %s: %j", async (_name, fields, status) => {
    const { tenant, admin } = await newTenant();
    const id = idFromUuid("apiKey", await idOf(tenant));
    expect((await create(admin, { name: "other", ...fields })).status).toBe(201);
    expect((await revoke(admin, id)).status).toBe(status);
  });

  test("of the last two, revoked at the same moment, one stays", async () => {
    const { tenant, admin } = await newTenant();
    const first = idFromUuid("apiKey", await idOf(tenant));
    const { data: second } = (await create(admin, { name: "second", scopes: ["admin"] })).body;
    const passing = await face.addKey(tenant, { expiresAtMs: face.clock.nowMs() + 60_000 });
    const answers = await Promise.all([revoke(passing, second.id), revoke(passing, first)]);
    expect(answers.map((answer) => answer.status).toSorted()).toEqual([200, 409]);
  });
});

test("an administrator bound to a company is none that a tenant can be left with", async () => {
  const { tenant, admin } = await newTenant();
  await face.call(admin, "POST", "/companies", { id: "company_a", name: "A" });
  await face.addKey(tenant, { companyId: "company_a" });
  const [own] = (await face.call(admin, "GET", "/api-keys")).body.data.filter(
    (each: { companyId: string | null }) => each.companyId === null,
  );
  expect((await revoke(admin, own.id)).body.error?.code).toBe("LAST_ADMINISTRATOR");
  expect((await change(admin, own.id, { companyId: "company_a" })).body.error?.code).toBe("LAST_ADMINISTRATOR");
});

describe("a webhook's own read key", () => {
  const webhookOf = async (admin: string): Promise<string> => {
    const body = { url: "https://example.com/hook", events: ["invoice.paid"] };
    return (await face.call(admin, "POST", "/webhooks", body)).body.data.id;
  };

  test("has fixed scopes, is shown once, listed with its webhook and among the keys, and revoked in both places", async () => {
    const { admin } = await newTenant();
    const webhook = await webhookOf(admin);
    const path = `/webhooks/${webhook}/read-keys`;
    const made = await face.call(admin, "POST", path);
    expect(made.status).toBe(201);
    const { key, ...shown } = made.body.data;
    expect(shown).toMatchObject({
      webhookId: webhook,
      scopes: ["read:events", "read:webhooks"],
      name: `reads ${webhook}`,
      livemode: true,
    });
    const other = (await face.call(admin, "POST", path, { name: "second", allowedIps: ["203.0.113.7"] })).body.data;
    expect((await face.call(admin, "GET", path)).body.data.map((each: { id: string }) => each.id)).toEqual([
      other.id,
      shown.id,
    ]);
    expect((await face.call(admin, "GET", `${path}/${shown.id}`)).body.data).toMatchObject({ id: shown.id });
    expect((await face.call(admin, "GET", "/api-keys")).body.data).toHaveLength(3);
    expect((await face.call(admin, "DELETE", `${path}/${shown.id}`)).body.data.status).toBe("revoked");
    expect(await statusOf(key, `/webhooks/${webhook}`)).toBe(401);
    expect((await revoke(admin, other.id)).body.data.status).toBe("revoked");
  });

  test("is not made for, found at, or revoked through another webhook", async () => {
    const { admin } = await newTenant();
    const [mine, another] = [await webhookOf(admin), await webhookOf(admin)];
    const { data } = (await face.call(admin, "POST", `/webhooks/${mine}/read-keys`)).body;
    expect((await face.call(admin, "GET", `/webhooks/${another}/read-keys`)).body.data).toEqual([]);
    expect((await face.call(admin, "GET", `/webhooks/${another}/read-keys/${data.id}`)).status).toBe(404);
    expect((await face.call(admin, "DELETE", `/webhooks/${another}/read-keys/${data.id}`)).status).toBe(404);
    const sandbox = (await create(admin, { name: "x", scopes: ["admin"], livemode: false })).body.data.key;
    expect((await face.call(sandbox, "POST", `/webhooks/${mine}/read-keys`)).status).toBe(404);
    expect((await face.call(sandbox, "GET", `/webhooks/${mine}/read-keys`)).status).toBe(404);
    expect((await face.call(admin, "POST", "/webhooks/webhook_x/read-keys")).status).toBe(404);
    expect(await statusOf(data.key, `/webhooks/${another}`)).not.toBe(200);
  });

  test("can be given limits and a name, and nothing that would widen it", async () => {
    const { admin } = await newTenant();
    const { data } = (await face.call(admin, "POST", `/webhooks/${await webhookOf(admin)}/read-keys`)).body;
    expect((await change(admin, data.id, { name: "n", allowedIps: ["203.0.113.7"] })).status).toBe(200);
    const widened = await change(admin, data.id, { scopes: ["admin"] });
    expect([widened.status, widened.body.error.details[0].field]).toEqual([422, "scopes"]);
  });

  test("ends with its webhook, and the trail says so", async () => {
    const { admin } = await newTenant();
    const webhook = await webhookOf(admin);
    const { data } = (await face.call(admin, "POST", `/webhooks/${webhook}/read-keys`)).body;
    expect((await face.call(admin, "DELETE", `/webhooks/${webhook}`)).status).toBe(200);
    expect(await statusOf(data.key, `/webhooks/${webhook}`)).toBe(401);
    const entries = (await face.call(admin, "GET", `/audit?objectId=${webhook}&action=webhook.deleted`)).body.data;
    expect(entries[0].change.readKeys).toEqual({ from: [data.id], to: [] });
  });
});
