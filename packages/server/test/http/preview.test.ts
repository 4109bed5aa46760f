// POST /v1/preview on a whole node: what it says is what would have happened, and nothing happens.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startTestNode, type TestNode } from "../support/node.ts";
import { type Receiver, startReceiver } from "../support/receivers/receiver.ts";
import { until } from "../support/until.ts";
import { ORDER_WEBHOOK, SALES_ORDER } from "../printed/webhooks.ts";

let node: TestNode;
let receiver: Receiver;

beforeAll(async () => {
  node = await startTestNode();
  receiver = await startReceiver();
});
afterAll(async () => {
  await node?.stop();
  await receiver?.close();
});

const URL = "https://receiver.example.com/hooks";
const draft = (fields: Record<string, unknown> = {}) => ({ url: URL, events: ["sales_order.*"], ...fields });
async function preview(webhook: unknown, event: unknown) {
  const answer = await node.api("POST", "/v1/preview", { webhook, event });
  expect(answer.status, JSON.stringify(answer.body)).toBe(200);
  return answer.body.data;
}
async function refusal(body: unknown) {
  const answer = await node.api("POST", "/v1/preview", body);
  expect(answer.status, JSON.stringify(answer.body)).toBeGreaterThanOrEqual(400);
  return { status: answer.status, ...answer.body.error };
}
const counts = async () =>
  node.sql(
    `select (select count(*)::int from webhook) as webhooks, (select count(*)::int from event) as events,
       (select count(*)::int from delivery) as deliveries, (select count(*)::int from audit_entry) as audit,
       (select version from config_version) as version`,
  );

describe("a draft and an event that is given", () => {
  test("the printed webhook, its filters clause by clause, and the body to the digit", async () => {
    const before = await counts();
    const raw = `{"webhook":${JSON.stringify({ ...ORDER_WEBHOOK, url: URL })},
      "event":{"event":"sales_order.created","id":"so-1","timestamp":"2026-03-12T10:30:00+08:00","data":{"object":${SALES_ORDER}}}}`;
    const answer = await node.api("POST", "/v1/preview", raw);
    expect(answer.status, JSON.stringify(answer.body)).toBe(200);
    const { data } = answer.body;
    expect(data).toMatchObject({
      matched: true,
      typeMatches: true,
      filters: [
        {
          source: "order.total > 100",
          result: true,
          clauses: [{ source: "order.total > 100", result: true, reads: [{ path: "order.total", json: "2567.5" }] }],
        },
        {
          source: 'order.status != "draft"',
          result: true,
          clauses: [{ reads: [{ path: "order.status", json: '"confirmed"' }] }],
        },
      ],
      event: { id: "so-1", event: "sales_order.created", timestamp: "2026-03-12T02:30:00.000Z", livemode: true },
      request: { method: "POST", url: URL, contentType: "application/json", bodyTruncated: false },
    });
    expect("warnings" in data).toBe(false);
    expect(data.request.body).toContain(
      '"order_id":"so_987654321","customer_id":"cust_123456789","total_amount":2567.50,"status":"confirmed","items":[{',
    );
    expect(data.request.body).toContain('"timestamp":"2026-03-12T02:30:00.000Z"');
    expect(data.request.bodyLength).toBe(Buffer.byteLength(data.request.body));
    expect(data.request.headers).toMatchObject({
      "content-type": "application/json",
      "x-bigledger-event": "sales_order.created",
      "webhook-id": "so-1",
    });
    expect(await counts()).toEqual(before);
  });

  test("secret values are masked, whatever they are in", async () => {
    const secret = "very-secret-value-1234";
    const fields = { headers: { "X-API-Key": secret, "X-Shop": "7" }, auth: { type: "bearer", token: secret }, secret };
    const answer = await node.api("POST", "/v1/preview", {
      webhook: draft(fields),
      event: { example: "sales_order.created" },
    });
    expect(answer.status, JSON.stringify(answer.body)).toBe(200);
    expect(JSON.stringify(answer.body)).not.toContain(secret);
    expect(answer.body.data.request.headers).toMatchObject({ "X-API-Key": "********", "X-Shop": "7" });
    expect(Object.keys(answer.body.data.request.headers).map((name) => name.toLowerCase())).toContain("authorization");
  });

  test("shows why a filter does not pass: which clause, and what it found", async () => {
    const filters = [
      'order.total > 100 && order.status != "draft" && order.note.text == 1',
      "size(order.items) > 0 || false",
    ];
    const data = await preview(draft({ filters }), {
      event: "sales_order.created",
      data: { object: { total: 80, status: "draft", items: [1, "x".repeat(500)] } },
    });
    expect(data.matched).toBe(false);
    expect(data.filters[0].result).toBe(false);
    expect(data.filters[0].clauses).toEqual([
      { source: "order.total > 100", result: false, reads: [{ path: "order.total", json: "80" }] },
      { source: 'order.status != "draft"', result: false, reads: [{ path: "order.status", json: '"draft"' }] },
      { source: "order.note.text == 1", result: null, reads: [{ path: "order.note.text", json: null }] },
    ]);
    expect(data.filters[1]).toMatchObject({ result: true, clauses: [{ source: "size(order.items) > 0 || false" }] });
    expect(data.filters[1].clauses[0].reads[0].json.length).toBeLessThan(300);
    // What would be sent if it passed is shown all the same.
    expect(data.request.body).toContain('"event":"sales_order.created"');
  });

  test("an event of another type does not match, and the warnings say what can never fit", async () => {
    const data = await preview(draft({ filters: ["invoice.total > 1"] }), {
      event: "invoice.paid",
      data: { object: { total: 5 } },
    });
    expect(data).toMatchObject({ matched: false, typeMatches: false, filters: [{ result: true }] });
    expect(data.warnings).toEqual([
      expect.objectContaining({
        code: "NEVER_MATCHES_TYPE",
        field: "filters[0]",
        message: expect.stringContaining("carry no `invoice`"),
      }),
    ]);
  });

  test("values missing from this event are told beside what the examples lack", async () => {
    const transform = {
      template: { a: "{{ order.total }}", b: "{{ order.id }}" },
      contentType: "application/vnd.x+json",
    };
    const data = await preview(draft({ transform }), { event: "sales_order.created", data: { total: 1.5 } });
    expect(data.request).toMatchObject({ contentType: "application/vnd.x+json", body: '{"a":1.5,"b":null}' });
    expect(data.warnings).toEqual([
      {
        code: "MISSING_IN_TEMPLATE",
        field: "transform.template.b",
        message: "The event had no value for {{ order.id }}.",
      },
    ]);
  });

  test("a template that goes beyond its limits says that the delivery would be held", async () => {
    const transform = { template: { x: ["{{ order.items.map(a, order.items.map(b, a + b)) }}"] } };
    const items = Array.from({ length: 2_000 }, () => 1);
    const data = await preview(draft({ transform }), { event: "sales_order.created", data: { items } });
    expect(data).toMatchObject({ request: null, fault: { code: "BUDGET_EXCEEDED", field: "transform.template.x[0]" } });
  });

  test("a filter that goes beyond its limits does not pass, and says why", async () => {
    const filters = ["order.items.all(a, order.items.all(b, a + b > 0))"];
    const items = Array.from({ length: 2_000 }, () => 1);
    const data = await preview(draft({ filters }), { event: "sales_order.created", data: { items } });
    expect(data).toMatchObject({ matched: false, filters: [{ result: null, fault: { code: "BUDGET_EXCEEDED" } }] });
  });
});

describe("an example, a stored event, an existing webhook", () => {
  test("an example is the catalogue's", async () => {
    const data = await preview({ ...ORDER_WEBHOOK, url: URL }, { example: "payment.received" });
    expect(data).toMatchObject({
      matched: true,
      event: { event: "payment.received", timestamp: "2026-04-14T03:20:00Z" },
    });
    const body = JSON.parse(data.request.body);
    expect(Object.values(body).every((value) => value !== null)).toBe(true);
    expect(body.order_id).toMatch(/^so_/);
  });

  test("what is previewed for a stored event and an existing webhook is what was sent", async () => {
    const transform = { template: { id: "{{ event.id }}", total: "{{ order.total }}", note: "{{ order.note }}" } };
    const made = await node.api("POST", "/v1/webhooks", {
      url: `${receiver.origin}/hook`,
      events: ["sales_order.created"],
      transform,
      signature: { profiles: ["bigledger", "standard", "github"] },
    });
    expect(made.status, JSON.stringify(made.body)).toBe(201);
    const published = await node.api(
      "POST",
      "/v1/events",
      '{"event":"sales_order.created","data":{"object":{"total":10.00}}}',
    );
    const [request] = await receiver.received(1);
    if (request === undefined) throw new Error("no request");
    await until("the delivery to be recorded", async () => {
      const { body } = await node.api("GET", `/v1/deliveries?eventId=${published.body.data.id}&state=delivered`);
      return body.data.length === 1;
    });
    const before = await counts();
    const data = await preview(made.body.data.id, { id: published.body.data.id });
    expect(data).toMatchObject({ matched: true, status: "enabled", event: { id: published.body.data.id } });
    expect(data.request.body).toBe(request.body.toString());
    // What comes from the connection and from the client is not the webhook's.
    const ofTheClient = [
      "host",
      "connection",
      "content-length",
      "user-agent",
      "accept",
      "accept-encoding",
      "transfer-encoding",
    ];
    const sent = Object.keys(request.headers).filter((name) => !ofTheClient.includes(name));
    expect(
      Object.keys(data.request.headers)
        .map((name) => name.toLowerCase())
        .sort(),
    ).toEqual(sent.sort());
    expect(data.request.headers["x-signature"]).toBe("sha256=********");
    expect(await counts()).toEqual(before);
    expect(receiver.requests).toHaveLength(1);
  });
});

describe("what is refused", () => {
  test("a draft is judged as a creation would be, its fields named inside the body", async () => {
    const event = { example: "sales_order.created" };
    const wrong = draft({
      filters: ["order. > 1"],
      transform: { template: { a: "{{ ( }}" } },
      events: ["sales_ordr.created"],
    });
    const refused = await refusal({ webhook: wrong, event });
    expect(refused).toMatchObject({ status: 422, code: "VALIDATION_ERROR" });
    expect(refused.details.map((detail: { field: string; code: string }) => [detail.field, detail.code])).toEqual([
      ["webhook.events[0]", "UNKNOWN_EVENT_TYPE"],
      ["webhook.filters[0]", "INVALID_EXPRESSION"],
      ["webhook.transform.template.a", "INVALID_EXPRESSION"],
    ]);
    expect((await refusal({ webhook: draft({ filtres: [] }), event })).details).toMatchObject([
      { field: "webhook.filtres", code: "UNKNOWN_FIELD", nearest: ["filters"] },
    ]);
    expect((await refusal({ webhook: draft({ pinVersion: 1 }), event })).code).toBe("FIELD_NOT_AVAILABLE_YET");
    expect((await refusal({ webhook: { events: ["sales_order.created"] }, event })).details).toMatchObject([
      { field: "webhook.url", code: "MISSING_MEMBER" },
    ]);
    expect((await refusal({ webhook: draft({ url: "http://10.0.0.1/" }), event })).code).toBe("TARGET_REFUSED");
    expect((await refusal({ webhook: draft({ headers: { "X-API-Key": "********" } }), event })).status).toBe(422);
  });

  test.each([
    [{}, 422, "event"],
    [{ event: "sales_order.created" }, 422, "event.data"],
    [{ event: "sales_ordr.created", data: {} }, 422, "event.event"],
    [{ event: "not a type", data: {} }, 422, "event.event"],
    [{ example: "sales_order.creatd" }, 422, "event.example"],
    [{ example: "sales_order.created", data: {} }, 422, "event.data"],
    [{ event: "sales_order.created", data: 1, timestamp: "yesterday" }, 422, "event.timestamp"],
    [{ event: "sales_order.created", data: 1, context: [] }, 422, "event.context"],
    [{ id: "evt_gone" }, 404, undefined],
    [{ data: {} }, 422, "event"],
    ["evt_1", 422, "event"],
  ])("the event %j", async (event, status, field) => {
    const refused = await refusal({ webhook: draft(), event });
    expect(refused.status).toBe(status);
    expect(refused.details[0]?.field).toBe(field);
  });

  test("webhooks that are not there, and those of the other mode", async () => {
    const event = { example: "sales_order.created" };
    expect((await refusal({ webhook: "webhook_01M85MY18RE31R9KZ6ZE9YGX1F", event })).status).toBe(404);
    expect((await refusal({ webhook: "nonsense", event })).status).toBe(404);
    expect((await refusal({ event })).details).toMatchObject([{ field: "webhook" }]);
  });
});

describe("a template in the answers of a webhook", () => {
  test("is stored and shown as it was given, with its content type, and refused with its place", async () => {
    const template = JSON.parse('{"b":"{{ order.id }}","a":[1.5,null,{"__proto__":"x"}],"2":1,"1":"€ \\"q\\""}');
    const made = await node.api("POST", "/v1/webhooks", {
      ...draft(),
      url: `${receiver.origin}/x`,
      transform: { template },
    });
    expect(made.status, JSON.stringify(made.body)).toBe(201);
    expect(made.body.data.transform).toEqual({ template, contentType: "application/json" });
    const read = await node.api("GET", `/v1/webhooks/${made.body.data.id}`);
    expect(JSON.stringify(read.body.data.transform.template)).toBe(JSON.stringify(template));
    const path = `/v1/webhooks/${made.body.data.id}`;
    expect((await node.api("PATCH", path, { transform: null })).body.data.transform).toBeNull();
    for (const [transform, field, code] of [
      [{}, "transform.template", "MISSING_MEMBER"],
      [{ template: 1, contentType: "text/plain" }, "transform.template", "INVALID_VALUE"],
      [{ template: [1], contentType: "application/x-www-form-urlencoded" }, "transform.template", "INVALID_VALUE"],
      [{ template: "x", contentType: "application/pdf" }, "transform.contentType", "INVALID_VALUE"],
      [{ template: 1, contentType: "json" }, "transform.contentType", "INVALID_VALUE"],
      [{ template: 1, contentType: "application/json\r\nX-Evil: 1" }, "transform.contentType", "INVALID_VALUE"],
      [{ template: { "{{ a }}": 1 } }, 'transform.template["{{ a }}"]', "INVALID_VALUE"],
      [{ template: ["{{ order.id"] }, "transform.template[0]", "INVALID_EXPRESSION"],
      [{ template: 1, tmplate: 1 }, "transform.tmplate", "UNKNOWN_FIELD"],
    ] as const) {
      const { status, body } = await node.api("PATCH", path, { transform });
      expect([status, body.error.details[0]], JSON.stringify(transform)).toMatchObject([422, { field, code }]);
    }
    expect(
      (
        await node.api("PATCH", path, {
          transform: { template: 1, contentType: 'application/problem+json; charset="UTF-8"' },
        })
      ).status,
    ).toBe(200);
    await node.api("DELETE", path);
  });

  test("what is probably not meant is told with every write, and never afterwards", async () => {
    const url = `${receiver.origin}/x`;
    const made = await node.api("POST", "/v1/webhooks", {
      url,
      events: ["customer.created"],
      filters: ["order.total > 1"],
    });
    expect(made.body.data.warnings).toEqual([
      {
        code: "NEVER_MATCHES_TYPE",
        field: "filters[0]",
        message: "customer.created carries no `order`: this filter never passes for it.",
      },
    ]);
    const path = `/v1/webhooks/${made.body.data.id}`;
    expect("warnings" in (await node.api("GET", path)).body.data).toBe(false);
    const changed = await node.api("PATCH", path, { filters: [], transform: { template: "{{ order.id }}" } });
    expect(changed.body.data.warnings).toMatchObject([{ code: "MISSING_IN_TEMPLATE", field: "transform.template" }]);
    expect("warnings" in (await node.api("PATCH", path, { transform: null })).body.data).toBe(false);
    await node.api("DELETE", path);
  });
});
