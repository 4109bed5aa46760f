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
});
