// What a webhook's requests are made of: each format, forms and texts, and what differs by event type, on a whole node
// with a real receiver. What is sent, tested, previewed and shown afterwards must be the same. Broken on purpose: with
// parts left out of `headersWith`, or the envelope sent for a format, these go red.
import { createHmac } from "node:crypto";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { startTestNode, type TestNode } from "../support/node.ts";
import { type ReceivedRequest, type Receiver, startReceiver } from "../support/receivers/receiver.ts";
import { until } from "../support/until.ts";

const SECRET = "your-secret-key";
const DATA = '{ "object":{"id":"cust_1","name":"Ünï / co","total":10.50,"n":12345678901234567890.10},"x":[ ]}';

let node: TestNode;
let receiver: Receiver;
beforeAll(async () => {
  node = await startTestNode();
  receiver = await startReceiver();
});
afterAll(async () => {
  await node?.stop();
  await receiver?.close();
});
afterEach(async () => {
  for (const { id } of (await node.api("GET", "/v1/webhooks")).body.data)
    await node.api("DELETE", `/v1/webhooks/${id}`);
});

const webhookAt = (fields: object) => ({
  url: `${receiver.origin}/in`,
  events: ["customer.*"],
  secret: SECRET,
  ...fields,
});

async function subscribe(fields: object): Promise<string> {
  const made = await node.api("POST", "/v1/webhooks", webhookAt(fields));
  expect(made.status, JSON.stringify(made.body)).toBe(201);
  return made.body.data.id;
}

/** Publishes, and answers with the request that came of it and the delivery. */
async function sentFor(
  event: string,
  data = DATA,
): Promise<{ request: ReceivedRequest; delivery: string; eventId: string }> {
  const before = receiver.requests.length;
  const context = '{"companyId":"company_7","userId":"user_9","source":"pos"}';
  const answer = await node.api(
    "POST",
    "/v1/events",
    `{"event":"${event}","data":${data},"timestamp":"2026-11-23T08:00:00Z","context":${context}}`,
  );
  expect(answer.status, JSON.stringify(answer.body)).toBe(202);
  const request = (await receiver.received(before + 1))[before] as ReceivedRequest;
  const eventId = answer.body.data.id as string;
  const delivery = await until("the delivery to end", async () => {
    const { body } = await node.api("GET", `/v1/deliveries?eventId=${eventId}&state=delivered`);
    return body.data[0]?.id as string | undefined;
  });
  return { request, delivery, eventId };
}

/** What is shown of a delivery afterwards is what went out, and its bytes have the hash that was kept. */
async function expectShown(delivery: string, request: ReceivedRequest): Promise<void> {
  const { body } = await node.api("GET", `/v1/deliveries/${delivery}/request`);
  expect(body.data).toMatchObject({
    method: request.method,
    url: `${receiver.origin}${request.path}`,
    body: request.body.toString("utf8"),
    bodyHashMatches: true,
  });
  expect(request.headers["x-signature"]).toBe(
    `sha256=${createHmac("sha256", SECRET).update(request.body).digest("hex")}`,
  );
  const { attempts } = (await node.api("GET", `/v1/deliveries/${delivery}`)).body.data;
  expect(attempts[0].request).toMatchObject({ method: request.method, url: `${receiver.origin}${request.path}` });
  expect(attempts[0].request.headers["content-type"]).toBe(request.headers["content-type"]);
}

describe("a format", () => {
  test("cloudEvents has the attributes around the very bytes of the payload", async () => {
    await subscribe({ format: "cloudEvents" });
    const { request, delivery, eventId } = await sentFor("customer.updated");
    const text = request.body.toString("utf8");
    expect(request.headers["content-type"]).toBe("application/cloudevents+json");
    expect(text.endsWith(`"data":${DATA}}`)).toBe(true);
    const { data: _, ...attributes } = JSON.parse(text);
    expect(attributes).toEqual({
      specversion: "1.0",
      id: eventId,
      source: expect.stringMatching(/^\/bigledger\/ten_/),
      type: "customer.updated",
      time: "2026-11-23T08:00:00Z",
      subject: "cust_1",
      livemode: true,
      companyid: "company_7",
      userid: "user_9",
      datacontenttype: "application/json",
    });
    await expectShown(delivery, request);
  });

  test("cloudEventsBinary has them as headers, encoded, and the payload as the body", async () => {
    await subscribe({ format: "cloudEventsBinary" });
    const { request, delivery, eventId } = await sentFor("customer.updated", '{"object":{"id":"Ü 1\\r\\nX: \\"%"}}');
    expect(request.body.toString()).toBe('{"object":{"id":"Ü 1\\r\\nX: \\"%"}}');
    expect(request.headers).toMatchObject({
      "content-type": "application/json",
      "ce-specversion": "1.0",
      "ce-id": eventId,
      "ce-type": "customer.updated",
      "ce-time": "2026-11-23T08:00:00Z",
      "ce-subject": "%C3%9C%201%0D%0AX:%20%22%25",
      "ce-livemode": "true",
      "ce-companyid": "company_7",
    });
    await expectShown(delivery, request);
  });

  test("thin has type, time and ids; data the payload alone; none no body and no content type", async () => {
    const id = await subscribe({ format: "thin" });
    const thin = await sentFor("customer.updated");
    expect(JSON.parse(thin.request.body.toString())).toEqual({
      type: "customer.updated",
      timestamp: "2026-11-23T08:00:00Z",
      livemode: true,
      data: { eventId: thin.eventId, id: "cust_1" },
    });
    await expectShown(thin.delivery, thin.request);

    await node.api("PATCH", `/v1/webhooks/${id}`, { format: "data" });
    const bare = await sentFor("customer.updated");
    expect(bare.request.body.toString()).toBe(DATA);
    await expectShown(bare.delivery, bare.request);

    await node.api("PATCH", `/v1/webhooks/${id}`, { format: "none", method: "DELETE" });
    const none = await sentFor("customer.updated");
    expect(none.request.method).toBe("DELETE");
    expect(none.request.body.length).toBe(0);
    expect("content-type" in none.request.headers).toBe(false);
    await expectShown(none.delivery, none.request);
  });

  test("is previewed and tested as it is sent", async () => {
    const fields = { format: "cloudEvents", perEvent: { "customer.deleted": { method: "DELETE", format: "none" } } };
    const id = await subscribe(fields);
    for (const event of ["customer.updated", "customer.deleted"]) {
      const preview = await node.api("POST", "/v1/preview", {
        webhook: webhookAt(fields),
        event: { event, data: JSON.parse(DATA), id: "own-1", timestamp: "2026-11-23T08:00:00Z" },
      });
      const before = receiver.requests.length;
      const tested = await node.api("POST", `/v1/webhooks/${id}/test`, { event, testData: JSON.parse(DATA) });
      expect(tested.body.data.delivered, JSON.stringify(tested.body)).toBe(true);
      const request = (await receiver.received(before + 1))[before] as ReceivedRequest;
      expect(preview.body.data.request.method).toBe(request.method);
      expect(preview.body.data.request.contentType).toBe(request.headers["content-type"] ?? null);
      const shape = (text: string) => (text === "" ? "" : { ...JSON.parse(text), id: "", time: "", companyid: "" });
      expect(shape(preview.body.data.request.body)).toEqual(shape(request.body.toString()));
    }
  });
});

describe("a template", () => {
  test("writes a form, a text or XML by its content type", async () => {
    const id = await subscribe({
      transform: {
        contentType: "application/x-www-form-urlencoded",
        template: { id: "{{ customer.id }}", total: "{{ customer.total }}", lines: [{ n: "{{ customer.n }}" }] },
      },
    });
    const form = await sentFor("customer.updated");
    expect(form.request.headers["content-type"]).toBe("application/x-www-form-urlencoded");
    expect(form.request.body.toString()).toBe("id=cust_1&total=10.50&lines%5B0%5D%5Bn%5D=12345678901234567890.10");
    await expectShown(form.delivery, form.request);

    const text = {
      contentType: "text/plain",
      template: "{{ customer.name }}: {{ customer.total }}\n{{ customer.gone }}",
    };
    await node.api("PATCH", `/v1/webhooks/${id}`, { transform: text });
    const plain = await sentFor("customer.updated");
    expect(plain.request.body.toString()).toBe("Ünï / co: 10.50\n");
    await expectShown(plain.delivery, plain.request);

    const xml = { contentType: "application/xml", template: '<c name="{{ customer.name }}">{{ customer.note }}</c>' };
    await node.api("PATCH", `/v1/webhooks/${id}`, { transform: xml });
    const marked = await sentFor("customer.updated", '{"object":{"id":"1","name":"A & \\"B\\"","note":"<script>"}}');
    expect(marked.request.body.toString()).toBe('<c name="A &amp; &quot;B&quot;">&lt;script&gt;</c>');
  });
});

describe("requests that differ by event type", () => {
  const FIELDS = () => ({
    headers: { "X-Ref": "{{ customer.id }}", "X-Shop": "7" },
    perEvent: {
      "customer.deleted": {
        method: "DELETE",
        url: `${receiver.origin}/customers/{{ customer.id }}?by={{ customer.name }}`,
        headers: { "X-Shop": "gone {{ customer.name }}" },
        format: "none",
      },
      "customer.*": { method: "PUT", transform: { template: { id: "{{ customer.id }}" } } },
    },
  });

  test("have their own method, URL, headers and body; the exact name goes before the pattern", async () => {
    await subscribe(FIELDS());
    const deleted = await sentFor("customer.deleted");
    expect(deleted.request).toMatchObject({ method: "DELETE", path: "/customers/cust_1?by=%C3%9Cn%C3%AF%20%2F%20co" });
    expect(deleted.request.headers).toMatchObject({ "x-ref": "cust_1", "x-shop": "gone %C3%9Cn%C3%AF / co" });
    expect(deleted.request.body.length).toBe(0);
    await expectShown(deleted.delivery, deleted.request);

    const updated = await sentFor("customer.updated");
    expect(updated.request).toMatchObject({ method: "PUT", path: "/in" });
    expect(updated.request.body.toString()).toBe('{"id":"cust_1"}');
    expect(updated.request.headers).toMatchObject({ "x-ref": "cust_1", "x-shop": "7" });
    await expectShown(updated.delivery, updated.request);
  });

  test("are held, and say why, where a value would lead elsewhere or is missing", async () => {
    const id = await subscribe(FIELDS());
    for (const object of [{ id: ".." }, { id: "" }, {}, { id: ["a"] }]) {
      const before = receiver.requests.length;
      const published = await node.api("POST", "/v1/events", { event: "customer.deleted", data: { object } });
      const held = await until("a held delivery", async () => {
        const { body } = await node.api("GET", `/v1/deliveries?eventId=${published.body.data.id}&state=held`);
        return body.data[0];
      });
      expect(held.heldReason).toBe("transformation_failed");
      expect(receiver.requests.length).toBe(before);
      const shown = await node.api("GET", `/v1/deliveries/${held.id}/request`);
      expect([shown.status, shown.body.error.message]).toEqual([
        409,
        expect.stringContaining('perEvent["customer.deleted"].url'),
      ]);
    }
    const tested = await node.api("POST", `/v1/webhooks/${id}/test`, { event: "customer.deleted", testData: {} });
    expect(tested.body.data.error.message).toContain("customer.id");
  });

  test("a large event is read in the other thread for a URL, too", async () => {
    await subscribe({
      format: "data",
      perEvent: { "customer.updated": { url: `${receiver.origin}/c/{{ customer.id }}` } },
    });
    const data = `{"object":{"id":"big/1","note":"${"x".repeat(400_000)}"}}`;
    const { request, delivery } = await sentFor("customer.updated", data);
    expect(request.path).toBe("/c/big%2F1");
    expect(request.body.toString()).toBe(data);
    await expectShown(delivery, request);
  });

  test("the way to a host can be diagnosed where the URL has expressions", async () => {
    const id = await subscribe({ url: `${receiver.origin}/c/{{ customer.id }}` });
    const { status, body } = await node.api("POST", `/v1/webhooks/${id}/diagnose`, {});
    expect(status, JSON.stringify(body)).toBe(200);
    expect(body.data.address).toContain("127.0.0.1");
  });
});

describe("batches", () => {
  test("of CloudEvents are their own kind of batch; other formats stand in the published form", async () => {
    const batchSettings = { maxEvents: 2, maxWaitTime: 60 };
    const id = await subscribe({ format: "cloudEvents", batchSettings });
    const two = async (): Promise<ReceivedRequest> => {
      const before = receiver.requests.length;
      await node.api(
        "POST",
        "/v1/events/batch",
        `{"events":[${["1", "2"].map((n) => `{"event":"customer.updated","data":{"object":{"id":"${n}"}}}`).join(",")}]}`,
      );
      return (await receiver.received(before + 1))[before] as ReceivedRequest;
    };
    const cloud = await two();
    expect(cloud.headers["content-type"]).toBe("application/cloudevents-batch+json");
    expect(JSON.parse(cloud.body.toString()).map(({ subject }: { subject: string }) => subject)).toEqual(["1", "2"]);
    expect(cloud.headers["webhook-id"]).toMatch(/^batch_/);

    await node.api("PATCH", `/v1/webhooks/${id}`, { format: "data" });
    const bare = await two();
    expect(bare.headers["content-type"]).toBe("application/json");
    expect(JSON.parse(bare.body.toString())).toMatchObject({
      batch: true,
      events: [{ object: { id: "1" } }, { object: { id: "2" } }],
    });

    await node.api("PATCH", `/v1/webhooks/${id}`, { format: "thin" });
    expect(JSON.parse((await two()).body.toString()).events).toMatchObject([
      { data: { id: "1" } },
      { data: { id: "2" } },
    ]);
  });

  test("as a text, where the template is filled for the whole batch", async () => {
    await subscribe({
      batchSettings: { maxEvents: 1, maxWaitTime: 60, per: "batch" },
      transform: { contentType: "text/csv", template: "{{ batch.count }};{{ events[0].data.object.id }}\n" },
    });
    const { request, delivery } = await sentFor("customer.updated");
    expect(request.body.toString()).toBe("1;cust_1\n");
    expect(request.headers["content-type"]).toBe("text/csv");
    const { body } = await node.api("GET", `/v1/deliveries/${delivery}/request`);
    expect(body.data.bodyHashMatches).toBe(true);
  });
});

describe("what cannot be sent is refused by name", () => {
  const batch = { batchSettings: { maxEvents: 10 } };
  const form = { contentType: "application/x-www-form-urlencoded", template: { a: 1 } };
  test.each([
    ["an unknown format", { format: "xml" }, "format"],
    ["a format beside a template", { format: "data", transform: { template: 1 } }, "format"],
    ["an expression in the host", { url: "https://{{ customer.id }}.example.com/" }, "url"],
    ["a target that the guard refuses", { url: "http://10.0.0.1/{{ customer.id }}" }, "url"],
    ["an expression that does not compile", { url: "https://example.com/{{ customer.( }}" }, "url"],
    [
      "an expression in a secret header",
      { headers: { Authorization: "Bearer {{ customer.id }}" } },
      "headers.Authorization",
    ],
    ["a header's fixed text", { headers: { "X-A": "ü {{ customer.id }}" } }, "headers.X-A"],
    [
      "perEvent of a type that nobody knows",
      { perEvent: { "customer.delted": { method: "DELETE" } } },
      'perEvent["customer.delted"]',
    ],
    ["perEvent that says nothing", { perEvent: { "customer.deleted": {} } }, 'perEvent["customer.deleted"]'],
    ["perEvent with a private URL", { perEvent: { "*": { url: "http://10.0.0.1/" } } }, 'perEvent["*"].url'],
    [
      "a secret in perEvent",
      { perEvent: { "*": { headers: { "X-Api-Key": "k" } } } },
      'perEvent["*"].headers.X-Api-Key',
    ],
    [
      "a header of ours",
      { perEvent: { "*": { headers: { "X-Signature": "k" } } } },
      'perEvent["*"].headers.X-Signature',
    ],
    ["a misspelt member", { perEvent: { "*": { methd: "PUT" } } }, "perEvent.*.methd"],
    [
      "a template in perEvent",
      { perEvent: { "*": { transform: { template: { a: "{{ ( }}" } } } } },
      'perEvent["*"].transform.template.a',
    ],
    ["perEvent in batches", { ...batch, perEvent: { "*": { method: "PUT" } } }, "perEvent"],
    ["a URL with expressions in batches", { ...batch, url: "https://example.com/{{ customer.id }}" }, "url"],
    ["a header with expressions in batches", { ...batch, headers: { "X-A": "{{ customer.id }}" } }, "headers.X-A"],
    ["binary CloudEvents in batches", { ...batch, format: "cloudEventsBinary" }, "format"],
    ["no body in batches", { ...batch, format: "none" }, "format"],
    ["forms in batches", { ...batch, transform: form }, "transform.contentType"],
    ["forms in batches of imports", { onImport: "batch", transform: form }, "transform.contentType"],
  ])("%s", async (_name, fields, field) => {
    const { status, body } = await node.api(
      "POST",
      "/v1/webhooks",
      webhookAt({ url: "https://example.com/in", ...fields }),
    );
    expect([status, body.error?.details[0]?.field], JSON.stringify(body)).toEqual([422, field]);
  });

  test("a change that would not fit what is stored", async () => {
    const id = await subscribe({ format: "cloudEventsBinary" });
    const { status, body } = await node.api("PATCH", `/v1/webhooks/${id}`, batch);
    expect([status, body.error.details[0].field]).toEqual([422, "format"]);
    expect((await node.api("PATCH", `/v1/webhooks/${id}`, { ...batch, format: null })).status).toBe(200);
  });
});
