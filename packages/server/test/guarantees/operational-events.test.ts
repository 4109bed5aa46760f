// What Posthorn has to say about its own work are ordinary events: stored, routed, delivered; each cause once, also after
// a crash between any two steps; and what becomes of delivering them raises no other. To break on purpose (not tried yet): without the
// exclusion of operational types the webhook that fails hears of its own dead letters for ever; without the bundle's key
// a crash after capture raises twice.
import { type Id, uuidFromId } from "@posthorn/contract";
import pg from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import { announceExpiring } from "../../src/maintain/announce-expiring.sql.ts";
import { QUIET_MS, raiseOperationalEvents, type OperationalEvent } from "../../src/maintain/operational/raise.ts";
import { lookAfterTroubled } from "../../src/maintain/operational/troubled.ts";
import type { Executor } from "../../src/storage/pools.ts";
import { startTestNode, type TestNode } from "../support/node.ts";
import { type Answer, type ReceivedRequest, type Receiver, startReceiver } from "../support/receivers/receiver.ts";
import { until } from "../support/until.ts";

let node: TestNode;
let ear: Receiver;
const receivers: Receiver[] = [];
beforeAll(async () => {
  node = await startTestNode({ breaker: { firstOpenMs: 300, longestOpenMs: 2_000 } });
  ear = await startReceiver();
  receivers.push(ear);
  await subscribe(ear, ["webhook.*", "delivery.*", "module.*"], { name: "ear" });
});
afterAll(async () => {
  await node?.stop();
  for (const receiver of receivers) await receiver.close();
});

async function subscribe(receiver: Receiver, events: string[], fields = {}): Promise<string> {
  const made = await node.api("POST", "/v1/webhooks", { url: `${receiver.origin}/in?token=secret`, events, ...fields });
  expect(made.status, JSON.stringify(made.body)).toBe(201);
  return made.body.data.id;
}
async function receiverThat(answer: (request: ReceivedRequest, index: number) => Answer | Promise<Answer>) {
  const receiver = await startReceiver({ answer });
  receivers.push(receiver);
  return receiver;
}
const publish = async (type: string, count: number): Promise<void> => {
  const events = Array.from({ length: count }, (_, n) => ({ event: type, data: { object: { id: `x_${n}` } } }));
  expect((await node.api("POST", "/v1/events/batch", { events })).status).toBe(202);
};
/** Statements past every policy. */
const engineOf = ({ sql }: TestNode): Executor =>
  ({
    query: async ({ text, values }: { text: string; values?: unknown[] }) => {
      const rows = await sql(text, values);
      return { rows, rowCount: rows.length };
    },
  }) as unknown as Executor;
/** What the ear has heard of a type, about a webhook. */
const heard = (type: string, webhookId: string) =>
  ear.requests
    .map((request) => JSON.parse(request.body.toString()))
    .filter((event) => event.event === type && [event.data.object.id, event.data.object.webhookId].includes(webhookId));
const hears = (type: string, webhookId: string, count = 1) =>
  until(`${count} ${type} about ${webhookId}`, async () => {
    const events = heard(type, webhookId);
    return events.length >= count ? events : null;
  });

test("dead letters are told at once and together, by name and number, once each; and their recovery", async () => {
  let isDown = true;
  const receiver = await receiverThat(() => (isDown ? 400 : 200));
  const id = await subscribe(receiver, ["invoice.paid"], { name: "billing", retryPolicy: { maxRetries: 0 } });
  await publish("invoice.paid", 30);
  const [told] = await hears("delivery.dead_lettered", id);
  expect(told.data.object).toMatchObject({ webhookId: id, webhookName: "billing" });
  expect(told.data.object.deliveries[0]).toMatchObject({ event: "invoice.paid", reason: "attempts_exhausted" });
  expect(told.data.object.deliveries[0].id).toMatch(/^dlv_/);
  expect(told.data.object.deliveries.length).toBeLessThanOrEqual(20);
  expect(told.context).toMatchObject({ source: "posthorn", webhookId: id });
  // All thirty are told of: in this event, or in what waits for the next one, and nowhere twice.
  const counted = async () => {
    const [row] = await node.sql<{ count: number }>(
      "select coalesce(sum(count), 0)::int as count from operational_notice where type = 'delivery.dead_lettered' and raised_at is null and webhook_id = (select webhook_id from dead_letter limit 1)",
    );
    return (
      heard("delivery.dead_lettered", id).reduce((sum, event) => sum + event.data.object.count, 0) + (row?.count ?? 0)
    );
  };
  await until("all of them counted", async () => (await counted()) === 30);

  isDown = false;
  const retried = await node.api("POST", "/v1/dead-letters/retry", { webhookId: id });
  expect(retried.status, JSON.stringify(retried.body)).toBeLessThan(300);
  const [recovered] = await hears("delivery.recovered", id);
  expect(recovered.data.object.deliveries[0]).toMatchObject({ event: "invoice.paid" });
}, 40_000);

test("trouble, and its end, are told once; small trouble is not; URLs' paths and queries are never told", async () => {
  let isDown = true;
  const receiver = await receiverThat(() => (isDown ? 500 : 200));
  const id = await subscribe(receiver, ["invoice.sent"], {
    maxInFlight: 4,
    retryPolicy: { maxRetries: 9, retryDelay: 1 },
  });
  await publish("invoice.sent", 12);
  const [trouble] = await hears("webhook.health_changed", id);
  expect(trouble.data).toMatchObject({
    object: {
      id,
      host: receiver.origin.replace("http://", ""),
      health: "failing",
      reason: "The receiver answered 500.",
    },
    previous: { health: "healthy" },
  });
  expect(JSON.stringify(trouble)).not.toContain("token=secret");
  isDown = false;
  const [, well] = await hears("webhook.health_changed", id, 2);
  expect(well.data).toMatchObject({ object: { health: "healthy" }, previous: { health: "failing" } });
  await until("everything arrived", async () => (await node.sql("select 1 from delivery limit 1")).length === 0);
  expect(heard("webhook.health_changed", id)).toHaveLength(2);
}, 40_000);

test("one that is switched off by 410, or by a person, is told of; also by whose doing", async () => {
  const gone = await subscribe(await receiverThat(() => 410), ["bill.paid"]);
  await publish("bill.paid", 1);
  const [told] = await hears("webhook.disabled", gone);
  expect(told.data).toMatchObject({ object: { status: "disabled", disabledReason: "endpoint_gone" }, previous: {} });
  const kept = await subscribe(await receiverThat(() => 200), ["bill.paid"]);
  expect((await node.api("PATCH", `/v1/webhooks/${kept}`, { active: false })).status).toBe(200);
  const [byHand] = await hears("webhook.disabled", kept);
  expect(byHand.data.object.disabledReason).toBe("owner");
});

test("an operational event that cannot be delivered raises nothing: no dead letter of it, no change of health", async () => {
  const deaf = await subscribe(await receiverThat(() => 500), ["webhook.*", "delivery.*"], {
    retryPolicy: { maxRetries: 1, retryDelay: 0 },
  });
  for (let turn = 0; turn < 3; turn += 1) {
    const other = await subscribe(await receiverThat(() => 200), ["user.login"]);
    await node.api("PATCH", `/v1/webhooks/${other}`, { active: false });
    await hears("webhook.disabled", other);
  }
  await until("its deliveries are dead", async () => {
    const dead = (await node.api("GET", `/v1/deliveries?webhookId=${deaf}&state=dead_letter`)).body.data;
    return dead.length >= 3;
  });
  await until(
    "its trouble is written down",
    async () => (await node.api("GET", `/v1/webhooks/${deaf}`)).body.data.health.status === "failing",
  );
  await until(
    "nothing more to raise",
    async () =>
      (await node.sql("select 1 from operational_notice where raised_at is null and bundle_id is not null")).length ===
      0,
  );
  expect(heard("delivery.dead_lettered", deaf)).toEqual([]);
  expect(heard("webhook.health_changed", deaf)).toEqual([]);
  await node.api("DELETE", `/v1/webhooks/${deaf}`);
}, 40_000);

test("a module and a source that fall silent against their habit are told once, and once when they are heard again", async () => {
  const type = { event: "sales_order.created", context: { source: "shopify" } };
  const event = (n: number) => ({ ...type, data: { object: { id: `so_${n}` } } });
  expect((await node.api("POST", "/v1/events/batch", { events: [event(1), event(2)] })).status).toBe(202);
  const modules = async (): Promise<
    { kind: string; name: string; silentSince: string | null; usualPerHour: number }[]
  > => (await node.api("GET", "/v1/modules")).body.data;
  const look = () => node.node.runUpkeep("modules");
  await until("both are heard", async () => {
    await look();
    return (await modules()).filter(({ name }) => name === "shopify").length === 1;
  });
  // Five weeks in which they sent 30 an hour, and nothing for three hours now.
  await node.sql(
    `update module set first_event_at = now() - interval '5 weeks', last_event_at = now() - interval '200 minutes'`,
  );
  await node.sql(
    `insert into module_hour (tenant_id, livemode, kind, name, hour, count)
     select tenant_id, livemode, kind, name, h, 30 from module,
       generate_series(date_trunc('hour', now()) - interval '29 days', date_trunc('hour', now()) - interval '6 days', interval '1 hour') h
     on conflict do nothing`,
  );
  await node.sql(`insert into module_watch (watching_since, watched_until) values (now() - interval '5 weeks', now())
    on conflict (only_row) do update set watching_since = excluded.watching_since, watched_until = excluded.watched_until`);
  const told = (type_: string, name: string) =>
    ear.requests
      .map((request) => JSON.parse(request.body.toString()))
      .filter((each) => each.event === type_ && each.data.object.name === name);
  const hearsOf = (type_: string, name: string) =>
    until(`${type_} of ${name}`, async () => {
      await look();
      return told(type_, name)[0];
    });
  const silent = await hearsOf("module.silent", "shopify");
  expect(silent.data.object).toMatchObject({ kind: "source", usualPerHour: 30, livemode: true });
  await hearsOf("module.silent", "Sales & CRM");
  expect((await modules()).find(({ name }) => name === "shopify")).toMatchObject({
    usualPerHour: 30,
    silentSince: expect.stringMatching(/^20/),
  });
  expect((await node.api("POST", "/v1/events", event(3))).status).toBe(202);
  const resumed = await hearsOf("module.resumed", "shopify");
  expect(Date.parse(resumed.data.object.silentSince)).toBeLessThan(Date.now() - 190 * 60_000);
  expect((await modules()).find(({ name }) => name === "shopify")?.silentSince).toBeNull();
  expect([told("module.silent", "shopify").length, told("module.resumed", "shopify").length]).toEqual([1, 1]);
  // What Posthorn says itself is no habit of anybody's.
  expect((await modules()).map(({ name }) => name)).not.toContain("Posthorn");
});

test("a quiet endpoint is checked: its trouble and its recovery are told without a delivery, and nobody can take it for business", async () => {
  let answer: Answer = 500;
  const quiet = await receiverThat(() => answer);
  const id = await subscribe(quiet, ["einvoice.created"], { name: "Quiet", checkAfter: "6h" });
  const busy = await subscribe(quiet, ["einvoice.created"], { name: "Never checked" });
  expect((await node.api("GET", `/v1/webhooks/${id}`)).body.data.checkAfter).toBe(21_600);
  expect((await node.api("PATCH", `/v1/webhooks/${id}`, { checkAfter: "5m" })).status).toBe(422);
  const uuid = uuidFromId("webhook", id as Id<"webhook">);
  const ago = async (minutes: number) => {
    await node.sql("update webhook set created_at = now() - interval '7 hours' where id = $1", [uuid]);
    await node.sql(
      `update webhook_health set checked_at = now() - $2 * interval '1 minute', last_success_at = null,
         last_failure_at = now() - $2 * interval '1 minute' where webhook_id = $1`,
      [uuid, minutes],
    );
  };
  const look = () => node.node.runUpkeep("checks");
  await look();
  expect(quiet.requests).toHaveLength(0); // it was made a moment ago
  await ago(361);
  await look();
  const [request] = await quiet.received(1);
  expect(request?.headers["x-bigledger-test"]).toBe("true");
  expect(JSON.parse(request?.body.toString() ?? "")).toMatchObject({ event: "webhook.test", data: { object: { id } } });
  await look();
  expect(quiet.requests).toHaveLength(1);
  // One that failed is looked at again sooner; the third time it is trouble.
  for (let turn = 2; turn <= 3; turn += 1) {
    await ago(16);
    await look();
    expect(quiet.requests).toHaveLength(turn);
  }
  const [trouble] = await hears("webhook.health_changed", id);
  expect(trouble.data.object).toMatchObject({ health: "failing", reason: "The receiver answered 500." });
  // Whoever refuses the test is there.
  answer = 422;
  await ago(16);
  await look();
  const [, well] = await hears("webhook.health_changed", id, 2);
  expect(well.data.object.health).toBe("healthy");
  await ago(16);
  await look();
  expect(quiet.requests).toHaveLength(4);
  expect((await node.api("GET", `/v1/deliveries?webhookId=${id}`)).body.data).toEqual([]);
  for (const each of [id, busy]) await node.api("DELETE", `/v1/webhooks/${each}`);
}, 60_000);

test("what is about to expire is told once for each delivery, held or not, with the moment of its end", async () => {
  const late = await receiverThat(() => 500);
  const fields = { retryPolicy: { delays: [3_600] }, expireAfter: "72h", maxInFlight: 5 };
  const id = await subscribe(late, ["einvoice.created"], { ...fields, name: "LHDN" });
  const never = await subscribe(late, ["einvoice.created"], { ...fields, expireWarning: 1 });
  expect((await node.api("GET", `/v1/webhooks/${id}`)).body.data.expireWarning).toBe(0.8);
  await publish("einvoice.created", 2);
  await late.received(4);
  // The clock that is asked, not the one that counts: each delivery is three days' share old at the moment of the look.
  const look = async (hours: number) => {
    const engine = new pg.Client(node.database.connection);
    await engine.connect();
    try {
      return await announceExpiring(engine, Date.now() + hours * 3_600_000);
    } finally {
      await engine.end();
    }
  };
  expect(await look(57)).toBe(0);
  expect(await look(58)).toBe(2);
  expect(await look(58)).toBe(0);
  await publish("einvoice.created", 1);
  const [told] = await hears("delivery.expiring", id);
  expect(told.data.object).toMatchObject({ webhookId: id, webhookName: "LHDN", count: 2 });
  const shown = (await node.api("GET", `/v1/deliveries/${told.data.object.deliveries[0].id}`)).body.data;
  expect(told.data.object.deliveries[0]).toMatchObject({ event: "einvoice.created", expiresAt: shown.expiresAt });
  expect(told.data.object.firstExpiresAt).toBe(shown.expiresAt);
  expect(heard("delivery.expiring", never)).toEqual([]);
  // A share of one's own; and what has passed its end is told by that alone.
  expect((await node.api("PATCH", `/v1/webhooks/${id}`, { expireWarning: 0.5 })).status).toBe(200);
  await node.sql("delete from expiry_watch");
  expect(await look(40)).toBe(3);
  await node.sql("delete from expiry_watch");
  expect(await look(73)).toBe(0);
  for (const bad of [0, 0.05, 1.1, "80%"]) {
    expect((await node.api("PATCH", `/v1/webhooks/${id}`, { expireWarning: bad })).status, String(bad)).toBe(422);
  }
  for (const each of [id, never]) await node.api("DELETE", `/v1/webhooks/${each}`);
}, 60_000);

test("what receivers acknowledge comes with every value, to whoever asks for it; and never about an event of ours", async () => {
  let number = 0;
  const crm = await receiverThat(() => ({
    status: 200,
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ id: `crm-${(number += 1)}` }),
  }));
  const extracting = { onResponse: [{ when: "true", then: "delivered", extract: { externalId: "response.body.id" } }] };
  const id = await subscribe(crm, ["supplier.updated", "delivery.acknowledged"], { ...extracting, name: "CRM" });
  await publish("supplier.updated", 250);
  const acknowledged = () => heard("delivery.acknowledged", id).flatMap((event) => event.data.object.deliveries);
  await until("all are acknowledged", async () => acknowledged().length >= 250, 40_000);
  const values = acknowledged().map((each: { extracted: { externalId: string } }) => each.extracted.externalId);
  expect(new Set(values).size).toBe(250);
  for (const event of heard("delivery.acknowledged", id)) {
    expect(event.data.object.deliveries.length).toBe(event.data.object.count);
    expect(event.data.object.count).toBeLessThanOrEqual(100);
  }
  const [first] = acknowledged();
  const shown = (await node.api("GET", `/v1/deliveries?externalId=${first.extracted.externalId}`)).body.data;
  expect(shown[0]).toMatchObject({ id: first.id, event: "supplier.updated" });
  // The webhook hears of its own, answers with an id, and that acknowledges nothing.
  await until("it has heard them itself", async () => {
    const own = (await node.api("GET", `/v1/deliveries?webhookId=${id}&type=delivery.acknowledged&limit=200`)).body
      .data;
    return own.length >= 3 && own.every((each: { state: string }) => each.state === "delivered");
  });
  await until(
    "nothing more to raise",
    async () =>
      (await node.sql("select 1 from operational_notice where raised_at is null and type = 'delivery.acknowledged'"))
        .length === 0,
  );
  expect(acknowledged()).toHaveLength(250);
}, 90_000);

test("120 hours of failure: warned of at 50, 70 and 90 percent, then disabled; a quiet webhook never is", async () => {
  const failing = await subscribe(await receiverThat(() => 500), ["customer.created"]);
  const quiet = await subscribe(await receiverThat(() => 500), ["customer.updated"]);
  const [owner] = await node.sql<{ tenant_id: string }>("select tenant_id from webhook limit 1");
  const hoursOf = async (id: string, hours: number) => {
    const uuid = uuidFromId("webhook", id as Id<"webhook">);
    await node.sql(
      `insert into webhook_health (tenant_id, webhook_id, since, failing_since, last_failure_at, lane, score, status, phase)
       values ($1, $2, now(), now() - interval '130 hours', now() - interval '130 hours' + $3 * interval '1 hour', 300, 0, 'failing', 'closed')
       on conflict (tenant_id, webhook_id) do update set last_failure_at = excluded.last_failure_at`,
      [owner?.tenant_id, uuid, hours],
    );
  };
  await hoursOf(quiet, 0.01);
  const disabled: string[] = [];
  const look = () =>
    lookAfterTroubled({
      engine: {
        query: (query: never) =>
          node
            .sql((query as { text: string }).text, (query as { values?: unknown[] }).values)
            .then((rows) => ({ rows, rowCount: rows.length })),
      } as never,
      log: { warn() {} } as never,
      nowMs: () => Date.now(),
      disable: async (row) => {
        disabled.push(row.webhook_id);
        return false;
      },
    });
  for (const hours of [59, 61, 61, 85, 109, 109]) {
    await hoursOf(failing, hours);
    await look();
  }
  const told = await hears("webhook.disable_announced", failing, 3);
  expect(told.map((event) => event.data.object.percent)).toEqual([50, 70, 90]);
  expect(told[0].data.object.disablesAt).toMatch(/^20/);
  expect(disabled).toEqual([]);
  await hoursOf(failing, 121);
  await look();
  expect(disabled).toHaveLength(1);
  expect(heard("webhook.disable_announced", quiet)).toEqual([]);
}, 40_000);

test("a crash between storing the event and marking that raises it once, with the same bytes", async () => {
  // A database of its own, whose node raises nothing by itself.
  const quiet = await startTestNode();
  try {
    await quiet.node.stop();
    await quiet.sql(
      `insert into operational_notice (tenant_id, id, at, livemode, type, detail)
       select id, gen_random_uuid(), now(), true, 'delivery.dead_lettered', '{"deliveries": []}' from tenant, generate_series(1, 3)`,
    );
    const asked: OperationalEvent[] = [];
    const options = {
      engine: engineOf(quiet),
      clock: { nowMs: () => Date.now(), monotonicMs: () => performance.now() },
      log: { warn() {} } as never,
      isMailPossible: false,
      hasListener: async () => true,
    };
    const crashed = raiseOperationalEvents({
      ...options,
      publish: async (event) => {
        asked.push(event);
        throw new Error("the node is gone");
      },
    });
    await expect(crashed).rejects.toThrow("the node is gone");
    // More comes before the next node looks: it is no part of what was decided.
    await quiet.sql(
      `insert into operational_notice (tenant_id, id, at, livemode, type, detail)
       select id, gen_random_uuid(), now(), true, 'delivery.dead_lettered', '{"deliveries": []}' from tenant`,
    );
    const publishRaised = async (event: OperationalEvent) => {
      asked.push(event);
      return "stored" as const;
    };
    expect(await raiseOperationalEvents({ ...options, publish: publishRaised })).toBe(1);
    expect(await raiseOperationalEvents({ ...options, publish: publishRaised })).toBe(0); // the fourth waits for its minute
    const [first, second] = asked.map((event) => `${event.idempotencyKey} ${event.body.toString()}`);
    expect(second).toBe(first);
    expect(JSON.parse(asked[0]?.body.toString() ?? "").data.object.count).toBe(3);

    // A quiet time later the fourth is raised, and what was raised before is forgotten.
    const later = { ...options.clock, nowMs: () => Date.now() + 2 * QUIET_MS };
    expect(await raiseOperationalEvents({ ...options, clock: later, publish: publishRaised })).toBe(1);
    const left = await quiet.sql<{ isRaised: boolean }>(
      `select raised_at is not null as "isRaised" from operational_notice`,
    );
    expect(left).toEqual([{ isRaised: true }]);
  } finally {
    await quiet.stop();
  }
});
