// The two printed webhooks on BigLedger's real object shapes, in both spellings, in a running node: what an
// administrator who copied them from the page gets.
import { createHmac } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startTestNode, type TestNode } from "../support/node.ts";
import { type ReceivedRequest, type Receiver, startReceiver } from "../support/receivers/receiver.ts";
import { CRM_WEBHOOK, CUSTOMER, inSnakeCase, ORDER_WEBHOOK, SALES_ORDER } from "./webhooks.ts";

let node: TestNode;
let receiver: Receiver;
const secret = "your-secret-key";

beforeAll(async () => {
  node = await startTestNode();
  receiver = await startReceiver();
  for (const webhook of [ORDER_WEBHOOK, CRM_WEBHOOK]) {
    const { status, body } = await node.api("POST", "/v1/webhooks", {
      ...webhook,
      url: `${receiver.origin}/hook`,
      secret,
    });
    expect(status, JSON.stringify(body)).toBe(201);
    expect("warnings" in body.data).toBe(false);
  }
});
afterAll(async () => {
  await node?.stop();
  await receiver?.close();
});

/** Publishes, and gives the request that comes of it, or null when nobody has to hear of it. */
async function deliveredFor(event: string, data: string): Promise<ReceivedRequest | null> {
  const before = receiver.requests.length;
  const raw = `{"event":"${event}","timestamp":"2024-01-15T10:30:00Z","data":${data}}`;
  const { status, body } = await node.api("POST", "/v1/events", raw);
  expect(status, JSON.stringify(body)).toBe(202);
  if (body.data.deliveries === 0) return null;
  return (await receiver.received(before + 1))[before] ?? null;
}

const asObject = (object: string): string => `{"object":${object}}`;
const spellings = [
  ["camelCase", (json: string) => json],
  ["snake_case", inSnakeCase],
] as const;

describe.each(spellings)("on objects in %s", (_, spelled) => {
  const order = spelled(SALES_ORDER);
  const payment = spelled(
    `{"id":"pay_1","paymentNumber":"PAY-1","amount":2567.50,"order":${SALES_ORDER},"invoice":{"id":"inv_1"},"customer":${CUSTOMER}}`,
  );

  test.each([
    ["sales_order.created", asObject(order)],
    ["sales_order.updated", `{"object":${order},"previous_attributes":{"total":99.00}}`],
    ["sales_order.cancelled", asObject(order)],
    ["payment.received", asObject(payment)],
  ])("%s brings all six fields of the order, to the digit", async (event, data) => {
    const request = await deliveredFor(event, data);
    if (request === null) throw new Error("nothing was delivered");
    const text = request.body.toString();
    const items = /"items": (\[[\s\S]*?\n {2}\])/.exec(order)?.[1] as string;
    expect(text).toBe(
      `{"order_id":"so_987654321","customer_id":"cust_123456789","total_amount":2567.50,"status":"confirmed",` +
        `"items":${items.replaceAll(/\n\s*/g, "").replaceAll(/": /g, '":').replaceAll(/, "/g, ',"')},"timestamp":"2024-01-15T10:30:00Z"}`,
    );
    expect(Object.values(JSON.parse(text)).filter((value) => value === null)).toEqual([]);
    expect(request.headers["content-type"]).toBe("application/json");
    expect(request.headers["x-signature"]).toBe(
      `sha256=${createHmac("sha256", secret).update(request.body).digest("hex")}`,
    );
  });

  test.each(["customer.created", "customer.updated", "customer.deleted"])(
    "%s brings all six fields of the customer",
    async (event) => {
      const request = await deliveredFor(event, asObject(spelled(CUSTOMER)));
      const body = JSON.parse(request?.body.toString() ?? "");
      expect(body).toEqual({
        customer_id: "cust_123456789",
        name: "Acme Corporation",
        email: "billing@acme.com",
        phone: "+60123456789",
        address: JSON.parse(spelled(CUSTOMER)).address,
        created_date: "2024-01-01T00:00:00Z",
      });
    },
  );

  test("the bare object, without the envelope's `object`, does as well", async () => {
    const request = await deliveredFor("sales_order.created", order);
    expect(JSON.parse(request?.body.toString() ?? "")).toMatchObject({
      order_id: "so_987654321",
      total_amount: 2567.5,
    });
  });

  test("100 is not more than 100, and a draft is filtered", async () => {
    const ofTotal = (total: string): string => order.replace('"total": 2567.50', `"total": ${total}`);
    expect(ofTotal("100")).not.toBe(order);
    expect(await deliveredFor("sales_order.created", asObject(ofTotal("100")))).toBeNull();
    expect(await deliveredFor("sales_order.created", asObject(ofTotal("100.00")))).toBeNull();
    expect(await deliveredFor("sales_order.created", asObject(order.replace('"confirmed"', '"draft"')))).toBeNull();
    expect((await deliveredFor("sales_order.created", asObject(ofTotal("100.01"))))?.body.toString()).toContain(
      '"total_amount":100.01',
    );
  });
});
