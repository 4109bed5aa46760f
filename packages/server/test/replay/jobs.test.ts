// Bulk replays as stored jobs, and cancelling many: against real receivers, with another node going on in the middle.
// To break on purpose (not tried yet): when a chunk does not ask for the cursor, or the cursor is not moved in the chunk's own statement,
// "goes on where it stood" goes red; without the look at what is due, "yields" does.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { callApi, startTestNode, type TestNode } from "../support/node.ts";
import { type Answer, type Receiver, startReceiver } from "../support/receivers/receiver.ts";
import { until } from "../support/until.ts";

let node: TestNode;
const receivers: Receiver[] = [];
beforeAll(async () => {
  node = await startTestNode();
});
afterAll(async () => {
  await node?.stop();
  for (const receiver of receivers) await receiver.close();
});

const START = new Date(Date.now() - 60_000).toISOString();
async function subscribe(events: string[], fields: object = {}, answer: () => Answer | Promise<Answer> = () => 200) {
  const receiver = await startReceiver({ answer });
  receivers.push(receiver);
  const made = await node.api("POST", "/v1/webhooks", { url: `${receiver.origin}/`, events, ...fields });
  expect(made.status, JSON.stringify(made.body)).toBe(201);
  return { receiver, id: made.body.data.id as string };
}
async function publish(type: string, count: number, from = 0): Promise<string[]> {
  const ids: string[] = [];
  for (let at = 0; at < count; at += 500) {
    const events = Array.from({ length: Math.min(500, count - at) }, (_, index) => ({
      event: type,
      data: { object: { total: from + at + index } },
    }));
    const answer = await node.api("POST", "/v1/events/batch", { events });
    for (const result of answer.body.data.results) ids.push(result.id);
  }
  return ids;
}
async function start(body: object) {
  const answer = await node.api("POST", "/v1/replays", { from: START, ...body });
  expect(answer.status, JSON.stringify(answer.body)).toBe(202);
  return answer.body.data;
}
const read = async (id: string) => (await node.api("GET", `/v1/replays/${id}`)).body.data;
const ended = (id: string, state = "done") =>
  until(
    `${id} is ${state}`,
    async () => {
      const job = await read(id);
      if (job.state === "running") return null;
      expect(job.state, JSON.stringify(job)).toBe(state);
      return job;
    },
    30_000,
  );
const idsOf = (receiver: Receiver) => receiver.requests.map((request) => request.headers["webhook-id"]);

describe("a bulk replay", () => {
  test("of what was missed brings events from before the webhook existed, once each, those that match it now", async () => {
    const events = await publish("bill.created", 450);
    const { receiver, id } = await subscribe(["bill.created"], { filters: ["bill.total >= 100"] });
    const counted = await ended(
      (await start({ webhookId: id, which: "missed", filter: "bill.total < 440", dryRun: true })).id,
    );
    expect(counted).toMatchObject({ dryRun: true, count: 340, progress: 1 });
    expect(counted.estimatedSeconds).toBeGreaterThanOrEqual(1);
    expect(receiver.requests).toHaveLength(0);

    const job = await ended((await start({ webhookId: id, which: "missed", filter: "bill.total < 440" })).id);
    expect(job).toMatchObject({ count: 340, which: "missed", problem: null });
    await receiver.received(340);
    expect(idsOf(receiver).sort()).toEqual(events.slice(100, 440).sort());
    // What it has had by now is missed no more.
    const again = await ended((await start({ webhookId: id, which: "missed", dryRun: true })).id);
    expect(again.count).toBe(10);
    expect((await ended((await start({ webhookId: id, which: "all", dryRun: true })).id)).count).toBe(350);
    const trail = await node.sql<{ actor: string }>("select actor from audit_entry where action = 'replay.started'");
    expect(trail.length).toBeGreaterThanOrEqual(1);
  });

  test("of the gap in which the webhook was disabled", async () => {
    const { receiver, id } = await subscribe(["bill.received"]);
    await publish("bill.received", 1);
    await receiver.received(1);
    await node.api("PATCH", `/v1/webhooks/${id}`, { active: false });
    const gap = await publish("bill.received", 3);
    const enabled = await node.api("PATCH", `/v1/webhooks/${id}`, { active: true });
    // The answer says how many, and what brings exactly these.
    const { missed } = enabled.body.data;
    expect(missed).toMatchObject({ count: 3, isMore: false, replay: { webhookId: id, which: "missed" } });
    expect((await node.api("PATCH", `/v1/webhooks/${id}`, { active: true })).body.data.missed).toBeUndefined();
    const started = await node.api("POST", "/v1/replays", missed.replay);
    expect(started.status, JSON.stringify(started.body)).toBe(202);
    const job = await ended(started.body.data.id);
    expect(job.count).toBe(3);
    await receiver.received(4);
    expect(idsOf(receiver).slice(1).sort()).toEqual(gap.sort());
  });

  test("of what was owed goes by how it ended, and leaves out what is on its way", async () => {
    let isBroken = true;
    const { receiver, id } = await subscribe(["bill.approved"], { retryPolicy: { maxRetries: 0 } }, () =>
      isBroken ? 500 : 200,
    );
    await publish("bill.approved", 3);
    await until("dead letters", async () => {
      const { data } = (await node.api("GET", `/v1/dead-letters?webhookId=${id}`)).body;
      return data.length === 3;
    });
    isBroken = false;
    const job = await ended((await start({ webhookId: id, states: ["dead_letter"] })).id);
    expect(job).toMatchObject({ count: 3, examined: 3, which: "owed" });
    await receiver.received(6);
    expect((await ended((await start({ webhookId: id, states: ["cancelled"], dryRun: true })).id)).count).toBe(0);
  });

  test("goes on where it stood when another node takes its lane over, and doubles nothing", async () => {
    const { receiver, id } = await subscribe(["bill.paid"]);
    const events = await publish("bill.paid", 900);
    await receiver.received(900);
    const other = await node.startAnother();
    const job = await start({ webhookId: id });
    // The lanes move while it runs; whoever owns this one writes its chunks.
    await until("a chunk", async () => (await read(job.id)).count > 0);
    await other.stop();
    expect(await ended(job.id)).toMatchObject({ count: 900, examined: 900 });
    await receiver.received(1_800);
    const counts = new Map<string | undefined, number>();
    for (const each of idsOf(receiver)) counts.set(each, (counts.get(each) ?? 0) + 1);
    expect(events.every((each) => counts.get(each) === 2)).toBe(true);
  });

  test("yields: nothing more of it is written while its webhook has enough to do, and it can be cancelled", async () => {
    let open!: () => void;
    const opened = new Promise<void>((resolve) => {
      open = resolve;
    });
    let isHeld = false;
    const { receiver, id } = await subscribe(["supplier.created"], { maxInFlight: 1, timeout: 30 }, async () => {
      if (isHeld) await opened;
      return 200;
    });
    await publish("supplier.created", 450);
    await receiver.received(450);
    isHeld = true;
    const job = await start({ webhookId: id });
    await until("the first chunk", async () => (await read(job.id)).count > 0);
    expect((await read(job.id)).count).toBe(200);
    const cancelled = await node.api("POST", `/v1/replays/${job.id}/cancel`);
    expect(cancelled.body.data).toMatchObject({ state: "cancelled", count: 200 });
    expect((await node.api("POST", `/v1/replays/${job.id}/cancel`)).status).toBe(409);

    // Its deliveries are still owed: they are cancelled as others are.
    const dry = await node.api("POST", `/v1/webhooks/${id}/cancel-pending`, { dryRun: true });
    expect(dry.body.data).toEqual({ dryRun: true, count: 200, hasMore: false });
    const part = await node.api("POST", `/v1/webhooks/${id}/cancel-pending`, { limit: 50 });
    expect(part.body.data).toEqual({ dryRun: false, count: 50, hasMore: true });
    expect((await node.api("POST", `/v1/webhooks/${id}/cancel-pending`)).body.data.count).toBe(150);
    await until("its owner has heard", async () => (await node.sql("select 1 from cancel_notice")).length === 0);
    open();
    expect(receiver.requests.length).toBeLessThanOrEqual(451);
    const { data } = (await node.api("GET", `/v1/deliveries?webhookId=${id}&state=cancelled&limit=200`)).body;
    expect(data).toHaveLength(200);
  });

  test("is refused for a paused webhook, another mode's, a broken filter and foreign members", async () => {
    const { id } = await subscribe(["supplier.updated"]);
    await node.api("POST", `/v1/webhooks/${id}/pause`);
    const refused = async (body: object) => {
      const answer = await node.api("POST", "/v1/replays", { webhookId: id, from: START, ...body });
      return [answer.status, answer.body.error.details[0]?.code ?? answer.body.error.code];
    };
    expect(await refused({})).toEqual([409, "CONFLICT"]);
    expect(await refused({ webhookId: "webhook_01M85E49TGEY9RXH7T9DZ16ZPH" })).toEqual([422, "UNKNOWN_WEBHOOK"]);
    expect(await refused({ filter: "bill.total >" })).toEqual([422, "INVALID_EXPRESSION"]);
    expect(await refused({ which: "missed", states: ["delivered"] })).toEqual([422, "INVALID_VALUE"]);
    expect((await node.api("GET", "/v1/replays/replay_01M85E49TGEY9RXH7T9DZ16ZPH")).status).toBe(404);
  });
});

describe("cancelling an event", () => {
  test("ends its pending and held deliveries, or those to one webhook", async () => {
    const held = [await subscribe(["invoice.sent"]), await subscribe(["invoice.sent"])];
    for (const { id } of held) await node.api("POST", `/v1/webhooks/${id}/pause`);
    const [event] = await publish("invoice.sent", 1);
    const path = `/v1/events/${event}/cancel`;
    expect((await node.api("POST", path, { dryRun: true })).body.data).toMatchObject({ dryRun: true, count: 2 });
    expect((await node.api("POST", path, { webhookId: held[0]?.id })).body.data.count).toBe(1);
    expect((await node.api("POST", path)).body.data).toEqual({ dryRun: false, count: 1, hasMore: false });
    for (const { id } of held) await node.api("POST", `/v1/webhooks/${id}/resume`);
    const shown = (await callApi(node.node.url, "GET", `/v1/deliveries?eventId=${event}`)).body.data;
    expect(shown.map((each: { state: string }) => each.state)).toEqual(["cancelled", "cancelled"]);
    expect((await node.api("POST", "/v1/events/evt_01M85E49VEEH89Z5GRVMA6GG5E/cancel")).status).toBe(404);
  });
});
