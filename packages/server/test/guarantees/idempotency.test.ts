// G7: the same key with the same bytes gives the first answer again; with other bytes 409; also fifty at once and
// across nodes. Broken on purpose (event_key's primary key dropped to a plain index): the counts go red.
import { afterAll, beforeAll, expect, test } from "vitest";
import { callApi, startTestNode, type TestNode } from "../support/node.ts";

let node: TestNode;
let otherUrl: string;
beforeAll(async () => {
  node = await startTestNode();
  otherUrl = (await node.startAnother()).url;
});
afterAll(() => node?.stop());

const event = (reference: string): string =>
  JSON.stringify({ event: "invoice.paid", data: { object: { invoiceNumber: reference } } });
const eventsWith = async (reference: string): Promise<number> =>
  Number((await node.sql<{ count: string }>("select count(*) from event where reference = $1", [reference]))[0]?.count);

test("a repeat answers as the first time and says so", async () => {
  const first = await node.api("POST", "/v1/events", event("R-1"), { "idempotency-key": "k-1" });
  const second = await node.api("POST", "/v1/events", event("R-1"), { "idempotency-key": "k-1" });
  expect(first.headers.get("idempotency-replayed")).toBeNull();
  expect(second.headers.get("idempotency-replayed")).toBe("true");
  expect([second.status, second.body.data]).toEqual([202, first.body.data]);
  expect(await eventsWith("R-1")).toBe(1);
});

test("the same key with other bytes is a conflict and changes nothing", async () => {
  await node.api("POST", "/v1/events", event("R-2"), { "idempotency-key": "k-2" });
  const answer = await node.api("POST", "/v1/events", event("R-2b"), { "idempotency-key": "k-2" });
  expect([answer.status, answer.body.error.code]).toEqual([409, "IDEMPOTENCY_KEY_REUSED"]);
  expect(await eventsWith("R-2b")).toBe(0);
});

test("fifty at once on two nodes store one event", async () => {
  const answers = await Promise.all(
    Array.from({ length: 50 }, (_, index) =>
      callApi(index % 2 === 0 ? node.node.url : otherUrl, "POST", "/v1/events", event("R-3"), {
        "idempotency-key": "k-3",
      }),
    ),
  );
  expect(new Set(answers.map((answer) => answer.status))).toEqual(new Set([202]));
  expect(new Set(answers.map((answer) => answer.body.data.id)).size).toBe(1);
  expect(answers.filter((answer) => answer.headers.get("idempotency-replayed") === null)).toHaveLength(1);
  expect(await eventsWith("R-3")).toBe(1);
});

test("the sender's own id is unique in the same way", async () => {
  const body = JSON.stringify({ event: "invoice.paid", id: "own-1", data: { object: { invoiceNumber: "R-4" } } });
  const first = await node.api("POST", "/v1/events", body);
  const second = await node.api("POST", "/v1/events", body);
  expect(second.body.data).toEqual(first.body.data);
  const other = await node.api("POST", "/v1/events", body.replace("R-4", "R-4b"));
  expect([other.status, other.body.error.code]).toEqual([409, "EVENT_ID_TAKEN"]);
  expect(await eventsWith("R-4")).toBe(1);
});

test("a fresh key does not store an event whose id is taken, and is free afterwards", async () => {
  const body = JSON.stringify({ event: "invoice.paid", id: "own-2", data: { object: { invoiceNumber: "R-5" } } });
  await node.api("POST", "/v1/events", body);
  const taken = await node.api("POST", "/v1/events", body.replace("R-5", "R-5b"), { "idempotency-key": "k-5" });
  expect([taken.status, taken.body.error.code]).toEqual([409, "EVENT_ID_TAKEN"]);
  const fresh = await node.api("POST", "/v1/events", event("R-5c"), { "idempotency-key": "k-5" });
  expect([fresh.status, fresh.headers.get("idempotency-replayed")]).toEqual([202, null]);
});

test("a key of the other mode or tenant is another key", async () => {
  await node.api("POST", "/v1/events", event("R-6"), { "idempotency-key": "k-6" });
  await node.sql("update event_key set livemode = false where key = 'k-6'");
  const answer = await node.api("POST", "/v1/events", event("R-6"), { "idempotency-key": "k-6" });
  expect(answer.headers.get("idempotency-replayed")).toBeNull();
});

test("after 24 hours a key is free again", async () => {
  await node.api("POST", "/v1/events", event("R-7"), { "idempotency-key": "k-7" });
  await node.sql("update event_key set expires_at = now() - interval '1 second' where key = 'k-7'");
  const answer = await node.api("POST", "/v1/events", event("R-7b"), { "idempotency-key": "k-7" });
  expect([answer.status, answer.headers.get("idempotency-replayed")]).toEqual([202, null]);
  expect(await eventsWith("R-7b")).toBe(1);
});

test("a batch answers each item for itself, and a repeated batch stores nothing twice", async () => {
  const batch = JSON.stringify({
    events: [
      JSON.parse(event("B-1")),
      { event: "invoice.payed", data: 1 },
      { event: "invoice.paid", id: "own-b", data: { object: { invoiceNumber: "B-3" } } },
      7,
    ],
  });
  const first = await node.api("POST", "/v1/events/batch", batch, { "idempotency-key": "kb" });
  expect(first.status).toBe(202);
  expect(first.body.data.results.map((each: { status: string }) => each.status)).toEqual([
    "accepted",
    "refused",
    "accepted",
    "refused",
  ]);
  expect(first.body.data.results[1].error).toMatchObject({ code: "UNKNOWN_EVENT_TYPE" });
  const second = await node.api("POST", "/v1/events/batch", batch, { "idempotency-key": "kb" });
  expect(second.body.data.results.map((each: { status: string }) => each.status)).toEqual([
    "duplicate",
    "refused",
    "duplicate",
    "refused",
  ]);
  expect(second.body.data.results[0].id).toBe(first.body.data.results[0].id);
  expect(await eventsWith("B-1")).toBe(1);
});

test("NDJSON goes line by line, and a broken line refuses only itself", async () => {
  const answer = await node.api("POST", "/v1/events/batch", `${event("N-1")}\n{"event":\n\n${event("N-2")}\r\n`, {
    "content-type": "application/x-ndjson",
  });
  expect(answer.body.data.results.map((each: { status: string }) => each.status)).toEqual([
    "accepted",
    "refused",
    "accepted",
  ]);
});
