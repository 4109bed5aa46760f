// G2 and G11, and a poison row: one webhook's trouble, one large fan-out or one bad event does not hurt the others.
// Broken on purpose: without the share per webhook (roomFor always positive) "does not fill the node" goes red; without
// bisection in capture the batch-mates of the poison row go red.
import { afterAll, beforeAll, expect, test } from "vitest";
import { startTestNode, type TestNode } from "../support/node.ts";
import { type Answer, type Receiver, startReceiver } from "../support/receivers/receiver.ts";
import { until } from "../support/until.ts";

let node: TestNode;
const receivers: Receiver[] = [];
beforeAll(async () => {
  node = await startTestNode({
    memory: { maxEntries: 1_000, maxBytes: 64 << 20, maxEntriesPerWebhook: 20, maxBytesPerWebhook: 8 << 20 },
  });
});
afterAll(async () => {
  await node?.stop();
  for (const receiver of receivers) await receiver.close();
});

async function subscribe(events: string[], answer: () => Answer | Promise<Answer> = () => 200, fields = {}) {
  const receiver = await startReceiver({ answer });
  receivers.push(receiver);
  const made = await node.api("POST", "/v1/webhooks/subscribe", { url: `${receiver.origin}/`, events, ...fields });
  expect(made.status, JSON.stringify(made.body)).toBe(201);
  return receiver;
}
const publishMany = async (type: string, count: number): Promise<void> => {
  const events = Array.from({ length: count }, (_, n) => ({ event: type, data: { n } }));
  const answer = await node.api("POST", "/v1/events/batch", { events });
  expect(answer.body.data.results.every((each: { status: string }) => each.status === "accepted")).toBe(true);
};

test("a dead endpoint does not fill the node: its neighbour hears of everything meanwhile, and nothing is lost", async () => {
  let open!: () => void;
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  const dead = await subscribe(
    ["invoice.created"],
    async () => {
      await opened;
      return 200;
    },
    { timeout: 30, maxInFlight: 4 },
  );
  const healthy = await subscribe(["invoice.paid"]);
  await publishMany("invoice.created", 300);
  await publishMany("invoice.paid", 300);
  await healthy.received(300);
  expect(dead.requests.length).toBeLessThanOrEqual(4);
  open();
  await dead.received(300);
  await until("nothing pending", async () => (await node.sql("select 1 from delivery limit 1")).length === 0);
  const ids = dead.requests.map((request) => request.headers["x-bigledger-delivery"]);
  expect([ids.length, new Set(ids).size]).toEqual([300, 300]);
});

test("an event that more than 256 webhooks hear of reaches each of them once", async () => {
  const receiver = await startReceiver();
  receivers.push(receiver);
  for (let from = 0; from < 300; from += 20) {
    const made = await Promise.all(
      Array.from({ length: 20 }, (_, index) =>
        node.api("POST", "/v1/webhooks/subscribe", {
          url: `${receiver.origin}/${from + index}`,
          events: ["report.generated"],
        }),
      ),
    );
    expect(new Set(made.map((each) => each.status))).toEqual(new Set([201]));
  }
  const answer = await node.api("POST", "/v1/events", { event: "report.generated", data: 1 });
  expect(answer.body.data.deliveries).toBe(300);
  const requests = await receiver.received(300);
  expect(new Set(requests.map((request) => request.path)).size).toBe(300);
  await until("nothing pending", async () => (await node.sql("select 1 from delivery limit 1")).length === 0);
  expect(await node.sql("select 1 from fan_out")).toEqual([]);
  expect(receiver.requests).toHaveLength(300);
});

test("a row that the database refuses does not hurt its batch-mates", async () => {
  await node.sql("alter table event add constraint poison check (reference <> 'POISON')");
  const events = Array.from({ length: 40 }, (_, n) => ({
    event: "bill.created",
    data: { object: { billNumber: n === 17 || n === 33 ? "POISON" : `BILL-${n}` } },
  }));
  const answer = await node.api("POST", "/v1/events/batch", { events });
  const { results } = answer.body.data;
  expect(results.filter((each: { status: string }) => each.status === "accepted")).toHaveLength(38);
  for (const index of [17, 33]) expect(results[index].error.code).toBe("EVENT_REFUSED_BY_STORAGE");
  const stored = await node.sql<{ n: string }>("select count(*) as n from event where type = 'bill.created'");
  expect(Number(stored[0]?.n)).toBe(38);
});
