// `POST /webhooks/{id}/test` and `GET /deliveries/{id}/request` on a whole node: what is sent and shown is what a
// delivery would be. Broken on purpose: with the header of a test left out, or unmasked headers shown, these go red.
import { createHash, createHmac } from "node:crypto";
import { signingKeys, uuidFromId } from "@posthorn/contract";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startTestNode, TEST_API_KEY, type TestNode } from "../support/node.ts";
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

const SECRET = "your-secret-key-0123456789";

async function subscribe(fields: Record<string, unknown> = {}, answer: () => Answer | Promise<Answer> = () => 200) {
  const receiver = await startReceiver({ answer });
  receivers.push(receiver);
  const made = await node.api("POST", "/v1/webhooks", {
    url: `${receiver.origin}/in?x=1`,
    events: ["invoice.paid"],
    secret: SECRET,
    ...fields,
  });
  expect(made.status, JSON.stringify(made.body)).toBe(201);
  return { receiver, id: made.body.data.id as string };
}
const send = (id: string, body: unknown = { event: "invoice.paid" }) =>
  node.api("POST", `/v1/webhooks/${id}/test`, body);
const signatureOf = (body: Uint8Array, secret = SECRET): string =>
  `sha256=${createHmac("sha256", secret).update(body).digest("hex")}`;

test("a test of something that is no event type is refused: the type goes into a header and into the envelope", async () => {
  const { receiver, id } = await subscribe({ events: ["invoice.*"] });
  for (const event of ['invoice.x"\r\nX-Evil: 1', 'invoice.","livemode":false,"x":"', "invoice.pä", "", "invoice."]) {
    const answer = await send(id, { event, testData: {} });
    expect([answer.status, answer.body.error?.details[0]?.field], event).toEqual([422, "event"]);
  }
  expect((await send(id, { event: "invoice.of_no_kind", testData: {} })).body.data.delivered).toBe(true);
  expect(await receiver.received(1)).toHaveLength(1);
});

describe("a test", () => {
  test("sends the catalogue's example as a delivery would, and answers with what came back", async () => {
    const { receiver, id } = await subscribe({ headers: { "X-Api-Key": "k-1", "X-Shop": "7" } }, () => ({
      status: 201,
      headers: { "x-trace": "abc", "set-cookie": "session=1" },
      body: "taken",
    }));
    const { status, body } = await send(id);
    expect(status, JSON.stringify(body)).toBe(200);
    const { data } = body;
    const [request] = await receiver.received(1);
    const example = (await node.api("GET", "/v1/event-types/invoice.paid")).body.data.example;
    const envelope = JSON.parse(request!.body.toString());
    expect(envelope).toMatchObject({ event: "invoice.paid", livemode: true, api_version: "v1", data: example.data });
    expect(envelope.context).toEqual(example.context);
    expect(envelope.id).toMatch(/^evt_/);
    expect(request!.path).toBe("/in?x=1");
    expect(request!.headers).toMatchObject({
      "x-api-key": "k-1",
      "x-shop": "7",
      "x-bigledger-test": "true",
      "x-bigledger-attempt": "1",
      "x-bigledger-event": "invoice.paid",
      "webhook-id": envelope.id,
      "x-signature": signatureOf(request!.body),
    });
    expect(data).toMatchObject({
      delivered: true,
      outcome: "delivered",
      responseCode: 201,
      responseBody: "taken",
      responseBodyEncoding: "utf8",
      responseBodyTruncated: false,
    });
    expect(data.responseHeaders).toMatchObject({ "x-trace": "abc", "set-cookie": "********" });
    expect(data.responseTime).toBeGreaterThanOrEqual(0);
    expect(data.error).toBeUndefined();
    expect(data.request).toMatchObject({
      method: "POST",
      url: `${receiver.origin}/in?x=1`,
      body: request!.body.toString(),
    });
    expect(data.request.headers).toMatchObject({
      "X-Api-Key": "********",
      "X-Shop": "7",
      "x-signature": signatureOf(request!.body),
      "x-bigledger-test": "true",
    });
  });

  test("sends the data given, and leaves no trace of event, delivery or figure", async () => {
    const { receiver, id } = await subscribe();
    const before = await node.sql("select (select count(*) from event) as e, (select count(*) from attempt) as a");
    await send(id, { event: "invoice.paid", testData: { object: { total: 12.5, note: "ü" } } });
    const [request] = await receiver.received(1);
    const envelope = JSON.parse(request!.body.toString());
    expect(envelope.data).toEqual({ object: { total: 12.5, note: "ü" } });
    expect(envelope.context).toBeUndefined();
    expect(await node.sql("select (select count(*) from event) as e, (select count(*) from attempt) as a")).toEqual(
      before,
    );
    expect((await node.api("GET", `/v1/events/${envelope.id}`)).status).toBe(404);
    for (const testData of [null, 0, "text", []]) {
      expect((await send(id, { event: "invoice.paid", testData })).body.data.delivered).toBe(true);
    }
  });

  test("works while the webhook is paused, disabled or at its rate limit", async () => {
    const { receiver, id } = await subscribe({ rateLimit: { limit: 1, per: "hour" } });
    await node.api("POST", `/v1/webhooks/${id}/pause`);
    expect((await send(id)).body.data.delivered).toBe(true);
    await node.api("PATCH", `/v1/webhooks/${id}`, { active: false });
    expect((await send(id)).body.data.delivered).toBe(true);
    expect((await send(id)).body.data.delivered).toBe(true);
    expect(receiver.requests).toHaveLength(3);
  });

  test("renders the webhook's template", async () => {
    const transform = { template: { number: "{{ invoice.invoiceNumber }}", none: "{{ invoice.nothing_of_it }}" } };
    const { receiver, id } = await subscribe({ transform });
    const { body } = await send(id);
    const [request] = await receiver.received(1);
    const sent = JSON.parse(request!.body.toString());
    expect(sent.number).toMatch(/./);
    expect(sent.none).toBeNull();
    expect(body.data.request.body).toBe(request!.body.toString());
    expect(body.data.warnings[0].message).toContain("invoice.nothing_of_it");
  });

  test("says what went wrong: a refusal, silence, no listener, a body that is no text", async () => {
    const rejected = await subscribe({}, () => ({ status: 422, body: Buffer.from([0xff, 0xfe, 0x00]) }));
    expect((await send(rejected.id)).body.data).toMatchObject({
      delivered: false,
      outcome: "rejected",
      responseCode: 422,
      responseBody: Buffer.from([0xff, 0xfe, 0x00]).toString("base64"),
      responseBodyEncoding: "base64",
    });
    const silent = await subscribe({ timeout: 1 }, () => "hang");
    const timedOut = (await send(silent.id)).body.data;
    expect(timedOut).toMatchObject({
      delivered: false,
      outcome: "timed_out",
      responseCode: null,
      responseHeaders: null,
    });
    expect(timedOut.error).toEqual({ code: "TIMED_OUT_RESPONSE", message: expect.stringContaining("waiting") });
    const gone = await subscribe();
    await gone.receiver.close();
    const refused = (await send(gone.id)).body.data;
    expect([refused.outcome, refused.error.code]).toEqual(["connection_failed", "ECONNREFUSED"]);
  });

  test("does not disable a webhook that answers 410", async () => {
    const { id } = await subscribe({}, () => 410);
    expect((await send(id)).body.data.outcome).toBe("gone");
    expect((await node.api("GET", `/v1/webhooks/${id}`)).body.data.status).toBe("enabled");
  });

  test("signs with the next secret during a rotation, when asked to", async () => {
    const { receiver, id } = await subscribe();
    expect((await send(id, { event: "invoice.paid", secret: "next" })).body.error.code).toBe("CONFLICT");
    const next = "another-secret-key-987654321";
    const rotated = await node.api("POST", `/v1/webhooks/${id}/secret/rotate`, { secret: next });
    expect(rotated.status, JSON.stringify(rotated.body)).toBeLessThan(300);
    await send(id, { event: "invoice.paid" });
    await send(id, { event: "invoice.paid", secret: "next" });
    const [current, later] = await receiver.received(2);
    expect(current!.headers["x-signature"]).toBe(signatureOf(current!.body));
    expect(later!.headers["x-signature"]).toBe(signatureOf(later!.body, next));
  });

  test("refuses event types that nobody knows, with the nearest; takes those that the webhook names", async () => {
    const { id } = await subscribe();
    const unknown = await send(id, { event: "invoice.payd" });
    expect([unknown.status, unknown.body.error.code]).toEqual([422, "UNKNOWN_EVENT_TYPE"]);
    expect(unknown.body.error.message).toContain("invoice.paid");
    expect((await send(id, {})).status).toBe(422);
    expect((await send(id, { event: "invoice.paid", tstData: 1 })).body.error.code).toBe("UNKNOWN_FIELD");
    expect((await send("webhook_01JDZZZZZZZZZZZZZZZZZZZZZZ")).status).toBe(404);
    await node.api("DELETE", `/v1/webhooks/${id}`);
    expect((await send(id)).status).toBe(404);
  });

  test("ends at once when the node stops", async () => {
    const own = await startTestNode();
    const receiver = await startReceiver({ answer: () => "hang" });
    receivers.push(receiver);
    const made = await own.api("POST", "/v1/webhooks", { url: `${receiver.origin}/`, events: ["*"], timeout: 30 });
    const answer = own.api("POST", `/v1/webhooks/${made.body.data.id}/test`, { event: "invoice.paid" });
    await receiver.received(1);
    const stopped = own.stop();
    expect((await answer).body.data).toMatchObject({ delivered: false, outcome: "interrupted" });
    await stopped;
  });
});

describe("the request of a delivery", () => {
  const publish = async (data: unknown = { object: { id: "inv_1" } }): Promise<string> => {
    const answer = await node.api("POST", "/v1/events", { event: "invoice.paid", data, context: { userId: "u" } });
    return answer.body.data.id;
  };
  const deliveryTo = async (webhook: string, event: string): Promise<Record<string, unknown>> =>
    until("the delivery", async () => {
      const { body } = await node.api("GET", `/v1/deliveries?eventId=${event}&webhookId=${webhook}`);
      return body.data[0];
    });

  test("is the one that was sent, with a fresh number and masked values, and its hash matches", async () => {
    const { receiver, id } = await subscribe({ auth: { type: "bearer", token: "very-secret-token" } });
    const event = await publish();
    const [sent] = await receiver.received(1);
    const delivery = await deliveryTo(id, event);
    await until("its end", async () => (await deliveryTo(id, event))["state"] === "delivered");
    const { status, body } = await node.api("GET", `/v1/deliveries/${delivery["id"]}/request`);
    expect(status, JSON.stringify(body)).toBe(200);
    const { data } = body;
    expect(data).toMatchObject({ method: "POST", url: `${receiver.origin}/in?x=1`, bodyHashMatches: true });
    expect(Buffer.from(data.body).equals(sent!.body)).toBe(true);
    expect(sent!.headers["authorization"]).toBe("Bearer very-secret-token");
    expect(JSON.stringify(body)).not.toContain("very-secret-token");
    expect(data.headers).toMatchObject({
      "x-bigledger-attempt": "2",
      "x-bigledger-delivery": delivery["id"],
      "webhook-id": event,
      "x-signature": signatureOf(sent!.body),
    });
    expect(data.headers["x-bigledger-test"]).toBeUndefined();
    const standard = createHmac("sha256", signingKeys(SECRET)!.standard)
      .update(`${event}.${data.headers["webhook-timestamp"]}.${data.body}`)
      .digest("base64");
    expect(data.headers["webhook-signature"]).toBe(`v1,${standard}`);
    expect(receiver.requests).toHaveLength(1);
  });

  test("follows the configuration of now: then its hash does not match; without an attempt there is none", async () => {
    const { receiver, id } = await subscribe();
    const event = await publish();
    await receiver.received(1);
    await until("its end", async () => (await deliveryTo(id, event))["state"] === "delivered");
    const path = `/v1/deliveries/${(await deliveryTo(id, event))["id"]}/request`;
    await node.api("PATCH", `/v1/webhooks/${id}`, {
      transform: { template: { id: "{{ invoice.id }}" } },
      method: "PUT",
    });
    const changed = (await node.api("GET", path)).body.data;
    expect(changed).toMatchObject({ method: "PUT", body: '{"id":"inv_1"}', bodyHashMatches: false });
    await node.api("POST", `/v1/webhooks/${id}/pause`);
    const held = await deliveryTo(id, await publish());
    expect((await node.api("GET", `/v1/deliveries/${held["id"]}/request`)).body.data).toMatchObject({
      bodyHashMatches: null,
      headers: { "x-bigledger-attempt": "1" },
    });
    await node.api("DELETE", `/v1/webhooks/${id}`);
    const gone = await node.api("GET", path);
    expect([gone.status, gone.body.error.code]).toEqual([409, "CONFLICT"]);
  });

  test("is not to be had for an erased event, an absent delivery, or without both scopes", async () => {
    const { receiver, id } = await subscribe();
    const event = await publish();
    await receiver.received(1);
    const delivery = await deliveryTo(id, event);
    const path = `/v1/deliveries/${delivery["id"]}/request`;
    expect((await node.api("GET", "/v1/deliveries/dlv_01JDZZZZZZZZZZZZZZZZZZZZZZ/request")).status).toBe(404);
    const key = "a-key-that-may-only-retry-0001";
    await node.sql(
      `insert into api_key (tenant_id, id, created_at, config_version, livemode, key_hash, name, last_characters, scopes)
       select tenant_id, gen_random_uuid(), now(), 1, true, $1, 'retry', '0001', array['write:deliveries']
       from api_key where key_hash = $2`,
      [createHash("sha256").update(key).digest(), createHash("sha256").update(TEST_API_KEY).digest()],
    );
    const refused = await node.api("GET", path, undefined, { authorization: `Bearer ${key}` });
    expect([refused.status, refused.body.error.details[0].required_scope]).toEqual([403, "read:events"]);
    await node.sql("update event set erased_at = now() where id = $1", [uuidFromId("event", event as never)]);
    expect((await node.api("GET", path)).body.error.code).toBe("CONFLICT");
  });
});
