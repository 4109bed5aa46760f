// A receiver that was away finds out by itself what it missed: figures, dead letters, retry, replay and its own read key,
// on a whole node with real requests.
import { afterAll, beforeAll, expect, test } from "vitest";
import { startTestNode, type TestNode } from "../support/node.ts";
import { type Receiver, startReceiver } from "../support/receivers/receiver.ts";
import { until } from "../support/until.ts";

const EVENTS = 7;
let node: TestNode;
let receiver: Receiver;
let isAway = true;
let webhook: string;
beforeAll(async () => {
  node = await startTestNode();
  receiver = await startReceiver({
    answer: () => (isAway ? { status: 500, body: "away" } : { status: 200, body: "ok" }),
  });
  const made = await node.api("POST", "/v1/webhooks", {
    url: `${receiver.origin}/hear`,
    events: ["*"],
    retryPolicy: { maxRetries: 0, retryDelay: 1, backoffMultiplier: 1 },
  });
  webhook = made.body.data.id;
});
afterAll(async () => {
  await node?.stop();
  await receiver?.close();
});

const statistics = async () => (await node.api("GET", `/v1/webhooks/${webhook}/statistics`)).body.data;
const when = (what: string, wanted: { totalDelivered: number; totalFailed: number }) =>
  until(what, async () => {
    const now = await statistics();
    return now.totalDelivered === wanted.totalDelivered && now.totalFailed === wanted.totalFailed ? now : null;
  });

test("what was missed is counted, listed, retried, replayed and reconciled", async () => {
  const published: string[] = [];
  const startedAt = new Date(Date.now() - 60_000).toISOString();
  for (let i = 0; i < EVENTS; i += 1) {
    const answer = await node.api("POST", "/v1/events", { event: "invoice.paid", data: { object: { total: i } } });
    published.push(answer.body.data.id);
  }
  const failed = await when("dead letters", { totalDelivered: 0, totalFailed: EVENTS });
  expect(failed).toMatchObject({ successRate: 0, lastDelivery: null, recentDeliveries: [] });
  const dead = (await node.api("GET", "/v1/dead-letters")).body.data;
  expect(dead).toHaveLength(EVENTS);
  expect(dead[0].lastAttempt).toMatchObject({ outcome: "rejected", responseStatus: 500 });

  isAway = false;
  const retried = await node.api("POST", "/v1/dead-letters/retry", { webhookId: webhook });
  expect(retried.body.data).toEqual({ dryRun: false, count: EVENTS, hasMore: false });
  const delivered = await when("retried deliveries", { totalDelivered: EVENTS, totalFailed: 0 });
  expect(delivered.successRate).toBe(100);
  expect(delivered.recentDeliveries).toHaveLength(EVENTS);

  const replayed = await node.api("POST", `/v1/webhooks/${webhook}/replay`, { from: startedAt });
  expect(replayed.body.data).toMatchObject({ count: EVENTS, hasMore: false });
  await when("replayed deliveries", { totalDelivered: 2 * EVENTS, totalFailed: 0 });
  expect(receiver.requests).toHaveLength(3 * EVENTS);

  const made = await node.api("POST", `/v1/webhooks/${webhook}/read-keys`, {});
  const authorization = `Bearer ${made.body.data.key}`;
  const listed: string[] = [];
  for (let cursor: string | null = ""; cursor !== null; ) {
    const path = `/v1/events?limit=3${cursor === "" ? "" : `&cursor=${cursor}`}`;
    const page = await node.api("GET", path, undefined, { authorization });
    expect(page.status, JSON.stringify(page.body)).toBe(200);
    listed.push(...page.body.data.map((each: { id: string }) => each.id));
    cursor = page.body.pagination.nextCursor;
  }
  expect(listed).toEqual(published.toReversed());
  const one = await node.api("GET", `/v1/events/${published[3]}`, undefined, { authorization });
  expect(one.body.data.data).toEqual({ object: { total: 3 } });
  const log = await node.api("GET", `/v1/webhooks/${webhook}/logs?status=success`, undefined, { authorization });
  expect(log.body.data).toHaveLength(2 * EVENTS);
  expect(log.body.data[0]).toMatchObject({ responseCode: 200, responseBody: "ok", retryCount: 0 });
  expect(log.body.data.at(-1)).toMatchObject({ responseCode: 200, retryCount: 1 });
});
