// Routes end to end: who is given an event by the steps, beside webhooks' own filters; versions, names and refusals.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startTestNode, type TestNode } from "../support/node.ts";

let node: TestNode;
beforeAll(async () => {
  node = await startTestNode();
});
afterAll(() => node?.stop());

const put = (path: string, body: object, headers?: Record<string, string>) =>
  node.api("PUT", `/v1${path}`, body, headers);

async function webhook(fields: object): Promise<string> {
  const url = "https://receiver.example.com/x";
  const made = await node.api("POST", "/v1/webhooks", { url, events: ["sales_order.created"], ...fields });
  expect(made.status, JSON.stringify(made.body)).toBe(201);
  return made.body.data.id;
}

async function publish(object: object): Promise<number> {
  const answer = await node.api("POST", "/v1/events", { event: "sales_order.created", data: { object } });
  expect(answer.status, JSON.stringify(answer.body)).toBe(202);
  return answer.body.data.deliveries;
}

async function matched(id: string, object: object): Promise<Record<string, never>> {
  const event = { event: "sales_order.created", data: { object } };
  return (await node.api("POST", "/v1/preview", { webhook: id, event })).body.data;
}

describe("a route", () => {
  // Red when the matcher does not ask `RouteDecisions`.
  test("first: the first step that holds gives the event, or the default; own filters count beside it", async () => {
    const [large, mid, rest] = [
      await webhook({ name: "large" }),
      await webhook({ name: "mid", filters: ["order.total != 50"] }),
      await webhook({ name: "rest" }),
    ];
    const outside = await webhook({ name: "outside" });
    const steps = [
      { when: "order.total > 100", webhooks: ["large"] },
      { when: "order.total > 10", webhooks: ["mid"] },
    ];
    const made = await put("/routes/orders", { steps, default: [rest], owner: "Sales" });
    expect(made.body.data).toMatchObject({ matches: "first", default: [rest], version: 1 });
    expect(made.body.data.steps[0].webhooks).toEqual([large]);
    const heard = async (object: object): Promise<string[]> => {
      const names: string[] = [];
      for (const [name, id] of Object.entries({ large, mid, rest, outside })) {
        if ((await matched(id, object)).matched) names.push(name);
      }
      // What is shown is what is done.
      expect(await publish(object)).toBe(names.length);
      return names;
    };
    expect(await heard({ total: 101 })).toEqual(["large", "outside"]);
    expect(await heard({ total: 11 })).toEqual(["mid", "outside"]);
    expect(await heard({ total: 50 })).toEqual(["outside"]);
    expect(await heard({ total: 1 })).toEqual(["rest", "outside"]);
    expect(await heard({})).toEqual(["rest", "outside"]);
    await put("/routes/orders", { steps, matches: "all", default: [rest] });
    expect(await heard({ total: 101 })).toEqual(["large", "mid", "outside"]);
    expect((await matched(mid, { total: 101 })).routes).toEqual([{ name: "orders", gives: true, steps: [0, 1] }]);
    // In a second route: one of them has to give it.
    await put("/routes/more", { steps: [{ when: "order.vip", webhooks: [rest] }] });
    expect(await heard({ total: 101, vip: true })).toEqual(["large", "mid", "rest", "outside"]);
    const ruled = await node.api("POST", "/v1/rules", { name: "routed", expression: "order.total > 1000" });
    expect(ruled.status, JSON.stringify(ruled.body)).toBe(201);
    const byRule = await put("/routes/orders", { steps: [{ when: "rule.routed", webhooks: [large, mid] }] });
    expect(byRule.status, JSON.stringify(byRule.body)).toBe(200);
    expect(await heard({ total: 101 })).toEqual(["outside"]);
    expect((await node.api("DELETE", "/v1/rules/routed")).body.error.message).toContain("the route orders");
    for (const name of ["orders", "more"]) expect((await node.api("DELETE", `/v1/routes/${name}`)).status).toBe(200);
    expect(await heard({ total: 101 })).toEqual(["large", "mid", "rest", "outside"]);
    const unknown = await put("/routes/none", { steps: [{ when: "true", webhooks: ["nobody"] }] });
    expect(unknown.body.error.details[0]).toMatchObject({
      field: "steps[0].webhooks[0]",
      code: "UNKNOWN_WEBHOOK",
    });
  });
});

test("a route is versioned, guarded, named and audited", async () => {
  const id = await webhook({ name: "guarded" });
  const route = (when: string, headers?: Record<string, string>) =>
    put("/routes/guarded", { steps: [{ when, webhooks: [id] }] }, headers);
  const made = await route("order.total > 1");
  const etag = made.headers.get("etag") as string;
  expect((await route("order.total > 1")).body.data.version).toBe(1);
  expect((await route("order.total > 2", { "if-match": etag })).body.data.version).toBe(2);
  expect((await route("order.total > 3", { "if-match": etag })).status).toBe(412);
  for (const [name, fields, field] of [
    ["Not-A-Name", {}, "name"],
    ["wrong", { steps: [{ when: "order.total >", webhooks: [id] }] }, "steps[0].when"],
    ["wrong", { steps: [{ when: "rule.nothing", webhooks: [id] }] }, "steps[0].when"],
    ["wrong", { steps: [] }, "steps"],
    ["wrong", { default: ["nobody"] }, "default[0]"],
  ] as const) {
    const refused = await put(`/routes/${name}`, { steps: [{ when: "true", webhooks: [id] }], ...fields });
    expect([refused.status, refused.body.error.details[0].field]).toEqual([422, field]);
  }
  expect((await node.api("DELETE", "/v1/routes/guarded")).status).toBe(200);
  expect((await node.api("GET", "/v1/routes/guarded")).status).toBe(404);
  const versions = (await node.api("GET", "/v1/routes/guarded/versions")).body.data;
  expect(versions.map((each: { version: number }) => each.version)).toEqual([2, 1]);
  expect(versions[0].toConfigVersion).toBeGreaterThan(versions[0].fromConfigVersion);
  expect((await route("order.total > 1")).body.data.version).toBe(3);
  const { data } = (await node.api("GET", "/v1/audit?limit=200")).body;
  const actions = data.map((each: { action: string }) => each.action);
  expect(actions).toEqual(expect.arrayContaining(["route.created", "route.updated", "route.deleted"]));
});
