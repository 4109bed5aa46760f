// Reading back: events, deliveries and attempts, one by one and as lists, against a real database.
import { type Id, idFromUuid } from "@posthorn/contract";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ensureDays, ensurePartitions } from "../../src/maintain/partitions.ts";
import { History, type HistoryEvent } from "./history.ts";
import { type Face, openFace } from "./support.ts";

const DAY_MS = 86_400_000;
let face: Face;
let tenant: string;
let key: string;
let history: History;
let webhook: string;

const evt = (event: HistoryEvent): Id<"event"> => idFromUuid("event", event.uuid);
const dlv = (uuid: string): Id<"delivery"> => idFromUuid("delivery", uuid);
const get = (url: string, using = key) => face.call(using, "GET", url);

/** Follows the cursors of a list to its end. */
async function walk(url: string, limit: number, using = key): Promise<string[]> {
  const seen: string[] = [];
  let cursor: string | null = null;
  do {
    const separator = url.includes("?") ? "&" : "?";
    const answer = await get(`${url}${separator}limit=${limit}${cursor === null ? "" : `&cursor=${cursor}`}`, using);
    expect(answer.status, JSON.stringify(answer.body)).toBe(200);
    expect(answer.body.data.length).toBeLessThanOrEqual(limit);
    seen.push(...answer.body.data.map((item: { id: string }) => item.id));
    cursor = answer.body.pagination.nextCursor as string | null;
    expect(answer.body.pagination.hasMore).toBe(cursor !== null);
  } while (cursor !== null);
  return seen;
}

async function freshTenant(name: string): Promise<{ own: string; sandbox: string; rows: History }> {
  const uuid = await face.addTenant(name);
  const sandbox = await face.addKey(uuid, { livemode: false });
  return { own: await face.addKey(uuid), sandbox, rows: new History(face, uuid) };
}

beforeAll(async () => {
  face = await openFace();
  await ensurePartitions(face.pools.owner, face.clock.nowMs(), [7, 90]);
  const today = Math.floor(face.clock.nowMs() / DAY_MS) * DAY_MS;
  await ensureDays(
    face.pools.owner,
    [20, 4, 3].map((days) => today - days * DAY_MS).concat(today - 21 * DAY_MS),
    [7, 90],
  );
  tenant = await face.addTenant("one");
  key = await face.addKey(tenant);
  history = new History(face, tenant);
  webhook = await history.webhook({
    configuration: { headers: { "X-API-Key": "s3cret", "X-Shop": "7" }, method: "PUT" },
  });
});
afterAll(() => face.close());

describe("one event", () => {
  test("is shown with the bytes of its payload, untouched", async () => {
    const data = '{"object":{"total":1.00,"big":12345678901234567890, "é":"\\u00e9"}}';
    const event = await history.event({ data, context: '{"userId":"u\\/1"}', reference: "INV-1", orderingKey: "k" });
    const headers = { authorization: `Bearer ${key}` };
    const response = await face.app.inject({ url: `/v1/events/${evt(event)}`, headers });
    expect(response.payload).toContain(`"data":${data}`);
    expect(response.payload).toContain('"context":{"userId":"u\\/1"}');
    const receivedAt = new Date(event.atMs).toISOString();
    expect(response.json().data).toMatchObject({
      id: evt(event),
      event: "invoice.paid",
      timestamp: receivedAt,
      receivedAt,
      livemode: true,
      api_version: "v1",
      reference: "INV-1",
      orderingKey: "k",
      deliveries: [],
    });
  });

  test("is found by its sender's id, which is then its id, and the newest of that id", async () => {
    await history.event({ senderId: "order-77", timestamp: "2026-01-01T00:00:00Z", data: "1" });
    const second = await history.event({ senderId: "order-77", timestamp: "2026-01-02T00:00:00Z", data: "2" });
    const answer = await get("/events/order-77");
    const shown = { id: "order-77", recordId: evt(second), timestamp: "2026-01-02T00:00:00Z", data: 2 };
    expect(answer.body.data).toMatchObject(shown);
    expect((await get(`/events/${evt(second)}`)).body.data.id).toBe("order-77");
  });

  test("is shown without its payload once that was erased", async () => {
    const event = await history.event({ data: '"xxxx"', context: '"xx"', erased: true });
    const { data } = (await get(`/events/${evt(event)}`)).body;
    expect(data).toMatchObject({ data: null, erasedAt: expect.any(String) });
    expect(data.context).toBeUndefined();
  });

  test("comes with its deliveries in every state, replays included, and nobody else's", async () => {
    const event = await history.event({ atMs: face.clock.nowMs() - 3 * DAY_MS });
    const sameMs = await history.event({ atMs: event.atMs });
    await history.delivery(sameMs, webhook, "pending");
    const expected = new Map<string, string>();
    for (const state of ["pending", "held", "delivered", "dead_letter", "cancelled"] as const) {
      expected.set(dlv(await history.delivery(event, webhook, state)), state);
      expected.set(dlv(await history.delivery(event, webhook, state, { replayed: true })), state);
    }
    const { deliveries } = (await get(`/events/${evt(event)}`)).body.data;
    expect(new Set(deliveries.map((each: { id: string }) => each.id))).toEqual(new Set(expected.keys()));
    expect(deliveries).toHaveLength(10);
    for (const each of deliveries) {
      expect(each.webhookId).toBe(idFromUuid("webhook", webhook));
      const state = expected.get(each.id);
      expect(each.state).toBe(state);
      if (state === "held") expect(each).toMatchObject({ heldReason: "breaker_open", nextAttemptAt: null });
      if (state === "dead_letter")
        expect(each).toMatchObject({ deadReason: "attempts_exhausted", nextAttemptAt: null });
      if (state === "cancelled") expect(each.cancelledReason).toBe("requested");
    }
    const byEvent = await walk(`/deliveries?eventId=${evt(event)}`, 3);
    expect(new Set(byEvent)).toEqual(new Set(expected.keys()));
    expect(byEvent).toHaveLength(10);
  });

  test("of another tenant or mode looks absent", async () => {
    const event = await history.event({ senderId: "mine" });
    const { own } = await freshTenant("stranger");
    const sandbox = await face.addKey(tenant, { livemode: false });
    for (const using of [own, sandbox]) {
      for (const url of [`/events/${evt(event)}`, "/events/mine"]) expect((await get(url, using)).status).toBe(404);
      expect(await walk("/events", 200, using)).toEqual([]);
      expect(await walk(`/deliveries?eventId=${evt(event)}`, 200, using)).toEqual([]);
    }
    for (const odd of ["/events/evt_1", "/events/a.b", `/events/${"x".repeat(100)}`]) {
      expect((await get(odd)).status).toBe(404);
    }
  });
});

describe("the list of events", () => {
  test("shows each event once over any pages, newest first, across days and retention classes", async () => {
    const { own, rows } = await freshTenant("pages");
    const nowMs = face.clock.nowMs();
    const made: string[] = [];
    for (let i = 0; i < 23; i += 1) {
      const atMs = nowMs - (i % 3 === 0 ? 20 : i % 3 === 1 ? 3 : 0) * DAY_MS - i * 50;
      made.push((await rows.event({ atMs, retentionClass: i % 2 === 0 ? 7 : 90 })).uuid);
    }
    const expected = made
      .toSorted()
      .reverse()
      .map((uuid) => idFromUuid("event", uuid));
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 30 }), async (limit) => {
        expect(await walk("/events", limit, own)).toEqual(expected);
      }),
      { numRuns: 6 },
    );
  });

  test("is narrowed by type, pattern, business number and time", async () => {
    const { own, rows } = await freshTenant("filters");
    const nowMs = face.clock.nowMs();
    const a = await rows.event({ type: "invoice.paid", reference: "INV-1", atMs: nowMs - 5_000 });
    const b = await rows.event({ type: "invoice.paid.late", reference: "INV-2", atMs: nowMs - 4_000 });
    const c = await rows.event({ type: "customer.created", reference: "INV-1", atMs: nowMs - 3 * DAY_MS });
    const list = async (query: string) => new Set(await walk(`/events?${query}`, 2, own));
    expect(await list("type=invoice.paid")).toEqual(new Set([evt(a)]));
    expect(await list("type=invoice.*")).toEqual(new Set([evt(a), evt(b)]));
    expect(await list("type=*")).toEqual(new Set([evt(a), evt(b), evt(c)]));
    expect(await list("reference=INV-1")).toEqual(new Set([evt(a), evt(c)]));
    expect(await list("reference=INV-1&type=customer.*")).toEqual(new Set([evt(c)]));
    expect(await list(`from=${new Date(nowMs - 5_000).toISOString()}`)).toEqual(new Set([evt(a), evt(b)]));
    expect(await list(`to=${new Date(nowMs - 5_000).toISOString()}`)).toEqual(new Set([evt(c)]));
    expect(await list("from=2020-01-01T00:00:00Z&to=2020-02-01T00:00:00Z")).toEqual(new Set());
  });

  test.each([
    "type=Not%20a%20type",
    "from=yesterday",
    "from=2026-11-23",
    "limit=-1",
    "referenc=INV-1",
    "type=a&type=b",
  ])("refuses ?%s", async (query) => {
    const answer = await get(`/events?${query}`);
    expect(answer.status).toBe(422);
    expect(answer.body.error.details[0].field).toBe(query.split("=")[0]);
  });
});

describe("the list of deliveries", () => {
  test("shows each delivery once over any pages, whatever its state, day and class; filters add up", async () => {
    const { own, sandbox, rows } = await freshTenant("deliveries");
    const nowMs = face.clock.nowMs();
    const webhooks = [await rows.webhook(), await rows.webhook()];
    const states = ["pending", "held", "delivered", "dead_letter", "cancelled"] as const;
    const made: { uuid: string; state: string; webhook: string; type: string; reference: string }[] = [];
    for (let i = 0; i < 30; i += 1) {
      const type = i % 2 === 0 ? "invoice.paid" : "customer.created";
      const reference = `R-${i % 4}`;
      const retentionClass = i % 3 === 0 ? 7 : 90;
      const atMs = nowMs - (i % 4 === 0 ? 20 : i % 4 === 1 ? 3 : 0) * DAY_MS - i * 40;
      const event = await rows.event({ type, reference, retentionClass, atMs });
      const state = states[i % 5] as (typeof states)[number];
      const target = webhooks[i % 2] as string;
      const uuid = await rows.delivery(event, target, state, { replayed: i % 7 === 0, retentionClass });
      made.push({ uuid, state, webhook: target, type, reference });
    }
    const expected = (keep: (each: (typeof made)[number]) => boolean) =>
      made
        .filter(keep)
        .map((each) => each.uuid)
        .toSorted()
        .reverse()
        .map(dlv);
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 12 }),
        fc.constantFrom(undefined, "pending", "held", "delivered", "dead_letter", "cancelled"),
        fc.constantFrom(undefined, ...webhooks),
        fc.constantFrom(undefined, "invoice.paid", "invoice.*"),
        fc.constantFrom(undefined, undefined, "R-0", "R-3"),
        async (limit, state, target, type, reference) => {
          const query = new URLSearchParams();
          if (state !== undefined) query.set(limit % 2 === 0 ? "state" : "status", state);
          if (target !== undefined) query.set("webhookId", idFromUuid("webhook", target));
          if (type !== undefined) query.set("type", type);
          if (reference !== undefined) query.set("reference", reference);
          expect(await walk(`/deliveries?${query}`, limit, own)).toEqual(
            expected(
              (each) =>
                (state === undefined || each.state === state || (state === "pending" && each.state === "held")) &&
                (target === undefined || each.webhook === target) &&
                (type === undefined || each.type === "invoice.paid") &&
                (reference === undefined || each.reference === reference),
            ),
          );
        },
      ),
      { numRuns: 30 },
    );
    const first = (await get("/deliveries?limit=1", own)).body.data[0];
    const newest = made.find((each) => dlv(each.uuid) === first.id);
    expect(first).toMatchObject({ event: newest?.type, reference: newest?.reference, replayed: true });
    expect(first.eventId).toMatch(/^evt_/);
    expect(await walk("/deliveries", 50, sandbox)).toEqual([]);
  });

  test("refuses ids of the wrong kind and two words for one thing", async () => {
    expect((await get("/deliveries?webhookId=dlv_1")).body.error.details[0].field).toBe("webhookId");
    expect((await get("/deliveries?state=pending&status=delivered")).status).toBe(422);
    expect((await get("/deliveries?state=failed")).status).toBe(422);
    expect((await get("/deliveries?eventId=nothing")).body.data).toEqual([]);
  });
});

test("deliveries of a business number that thousands of events share are found however old their events are", async () => {
  const tenantUuid = await face.addTenant("one number");
  const own = await face.addKey(tenantUuid);
  const rows = new History(face, tenantUuid);
  const target = await rows.webhook();
  const oldest = await rows.event({ reference: "N/A", atMs: face.clock.nowMs() - 60_000 });
  const delivery = await rows.delivery(oldest, target, "dead_letter");
  const replayed = await rows.delivery(oldest, target, "delivered", { replayed: true });
  const firstMs = face.clock.nowMs() - 30_000;
  await face.owner.query(
    `insert into event (tenant_id, id, config_version, delivery_count, retention_class, livemode, has_long_number, type,
       reference, data)
     select $1, (lpad(to_hex(${firstMs}::bigint + i), 12, '0') || '70008000' || lpad(to_hex(i), 12, '0'))::uuid, 1, 1, 90,
       true, false, 'invoice.paid', 'N/A', '1'
     from generate_series(1, 5005) i`,
    [tenantUuid],
  );
  expect(await walk("/deliveries?reference=N%2FA", 1, own)).toEqual([dlv(replayed), dlv(delivery)]);
  expect(await walk("/deliveries?reference=N%2FA&state=dead_letter", 1, own)).toEqual([dlv(delivery)]);
});

describe("one delivery", () => {
  test("is shown with its attempts: what was sent with secrets masked, what came back as text", async () => {
    const event = await history.event({ senderId: "ev-9" });
    const delivery = await history.delivery(event, webhook, "dead_letter", { attemptCount: 2 });
    await history.attempt(event, webhook, delivery, {
      number: 1,
      responseHeaders: "Content-Type: text/plain\nSet-Cookie: session=1\nX-A: 1\nX-A: 2\n",
      responseBody: Buffer.from("grüße").subarray(0, 3),
      truncated: true,
      startedAtMs: face.clock.nowMs() - 10,
    });
    await history.attempt(event, webhook, delivery, { number: 2, responseBody: Buffer.from([0xff, 0x00]) });
    const answer = await get(`/deliveries/${dlv(delivery)}`);
    const shown = { state: "dead_letter", eventId: "ev-9", event: "invoice.paid", attemptCount: 2 };
    expect(answer.body.data).toMatchObject(shown);
    const [first, second] = answer.body.data.attempts;
    expect(first).toMatchObject({
      number: 1,
      trigger: "initial",
      outcome: "rejected",
      durationMs: 42,
      address: "203.0.113.7",
      request: { method: "PUT", url: "https://example.com/hook", bodyLength: 711, bodySha256: "07".repeat(32) },
      response: {
        status: 500,
        headers: { "content-type": "text/plain", "set-cookie": "********", "x-a": "1, 2" },
        body: "gr",
        bodyEncoding: "utf8",
        bodyTruncated: true,
      },
    });
    expect(first.id).toMatch(/^att_/);
    expect(first.request.headers).toMatchObject({
      "X-API-Key": "********",
      "X-Shop": "7",
      "x-signature": "sha256=********",
      "webhook-id": "ev-9",
      "x-bigledger-delivery": dlv(delivery),
      "x-bigledger-attempt": "1",
    });
    expect(second.response).toMatchObject({ body: "/wA=", bodyEncoding: "base64" });
    expect(JSON.stringify(answer.body)).not.toContain("s3cret");
    expect(answer.body.data.nextAttempts).toBeUndefined();
  });

  test("that is pending tells the real times of every attempt to come", async () => {
    const retryPolicy = { maxRetries: 3, retryDelay: 60, backoffMultiplier: 2 };
    const own = await history.webhook({ configuration: { retryPolicy } });
    const event = await history.event();
    const delivery = await history.delivery(event, own, "pending", { attemptCount: 1 });
    const { data } = (await get(`/deliveries/${dlv(delivery)}`)).body;
    const due = face.clock.nowMs() + 3_600_000;
    expect(data.nextAttempts).toEqual([due, due + 120_000, due + 360_000].map((ms) => new Date(ms).toISOString()));
    expect(data.nextAttemptAt).toBe(data.nextAttempts[0]);
    const held = await history.delivery(event, own, "held");
    const shown = { nextAttemptAt: null, heldReason: "breaker_open" };
    expect((await get(`/deliveries/${dlv(held)}`)).body.data).toMatchObject(shown);
  });

  test("of another tenant or mode looks absent", async () => {
    const delivery = await history.delivery(await history.event(), webhook, "pending");
    const { own } = await freshTenant("stranger 2");
    const sandbox = await face.addKey(tenant, { livemode: false });
    for (const using of [own, sandbox]) expect((await get(`/deliveries/${dlv(delivery)}`, using)).status).toBe(404);
    expect((await get("/deliveries/dlv_x")).status).toBe(404);
  });
});
