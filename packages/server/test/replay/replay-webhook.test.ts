// Replaying a webhook's past: each event of the range once, oldest first, in bounded steps, audited.
import { idFromUuid } from "@posthorn/contract";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { History, type HistoryEvent } from "../http/history.ts";
import { type Face, openFace } from "../http/support.ts";

let face: Face;
let tenant: string;
let key: string;
let history: History;
let webhook: string;
const wh = (uuid: string) => idFromUuid("webhook", uuid);
const iso = (ms: number) => new Date(ms).toISOString();
const HOUR_AGO = () => iso(face.clock.nowMs() - 3_600_000);
const replay = async (body: object, of = webhook, using = key) =>
  face.call(using, "POST", `/webhooks/${wh(of)}/replay`, { from: HOUR_AGO(), ...body });
/** Deliveries made by replays, in the order in which they were made. */
const made = async () =>
  (
    await face.owner.query("select * from delivery where webhook_id = $1 and next_trigger = 'replay' order by seq", [
      webhook,
    ])
  ).rows;
const tell = async (
  count: number,
  state: "pending" | "delivered" | "dead_letter" | "cancelled",
  options: { type?: string; agoMs?: number; orderingKey?: string; erased?: boolean } = {},
): Promise<HistoryEvent[]> => {
  const events: HistoryEvent[] = [];
  for (let i = 0; i < count; i += 1) {
    const atMs = face.clock.nowMs() - (options.agoMs ?? 10_000) + (i >> 1);
    const event = await history.event({ ...options, atMs });
    await history.delivery(event, webhook, state);
    events.push(event);
  }
  return events.sort((a, b) => (a.uuid < b.uuid ? -1 : 1));
};
const idsOf = (events: readonly HistoryEvent[]) => events.map((event) => event.uuid);

beforeAll(async () => {
  face = await openFace();
});
afterAll(() => face.close());
beforeEach(async () => {
  tenant = await face.addTenant(`tenant ${face.ids.next().join("")}`);
  key = await face.addKey(tenant);
  history = new History(face, tenant);
  webhook = await history.webhook({ configuration: { filters: ["false"], events: ["nothing.matches"] } });
  face.woken.length = 0;
});

test("every event is delivered once more, oldest first, whatever the filters say, and the owner is woken", async () => {
  const events = [
    ...(await tell(4, "delivered", { orderingKey: "k" })),
    ...(await tell(3, "dead_letter", { agoMs: 5_000 })),
  ];
  const answer = await replay({});
  expect([answer.status, answer.body.data]).toEqual([
    200,
    { webhookId: wh(webhook), dryRun: false, count: 7, hasMore: false, nextCursor: null },
  ]);
  const rows = await made();
  expect(rows.map((row) => row.event_id)).toEqual(idsOf(events));
  const shape = { replayed: true, handoff: true, lane: 77, webhook_version: 3, attempt_count: 0, retention_class: 90 };
  for (const row of rows) expect(row).toMatchObject(shape);
  expect(rows[0].ordering_key).toBe("k");
  expect(new Set(face.woken)).toEqual(new Set([webhook]));
  const audit = await face.owner.query(
    "select action, object_id, change from audit_entry where tenant_id = $1 order by id",
    [tenant],
  );
  expect(audit.rows.map((row) => [row.action, row.object_id, row.change.count.to])).toEqual(
    [3, 3, 1].map((count) => ["webhook.replayed", wh(webhook), count]),
  );
  expect(audit.rows.flatMap((row) => row.change.events.to)).toEqual(idsOf(events).map((id) => idFromUuid("event", id)));
});

test("a limit stops it, the cursor goes on, and nothing is made twice although replays add to the past", async () => {
  const events = await tell(10, "delivered");
  const first = (await replay({ limit: 4 })).body.data;
  expect(first).toMatchObject({ count: 4, hasMore: true, nextCursor: expect.any(String) });
  const second = (await replay({ limit: 4, cursor: first.nextCursor })).body.data;
  const third = (await replay({ limit: 4, cursor: second.nextCursor })).body.data;
  expect([second.count, third]).toMatchObject([4, { count: 2, hasMore: false, nextCursor: null }]);
  expect((await made()).map((row) => row.event_id)).toEqual(idsOf(events));
});

test("a dry run counts and changes nothing", async () => {
  await tell(5, "delivered");
  const { data } = (await replay({ dryRun: true, limit: 2 })).body;
  expect(data).toEqual({ webhookId: wh(webhook), dryRun: true, count: 5, hasMore: false, nextCursor: null });
  expect([await made(), face.woken]).toEqual([[], []]);
});

test("types, states and times choose; what is on its way or erased is left alone", async () => {
  const old = await tell(2, "delivered", { type: "invoice.created", agoMs: 60_000 });
  const dead = await tell(2, "dead_letter", { type: "invoice.paid" });
  const cancelled = await tell(1, "cancelled", { type: "customer.created" });
  await tell(2, "pending", { type: "invoice.paid" });
  await tell(1, "delivered", { type: "invoice.paid", erased: true });
  const chosen = async (body: object) => (await replay({ dryRun: true, ...body })).body.data.count;
  expect(await chosen({})).toBe(5);
  expect(await chosen({ types: ["invoice.*"] })).toBe(4);
  expect(await chosen({ types: ["invoice.created", "customer.*"] })).toBe(3);
  expect(await chosen({ types: ["*", "invoice.created"] })).toBe(5);
  expect(await chosen({ states: ["dead_letter"] })).toBe(2);
  expect(await chosen({ states: ["dead_letter", "cancelled"] })).toBe(3);
  expect(await chosen({ to: iso(face.clock.nowMs() - 30_000) })).toBe(2);
  await replay({ states: ["dead_letter", "cancelled"] });
  expect((await made()).map((row) => row.event_id).sort()).toEqual([...idsOf(dead), ...idsOf(cancelled)].sort());
  expect(old).toHaveLength(2);
});

test("events of another webhook are not this one's past", async () => {
  const other = await history.webhook();
  await history.delivery(await history.event(), other, "delivered");
  expect((await replay({})).body.data.count).toBe(0);
  expect((await replay({ dryRun: true }, other)).body.data.count).toBe(1);
});

test("a webhook that is not enabled is a conflict; a foreign or deleted one looks absent", async () => {
  const disabled = await history.webhook({ status: "disabled" });
  const conflict = await replay({}, disabled);
  expect([conflict.status, conflict.body.error.code]).toEqual([409, "CONFLICT"]);
  const deleted = await history.webhook({ status: "deleted" });
  const stranger = await face.addKey(await face.addTenant(`stranger of ${tenant}`));
  const sandbox = await face.addKey(tenant, { livemode: false });
  expect((await replay({}, deleted)).status).toBe(404);
  for (const using of [stranger, sandbox]) expect((await replay({}, webhook, using)).status).toBe(404);
});

test("what is missing, unknown or out of bounds is refused by name and changes nothing", async () => {
  await tell(1, "delivered");
  for (const [body, field] of [
    [{ from: undefined }, "from"],
    [{ from: "monday" }, "from"],
    [{ types: [] }, "types"],
    [{ types: ["Not A Type"] }, "types[0]"],
    [{ states: ["pending"] }, "states[0]"],
    [{ limit: 10_001 }, "limit"],
    [{ cursor: "bm9uZQ" }, "cursor"],
    [{ since: 1 }, "since"],
  ] as const) {
    const answer = await replay(body);
    expect([body, answer.status, answer.body.error.details[0].field]).toEqual([body, 422, field]);
  }
  expect(await made()).toEqual([]);
});
