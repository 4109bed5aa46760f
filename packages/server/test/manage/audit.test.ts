// The trail: every change of tenants, keys, companies and event types leaves one entry in its own transaction (G14),
// and the trail can be searched, by its own tenant only.
import { type Id, isId, uuidFromId } from "@posthorn/contract";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { routesToRead } from "../../src/http/routes.ts";
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

const entriesOf = async (key = operator): Promise<Record<string, unknown>[]> =>
  (await face.call(key, "GET", "/audit?limit=200")).body.data;
const post = async (path: string, body: object): Promise<Json["body"]> =>
  (await face.call(operator, "POST", path, body)).body.data;

const PROGRAM = { name: "p", redirectUris: ["https://bi.example.com/cb"], scopes: ["read:events"] };

/** Each changing route of tenancy and access: what to call, and what the trail says then. */
const CHANGES: Record<string, { action: string; call: () => Promise<[path: string, body?: object]> }> = {
  "POST /api-keys": {
    action: "api_key.created",
    call: async () => ["/api-keys", { name: "x", scopes: ["read:events"] }],
  },
  "PATCH /api-keys/{id}": {
    action: "api_key.updated",
    call: async () => [`/api-keys/${(await newKey()).id}`, { name: "renamed" }],
  },
  "DELETE /api-keys/{id}": {
    action: "api_key.revoked",
    call: async () => [`/api-keys/${(await newKey()).id}`],
  },
  "POST /webhooks/{id}/read-keys": {
    action: "api_key.created",
    call: async () => [`/webhooks/${await newWebhook()}/read-keys`],
  },
  "DELETE /webhooks/{id}/read-keys/{keyId}": {
    action: "api_key.revoked",
    call: async () => {
      const path = `/webhooks/${await newWebhook()}/read-keys`;
      return [`${path}/${(await post(path, {})).id}`];
    },
  },
  "POST /oauth-clients": {
    action: "oauth_client.created",
    call: async () => ["/oauth-clients", PROGRAM],
  },
  "DELETE /oauth-clients/{id}": {
    action: "oauth_client.deleted",
    call: async () => [`/oauth-clients/${(await post("/oauth-clients", PROGRAM)).id}`],
  },
  "DELETE /oauth-grants/{id}": {
    action: "oauth_grant.revoked",
    call: async () => [`/oauth-grants/${await newGrant()}`],
  },
  "POST /companies": { action: "company.created", call: async () => ["/companies", { name: "c" }] },
  "PATCH /companies/{id}": {
    action: "company.updated",
    call: async () => [`/companies/${(await post("/companies", { name: "c" })).id}`, { name: "d" }],
  },
  "DELETE /companies/{id}": {
    action: "company.deleted",
    call: async () => [`/companies/${(await post("/companies", { name: "c" })).id}`],
  },
  "POST /tenants": { action: "tenant.created", call: async () => ["/tenants", { name: nextName() }] },
  "PATCH /tenants/{id}": {
    action: "tenant.updated",
    call: async () => [`/tenants/${(await post("/tenants", { name: nextName() })).id}`, { captureLimitPerSecond: 3 }],
  },
  "PATCH /tenants/current": {
    action: "tenant.updated",
    call: async () => {
      const { retentionDays } = (await face.call(operator, "GET", "/tenants/current")).body.data;
      return ["/tenants/current", { retentionDays: retentionDays === 7 ? 30 : 7 }];
    },
  },
  "POST /event-types": {
    action: "event_type.registered",
    call: async () => ["/event-types", { name: nextName(), description: "x" }],
  },
  "PATCH /event-types/{name}": {
    action: "event_type.updated",
    call: async () => [`/event-types/${await newType()}`, { description: "y" }],
  },
  "DELETE /event-types/{name}": {
    action: "event_type.removed",
    call: async () => [`/event-types/${await newType()}`],
  },
};

let count = 0;
function nextName(): string {
  count += 1;
  return `thing.done_${count}`;
}
const newKey = () => post("/api-keys", { name: "x", scopes: ["read:events"] });
const newWebhook = async (): Promise<string> =>
  (await post("/webhooks", { url: "https://example.com/", events: ["invoice.paid"] })).id;
/** As if it had been allowed: the pages for that are not part of this face. It has the id of its program. */
async function newGrant(): Promise<string> {
  const id = (await post("/oauth-clients", PROGRAM)).id as string;
  await face.owner.query(
    `insert into oauth_grant (tenant_id, id, client_id, granted_by, created_at, code_expires_at, scopes, code_hash,
       code_challenge, redirect_uri)
     select tenant_id, id, id, id, now(), now(), scopes, sha256(id::text::bytea), 'challenge', 'https://bi.example.com/cb'
     from oauth_client where id = $1`,
    [uuidFromId("oauthClient", id as Id<"oauthClient">)],
  );
  return id.replace("client_", "grant_");
}
async function newType(): Promise<string> {
  return (await post("/event-types", { name: nextName(), description: "x" })).name;
}

test("the list below names every changing route of tenancy and access", () => {
  const tags = new Set(["API keys", "Companies", "Tenants", "Event types"]);
  const routes = routesToRead().filter((route) => tags.has(route.tag) && route.method !== "GET");
  expect(routes.map((route) => `${route.method} ${route.path}`).toSorted()).toEqual(Object.keys(CHANGES).toSorted());
});

describe.each(Object.entries(CHANGES))("%s", (name, { action, call }) => {
  const method = name.split(" ")[0] as string;

  test("writes one entry that says who, what, in which request, and no key", async () => {
    const [path, body] = await call();
    const before = await entriesOf();
    const answer = await face.call(operator, method, path, body);
    expect(answer.status).toBeLessThan(300);
    const written = (await entriesOf()).filter((entry) => !before.some((earlier) => earlier["id"] === entry["id"]));
    expect(written).toHaveLength(1);
    expect(written[0]).toMatchObject({
      action,
      actor: expect.stringMatching(/^key_/),
      requestId: answer.body.meta.requestId,
      at: new Date(face.clock.nowMs()).toISOString(),
    });
    const text = answer.body.data.key ?? answer.body.data.apiKey?.key;
    if (text !== undefined) expect(JSON.stringify(written)).not.toContain(text.slice(12, 40));
  });

  test("changes nothing when the entry cannot be written", async () => {
    const [path, body] = await call();
    const state = async () =>
      (
        await face.owner.query(
          `select (select version from config_version), (select json_agg(t) from tenant t) as tenants,
             (select json_agg(c order by c.id) from company c) as companies,
             (select json_agg(k order by k.id) from api_key k) as keys,
             (select json_agg(e order by e.name) from event_type e) as types`,
        )
      ).rows;
    const before = await state();
    const admin = await face.pools.owner.connect();
    try {
      await admin.query("alter table audit_entry add constraint refuse_all check (false) not valid");
      expect((await face.call(operator, method, path, body)).status).toBe(500);
    } finally {
      await admin.query("alter table audit_entry drop constraint refuse_all");
      admin.release();
    }
    expect(await state()).toEqual(before);
  });
});

describe("the trail", () => {
  test("is searched by object, actor, action and time, newest first, page by page", async () => {
    const tenant = await face.addTenant("searched");
    const admin = await face.addKey(tenant);
    const startMs = face.clock.nowMs();
    const made = (await face.call(admin, "POST", "/companies", { id: "company_a", name: "A" })).body;
    face.clock.atMs += 10_000;
    await face.call(admin, "PATCH", "/companies/company_a", { name: "B" });
    face.clock.atMs += 10_000;
    await face.call(admin, "POST", "/companies", { id: "company_b", name: "B" });
    const find = async (query: string): Promise<string[]> =>
      (await face.call(admin, "GET", `/audit?${query}`)).body.data.map(
        (entry: { action: string; objectId: string }) => `${entry.action} ${entry.objectId}`,
      );
    const all = ["company.created company_b", "company.updated company_a", "company.created company_a"];
    expect(await find("")).toEqual(all);
    expect(await find("objectId=company_a")).toEqual(all.slice(1));
    expect(await find("objectType=company&action=company.updated")).toEqual([all[1]]);
    expect(await find("objectType=tenant")).toEqual([]);
    const { data } = (await face.call(admin, "GET", "/audit")).body;
    expect(isId("audit", data[0].id)).toBe(true);
    expect(await find(`actor=${data[0].actor}`)).toEqual(all);
    expect(await find("actor=operator")).toEqual([]);
    const at = (offsetMs: number) => encodeURIComponent(new Date(startMs + offsetMs).toISOString());
    expect(await find(`from=${at(10_000)}`)).toEqual(all.slice(0, 2));
    expect(await find(`to=${at(10_000)}`)).toEqual([all[2]]);
    expect(await find(`from=${at(1)}&to=${at(20_000)}`)).toEqual([all[1]]);
    const first = (await face.call(admin, "GET", "/audit?limit=2")).body;
    expect(await find(`limit=2&cursor=${first.pagination.nextCursor}`)).toEqual([all[2]]);
    expect(made.success).toBe(true);
  });

  test("shows a tenant its own entries only, and needs a live administrator's key", async () => {
    const mine = await face.addTenant("mine");
    const admin = await face.addKey(mine);
    await face.call(operator, "POST", "/companies", { name: "theirs" });
    expect(await entriesOf(admin)).toEqual([]);
    for (const [options, code] of [
      [{ scopes: ["write:webhooks", "operator"] }, "INSUFFICIENT_SCOPE"],
      [{ livemode: false }, "LIVE_KEY_REQUIRED"],
    ] as const) {
      const answer = await face.call(await face.addKey(mine, options), "GET", "/audit");
      expect([answer.status, answer.body.error.details[0].code]).toEqual([403, code]);
    }
  });

  test.each(["objectType=invoice", "actor=a%20b", "from=yesterday", "who=me", "cursor=x", "actor=%00"])(
    "refuses %s",
    async (query) => {
      expect((await face.call(operator, "GET", `/audit?${query}`)).status).toBe(422);
    },
  );
});
