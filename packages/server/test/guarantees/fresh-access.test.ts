// G15 for access and tenancy: what one node answered with 2xx is in force on another within two seconds, although that
// one has key, tenant and event types in memory. Broken on purpose (no config_version raised, or registered types not
// read again): the tests go red.
import { afterAll, beforeAll, expect, test } from "vitest";
import { type ApiAnswer, callApi, startTestNode, type TestNode } from "../support/node.ts";
import { startReceiver } from "../support/receivers/receiver.ts";

let node: TestNode;
let otherUrl: string;
beforeAll(async () => {
  node = await startTestNode();
  otherUrl = (await node.startAnother()).url;
  // From now on the other node has the tenant in memory.
  expect((await publishAtOther({ event: "shift.closed", data: 0 })).status).toBe(202);
});
afterAll(() => node?.stop());

const atOther = (method: string, path: string, body?: unknown, apiKey?: string): Promise<ApiAnswer> =>
  callApi(otherUrl, method, path, body, apiKey === undefined ? {} : { authorization: `Bearer ${apiKey}` });
const publishAtOther = (body: unknown, apiKey?: string) => atOther("POST", "/v1/events", body, apiKey);

/** Asks the other node again and again until it answers as wanted, for no more than two seconds after the change. */
async function withinTwoSeconds(ask: () => Promise<ApiAnswer>, status: number): Promise<ApiAnswer> {
  const changedAtMs = performance.now();
  for (;;) {
    const answer = await ask();
    if (answer.status === status) return answer;
    expect(performance.now() - changedAtMs, `still ${answer.status}, not ${status}`).toBeLessThan(2_000);
  }
}
async function newKey(fields: object = {}): Promise<{ id: string; key: string }> {
  const made = await node.api("POST", "/v1/api-keys", { name: "x", scopes: ["read:webhooks"], ...fields });
  expect(made.status).toBe(201);
  return made.body.data;
}

test("a key that is made, narrowed, widened and revoked on one node", async () => {
  const { id, key } = await newKey();
  const ask = () => atOther("GET", "/v1/webhooks", undefined, key);
  await withinTwoSeconds(ask, 200);
  await node.api("PATCH", `/v1/api-keys/${id}`, { scopes: ["write:events"] });
  await withinTwoSeconds(ask, 403);
  await node.api("PATCH", `/v1/api-keys/${id}`, { scopes: ["read:webhooks"] });
  await withinTwoSeconds(ask, 200);
  await node.api("PATCH", `/v1/api-keys/${id}`, { allowedIps: ["203.0.113.7"] });
  await withinTwoSeconds(ask, 403);
  await node.api("PATCH", `/v1/api-keys/${id}`, { allowedIps: null });
  await withinTwoSeconds(ask, 200);
  await node.api("DELETE", `/v1/api-keys/${id}`);
  await withinTwoSeconds(ask, 401);
});

test("an event type of one's own: taken, with its business number, and refused again when it is removed", async () => {
  const receiver = await startReceiver();
  const event = { event: "warehouse.opened", data: { object: { code: "WH-1" } } };
  expect((await publishAtOther(event)).body.error.code).toBe("UNKNOWN_EVENT_TYPE");
  const type = { name: "warehouse.opened", description: "x", referencePath: ["object", "code"] };
  expect((await node.api("POST", "/v1/event-types", type)).status).toBe(201);
  expect((await node.api("POST", "/v1/events", event)).status).toBe(202);
  await withinTwoSeconds(() => publishAtOther(event), 202);
  const webhook = await node.api("POST", "/v1/webhooks", { url: `${receiver.origin}/`, events: ["warehouse.*"] });
  expect(webhook.status).toBe(201);
  await node.api("POST", "/v1/events", event);
  await receiver.received(1);
  const rows = await node.sql("select distinct reference from event where type = 'warehouse.opened'");
  expect(rows).toEqual([{ reference: "WH-1" }]);
  await node.api("PATCH", "/v1/event-types/warehouse.opened", { referencePath: ["object", "name"] });
  const named = { event: "warehouse.opened", data: { object: { code: "WH-2", name: "North" } } };
  const changedAtMs = performance.now();
  const isNorth = async () => (await node.sql("select 1 from event where reference = 'North'")).length > 0;
  do await publishAtOther(named);
  while (!(await isNorth()) && performance.now() - changedAtMs < 2_000);
  expect(await isNorth()).toBe(true);
  expect((await node.api("DELETE", "/v1/event-types/warehouse.opened")).status).toBe(200);
  expect((await node.api("POST", "/v1/events", event)).status).toBe(422);
  await withinTwoSeconds(() => publishAtOther(event), 422);
  await receiver.close();
});

test("a tenant's settings: unknown event types, days of retention, events a second", async () => {
  const unknown = { event: "nobody.knows", data: 1 };
  expect((await publishAtOther(unknown)).status).toBe(422);
  await node.api("PATCH", "/v1/tenants/current", { unknownEventTypes: "open", retentionDays: 7 });
  const { data } = (await withinTwoSeconds(() => publishAtOther(unknown), 202)).body;
  const stored = await node.sql<{ retention_class: number }>(
    "select retention_class from event where type = 'nobody.knows'",
  );
  expect(stored).toEqual([{ retention_class: 7 }]);
  expect(data.deliveries).toBe(0);
  const { id } = (await node.api("GET", "/v1/tenants/current")).body.data;
  await node.api("PATCH", `/v1/tenants/${id}`, { captureLimitPerSecond: 1 });
  const limited = await withinTwoSeconds(() => publishAtOther(unknown), 429);
  expect(limited.headers.get("retry-after")).toBe("1");
  await node.api("PATCH", `/v1/tenants/${id}`, { captureLimitPerSecond: null });
  await withinTwoSeconds(() => publishAtOther(unknown), 202);
});

test("a new tenant publishes and subscribes on the other node at once, apart from the first", async () => {
  const { apiKey } = (await node.api("POST", "/v1/tenants", { name: "second", retentionDays: 400 })).body.data;
  const receiver = await startReceiver();
  const webhook = { url: `${receiver.origin}/`, events: ["*"] };
  expect((await atOther("POST", "/v1/webhooks", webhook, apiKey.key)).status).toBe(201);
  const published = await publishAtOther({ event: "shift.closed", data: 1 }, apiKey.key);
  expect([published.status, published.body.data.deliveries]).toEqual([202, 1]);
  await receiver.received(1);
  const ours = await node.api("POST", "/v1/events", { event: "shift.closed", data: 1 });
  expect(ours.body.data.deliveries).toBe(0);
  await receiver.close();
});

test("a company that is removed is refused as X-Company-Id", async () => {
  const ask = () => callApi(otherUrl, "GET", "/v1/webhooks", undefined, { "x-company-id": "company_branch" });
  await node.api("POST", "/v1/companies", { id: "company_branch", name: "Branch" });
  await withinTwoSeconds(ask, 200);
  await node.api("DELETE", "/v1/companies/company_branch");
  await withinTwoSeconds(ask, 403);
});

test("a node that stops has written down when keys were last used", async () => {
  const third = await node.startAnother();
  const { id, key } = await newKey();
  await withinTwoSeconds(
    () => callApi(third.url, "GET", "/v1/webhooks", undefined, { authorization: `Bearer ${key}` }),
    200,
  );
  expect((await node.api("GET", `/v1/api-keys/${id}`)).body.data.lastUsedAt).toBeNull();
  await third.stop();
  const { lastUsedAt, createdAt } = (await node.api("GET", `/v1/api-keys/${id}`)).body.data;
  expect(lastUsedAt >= createdAt).toBe(true);
});
