// G9: data and context reach the receiver byte for byte, and the signatures cover the bytes sent.
// Broken on purpose (envelopeOf through JSON.parse and JSON.stringify): all but one of these go red.
import { createHmac } from "node:crypto";
import { signingKeys } from "@posthorn/contract";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startTestNode, type TestNode } from "../support/node.ts";
import { type Receiver, startReceiver } from "../support/receivers/receiver.ts";

const SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
let node: TestNode;
let receiver: Receiver;
let seen = 0;

beforeAll(async () => {
  node = await startTestNode();
  receiver = await startReceiver();
  const made = await node.api("POST", "/v1/webhooks/subscribe", {
    url: `${receiver.origin}/`,
    events: ["*"],
    secret: SECRET,
  });
  expect(made.status, JSON.stringify(made.body)).toBe(201);
});
afterAll(async () => {
  await node?.stop();
  await receiver?.close();
});

async function deliverRaw(body: Buffer, path = "/v1/events") {
  const answer = await node.api("POST", path, body);
  expect(answer.status, JSON.stringify(answer.body)).toBe(202);
  seen += 1;
  const requests = await receiver.received(seen);
  const request = requests[seen - 1];
  if (request === undefined) throw new Error("no request");
  const keys = signingKeys(SECRET);
  if (keys === null) throw new Error("no keys");
  const header = (name: string): string => request.headers[name] ?? "";
  expect(header("x-signature")).toBe(`sha256=${createHmac("sha256", keys.plain).update(request.body).digest("hex")}`);
  const standard = createHmac("sha256", keys.standard)
    .update(`${header("webhook-id")}.${header("webhook-timestamp")}.`)
    .update(request.body)
    .digest("base64");
  expect(header("webhook-signature")).toBe(`v1,${standard}`);
  return { answer, request };
}

const VALUES: [string, string][] = [
  ["a number beyond doubles", "12345678901234567890"],
  ["an amount with its trailing zero", '{"total":2567.50}'],
  ["a null character in a text", '"a\\u0000b"'],
  ["a lone surrogate", '"\\ud800"'],
  ["duplicate keys", '{"a":1,"a":2}'],
  ["__proto__ as a key", '{"__proto__":{"polluted":1},"constructor":{"prototype":{"x":1}}}'],
  ["exponents and minus zero", "[1e400,-0,1E+2,0.10]"],
  ["odd whitespace and key order", '{ "z" : 1 ,\n\t"a":[ ] }'],
  ["escapes that need none", '"\\u0041\\/\\u00e9 é"'],
  ["null", "null"],
  ["false", "false"],
  ["an empty text", '""'],
];

test.each(VALUES)("%s arrives as it was sent", async (_name, value) => {
  const context = '{ "userId":"u-1" , "n": 1.0 }';
  const { answer, request } = await deliverRaw(
    Buffer.from(`{"data":${value},"event":"invoice.paid","context":${context}}`),
  );
  const { id, timestamp } = answer.body.data;
  expect(request.body.toString()).toBe(
    `{"id":"${id}","event":"invoice.paid","timestamp":"${timestamp}","livemode":true,"api_version":"v1","data":${value},"context":${context}}`,
  );
  expect(({} as Record<string, unknown>).polluted).toBeUndefined();
});

test("ten MiB of data arrive whole, scanned and signed away from the event loop", async () => {
  const value = `{"blob":"${"é€😀x".repeat(1_000_000).slice(0, 4_900_000)}","n":12345678901234567890}`;
  const { request } = await deliverRaw(Buffer.from(`{"event":"invoice.paid","data":${value}}`));
  expect(request.body.includes(Buffer.from(`"data":${value}}`))).toBe(true);
  expect(request.body.length).toBeGreaterThan(9 * 1024 * 1024);
});

test("more than ten MiB of data are refused and change nothing", async () => {
  const before = await node.sql<{ count: string }>("select count(*) from event");
  const answer = await node.api(
    "POST",
    "/v1/events",
    `{"event":"invoice.paid","data":"${"x".repeat(10 * 1024 * 1024)}"}`,
  );
  expect([answer.status, answer.body.error.code]).toEqual([413, "BODY_TOO_LARGE"]);
  expect(await node.sql("select count(*) from event")).toEqual(before);
});

test("the sender's own id and time are what receivers see", async () => {
  const { answer, request } = await deliverRaw(
    Buffer.from('{"event":"invoice.paid","id":"inv-871-paid","timestamp":"2026-01-05T10:30:00Z","data":1}'),
  );
  expect(answer.body.data).toMatchObject({ id: "inv-871-paid", timestamp: "2026-01-05T10:30:00Z" });
  expect(request.headers["webhook-id"]).toBe("inv-871-paid");
  expect(request.body.toString()).toBe(
    '{"id":"inv-871-paid","event":"invoice.paid","timestamp":"2026-01-05T10:30:00Z","livemode":true,"api_version":"v1","data":1}',
  );
});

test("a delivery read back from the table carries the same bytes as one sent from memory", async () => {
  const value = '{"total":2567.50,"big":12345678901234567890}';
  const { answer, request } = await deliverRaw(Buffer.from(`{"event":"invoice.paid","data":${value}}`));
  const replayed = await node.api("POST", `/v1/events/${answer.body.data.id}/replay`, {});
  expect(replayed.status, JSON.stringify(replayed.body)).toBe(202);
  seen += 1;
  const again = (await receiver.received(seen))[seen - 1];
  expect(again?.body.equals(request.body)).toBe(true);
  expect(again?.headers["webhook-id"]).toBe(request.headers["webhook-id"]);
  expect(again?.headers["x-bigledger-delivery"]).not.toBe(request.headers["x-bigledger-delivery"]);
});
