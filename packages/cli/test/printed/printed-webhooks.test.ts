// The two webhooks that the product's documentation prints, word for word, against a real node and real receivers:
// what an administrator who copies them may expect, claim by claim, on objects in BigLedger's own shapes.
import { readFileSync } from "node:fs";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { parseAllowTargets } from "../../../server/src/security/addresses/allow-targets.ts";
import { startTestNode, type TestNode } from "../../../server/test/support/node.ts";
import { type Receiver, type ReceivedRequest, startReceiver } from "../../../server/test/support/receivers/receiver.ts";
import { until } from "../../../server/test/support/until.ts";
import { apply, printedFile } from "../support.ts";

const shape = (name: string): Record<string, unknown> =>
  JSON.parse(readFileSync(new URL(`data/${name}.json`, import.meta.url), "utf8"));
const ORDER = shape("sales-order");
const CUSTOMER = shape("customer");
const INVOICE = shape("invoice");
const PAYMENT = {
  id: "pay_555",
  amount: 2567.5,
  currency: "MYR",
  status: "matched",
  order: ORDER,
  invoice: INVOICE,
  customer: CUSTOMER,
};
const API_KEY = "key-of-the-shop-0001";
const TOKEN = "token-of-the-crm-0001";
const VALUES = [`ENCRYPTED_API_KEY=${API_KEY}`, `OAUTH_TOKEN=${TOKEN}`, "CRM_SERVER_IPS=127.0.0.1, ::1"];
const FILES = [printedFile("ecommerce-order"), printedFile("crm-customer-sync")];

let node: TestNode;
let shop: Receiver;
let crm: Receiver;
/** The status that the shop answers with. */
let shopStatus = 200;

beforeAll(async () => {
  shop = await startReceiver({ answer: () => shopStatus });
  crm = await startReceiver({ answer: () => 200 });
  // A name, so that the address is one that is looked up, as it will be in production.
  const allowed = parseAllowTargets(`localhost:${shop.port}, localhost:${crm.port}, 127.0.0.1, ::1`);
  if (!allowed.ok) throw new Error(allowed.error);
  node = await startTestNode({ allowTargets: allowed.targets });
});
afterAll(async () => {
  await node?.stop();
  await shop?.close();
  await crm?.close();
});

const mapped = () => [
  `https://api.ecommerce.com=http://localhost:${shop.port}`,
  `https://api.crm.com=http://localhost:${crm.port}`,
];
const applyPrinted = (options: { set?: string[]; dryRun?: boolean; json?: boolean } = {}) =>
  apply(node.node.url, FILES, { set: VALUES, mapUrl: mapped(), ...options });

async function publish(event: string, object: unknown, timestamp = "2024-01-15T10:30:00Z"): Promise<number> {
  const answer = await node.api("POST", "/v1/events", { event, timestamp, data: { object } });
  expect(answer.status, JSON.stringify(answer.body)).toBe(202);
  return answer.body.data.deliveries;
}

/** What a receiver got since the test began, as soon as there are so many. */
const sinceStart = new Map<Receiver, number>();
async function heard(receiver: Receiver, count: number): Promise<readonly ReceivedRequest[]> {
  const before = sinceStart.get(receiver) ?? 0;
  return (await receiver.received(before + count)).slice(before);
}
const bodyOf = (request: ReceivedRequest | undefined) => JSON.parse(request?.body.toString() ?? "null");

/** The same object in snake_case, deeply: what the older modules publish. */
function snakeCase(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(snakeCase);
  if (typeof value !== "object" || value === null) return value;
  const rename = (name: string) => name.replaceAll(/([a-z0-9])([A-Z])/g, (_, a, b) => `${a}_${b.toLowerCase()}`);
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [rename(name), snakeCase(member)]));
}

async function webhookNamed(name: string) {
  const answer = await node.api("GET", `/v1/webhooks?name=${encodeURIComponent(name)}`);
  expect(answer.body.data).toHaveLength(1);
  return answer.body.data[0];
}

async function clear(): Promise<void> {
  await apply(node.node.url, { "none.json": '{"webhooks":[]}' });
  for (const { id } of (await node.api("GET", "/v1/webhooks?limit=200")).body.data) {
    await node.api("DELETE", `/v1/webhooks/${id}`);
  }
}

beforeEach(async () => {
  shopStatus = 200;
  for (const receiver of [shop, crm]) sinceStart.set(receiver, receiver.requests.length);
  const ran = await applyPrinted();
  expect(ran.err).toBe("");
  expect(ran.code).toBe(0);
});
afterEach(clear);

describe("the printed webhooks apply as they stand", () => {
  test("both become webhooks of the own form, and nothing in them is warned of", async () => {
    const order = await webhookNamed("E-Commerce Order Integration");
    expect(order).toMatchObject({
      url: `http://localhost:${shop.port}/webhooks/bigledger`,
      method: "POST",
      auth: { type: "apiKey", header: "X-API-Key", value: "********" },
      events: ["sales_order.created", "sales_order.updated", "sales_order.cancelled", "payment.received"],
      filters: ["order.total > 100", 'order.status != "draft"'],
      retryPolicy: { maxRetries: 2, retryDelay: 5, backoffMultiplier: 2 },
      timeout: 30,
    });
    const customer = await webhookNamed("CRM Customer Synchronization");
    expect(customer).toMatchObject({
      url: `http://localhost:${crm.port}/webhooks/customers`,
      auth: { type: "oauth2", accessToken: "********" },
      allowedIps: ["127.0.0.1", "::1"],
      rateLimit: { limit: 100, per: "minute", burst: 0 },
    });
    const dry = JSON.parse((await applyPrinted({ dryRun: true, json: true })).out);
    expect(dry.plan.map((each: { warnings: unknown }) => each.warnings)).toEqual([[], []]);
  });

  test("without their values they are refused, and all three placeholders are named with their places", async () => {
    const ran = await applyPrinted({ set: [] });
    expect(ran.code).toBe(2);
    expect(ran.err.match(/\w[\w-]*\.yaml:\d+:\d+: The placeholder \[\w+\]/g)).toEqual([
      "ecommerce-order.yaml:7:10: The placeholder [ENCRYPTED_API_KEY]",
      "crm-customer-sync.yaml:6:10: The placeholder [OAUTH_TOKEN]",
      "crm-customer-sync.yaml:23:17: The placeholder [CRM_SERVER_IPS]",
    ]);
  });

  test("applied twice they change nothing", async () => {
    const state = async () => [
      await node.sql("select config_version, version, updated_at from webhook order by id"),
      await node.sql("select version from config_version"),
      await node.sql("select count(*) from audit_entry"),
    ];
    const before = await state();
    const ran = await applyPrinted();
    expect(ran).toMatchObject({ code: 0, err: "" });
    expect(ran.out).toContain("2 unchanged.");
    expect(await state()).toEqual(before);
  });

  test("no secret is printed, in the plan or in an error", async () => {
    await clear();
    const runs = [
      await applyPrinted(),
      await applyPrinted({ json: true }),
      await applyPrinted({ set: VALUES.slice(0, 2) }),
    ];
    for (const { out, err } of runs) expect(out + err).not.toMatch(new RegExp(`${API_KEY}|${TOKEN}`));
  });
});

describe("E-Commerce Order Integration", () => {
  const EXPECTED = {
    order_id: ORDER["id"],
    customer_id: ORDER["customerId"],
    total_amount: 2567.5,
    status: "confirmed",
    timestamp: "2024-01-15T10:30:00Z",
  };

  test.each(["sales_order.created", "sales_order.updated", "sales_order.cancelled"])(
    "%s arrives with all six fields filled from BigLedger's sample order",
    async (event) => {
      expect(await publish(event, ORDER)).toBe(1);
      const [request] = await heard(shop, 1);
      const body = bodyOf(request);
      expect(body).toEqual({ ...EXPECTED, items: ORDER["items"] });
      expect(Object.keys(body)).toEqual(["order_id", "customer_id", "total_amount", "status", "items", "timestamp"]);
    },
  );

  test("payment.received fires too, with the fields of the order that it settles", async () => {
    expect(await publish("payment.received", PAYMENT)).toBe(1);
    const [request] = await heard(shop, 1);
    expect(request?.headers["x-bigledger-event"]).toBe("payment.received");
    expect(bodyOf(request)).toEqual({ ...EXPECTED, items: ORDER["items"] });
  });

  test("an order in snake_case gives the same fields", async () => {
    await publish("sales_order.created", snakeCase(ORDER));
    await publish("payment.received", snakeCase(PAYMENT));
    const requests = await heard(shop, 2);
    for (const request of requests) expect(bodyOf(request)).toEqual({ ...EXPECTED, items: snakeCase(ORDER["items"]) });
  });

  test("100 is not above 100, and one sen more is", async () => {
    expect(await publish("sales_order.created", { ...ORDER, total: 100 })).toBe(0);
    expect(await publish("sales_order.created", { ...ORDER, total: 100.0 })).toBe(0);
    expect(await publish("sales_order.created", { ...ORDER, total: 100.01 })).toBe(1);
    const [request] = await heard(shop, 1);
    expect(bodyOf(request).total_amount).toBe(100.01);
  });

  test("a draft is held back", async () => {
    expect(await publish("sales_order.created", { ...ORDER, status: "draft" })).toBe(0);
    expect(await publish("payment.received", { ...PAYMENT, order: { ...ORDER, status: "draft" } })).toBe(0);
  });

  test("a payment that settles no order does not fit the filter, and no other type is heard", async () => {
    const { order: _order, ...withoutOrder } = PAYMENT;
    expect(await publish("payment.received", withoutOrder)).toBe(0);
    expect(await publish("sales_order.confirmed", ORDER)).toBe(0);
  });

  test("the key arrives in X-API-Key, by POST, as JSON, at the printed path", async () => {
    await publish("sales_order.created", ORDER);
    const [request] = await heard(shop, 1);
    expect(request?.method).toBe("POST");
    expect(request?.path).toBe("/webhooks/bigledger");
    expect(request?.headers["x-api-key"]).toBe(API_KEY);
    expect(request?.headers["authorization"]).toBeUndefined();
    expect(request?.headers["content-type"]).toMatch(/^application\/json/);
  });

  test("three requests in all, the second 5 s after the first, the third 10 s after that", async () => {
    shopStatus = 500;
    await publish("sales_order.created", ORDER);
    const [request] = await heard(shop, 1);
    const id = request?.headers["x-bigledger-delivery"] as string;
    const afterAttempt = (count: number) =>
      until(`attempt ${count}`, async () => {
        const { data } = (await node.api("GET", `/v1/deliveries/${id}`)).body;
        return data.attemptCount === count ? data : null;
      });
    // biome-ignore lint/suspicious/noExplicitAny: answers are asserted on
    const endOf = (attempt: any) => Date.parse(attempt.startedAt) + attempt.durationMs;

    const first = await afterAttempt(1);
    const times = first.nextAttempts.map((time: string) => Date.parse(time));
    expect(times).toHaveLength(2);
    expect(Math.abs(times[0] - endOf(first.attempts[0]) - 5_000)).toBeLessThanOrEqual(50);
    expect(times[1] - times[0]).toBe(10_000);

    // By hand, so that nobody waits: the policy counts these attempts like its own.
    await node.api("POST", `/v1/deliveries/${id}/retry`);
    const second = await afterAttempt(2);
    expect(second.nextAttempts).toHaveLength(1);
    const latest = Math.max(...second.attempts.map(endOf));
    expect(Math.abs(Date.parse(second.nextAttempts[0]) - latest - 10_000)).toBeLessThanOrEqual(50);

    await node.api("POST", `/v1/deliveries/${id}/retry`);
    const third = await afterAttempt(3);
    expect(third).toMatchObject({ state: "dead_letter", deadReason: "attempts_exhausted" });
    expect(await heard(shop, 3)).toHaveLength(3);
  });
});

describe("CRM Customer Synchronization", () => {
  const EXPECTED = {
    customer_id: CUSTOMER["id"],
    name: CUSTOMER["name"],
    email: CUSTOMER["email"],
    phone: CUSTOMER["phone"],
    created_date: CUSTOMER["createdAt"],
  };

  test("all six fields are filled from BigLedger's sample customer, created_date from its createdAt", async () => {
    for (const event of ["customer.created", "customer.updated", "customer.deleted"]) {
      expect(await publish(event, CUSTOMER), event).toBe(1);
    }
    const requests = await heard(crm, 3);
    for (const request of requests) expect(bodyOf(request)).toEqual({ ...EXPECTED, address: CUSTOMER["address"] });
    const events = requests.map((request) => request.headers["x-bigledger-event"]);
    expect(events.sort()).toEqual(["customer.created", "customer.deleted", "customer.updated"]);
  });

  test("a customer in snake_case gives the same fields", async () => {
    await publish("customer.created", snakeCase(CUSTOMER));
    const [request] = await heard(crm, 1);
    expect(bodyOf(request)).toEqual({ ...EXPECTED, address: snakeCase(CUSTOMER["address"]) });
  });

  test("the token arrives in Authorization, at the printed path", async () => {
    await publish("customer.created", CUSTOMER);
    const [request] = await heard(crm, 1);
    expect(request?.path).toBe("/webhooks/customers");
    expect(request?.headers["authorization"]).toBe(`Bearer ${TOKEN}`);
    expect(request?.headers["x-api-key"]).toBeUndefined();
  });

  test("an address outside the IP Whitelist is never dialled", async () => {
    const connections = crm.connectionCount;
    const set = [...VALUES.slice(0, 2), "CRM_SERVER_IPS=192.0.2.1,198.51.100.0/24"];
    const ran = await applyPrinted({ set });
    expect(ran.out).toContain("~ CRM Customer Synchronization");
    await publish("customer.created", CUSTOMER);
    const { id } = await webhookNamed("CRM Customer Synchronization");
    const delivery = await until("the blocked attempt", async () => {
      const [found] = (await node.api("GET", `/v1/deliveries?webhookId=${id}`)).body.data;
      return found !== undefined && found.attemptCount > 0 ? found : null;
    });
    const { attempts } = (await node.api("GET", `/v1/deliveries/${delivery.id}`)).body.data;
    expect(attempts[0].outcome).toBe("blocked");
    expect(crm.connectionCount).toBe(connections);
  });
});
