// Success and response rules against a real receiver.
// Seen to go red: when decide ignores what a rule wants, "dead_letter", "disable" and "retry after" do;
// when the body is kept only to 16 KiB, "a long answer" does.
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

const json = (status: number, body: unknown): Answer => ({
  status,
  headers: { "content-type": "application/json" },
  body: JSON.stringify(body),
});
async function subscribe(type: string, fields: object, answer: (index: number) => Answer) {
  const receiver = await startReceiver({ answer: (_, index) => answer(index) });
  receivers.push(receiver);
  const body = { url: `${receiver.origin}/`, events: [type], retryPolicy: { delays: [0.05] }, ...fields };
  const made = await node.api("POST", "/v1/webhooks", body);
  expect(made.status, JSON.stringify(made.body)).toBe(201);
  return { receiver, id: made.body.data.id as string, view: made.body.data };
}
async function publish(type: string): Promise<string> {
  const answer = await node.api("POST", "/v1/events", { event: type, data: 1 });
  return (await node.api("GET", `/v1/deliveries?eventId=${answer.body.data.id}`)).body.data[0].id;
}
const read = async (id: string) => (await node.api("GET", `/v1/deliveries/${id}`)).body.data;
const inState = (id: string, state: string) =>
  until(`${id} is ${state}`, async () => {
    const shown = await read(id);
    return shown.state === state ? shown : null;
  });

describe("successWhen", () => {
  test('200 with {"success":false} is a failure, and is tried again until it is a success', async () => {
    const { receiver } = await subscribe("bill.created", { successWhen: "response.body.success == true" }, (index) =>
      json(200, { success: index === 1 }),
    );
    const shown = await inState(await publish("bill.created"), "delivered");
    expect(shown.attempts.map((attempt: { outcome: string }) => attempt.outcome)).toEqual([
      "rejected_by_rule",
      "delivered",
    ]);
    expect(shown.attempts[0].outcomeCode).toBe("successWhen");
    expect(receiver.requests).toHaveLength(2);
  });

  test("409 duplicate is a success", async () => {
    const successWhen = 'response.status < 300 || (response.status == 409 && response.body.code == "duplicate")';
    const { receiver } = await subscribe("bill.received", { successWhen }, () => json(409, { code: "duplicate" }));
    await inState(await publish("bill.received"), "delivered");
    expect(receiver.requests).toHaveLength(1);
  });

  test("a long answer is read to its end, and only its beginning is kept", async () => {
    const { view } = await subscribe("bill.approved", { successWhen: "response.body.ok" }, () =>
      json(200, { filler: "x".repeat(40_000), ok: true }),
    );
    expect(view.successWhen).toBe("response.body.ok");
    const shown = await inState(await publish("bill.approved"), "delivered");
    expect(shown.attempts[0].response).toMatchObject({ bodyTruncated: true });
    expect(shown.attempts[0].response.body).toHaveLength(16 * 1024);
  });
});

describe("onResponse", () => {
  test("keeps the receiver's own id, and finds the delivery by it", async () => {
    const onResponse = [{ when: "response.status == 201", extract: { externalId: "response.body.id" } }];
    await subscribe("bill.paid", { onResponse }, () => json(201, { id: "xero-8f3" }));
    const id = await publish("bill.paid");
    const shown = await inState(id, "delivered");
    expect(shown.attempts[0].extracted).toEqual({ externalId: "xero-8f3" });
    const found = await node.api("GET", "/v1/deliveries?externalId=xero-8f3");
    expect(found.body.data.map((each: { id: string }) => each.id)).toEqual([id]);
    const wrong = [`externalId=xero`, `externalId=xero-8f3&state=dead_letter`, `externalId=xero-8f3&type=invoice.*`];
    for (const query of wrong) expect((await node.api("GET", `/v1/deliveries?${query}`)).body.data).toEqual([]);
  });

  test("retry after: waits as long as the rule says, by the receiver's own word", async () => {
    const onResponse = [{ when: "response.body.code == 'LATER'", then: "retry", after: "response.body.seconds" }];
    await subscribe("supplier.created", { onResponse }, () => json(200, { code: "LATER", seconds: 5_000 }));
    const id = await publish("supplier.created");
    const shown = await until("the first attempt", async () => {
      const now = await read(id);
      return now.attemptCount === 1 ? now : null;
    });
    const [attempt] = shown.attempts;
    const waitMs = Date.parse(shown.nextAttemptAt) - Date.parse(attempt.startedAt) - attempt.durationMs;
    expect(Math.abs(waitMs - 5_000_000)).toBeLessThan(2_000);
  });

  test("dead_letter: ends at once, whatever the policy", async () => {
    const onResponse = [{ when: "response.status == 400", then: "dead_letter" }];
    const { receiver } = await subscribe("supplier.updated", { onResponse }, () => 400);
    const shown = await inState(await publish("supplier.updated"), "dead_letter");
    expect(shown).toMatchObject({ deadReason: "rejected_permanently", attemptCount: 1 });
    expect(shown.attempts[0]).toMatchObject({ outcome: "rejected_by_rule", outcomeCode: "onResponse[0]" });
    expect(receiver.requests).toHaveLength(1);
  });

  test("pause: the delivery is held with the webhook, and goes out when it is resumed", async () => {
    const onResponse = [{ when: "response.status == 402", then: "pause" }];
    const { receiver, id: webhook } = await subscribe("invoice.sent", { onResponse }, (index) =>
      index === 0 ? 402 : 200,
    );
    const id = await publish("invoice.sent");
    await inState(id, "held");
    expect((await node.api("GET", `/v1/webhooks/${webhook}`)).body.data.status).toBe("paused");
    await node.api("POST", `/v1/webhooks/${webhook}/resume`);
    await inState(id, "delivered");
    expect(receiver.requests).toHaveLength(2);
    const trail = await node.sql("select actor from audit_entry where action = 'webhook.paused' and object_id = $1", [
      webhook,
    ]);
    expect(trail).toHaveLength(1);
  });

  test("disable: the webhook is off, with the reason, and what it was owed is kept as dead letters", async () => {
    const onResponse = [{ when: "response.status == 403", then: "disable" }];
    const { id: webhook } = await subscribe("invoice.viewed", { onResponse }, () => 403);
    const shown = await inState(await publish("invoice.viewed"), "dead_letter");
    expect(shown.deadReason).toBe("webhook_disabled");
    const view = await until("its status", async () => {
      const { data } = (await node.api("GET", `/v1/webhooks/${webhook}`)).body;
      return data.status === "disabled" ? data : null;
    });
    expect(view).toMatchObject({ active: false, disabledReason: "response_rule" });
  });

  test("a rule that goes beyond its limits does not match, with a warning on the attempt", async () => {
    const when = "response.body.l.all(a, response.body.l.all(b, a == b || a != b))";
    const l = Array.from({ length: 2_000 }, (_, index) => index);
    await subscribe("invoice.paid", { onResponse: [{ when, then: "dead_letter" }] }, () => json(200, { l }));
    const shown = await inState(await publish("invoice.paid"), "delivered");
    expect(shown.attempts[0].warnings).toMatchObject([{ code: "RULE_NOT_EVALUATED", field: "onResponse[0].when" }]);
  });
});

test("a test of the webhook and a preview judge by the same rules", async () => {
  const fields = {
    successWhen: "response.body.ok",
    onResponse: [{ when: "response.status == 409", then: "delivered", extract: { externalId: "response.body.id" } }],
  };
  const { id } = await subscribe("invoice.overdue", fields, () => json(200, { ok: false }));
  const tested = await node.api("POST", `/v1/webhooks/${id}/test`, { event: "invoice.overdue" });
  expect(tested.body.data).toMatchObject({ delivered: false, outcome: "rejected_by_rule", decidedBy: "successWhen" });
  const preview = async (response: object) => {
    const body = { webhook: id, event: { example: "invoice.paid" }, response };
    const answer = await node.api("POST", "/v1/preview", body);
    expect(answer.status, JSON.stringify(answer.body)).toBe(200);
    return answer.body.data.answer;
  };
  expect(await preview({ status: 409, body: { id: "8f3" } })).toMatchObject({
    outcome: "delivered",
    decidedBy: "onResponse[0]",
    verdict: "delivered",
    extracted: { externalId: "8f3" },
  });
  expect(await preview({ status: 200, body: "no JSON" })).toMatchObject({
    outcome: "rejected_by_rule",
    verdict: "retry",
  });
  expect(await preview({ status: 410 })).toMatchObject({ verdict: "dead_letter", webhookBecomes: "disabled" });
});

describe("rules that cannot be meant", () => {
  test.each([
    [{ successWhen: "response.status ==" }, "successWhen", "INVALID_EXPRESSION"],
    [{ successWhen: "invoice.total > 1" }, "successWhen", "INVALID_EXPRESSION"],
    [{ onResponse: [{ when: "true" }] }, "onResponse[0]", "INVALID_VALUE"],
    [{ onResponse: [{ when: "true", then: "delivered", after: 5 }] }, "onResponse[0].after", "INVALID_VALUE"],
    [{ onResponse: [{ when: "true", then: "retry", after: "30d" }] }, "onResponse[0].after", "INVALID_VALUE"],
    [{ onResponse: [{ when: "true", then: "explode" }] }, "onResponse[0].then", "INVALID_VALUE"],
    [
      { onResponse: [{ when: "true", extract: { "a b": "response.body" } }] },
      "onResponse[0].extract.a b",
      "INVALID_VALUE",
    ],
  ])("%j is refused by name", async (fields, field, code) => {
    const answer = await node.api("POST", "/v1/webhooks", {
      url: "http://127.0.0.1:9/",
      events: ["bill.created"],
      ...fields,
    });
    expect(answer.status).toBe(422);
    expect(answer.body.error.details[0]).toMatchObject({ field, code });
  });
});
