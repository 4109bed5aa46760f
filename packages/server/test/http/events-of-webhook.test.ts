// A webhook's own read key: it lists exactly its events and deliveries, whatever happened to them, and sees nothing else.
import { idFromUuid } from "@posthorn/contract";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { DAY_MS, startOfDay } from "../../src/maintain/days.ts";
import { ensureDays } from "../../src/maintain/partitions.ts";
import { History, type HistoryEvent } from "./history.ts";
import { type Face, openFace } from "./support.ts";

let face: Face;
const AGES_DAYS = [0, 1, 2, 20];
const CLASSES = [30, 90];
const TYPES = ["invoice.paid", "invoice.sent", "customer.created"];
const evt = (uuid: string) => idFromUuid("event", uuid);
const dlv = (uuid: string) => idFromUuid("delivery", uuid);
const webhookId = (uuid: string) => idFromUuid("webhook", uuid);

beforeAll(async () => {
  face = await openFace();
  const days = AGES_DAYS.map((age) => startOfDay(face.clock.nowMs() - age * DAY_MS));
  await ensureDays(face.pools.owner, [...days, startOfDay(face.clock.nowMs() + DAY_MS)], CLASSES);
});
afterAll(() => face.close());

const state = fc.constantFrom("pending", "held", "delivered", "dead_letter", "cancelled");
const happening = fc.record({
  ageDays: fc.constantFrom(...AGES_DAYS),
  /** Few, so that many events share a millisecond. */
  offsetMs: fc.nat(2),
  retentionClass: fc.constantFrom(...CLASSES),
  type: fc.constantFrom(...TYPES),
  original: fc.option(state),
  replays: fc.array(state, { maxLength: 2 }),
  ofAnother: fc.boolean(),
});
type Happening = typeof happening extends fc.Arbitrary<infer Value> ? Value : never;

/** Walks all pages; `between` runs after each. */
async function walk(key: string, path: string, limit: number, between: () => Promise<void>): Promise<string[]> {
  const ids: string[] = [];
  let cursor = "";
  for (;;) {
    const answer = await face.call(key, "GET", `${path}${path.includes("?") ? "&" : "?"}limit=${limit}${cursor}`);
    expect(answer.status).toBe(200);
    ids.push(...answer.body.data.map((each: { id: string }) => each.id));
    const { hasMore, nextCursor } = answer.body.pagination;
    expect(answer.body.data.length).toBe(hasMore ? limit : answer.body.data.length);
    if (!hasMore) return ids;
    cursor = `&cursor=${nextCursor}`;
    await between();
  }
}

test("walking the pages gives exactly the events of the webhook, newest first, while more come and others end", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(happening, { maxLength: 40 }),
      fc.integer({ min: 1, max: 9 }),
      fc.option(fc.constantFrom(...TYPES, "invoice.*")),
      async (happenings, limit, type) => {
        const tenant = await face.addTenant(`walk ${face.ids.next().join("")}`);
        const history = new History(face, tenant);
        const own = await history.webhook();
        const other = await history.webhook();
        const key = await face.addKey(tenant, { scopes: ["read:events", "read:webhooks"], webhookUuid: own });
        const nowMs = face.clock.nowMs();
        const tell = async (each: Happening): Promise<HistoryEvent> => {
          const { retentionClass } = each;
          const atMs = nowMs - each.ageDays * DAY_MS - each.offsetMs;
          const event = await history.event({ atMs, type: each.type, retentionClass });
          if (each.original !== null) await history.delivery(event, own, each.original, { retentionClass });
          for (const replayed of each.replays) {
            await history.delivery(event, own, replayed, { retentionClass, replayed: true });
          }
          if (each.ofAnother) await history.delivery(event, other, "delivered", { retentionClass });
          return event;
        };
        const wanted: string[] = [];
        for (const each of happenings) {
          const event = await tell(each);
          const fits =
            type === null || type === each.type || (type === "invoice.*" && each.type.startsWith("invoice."));
          if (fits && (each.original !== null || each.replays.length > 0)) wanted.push(event.uuid);
        }
        wanted.sort().reverse();
        const found = await walk(key, `/events${type === null ? "" : `?type=${type}`}`, limit, async () => {
          // Newer than the first page: it must not push anything onto two pages.
          const atMs = nowMs + 10;
          await history.delivery(await history.event({ atMs, type: "invoice.paid" }), own, "pending");
          // What was pending arrives meanwhile.
          const { rows } = await face.owner.query(
            "delete from delivery where ctid = (select ctid from delivery where webhook_id = $1 and event_id < $2 limit 1) returning *",
            [own, wanted[0] ?? "ffffffff-ffff-ffff-ffff-ffffffffffff"],
          );
          for (const row of rows) {
            const options = { number: 1, delivered: true, replayed: row.replayed, retentionClass: row.retention_class };
            await history.attempt({ uuid: row.event_id, atMs }, own, row.id, options);
          }
        });
        expect(found).toEqual(wanted.map(evt));
      },
    ),
    { numRuns: 12 },
  );
}, 60_000);

test("an hour with far more events in one millisecond than fit on a page is walked completely", async () => {
  const tenant = await face.addTenant("crowded");
  const history = new History(face, tenant);
  const own = await history.webhook();
  const key = await face.addKey(tenant, { webhookUuid: own });
  const atMs = face.clock.nowMs() - 5;
  const events: string[] = [];
  for (let i = 0; i < 60; i += 1) {
    const event = await history.event({ atMs: atMs + (i % 3 === 0 ? 1 : 0) });
    await history.delivery(event, own, i % 2 === 0 ? "delivered" : "dead_letter");
    events.push(event.uuid);
  }
  const walked = await walk(key, "/events", 7, async () => {});
  expect(walked).toEqual(events.sort().reverse().map(evt));
  const query = `/events?from=${new Date(atMs + 1).toISOString()}`;
  expect(await walk(key, query, 7, async () => {})).toHaveLength(20);
});

test("a backlog is read in the order of its events, however large it is", async () => {
  const tenant = await face.addTenant("backlog");
  const history = new History(face, tenant);
  const own = await history.webhook();
  const key = await face.addKey(tenant, { webhookUuid: own });
  const firstMs = face.clock.nowMs() - 30_000;
  const id = (kind: string) =>
    `(lpad(to_hex(${firstMs}::bigint + i), 12, '0') || '7${kind}008000' || lpad(to_hex(i), 12, '0'))::uuid`;
  await face.owner.query(
    `insert into event (tenant_id, id, config_version, delivery_count, retention_class, livemode, has_long_number, type, data)
     select $1, ${id("0")}, 1, 1, 90, true, false, 'invoice.paid', '1' from generate_series(1, 20500) i`,
    [tenant],
  );
  await face.owner.query(
    `insert into delivery (tenant_id, id, event_id, webhook_id, seq, webhook_version, retention_class, lane, due_at)
     select $1::uuid, ${id("1")}, ${id("0")}, $2::uuid, i, 1, 90, 77, now() from generate_series(1, 20500) i`,
    [tenant, own],
  );
  const page = async () =>
    (await face.call(key, "GET", "/events?limit=3")).body.data.map((each: { id: string }) => each.id);
  const { rows } = await face.owner.query("select id from event where tenant_id = $1 order by id desc limit 3", [
    tenant,
  ]);
  const newest = rows.map((row) => evt(row.id));
  expect(await page()).toEqual(newest);
  await face.owner.query("delete from delivery where webhook_id = $1 and seq < 20000", [own]);
  expect(await page()).toEqual(newest);
});

describe("a read key", () => {
  let own: string;
  let other: string;
  let key: string;
  let history: History;
  let ownEvent: HistoryEvent;
  let otherEvent: HistoryEvent;
  let ownDelivery: string;
  let otherDelivery: string;
  const get = (path: string) => face.call(key, "GET", path);
  const idsOf = async (path: string) => (await get(path)).body.data.map((each: { id: string }) => each.id);

  beforeAll(async () => {
    const tenant = await face.addTenant("reader");
    history = new History(face, tenant);
    own = await history.webhook();
    other = await history.webhook();
    key = await face.addKey(tenant, { scopes: ["read:events", "read:webhooks"], webhookUuid: own });
    ownEvent = await history.event({ reference: "INV-1", data: '{"object":{"id":"1"}}', senderId: "own-1" });
    otherEvent = await history.event({ reference: "INV-1", senderId: "other-1" });
    ownDelivery = await history.delivery(ownEvent, own, "dead_letter");
    await history.delivery(ownEvent, other, "delivered");
    otherDelivery = await history.delivery(otherEvent, other, "dead_letter");
  });

  test("reads its event's payload, and of the deliveries only its own", async () => {
    for (const id of ["own-1", evt(ownEvent.uuid)]) {
      const { data } = (await get(`/events/${id}`)).body;
      expect(data).toMatchObject({ id: "own-1", data: { object: { id: "1" } } });
      expect(data.deliveries.map((each: { id: string }) => each.id)).toEqual([dlv(ownDelivery)]);
    }
  });

  test("finds everything else absent", async () => {
    for (const path of [
      `/events/${evt(otherEvent.uuid)}`,
      "/events/other-1",
      `/deliveries/${dlv(otherDelivery)}`,
      `/webhooks/${webhookId(other)}`,
      `/webhooks/${webhookId(other)}/versions`,
      `/webhooks/${webhookId(other)}/statistics`,
      `/webhooks/${webhookId(other)}/logs`,
    ]) {
      expect([path, (await get(path)).status]).toEqual([path, 404]);
    }
  });

  test("lists its own deliveries, dead letters, log and webhook only", async () => {
    expect(await idsOf("/deliveries")).toEqual([dlv(ownDelivery)]);
    expect(await idsOf("/deliveries?reference=INV-1")).toEqual([dlv(ownDelivery)]);
    expect(await idsOf(`/deliveries?eventId=${evt(ownEvent.uuid)}`)).toEqual([dlv(ownDelivery)]);
    expect(await idsOf(`/deliveries?webhookId=${webhookId(other)}`)).toEqual([]);
    expect(await idsOf("/dead-letters")).toEqual([dlv(ownDelivery)]);
    expect(await idsOf(`/dead-letters?webhookId=${webhookId(other)}`)).toEqual([]);
    expect(await idsOf("/webhooks")).toEqual([webhookId(own)]);
    expect(await idsOf("/events?reference=INV-1")).toEqual(["own-1"]);
    expect(await idsOf("/events?reference=INV-2")).toEqual([]);
    expect(await idsOf(`/webhooks/${webhookId(own)}/logs`)).toEqual([dlv(ownDelivery).replace("dlv_", "log_")]);
    expect((await get(`/webhooks/${webhookId(own)}/statistics`)).status).toBe(200);
  });

  test("changes nothing", async () => {
    for (const [method, path] of [
      ["POST", `/deliveries/${dlv(ownDelivery)}/retry`],
      ["POST", "/dead-letters/retry"],
      ["POST", `/webhooks/${webhookId(own)}/replay`],
      ["DELETE", `/webhooks/${webhookId(own)}`],
    ] as const) {
      const answer = await face.call(key, method, path, method === "POST" ? {} : undefined);
      expect([path, answer.status]).toEqual([path, 403]);
    }
  });
});
