// Webhooks through the API on a real database: defaults, versions, preconditions, refusals, isolation, secrets.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Face, openFace } from "../http/support.ts";

let face: Face;
let tenant: string;
let key: string;
const MINIMAL = { url: "https://example.com/hook", events: ["invoice.paid"] };

beforeAll(async () => {
  face = await openFace();
  tenant = await face.addTenant("one");
  key = await face.addKey(tenant);
});
afterAll(() => face.close());

const create = async (fields: Record<string, unknown> = {}, using = key) => {
  const answer = await face.call(using, "POST", "/webhooks", { ...MINIMAL, ...fields });
  expect(answer.status, JSON.stringify(answer.body)).toBe(201);
  return answer;
};
const uuidOf = async (id: string) => {
  const { rows } = await face.owner.query("select id from webhook");
  const { idFromUuid } = await import("@posthorn/contract");
  return rows.map((row) => row.id as string).find((uuid) => idFromUuid("webhook", uuid) === id) as string;
};

describe("creating a webhook", () => {
  test("fills in the defaults and shows the generated secret once, in the form that libraries take", async () => {
    const { body, headers } = await create();
    expect(body.success).toBe(true);
    expect(body.data).toMatchObject({
      ...MINIMAL,
      name: null,
      description: null,
      active: true,
      status: "enabled",
      method: "POST",
      headers: {},
      filters: [],
      timeout: 15,
      retryPolicy: null,
      maxInFlight: 64,
      priority: "normal",
      livemode: true,
      version: 1,
      statistics: { totalDelivered: 0, totalFailed: 0, lastDelivery: null },
      health: expect.objectContaining({ status: "unknown", breaker: "closed" }),
    });
    expect(body.data.id).toMatch(/^webhook_[0-9A-HJKMNP-TV-Z]{26}$/);
    expect(body.data.secret).toMatch(/^whsec_/);
    expect(Buffer.from(body.data.secret.slice(6), "base64")).toHaveLength(32);
    expect(body.data.standardWebhooksSecret).toBe(body.data.secret);
    expect(headers["location"]).toBe(`/v1/webhooks/${body.data.id}`);
    expect(headers["etag"]).toMatch(/^"1-\d+"$/);
    const { secret: _s, standardWebhooksSecret: _w, ...shown } = body.data;
    const read = await face.call(key, "GET", `/webhooks/${body.data.id}`);
    expect(read.body.data).toEqual(shown);
    expect(read.headers["etag"]).toBe(headers["etag"]);
  });

  test("answers the same under /webhooks/subscribe and under /api/v1", async () => {
    expect((await face.call(key, "POST", "/webhooks/subscribe", MINIMAL)).status).toBe(201);
    const answer = await face.inject({
      method: "POST",
      url: "/api/v1/webhooks/subscribe",
      headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
      payload: JSON.stringify(MINIMAL),
    });
    expect(answer.status).toBe(201);
  });

  test("keeps a chosen secret out of the database except as ciphertext bound to its place", async () => {
    const { body } = await create({ secret: "your-secret-key" });
    expect(body.data.secret).toBe("your-secret-key");
    expect(body.data.standardWebhooksSecret).toBe(`whsec_${Buffer.from("your-secret-key").toString("base64")}`);
    const { rows } = await face.owner.query("select * from secret where webhook_id = $1", [await uuidOf(body.data.id)]);
    expect(rows).toHaveLength(1);
    const place = JSON.parse(Buffer.from(rows[0].ciphertext.slice(3), "base64url").toString());
    expect(place).toEqual({ tenantUuid: tenant, table: "secret", column: "ciphertext", rowId: rows[0].id, length: 15 });
    const everything = await face.owner.query(
      "select row_to_json(w)::text || coalesce((select string_agg(row_to_json(a)::text, '') from audit_entry a), '') as t from webhook w",
    );
    expect(everything.rows.map((row) => row.t).join("")).not.toContain("your-secret-key");
  });

  test("stores every field that was given, and nothing that was not", async () => {
    const fields = {
      name: "Faktura",
      description: "two\nlines",
      method: "PUT",
      headers: { "X-Shop": "7", "X-API-Key": "s3cret" },
      timeout: 30,
      retryPolicy: { maxRetries: 3 },
      maxInFlight: 10_000,
      priority: "low",
      filters: ["invoice.total > 100"],
    };
    const { body } = await create(fields);
    expect(body.data).toMatchObject({
      ...fields,
      headers: { "X-Shop": "7", "X-API-Key": "********" },
      retryPolicy: { maxRetries: 3, retryDelay: 5, backoffMultiplier: 2 },
    });
    const { rows } = await face.owner.query("select configuration, lane from webhook where id = $1", [
      await uuidOf(body.data.id),
    ]);
    expect(rows[0].configuration.headers).toEqual({ "X-Shop": "7", "X-API-Key": "********" });
    expect(rows[0].lane).toBeGreaterThanOrEqual(0);
    const minimal = await create();
    const stored = await face.owner.query("select configuration::text as c from webhook where id = $1", [
      await uuidOf(minimal.body.data.id),
    ]);
    expect(JSON.parse(stored.rows[0].c)).toEqual(MINIMAL);
  });

  test("writes version, audit entry and configuration version together and has the node read them first", async () => {
    const { body } = await create({ active: false });
    const uuid = await uuidOf(body.data.id);
    const { rows } = await face.owner.query(
      `select w.status, w.disabled_reason, w.config_version, v.from_config_version, v.to_config_version, v.created_by,
         a.action, a.actor, a.request_id, a.change, c.version as current
       from webhook w join webhook_version v on v.webhook_id = w.id
       join audit_entry a on a.object_id = $2 cross join config_version c where w.id = $1`,
      [uuid, body.data.id],
    );
    expect(rows).toHaveLength(1);
    expect(rows[0]).toMatchObject({
      status: "disabled",
      disabled_reason: "owner",
      to_config_version: null,
      action: "webhook.created",
      request_id: body.meta.requestId,
    });
    expect(rows[0].from_config_version).toBe(rows[0].config_version);
    expect(face.announced.at(-1)).toBe(Number(rows[0].config_version));
    expect(rows[0].actor).toBe(rows[0].created_by);
    expect(rows[0].actor).toMatch(/^key_/);
  });
});

describe("what is refused, and how", () => {
  const table: [string, Record<string, unknown>, string, string][] = [
    ["no url", { url: undefined }, "MISSING_MEMBER", "url"],
    ["a url that the guard refuses", { url: "http://10.0.0.1/" }, "TARGET_REFUSED", "url"],
    ["no events", { events: undefined }, "MISSING_MEMBER", "events"],
    ["an empty list of events", { events: [] }, "VALIDATION_ERROR", "events"],
    ["101 events", { events: Array(101).fill("invoice.paid") }, "VALIDATION_ERROR", "events"],
    ["an unknown event type", { events: ["invoice.payed"] }, "UNKNOWN_EVENT_TYPE", "events[0]"],
    ["a malformed pattern", { events: ["invoice.paid", "*.paid"] }, "VALIDATION_ERROR", "events[1]"],
    ["events as text", { events: "invoice.paid" }, "WRONG_TYPE", "events"],
    ["a number among events", { events: [7] }, "WRONG_TYPE", "events[0]"],
    ["a misspelt field", { retrypolicy: {} }, "UNKNOWN_FIELD", "retrypolicy"],
    ["a misspelt field inside", { retryPolicy: { maxRetry: 3 } }, "UNKNOWN_FIELD", "retryPolicy.maxRetry"],
    ["a field that is not built yet", { pinVersion: 1 }, "FIELD_NOT_AVAILABLE_YET", "pinVersion"],
    ["a path that is none", { filters: { "invoice status": ["paid"] } }, "VALIDATION_ERROR", "filters.invoice status"],
    ["an empty list in a map", { filters: { "invoice.total": [] } }, "VALIDATION_ERROR", "filters.invoice.total"],
    [
      "an operator that there is none of",
      { conditions: [{ field: "invoice.total", operator: "greaterThan", value: 1 }] },
      "VALIDATION_ERROR",
      "conditions[0].operator",
    ],
    [
      "a value that the operator does not take, in a group",
      { conditions: [{ conditions: [{ field: "invoice.total", operator: "in", value: 1 }] }] },
      "VALIDATION_ERROR",
      "conditions[0].conditions[0].value",
    ],
    [
      "a misspelt member of a condition",
      { conditions: [{ feld: "invoice.total", operator: "exists" }] },
      "UNKNOWN_FIELD",
      "conditions[0].feld",
    ],
    ["a logic that there is none of", { conditionLogic: "XOR" }, "VALIDATION_ERROR", "conditionLogic"],
    ["a read-only field", { status: "paused" }, "READ_ONLY_FIELD", "status"],
    ["a long name", { name: "x".repeat(201) }, "VALIDATION_ERROR", "name"],
    ["a control character in the name", { name: "a\u0000b" }, "VALIDATION_ERROR", "name"],
    ["a long description", { description: "x".repeat(2001) }, "VALIDATION_ERROR", "description"],
    ["method GET", { method: "GET" }, "VALIDATION_ERROR", "method"],
    ["timeout 0", { timeout: 0 }, "VALIDATION_ERROR", "timeout"],
    ["timeout 31", { timeout: 31 }, "VALIDATION_ERROR", "timeout"],
    ["a broken timeout", { timeout: 1.5 }, "WRONG_TYPE", "timeout"],
    ["timeout as text", { timeout: "15" }, "WRONG_TYPE", "timeout"],
    ["priority urgent", { priority: "urgent" }, "VALIDATION_ERROR", "priority"],
    ["maxInFlight 10,001", { maxInFlight: 10_001 }, "VALIDATION_ERROR", "maxInFlight"],
    ["a negative retry delay", { retryPolicy: { retryDelay: -1 } }, "VALIDATION_ERROR", "retryPolicy.retryDelay"],
    ["a policy that goes on for years", { retryPolicy: { maxRetries: 60 } }, "VALIDATION_ERROR", "retryPolicy"],
    ["a short secret", { secret: "short" }, "VALIDATION_ERROR", "secret"],
    ["an empty secret", { secret: "" }, "VALIDATION_ERROR", "secret"],
    ["a whsec_ secret without base64", { secret: "whsec_not*base64" }, "VALIDATION_ERROR", "secret"],
    ["our own header", { headers: { "X-Signature": "x" } }, "VALIDATION_ERROR", "headers.X-Signature"],
    ["a header with a line break", { headers: { "X-A": "a\r\nb" } }, "VALIDATION_ERROR", "headers.X-A"],
    [
      "a mask with nothing behind it",
      { headers: { "X-API-Key": "********" } },
      "VALIDATION_ERROR",
      "headers.X-API-Key",
    ],
    ["a filter that cannot be read", { filters: ["order.total >"] }, "INVALID_EXPRESSION", "filters[0]"],
    ["51 filters", { filters: Array(51).fill("true") }, "VALIDATION_ERROR", "filters"],
    ["active as text", { active: "yes" }, "WRONG_TYPE", "active"],
  ];
  test.each(table)("%s", async (_what, fields, code, field) => {
    const answer = await face.call(key, "POST", "/webhooks", { ...MINIMAL, ...fields });
    expect(answer.status, JSON.stringify(answer.body)).toBe(422);
    expect(answer.body).toMatchObject({ success: false, error: { code, documentation: `/docs/errors#${code}` } });
    expect(answer.body.error.details[0].field).toBe(field);
  });

  test("names the nearest field and the nearest event type", async () => {
    const answer = await face.call(key, "POST", "/webhooks", { ...MINIMAL, evnts: [], events: ["invoice.payed"] });
    expect(answer.body.error.details[0]).toMatchObject({ field: "evnts", nearest: ["events"] });
    const second = await face.call(key, "POST", "/webhooks", { ...MINIMAL, events: ["invoice.payed"] });
    expect(second.body.error.details[0].nearest).toContain("invoice.paid");
  });

  test("a filter is answered with the position of its fault", async () => {
    const answer = await face.call(key, "POST", "/webhooks", { ...MINIMAL, filters: ["true", "a + ?"] });
    expect(answer.body.error.details[0]).toMatchObject({ field: "filters[1]", position: 4 });
  });

  test("nothing of a refused secret is repeated", async () => {
    const answer = await face.call(key, "POST", "/webhooks", { ...MINIMAL, secret: "whsec_!hunter2!" });
    expect(JSON.stringify(answer.body)).not.toContain("hunter2");
  });

  test("unknown event types are accepted from a tenant that is open, and from one that registered them", async () => {
    const open = await face.addKey(await face.addTenant("open", { unknownEventTypes: "open" }));
    await create({ events: ["shop.anything"] }, open);
    await face.owner.query(
      "insert into event_type (tenant_id, created_at, config_version, name, description) values ($1, now(), 1, 'shop.opened', '')",
      [tenant],
    );
    await create({ events: ["shop.*"] });
  });
});

describe("changing a webhook", () => {
  test.each(["PUT", "PATCH"])(
    "%s replaces whole fields, keeps the rest, and null restores the default",
    async (method) => {
      const { body } = await create({ name: "old", timeout: 20, retryPolicy: { maxRetries: 2, retryDelay: 60 } });
      const path = `/webhooks/${body.data.id}`;
      const changed = await face.call(key, method, path, { retryPolicy: { maxRetries: 1 }, timeout: null });
      expect(changed.status).toBe(200);
      expect(changed.body.data).toMatchObject({
        name: "old",
        timeout: 15,
        retryPolicy: { maxRetries: 1, retryDelay: 5, backoffMultiplier: 2 },
        version: 2,
      });
      expect(changed.body.data.secret).toBeUndefined();
    },
  );

  test("makes immutable versions whose times of validity join without a gap", async () => {
    const { body } = await create({ name: "v1" });
    const path = `/webhooks/${body.data.id}`;
    await face.call(key, "PUT", path, { name: "v2" });
    await face.call(key, "PUT", path, { name: "v3" });
    const versions = (await face.call(key, "GET", `${path}/versions`)).body.data;
    expect(
      versions.map((v: { version: number; configuration: { name: string } }) => [v.version, v.configuration.name]),
    ).toEqual([
      [3, "v3"],
      [2, "v2"],
      [1, "v1"],
    ]);
    expect(versions[0].toConfigVersion).toBeNull();
    expect(versions[1].toConfigVersion).toBe(versions[0].fromConfigVersion);
    expect(versions[2].toConfigVersion).toBe(versions[1].fromConfigVersion);
    const first = await face.call(key, "GET", `${path}/versions?limit=2`);
    expect(first.body.pagination).toMatchObject({ hasMore: true, limit: 2 });
    const rest = await face.call(key, "GET", `${path}/versions?limit=2&cursor=${first.body.pagination.nextCursor}`);
    expect(rest.body.data).toEqual([versions[2]]);
    expect(rest.body.pagination).toEqual({ hasMore: false, nextCursor: null, limit: 2 });
  });

  test("of status alone makes no version, but another ETag", async () => {
    const { body, headers } = await create();
    const off = await face.call(key, "PATCH", `/webhooks/${body.data.id}`, { active: false });
    expect(off.body.data).toMatchObject({ version: 1, active: false, status: "disabled", disabledReason: "owner" });
    expect(off.headers["etag"]).not.toBe(headers["etag"]);
    const on = await face.call(key, "PATCH", `/webhooks/${body.data.id}`, { active: null });
    expect(on.body.data).toMatchObject({ version: 1, active: true, status: "enabled" });
    expect(on.body.data.disabledReason).toBeUndefined();
  });

  test("that changes nothing is answered without a trace", async () => {
    const { body, headers } = await create({ name: "same" });
    const before = face.announced.length;
    const again = await face.call(key, "PUT", `/webhooks/${body.data.id}`, { name: "same", active: true });
    expect(again.status).toBe(200);
    expect(again.headers["etag"]).toBe(headers["etag"]);
    expect(face.announced).toHaveLength(before);
  });

  test("honours If-Match", async () => {
    const { body, headers } = await create();
    const path = `/webhooks/${body.data.id}`;
    const etag = headers["etag"] as string;
    const mine = await face.call(key, "PUT", path, { name: "mine" }, { "if-match": etag });
    expect(mine.status).toBe(200);
    const late = await face.call(key, "PUT", path, { name: "late" }, { "if-match": etag });
    expect(late.status).toBe(412);
    expect(late.body.error.code).toBe("PRECONDITION_FAILED");
    expect(late.headers["etag"]).toBe(mine.headers["etag"]);
    expect((await face.call(key, "DELETE", path, undefined, { "if-match": etag })).status).toBe(412);
    expect((await face.call(key, "PUT", path, { name: "x" }, { "if-match": `W/${mine.headers["etag"]}` })).status).toBe(
      412,
    );
    const any = await face.call(key, "PUT", path, { name: "any" }, { "if-match": "*" });
    expect(any.status).toBe(200);
    const listed = await face.call(key, "PUT", path, { name: "l" }, { "if-match": `"0-0", ${any.headers["etag"]}` });
    expect(listed.status).toBe(200);
  });

  test("two at once with the same If-Match: one wins", async () => {
    const { body, headers } = await create();
    const change = (name: string) =>
      face.call(key, "PUT", `/webhooks/${body.data.id}`, { name }, { "if-match": headers["etag"] as string });
    const statuses = (await Promise.all(["a", "b", "c", "d"].map(change))).map((answer) => answer.status);
    expect(statuses.sort()).toEqual([200, 412, 412, 412]);
  });

  test("a masked header sent back stays what it was; a new secret is shown once and the old one destroyed", async () => {
    const { body } = await create({ headers: { "X-API-Key": "s3cret", "X-Shop": "1" } });
    const path = `/webhooks/${body.data.id}`;
    const read = (await face.call(key, "GET", path)).body.data.headers;
    await face.call(key, "PUT", path, { headers: { ...read, "X-Shop": "2" } });
    const uuid = await uuidOf(body.data.id);
    const { rows } = await face.owner.query("select configuration from webhook where id = $1", [uuid]);
    expect(rows[0].configuration.headers).toEqual({ "X-API-Key": "********", "X-Shop": "2" });
    const rotated = await face.call(key, "PUT", path, { secret: null });
    expect(rotated.body.data.secret).toMatch(/^whsec_/);
    expect(rotated.body.data.version).toBe(3);
    const secrets = await face.owner.query("select purpose, name from secret where webhook_id = $1 order by 1", [uuid]);
    expect(secrets.rows).toEqual([
      { purpose: "header", name: "x-api-key" },
      { purpose: "signing", name: null },
    ]);
    const audit = await face.owner.query("select change::text as c from audit_entry where object_id = $1", [
      body.data.id,
    ]);
    expect(audit.rows.map((row) => row.c).join("")).not.toContain("s3cret");
  });
});

describe("deleting a webhook", () => {
  test("removes it from sight, destroys its secret and keeps its versions", async () => {
    const { body } = await create();
    const path = `/webhooks/${body.data.id}`;
    const uuid = await uuidOf(body.data.id);
    const deleted = await face.call(key, "DELETE", path);
    expect(deleted.body.data).toEqual({ id: body.data.id, deleted: true });
    expect((await face.call(key, "GET", path)).status).toBe(404);
    expect((await face.call(key, "PUT", path, { name: "x" })).status).toBe(404);
    expect((await face.call(key, "DELETE", path)).status).toBe(404);
    const list = await face.call(key, "GET", "/webhooks?limit=200");
    expect(list.body.data.map((webhook: { id: string }) => webhook.id)).not.toContain(body.data.id);
    const { rows } = await face.owner.query(
      `select w.status, w.deleted_at is not null as dated, v.to_config_version = w.config_version as closed,
         (select count(*) from secret s where s.webhook_id = w.id)::int as secrets
       from webhook w join webhook_version v on v.webhook_id = w.id where w.id = $1`,
      [uuid],
    );
    expect(rows).toEqual([{ status: "deleted", dated: true, closed: true, secrets: 0 }]);
  });
});

describe("isolation", () => {
  test("ids of another tenant or of the other mode look absent, whatever is tried", async () => {
    const { body } = await create();
    const strangers = [await face.addKey(await face.addTenant("two")), await face.addKey(tenant, { livemode: false })];
    const before = (await face.owner.query("select version from config_version")).rows[0].version;
    for (const stranger of strangers) {
      const path = `/webhooks/${body.data.id}`;
      const absent = await face.call(stranger, "GET", "/webhooks/webhook_01JDZZZZZZZZZZZZZZZZZZZZZZ");
      for (const [method, url, payload] of [
        ["GET", path],
        ["PUT", path, { name: "x" }],
        ["PATCH", path, { active: false }],
        ["DELETE", path],
        ["GET", `${path}/versions`],
      ] as const) {
        const answer = await face.call(stranger, method, url, payload);
        expect(answer.status).toBe(404);
        expect(answer.body.error.message).toBe(absent.body.error.message);
      }
      expect((await face.call(stranger, "GET", "/webhooks")).body.data).toEqual([]);
    }
    // What came to nothing must not make every node read its configuration again.
    expect((await face.owner.query("select version from config_version")).rows[0].version).toBe(before);
  });

  test("row-level security alone hides foreign rows from a statement without a tenant clause", async () => {
    await create();
    const stranger = await face.addTenant("three");
    const client = await face.pools.api.connect();
    try {
      await client.query("begin");
      await client.query("select set_config('posthorn.tenant_id', $1, true)", [stranger]);
      for (const table of ["webhook", "webhook_version", "secret", "audit_entry", "api_key", "event", "delivery"]) {
        expect((await client.query(`select 1 from ${table}`)).rows, table).toEqual([]);
      }
      await client.query("rollback");
      expect((await client.query("select 1 from webhook")).rows).toEqual([]);
    } finally {
      client.release();
    }
  });
});

describe("listing webhooks", () => {
  test("pages through every webhook once, newest first, by status and name", async () => {
    const own = await face.addKey(await face.addTenant("list"));
    const made: string[] = [];
    for (let i = 0; i < 7; i += 1) {
      made.unshift((await create({ name: `n${i % 2}`, active: i !== 3 }, own)).body.data.id);
    }
    const seen: string[] = [];
    let cursor = "";
    for (let page = 0; page < 5 && cursor !== null; page += 1) {
      const answer = await face.call(own, "GET", `/webhooks?limit=3${cursor === "" ? "" : `&cursor=${cursor}`}`);
      seen.push(...answer.body.data.map((webhook: { id: string }) => webhook.id));
      cursor = answer.body.pagination.nextCursor;
    }
    expect(seen).toEqual(made);
    const ids = async (query: string) => (await face.call(own, "GET", `/webhooks?${query}`)).body.data.length;
    expect(await ids("status=disabled")).toBe(1);
    expect(await ids("name=n0")).toBe(4);
    expect(await ids("name=n0&status=disabled")).toBe(0);
  });

  test("refuses foreign cursors, odd limits and unknown parameters", async () => {
    for (const query of [
      "cursor=abc",
      `cursor=${Buffer.from("event:x").toString("base64url")}`,
      "limit=0",
      "limit=201",
      "limit=ten",
      "statu=enabled",
    ]) {
      const answer = await face.call(key, "GET", `/webhooks?${query}`);
      expect(answer.status, query).toBe(422);
    }
  });
});
