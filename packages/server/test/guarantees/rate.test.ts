// A rate limit on a whole node: no window of its length sees more requests than it says, across a restart too. Counted
// where requests leave, so that a slow machine cannot change the verdict. (100 a minute, over minutes of simulated time:
// test/deliver/rate-dispatch.test.ts.)
// Broken on purpose: without the empty bucket after a restart, "across a restart" goes red.
import { afterAll, beforeAll, expect, test } from "vitest";
import { mostInAnyWindow } from "../deliver/support.ts";
import { startTestNode, type TestNode } from "../support/node.ts";
import { type Answer, type Receiver, startReceiver } from "../support/receivers/receiver.ts";
import { until } from "../support/until.ts";

let node: TestNode;
let leftAtMs: number[] = [];
const receivers: Receiver[] = [];
const failpoint = (name: string): void => {
  if (name === "before_send") leftAtMs.push(performance.now());
};
beforeAll(async () => {
  node = await startTestNode({
    failpoint,
    memory: { maxEntries: 500, maxBytes: 64 << 20, maxEntriesPerWebhook: 10, maxBytesPerWebhook: 8 << 20 },
  });
});
afterAll(async () => {
  await node?.stop();
  for (const receiver of receivers) await receiver.close();
});

async function subscribe(type: string, fields: object, answer: (index: number) => Answer = () => 200) {
  const receiver = await startReceiver({ answer: (_request, index) => answer(index) });
  receivers.push(receiver);
  const made = await node.api("POST", "/v1/webhooks", { url: `${receiver.origin}/`, events: [type], ...fields });
  expect(made.status, JSON.stringify(made.body)).toBe(201);
  return { receiver, id: made.body.data.id as string };
}
async function publishMany(type: string, count: number): Promise<void> {
  const events = Array.from({ length: count }, (_, n) => ({ event: type, data: { n } }));
  const answer = await node.api("POST", "/v1/events/batch", { events });
  expect(answer.body.data.results.every((each: { status: string }) => each.status === "accepted")).toBe(true);
}
const nothingOwed = () =>
  until("nothing pending", async () => (await node.sql("select 1 from delivery limit 1")).length === 0, 30_000);

test("at most 20 requests in any second, retries included, while neighbours go as fast as they can", async () => {
  leftAtMs = [];
  const limited = { rateLimit: { limit: 20, per: "second" }, retryPolicy: { maxRetries: 3, retryDelay: 0 } };
  const { receiver } = await subscribe("bill.created", limited, (index) => (index % 4 === 0 ? 500 : 200));
  await publishMany("bill.created", 40);
  await nothingOwed();
  const sent = leftAtMs;
  expect(receiver.requests.length).toBeGreaterThan(50);
  expect(sent).toHaveLength(receiver.requests.length);
  expect(mostInAnyWindow(sent, 1_000)).toBeLessThanOrEqual(20);
  // More than memory holds of it at once, and none twice.
  const delivered = await node.sql<{ n: string }>("select count(*) as n from attempt where ends_delivery");
  expect(Number(delivered[0]?.n)).toBe(40);
});

test("a burst goes at once, on top of the limit and no more", async () => {
  leftAtMs = [];
  const { receiver } = await subscribe("bill.received", { rateLimit: { limit: 10, per: "second", burst: 15 } });
  await publishMany("bill.received", 40);
  await receiver.received(40);
  expect(mostInAnyWindow(leftAtMs, 1_000)).toBeLessThanOrEqual(25);
  expect(mostInAnyWindow(leftAtMs, 500)).toBeGreaterThanOrEqual(16);
});

test("a neighbour's thousand deliveries pass a webhook that may have one an hour", async () => {
  const { receiver: slow } = await subscribe("bill.approved", { rateLimit: { limit: 1, per: "hour" } });
  const { receiver: fast } = await subscribe("bill.paid", {});
  await publishMany("bill.approved", 20);
  await publishMany("bill.paid", 1_000);
  await fast.received(1_000);
  expect(slow.requests.length).toBeLessThanOrEqual(1);
});

test("at most limit + burst across a restart: the next owner begins as if everything had just been sent", async () => {
  const rateLimit = { limit: 30, per: "minute", burst: 40 };
  const { receiver, id } = await subscribe("expense.created", { rateLimit });
  expect((await node.api("GET", `/v1/webhooks/${id}`)).body.data.rateLimit).toEqual(rateLimit);
  leftAtMs = [];
  await publishMany("expense.created", 120);
  // The burst, and one of the limit itself.
  await receiver.received(41);
  await node.node.stop();
  await node.startAnother({ failpoint, soleNode: true });
  // The next one comes two seconds after the lanes were taken; a full bucket would have let 41 go at once.
  await receiver.received(42);
  expect(leftAtMs.length).toBeLessThan(50);
  expect(mostInAnyWindow(leftAtMs, 60_000)).toBeLessThanOrEqual(70);
});
