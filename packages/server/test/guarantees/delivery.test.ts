// G3 and G4 in fault-free runs: every delivery ends in exactly one terminal record, and no request is made twice.
// Broken on purpose (removed rows not joined in record_results): "a failed delivery" and "dead letter" go red.
import { uuidFromId } from "@posthorn/contract";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startTestNode, type TestNode } from "../support/node.ts";
import { type Receiver, startReceiver } from "../support/receivers/receiver.ts";
import { until } from "../support/until.ts";

type Answering = Parameters<typeof startReceiver>[0];

let node: TestNode;
const receivers: Receiver[] = [];
beforeAll(async () => {
  node = await startTestNode();
});
afterAll(async () => {
  await node?.stop();
  for (const receiver of receivers) await receiver.close();
});

let typeCount = 0;
const TYPES = [
  "bill.created",
  "bill.received",
  "bill.approved",
  "bill.paid",
  "expense.created",
  "expense.approved",
  "supplier.created",
  "supplier.updated",
  "requisition.created",
  "requisition.approved",
  "shift.closed",
  "sale.completed",
  "return.processed",
  "product.updated",
  "reward.claimed",
  "points.earned",
];

/** A receiver with a webhook of its own, on an event type that no other test uses. */
async function subscribe(answering: Answering, fields: Record<string, unknown> = {}) {
  const receiver = await startReceiver(answering);
  receivers.push(receiver);
  const type = TYPES[typeCount++] as string;
  const made = await node.api("POST", "/v1/webhooks/subscribe", {
    url: `${receiver.origin}/in`,
    events: [type],
    retryPolicy: { maxRetries: 2, retryDelay: 1, backoffMultiplier: 1 },
    ...fields,
  });
  expect(made.status, JSON.stringify(made.body)).toBe(201);
  return { receiver, type, webhookId: made.body.data.id as string };
}
async function publish(type: string, data: unknown = { object: { id: "x" } }): Promise<string> {
  const answer = await node.api("POST", "/v1/events", { event: type, data });
  expect(answer.status, JSON.stringify(answer.body)).toBe(202);
  return answer.body.data.id;
}
async function deliveryOf(eventId: string, state: string) {
  return until(`a delivery of ${eventId} that is ${state}`, async () => {
    const { body } = await node.api("GET", `/v1/deliveries?eventId=${eventId}`);
    const [delivery] = body.data;
    return delivery?.state === state ? delivery : undefined;
  });
}

describe("a failed delivery", () => {
  test("is tried again as its policy says and ends delivered, each try recorded", async () => {
    const { receiver, type } = await subscribe({ answer: (_request, index) => (index < 2 ? 500 : 200) });
    const eventId = await publish(type);
    const requests = await receiver.received(3);
    expect(requests.map((request) => request.headers["x-bigledger-attempt"])).toEqual(["1", "2", "3"]);
    expect(new Set(requests.map((request) => request.headers["webhook-id"]))).toEqual(new Set([eventId]));
    const listed = await deliveryOf(eventId, "delivered");
    const { body } = await node.api("GET", `/v1/deliveries/${listed.id}`);
    expect(
      body.data.attempts.map((attempt: Record<string, unknown>) => [attempt.number, attempt.trigger, attempt.outcome]),
    ).toEqual([
      [1, "initial", "rejected"],
      [2, "retry", "rejected"],
      [3, "retry", "delivered"],
    ]);
  });

  test("becomes a dead letter after its last attempt; retried, it starts a fresh policy under the same id", async () => {
    let status = 500;
    const { receiver, type } = await subscribe(
      { answer: () => status },
      { retryPolicy: { maxRetries: 0, retryDelay: 1, backoffMultiplier: 1 } },
    );
    const eventId = await publish(type);
    const dead = await deliveryOf(eventId, "dead_letter");
    expect(receiver.requests).toHaveLength(1);
    status = 204;
    const retried = await node.api("POST", `/v1/deliveries/${dead.id}/retry`);
    expect(retried.status, JSON.stringify(retried.body)).toBeLessThan(300);
    const [, second] = await receiver.received(2);
    expect(second?.headers["x-bigledger-attempt"]).toBe("2");
    const delivered = await deliveryOf(eventId, "delivered");
    expect(delivered.id).toBe(dead.id);
    const again = await node.api("POST", `/v1/deliveries/${dead.id}/retry`);
    expect([again.status, again.body.error.code]).toEqual([409, "NOT_RETRYABLE"]);
    expect(await node.sql("select 1 from dead_letter where event_id = $1", [uuidFromId("event", eventId)])).toEqual([]);
  });

  test("waits as long as Retry-After asks", async () => {
    const { receiver, type } = await subscribe({
      answer: (_request, index) => (index === 0 ? { status: 429, headers: { "retry-after": "2" } } : 200),
    });
    const eventId = await publish(type);
    await receiver.received(2);
    const { id } = await deliveryOf(eventId, "delivered");
    const { body } = await node.api("GET", `/v1/deliveries/${id}`);
    const [first, second] = body.data.attempts;
    expect(first.outcome).toBe("throttled");
    expect(Date.parse(second.startedAt) - Date.parse(first.startedAt)).toBeGreaterThanOrEqual(2_000);
  });
});

test("an answer that comes after our time is a failure, and the receiver is asked again under the same id", async () => {
  const { receiver, type } = await subscribe(
    {
      answer: async (_request, index) => {
        // The receiver has taken it, and says so when nobody listens any more.
        if (index === 0) await new Promise((resolve) => setTimeout(resolve, 1_300));
        return 200;
      },
    },
    { timeout: 1, retryPolicy: { maxRetries: 1, retryDelay: 1, backoffMultiplier: 1 } },
  );
  const eventId = await publish(type);
  const [first, second] = await receiver.received(2);
  expect([first, second].map((request) => request?.headers["webhook-id"])).toEqual([eventId, eventId]);
  expect(Number(second?.headers["webhook-timestamp"])).toBeGreaterThan(Number(first?.headers["webhook-timestamp"]));
  const { id } = await deliveryOf(eventId, "delivered");
  const { body } = await node.api("GET", `/v1/deliveries/${id}`);
  expect(body.data.attempts.map(({ outcome }: { outcome: string }) => outcome)).toEqual(["timed_out", "delivered"]);
});

describe("an endpoint's answer", () => {
  test("a redirect is a failure and is not followed", async () => {
    const canary = await startReceiver();
    receivers.push(canary);
    const { receiver, type } = await subscribe(
      { answer: () => ({ status: 307, headers: { location: `${canary.origin}/secret` } }) },
      { retryPolicy: { maxRetries: 0, retryDelay: 1, backoffMultiplier: 1 } },
    );
    await deliveryOf(await publish(type), "dead_letter");
    expect([receiver.requests.length, canary.requests.length]).toEqual([1, 0]);
  });

  test("410 disables the webhook, ends what it was owed and is audited", async () => {
    const { receiver, type, webhookId } = await subscribe({ answer: () => 410 });
    const eventId = await publish(type);
    const dead = await deliveryOf(eventId, "dead_letter");
    expect(dead.deadReason).toBe("endpoint_gone");
    await until("the webhook to be disabled", async () => {
      const { body } = await node.api("GET", `/v1/webhooks/${webhookId}`);
      return body.data.status === "disabled" && body.data.active === false;
    });
    const answer = await node.api("POST", "/v1/events", { event: type, data: 1 });
    expect(answer.body.data.deliveries).toBe(0);
    expect(receiver.requests).toHaveLength(1);
    const audit = await node.sql<{ actor: string }>(
      "select actor from audit_entry where action = 'webhook.disabled' and object_id = $1",
      [webhookId],
    );
    expect(audit).toHaveLength(1);
    expect(audit[0]?.actor).toMatch(/^node_/);
  });
});

describe("a webhook that is switched off", () => {
  test("disabled: what is pending becomes dead letters", async () => {
    const { type, webhookId } = await subscribe(
      { answer: () => 503 },
      { retryPolicy: { maxRetries: 5, retryDelay: 3_600, backoffMultiplier: 1 } },
    );
    const eventId = await publish(type);
    await until("the first attempt", async () => (await deliveryOf(eventId, "pending")).attemptCount === 1);
    const changed = await node.api("PATCH", `/v1/webhooks/${webhookId}`, { active: false });
    expect(changed.status, JSON.stringify(changed.body)).toBe(200);
    expect((await deliveryOf(eventId, "dead_letter")).deadReason).toBe("webhook_disabled");
  });

  test("deleted: what is pending is cancelled", async () => {
    const { type, webhookId } = await subscribe(
      { answer: () => 503 },
      { retryPolicy: { maxRetries: 5, retryDelay: 3_600, backoffMultiplier: 1 } },
    );
    const eventId = await publish(type);
    await until("the first attempt", async () => (await deliveryOf(eventId, "pending")).attemptCount === 1);
    await node.api("DELETE", `/v1/webhooks/${webhookId}`);
    expect((await deliveryOf(eventId, "cancelled")).cancelledReason).toBe("webhook_deleted");
  });
});

test("every delivery of this file ended in exactly one terminal record, and none is left", async () => {
  await until("nothing pending", async () => (await node.sql("select 1 from delivery limit 1")).length === 0);
  const rows = await node.sql<{ id: string; endings: string }>(`
    select id, count(*) as endings from (
      select delivery_id as id from attempt where ends_delivery and outcome = 'delivered'
      union all select id from dead_letter
      union all select id from cancelled_delivery
    ) ended group by id having count(*) <> 1`);
  expect(rows).toEqual([]);
  const attempts = await node.sql<{ n: string }>("select count(distinct delivery_id) as n from attempt");
  const events = await node.sql<{ n: string }>("select sum(delivery_count) as n from event");
  expect(attempts).toEqual(events);
});
