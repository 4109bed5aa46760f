// What tagged fields leave the company: none in any format, template, URL, header or batch of a webhook that drops them,
// and every other byte as it was. On a whole node. Broken on purpose: with one `seenBy` left out in render.ts, one of these
// goes red.
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { defaultCatalogueFolder } from "../../src/catalogue/folder.ts";
import { loadCatalogue } from "../../src/catalogue/load.ts";
import { Redactor } from "../../src/lib/json/redact.ts";
import { startTestNode, type TestNode } from "../support/node.ts";
import { type ReceivedRequest, type Receiver, startReceiver } from "../support/receivers/receiver.ts";
import { until } from "../support/until.ts";

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

const BEFORE = '{ "object" : {"id":"cust_1","total":10.50,';
const SECRETS =
  '"name":"Aminah","email":"aminah@secret.example","phone":"+60-secret","address":{"city":"Secretville"},"contacts":[{"name":"Secret Friend","title":"CFO"}],';
const AFTER = '"n":12345678901234567890.10}, "previous_attributes":{"email":"old@secret.example","status":"x"}}';
const DATA = `${BEFORE}${SECRETS}${AFTER}`;
const SEEN =
  '{ "object" : {"id":"cust_1","total":10.50,"contacts":[{"title":"CFO"}],"n":12345678901234567890.10}, "previous_attributes":{"status":"x"}}';
const CONTEXT = '{"companyId":"company_1","userId":"user_secret","ip":"203.0.113.99"}';
const LEAK = /secret|Aminah|203\.0\.113/i;
const PRIVACY = { personal: "drop" };

const webhookAt = (fields: object) => ({ url: `${receiver.origin}/in`, events: ["customer.updated"], ...fields });
async function subscribe(fields: object): Promise<string> {
  const made = await node.api("POST", "/v1/webhooks", webhookAt(fields));
  expect(made.status, JSON.stringify(made.body)).toBe(201);
  return made.body.data.id;
}
async function publish(data = DATA): Promise<string> {
  const body = `{"event":"customer.updated","data":${data},"context":${CONTEXT}}`;
  const answer = await node.api("POST", "/v1/events", body);
  expect(answer.status, JSON.stringify(answer.body)).toBe(202);
  return answer.body.data.id;
}
async function sent(data = DATA): Promise<ReceivedRequest> {
  const before = receiver.requests.length;
  await publish(data);
  return (await receiver.received(before + 1))[before] as ReceivedRequest;
}
const wholeOf = ({ path, headers, body }: ReceivedRequest): string =>
  `${path}\n${JSON.stringify({ ...headers, "user-agent": "" })}\n${body.toString("utf8")}`;

describe("personal fields that are dropped", () => {
  test.each([
    ["the envelope", { format: "bigledger" }],
    ["CloudEvents", { format: "cloudEvents" }],
    ["binary CloudEvents", { format: "cloudEventsBinary" }],
    ["the payload", { format: "data" }],
    [
      "a template that copies all",
      { transform: { template: { all: "{{ data }}", c: "{{ context }}", p: "{{ previous }}" } } },
    ],
    [
      "a template that asks for them",
      { transform: { template: { e: "{{ customer.email }}", m: "{{ md5(default(customer.email, '')) }}" } } },
    ],
    ["a text", { transform: { contentType: "text/plain", template: "{{ customer.name }} {{ object }}" } }],
    [
      "a header and a query",
      { url: "{origin}/in?m={{ customer.email }}", headers: { "X-Mail": "{{ customer.email }}" } },
    ],
    ["a batch", { batchSettings: { maxEvents: 1, maxWaitTime: 60 } }],
    ["a batch of CloudEvents", { format: "cloudEvents", batchSettings: { maxEvents: 1, maxWaitTime: 60 } }],
    [
      "a batch by template",
      { batchSettings: { maxEvents: 1, maxWaitTime: 60, per: "batch" }, transform: { template: "{{ events }}" } },
    ],
  ])("are not in %s", async (_name, fields) => {
    const given = JSON.parse(JSON.stringify(fields).replace("{origin}", receiver.origin));
    await subscribe({ ...given, privacy: PRIVACY });
    expect(wholeOf(await sent())).not.toMatch(LEAK);
  });

  test("leave every other byte as it was, for this webhook and whole for its neighbour", async () => {
    await subscribe({ format: "data", privacy: PRIVACY });
    await subscribe({ format: "data" });
    await subscribe({});
    const before = receiver.requests.length;
    const eventId = await publish();
    const bodies = (await receiver.received(before + 3)).slice(before).map(({ body }) => body.toString("utf8"));
    expect(bodies).toContain(SEEN);
    expect(bodies).toContain(DATA);
    expect(bodies.some((body) => body.includes(`"data":${DATA},"context":${CONTEXT}`))).toBe(true);
    const deliveries = await until("all to be delivered", async () => {
      const { body } = await node.api("GET", `/v1/deliveries?eventId=${eventId}&state=delivered`);
      return body.data.length === 3 ? body.data : undefined;
    });
    for (const { id } of deliveries) {
      expect((await node.api("GET", `/v1/deliveries/${id}/request`)).body.data.bodyHashMatches).toBe(true);
    }
  });

  test("are not in a large event, which another thread redacts", async () => {
    await subscribe({ format: "data", privacy: PRIVACY });
    const filler = `"filler":"${"x".repeat(400_000)}",`;
    const request = await sent(`${BEFORE}${filler}${SECRETS}${AFTER}`);
    expect(request.body.toString()).toBe(SEEN.replace('"contacts"', `${filler}"contacts"`));
  });

  test("are not in a test, and hold what cannot be sent without them", async () => {
    const id = await subscribe({ privacy: PRIVACY, format: "data" });
    const before = receiver.requests.length;
    await node.api("POST", `/v1/webhooks/${id}/test`, { event: "customer.updated", testData: JSON.parse(DATA) });
    expect(wholeOf((await receiver.received(before + 1))[before] as ReceivedRequest)).not.toMatch(LEAK);
    await node.api("PATCH", `/v1/webhooks/${id}`, {
      format: null,
      transform: { template: "{{ required(customer.email) }}" },
    });
    const eventId = await publish();
    await until("a held delivery", async () => {
      const { body } = await node.api("GET", `/v1/deliveries?eventId=${eventId}&state=held`);
      return body.data[0];
    });
  });
});

test("masked fields keep their place, filters see the whole event, and further fields go by path", async () => {
  await subscribe({
    format: "data",
    filters: ['customer.email == "aminah@secret.example"'],
    privacy: { personal: "mask", fields: { total: "mask", "contacts.title": "drop" } },
  });
  const body = JSON.parse((await sent()).body.toString());
  expect(body).toEqual({
    object: {
      id: "cust_1",
      total: null,
      name: "***",
      email: "***",
      phone: "***",
      address: { city: "***" },
      contacts: [{ name: "***" }],
      n: expect.any(Number),
    },
    previous_attributes: { email: "***", status: "x" },
  });
});

describe("a preview", () => {
  const warningsOf = async (fields: object): Promise<string[]> => {
    const event = { event: "customer.updated", data: JSON.parse(DATA), context: JSON.parse(CONTEXT) };
    const { status, body } = await node.api("POST", "/v1/preview", { webhook: webhookAt(fields), event });
    expect(status, JSON.stringify(body)).toBe(200);
    return (body.data.warnings ?? [])
      .filter(({ code }: { code: string }) => code === "TAGGED_FIELDS_SENT")
      .map(({ message }: { message: string }) => message);
  };

  test("names the tagged fields that would leave, and only those", async () => {
    const [all] = await warningsOf({});
    expect(all).toContain("This sends personal data: name, email, phone, address, contacts.name and 2 more");
    expect(
      await warningsOf({ transform: { template: { m: "{{ customer.email }}", id: "{{ customer.id }}" } } }),
    ).toEqual([expect.stringContaining("personal data: email. If")]);
    expect(await warningsOf({ transform: { template: "{{ customer.id }}" } })).toEqual([]);
    expect(await warningsOf({ format: "thin" })).toEqual([]);
    expect(await warningsOf({ privacy: PRIVACY })).toEqual([]);
    expect(await warningsOf({ privacy: { personal: "mask" } })).toEqual([]);
  });
});

test.each([
  [{}, "privacy"],
  [{ personal: "hide" }, "privacy.personal"],
  [{ persnal: "drop" }, "privacy.persnal"],
  [{ fields: { "a..b": "drop" } }, "privacy.fields.a..b"],
  ["drop", "privacy"],
])("privacy %j is refused at %s", async (privacy, field) => {
  const { status, body } = await node.api("POST", "/v1/webhooks", webhookAt({ privacy }));
  expect([status, body.error.details[0].field], JSON.stringify(body)).toEqual([422, field]);
});

test("an event type says which fields of its example are tagged", async () => {
  const { body } = await node.api("GET", "/v1/event-types/customer.updated");
  expect(body.data.taggedFields).toEqual(
    expect.arrayContaining([
      { path: "email", tag: "personal" },
      { path: "contacts.name", tag: "personal" },
      { path: "context.ip", tag: "personal" },
    ]),
  );
  const adjusted = await node.api("GET", "/v1/event-types/inventory.adjustment");
  expect(adjusted.body.data.taggedFields).toEqual(expect.arrayContaining([{ path: "totalValue", tag: "cost" }]));
});

describe("the tags of the catalogue", () => {
  test("are fields that examples have: one that never applies is a misspelt one", async () => {
    const catalogue = await loadCatalogue(defaultCatalogueFolder());
    const found = new Set<string>();
    const examples = [...catalogue.types.values()];
    for (const { name, example } of examples) {
      const { paths } = catalogue.tagsOf(name);
      const all = paths.map(([path]) => [path, "drop"] as const);
      new Redactor({ paths: all, names: [] }).redact(Buffer.from(JSON.stringify(example.data)), ["object"], (path) =>
        found.add(`${name.split(".")[0]} ${path}`),
      );
    }
    const own = examples.flatMap(({ name, resource }) =>
      catalogue
        .tagsOf(name)
        .paths.filter(([path]) => !/^[a-z_]+\.(?!name$|employeeNumber$)/.test(path))
        .map(([path]) => `${resource.name} ${path}`),
    );
    const customers = own.filter((each) => /^(customer|member|user|inventory) [a-zA-Z]+$/.test(each));
    expect(customers.length).toBeGreaterThan(5);
    expect([...new Set(customers)].filter((each) => !found.has(each))).toEqual([]);
  });

  test("hold for an embedded object, and by name for types that nobody has published", async () => {
    const catalogue = await loadCatalogue(defaultCatalogueFolder());
    const paths = (type: string) => catalogue.tagsOf(type).paths.map(([path]) => path);
    expect(paths("payment.received")).toEqual(expect.arrayContaining(["customer.address", "order.billingAddress"]));
    expect(paths("payslip.approved")).toContain("customer.contacts.name");
    expect(catalogue.tagsOf("payslip.approved").names).toContainEqual(["grossPay", "salary"]);
  });
});
