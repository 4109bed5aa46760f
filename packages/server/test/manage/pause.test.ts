// A paused webhook: heard, kept, held, and nothing lost, whatever the backlog and whoever dies meanwhile.
// Broken on purpose: when the status is not looked at in the statements that read deliveries, "is held" goes red. (That
// held deliveries leave memory: test/deliver/rate-dispatch.test.ts.)
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { callApi, startTestNode, type TestNode } from "../support/node.ts";
import { type Answer, type Receiver, startReceiver } from "../support/receivers/receiver.ts";
import { until } from "../support/until.ts";

let node: TestNode;
const receivers: Receiver[] = [];
beforeAll(async () => {
  node = await startTestNode({
    memory: { maxEntries: 500, maxBytes: 64 << 20, maxEntriesPerWebhook: 50, maxBytesPerWebhook: 8 << 20 },
  });
});
afterAll(async () => {
  await node?.stop();
  for (const receiver of receivers) await receiver.close();
});

async function subscribe(events: string[], answer: () => Answer | Promise<Answer> = () => 200, fields = {}) {
  const receiver = await startReceiver({ answer });
  receivers.push(receiver);
  const made = await node.api("POST", "/v1/webhooks", { url: `${receiver.origin}/`, events, ...fields });
  expect(made.status, JSON.stringify(made.body)).toBe(201);
  return { receiver, id: made.body.data.id as string, etag: made.headers.get("etag") as string };
}
const act = (id: string, action: "pause" | "resume", headers: Record<string, string> = {}) =>
  node.api("POST", `/v1/webhooks/${id}/${action}`, undefined, headers);
const publish = async (type: string, data: unknown = 1): Promise<string> => {
  const answer = await node.api("POST", "/v1/events", { event: type, data });
  expect(answer.body.data.deliveries).toBe(1);
  return answer.body.data.id;
};
const publishMany = async (type: string, count: number): Promise<void> => {
  const events = Array.from({ length: count }, (_, n) => ({ event: type, data: { n } }));
  const answer = await node.api("POST", "/v1/events/batch", { events });
  expect(answer.body.data.results.every((each: { status: string }) => each.status === "accepted")).toBe(true);
};
const deliveriesOf = async (id: string, query = ""): Promise<Record<string, unknown>[]> =>
  (await node.api("GET", `/v1/deliveries?webhookId=${id}&limit=200${query}`)).body.data;

describe("pausing", () => {
  test("changes the status and the ETag, makes no version, and stands in the trail", async () => {
    const { id, etag } = await subscribe(["bill.created"]);
    const paused = await act(id, "pause");
    expect([paused.status, paused.body.data.status, paused.body.data.active]).toEqual([200, "paused", true]);
    expect(paused.body.data.version).toBe(1);
    expect(paused.headers.get("etag")).not.toBe(etag);
    expect((await node.api("GET", `/v1/webhooks/${id}`)).headers.get("etag")).toBe(paused.headers.get("etag"));
    const again = await act(id, "pause");
    expect([again.status, again.headers.get("etag")]).toEqual([200, paused.headers.get("etag")]);
    const resumed = await act(id, "resume");
    expect([resumed.status, resumed.body.data.status]).toEqual([200, "enabled"]);
    expect((await act(id, "resume")).headers.get("etag")).toBe(resumed.headers.get("etag"));
    const trail = await node.sql<{ action: string; change: { status?: unknown } }>(
      "select action, change from audit_entry where object_id = $1 and action <> 'webhook.created' order by id",
      [id],
    );
    expect(trail.map((entry) => [entry.action, entry.change.status])).toEqual([
      ["webhook.paused", { from: "enabled", to: "paused" }],
      ["webhook.resumed", { from: "paused", to: "enabled" }],
    ]);
  });

  test("honours If-Match, and refuses what is disabled, absent or another tenant's", async () => {
    const { id, etag } = await subscribe(["bill.created"]);
    expect((await act(id, "pause", { "if-match": etag })).status).toBe(200);
    const stale = await act(id, "resume", { "if-match": etag });
    expect([stale.status, stale.body.error.code]).toEqual([412, "PRECONDITION_FAILED"]);
    expect((await act(id, "resume", { "if-match": stale.headers.get("etag") as string })).status).toBe(200);
    await node.api("PATCH", `/v1/webhooks/${id}`, { active: false });
    for (const action of ["pause", "resume"] as const) {
      const refused = await act(id, action);
      expect([refused.status, refused.body.error.code]).toEqual([409, "CONFLICT"]);
      expect(refused.body.error.message).toContain("active");
    }
    await node.api("DELETE", `/v1/webhooks/${id}`);
    expect((await act(id, "pause")).status).toBe(404);
    expect((await act("webhook_nonsense", "pause")).status).toBe(404);
  });
});

describe("a paused webhook", () => {
  test("is held: its deliveries are made, shown as held, and go out when it is resumed, oldest first", async () => {
    const { receiver, id } = await subscribe(["bill.received"], () => 200, { maxInFlight: 1 });
    await act(id, "pause");
    const published: string[] = [];
    for (let n = 0; n < 20; n += 1) published.push(await publish("bill.received", n));
    const held = await deliveriesOf(id);
    expect(held).toHaveLength(20);
    for (const each of held) {
      expect(each).toMatchObject({ state: "held", heldReason: "paused", nextAttemptAt: null, attemptCount: 0 });
    }
    expect(await deliveriesOf(id, "&state=held")).toHaveLength(20);
    expect(await deliveriesOf(id, "&state=pending")).toHaveLength(20);
    const one = await node.api("GET", `/v1/deliveries/${held[0]?.id}`);
    expect([one.body.data.state, one.body.data.nextAttempts]).toEqual(["held", undefined]);
    const retried = await node.api("POST", `/v1/deliveries/${held[0]?.id}/retry`);
    expect([retried.status, retried.body.error.message]).toEqual([409, expect.stringContaining("Resume")]);
    expect(receiver.requests).toHaveLength(0);
    await act(id, "resume");
    const requests = await receiver.received(20);
    expect(requests.map((request) => request.headers["webhook-id"])).toEqual(published);
    await until("all delivered", async () => (await deliveriesOf(id, "&state=delivered")).length === 20);
    expect(await deliveriesOf(id, "&state=held")).toEqual([]);
  });

  test("costs no memory however much it is owed: neighbours go on, and all of it goes out afterwards", async () => {
    const { receiver, id } = await subscribe(["bill.approved"]);
    const neighbour = await subscribe(["bill.paid"]);
    await act(id, "pause");
    for (let n = 0; n < 3; n += 1) await publishMany("bill.approved", 700);
    await publishMany("bill.paid", 400);
    await neighbour.receiver.received(400);
    expect(receiver.requests).toHaveLength(0);
    await act(id, "resume");
    const ids = (await receiver.received(2_100)).map((request) => request.headers["x-bigledger-delivery"]);
    expect(new Set(ids).size).toBe(2_100);
    await until("nothing pending", async () => (await node.sql("select 1 from delivery limit 1")).length === 0);
    expect(receiver.requests).toHaveLength(2_100);
  });

  test("lets a running request end, and holds its retry that falls due meanwhile", async () => {
    let open!: () => void;
    const opened = new Promise<void>((resolve) => {
      open = resolve;
    });
    let first = true;
    const { receiver, id } = await subscribe(
      ["expense.created"],
      async () => {
        if (!first) return 200;
        first = false;
        await opened;
        return 500;
      },
      { retryPolicy: { maxRetries: 3, retryDelay: 0, backoffMultiplier: 1 } },
    );
    await publish("expense.created");
    await receiver.received(1);
    await act(id, "pause");
    open();
    const [held] = await until("the first attempt", async () => {
      const found = await deliveriesOf(id, "&state=held");
      return found[0]?.["attemptCount"] === 1 ? found : undefined;
    });
    expect(held).toMatchObject({ heldReason: "paused", nextAttemptAt: null });
    // A neighbour's delivery goes the whole way meanwhile; the due retry does not.
    const other = await subscribe(["expense.approved"]);
    await publish("expense.approved");
    await other.receiver.received(1);
    expect(receiver.requests).toHaveLength(1);
    await act(id, "resume");
    await receiver.received(2);
  });

  test("stays paused when its fields change, and what it holds is sent as it is then", async () => {
    const { id } = await subscribe(["supplier.created"]);
    const { receiver } = await subscribe(["supplier.updated"]);
    await act(id, "pause");
    await publish("supplier.created");
    const changed = await node.api("PATCH", `/v1/webhooks/${id}`, { url: `${receiver.origin}/moved`, active: true });
    expect(changed.body.data.status).toBe("paused");
    await act(id, "resume");
    expect((await receiver.received(1))[0]?.path).toBe("/moved");
  });

  test("disabled, it owes nothing any more: what was held becomes dead letters", async () => {
    const { receiver, id } = await subscribe(["requisition.created"]);
    await act(id, "pause");
    for (let n = 0; n < 5; n += 1) await publish("requisition.created", n);
    await node.api("PATCH", `/v1/webhooks/${id}`, { active: false });
    const dead = await until("dead letters", async () => {
      const found = await deliveriesOf(id, "&state=dead_letter");
      return found.length === 5 ? found : undefined;
    });
    expect(new Set(dead.map((each) => each["deadReason"]))).toEqual(new Set(["webhook_disabled"]));
    const enabled = await node.api("PATCH", `/v1/webhooks/${id}`, { active: true });
    expect(enabled.body.data.status).toBe("enabled");
    await publish("requisition.created", 6);
    await receiver.received(1);
  });

  test("deleted, what was held is cancelled", async () => {
    const { id } = await subscribe(["requisition.approved"]);
    await act(id, "pause");
    await publish("requisition.approved");
    await node.api("DELETE", `/v1/webhooks/${id}`);
    await until("the cancellation", async () => (await deliveriesOf(id, "&state=cancelled")).length === 1);
  });
});

test("after a restart of its owner it is still held, by whatever node, and resumes on all of them", async () => {
  const own = await startTestNode();
  const receiver = await startReceiver();
  receivers.push(receiver);
  try {
    const made = await own.api("POST", "/v1/webhooks", { url: `${receiver.origin}/`, events: ["shift.closed"] });
    const { id } = made.body.data;
    await own.api("POST", `/v1/webhooks/${id}/pause`);
    await own.api("POST", "/v1/events", { event: "shift.closed", data: 1 });
    const second = await own.startAnother();
    // Captured where the lane is not: handed over.
    await callApi(second.url, "POST", "/v1/events", { event: "shift.closed", data: 2 });
    await own.node.stop();
    await callApi(second.url, "POST", "/v1/events", { event: "shift.closed", data: 3 });
    await until("the lanes to be taken", async () => {
      const rows = await own.sql("select 1 from lane where node_id is null");
      return rows.length === 0;
    });
    expect((await callApi(second.url, "GET", `/v1/deliveries?webhookId=${id}&state=held`)).body.data).toHaveLength(3);
    expect(receiver.requests).toHaveLength(0);
    const third = await own.startAnother();
    await callApi(third.url, "POST", `/v1/webhooks/${id}/resume`);
    expect((await receiver.received(3)).map((request) => request.headers["x-bigledger-attempt"])).toEqual([
      "1",
      "1",
      "1",
    ]);
  } finally {
    await own.stop();
  }
});
