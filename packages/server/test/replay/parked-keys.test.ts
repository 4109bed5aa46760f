// Parked keys: what holds each is seen, retried, skipped or released with others, and what waits behind it goes on in its
// order, on whichever node; also while the webhook is paused and when a node ends in between. Real receiver, two nodes.
// Broken on purpose: a skip that leaves no notice for the owner, notices about operational events, and a read of ordered
// deliveries that does not look for corrections turn tests here red.
import { afterAll, afterEach, beforeAll, expect, test, vi } from "vitest";
import type { RunningNode } from "../../src/compose.ts";
import { callApi, startTestNode, type TestNode } from "../support/node.ts";
import { type Receiver, startReceiver } from "../support/receivers/receiver.ts";
import { until } from "../support/until.ts";

vi.setConfig({ testTimeout: 60_000 });

/** Nobody beats, looks around, expires or is found silent while a test runs. */
const SLOW = { beatIntervalMs: 120_000, leaseMs: 300_000, silenceMs: 400_000, handoffLookMs: 120_000 };

let first: TestNode;
let second: RunningNode;
let receiver: Receiver;
/** What the receiver refuses: `type:key:n`; and what it took, in its order. */
const refused = new Set<string>();
let taken: string[] = [];
let changeCount = 0;

beforeAll(async () => {
  receiver = await startReceiver({
    answer: async ({ body }) => {
      const sent = JSON.parse(body.toString());
      const name = `${sent.event}:${sent.data.key}:${sent.data.n}`;
      if (refused.has(name)) return { status: 422, body: "customerId is unknown" };
      taken.push(name);
      return 200;
    },
  });
  first = await startTestNode({ soleNode: false, lease: SLOW });
  second = await first.startAnother();
});
afterEach(() => {
  refused.clear();
  taken = [];
});
afterAll(async () => {
  await first?.stop();
  await receiver?.close();
});

// biome-ignore lint/suspicious/noExplicitAny: answers are looked into freely
async function data(method: string, path: string, body?: unknown): Promise<any> {
  const answer = await first.api(method, `/v1${path}`, body);
  expect(answer.status, JSON.stringify(answer.body)).toBeLessThan(300);
  return answer.body.data;
}

async function subscribe(type: string, fields: object = {}): Promise<string> {
  const { id } = await data("POST", "/webhooks", {
    url: `${receiver.origin}/`,
    events: [type],
    orderingKey: true,
    retryPolicy: { maxRetries: 0 },
    ...fields,
  });
  await isKnownToSecond(id);
  return id;
}

/** A node that takes a change knows all changes up to it. */
async function isKnownToSecond(webhookId: string): Promise<void> {
  changeCount += 1;
  const change = { description: `change ${changeCount}` };
  expect((await callApi(second.url, "PATCH", `/v1/webhooks/${webhookId}`, change)).status).toBe(200);
}

async function publish(type: string, key: string, count: number): Promise<void> {
  for (let n = 0; n < count; n += 1) {
    await data("POST", "/events", { event: type, orderingKey: key, data: { key, n } });
  }
}

const parkedOf = (webhookId: string, count: number) =>
  until(`${count} parked keys`, async () => {
    const keys = await data("GET", `/parked-keys?webhookId=${webhookId}`);
    return keys.length === count ? keys : null;
  });
const took = (names: readonly string[]) =>
  until(`the receiver takes ${names.join()}`, async () => {
    const own = taken.filter((name) => name.startsWith(`${names[0]?.split(":")[0]}:`));
    return [...own].sort().join() === [...names].sort().join();
  });
const posted = (path: string, body?: unknown) => first.api("POST", `/v1${path}`, body);

test("a parked key says what holds it, why, since when and how many wait; a retry lets it go, and other keys never waited", async () => {
  const webhookId = await subscribe("bill.paid", { name: "ledger" });
  refused.add("bill.paid:a:0");
  await publish("bill.paid", "a", 3);
  await publish("bill.paid", "b", 1);
  await took(["bill.paid:b:0"]);
  const [parked] = await parkedOf(webhookId, 1);
  expect(parked).toMatchObject({
    orderingKey: "a",
    webhookName: "ledger",
    heldReason: "key_parked",
    waitingCount: 2,
    waitingIsMore: false,
    event: "bill.paid",
    attemptCount: 1,
    lastAttempt: { outcome: "rejected", responseStatus: 422, responseBody: "customerId is unknown" },
  });
  expect(Date.parse(parked.parkedAt)).toBeGreaterThanOrEqual(Date.parse(parked.lastAttempt.startedAt));
  expect((await data("GET", "/parked-keys?orderingKey=b")).length).toBe(0);
  refused.clear();
  expect((await posted(`/deliveries/${parked.deliveryId}/retry`)).status).toBe(202);
  await took(["bill.paid:b:0", "bill.paid:a:0", "bill.paid:a:1", "bill.paid:a:2"]);
  expect(taken.filter((name) => name.includes(":a:"))).toEqual(["bill.paid:a:0", "bill.paid:a:1", "bill.paid:a:2"]);
  await parkedOf(webhookId, 0);
});

test("skipped, it is a dead letter and the rest goes on in its order; skipped again nothing changes; what holds no key is refused with what to do", async () => {
  const webhookId = await subscribe("bill.created");
  refused.add("bill.created:a:0");
  await publish("bill.created", "a", 3);
  const [{ deliveryId }] = await parkedOf(webhookId, 1);
  const skipped = await data("POST", `/deliveries/${deliveryId}/skip`);
  expect(skipped).toMatchObject({ id: deliveryId, state: "dead_letter", deadReason: "skipped" });
  await took(["bill.created:a:1", "bill.created:a:2"]);
  expect(taken).toEqual(["bill.created:a:1", "bill.created:a:2"]);
  expect(await data("POST", `/deliveries/${deliveryId}/skip`)).toMatchObject({ deadReason: "skipped", deadAt: null });
  const [dead] = await data("GET", "/dead-letters?reason=skipped");
  expect(dead).toMatchObject({ id: deliveryId, lastAttempt: { responseStatus: 422 } });
  const [delivered] = await data("GET", `/deliveries?webhookId=${webhookId}&state=delivered`);
  const refusal = await posted(`/deliveries/${delivered.id}/skip`);
  expect([refusal.status, refusal.body.error.code]).toEqual([409, "NOT_PARKED"]);
  const [entry] = (await data("GET", `/audit?objectId=${deliveryId}`)).filter(
    (each: { action: string }) => each.action === "delivery.skipped",
  );
  expect(entry).toMatchObject({ objectType: "delivery", change: { deadReason: { to: "skipped" } } });
  // Tried again all the same, it goes out as the next one of its key.
  refused.clear();
  expect((await posted(`/deliveries/${deliveryId}/retry`)).status).toBe(202);
  await took(["bill.created:a:0", "bill.created:a:1", "bill.created:a:2"]);
});

test("all keys of a webhook are released at once, oldest first: counted, retried, skipped; the same call again finds none", async () => {
  const webhookId = await subscribe("sale.completed");
  const keys = ["a", "b", "c", "d"];
  for (const key of keys) {
    refused.add(`sale.completed:${key}:0`);
    await publish("sale.completed", key, 2);
  }
  await parkedOf(webhookId, 4);
  const release = (fields: object) => data("POST", "/parked-keys/release", { webhookId, ...fields });
  expect(await release({ how: "retry", dryRun: true })).toEqual({ dryRun: true, count: 4, hasMore: false });
  expect(await release({ how: "skip", orderingKey: "a" })).toMatchObject({ count: 1 });
  expect(await release({ how: "skip", limit: 1 })).toMatchObject({ count: 1, hasMore: true });
  await took(["sale.completed:a:1", "sale.completed:b:1"]);
  // Still refused: each is tried once and parked again, not tried without end.
  const tried = receiver.requests.length;
  expect(await release({ how: "retry" })).toMatchObject({ count: 2, hasMore: false });
  await until("both were tried again", async () => receiver.requests.length === tried + 2);
  await parkedOf(webhookId, 2);
  refused.clear();
  expect(await release({ how: "retry" })).toMatchObject({ count: 2 });
  await took(["a:1", "b:1", "c:0", "c:1", "d:0", "d:1"].map((name) => `sale.completed:${name}`));
  expect(await release({ how: "retry" })).toMatchObject({ count: 0, hasMore: false });
});

test("while the webhook is paused keys are released all the same, and what was released goes when it is resumed", async () => {
  const webhookId = await subscribe("shift.closed");
  for (const key of ["a", "b", "c"]) {
    refused.add(`shift.closed:${key}:0`);
    await publish("shift.closed", key, 2);
  }
  const keys = await parkedOf(webhookId, 3);
  await data("POST", `/webhooks/${webhookId}/pause`);
  await isKnownToSecond(webhookId);
  refused.clear();
  const sent = receiver.requests.length;
  const byKey = (key: string) => keys.find((each: { orderingKey: string }) => each.orderingKey === key).deliveryId;
  expect((await posted(`/deliveries/${byKey("a")}/retry`)).status).toBe(202);
  await data("POST", `/deliveries/${byKey("b")}/skip`);
  expect(await data("POST", "/parked-keys/release", { how: "retry", webhookId })).toMatchObject({ count: 1 });
  expect(await data("GET", `/parked-keys?webhookId=${webhookId}`)).toEqual([]);
  expect(receiver.requests).toHaveLength(sent);
  await data("POST", `/webhooks/${webhookId}/resume`);
  await isKnownToSecond(webhookId);
  await took(["a:0", "a:1", "b:1", "c:0", "c:1"].map((name) => `shift.closed:${name}`));
});

test("a corrected payload is sent in the place of the poisoned one, byte for byte, under the same ids; the event stays, the correction is on record, and the key goes on", async () => {
  const webhookId = await subscribe("expense.created", { name: "expenses" });
  refused.add("expense.created:a:0");
  await publish("expense.created", "a", 2);
  const [{ deliveryId, eventId }] = await parkedOf(webhookId, 1);
  const before = receiver.requests.length;
  const body = '{"note":"a typing error", "data": {"key":"a","n":99,"amount":12345678901234567890.10}}';
  const first202 = await posted(`/deliveries/${deliveryId}/correct`, body);
  expect(first202.status, JSON.stringify(first202.body)).toBe(202);
  const { correctionId } = first202.body.data;
  await took(["expense.created:a:99", "expense.created:a:1"]);
  expect(taken).toEqual(["expense.created:a:99", "expense.created:a:1"]);
  const sent = receiver.requests[before];
  expect(sent?.body.toString()).toContain('"data":{"key":"a","n":99,"amount":12345678901234567890.10}');
  expect(sent?.headers["webhook-id"]).toBe(eventId);
  expect(sent?.headers["x-bigledger-delivery"]).toBe(deliveryId);
  expect(sent?.headers["x-bigledger-correction"]).toBe(correctionId);
  expect(receiver.requests[before + 1]?.headers["x-bigledger-correction"]).toBeUndefined();
  const record = await until("its record", async () => {
    const found = await data("GET", `/deliveries/${deliveryId}`);
    return found.state === "delivered" ? found : null;
  });
  expect(record.attempts.map((attempt: { correctionId?: string }) => attempt.correctionId)).toEqual([
    undefined,
    correctionId,
  ]);
  expect(record.attempts[1].request.headers["x-bigledger-correction"]).toBe(correctionId);
  expect(record.corrections).toMatchObject([
    { id: correctionId, note: "a typing error", changed: ["/data/n", "/data/amount"] },
  ]);
  expect(record.corrections[0].correctedBy).toMatch(/^key_/);
  expect((await data("GET", `/events/${eventId}`)).data).toEqual({ key: "a", n: 0 });
  const shown = await data("GET", `/deliveries/${deliveryId}/request`);
  expect([shown.bodyHashMatches, shown.headers["x-bigledger-correction"]]).toEqual([true, correctionId]);
  // The answer was lost and the call is repeated: it was done once.
  const again = await posted(`/deliveries/${deliveryId}/correct`, body);
  expect(again.body.data).toEqual({ id: deliveryId, correctionId, state: "delivered" });
  const other = await posted(`/deliveries/${deliveryId}/correct`, { data: 2 });
  expect([other.status, other.body.error.code]).toEqual([409, "NOT_CORRECTABLE"]);
  const trail = await data("GET", `/audit?objectId=${deliveryId}`);
  expect(trail[0]).toMatchObject({
    action: "delivery.corrected",
    change: { changed: { to: ["/data/n", "/data/amount"] } },
  });
});

test("a correction that fails too is sent at every further attempt, also of a dead letter, until there is another one", async () => {
  const webhookId = await subscribe("expense.approved");
  for (const n of [0, 7]) refused.add(`expense.approved:a:${n}`);
  await publish("expense.approved", "a", 1);
  const [{ deliveryId }] = await parkedOf(webhookId, 1);
  const correct = (n: number) => data("POST", `/deliveries/${deliveryId}/correct`, { data: { key: "a", n } });
  const once = await correct(7);
  const attempts = async (count: number) =>
    until(`${count} attempts`, async () => {
      const record = await data("GET", `/deliveries/${deliveryId}`);
      return record.attempts.length === count && record.state !== "pending" ? record : null;
    });
  await attempts(2);
  await data("POST", `/deliveries/${deliveryId}/skip`);
  await data("POST", `/deliveries/${deliveryId}/retry`);
  const third = await attempts(3);
  expect(third.attempts[2].correctionId).toBe(once.correctionId);
  expect(third.state).toBe("held");
  await data("POST", `/deliveries/${deliveryId}/skip`);
  const twice = await correct(8);
  await took(["expense.approved:a:8"]);
  const record = await attempts(4);
  expect([record.state, record.attempts[3].correctionId]).toEqual(["delivered", twice.correctionId]);
  expect(record.corrections.map(({ id }: { id: string }) => id)).toEqual([twice.correctionId, once.correctionId]);
  const pending = await posted(`/deliveries/${deliveryId}/correct`, '{"data":' + "[".repeat(70) + "]".repeat(70) + "}");
  expect([pending.status, pending.body.error.code]).toEqual([400, "JSON_TOO_DEEP"]);
});

test("a parking is told once, a release too; of an operational event's own delivery nothing is told", async () => {
  const heard: { event: string; data: { object: { count: number; deliveries: object[]; nextStep?: string } } }[] = [];
  const ears = await startReceiver({
    answer: async ({ body }) => {
      heard.push(JSON.parse(body.toString()));
      return 422;
    },
  });
  // It is ordered, hears of parked keys, and refuses: its own keys are parked by that.
  const listenerId = await subscribe("key.*", {
    url: `${ears.origin}/`,
    events: ["key.parked", "key.released"],
    orderingKey: "data.object.webhookId",
  });
  const webhookId = await subscribe("return.processed", { name: "returns" });
  refused.add("return.processed:a:0");
  await publish("return.processed", "a", 1);
  const [{ deliveryId }] = await parkedOf(webhookId, 1);
  const about = (type: string) =>
    heard.filter(
      ({ event, data: { object } }) => event === type && JSON.stringify(object.deliveries).includes(deliveryId),
    );
  await until("its parking is told", async () => about("key.parked").length > 0);
  expect(about("key.parked")[0]?.data.object).toMatchObject({
    webhookName: "returns",
    deliveries: [{ id: deliveryId, event: "return.processed", orderingKey: "a", reason: "key_parked" }],
    nextStep: expect.stringContaining("parked-keys"),
  });
  const listenersOwn = await until("the listener's own key", async () => {
    const keys = await data("GET", `/parked-keys?webhookId=${listenerId}&orderingKey=${webhookId}`);
    return keys[0]?.deliveryId;
  });
  await data("POST", `/deliveries/${listenersOwn}/skip`);
  await data("POST", `/deliveries/${deliveryId}/skip`);
  await until("its release is told", async () => about("key.released").length > 0);
  const notices = await first.sql<{ type: string; detail: { deliveries: { event: string }[] } }>(
    "select type, detail from operational_notice",
  );
  const named = notices.flatMap(({ detail }) => detail.deliveries ?? []).map(({ event }) => event);
  expect(named.filter((event) => event.startsWith("key."))).toEqual([]);
  expect(about("key.parked")).toHaveLength(1);
  await ears.close();
});

const TYPES = ["points.earned", "points.redeemed", "points.expiring"];

// The last one: it leaves one node.
test("what was parked on a node that ended is found and released on the one that goes on", async () => {
  const webhooks = await Promise.all(TYPES.map((type) => subscribe(type)));
  for (const type of TYPES) {
    refused.add(`${type}:a:0`);
    await publish(type, "a", 3);
  }
  const [[earned], [redeemed], [expiring]] = await Promise.all(webhooks.map((id) => parkedOf(id, 1)));
  await second.stop();
  refused.clear();
  await data("POST", `/deliveries/${earned.deliveryId}/skip`);
  expect((await posted(`/deliveries/${redeemed.deliveryId}/retry`)).status).toBe(202);
  await data("POST", `/deliveries/${expiring.deliveryId}/correct`, { data: { key: "a", n: 5 } });
  await first.node.stop();
  const next = await first.startAnother({ soleNode: true });
  await took(["points.earned:a:1", "points.earned:a:2"]);
  await took(["points.redeemed:a:0", "points.redeemed:a:1", "points.redeemed:a:2"]);
  await took(["points.expiring:a:5", "points.expiring:a:1", "points.expiring:a:2"]);
  const left = await callApi(next.url, "GET", "/v1/parked-keys?orderingKey=a&limit=200");
  expect(left.body.data).toEqual([]);
});
