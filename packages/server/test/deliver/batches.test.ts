// Batches, digests and coalescing on a whole node: real database, real receiver, restart and takeover in the middle.
// Pure rules stand in test/deliver/gather.
import { createHash } from "node:crypto";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import pg from "pg";
import { verifyWebhook } from "../../../client/src/index.ts";
import { dropOldBatches } from "../../src/maintain/batches.ts";
import { startTestNode, type TestNode } from "../support/node.ts";
import { type Answer, type ReceivedRequest, type Receiver, startReceiver } from "../support/receivers/receiver.ts";
import { until } from "../support/until.ts";

let node: TestNode;
let receivers: Receiver[] = [];
beforeAll(async () => {
  node = await startTestNode();
});
afterAll(async () => {
  await node?.stop();
});
afterEach(async () => {
  for (const { id } of (await node.api("GET", "/v1/webhooks")).body.data)
    await node.api("DELETE", `/v1/webhooks/${id}`);
  await nothingOwed();
  for (const receiver of receivers) await receiver.close();
  receivers = [];
});

interface Heard {
  readonly receiver: Receiver;
  readonly id: string;
  readonly secret: string;
}

async function hear(
  events: string[],
  fields: object,
  answer: (request: ReceivedRequest, index: number) => Answer | Promise<Answer> = () => 200,
): Promise<Heard> {
  const receiver = await startReceiver({ answer });
  receivers.push(receiver);
  const made = await node.api("POST", "/v1/webhooks", { url: `${receiver.origin}/`, events, ...fields });
  expect(made.status, JSON.stringify(made.body)).toBe(201);
  return { receiver, id: made.body.data.id, secret: made.body.data.secret };
}

async function publish(events: readonly object[]): Promise<string[]> {
  const answer = await node.api("POST", "/v1/events/batch", { events });
  expect(answer.body.data.results.every((each: { status: string }) => each.status === "accepted")).toBe(true);
  return answer.body.data.results.map((each: { id: string }) => each.id);
}
const numbered = (type: string, count: number, data: object = {}): object[] =>
  Array.from({ length: count }, (_, n) => ({ event: type, data: { n, ...data } }));
const nothingOwed = () =>
  until("nothing pending", async () => (await node.sql("select 1 from delivery limit 1")).length === 0, 30_000);
// biome-ignore lint/suspicious/noExplicitAny: tests look into bodies freely
const bodyOf = (request: ReceivedRequest | undefined): any => JSON.parse(request?.body.toString("utf8") ?? "null");
const idsIn = (request: ReceivedRequest | undefined): string[] =>
  bodyOf(request).events.map((event: { id: string }) => event.id);

const FOR_EVER = 3_000;
const DAY_MS = 86_400_000;
/** A UUIDv7 of a time. */
const uuidAt = (ms: number): string =>
  `${ms
    .toString(16)
    .padStart(12, "0")
    .replace(/^(.{8})/, "$1-")}-7000-8000-000000000000`;

describe("a batch", () => {
  test("goes at its count, with every event byte for byte, under its own id, once for all of its members", async () => {
    const { receiver, id, secret } = await hear(["product.updated"], {
      batchSettings: { maxEvents: 3, maxWaitTime: FOR_EVER },
    });
    // Spacing, digits and duplicate-looking keys as they were sent.
    const data = ['{ "price":1.10,"n":1 }', '{"n":2}', '[3.0, "三"]'];
    const body = `{"events":[${data.map((each) => `{"event":"product.updated","data":${each}}`).join(",")}]}`;
    const published = await node.api("POST", "/v1/events/batch", body);
    const ids = published.body.data.results.map((each: { id: string }) => each.id);
    const [request] = await receiver.received(1);
    const text = request?.body.toString("utf8") ?? "";
    for (const each of data) expect(text).toContain(`"data":${each}}`);
    expect(bodyOf(request)).toMatchObject({ batch: true, batchId: expect.stringMatching(/^batch_/) });
    expect(Object.keys(bodyOf(request))).toEqual(["batch", "events", "batchId", "batchTimestamp"]);
    expect(new Set(idsIn(request))).toEqual(new Set(ids));
    expect(request?.headers).toMatchObject({
      "webhook-id": bodyOf(request).batchId,
      "x-bigledger-event": "batch",
      "x-bigledger-delivery": bodyOf(request).batchId,
      "x-bigledger-attempt": "1",
    });
    expect(await verifyWebhook({ headers: request?.headers ?? {}, body: text, secret })).toMatchObject({
      id: bodyOf(request).batchId,
      type: "batch",
    });
    await nothingOwed();
    const deliveries = (await node.api("GET", `/v1/deliveries?webhookId=${id}`)).body.data;
    expect(deliveries).toHaveLength(3);
    for (const delivery of deliveries) {
      expect(delivery).toMatchObject({ state: "delivered", batchId: bodyOf(request).batchId, attemptCount: 1 });
    }
    // Found by the only name that the receiver knows.
    const ofBatch = (query: string) => node.api("GET", `/v1/deliveries?batchId=${bodyOf(request).batchId}${query}`);
    expect((await ofBatch("")).body.data).toEqual(deliveries);
    const page = (await ofBatch("&limit=2&state=delivered")).body;
    expect(page.data).toEqual(deliveries.slice(0, 2));
    expect((await ofBatch(`&cursor=${page.pagination.nextCursor}`)).body.data).toEqual(deliveries.slice(2));
    expect((await ofBatch("&state=dead_letter")).body.data).toEqual([]);
    const one = (await node.api("GET", `/v1/deliveries/${deliveries[0].id}`)).body.data;
    expect(one.attempts).toMatchObject([
      {
        number: 1,
        outcome: "delivered",
        batchId: bodyOf(request).batchId,
        request: {
          headers: { "webhook-id": bodyOf(request).batchId },
          bodySha256: createHash("sha256").update(text).digest("hex"),
        },
      },
    ]);
    const again = (await node.api("GET", `/v1/deliveries/${deliveries[1].id}/request`)).body.data;
    expect(again).toMatchObject({ body: text, bodyHashMatches: true });
    // Three deliveries, one request.
    expect((await node.api("GET", `/v1/webhooks/${id}/statistics`)).body.data).toMatchObject({ totalDelivered: 3 });
    const [{ requests }] = (await node.sql<{ requests: string }>(
      `select sum(attempt_count) as requests from (
        select attempt_delivered_count as attempt_count from rollup_total where webhook_id = any (select id from webhook)
        union all select attempt_count from rollup_tail) counted`,
    )) as [{ requests: string }];
    expect(Number(requests)).toBe(1);
  });

  test("goes at the age of its oldest, though it is not full", async () => {
    const { receiver } = await hear(["product.updated"], { batchSettings: { maxWaitTime: 0.3 } });
    const startedAtMs = performance.now();
    await publish(numbered("product.updated", 2));
    const [request] = await receiver.received(1);
    expect(bodyOf(request).events).toHaveLength(2);
    expect((request?.receivedAtMs ?? 0) - startedAtMs).toBeGreaterThan(200);
  });

  test("goes at once with an event that flushes, and the events of other keys stay", async () => {
    const batchSettings = { maxWaitTime: FOR_EVER, flushOnEvent: ["invoice.paid"], key: "data.customer" };
    const { receiver } = await hear(["invoice.*"], { batchSettings });
    await publish([
      ...numbered("invoice.created", 2, { customer: "a" }),
      ...numbered("invoice.created", 2, { customer: "b" }),
    ]);
    await publish(numbered("invoice.paid", 1, { customer: "b" }));
    const [request] = await receiver.received(1);
    expect(bodyOf(request).events.map((each: { event: string }) => each.event)).toEqual([
      "invoice.created",
      "invoice.created",
      "invoice.paid",
    ]);
    expect(bodyOf(request).events.every((each: { data: { customer: string } }) => each.data.customer === "b")).toBe(
      true,
    );
    const waiting = await node.sql("select batch_id from delivery where batch_id is null");
    expect(waiting).toEqual([{ batch_id: null }, { batch_id: null }]);
  });

  test("is closed before its body would be more than 10 MiB", async () => {
    const batchSettings = { maxWaitTime: FOR_EVER, maxEvents: 10, flushOnEvent: ["backup.completed"] };
    const { receiver } = await hear(["report.generated", "backup.completed"], { batchSettings });
    const text = "x".repeat(4 * 1024 * 1024);
    for (let n = 0; n < 3; n += 1) await node.api("POST", "/v1/events", { event: "report.generated", data: { text } });
    await publish(numbered("backup.completed", 1));
    await nothingOwed();
    const counts = receiver.requests.map((request) => bodyOf(request).events.length);
    expect(counts.reduce((sum, count) => sum + count, 0)).toBe(4);
    expect(Math.max(...counts)).toBe(2);
    for (const request of receiver.requests) expect(request.body.length).toBeLessThanOrEqual(10 * 1024 * 1024);
  });

  test("that fails is tried again as it was: the same id, the same bytes, another attempt of every member", async () => {
    const { receiver, id } = await hear(
      ["product.updated"],
      { batchSettings: { maxEvents: 4, maxWaitTime: FOR_EVER }, retryPolicy: { maxRetries: 2, retryDelay: 0 } },
      (_request, index) => (index === 0 ? 500 : 200),
    );
    await publish(numbered("product.updated", 4));
    const [first, second] = await receiver.received(2);
    expect(second?.body.equals(first?.body as Buffer)).toBe(true);
    expect(second?.headers["webhook-id"]).toBe(first?.headers["webhook-id"]);
    expect(second?.headers["x-bigledger-attempt"]).toBe("2");
    await nothingOwed();
    for (const delivery of (await node.api("GET", `/v1/deliveries?webhookId=${id}`)).body.data) {
      expect(delivery).toMatchObject({ state: "delivered", attemptCount: 2, batchId: first?.headers["webhook-id"] });
    }
  });

  test("dies as one and is revived as one, by a retry of any of its members", async () => {
    let status = 500;
    const { receiver, id } = await hear(
      ["product.updated"],
      { batchSettings: { maxEvents: 3, maxWaitTime: FOR_EVER }, retryPolicy: { maxRetries: 0 } },
      () => status,
    );
    await publish(numbered("product.updated", 3));
    await receiver.received(1);
    await nothingOwed();
    const dead = (await node.api("GET", "/v1/dead-letters")).body.data;
    expect(dead.map((each: { batchId: string }) => each.batchId)).toEqual(
      Array.from({ length: 3 }, () => receiver.requests[0]?.headers["webhook-id"]),
    );
    expect((await node.api("GET", `/v1/webhooks/${id}/statistics`)).body.data).toMatchObject({ totalFailed: 3 });
    status = 200;
    expect((await node.api("POST", `/v1/deliveries/${dead[1].id}/retry`)).status).toBe(202);
    const [first, second] = await receiver.received(2);
    expect(second?.body.equals(first?.body as Buffer)).toBe(true);
    await nothingOwed();
    expect(receiver.requests).toHaveLength(2);
    expect((await node.api("GET", "/v1/dead-letters")).body.data).toEqual([]);
    expect((await node.api("GET", `/v1/webhooks/${id}/statistics`)).body.data).toMatchObject({
      totalFailed: 0,
      totalDelivered: 3,
    });
  });

  test("of which a member is cancelled is no batch any more: the others go on one by one, under their own ids", async () => {
    const { receiver, id } = await hear(
      ["product.updated"],
      { batchSettings: { maxEvents: 3, maxWaitTime: FOR_EVER }, retryPolicy: { maxRetries: 3, retryDelay: 2 } },
      (_request, index) => (index === 0 ? 500 : 200),
    );
    await publish(numbered("product.updated", 3));
    await receiver.received(1);
    const deliveries = (await node.api("GET", `/v1/deliveries?webhookId=${id}`)).body.data;
    await until(
      "the failure is recorded",
      async () =>
        (
          await node.sql(
            "select 1 from attempt where number = 1 and batch_id is not null and outcome = 'rejected' limit 1",
          )
        ).length > 0,
    );
    expect((await node.api("POST", `/v1/deliveries/${deliveries[0].id}/cancel`)).status).toBe(200);
    const requests = await receiver.received(3);
    expect(
      requests
        .slice(1)
        .map((request) => request.headers["webhook-id"])
        .sort(),
    ).toEqual(
      deliveries
        .slice(1)
        .map((each: { eventId: string }) => each.eventId)
        .sort(),
    );
    expect(requests.slice(1).map((request) => request.headers["x-bigledger-attempt"])).toEqual(["2", "2"]);
  });

  test("waits no longer than a paused webhook, and not for one that is deleted", async () => {
    const { receiver, id } = await hear(["product.updated"], {
      batchSettings: { maxEvents: 4, maxWaitTime: FOR_EVER },
    });
    await publish(numbered("product.updated", 2));
    expect((await node.api("POST", `/v1/webhooks/${id}/pause`)).status).toBe(200);
    await publish(numbered("product.updated", 2));
    await node.api("POST", `/v1/webhooks/${id}/resume`);
    const [request] = await receiver.received(1);
    expect(bodyOf(request).events).toHaveLength(4);
    await publish(numbered("product.updated", 2));
    await node.api("DELETE", `/v1/webhooks/${id}`);
    await nothingOwed();
    expect(receiver.requests).toHaveLength(1);
  });

  test("follows a change: events that wait go by themselves once batches are switched off", async () => {
    const { receiver, id } = await hear(["product.updated"], {
      batchSettings: { maxEvents: 4, maxWaitTime: FOR_EVER },
    });
    await publish(numbered("product.updated", 2));
    await node.api("PATCH", `/v1/webhooks/${id}`, { batchSettings: null });
    const requests = await receiver.received(2);
    expect(requests.every((request) => request.headers["x-bigledger-event"] === "product.updated")).toBe(true);
  });

  test("holds what a template makes of each event, or is what a template makes of the batch", async () => {
    const each = await hear(["product.updated"], {
      batchSettings: { maxEvents: 2, maxWaitTime: FOR_EVER },
      transform: { template: { number: "{{ data.n }}" } },
    });
    const whole = await hear(["product.updated"], {
      batchSettings: { maxEvents: 2, maxWaitTime: FOR_EVER, per: "batch" },
      transform: { template: { text: "{{ batch.count }} events", numbers: "{{ events.map(e, e.data.n) }}" } },
    });
    await publish(numbered("product.updated", 2));
    expect(bodyOf((await each.receiver.received(1))[0])).toMatchObject({
      batch: true,
      events: [{ number: 0 }, { number: 1 }],
    });
    expect(bodyOf((await whole.receiver.received(1))[0])).toEqual({ text: "2 events", numbers: [0, 1] });
  });
});

test("a preview and a test show an event as its webhook gets it: in a batch", async () => {
  const batchSettings = { key: "data.customer", flushOnEvent: ["invoice.paid"], maxWaitTime: FOR_EVER };
  const { receiver, id } = await hear(["invoice.*"], { batchSettings, coalesce: { key: "data.n", window: 1 } });
  const event = { event: "invoice.paid", data: { customer: "a", n: 7 } };
  const preview = (await node.api("POST", "/v1/preview", { webhook: id, event })).body.data;
  expect(preview).toMatchObject({
    batch: { kind: "batch", key: '"a"', sendsAtOnce: true },
    coalesceKey: "7",
    request: { headers: { "x-bigledger-event": "batch" } },
  });
  expect(JSON.parse(preview.request.body)).toMatchObject({ batch: true, events: [{ data: { customer: "a", n: 7 } }] });
  await node.api("POST", `/v1/webhooks/${id}/test`, { event: "invoice.paid", testData: { customer: "a" } });
  const [request] = await receiver.received(1);
  expect(bodyOf(request)).toMatchObject({ batch: true, events: [{ data: { customer: "a" } }] });
  expect(request?.headers["webhook-id"]).toBe(bodyOf(request).batchId);
});

test("a batch is forgotten when nothing of it is kept any more, and not before", async () => {
  const [{ tenant_id: tenant }] = (await node.sql("select id as tenant_id from tenant limit 1")) as [
    { tenant_id: string },
  ];
  const add = (batchUuid: string) =>
    node.sql(
      `insert into batch (tenant_id, id, webhook_id, created_at, lane, member_ids)
       values ($1, $2, $2, now(), 1, array[]::uuid[])`,
      [tenant, batchUuid],
    );
  const nowMs = Date.now();
  await add(uuidAt(nowMs - 92 * DAY_MS));
  await add(uuidAt(nowMs - 89 * DAY_MS));
  const pool = new pg.Pool({ ...node.database.connection, max: 1 });
  expect(await dropOldBatches(pool, nowMs)).toBe(1);
  await pool.end();
});

describe("coalescing", () => {
  const LAST_STATE = { coalesce: { key: "data.item", window: 0.4, maxWait: 10 } };

  test("sends the last state of each key, with how many it stands for, and ends the others as superseded", async () => {
    const { receiver, id } = await hear(["stock.updated"], LAST_STATE);
    await publish([
      { event: "stock.updated", data: { item: "a", left: 3 } },
      { event: "stock.updated", data: { item: "b", left: 9 } },
      { event: "stock.updated", data: { item: "a", left: 2 } },
    ]);
    await publish([{ event: "stock.updated", data: { item: "a", left: 1 } }]);
    const requests = await receiver.received(2);
    const seen = requests.map((request) => [bodyOf(request).data, request.headers["x-bigledger-coalesced"]]);
    expect(seen).toContainEqual([{ item: "a", left: 1 }, "3"]);
    expect(seen).toContainEqual([{ item: "b", left: 9 }, "1"]);
    await nothingOwed();
    const cancelled = (await node.api("GET", `/v1/deliveries?webhookId=${id}&state=cancelled`)).body.data;
    const delivered = (await node.api("GET", `/v1/deliveries?webhookId=${id}&state=delivered`)).body.data;
    const last = requests.find((request) => bodyOf(request).data.left === 1);
    expect(cancelled).toHaveLength(2);
    for (const each of cancelled) {
      expect(each).toMatchObject({
        cancelledReason: "superseded",
        supersededBy: last?.headers["x-bigledger-delivery"],
      });
    }
    expect(delivered).toHaveLength(2);
  });

  test("never lets the retry of an older state follow a newer one", async () => {
    const { receiver } = await hear(
      ["stock.updated"],
      { coalesce: { key: "data.item", window: 0.1 }, retryPolicy: { maxRetries: 3, retryDelay: 3 } },
      (_request, index) => (index === 0 ? 500 : 200),
    );
    await publish([{ event: "stock.updated", data: { item: "a", left: 3 } }]);
    await receiver.received(1);
    await publish([{ event: "stock.updated", data: { item: "a", left: 2 } }]);
    const [, second] = await receiver.received(2);
    expect(bodyOf(second).data.left).toBe(2);
    expect(second?.headers["x-bigledger-coalesced"]).toBe("2");
    await nothingOwed();
    expect(receiver.requests).toHaveLength(2);
  });

  test("an event without the key goes by itself", async () => {
    const { receiver } = await hear(["stock.updated"], { coalesce: { key: "data.item", window: 3_000 } });
    await publish(numbered("stock.updated", 2));
    const requests = await receiver.received(2);
    expect(requests.map((request) => request.headers["x-bigledger-coalesced"])).toEqual([undefined, undefined]);
  });

  test("comes before batches: a batch holds last states only", async () => {
    const { receiver } = await hear(["stock.updated"], {
      coalesce: { key: "data.item", window: 0.2 },
      batchSettings: { maxEvents: 2, maxWaitTime: FOR_EVER },
    });
    await publish(["a", "b", "a", "a"].map((item, n) => ({ event: "stock.updated", data: { item, n } })));
    const [request] = await receiver.received(1);
    expect(
      bodyOf(request)
        .events.map((each: { data: { n: number } }) => each.data.n)
        .sort(),
    ).toEqual([1, 3]);
    expect(request?.headers["x-bigledger-coalesced"]).toBe("4");
  });
});

describe("an import", () => {
  const imported = (type: string, count: number): object[] =>
    numbered(type, count).map((event) => ({ ...event, context: { source: "import" } }));

  test("becomes one digest when it falls silent, while other events go as they come", async () => {
    const { receiver, id } = await hear(["product.*", "customer.*"], {
      onImport: "digest",
      batchSettings: { enabled: false, maxWaitTime: 0.5 },
    });
    const [first, last] = [
      await publish(imported("product.updated", 20)),
      await publish(imported("customer.created", 5)),
    ];
    const [live] = await publish(numbered("product.updated", 1));
    const requests = await receiver.received(2);
    expect(requests[0]?.headers["webhook-id"]).toBe(live);
    expect(requests[1]?.headers["x-bigledger-event"]).toBe("digest");
    const digest = bodyOf(requests[1]);
    expect(digest).toMatchObject({
      digest: true,
      eventCount: 25,
      eventTypes: [
        { event: "product.updated", count: 20, firstId: first[0], lastId: first[19] },
        { event: "customer.created", count: 5, firstId: last[0], lastId: last[4] },
      ],
      batchId: requests[1]?.headers["webhook-id"],
    });
    await nothingOwed();
    const { data } = (await node.api("GET", `/v1/deliveries?webhookId=${id}&limit=50`)).body;
    expect(data.filter((each: { batchId: string }) => each.batchId === digest.batchId)).toHaveLength(25);
  });

  test("becomes batches where a webhook wants that, and is like any other event where it says nothing", async () => {
    const batches = await hear(["product.*"], { onImport: "batch", batchSettings: { enabled: false, maxEvents: 5 } });
    const each = await hear(["product.*"], {});
    await publish(imported("product.updated", 10));
    const requests = await batches.receiver.received(2);
    expect(requests.map((request) => bodyOf(request).events.length)).toEqual([5, 5]);
    expect(await each.receiver.received(10)).toHaveLength(10);
  });
});
