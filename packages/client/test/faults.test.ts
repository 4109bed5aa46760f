// Publishing through everything that can go wrong on the way, against a real node: nothing is lost, nothing is stored
// twice, and what cannot be helped is said.
import { ConnectionFailed, isPosthornError, TimedOut } from "@posthorn/client";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { startTestNode, type TestNode } from "../../server/test/support/node.ts";
import { patientClient } from "./support/client.ts";
import { failureAnswer, type Fault, type FaultyServer, startFaultyServer } from "./support/faulty-server.ts";

let node: TestNode;
beforeAll(async () => {
  node = await startTestNode();
});
afterAll(async () => node?.stop());

const servers: FaultyServer[] = [];
afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.close()));
});

async function through(...script: Fault[]): Promise<FaultyServer> {
  const server = await startFaultyServer(node.node.url, script);
  servers.push(server);
  return server;
}

const invoice = (reference: string) =>
  ({ event: "invoice.paid", data: { object: { invoiceNumber: reference, total: 2567.5 } } }) as const;

async function storedCount(reference: string): Promise<number> {
  const [row] = await node.sql<{ count: string }>("select count(*) from event where reference = $1", [reference]);
  return Number(row?.count);
}

const failed = async (promise: Promise<unknown>): Promise<unknown> => {
  const outcome = await promise.then(
    () => null,
    (error: unknown) => error,
  );
  if (outcome === null) throw new Error("it should have failed");
  return outcome;
};

describe("publishing one event", () => {
  test.each<[string, Fault]>([
    ["breaks before the node hears of it", "cut_before"],
    ["breaks after the commit", "cut_after"],
    ["breaks in the middle of the answer", "cut_in_answer"],
  ])("through a connection that %s stores it once", async (name, fault) => {
    const server = await through(fault, fault);
    const { posthorn, pausesMs } = patientClient(server.url);
    const published = await posthorn.events.publish(invoice(name));
    expect(published).toMatchObject({ event: "invoice.paid", deliveries: 0, replayed: fault !== "cut_before" });
    expect(await storedCount(name)).toBe(1);
    expect(pausesMs).toEqual([100, 200]);
    expect(new Set(server.seen.map((request) => request.headers["idempotency-key"])).size).toBe(1);
    expect(new Set(server.seen.map((request) => request.body.toString("base64"))).size).toBe(1);
  });

  test("whose answer never comes is asked for again, and stored once", async () => {
    const server = await through("swallow_answer");
    const { posthorn } = patientClient(server.url, { timeoutMs: 500 });
    expect(await posthorn.events.publish(invoice("INV-SLOW"))).toMatchObject({ replayed: true });
    expect(await storedCount("INV-SLOW")).toBe(1);
  });

  test("after 429 and 503 waits as long as it is told, and a random share of a growing bound", async () => {
    const server = await through(
      failureAnswer(429, "RATE_LIMITED", { "retry-after": "3" }),
      failureAnswer(503, "OVERLOADED", { "retry-after": "1" }),
      failureAnswer(503, "OUTCOME_UNKNOWN"),
    );
    const { posthorn, pausesMs } = patientClient(server.url);
    await posthorn.events.publish(invoice("INV-429"));
    expect(pausesMs).toEqual([3_100, 1_200, 400]);
    expect(await storedCount("INV-429")).toBe(1);
  });

  test("gives up when its patience ends, and says why", async () => {
    const server = await through(...Array.from({ length: 20 }, () => failureAnswer(503, "DATABASE_UNAVAILABLE")));
    const { posthorn } = patientClient(server.url, { retry: { maxTries: 4 } });
    const error = await failed(posthorn.events.publish(invoice("INV-NEVER")));
    expect(isPosthornError(error, "DATABASE_UNAVAILABLE") && error.tries).toBe(4);
    expect(error).toMatchObject({ name: "DatabaseUnavailable", retryable: true, status: 503 });
    expect(server.seen).toHaveLength(4);
  });

  test("does not begin a try after its deadline", async () => {
    const server = await through(
      ...Array.from({ length: 9 }, () => failureAnswer(429, "RATE_LIMITED", { "retry-after": "20" })),
    );
    const { posthorn, pausesMs } = patientClient(server.url);
    expect(await failed(posthorn.events.publish(invoice("INV-DEADLINE")))).toMatchObject({ code: "RATE_LIMITED" });
    expect(pausesMs).toHaveLength(2);
  });

  test("is not repeated when the node refuses it", async () => {
    const server = await through();
    const { posthorn } = patientClient(server.url);
    const error = await failed(posthorn.events.publish({ event: "invoice.payd", data: {} }));
    expect(error).toMatchObject({ code: "UNKNOWN_EVENT_TYPE", name: "UnknownEventType", status: 422, tries: 1 });
    expect((error as { details: unknown[] }).details).toMatchObject([
      { nearest: expect.arrayContaining(["invoice.paid"]) },
    ]);
    expect((error as { documentation: string }).documentation).toBe(`${server.url}/docs/errors#UNKNOWN_EVENT_TYPE`);
    expect(server.seen).toHaveLength(1);
  });

  test("where nothing listens says so", async () => {
    const server = await startFaultyServer(node.node.url, []);
    await server.close();
    const { posthorn } = patientClient(server.url, { retry: { maxTries: 2 } });
    const error = await failed(posthorn.events.publish(invoice("INV-NOBODY")));
    expect(error).toBeInstanceOf(ConnectionFailed);
    expect(error).toMatchObject({ reason: "ECONNREFUSED", nothingSent: true, tries: 2, status: null });
    expect((error as Error).message).toMatch(/nothing listens there/);
  });

  test("ends at once when its signal is aborted", async () => {
    const server = await through("hang");
    const { posthorn } = patientClient(server.url);
    const controller = new AbortController();
    const publishing = posthorn.events.publish(invoice("INV-ABORTED"), { signal: controller.signal });
    setTimeout(() => controller.abort(new Error("not wanted any more")), 50);
    expect(await failed(publishing)).toMatchObject({ message: "not wanted any more" });
    expect(server.seen.length).toBeLessThanOrEqual(1);
  });
});

describe("publishing a batch", () => {
  test("through a connection that breaks after the commit stores every event once", async () => {
    const server = await through("cut_after");
    const { posthorn } = patientClient(server.url);
    const results = await posthorn.events.publishBatch([1, 2, 3].map(() => invoice("INV-BATCH")));
    expect(results.map(({ index, status }) => [index, status])).toEqual([
      [0, "duplicate"],
      [1, "duplicate"],
      [2, "duplicate"],
    ]);
    expect(await storedCount("INV-BATCH")).toBe(3);
  });

  test("repeats the whole request for one event that may still be taken, and keeps the first results", async () => {
    const meta = { requestId: "req_01KATEK0G3F3Q8T9W7M1N5V2XB", timestamp: "2026-11-23T08:00:00.000Z" };
    const open = { code: "OUTCOME_UNKNOWN", message: "…", details: [], retryable: true };
    const refusedForGood = { code: "UNKNOWN_EVENT_TYPE", message: "…", details: [], retryable: false };
    const results = [
      { index: 0, status: "accepted", id: "evt_first", deliveries: 7 },
      { index: 1, status: "refused", error: open },
      { index: 2, status: "refused", error: refusedForGood },
    ];
    const server = await through({ status: 202, body: JSON.stringify({ success: true, data: { results }, meta }) });
    const { posthorn, pausesMs } = patientClient(server.url);
    const found = await posthorn.events.publishBatch(["A", "B", "C"].map((name) => invoice(`INV-PART-${name}`)));
    expect(found[0]).toEqual(results[0]);
    expect(found[1]).toMatchObject({ index: 1, status: "accepted" });
    expect(found[2]).toEqual(results[2]);
    expect(pausesMs).toEqual([100]);
    expect(server.seen[0]?.body.equals(server.seen[1]?.body as Buffer)).toBe(true);
    expect(server.seen[0]?.headers["idempotency-key"]).toBe(server.seen[1]?.headers["idempotency-key"]);
  });

  test("of more than a request holds comes back in order, over as many requests as it takes", async () => {
    const server = await through();
    const { posthorn } = patientClient(server.url);
    const events = Array.from({ length: 2_300 }, (_, index) =>
      index === 1_234 ? { event: "no.such_type", data: 1 } : invoice("INV-MANY"),
    );
    const results = await posthorn.events.publishBatch(events);
    expect(server.seen.map((request) => JSON.parse(request.body.toString("utf8")).events.length)).toEqual([
      1_000, 1_000, 300,
    ]);
    expect(results.map((result) => result.index)).toEqual(events.map((_, index) => index));
    expect(results.filter((result) => result.status !== "accepted")).toMatchObject([
      { index: 1_234, status: "refused", error: { code: "UNKNOWN_EVENT_TYPE", retryable: false } },
    ]);
    expect(await storedCount("INV-MANY")).toBe(2_299);
  });

  test("keeps what earlier requests did when a later one fails, and can be sent again with the same key", async () => {
    const server = await through("pass", failureAnswer(503, "OVERLOADED"));
    const once = patientClient(server.url, { retry: false }).posthorn;
    const events = Array.from({ length: 1_010 }, () => invoice("INV-AGAIN"));
    const first = await once.events.publishBatch(events, { idempotencyKey: "nightly-run" });
    expect(first.filter((result) => result.status === "accepted")).toHaveLength(1_000);
    expect(first[1_009]).toMatchObject({
      index: 1_009,
      status: "refused",
      error: { code: "OVERLOADED", retryable: true },
    });
    const second = await once.events.publishBatch(events, { idempotencyKey: "nightly-run" });
    expect(second.map((result) => result.status).filter((status) => status === "duplicate")).toHaveLength(1_000);
    expect(await storedCount("INV-AGAIN")).toBe(1_010);
  });

  test("of nothing asks nobody", async () => {
    const server = await through();
    expect(await patientClient(server.url).posthorn.events.publishBatch([])).toEqual([]);
    expect(server.seen).toEqual([]);
  });
});

describe("other requests", () => {
  test("that read are repeated", async () => {
    const server = await through("cut_after", failureAnswer(503, "DATABASE_UNAVAILABLE"), {
      status: 502,
      headers: { "content-type": "text/html" },
      body: "<h1>Bad Gateway</h1>",
    });
    const { posthorn } = patientClient(server.url);
    expect((await posthorn.webhooks.list().page()).data).toEqual([]);
    expect(server.seen).toHaveLength(4);
  });

  test("that change something are not repeated when they may have been carried out", async () => {
    const hook = { url: "https://receiver.example.com/", events: ["invoice.paid"], name: "made once" };
    for (const fault of ["cut_after", "swallow_answer", failureAnswer(503, "OUTCOME_UNKNOWN")] satisfies Fault[]) {
      const server = await through(fault);
      const { posthorn, pausesMs } = patientClient(server.url, { timeoutMs: 500 });
      const error = await failed(posthorn.webhooks.create(hook));
      expect(
        error instanceof ConnectionFailed || error instanceof TimedOut || isPosthornError(error, "OUTCOME_UNKNOWN"),
      ).toBe(true);
      expect(pausesMs).toEqual([]);
      expect(server.seen).toHaveLength(1);
    }
  });

  test("that change something are repeated when certainly nothing happened", async () => {
    const server = await through(failureAnswer(503, "DATABASE_UNAVAILABLE"), failureAnswer(429, "RATE_LIMITED"));
    const { posthorn } = patientClient(server.url);
    const hook = { url: "https://receiver.example.com/", events: ["invoice.paid"], name: "made after all" };
    expect((await posthorn.webhooks.create(hook)).name).toBe("made after all");
    expect(server.seen).toHaveLength(3);
  });

  test("that something else answers say so, without its text", async () => {
    const page = { status: 200, headers: { "content-type": "text/html" }, body: "<html>secret page</html>" };
    const redirect = { status: 301, headers: { location: "https://elsewhere.example.com/" }, body: "" };
    for (const [fault, words] of [
      [page, /answered 200 \(text\/html\), which is not an answer of Posthorn/],
      [redirect, /points elsewhere/],
    ] as const) {
      const server = await through(fault);
      const error = await failed(patientClient(server.url).posthorn.webhooks.get("webhook_1"));
      expect(error).toMatchObject({ code: "UNEXPECTED_ANSWER", message: expect.stringMatching(words) });
      expect((error as Error).message).not.toContain("secret page");
    }
  });
});
