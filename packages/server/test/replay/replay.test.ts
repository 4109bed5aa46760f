// Retry and replay through the API on a real database: every state, races, audit, isolation.
import { idFromUuid, uuidFromId } from "@posthorn/contract";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { History, type HistoryEvent } from "../http/history.ts";
import { type Face, openFace } from "../http/support.ts";
import type { EventToRoute } from "../../src/replay/replay.ts";

let face: Face;
let tenant: string;
let key: string;
let history: History;
let webhook: string;
let event: HistoryEvent;
/** What routing answers, and what it was asked. */
let routes: string[] = [];
const asked: EventToRoute[] = [];

const dlv = (uuid: string) => idFromUuid("delivery", uuid);
const evt = (which: HistoryEvent) => idFromUuid("event", which.uuid);
const retry = (uuid: string, using = key) => face.call(using, "POST", `/deliveries/${dlv(uuid)}/retry`);
const replay = (id: string, body?: object, using = key) => face.call(using, "POST", `/events/${id}/replay`, body);
const rowOf = async (table: string, uuid: string) =>
  (await face.owner.query(`select * from ${table} where id = $1`, [uuid])).rows[0];
const auditOf = async (objectId: string) =>
  (await face.owner.query("select action, actor, change from audit_entry where object_id = $1", [objectId])).rows;

beforeAll(async () => {
  face = await openFace({
    routeAgain: async (each) => {
      asked.push(each);
      return routes;
    },
  });
  tenant = await face.addTenant("one");
  key = await face.addKey(tenant);
  history = new History(face, tenant);
});
afterAll(() => face.close());
beforeEach(async () => {
  face.woken.length = 0;
  asked.length = 0;
  routes = [];
  webhook = await history.webhook();
  event = await history.event({ orderingKey: "key-1", data: "1.0" });
});

describe("retry", () => {
  test.each(["pending", "held"] as const)("makes a %s delivery due now and wakes its owner", async (state) => {
    const delivery = await history.delivery(event, webhook, state, { attemptCount: 2 });
    const answer = await retry(delivery);
    expect(answer.status).toBe(202);
    const dueAt = new Date(face.clock.nowMs());
    expect(answer.body.data).toEqual({ id: dlv(delivery), state: "pending", nextAttemptAt: dueAt.toISOString() });
    expect(await rowOf("delivery", delivery)).toMatchObject({
      due_at: dueAt,
      held_reason: null,
      next_trigger: "manual",
      handoff: true,
      attempt_count: 2,
      policy_attempt_base: 0,
    });
    expect(face.woken).toEqual([webhook]);
    const audit = await auditOf(dlv(delivery));
    expect(audit).toHaveLength(1);
    expect(audit[0]).toMatchObject({
      action: "delivery.retried",
      change: { state: { from: "pending", to: "pending" } },
    });
  });

  test("brings a dead letter back: same id and order, attempts counted on, the policy from its start", async () => {
    const delivery = await history.delivery(event, webhook, "dead_letter", { attemptCount: 10, orderingKey: "key-1" });
    expect((await retry(delivery)).status).toBe(202);
    expect(await rowOf("dead_letter", delivery)).toBeUndefined();
    expect(await rowOf("delivery", delivery)).toMatchObject({
      event_id: event.uuid,
      webhook_id: webhook,
      seq: "4711",
      attempt_count: 10,
      policy_attempt_base: 10,
      next_trigger: "manual",
      handoff: true,
      ordering_key: "key-1",
      retention_class: 90,
      lane: 77,
    });
    const shown = (await face.call(key, "GET", `/deliveries/${dlv(delivery)}`)).body.data;
    expect(shown).toMatchObject({ state: "pending", attemptCount: 10 });
    // Ten attempts of the default schedule, all still to come.
    expect(shown.nextAttempts).toHaveLength(10);
    expect(face.woken).toEqual([webhook]);
  });

  test("many at once make one pending delivery", async () => {
    const delivery = await history.delivery(event, webhook, "dead_letter");
    const statuses = (await Promise.all(Array.from({ length: 6 }, () => retry(delivery)))).map((each) => each.status);
    expect(new Set(statuses)).toEqual(new Set([202]));
    const { rows } = await face.owner.query(
      `select (select count(*) from delivery where id = $1)::int as pending,
         (select count(*) from dead_letter where id = $1)::int as dead`,
      [delivery],
    );
    expect(rows[0]).toEqual({ pending: 1, dead: 0 });
  });

  test.each(["delivered", "cancelled"] as const)("refuses a %s one and names replay", async (state) => {
    const delivery = await history.delivery(event, webhook, state);
    const answer = await retry(delivery);
    expect(answer.status).toBe(409);
    expect(answer.body.error).toMatchObject({ code: "NOT_RETRYABLE", message: expect.stringContaining("/replay") });
    expect(face.woken).toEqual([]);
    expect(await auditOf(dlv(delivery))).toEqual([]);
  });

  test.each(["paused", "disabled", "deleted"])(
    "refuses while the webhook is %s and says what to do",
    async (status) => {
      const other = await history.webhook({ status });
      for (const state of ["pending", "dead_letter"] as const) {
        const delivery = await history.delivery(event, other, state);
        const answer = await retry(delivery);
        expect(answer.status).toBe(409);
        expect(answer.body.error).toMatchObject({ code: "CONFLICT", message: expect.stringContaining(status) });
        expect(await rowOf(state === "pending" ? "delivery" : "dead_letter", delivery)).toBeDefined();
      }
    },
  );

  test("of another tenant's or mode's delivery finds nothing and changes nothing", async () => {
    const stranger = await face.addKey(await face.addTenant("two"));
    const sandbox = await face.addKey(tenant, { livemode: false });
    for (const state of ["pending", "dead_letter", "delivered"] as const) {
      const delivery = await history.delivery(event, webhook, state);
      for (const using of [stranger, sandbox]) expect((await retry(delivery, using)).status).toBe(404);
    }
    expect(face.woken).toEqual([]);
    expect((await face.call(key, "POST", "/deliveries/dlv_1/retry")).status).toBe(404);
  });

  test("needs write:deliveries", async () => {
    const reader = await face.addKey(tenant, { scopes: ["read:events", "write:webhooks"] });
    const answer = await retry(await history.delivery(event, webhook, "pending"), reader);
    expect(answer.status).toBe(403);
    expect(answer.body.error.details[0]).toMatchObject({
      required_scope: "write:deliveries",
      current_scopes: ["read:events", "write:webhooks"],
    });
  });
});

describe("replay", () => {
  test("to a named webhook makes a new delivery with its current version, without routing", async () => {
    const before = await history.delivery(event, webhook, "delivered");
    face.clock.atMs += 5_000;
    const answer = await replay(evt(event), { webhookId: idFromUuid("webhook", webhook) });
    expect(answer.status, JSON.stringify(answer.body)).toBe(202);
    expect(answer.body.data).toMatchObject({ id: evt(event), event: "invoice.paid" });
    expect(answer.body.data.deliveries).toHaveLength(1);
    const [made] = answer.body.data.deliveries;
    expect(made).toMatchObject({ webhookId: idFromUuid("webhook", webhook), state: "pending" });
    expect(made.id).not.toBe(dlv(before));
    expect(await rowOf("delivery", uuidFromId("delivery", made.id))).toMatchObject({
      event_id: event.uuid,
      webhook_version: 3,
      lane: 77,
      replayed: true,
      handoff: true,
      next_trigger: "replay",
      attempt_count: 0,
      ordering_key: "key-1",
      retention_class: 90,
      due_at: new Date(face.clock.nowMs()),
    });
    expect(asked).toEqual([]);
    expect(face.woken).toEqual([webhook]);
    const audit = await auditOf(evt(event));
    expect(audit).toHaveLength(1);
    expect(audit[0]).toMatchObject({ action: "event.replayed", change: { deliveries: { to: [{ id: made.id }] } } });
    const shown = (await face.call(key, "GET", `/events/${evt(event)}`)).body.data.deliveries;
    expect(shown.map((each: { id: string }) => each.id).toSorted()).toEqual([dlv(before), made.id].toSorted());
  });

  test("to nobody by name is routed again, with the event as it was stored, to those that are enabled", async () => {
    const disabled = await history.webhook({ status: "disabled" });
    const sandbox = await history.webhook({ livemode: false });
    const second = await history.webhook();
    const mine = await history.event({
      senderId: "order-1",
      data: "1.50",
      context: "{}",
      timestamp: "2026-01-01T00:00:00Z",
    });
    routes = [webhook, disabled, sandbox, second];
    const answer = await replay("order-1");
    expect(answer.status).toBe(202);
    expect(asked).toHaveLength(1);
    expect(asked[0]).toMatchObject({
      tenantUuid: tenant,
      publicId: "order-1",
      type: "invoice.paid",
      timestamp: "2026-01-01T00:00:00Z",
      livemode: true,
      hasLongNumber: false,
    });
    expect(asked[0]?.data.toString()).toBe("1.50");
    expect(new Set(face.woken)).toEqual(new Set([webhook, second]));
    expect(answer.body.data.id).toBe("order-1");
    const { rows } = await face.owner.query("select webhook_id from delivery where event_id = $1", [mine.uuid]);
    expect(new Set(rows.map((row) => row.webhook_id))).toEqual(new Set([webhook, second]));
  });

  test("that matches nobody is accepted and wakes nobody", async () => {
    const answer = await replay(evt(event), { webhookId: null });
    expect(answer.status).toBe(202);
    expect(answer.body.data.deliveries).toEqual([]);
    expect(face.woken).toEqual([]);
  });

  test("twice makes two deliveries, each with an id of its own", async () => {
    const named = { webhookId: idFromUuid("webhook", webhook) };
    const [a, b] = await Promise.all([replay(evt(event), named), replay(evt(event), named)]);
    expect(a?.body.data.deliveries[0].id).not.toBe(b?.body.data.deliveries[0].id);
  });

  test("is refused for erased payloads, disabled webhooks, unknown webhooks and unknown fields", async () => {
    const erased = await history.event({ erased: true });
    expect((await replay(evt(erased))).body.error.code).toBe("CONFLICT");
    const paused = await history.webhook({ status: "paused" });
    expect((await replay(evt(event), { webhookId: idFromUuid("webhook", paused) })).status).toBe(409);
    const sandbox = await history.webhook({ livemode: false });
    for (const webhookId of ["webhook_1", "x", idFromUuid("webhook", sandbox), idFromUuid("webhook", history.uuid())]) {
      const answer = await replay(evt(event), { webhookId });
      expect(answer.status).toBe(422);
      expect(answer.body.error.details[0].field).toBe("webhookId");
    }
    const misspelt = await replay(evt(event), { webhookID: "x" });
    expect(misspelt.body.error.details[0]).toMatchObject({ code: "UNKNOWN_FIELD", nearest: ["webhookId"] });
  });

  test("of another tenant's event, or to another tenant's webhook, finds nothing", async () => {
    const otherTenant = await face.addTenant("three");
    const stranger = await face.addKey(otherTenant);
    expect((await replay(evt(event), undefined, stranger)).status).toBe(404);
    const theirs = new History(face, otherTenant);
    const their = await theirs.event();
    const answer = await replay(evt(their), { webhookId: idFromUuid("webhook", webhook) }, stranger);
    expect(answer.status).toBe(422);
    routes = [webhook];
    expect((await replay(evt(their), undefined, stranger)).body.data.deliveries).toEqual([]);
  });
});
