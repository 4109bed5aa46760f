// What a retry policy and expireAfter say, against a real receiver.
// Seen to go red: without the calendar's gate in dispatch the request comes inside the window; without the look at the age
// before a request an expired delivery is still sent; with `manual` expiring too the retry by hand sends nothing.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startTestNode, type TestNode } from "../support/node.ts";
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

async function subscribe(type: string, fields: object, answer: () => Answer = () => 500) {
  const receiver = await startReceiver({ answer });
  receivers.push(receiver);
  const made = await node.api("POST", "/v1/webhooks", { url: `${receiver.origin}/`, events: [type], ...fields });
  expect(made.status, JSON.stringify(made.body)).toBe(201);
  return { receiver, id: made.body.data.id as string, view: made.body.data };
}
async function publish(type: string): Promise<string> {
  const answer = await node.api("POST", "/v1/events", { event: type, data: 1 });
  return (await node.api("GET", `/v1/deliveries?eventId=${answer.body.data.id}`)).body.data[0].id;
}
const read = async (id: string) => (await node.api("GET", `/v1/deliveries/${id}`)).body.data;
const ended = (id: string, reason: string) =>
  until(`the end of ${id}`, async () => {
    const shown = await read(id);
    if (shown.state !== "dead_letter") return null;
    expect(shown.deadReason).toBe(reason);
    return shown;
  });

/** A calendar that is closed now, for so long. */
function closedFor(ms: number) {
  const to = new Date(Date.now() + ms).toISOString();
  const window = { from: new Date(Date.now() - 3_600_000).toISOString(), to };
  return { to, calendar: { timeZone: "Asia/Kuala_Lumpur", maintenanceWindows: [window] } };
}

describe("a retry policy", () => {
  test("given as a list of pauses makes one request more than it has pauses", async () => {
    const { receiver, view } = await subscribe("bill.created", { retryPolicy: { delays: [0.05, "0.1s"] } });
    expect(view.retryPolicy).toEqual({ delays: [0.05, 0.1] });
    const shown = await ended(await publish("bill.created"), "attempts_exhausted");
    expect(shown.attemptCount).toBe(3);
    expect(receiver.requests).toHaveLength(3);
  });

  test("with failFastStatuses gives up at once on those, and on no others", async () => {
    const answers = [500, 422];
    const retryPolicy = { backoff: "linear", maxRetries: 5, retryDelay: 0.05, failFastStatuses: [422] };
    const { receiver } = await subscribe("bill.received", { retryPolicy }, () => answers.shift() ?? 200);
    await ended(await publish("bill.received"), "rejected_permanently");
    expect(receiver.requests).toHaveLength(2);
  });

  test("with a calendar starts no attempt inside a closed window, the first one included, and shows the real time", async () => {
    const { calendar, to } = closedFor(3_600_000);
    const { receiver, id: webhook } = await subscribe("bill.approved", { retryPolicy: { calendar } }, () => 200);
    const { receiver: witness } = await subscribe("bill.approved", {}, () => 200);
    const event = (await node.api("POST", "/v1/events", { event: "bill.approved", data: 1 })).body.data.id;
    await witness.received(1);
    expect(receiver.requests).toHaveLength(0);
    const listed = (await node.api("GET", `/v1/deliveries?eventId=${event}&webhookId=${webhook}`)).body.data;
    const shown = await read(listed[0].id);
    expect(shown.nextAttemptAt).toBe(to);
    expect(shown.nextAttempts).toHaveLength(10);
    await node.api("PATCH", `/v1/webhooks/${webhook}`, { retryPolicy: null });
    await receiver.received(1);
  });

  test("with a calendar goes on by itself when it opens, and not before", async () => {
    const { calendar, to } = closedFor(3_000);
    const { receiver } = await subscribe("invoice.overdue", { retryPolicy: { calendar } }, () => 200);
    await publish("invoice.overdue");
    const [request] = await receiver.received(1);
    expect(Number(request?.headers["webhook-timestamp"]) * 1_000).toBeGreaterThanOrEqual(Date.parse(to) - 1_000);
    expect(Date.now()).toBeGreaterThanOrEqual(Date.parse(to));
  });
});

describe("expireAfter", () => {
  test("ends a delivery when its next attempt would be too late; a retry by hand still gets one attempt", async () => {
    const fields = { retryPolicy: { delays: [0.1, 3_600] }, expireAfter: "30m" };
    const { receiver, view } = await subscribe("bill.paid", fields);
    expect(view.expireAfter).toBe(1_800);
    const id = await publish("bill.paid");
    const shown = await ended(id, "expired");
    expect(shown.attemptCount).toBe(2);
    expect((await node.api("POST", `/v1/deliveries/${id}/retry`)).status).toBe(202);
    await receiver.received(3);
  });

  test("ends without a request what comes to its turn too late", async () => {
    const { calendar } = closedFor(3_600_000);
    const fields = { retryPolicy: { calendar }, expireAfter: 1 };
    const { receiver, id: webhook } = await subscribe("supplier.created", fields);
    const id = await publish("supplier.created");
    const { expiresAt } = await read(id);
    await until("its time", async () => Date.now() > Date.parse(expiresAt));
    await node.api("PATCH", `/v1/webhooks/${webhook}`, { retryPolicy: null });
    await ended(id, "expired");
    expect(receiver.requests).toHaveLength(0);
    // Whoever retries by hand gets one attempt, however late.
    expect((await node.api("POST", `/v1/deliveries/${id}/retry`)).status).toBe(202);
    await receiver.received(1);
  });
});

describe("fields that cannot be meant", () => {
  test.each([
    [{ delays: [1], maxRetries: 3 }, "retryPolicy.maxRetries"],
    [{ backoff: "linear", backoffMultiplier: 2 }, "retryPolicy.backoffMultiplier"],
    [{ increment: 5 }, "retryPolicy.increment"],
    [{ delays: ["soon"] }, "retryPolicy.delays[0]"],
    [{ delays: Array(10).fill("7d") }, "retryPolicy"],
    [{ failFastStatuses: [200] }, "retryPolicy.failFastStatuses[0]"],
    [
      { calendar: { timeZone: "Mars/Olympus", businessHours: [{ from: "09:00", to: "18:00" }] } },
      "retryPolicy.calendar.timeZone",
    ],
    [{ calendar: { timeZone: "UTC" } }, "retryPolicy.calendar"],
    [
      { calendar: { timeZone: "UTC", businessHours: [{ from: "09:00", to: "09:00" }] } },
      "retryPolicy.calendar.businessHours[0]",
    ],
    [{ calendar: { timeZone: "UTC", maintenanceWindows: [{ from: "00:00", to: "24:00" }] } }, "retryPolicy.calendar"],
  ])("%j is refused by name", async (retryPolicy, field) => {
    const body = { url: "http://127.0.0.1:9/", events: ["bill.created"], retryPolicy };
    const answer = await node.api("POST", "/v1/webhooks", body);
    expect(answer.status).toBe(422);
    expect(answer.body.error.details.map((detail: { field: string }) => detail.field)).toContain(field);
  });

  test("the published form is shown as it was given, its defaults filled in", async () => {
    const { view } = await subscribe("supplier.updated", { retryPolicy: { maxRetries: 2 } });
    expect(view.retryPolicy).toEqual({ maxRetries: 2, retryDelay: 5, backoffMultiplier: 2 });
    expect(view.expireAfter).toBeNull();
  });
});
