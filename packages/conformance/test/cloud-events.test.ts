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
