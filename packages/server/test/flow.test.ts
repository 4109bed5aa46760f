// The main path end to end: an event goes in by HTTP, the right receivers hear of it, and the record says so.
import { createHmac } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startTestNode, type TestNode } from "./support/node.ts";
import { type Receiver, startReceiver } from "./support/receivers/receiver.ts";

let node: TestNode;
let receiver: Receiver;

beforeAll(async () => {
  node = await startTestNode();
  receiver = await startReceiver({ answer: () => 200 });
});
afterAll(async () => {
  await node?.stop();
  await receiver?.close();
});

describe("an event on its way", () => {
  test("it reaches the webhook that matches, signed both ways, and no other", async () => {
    const secret = "your-secret-key";
    const made = await node.api("POST", "/v1/webhooks/subscribe", {
      url: `${receiver.origin}/hear`,
      events: ["invoice.*"],
      filters: ["invoice.total > 100"],
      secret,
    });
    expect(made.status, JSON.stringify(made.body)).toBe(201);
    const below = await node.api("POST", "/v1/events", { event: "invoice.paid", data: { object: { total: 100 } } });
    expect(below.status).toBe(202);
    expect(below.body.data.deliveries).toBe(0);
    const raw =
      '{"event":"invoice.paid","data":{"object":{"total":2567.50,"id":12345678901234567890}} ,"context":{"userId":"u1"}}';
    const answer = await node.api("POST", "/v1/events", raw);
    expect(answer.status).toBe(202);
    expect(answer.body.data.deliveries).toBe(1);
    const [request] = await receiver.received(1);
    if (request === undefined) throw new Error("no request");
    const body = request.body.toString();
    expect(body).toContain('"data":{"object":{"total":2567.50,"id":12345678901234567890}},"context":{"userId":"u1"}}');
    expect(JSON.parse(body).id).toBe(answer.body.data.id);
    expect(request.headers["x-signature"]).toBe(
      `sha256=${createHmac("sha256", secret).update(request.body).digest("hex")}`,
    );
    expect(request.headers["webhook-id"]).toBe(answer.body.data.id);
  });

  // Red when a dialect is kept and not asked (`filterSourcesOf` left out of the snapshot of a webhook).
  test("a filter in each dialect lets through exactly what it says, and is shown as it was written", async () => {
    const WRITTEN = {
      map: { filters: { "order.items.category": ["books", "toys"], "order.total": { min: 100 } } },
      conditions: {
        conditions: [
          { field: "order.status", operator: "changedTo", value: "shipped" },
          {
            conditionLogic: "AND",
            conditions: [
              { field: "customer.tags", operator: "contains", value: "vip" },
              { field: "order.note", operator: "exists", value: false },
            ],
          },
        ],
        conditionLogic: "OR",
      },
      expressions: { filters: ["order.total > 100", 'changedFrom(order.status, "draft")'] },
    };
    const ids: Record<string, string> = {};
    for (const [dialect, fields] of Object.entries(WRITTEN)) {
      const webhook = { url: `${receiver.origin}/${dialect}`, events: ["sales_order.updated"], ...fields };
      const made = await node.api("POST", "/v1/webhooks/subscribe", webhook);
      expect(made.status, JSON.stringify(made.body)).toBe(201);
      const read = await node.api("GET", `/v1/webhooks/${made.body.data.id}`);
      expect(read.body.data).toMatchObject(fields);
      const versions = await node.api("GET", `/v1/webhooks/${made.body.data.id}/versions`);
      expect(versions.body.data[0].configuration).toMatchObject(fields);
      ids[dialect] = made.body.data.id;
    }
    const books = [{ category: "food" }, { category: "books" }];
    const EVENTS: [object: object, previous: object | null, dialects: string[]][] = [
      [{ total: 100, items: books }, null, ["map"]],
      [{ total: 99, items: books }, null, []],
      [{ total: 500, items: [{ category: "food" }] }, null, []],
      [{ total: 101, status: "shipped" }, { status: "draft" }, ["conditions", "expressions"]],
      [{ total: 100, status: "shipped" }, { status: "packed" }, ["conditions"]],
      [{ total: 500, status: "shipped" }, null, []],
      [{ total: 1, customer: { tags: ["new", "vip"] } }, null, ["conditions"]],
      [{ total: 1, customer: { tags: ["new", "vip"] }, note: "x" }, null, []],
      [{ total: 200, status: "shipped", items: books }, { status: "draft" }, ["map", "conditions", "expressions"]],
    ];
    const expected: string[] = [];
    for (const [object, previous, dialects] of EVENTS) {
      const data = previous === null ? { object } : { object, previous_attributes: previous };
      const answer = await node.api("POST", "/v1/events", { event: "sales_order.updated", data });
      expect(answer.body.data.deliveries, JSON.stringify(object)).toBe(dialects.length);
      expected.push(...dialects.map((dialect) => `/${dialect} ${answer.body.data.id}`));
      for (const [dialect, webhook] of Object.entries(ids)) {
        const preview = await node.api("POST", "/v1/preview", { webhook, event: { id: answer.body.data.id } });
        expect(preview.body.data.matched, JSON.stringify(preview.body)).toBe(dialects.includes(dialect));
      }
    }
    const got = (await receiver.received(1 + expected.length)).slice(1);
    expect(got.map((each) => `${each.path} ${each.headers["webhook-id"]}`).sort()).toEqual(expected.sort());
    // What is changed, and back: the rest stays as it was written.
    const path = `/v1/webhooks/${ids["conditions"]}`;
    const changed = await node.api("PATCH", path, { conditionLogic: null, filters: { "order.total": 5 } });
    expect(changed.body.data).toMatchObject({ conditionLogic: "AND", filters: { "order.total": 5 } });
    expect(changed.body.data.conditions).toEqual(WRITTEN.conditions.conditions);
    expect((await node.api("PUT", path, { conditions: null, filters: null })).body.data).toMatchObject({
      conditions: [],
      filters: [],
    });
  });
});
