// Registered event types through their routes: shown beside the published ones, never in their place, gone when removed.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { MAX_REGISTERED_TYPES } from "../../src/manage/event-types.ts";
import { type Face, openFace } from "../http/support.ts";

let face: Face;
beforeAll(async () => {
  face = await openFace();
});
afterAll(() => face.close());

let count = 0;
async function newTenant(): Promise<{ tenant: string; admin: string }> {
  count += 1;
  const tenant = await face.addTenant(`tenant ${count}`);
  return { tenant, admin: await face.addKey(tenant) };
}
const register = (key: string, body: object) => face.call(key, "POST", "/event-types", body);
const OPENED = {
  name: "warehouse.opened",
  description: "A warehouse opened its doors.",
  referencePath: ["object", "code"],
  example: { data: { object: { code: "WH-1" } }, context: { source: "wms" }, timestamp: "2026-11-23T08:00:00Z" },
};

describe("a registered type", () => {
  test("is listed and read like a published one, with an example that can be published as it is", async () => {
    const { admin } = await newTenant();
    const made = await register(admin, OPENED);
    expect([made.status, made.headers["location"]]).toEqual([201, "/v1/event-types/warehouse.opened"]);
    const shown = {
      name: "warehouse.opened",
      resource: "warehouse",
      description: OPENED.description,
      referencePath: ["object", "code"],
      registered: true,
    };
    const example = { event: "warehouse.opened", ...OPENED.example };
    expect(made.body.data).toEqual({ ...shown, example });
    expect((await face.call(admin, "GET", "/event-types/warehouse.opened")).body.data).toEqual({
      ...shown,
      example,
      taggedFields: [],
    });
    expect((await face.call(admin, "GET", "/event-types?type=warehouse.*")).body.data).toEqual([shown]);
  });

  test("can be named by a webhook, and then not be removed; the refusal names the webhook", async () => {
    const { admin } = await newTenant();
    const body = { url: "https://example.com/", events: ["warehouse.opened"] };
    expect((await face.call(admin, "POST", "/webhooks", body)).status).toBe(422);
    await register(admin, OPENED);
    const webhook = (await face.call(admin, "POST", "/webhooks", body)).body.data.id;
    const refused = await face.call(admin, "DELETE", "/event-types/warehouse.opened");
    expect([refused.status, refused.body.error.code]).toEqual([409, "CONFLICT"]);
    expect(refused.body.error.message).toContain(webhook);
    await face.call(admin, "DELETE", `/webhooks/${webhook}`);
    const removed = await face.call(admin, "DELETE", "/event-types/warehouse.opened");
    expect(removed.body.data).toEqual({ name: "warehouse.opened", deleted: true });
    expect((await face.call(admin, "GET", "/event-types/warehouse.opened")).status).toBe(404);
    expect((await face.call(admin, "DELETE", "/event-types/warehouse.opened")).status).toBe(404);
  });

  test("can be changed in part; null takes a member away; its name stays", async () => {
    const { admin } = await newTenant();
    await register(admin, OPENED);
    const path = "/event-types/warehouse.opened";
    const changed = await face.call(admin, "PATCH", path, { description: "Opened.", referencePath: null });
    expect(changed.body.data).toMatchObject({ description: "Opened.", referencePath: null });
    expect(changed.body.data.example.data).toEqual(OPENED.example.data);
    const replaced = await face.call(admin, "PATCH", path, { example: { data: 1 } });
    expect(replaced.body.data.example).toEqual({ event: "warehouse.opened", data: 1 });
    expect((await face.call(admin, "PATCH", path, { example: null })).body.data.example).toBeNull();
    expect((await face.call(admin, "PATCH", path, { name: "other.name" })).body.error.code).toBe("READ_ONLY_FIELD");
    expect((await face.call(admin, "PATCH", "/event-types/not.there", { description: "x" })).status).toBe(404);
    const { data } = (await face.call(admin, "GET", "/audit?objectType=event_type")).body;
    expect(data.map((entry: { action: string }) => entry.action)).toEqual([
      "event_type.updated",
      "event_type.updated",
      "event_type.updated",
      "event_type.registered",
    ]);
    expect(JSON.stringify(data)).not.toContain("WH-1");
  });

  test("is not registered twice, and not in the place of a published one, which nobody changes or removes", async () => {
    const { admin } = await newTenant();
    await register(admin, OPENED);
    expect((await register(admin, OPENED)).body.error.code).toBe("ALREADY_EXISTS");
    const published = await register(admin, { ...OPENED, name: "invoice.paid" });
    expect([published.status, published.body.error.code]).toEqual([409, "ALREADY_EXISTS"]);
    expect((await face.call(admin, "PATCH", "/event-types/invoice.paid", { description: "x" })).status).toBe(409);
    expect((await face.call(admin, "DELETE", "/event-types/invoice.paid")).status).toBe(409);
  });

  test("belongs to its tenant: another one neither sees, takes, changes nor removes it", async () => {
    const [mine, theirs] = [await newTenant(), await newTenant()];
    await register(theirs.admin, OPENED);
    expect((await face.call(mine.admin, "GET", "/event-types?type=warehouse.*")).body.data).toEqual([]);
    for (const [method, body] of [["GET"], ["PATCH", { description: "x" }], ["DELETE"]] as const) {
      expect((await face.call(mine.admin, method, "/event-types/warehouse.opened", body)).status).toBe(404);
    }
    expect((await register(mine.admin, OPENED)).status).toBe(201);
    expect((await face.call(mine.admin, "DELETE", "/event-types/warehouse.opened")).status).toBe(200);
    expect((await face.call(theirs.admin, "GET", "/event-types/warehouse.opened")).status).toBe(200);
  });

  test("is for live keys to register: both modes publish it", async () => {
    const { tenant } = await newTenant();
    const sandbox = await face.addKey(tenant, { livemode: false });
    expect((await register(sandbox, OPENED)).body.error.details[0].code).toBe("LIVE_KEY_REQUIRED");
  });

  test("stands beside no more than a thousand others", async () => {
    const { tenant, admin } = await newTenant();
    await face.owner.query(
      `insert into event_type (tenant_id, created_at, config_version, name, description)
       select $1, now(), 1, 'a.b' || n, 'x' from generate_series(1, $2) n`,
      [tenant, MAX_REGISTERED_TYPES - 1],
    );
    expect((await register(admin, OPENED)).status).toBe(201);
    const refused = await register(admin, { ...OPENED, name: "warehouse.closed" });
    expect([refused.status, refused.body.error.code]).toEqual([409, "CONFLICT"]);
  });
});

test.each([
  [{ description: "x" }, "name"],
  [{ name: "warehouse", description: "x" }, "name"],
  [{ name: "warehouse.*", description: "x" }, "name"],
  [{ name: "ware house.opened", description: "x" }, "name"],
  [{ name: `a.${"b".repeat(130)}`, description: "x" }, "name"],
  [{ name: "a.b" }, "description"],
  [{ name: "a.b", description: "" }, "description"],
  [{ name: "a.b", description: "x", referencePath: [] }, "referencePath"],
  [{ name: "a.b", description: "x", referencePath: "object.code" }, "referencePath"],
  [{ name: "a.b", description: "x", example: {} }, "example.data"],
  [{ name: "a.b", description: "x", example: { data: 1, timestamp: "noon" } }, "example.timestamp"],
  [{ name: "a.b", description: "x", example: { data: 1, event: "a.b" } }, "example.event"],
  [{ name: "a.b", description: "x", example: { data: "x".repeat(70_000) } }, "example"],
  [{ name: "a.b", description: "x", retentionDays: 7 }, "retentionDays"],
])("%j is refused by the name of the field", async (body, field) => {
  const { admin } = await newTenant();
  const answer = await register(admin, body);
  expect([answer.status, answer.body.error.details[0].field]).toEqual([422, field]);
});

test.each(["__proto__.x", "constructor.x", "a.__proto__"])("%s is a name like others", async (name) => {
  const { admin } = await newTenant();
  expect((await register(admin, { name, description: "x" })).status).toBe(201);
  expect((await face.call(admin, "GET", `/event-types/${name}`)).body.data.name).toBe(name);
});
