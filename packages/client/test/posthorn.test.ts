// Managing and reading through the SDK, against a real node; and what it keeps to itself.
import { inspect } from "node:util";
import { errors, InvalidArgument, isPosthornError, Posthorn } from "@posthorn/client";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startTestNode, TEST_API_KEY, type TestNode } from "../../server/test/support/node.ts";
import { type Receiver, startReceiver } from "../../server/test/support/receivers/receiver.ts";
import { until } from "../../server/test/support/until.ts";
import { patientClient } from "./support/client.ts";

let node: TestNode;
let receiver: Receiver;
let posthorn: Posthorn;
beforeAll(async () => {
  node = await startTestNode();
  receiver = await startReceiver();
  posthorn = patientClient(node.node.url).posthorn;
});
afterAll(async () => {
  await node?.stop();
  await receiver?.close();
});

const thrown = async (work: () => unknown): Promise<Error> => {
  try {
    await work();
  } catch (error) {
    return error as Error;
  }
  throw new Error("it should have thrown");
};

test("rules and code tables are made, read, changed under their ETag, and deleted when nothing uses them", async () => {
  const rule = await posthorn.rules.create({ name: "large", expression: "invoice.total > 1000", owner: "Sales" });
  const table = await posthorn.codeTables.create({ name: "tax", entries: { "SST-6": "GST06" } });
  const template = { tax: '{{ lookup("tax", invoice.taxCode) }}' };
  const made = await posthorn.webhooks.create({
    url: `${receiver.origin}/rules`,
    events: ["invoice.created"],
    filters: ["rule.large"],
    transform: { template },
  });
  const read = await posthorn.rules.get("large");
  expect(read).toMatchObject({ version: 1, usedBy: [{ type: "webhook", id: made.id, fields: ["filters[0]"] }] });
  expect(read.etag).toBe(rule.etag);
  const changed = await posthorn.rules.update("large", { expression: "invoice.total > 2000" }, { ifMatch: read });
  expect(changed).toMatchObject({ version: 2, owner: "Sales" });
  expect(await thrown(() => posthorn.rules.update("large", { owner: null }, { ifMatch: read }))).toMatchObject({
    code: "PRECONDITION_FAILED",
  });
  expect(await thrown(() => posthorn.rules.remove("large"))).toMatchObject({ code: "CONFLICT" });
  expect(await thrown(() => posthorn.codeTables.remove("tax"))).toMatchObject({ code: "CONFLICT" });
  await posthorn.codeTables.update("tax", { entries: { "SST-6": "GST6" } }, { ifMatch: table });
  const held = await posthorn.codeTables.versions("tax").take(10);
  expect(held.map(({ entries }) => entries)).toEqual([{ "SST-6": "GST6" }, { "SST-6": "GST06" }]);
  await posthorn.webhooks.delete(made.id);
  await posthorn.rules.remove("large", { ifMatch: changed });
  await posthorn.codeTables.remove("tax");
  expect(await posthorn.rules.list().take(1)).toEqual([]);
  expect(await posthorn.codeTables.list().take(1)).toEqual([]);
  expect((await posthorn.rules.versions("large").take(10)).map(({ version }) => version)).toEqual([2, 1]);
});

describe("a webhook's life", () => {
  test("is created, read, changed under its ETag, and deleted", async () => {
    const made = await posthorn.webhooks.create({
      url: `${receiver.origin}/life`,
      events: ["invoice.*"],
      name: "life",
    });
    expect(made).toMatchObject({ name: "life", status: "enabled", secret: expect.any(String) });
    const read = await posthorn.webhooks.get(made.id);
    expect(read.etag).toBe(made.etag);
    expect(JSON.stringify(read)).not.toContain("etag");
    const changed = await posthorn.webhooks.update(made.id, { timeout: 20 }, { ifMatch: read });
    expect(changed).toMatchObject({ timeout: 20, version: 2 });
    const late = await thrown(() => posthorn.webhooks.update(made.id, { timeout: 25 }, { ifMatch: read }));
    expect(isPosthornError(late, "PRECONDITION_FAILED")).toBe(true);
    expect(late).toBeInstanceOf(errors.PreconditionFailed);
    expect((await posthorn.webhooks.versions(made.id).take(10)).map((version) => version.version)).toEqual([2, 1]);
    expect((await posthorn.webhooks.list({ name: "life" }).take(2)).map((webhook) => webhook.id)).toEqual([made.id]);
    await posthorn.webhooks.delete(made.id, { ifMatch: changed.etag });
    expect(await thrown(() => posthorn.webhooks.get(made.id))).toMatchObject({ code: "NOT_FOUND", status: 404 });
  });

  test("is refused field by field", async () => {
    const error = await thrown(() =>
      posthorn.webhooks.create({ url: `${receiver.origin}/`, events: ["invoice.paid"], timeOut: 5 } as never),
    );
    expect(error).toMatchObject({ code: "UNKNOWN_FIELD", requestId: expect.stringMatching(/^req_/) });
    expect((error as unknown as { details: unknown }).details).toMatchObject([{ field: "timeOut" }]);
  });
});

describe("an event's way", () => {
  test("is seen from publishing to the attempt, and can be gone again", async () => {
    const webhook = await posthorn.webhooks.create({ url: `${receiver.origin}/way`, events: ["payment.received"] });
    const published = await posthorn.events.publish({
      event: "payment.received",
      data: { object: { paymentNumber: "PAY-1", amount: 12 } },
      timestamp: new Date("2026-11-23T08:00:00Z"),
    });
    expect(published).toMatchObject({ deliveries: 1, timestamp: "2026-11-23T08:00:00.000Z", replayed: false });
    const delivery = await until("the delivery", async () =>
      (await posthorn.deliveries.list({ eventId: published.id, state: "delivered" }).take(1)).at(0),
    );
    const whole = await posthorn.deliveries.get(delivery.id);
    expect(whole.attempts).toMatchObject([{ number: 1, outcome: "delivered", response: { status: 200 } }]);
    const event = await posthorn.events.get<{ object: { amount: number } }>(published.id);
    expect(event.data.object.amount).toBe(12);
    expect(event.deliveries.map((each) => each.id)).toEqual([delivery.id]);
    expect(await thrown(() => posthorn.deliveries.retry(delivery.id))).toMatchObject({ code: "NOT_RETRYABLE" });
    const replayed = await posthorn.events.replay(published.id, { webhookId: webhook.id });
    expect(replayed.deliveries).toMatchObject([{ webhookId: webhook.id, state: "pending" }]);
  });

  test("keeps the bytes of an event that is JSON already", async () => {
    const json = '{"event":"invoice.sent", "data": {"object":{"total": 1.50, "invoiceNumber":"INV-RAW"}}}';
    const { id } = await posthorn.events.publishRaw(json);
    const [row] = await node.sql<{ data: Buffer }>("select data from event where reference = 'INV-RAW'");
    expect([id.startsWith("evt_"), row?.data.toString("utf8")]).toEqual([
      true,
      '{"object":{"total": 1.50, "invoiceNumber":"INV-RAW"}}',
    ]);
  });
});

describe("a list", () => {
  test("is walked to its end, page by page, and no further than asked", async () => {
    const events = Array.from({ length: 7 }, (_, index) => ({
      event: "invoice.viewed",
      data: { object: { invoiceNumber: `INV-PAGE-${index}` } },
    }));
    const results = await posthorn.events.publishBatch(events);
    const newestFirst = results
      .map((result) => (result.status === "refused" ? "" : result.id))
      .sort()
      .reverse();
    const listing = posthorn.events.list({ type: "invoice.viewed", limit: 3 });
    const walked: string[] = [];
    for await (const event of listing) walked.push(event.id);
    expect(walked).toEqual(newestFirst);
    const first = await listing.page();
    expect(first.pagination).toMatchObject({ hasMore: true, limit: 3 });
    const second = await listing.page(first.pagination.nextCursor ?? "");
    expect(second.data.map((event) => event.id)).toEqual(newestFirst.slice(3, 6));
    expect((await listing.take(4)).map((event) => event.id)).toEqual(newestFirst.slice(0, 4));
    expect(await listing.take(0)).toEqual([]);
    const sizes: number[] = [];
    for await (const page of listing.pages()) sizes.push(page.data.length);
    expect(sizes).toEqual([3, 3, 1]);
  });

  test("of event types shows what can be published", async () => {
    const types = await posthorn.eventTypes.list({ type: "invoice.*" }).take(100);
    expect(types.map((type) => type.name)).toContain("invoice.paid");
    const { example } = await posthorn.eventTypes.get("invoice.paid");
    expect(await posthorn.events.publish(example as { event: string; data: unknown })).toMatchObject({
      event: "invoice.paid",
    });
  });
});

describe("what a client is made with", () => {
  const good = { url: "http://127.0.0.1:1", apiKey: TEST_API_KEY };
  test.each([
    ["url", { url: "events.example.com" }],
    ["url", { url: "ftp://events.example.com" }],
    ["url", { url: "https://user:hunter2-password@events.example.com" }],
    ["url", { url: "https://events.example.com/v1/" }],
    ["url", { url: "https://events.example.com/?a=b" }],
    ["apiKey", { apiKey: undefined as never }],
    ["apiKey", { apiKey: "" }],
    ["apiKey", { apiKey: "with a blank in the middle" }],
    ["apiKey", { apiKey: `${TEST_API_KEY}\n` }],
    ["companyId", { companyId: "ü" }],
    ["timeoutMs", { timeoutMs: 0 }],
    ["retry.maxTries", { retry: { maxTries: 1.5 } }],
    ["retry.deadlineMs", { retry: { deadlineMs: -1 } }],
    ["userAgent", { userAgent: "a\nb" }],
    ["fetch", { fetch: "curl" as never }],
  ])("is refused at once when %s cannot be used: %j", (name, change) => {
    const error = (() => {
      try {
        return new Posthorn({ ...good, ...change });
      } catch (caught) {
        return caught as Error;
      }
    })();
    expect(error).toBeInstanceOf(InvalidArgument);
    expect((error as Error).message.startsWith(`${name}:`)).toBe(true);
    expect((error as Error).message).not.toMatch(/hunter2|test-administrator|blank in/);
  });

  test("goes along: company, user agent, another fetch", async () => {
    const seen: [string, Headers][] = [];
    const client = new Posthorn({
      ...good,
      url: `${node.node.url}/`,
      companyId: "company_default",
      userAgent: "erp/2.1",
      fetch: (input, init) => {
        seen.push([input as string, new Headers(init?.headers)]);
        return fetch(input, init);
      },
    });
    await client.webhooks.list({ limit: 1 }).page();
    const [url, headers] = seen[0] ?? ["", new Headers()];
    expect(url).toBe(`${node.node.url}/v1/webhooks?limit=1`);
    expect(headers.get("x-company-id")).toBe("company_default");
    expect(headers.get("user-agent")).toMatch(/^posthorn-client\/\S+ erp\/2\.1$/);
  });

  test("an id that would lead to another route is refused", async () => {
    for (const id of ["", "..", undefined as never]) {
      expect(await thrown(() => posthorn.webhooks.delete(id))).toBeInstanceOf(InvalidArgument);
    }
    expect(await thrown(() => posthorn.webhooks.get("webhook_1/versions?x#"))).toMatchObject({ code: "NOT_FOUND" });
  });

  test("what JSON cannot hold is refused before anything is sent", async () => {
    const cycle: { self?: unknown } = {};
    cycle.self = cycle;
    for (const total of [1n, cycle]) {
      const event = { event: "invoice.paid", data: { object: { total } } } as never;
      expect(await thrown(() => posthorn.events.publish(event))).toBeInstanceOf(InvalidArgument);
    }
  });
});

describe("the API key", () => {
  test("shows in no inspection, text or error", async () => {
    const wrong = new Posthorn({ url: node.node.url, apiKey: "blg_live_sk_not_a_key_of_this_server" });
    const refused = await thrown(() => wrong.webhooks.list().page());
    const nobody = new Posthorn({ url: "http://127.0.0.1:1", apiKey: TEST_API_KEY, retry: false });
    const unreachable = await thrown(() => nobody.webhooks.list().page());
    expect([refused, unreachable].map((error) => (error as { code?: string }).code)).toEqual([
      "UNAUTHORIZED",
      "CONNECTION_FAILED",
    ]);
    for (const thing of [posthorn, wrong, nobody, nobody.webhooks, refused, unreachable]) {
      const shown = inspect(thing, { depth: 20, showHidden: true }) + JSON.stringify(thing);
      expect(shown).not.toMatch(/not_a_key_of|test-administrator/);
    }
  });
});

describe("errors", () => {
  test("have one class for each code of the contract", () => {
    expect(errors.RateLimited.name).toBe("RateLimited");
    const error = new errors.RateLimited({ code: "RATE_LIMITED", message: "Slow down." });
    expect([error.name, error.code, error.retryable, isPosthornError(error)]).toEqual([
      "RateLimited",
      "RATE_LIMITED",
      true,
      true,
    ]);
    expect(isPosthornError(error, "NOT_FOUND", "FORBIDDEN")).toBe(false);
    expect(isPosthornError(new Error("other"))).toBe(false);
  });
});
