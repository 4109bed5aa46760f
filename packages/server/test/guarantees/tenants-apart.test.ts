// G8 for tenancy and access: with a key of one tenant nothing of another is seen, changed or guessed at through any
// route that manages keys, companies, event types, settings or the trail. Row-level security stands behind the tenant
// clause: it is asked here by itself, too.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Id, uuidFromId } from "@posthorn/contract";
import { routesToRead } from "../../src/http/routes.ts";
import { type Face, openFace } from "../http/support.ts";

let face: Face;
let admin: string;
let stranger: string;
let tenant: string;
/** What the tenant has, by the route parameters that would find it. */
let params: Record<string, Record<string, string>>;
/** Everything that could tell of it. */
let marks: string[];

beforeAll(async () => {
  face = await openFace();
  tenant = await face.addTenant("the other one");
  admin = await face.addKey(tenant);
  stranger = await face.addKey(await face.addTenant("stranger"));
  const post = async (path: string, body: object) => (await face.call(admin, "POST", path, body)).body.data;
  const company = await post("/companies", { id: "company_private", name: "private company" });
  const key = await post("/api-keys", { name: "private key", scopes: ["admin"] });
  const type = await post("/event-types", { name: "private.thing", description: "private type" });
  const rule = await post("/rules", { name: "private_rule", expression: '"private" == "the other one"' });
  const table = await post("/code-tables", { name: "private_codes", entries: { private: "private" } });
  const webhook = await post("/webhooks", { url: "https://private.example/", events: ["private.thing"] });
  const readKey = await post(`/webhooks/${webhook.id}/read-keys`, { name: "private reader" });
  await face.call(admin, "PUT", "/routes/private_route", { steps: [{ when: "true", webhooks: [webhook.id] }] });
  await post("/organisation/load", { branches: [{ id: "branch_private", name: "private branch" }] });
  const client = await post("/oauth-clients", {
    name: "private program",
    redirectUris: ["https://private.example/cb"],
    scopes: ["read:events"],
  });
  // As if it had been allowed: the pages for that are not part of this face. It has the id of the program.
  await face.owner.query(
    `insert into oauth_grant (tenant_id, id, client_id, granted_by, created_at, code_expires_at, code_used_at, scopes,
       code_hash, code_challenge, redirect_uri)
     select tenant_id, id, id, id, now(), now(), now(), scopes, sha256('code'), 'challenge', 'https://private.example/cb'
     from oauth_client where id = $1`,
    [uuidFromId("oauthClient", client.id as Id<"oauthClient">)],
  );
  const grantId = (client.id as string).replace("client_", "grant_");
  params = {
    "/oauth-clients/{id}": { id: client.id },
    "/oauth-grants/{id}": { id: grantId },
    "/companies/{id}": { id: company.id },
    "/api-keys/{id}": { id: key.id },
    "/event-types/{name}": { name: type.name },
    "/rules/{name}": { name: rule.name },
    "/rules/{name}/versions": { name: rule.name },
    "/code-tables/{name}": { name: table.name },
    "/code-tables/{name}/versions": { name: table.name },
    "/routes/{name}": { name: "private_route" },
    "/routes/{name}/versions": { name: "private_route" },
    "/organisation/{id}": { id: "branch_private" },
    "/webhooks/{id}/read-keys": { id: webhook.id },
    "/webhooks/{id}/read-keys/{keyId}": { id: webhook.id, keyId: readKey.id },
  };
  marks = [
    company.id,
    key.id,
    type.name,
    rule.name,
    table.name,
    webhook.id,
    readKey.id,
    client.id,
    grantId,
    "private",
    "the other one",
  ];
});
afterAll(() => face.close());

const TAGS = new Set(["Routes", "Organisation", "API keys", "Companies", "Tenants", "Event types", "Rules", "Audit"]);
const BODIES: Record<string, object> = {
  "PATCH /companies/{id}": { name: "stolen" },
  "PATCH /api-keys/{id}": { name: "stolen" },
  "PATCH /event-types/{name}": { description: "stolen" },
  "PATCH /rules/{name}": { description: "stolen" },
  "PATCH /code-tables/{name}": { description: "stolen" },
};
/** Paths of one thing. */
const PATHS = [
  "/companies/{id}",
  "/oauth-clients/{id}",
  "/oauth-grants/{id}",
  "/api-keys/{id}",
  "/event-types/{name}",
  "/rules/{name}",
  "/rules/{name}/versions",
  "/code-tables/{name}",
  "/code-tables/{name}/versions",
  "/routes/{name}",
  "/routes/{name}/versions",
  "/organisation/{id}",
  "/webhooks/{id}/read-keys",
  "/webhooks/{id}/read-keys/{keyId}",
];
const routes = routesToRead().filter((route) => TAGS.has(route.tag) && route.scope !== "operator");

// A PUT makes what is not there, in its own tenant: tested below.
const ofOthers = routes.filter((route) => PATHS.includes(route.path) && route.method !== "PUT");
describe.each(ofOthers)("$method $path", (route) => {
  test("finds nothing of another tenant, and answers as if it were not there", async () => {
    const own = params[route.path] as Record<string, string>;
    const query = route.path === "/organisation/{id}" ? "?kind=branch" : "";
    const path = route.path.replaceAll(/\{(\w+)\}/g, (_, name: string) => own[name] as string) + query;
    const answer = await face.call(stranger, route.method, path, BODIES[`${route.method} ${route.path}`]);
    expect(answer.status).toBe(404);
    // What was asked for may be repeated; nothing else may be told.
    const told = marks.filter((mark) => !path.includes(mark) && JSON.stringify(answer.body).includes(mark));
    expect(told).toEqual([]);
    const absent = path.replace(/[0-9A-Z]{26}/g, "01ARZ3NDEKTSV4RRFFQ69G5FAV").replace("private", "absent");
    const other = await face.call(stranger, route.method, absent, BODIES[`${route.method} ${route.path}`]);
    expect([other.status, other.body.error.message]).toEqual([404, answer.body.error.message]);
  });
});

test.each(routes.filter((route) => route.answer.isList === true && !route.path.includes("{")))(
  "$method $path lists nothing of another tenant",
  async (route) => {
    const query = route.path === "/organisation" ? "kind=branch&" : "";
    const answer = await face.call(stranger, "GET", `${route.path}?${query}limit=200`);
    expect(answer.status).toBe(200);
    expect(marks.filter((mark) => JSON.stringify(answer.body).includes(mark))).toEqual([]);
  },
);

test("every route of one thing is among those asked", () => {
  const ofOne = routes.filter((route) => route.path.includes("{")).map((route) => route.path);
  expect([...new Set(ofOne)].toSorted()).toEqual(PATHS.toSorted());
});

test("a route names no webhook of another tenant, and another tenant's route of the same name is another one", async () => {
  const put = (webhook: string) =>
    face.call(stranger, "PUT", "/routes/private_route", { steps: [{ when: "true", webhooks: [webhook] }] });
  const refused = await put((params["/webhooks/{id}/read-keys"] as { id: string }).id);
  expect([refused.status, refused.body.error.details[0].field]).toEqual([422, "steps[0].webhooks[0]"]);
  const url = "https://mine.example/";
  const own = await face.call(stranger, "POST", "/webhooks", { url, events: ["invoice.paid"] });
  expect((await put(own.body.data.id)).body.data.version).toBe(1);
  const { data } = (await face.call(admin, "GET", "/routes/private_route")).body;
  expect(data.steps[0].webhooks).not.toContain(own.body.data.id);
});

test("the same ids and names are free for the stranger: nothing tells that somebody else has them", async () => {
  for (const [path, body] of [
    ["/companies", { id: "company_private", name: "mine" }],
    ["/event-types", { name: "private.thing", description: "mine" }],
    ["/rules", { name: "private_rule", expression: "false" }],
    ["/code-tables", { name: "private_codes", entries: {} }],
  ] as const) {
    expect((await face.call(stranger, "POST", path, body)).status).toBe(201);
  }
});

test("behind the clauses the database shows the API one tenant, and writes into no other", async () => {
  const client = await face.pools.api.connect();
  const own = (await face.owner.query("select id from tenant where name = 'stranger'")).rows[0].id;
  try {
    await client.query("begin");
    await client.query("select set_config('posthorn.tenant_id', $1, true)", [own]);
    const tables = [
      "company",
      "api_key",
      "event_type",
      "definition",
      "organisation_entry",
      "route",
      "audit_entry",
      "tenant",
    ];
    for (const table of tables) {
      const column = table === "tenant" ? "id" : "tenant_id";
      const { rows } = await client.query(`select 1 from ${table} where ${column} = $1`, [tenant]);
      expect([table, rows.length]).toEqual([table, 0]);
    }
    await expect(
      client.query(
        "insert into company (tenant_id, id, created_at, config_version, name) values ($1, 'x', now(), 1, 'x')",
        [tenant],
      ),
    ).rejects.toMatchObject({ code: "42501" });
  } finally {
    await client.query("rollback");
    client.release();
  }
});
