// Tenants through their routes: an operator's, an administrator's, and the wall between tenants.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { inspectApiKey } from "../../src/security/api-keys.ts";
import { type Face, type Json, openFace } from "../http/support.ts";

let face: Face;
let home: string;
let operator: string;
beforeAll(async () => {
  face = await openFace();
  home = await face.addTenant("home");
  operator = await face.addKey(home, { scopes: ["admin", "operator"] });
});
afterAll(() => face.close());

const create = (body: object): Promise<Json> => face.call(operator, "POST", "/tenants", body);
const trail = async (key: string, filter = "") => (await face.call(key, "GET", `/audit${filter}`)).body.data;

test("an operator's sandbox key reads tenants and makes none: a new tenant's first key is live", async () => {
  const sandbox = await face.addKey(home, { scopes: ["operator"], livemode: false });
  expect((await face.call(sandbox, "GET", "/tenants")).status).toBe(200);
  const made = await face.call(sandbox, "POST", "/tenants", { name: "by a sandbox key" });
  expect([made.status, made.body.error.details[0].code]).toEqual([403, "LIVE_KEY_REQUIRED"]);
  const [{ id }] = (await face.call(operator, "GET", "/tenants?name=home")).body.data;
  expect((await face.call(sandbox, "PATCH", `/tenants/${id}`, { name: "taken" })).status).toBe(403);
});

describe("an operator", () => {
  test("makes a tenant whose first key works, with its first company, the key of its secrets and partitions", async () => {
    const made = await create({ name: "acme", retentionDays: 400, captureLimitPerSecond: 50 });
    expect(made.status).toBe(201);
    const { company, apiKey, ...tenant } = made.body.data;
    expect(tenant).toEqual({
      id: expect.stringMatching(/^ten_/),
      name: "acme",
      captureLimitPerSecond: 50,
      retentionDays: 400,
      unknownEventTypes: "refused",
      administratorEmail: null,
      timeZone: "UTC",
      createdAt: new Date(face.clock.nowMs()).toISOString(),
    });
    expect(made.headers["location"]).toBe(`/v1/tenants/${tenant.id}`);
    expect(company).toMatchObject({ id: "company_default", name: "Default company" });
    expect(apiKey).toMatchObject({ scopes: ["admin"], livemode: true, status: "active" });
    expect(inspectApiKey(apiKey.key)).toBe("minted");
    expect((await face.call(apiKey.key, "GET", "/tenants/current")).body.data).toEqual(tenant);
    expect((await face.call(apiKey.key, "GET", "/companies")).body.data).toEqual([company]);
    const { rows } = await face.pools.owner.query(
      "select count(*)::int as n from pg_class where relname like 'event_c400_%'",
    );
    expect(rows[0].n).toBeGreaterThan(0);
    const keys = await face.owner.query("select count(*)::int as n from tenant_key where tenant_id <> $1", [home]);
    expect(keys.rows[0].n).toBeGreaterThan(0);
  });

  test("names the first company as the platform does", async () => {
    const { company } = (await create({ name: "named", company: { id: "company_7", name: "Seven" } })).body.data;
    expect(company).toMatchObject({ id: "company_7", name: "Seven" });
  });

  test("lists tenants newest first, finds one by name, reads and changes it", async () => {
    const { id } = (await create({ name: "found" })).body.data;
    expect((await face.call(operator, "GET", "/tenants?limit=1")).body.data[0].id).toBe(id);
    expect((await face.call(operator, "GET", "/tenants?name=found")).body.data).toHaveLength(1);
    const changes = { name: "found again", captureLimitPerSecond: 7, retentionDays: 30, unknownEventTypes: "open" };
    expect((await face.call(operator, "PATCH", `/tenants/${id}`, changes)).body.data).toMatchObject(changes);
    expect((await face.call(operator, "GET", `/tenants/${id}`)).body.data).toMatchObject(changes);
    const nulls = { captureLimitPerSecond: null, retentionDays: null, unknownEventTypes: null };
    expect((await face.call(operator, "PATCH", `/tenants/${id}`, nulls)).body.data).toMatchObject({
      name: "found again",
      captureLimitPerSecond: null,
      retentionDays: 90,
      unknownEventTypes: "refused",
    });
  });

  test("cannot give two tenants one name, at once or by a change", async () => {
    const answers = await Promise.all([create({ name: "twin" }), create({ name: "twin" })]);
    expect(answers.map((answer) => answer.status).toSorted()).toEqual([201, 409]);
    const { id } = (await create({ name: "single" })).body.data;
    const renamed = await face.call(operator, "PATCH", `/tenants/${id}`, { name: "twin" });
    expect([renamed.status, renamed.body.error.code]).toEqual([409, "ALREADY_EXISTS"]);
  });

  test.each([
    [{}, "name"],
    [{ name: "x", retentionDays: 8 }, "retentionDays"],
    [{ name: "x", unknownEventTypes: "maybe" }, "unknownEventTypes"],
    [{ name: "x", captureLimitPerSecond: -1 }, "captureLimitPerSecond"],
    [{ name: "x", company: { id: "7" } }, "company.id"],
    [{ name: "x", id: "ten_1" }, "id"],
    [{ name: "x", plan: "gold" }, "plan"],
  ])("is told what is wrong with %j", async (body, field) => {
    const answer = await create(body);
    expect([answer.status, answer.body.error.details[0].field]).toEqual([422, field]);
  });

  test("is in the trail of both sides: the tenant reads 'operator', the operator's own tenant reads the key", async () => {
    const { id, apiKey } = (await create({ name: "watched" })).body.data;
    await face.call(operator, "PATCH", `/tenants/${id}`, { captureLimitPerSecond: 9 });
    const theirs = await trail(apiKey.key, `?objectId=${id}`);
    expect(theirs.map((entry: Record<string, unknown>) => [entry["action"], entry["actor"]])).toEqual([
      ["tenant.updated", "operator"],
      ["tenant.created", "operator"],
    ]);
    expect(theirs[0].change).toEqual({ captureLimitPerSecond: { from: null, to: 9 } });
    const ours = await trail(operator, `?objectId=${id}`);
    expect(ours.map((entry: Record<string, unknown>) => [entry["action"], entry["actor"]])).toEqual([
      ["tenant.updated", expect.stringMatching(/^key_/)],
      ["tenant.created", expect.stringMatching(/^key_/)],
    ]);
    expect(JSON.stringify([theirs, ours])).not.toContain(apiKey.key);
  });

  test("sees nothing inside of another tenant", async () => {
    const { apiKey } = (await create({ name: "closed" })).body.data;
    await face.call(apiKey.key, "POST", "/companies", { id: "company_secret", name: "s" });
    expect((await face.call(operator, "GET", "/companies/company_secret")).status).toBe(404);
    expect((await face.call(operator, "GET", `/api-keys/${apiKey.id}`)).status).toBe(404);
  });
});

describe("an administrator", () => {
  test("without the scope operator reaches no tenants at all; the refusal names the scope", async () => {
    const admin = await face.addKey(home);
    const { id } = (await create({ name: "other" })).body.data;
    for (const [method, path, body] of [
      ["GET", "/tenants"],
      ["POST", "/tenants", { name: "mine" }],
      ["GET", `/tenants/${id}`],
      ["PATCH", `/tenants/${id}`, { name: "taken" }],
    ] as const) {
      const answer = await face.call(admin, method, path, body);
      expect(answer.status).toBe(403);
      expect(answer.body.error.details[0]).toMatchObject({ required_scope: "operator", current_scopes: ["admin"] });
    }
  });

  test("reads and changes his own settings, and not what is the operator's", async () => {
    const { apiKey, id } = (await create({ name: "own" })).body.data;
    const changed = await face.call(apiKey.key, "PATCH", "/tenants/current", {
      retentionDays: 7,
      unknownEventTypes: "open",
    });
    expect(changed.body.data).toMatchObject({ id, name: "own", retentionDays: 7, unknownEventTypes: "open" });
    for (const [field, value] of Object.entries({ name: "mine", captureLimitPerSecond: 10, id: "ten_x" })) {
      const answer = await face.call(apiKey.key, "PATCH", "/tenants/current", { [field]: value });
      expect([answer.status, answer.body.error.code]).toEqual([422, "READ_ONLY_FIELD"]);
    }
    const [entry] = await trail(apiKey.key, "?action=tenant.updated");
    expect(entry).toMatchObject({ actor: apiKey.id, objectId: id });
  });

  test("with a sandbox key only reads them", async () => {
    const { apiKey } = (await create({ name: "sandboxed" })).body.data;
    const made = await face.call(apiKey.key, "POST", "/api-keys", { name: "t", scopes: ["admin"], livemode: false });
    const sandbox = made.body.data.key;
    expect((await face.call(sandbox, "GET", "/tenants/current")).status).toBe(200);
    const answer = await face.call(sandbox, "PATCH", "/tenants/current", { retentionDays: 7 });
    expect([answer.status, answer.body.error.details[0].code]).toEqual([403, "LIVE_KEY_REQUIRED"]);
  });

  test("cannot go past the routes either: the database refuses the API another column, and another row", async () => {
    const client = await face.pools.api.connect();
    const { id } = (await face.owner.query("select id from tenant where id <> $1 limit 1", [home])).rows[0];
    try {
      await client.query("begin");
      await client.query("select set_config('posthorn.tenant_id', $1, true)", [home]);
      const foreign = await client.query("update tenant set unknown_event_types = 'open' where id = $1", [id]);
      expect(foreign.rowCount).toBe(0);
      await expect(client.query("update tenant set capture_limit_per_second = 1")).rejects.toMatchObject({
        code: "42501",
      });
    } finally {
      await client.query("rollback");
      client.release();
    }
  });
});
