// CloudEvents as a receiver really gets them, read by the SDK that the specification's authors publish: structured,
// binary, and a batch of them.
import { CloudEvent, HTTP } from "cloudevents";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { startTestNode, type TestNode } from "../../server/test/support/node.ts";
import { type ReceivedRequest, type Receiver, startReceiver } from "../../server/test/support/receivers/receiver.ts";

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

const DATA = { object: { id: "inv_1", customer: { name: "Ünïcode 😀" }, total: 2567.5, lines: [] } };
const CONTEXT = { companyId: "company 1", userId: "üser", source: "pos" };

async function subscribe(fields: object): Promise<void> {
  const made = await node.api("POST", "/v1/webhooks", { url: `${receiver.origin}/`, events: ["invoice.*"], ...fields });
  expect(made.status, JSON.stringify(made.body)).toBe(201);
}

function readBySdk({ headers, body }: ReceivedRequest): CloudEvent<unknown>[] {
  const read = HTTP.toEvent<unknown>({ headers, body: body.toString("utf8") });
  return (Array.isArray(read) ? read : [read]) as CloudEvent<unknown>[];
}

describe.each(["cloudEvents", "cloudEventsBinary"])("%s", (format) => {
  test("is read by the SDK, valid, with all its attributes and its data", async () => {
    await subscribe({ format });
    const before = receiver.requests.length;
    const published = await node.api("POST", "/v1/events", {
      event: "invoice.paid",
      data: DATA,
      context: CONTEXT,
      timestamp: "2026-11-23T08:00:00.123Z",
    });
    const request = (await receiver.received(before + 1))[before] as ReceivedRequest;
    expect(HTTP.isEvent({ headers: request.headers, body: request.body.toString("utf8") })).toBe(true);
    const [event] = readBySdk(request);
    expect(event?.validate()).toBe(true);
    expect(event?.specversion).toBe("1.0");
    expect(event?.id).toBe(published.body.data.id);
    expect(event?.type).toBe("invoice.paid");
    expect(event?.time).toBe("2026-11-23T08:00:00.123Z");
    expect(event?.subject).toBe("inv_1");
    expect(event?.data).toEqual(DATA);
    // The SDK leaves the values of headers encoded; structured ones are plain.
    expect(decodeURIComponent(String(event?.["companyid"]))).toBe("company 1");
    expect(decodeURIComponent(String(event?.["userid"]))).toBe("üser");
    expect(String(event?.["livemode"])).toBe("true");
  });
});

describe("published", () => {
  const OWN = new CloudEvent({
    id: "A234-1234",
    source: "/erp/invoicing",
    type: "invoice.paid",
    time: "2026-11-23T08:00:00.000Z",
    data: DATA,
    companyid: "company_7",
    userid: "üser 1",
    partitionkey: "cust_1",
    unknownextension: "x",
  });

  async function publish(message: { headers: Record<string, unknown>; body: unknown }, path = "/v1/events") {
    const headers = Object.fromEntries(Object.entries(message.headers).map(([name, value]) => [name, String(value)]));
    return node.api("POST", path, message.body, headers);
  }

  test.each([
    ["structured", HTTP.structured],
    ["binary", HTTP.binary],
  ])("%s, as the SDK writes them, they become events with the very bytes of their data", async (_name, write) => {
    await subscribe({});
    const before = receiver.requests.length;
    const message = write(OWN);
    const headers = Object.fromEntries(
      Object.entries(message.headers).map(([name, value]) => [
        name,
        /[^\x20-\x7e]/.test(String(value)) ? encodeURIComponent(String(value)) : value,
      ]),
    );
    const { status, body } = await publish({ headers, body: message.body });
    expect(status, JSON.stringify(body)).toBe(202);
    expect(body.data).toMatchObject({ id: "A234-1234", event: "invoice.paid", timestamp: "2026-11-23T08:00:00.000Z" });
    const request = (await receiver.received(before + 1))[before] as ReceivedRequest;
    expect(request.body.toString()).toContain(`"data":${JSON.stringify(DATA)},"context"`);
    expect(JSON.parse(request.body.toString()).context).toEqual({
      companyId: "company_7",
      userId: "üser 1",
      source: "/erp/invoicing",
    });
    await node.sql("delete from event_key");
  });

  test("byte for byte, whatever the data is", async () => {
    await subscribe({ format: "data" });
    const before = receiver.requests.length;
    const data = '{ "object" : {"n":12345678901234567890.10,"e":"\\u00e9" } , "object":1 }';
    const headers = { "content-type": "application/cloudevents+json; charset=utf-8" };
    const structured = `{"data" : ${data} ,"specversion":"1.0","id":"c-1","source":"s","type":"invoice.paid","x":{"y":1}}`;
    expect((await publish({ headers, body: structured })).status).toBe(202);
    const ce = { "ce-specversion": "1.0", "ce-id": "c-2", "ce-source": "s", "ce-type": "invoice.paid" };
    expect((await publish({ headers: { ...ce, "content-type": "application/json" }, body: data })).status).toBe(202);
    const bodies = (await receiver.received(before + 2)).slice(before).map((request) => request.body.toString());
    expect(bodies).toEqual([data, data]);
  });

  test("in a batch each is answered for itself", async () => {
    const event = (id: string, more: object = {}) => ({
      specversion: "1.0",
      id,
      source: "s",
      type: "invoice.paid",
      data: 1,
      ...more,
    });
    const list = [
      event("b-1"),
      event("b-2", { specversion: "0.3" }),
      7,
      event("b-3", { type: "invoice.payed" }),
      event("b-4"),
    ];
    const headers = { "content-type": "application/cloudevents-batch+json" };
    const { status, body } = await publish({ headers, body: JSON.stringify(list) }, "/v1/events/batch");
    expect(status).toBe(202);
    expect(body.data.results.map((each: { status: string }) => each.status)).toEqual([
      "accepted",
      "refused",
      "refused",
      "refused",
      "accepted",
    ]);
    expect((await publish({ headers, body: "{}" }, "/v1/events/batch")).status).toBe(422);
    expect((await publish({ headers, body: "[1" }, "/v1/events/batch")).status).toBe(400);
  });

  test.each([
    ["no source", { source: undefined }, "source"],
    ["another version", { specversion: "0.3" }, "specversion"],
    ["data that is no JSON", { datacontenttype: "text/xml" }, "datacontenttype"],
    ["binary data", { data_base64: "AAAA" }, "data_base64"],
    ["a number as its id", { id: 7 }, "id"],
  ])("%s is refused by name", async (_name, changes, field) => {
    const event = { specversion: "1.0", id: "x-1", source: "s", type: "invoice.paid", data: 1, ...changes };
    const headers = { "content-type": "application/cloudevents+json" };
    const { status, body } = await publish({ headers, body: JSON.stringify(event) });
    expect([status, body.error.details[0].field], JSON.stringify(body)).toEqual([422, field]);
  });

  test("a binary body is data and nothing else", async () => {
    const ce = {
      "ce-specversion": "1.0",
      "ce-id": "e-1",
      "ce-source": "s",
      "ce-type": "invoice.paid",
      "content-type": "application/json",
    };
    const smuggled = '1,"event":"invoice.sent","context":{"companyId":"other"}';
    expect((await publish({ headers: ce, body: smuggled })).status).toBe(400);
    const { "ce-type": _, ...without } = ce;
    const refused = await publish({ headers: without, body: "1" });
    expect([refused.status, refused.body.error.details[0].field]).toEqual([422, "ce-type"]);
  });
});

test("a batch is read by the SDK as its events, in their order", async () => {
  await subscribe({ format: "cloudEvents", batchSettings: { maxEvents: 3, maxWaitTime: 60 } });
  const before = receiver.requests.length;
  const events = [1, 2, 3].map((n) => ({
    event: "invoice.paid",
    id: `own-${n}`,
    data: { object: { id: `inv_${n}` } },
  }));
  await node.api("POST", "/v1/events/batch", { events });
  const request = (await receiver.received(before + 1))[before] as ReceivedRequest;
  const read = readBySdk(request);
  expect(read.map(({ id, subject }) => [id, subject])).toEqual([
    ["own-1", "inv_1"],
    ["own-2", "inv_2"],
    ["own-3", "inv_3"],
  ]);
  expect(read.every((event) => event instanceof CloudEvent && event.validate())).toBe(true);
});
