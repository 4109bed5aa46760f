// Snapshots: records go to one webhook only, marked, in their order and at their pace, behind live traffic; whoever gives
// them goes on after a break without doubling; nodes may end in the middle. Real receiver, two nodes.
// Broken on purpose: records added without asking what is stored turn a test here red.
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
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
let changeCount = 0;
/** What came, by the path of the webhook. */
const came = new Map<string, { readonly text: string }[]>();
/** Paths whose requests wait. */
const blocked = new Map<string, Promise<void>>();

beforeAll(async () => {
  receiver = await startReceiver({
    answer: async ({ path, body }) => {
      came.set(path, [...(came.get(path) ?? []), { text: body.toString() }]);
      await blocked.get(path);
      return 200;
    },
  });
  first = await startTestNode({ soleNode: false, lease: SLOW });
  second = await first.startAnother();
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

async function subscribe(name: string, fields: object = {}): Promise<string> {
  const { id } = await data("POST", "/webhooks", {
    name,
    url: `${receiver.origin}/${name}`,
    events: ["customer.created"],
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

const begin = (webhookId: string, fields: object = {}) =>
  data("POST", `/webhooks/${webhookId}/snapshots`, { token: "t1", event: "customer.created", ...fields });
const recordsFrom = (from: number, count: number) => Array.from({ length: count }, (_, index) => ({ n: from + index }));
const linesAt = (name: string): number[] =>
  (came.get(`/${name}`) ?? []).map(({ text }) => JSON.parse(text).context?.line).filter((line) => line !== undefined);
const arrived = (name: string, count: number) =>
  until(`${count} records at ${name}`, async () => new Set(linesAt(name)).size === count, 40_000);

test("records go to one webhook only, byte for byte, marked, in the order of their lines; nobody else hears of them, then or in a replay", async () => {
  const id = await subscribe("new", { orderingKey: true, filters: ["data.object.never == 1"] });
  const other = await subscribe("other");
  const snapshot = await begin(id, { recordsPerSecond: 1_000 });
  const body = '{"offset":0, "records":[ {"n":1, "credit":12345678901234567890.10} ,{"n":2,"name":"三"},{"n":3}]}';
  const stored = await data("POST", `/snapshots/${snapshot.id}/records`, body);
  expect(stored).toMatchObject({ received: 3, state: "running", isComplete: false });
  await data("POST", `/snapshots/${snapshot.id}/records`, { offset: 3, records: recordsFrom(4, 40) });
  await data("POST", `/snapshots/${snapshot.id}/complete`);
  await arrived("new", 43);
  expect(linesAt("new")).toEqual(Array.from({ length: 43 }, (_, index) => index + 1));
  const [one] = came.get("/new") ?? [];
  expect(one?.text).toContain('"data":{"object":{"n":1, "credit":12345678901234567890.10}}');
  expect(JSON.parse(one?.text as string)).toMatchObject({
    event: "customer.created",
    context: { source: "snapshot", snapshotId: snapshot.id, line: 1 },
  });
  const done = await until("its end", async () => {
    const now = await data("GET", `/snapshots/${snapshot.id}`);
    return now.state === "done" ? now : null;
  });
  expect(done).toMatchObject({ received: 43, delivering: 43, isComplete: true });
  const replay = { webhookId: other, which: "all", from: "2020-01-01T00:00:00Z", dryRun: true };
  const counted = await data("POST", "/replays", replay);
  await until("the count", async () => (await data("GET", `/replays/${counted.id}`)).state === "done");
  expect((await data("GET", `/replays/${counted.id}`)).count).toBe(0);
  expect(came.get("/other")).toBeUndefined();
  const [event] = await data("GET", "/events?limit=1");
  expect(event.deliveryCount).toBe(1);
  const actions = (await data("GET", `/audit?objectId=${id}`)).map((entry: { action: string }) => entry.action);
  expect(actions).toContain("snapshot.started");
});

test("whoever was cut off goes on at the count: what comes twice is stored once, a gap is refused with where to go on", async () => {
  const id = await subscribe("twice");
  const { id: snapshotId } = await begin(id);
  const append = (offset: number, records: unknown[]) =>
    first.api("POST", `/v1/snapshots/${snapshotId}/records`, { offset, records });
  expect((await append(0, recordsFrom(1, 4))).body.data.received).toBe(4);
  expect((await append(0, recordsFrom(1, 4))).body.data.received).toBe(4);
  expect((await append(2, recordsFrom(3, 4))).body.data.received).toBe(6);
  const gap = await append(9, recordsFrom(10, 1));
  expect([gap.status, gap.body.error.code]).toEqual([409, "CONFLICT"]);
  expect(gap.body.error.message).toContain("offset 6");
  // Two clients at once, with the same records.
  await Promise.all(Array.from({ length: 5 }, () => append(6, recordsFrom(7, 3))));
  expect(await begin(id)).toMatchObject({ id: snapshotId, received: 9 });
  const wrong = await first.api("POST", `/v1/webhooks/${id}/snapshots`, { token: "t1", event: "customer.updated" });
  expect(wrong.status).toBe(409);
  expect((await append(9, [{ deep: JSON.parse("[".repeat(70) + "]".repeat(70)) }])).status).toBe(400);
  expect((await append(9, ["no object"])).status).toBe(422);
  await data("POST", `/snapshots/${snapshotId}/complete`);
  await data("POST", `/snapshots/${snapshotId}/complete`);
  expect((await append(0, recordsFrom(1, 9))).status).toBe(200);
  expect((await append(9, recordsFrom(10, 1))).status).toBe(409);
  await arrived("twice", 9);
  expect([...linesAt("twice")].sort()).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9]);
});

test("no more than its pace in a second, and none while the webhook has enough to do or is paused; cancelled, the rest is not sent", async () => {
  const id = await subscribe("slow", { maxInFlight: 1 });
  let unblock = (): void => {};
  blocked.set("/slow", new Promise((resolve) => (unblock = resolve)));
  for (let n = 0; n < 3; n += 1) {
    const events = Array.from({ length: 25 }, () => ({ event: "customer.created", data: { live: true } }));
    expect((await first.api("POST", "/v1/events/batch", { events })).status).toBe(202);
  }
  const { id: snapshotId } = await begin(id, { recordsPerSecond: 10 });
  await data("POST", `/snapshots/${snapshotId}/records`, { offset: 0, records: recordsFrom(1, 400) });
  await delay(400);
  expect(await data("GET", `/snapshots/${snapshotId}`)).toMatchObject({ received: 400, delivering: 0 });
  const unblockedAt = performance.now();
  unblock();
  blocked.delete("/slow");
  await arrived("slow", 11);
  // Ten pauses of a tenth of a second lie between the first and the eleventh.
  expect(performance.now() - unblockedAt).toBeGreaterThan(900);
  await data("POST", `/webhooks/${id}/pause`);
  await isKnownToSecond(id);
  const paused = await data("GET", `/snapshots/${snapshotId}`);
  expect(paused.state).toBe("running");
  expect((await data("POST", `/snapshots/${snapshotId}/cancel`)).state).toBe("cancelled");
  expect((await data("POST", `/snapshots/${snapshotId}/cancel`)).state).toBe("cancelled");
  await data("POST", `/webhooks/${id}/resume`);
  expect(
    await first.sql(
      "select 1 from snapshot_record r join snapshot s on s.id = r.snapshot_id where s.state = 'cancelled'",
    ),
  ).toEqual([]);
  expect(linesAt("slow").length).toBeLessThan(400);
});

// The last one: it leaves one node.
test("nodes that end in the middle lose and double nothing", async () => {
  const ids = await Promise.all(["a", "b", "c"].map((name) => subscribe(name)));
  const snapshots: string[] = [];
  for (const id of ids) {
    const { id: snapshotId } = await begin(id, { recordsPerSecond: 40 });
    snapshots.push(snapshotId);
    await data("POST", `/snapshots/${snapshotId}/records`, { offset: 0, records: recordsFrom(1, 60) });
  }
  await until("each is under way", async () => ["a", "b", "c"].every((name) => linesAt(name).length >= 5));
  await second.stop();
  for (const snapshotId of snapshots) await data("POST", `/snapshots/${snapshotId}/complete`);
  await first.node.stop();
  const next = await first.startAnother({ soleNode: true });
  for (const name of ["a", "b", "c"]) await arrived(name, 60);
  for (const snapshotId of snapshots) {
    await until("its end", async () => {
      const { body } = await callApi(next.url, "GET", `/v1/snapshots/${snapshotId}`);
      return body.data.state === "done" && body.data.delivering === 60;
    });
  }
  const [deliveries] = await first.sql<{ count: number }>(
    `select count(distinct delivery_id)::int as count from attempt a join event e on e.id = a.event_id
     where a.webhook_id in (select webhook_id from snapshot where received_count = 60)`,
  );
  expect(deliveries?.count).toBe(180);
});
