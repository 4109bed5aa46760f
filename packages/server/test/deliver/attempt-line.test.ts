// The wide line of an attempt: there at debug level, absent at the usual one, and without anything secret at any.
import { Writable } from "node:stream";
import { pino } from "pino";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startTestNode, TEST_API_KEY, type TestNode } from "../support/node.ts";
import { type Receiver, startReceiver } from "../support/receivers/receiver.ts";
import { until } from "../support/until.ts";

let receiver: Receiver;
beforeAll(async () => {
  receiver = await startReceiver({ answer: (request) => (request.path.startsWith("/bad") ? 500 : 204) });
});
afterAll(() => receiver.close());

const SECRETS = [
  "signing-secret-of-mine",
  "bearer-token-of-mine",
  "query-token-of-mine",
  "payload-of-mine",
  TEST_API_KEY,
];

/** Delivers once and fails once; everything that was logged meanwhile. */
async function logOf(level: string): Promise<{ lines: Record<string, unknown>[]; text: string }> {
  let text = "";
  const stream = new Writable({
    write(chunk: Buffer, _encoding, done) {
      text += chunk.toString("utf8");
      done();
    },
  });
  const node: TestNode = await startTestNode({ log: pino({ level }, stream) });
  try {
    for (const path of ["/in", "/bad"]) {
      await node.api("POST", "/v1/webhooks", {
        url: `${receiver.origin}${path}?token=query-token-of-mine`,
        events: [path === "/in" ? "invoice.paid" : "invoice.created"],
        secret: "signing-secret-of-mine",
        auth: { type: "bearer", token: "bearer-token-of-mine" },
      });
    }
    await node.api("POST", "/v1/events", { event: "invoice.paid", data: { note: "payload-of-mine" } });
    await node.api("POST", "/v1/events", { event: "invoice.created", data: { note: "payload-of-mine" } });
    await until("both attempts to be recorded", async () => {
      const [row] = await node.sql<{ count: string }>("select count(*) from attempt");
      return Number(row?.count) === 2;
    });
  } finally {
    await node.stop();
  }
  const lines = text.split("\n").filter((line) => line !== "");
  return { text, lines: lines.map((line) => JSON.parse(line) as Record<string, unknown>) };
}

test("at debug level each attempt is one line that tells how it went, and no line holds a secret or a payload", async () => {
  const { lines, text } = await logOf("debug");
  const attempts = lines.filter((line) => line["msg"] === "attempt");
  expect(attempts.map((line) => line["eventType"]).sort()).toEqual(["invoice.created", "invoice.paid"]);
  expect(attempts.find((line) => line["eventType"] === "invoice.paid")).toMatchObject({
    delivery: expect.stringMatching(/^dlv_/),
    webhook: expect.stringMatching(/^webhook_/),
    event: expect.stringMatching(/^evt_/),
    attempt: 1,
    trigger: "initial",
    outcome: "delivered",
    status: 204,
    verdict: "delivered",
    nextAttemptAt: null,
    connectMs: expect.any(Number),
    firstByteMs: expect.any(Number),
    host: new URL(receiver.origin).host,
    node: expect.stringMatching(/^node_/),
  });
  expect(attempts.find((line) => line["eventType"] === "invoice.created")).toMatchObject({
    outcome: "rejected",
    status: 500,
    verdict: "retry",
    nextAttemptAt: expect.stringMatching(/Z$/),
  });
  // One line for each request of the API, too.
  expect(lines.filter((line) => line["msg"] === "request").length).toBeGreaterThanOrEqual(4);
  expect(SECRETS.filter((secret) => text.includes(secret))).toEqual([]);
});

test("at the usual level neither attempts nor requests are logged", async () => {
  const { lines } = await logOf("info");
  expect(lines.filter((line) => ["attempt", "request"].includes(String(line["msg"])))).toEqual([]);
});
