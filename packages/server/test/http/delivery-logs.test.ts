// Statistics, logs and dead letters through the API: the words of the published contract, exact and well filtered.
import { idFromUuid } from "@posthorn/contract";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { deadLetter, logEntry, webhookStatistics } from "../../src/http/schemas/log.ts";
import { DAY_MS, startOfDay } from "../../src/maintain/days.ts";
import { ensureDays } from "../../src/maintain/partitions.ts";
import { foldTail } from "../../src/maintain/rollup.sql.ts";
import { TALLIED_ATTEMPT_COLUMNS, tallyOfAttempts, tallyOfDeadLetters } from "../../src/storage/tally.sql.ts";
import { History } from "./history.ts";
import { type Face, openFace } from "./support.ts";

let face: Face;
let tenant: string;
let key: string;
let history: History;
let webhook: string;
const wh = (uuid: string) => idFromUuid("webhook", uuid);
const dlv = (uuid: string) => idFromUuid("delivery", uuid);
const log = (uuid: string) => dlv(uuid).replace("dlv_", "log_");
const get = (path: string, using = key) => face.call(using, "GET", path);
const logs = async (query = "") => (await get(`/webhooks/${wh(webhook)}/logs${query}`)).body;
const idsOf = (body: { data: { id: string }[] }) => body.data.map((each) => each.id);
/** The rows of a test's history were not recorded by the program: counted as it counts. */
const count = async () => {
  await face.owner.query(
    `with tried as (select ${TALLIED_ATTEMPT_COLUMNS} from attempt where webhook_id = $1) ${tallyOfAttempts("tried")}`,
    [webhook],
  );
  await face.owner.query(
    `with dead as (select * from dead_letter where webhook_id = $1) ${tallyOfDeadLetters("dead", "added")}`,
    [webhook],
  );
};

beforeAll(async () => {
  face = await openFace();
  const days = [1, 2].map((age) => startOfDay(face.clock.nowMs() - age * DAY_MS));
  await ensureDays(face.pools.owner, days, [90]);
  tenant = await face.addTenant("one");
  key = await face.addKey(tenant);
  history = new History(face, tenant);
});
afterAll(() => face.close());
beforeEach(async () => {
  webhook = await history.webhook();
});

describe("statistics", () => {
  test("of a new webhook say that there is nothing yet", async () => {
    const { data } = (await get(`/webhooks/${wh(webhook)}/statistics`)).body;
    expect(data).toEqual({
      totalDelivered: 0,
      totalFailed: 0,
      successRate: null,
      deliveredRatio: null,
      lastDelivery: null,
      averageResponseTime: null,
      recentDeliveries: [],
    });
  });

  test("are the same before and after folding, beside the webhook and in the list too", async () => {
    for (const state of ["delivered", "delivered", "dead_letter", "pending", "cancelled"] as const) {
      await history.delivery(await history.event(), webhook, state);
    }
    await count();
    const read = async () => ({
      full: (await get(`/webhooks/${wh(webhook)}/statistics`)).body.data,
      beside: (await get(`/webhooks/${wh(webhook)}`)).body.data.statistics,
      listed: (await get("/webhooks")).body.data.find((each: { id: string }) => each.id === wh(webhook)).statistics,
    });
    const before = await read();
    const totals = { totalDelivered: 2, totalFailed: 1, lastDelivery: before.full.lastDelivery };
    expect(before.full).toMatchObject({
      ...totals,
      successRate: 66.67,
      deliveredRatio: 0.666666,
      averageResponseTime: 42,
    });
    expect(new Date(before.full.lastDelivery).getTime()).toBe(face.clock.nowMs() + 42);
    expect([before.beside, before.listed]).toEqual([totals, totals]);
    expect(() => webhookStatistics.strict().parse(before.full)).not.toThrow();
    expect(await foldTail(face.pools.engine, 1_000)).toBeGreaterThan(0);
    expect(await read()).toEqual(before);
  });

  test("of the tenant are those of all its webhooks of the key's mode, before and after folding", async () => {
    const other = await face.addTenant(`two ${webhook}`);
    const using = await face.addKey(other);
    const sandbox = await face.addKey(other, { livemode: false });
    const nothing = (await get("/statistics", using)).body.data;
    expect([nothing.totalDelivered, nothing.deliveredRatio, nothing.lastDelivery]).toEqual([0, null, null]);
    const its = new History(face, other);
    for (const states of [
      ["delivered", "dead_letter"],
      ["delivered", "delivered", "cancelled"],
    ] as const) {
      webhook = await its.webhook();
      for (const state of states) await its.delivery(await its.event(), webhook, state);
      await count();
    }
    const read = async () => (await get("/statistics", using)).body.data;
    const before = await read();
    expect(before).toMatchObject({ totalDelivered: 3, totalFailed: 1, successRate: 75, deliveredRatio: 0.75 });
    await foldTail(face.pools.engine, 1_000);
    expect(await read()).toEqual(before);
    expect((await get("/statistics", sandbox)).body.data).toEqual(nothing);
    // Nothing of it is another tenant's.
    expect((await get("/statistics", await face.addKey(await face.addTenant(`three ${webhook}`)))).body.data).toEqual(
      nothing,
    );
  });

  test("show the ten newest deliveries that arrived, by the id that the receiver saw", async () => {
    for (let i = 0; i < 12; i += 1) {
      const event = await history.event({ senderId: `order-${i}`, atMs: face.clock.nowMs() - 20 + i });
      await history.delivery(event, webhook, i === 5 ? "dead_letter" : "delivered");
    }
    await count();
    const { recentDeliveries } = (await get(`/webhooks/${wh(webhook)}/statistics`)).body.data;
    const ids = recentDeliveries.map((each: { eventId: string }) => each.eventId);
    expect(ids).toEqual([11, 10, 9, 8, 7, 6, 4, 3, 2, 1].map((i) => `order-${i}`));
    const deliveredAt = new Date(face.clock.nowMs() + 42).toISOString();
    expect(recentDeliveries[0]).toEqual({
      eventId: "order-11",
      event: "invoice.paid",
      deliveredAt,
      responseCode: 200,
      responseTime: 42,
    });
  });

  test("of a webhook that is deleted, foreign or of the other mode look absent, and so does its log", async () => {
    const deleted = await history.webhook({ status: "deleted" });
    const sandbox = await face.addKey(tenant, { livemode: false });
    const stranger = await face.addKey(await face.addTenant(`stranger ${webhook}`));
    for (const [id, using] of [
      [deleted, key],
      [webhook, sandbox],
      [webhook, stranger],
    ] as const) {
      expect((await get(`/webhooks/${wh(id)}/statistics`, using)).status).toBe(404);
      expect((await get(`/webhooks/${wh(id)}/logs`, using)).status).toBe(404);
    }
    expect((await get("/webhooks/webhook_x/logs")).status).toBe(404);
  });
});

describe("the log", () => {
  test("shows of each delivery what its latest attempt brought, in the contract's words", async () => {
    const event = await history.event({ senderId: "order-1" });
    const delivery = await history.delivery(event, webhook, "delivered", { attemptCount: 3 });
    await history.attempt(event, webhook, delivery, { number: 2, responseBody: Buffer.from("not this") });
    const { data } = await logs();
    const now = face.clock.nowMs();
    expect(data).toEqual([
      {
        id: log(delivery),
        deliveryId: dlv(delivery),
        eventId: "order-1",
        event: "invoice.paid",
        status: "success",
        deliveredAt: new Date(now + 42).toISOString(),
        responseCode: 200,
        responseTime: 42,
        responseBody: null,
        retryCount: 2,
        nextRetryAt: null,
        outcome: "delivered",
        lastAttemptAt: new Date(now).toISOString(),
        reason: null,
      },
    ]);
  });

  test("of one that is retried tells the answer so far and when it is tried again", async () => {
    const event = await history.event();
    const delivery = await history.delivery(event, webhook, "pending", { attemptCount: 2 });
    await history.attempt(event, webhook, delivery, { number: 1 });
    await history.attempt(event, webhook, delivery, { number: 2, responseBody: Buffer.from([0xff, 0]) });
    const fresh = await history.delivery(await history.event(), webhook, "held", { attemptCount: 0 });
    const { data } = await logs("?status=pending");
    expect(data.find((each: { id: string }) => each.id === log(delivery))).toMatchObject({
      status: "pending",
      deliveredAt: null,
      responseCode: 500,
      responseBody: "/wA=",
      responseBodyEncoding: "base64",
      retryCount: 1,
      nextRetryAt: new Date(face.clock.nowMs() + 3_600_000).toISOString(),
      outcome: "rejected",
    });
    expect(data.find((each: { id: string }) => each.id === log(fresh))).toMatchObject({
      status: "pending",
      responseCode: null,
      responseTime: null,
      retryCount: 0,
      nextRetryAt: null,
      outcome: null,
      reason: "breaker_open",
    });
    for (const entry of data) expect(() => logEntry.strict().parse(entry)).not.toThrow();
  });

  test("is filtered by status, event and time, and never shows another webhook's", async () => {
    const other = await history.webhook();
    const ids: Record<string, string> = {};
    for (const [status, state] of Object.entries({
      success: "delivered",
      failed: "dead_letter",
      pending: "pending",
      cancelled: "cancelled",
    } as const)) {
      const event = await history.event({ type: status === "failed" ? "invoice.created" : "customer.created" });
      ids[status] = log(await history.delivery(event, webhook, state));
      await history.delivery(event, other, state);
    }
    for (const [status, id] of Object.entries(ids)) expect(idsOf(await logs(`?status=${status}`))).toEqual([id]);
    expect(idsOf(await logs()).sort()).toEqual(Object.values(ids).sort());
    expect(idsOf(await logs("?event=invoice.created"))).toEqual([ids["failed"]]);
    expect(idsOf(await logs("?event=invoice.*&status=failed"))).toEqual([ids["failed"]]);
    expect(idsOf(await logs("?event=invoice.*&status=success"))).toEqual([]);
  });

  test("takes days and times; the last day counts whole", async () => {
    const today = startOfDay(face.clock.nowMs());
    const at = async (atMs: number) => log(await history.delivery(await history.event({ atMs }), webhook, "delivered"));
    const before = await at(today - DAY_MS - 1);
    const first = await at(today - DAY_MS);
    const last = await at(today - 1);
    const after = await at(today);
    const yesterday = new Date(today - DAY_MS).toISOString();
    const day = yesterday.slice(0, 10);
    expect(idsOf(await logs(`?dateFrom=${day}&dateTo=${day}`))).toEqual([last, first]);
    expect(idsOf(await logs(`?dateFrom=${yesterday}`))).toEqual([after, last, first]);
    expect(idsOf(await logs(`?dateTo=${yesterday}`))).toEqual([before]);
  });

  test.each([
    ["status=delivered", "status"],
    ["dateFrom=yesterday", "dateFrom"],
    ["dateTo=2026-02-30", "dateTo"],
    ["limit=0", "limit"],
    ["limit=201", "limit"],
    ["cursor=ZXZlbnQ6eA", "cursor"],
    ["type=invoice.paid", "type"],
  ])("refuses ?%s by name", async (query, field) => {
    const answer = await get(`/webhooks/${wh(webhook)}/logs?${query}`);
    expect([answer.status, answer.body.error.details[0].field]).toEqual([422, field]);
  });

  test("is walked without repeating or leaving out, while more deliveries come", async () => {
    const ids: string[] = [];
    for (let i = 0; i < 9; i += 1) {
      const event = await history.event({ atMs: face.clock.nowMs() - 100 + i });
      ids.unshift(log(await history.delivery(event, webhook, i % 2 === 0 ? "delivered" : "dead_letter")));
    }
    const walked: string[] = [];
    for (let cursor: string | null = ""; cursor !== null; ) {
      const page = await logs(`?limit=2${cursor === "" ? "" : `&cursor=${cursor}`}`);
      walked.push(...idsOf(page));
      cursor = page.pagination.nextCursor;
      await history.delivery(await history.event(), webhook, "delivered");
    }
    expect(walked).toEqual(ids);
  });
});

describe("dead letters", () => {
  test("are listed with what their latest attempt met, by webhook, reason, type and time", async () => {
    const own = await history.delivery(await history.event({ type: "invoice.created" }), webhook, "dead_letter");
    const event = await history.event();
    const met = await history.delivery(event, webhook, "dead_letter", { attemptCount: 2 });
    await history.attempt(event, webhook, met, { number: 2 });
    await history.delivery(await history.event(), webhook, "delivered");
    const list = async (query: string) => (await get(`/dead-letters?webhookId=${wh(webhook)}${query}`)).body;
    const { data } = await list("");
    expect(data).toHaveLength(2);
    expect(data.find((each: { id: string }) => each.id === dlv(met))).toMatchObject({
      webhookId: wh(webhook),
      state: "dead_letter",
      event: "invoice.paid",
      deadReason: "attempts_exhausted",
      lastAttempt: { outcome: "rejected", responseStatus: 500, durationMs: 42, outcomeCode: null },
    });
    expect(data.find((each: { id: string }) => each.id === dlv(own)).lastAttempt).toBeNull();
    for (const each of data) expect(() => deadLetter.strict().parse(each)).not.toThrow();
    expect(idsOf(await list("&type=invoice.created"))).toEqual([dlv(own)]);
    expect(idsOf(await list("&reason=attempts_exhausted"))).toContain(dlv(met));
    expect(idsOf(await list("&reason=endpoint_gone"))).toEqual([]);
    expect(idsOf(await list(`&to=${new Date(face.clock.nowMs() - 1_000).toISOString()}`))).toEqual([]);
    expect((await get("/dead-letters?reason=bored")).status).toBe(422);
    expect((await get("/dead-letters?webhookId=x")).status).toBe(422);
  });
});
