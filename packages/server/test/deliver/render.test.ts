// Bodies made from templates: compiled once, parsed once, and end to end in a real node with a real receiver.
import { createHmac } from "node:crypto";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import type { DeliverableEvent } from "../../src/deliver/queue.ts";
import { Bodies, type RenderJob, renderBatchJob, renderJob } from "../../src/deliver/render.ts";
import type { Body } from "../../src/deliver/renderer.ts";
import { Definitions, NO_DEFINITIONS } from "../../src/expressions/definitions.ts";
import type { Webhook } from "../../src/storage/configuration.ts";
import { type Receiver, startReceiver } from "../support/receivers/receiver.ts";
import { startTestNode, type TestNode } from "../support/node.ts";
import { until } from "../support/until.ts";
import { webhookWith as webhookOf } from "./support.ts";

function eventOf(data: string, changes: Partial<DeliverableEvent> = {}): DeliverableEvent {
  return {
    idBytes: new Uint8Array(16),
    publicId: "evt_1",
    type: "sales_order.created",
    timestamp: "2026-11-01T08:00:00Z",
    livemode: true,
    retentionClass: 90,
    data: Buffer.from(data),
    context: null,
    ...changes,
  };
}

/** A snapshot as far as bodies look at it. */
const webhookWith = (template: unknown): Webhook => webhookOf({ configuration: { transform: { template } } });

/** The tenant's rules and code tables, as they are at the moment. */
let definitions = NO_DEFINITIONS;

function newBodies(): { bodies: Bodies; asked: string[]; jobs: RenderJob[] } {
  const asked: string[] = [];
  const jobs: RenderJob[] = [];
  const bodies = new Bodies({
    namesOf: (type) => {
      asked.push(type);
      return { name: "sales_order", aliases: ["order"], fieldAliases: {} };
    },
    tagsOf: () => ({ paths: [], names: [], context: [] }),
    definitionsOf: () => definitions,
    renderLarge: async (data, job) => {
      jobs.push(structuredClone(job));
      return structuredClone(renderJob(data, job));
    },
    renderLargeBatch: async (body, shape, source) =>
      structuredClone(renderBatchJob(body, shape, structuredClone(source))),
  });
  return { bodies, asked, jobs };
}

const text = (body: Body): string => (body.kind === "body" ? body.bytes.toString("utf8") : `failed ${body.code}`);

describe("the body of a delivery", () => {
  test("is made by the rules and code tables of the moment, here and in the other thread", async () => {
    const { bodies } = newBodies();
    const template = { big: "{{ rule.big }}", tax: '{{ lookup("tax", order.tax) }}' };
    const webhook = webhookWith(template);
    const small = eventOf('{"object":{"total":10,"tax":"SST-6"}}');
    const large = eventOf(`{"object":{"total":10,"tax":"SST-6","note":"${"x".repeat(300_000)}"}}`);
    const bodyTexts = async () => [
      text(await bodies.bodyOf(webhook, small)),
      text(await bodies.bodyOf(webhook, large)),
    ];
    try {
      expect(await bodyTexts()).toEqual(Array.from({ length: 2 }, () => '{"big":null,"tax":null}'));
      for (const [total, code] of [
        [5, "GST06"],
        [50, "GST6"],
      ] as const) {
        const rules = { big: { expression: `order.total > ${total}` } };
        definitions = new Definitions({ rules, tables: { tax: { entries: { "SST-6": code } } } });
        expect(await bodyTexts()).toEqual(Array.from({ length: 2 }, () => `{"big":${total === 5},"tax":"${code}"}`));
      }
    } finally {
      definitions = NO_DEFINITIONS;
    }
  });

  test("is the envelope without a template, and what the template makes of the event with one", async () => {
    const { bodies } = newBodies();
    const event = eventOf('{"object":{"id":"so_1","total":10.50}}');
    const plain = webhookOf();
    expect(text(await bodies.bodyOf(plain, event))).toContain('"data":{"object":{"id":"so_1","total":10.50}}}');
    const template = {
      id: "{{ order.id }}",
      total: "{{ order.total }}",
      at: "{{ event.timestamp }}",
      é: "€ {{ order.gone }}",
    };
    expect(await bodies.bodyOf(webhookWith(template), event)).toEqual({
      kind: "body",
      bytes: Buffer.from('{"id":"so_1","total":10.50,"at":"2026-11-01T08:00:00Z","é":"€ "}'),
      warnings: [{ path: "é", expression: "order.gone" }],
      parts: null,
    });
  });

  test("parses an event once for deliveries that follow one another", async () => {
    const { bodies, asked } = newBodies();
    const [first, second] = [eventOf('{"id":1}'), eventOf('{"id":2}')];
    const webhooks = [webhookWith("{{ data.id }}"), webhookWith(["{{ data.id }}"])] as const;
    expect(text(await bodies.bodyOf(webhooks[0], first))).toBe("1");
    expect(text(await bodies.bodyOf(webhooks[1], first))).toBe("[1]");
    expect(asked).toHaveLength(1);
    expect(text(await bodies.bodyOf(webhooks[0], second))).toBe("2");
    expect(text(await bodies.bodyOf(webhooks[0], first))).toBe("1");
    expect(asked).toHaveLength(3);
  });

  test("is made elsewhere for a large event, from plain data, with the same result", async () => {
    const { bodies, jobs } = newBodies();
    const data = `{"object":{"total":1.10,"note":${JSON.stringify("€".repeat(100_000))}}}`;
    const webhook = webhookWith({ total: "{{ order.total }}", note: "{{ order.note }}!", gone: "{{ order.gone }}" });
    const rendered = bodies.bodyOf(webhook, eventOf(data));
    expect(rendered).toBeInstanceOf(Promise);
    const body = await rendered;
    expect(jobs).toHaveLength(1);
    expect(body).toMatchObject({ kind: "body", warnings: [{ path: "gone", expression: "order.gone" }] });
    expect(text(body)).toBe(`{"total":1.10,"note":"${"€".repeat(100_000)}!","gone":null}`);
    expect(body.kind === "body" && Buffer.isBuffer(body.bytes)).toBe(true);
  });

  test("is a value that says so when the template goes beyond its limits or no longer compiles", async () => {
    const { bodies } = newBodies();
    const items = Array.from({ length: 2_000 }, () => "1").join(",");
    const slow = { x: "{{ order.items.map(a, order.items.map(b, a + b)) }}" };
    expect(await bodies.bodyOf(webhookWith(slow), eventOf(`{"object":{"items":[${items}]}}`))).toMatchObject({
      kind: "failed",
      path: "x",
      code: "BUDGET_EXCEEDED",
    });
    expect(await bodies.bodyOf(webhookWith({ y: "{{ ( }}" }), eventOf("1"))).toMatchObject({
      kind: "failed",
      path: "y",
    });
  });
});

describe("in a running node", () => {
  let node: TestNode;
  let receiver: Receiver;
  const made: string[] = [];

  beforeAll(async () => {
    node = await startTestNode();
    receiver = await startReceiver();
  });
  afterAll(async () => {
    await node?.stop();
    await receiver?.close();
  });
  afterEach(async () => {
    for (const id of made.splice(0)) await node.api("DELETE", `/v1/webhooks/${id}`);
  });

  const secret = "your-secret-key";
  async function subscribe(transform: unknown, events = ["sales_order.created"]): Promise<string> {
    const url = `${receiver.origin}/hook`;
    const answer = await node.api("POST", "/v1/webhooks", { url, events, secret, transform });
    expect(answer.status, JSON.stringify(answer.body)).toBe(201);
    made.push(answer.body.data.id);
    return answer.body.data.id;
  }
  async function publish(data: string, event = "sales_order.created"): Promise<string> {
    const answer = await node.api("POST", "/v1/events", `{"event":"${event}","data":${data}}`);
    expect(answer.status, JSON.stringify(answer.body)).toBe(202);
    return answer.body.data.id;
  }
  async function deliveryOf(eventId: string, state: string): Promise<string> {
    return until(`a ${state} delivery`, async () => {
      const { body } = await node.api("GET", `/v1/deliveries?eventId=${eventId}&state=${state}`);
      return body.data[0]?.id as string | undefined;
    });
  }

  test("the rendered bytes are what is sent, signed, hashed and named by their content type", async () => {
    const contentType = "application/vnd.acme.order+json";
    await subscribe({
      template: { order_id: "{{ order.id }}", total: "{{ order.total }}", gone: "{{ order.gone }}" },
      contentType,
    });
    const before = receiver.requests.length;
    const id = await publish('{"object":{"id":"so_\\u00e9\\"","total":9007199254740993.10}}');
    const request = (await receiver.received(before + 1))[before];
    if (request === undefined) throw new Error("no request");
    expect(request.body.toString()).toBe('{"order_id":"so_é\\"","total":9007199254740993.10,"gone":null}');
    expect(request.headers["content-type"]).toBe(contentType);
    const mac = createHmac("sha256", secret).update(request.body).digest("hex");
    expect(request.headers["x-signature"]).toBe(`sha256=${mac}`);
    const standard = createHmac("sha256", secret)
      .update(`${id}.${request.headers["webhook-timestamp"]}.`)
      .update(request.body)
      .digest("base64");
    expect(request.headers["webhook-signature"]).toBe(`v1,${standard}`);

    const { body } = await node.api("GET", `/v1/deliveries/${await deliveryOf(id, "delivered")}`);
    const [attempt] = body.data.attempts;
    expect(attempt.warnings).toEqual([
      {
        code: "MISSING_IN_TEMPLATE",
        field: "transform.template.gone",
        message: "The event had no value for {{ order.gone }}.",
      },
    ]);
    expect(attempt.request).toMatchObject({ bodyLength: request.body.length });
    expect(attempt.request.headers["content-type"]).toBe(contentType);
  });

  test("several webhooks each get their own body of one event; without missing values there are no warnings", async () => {
    await subscribe({ template: ["{{ order.id }}"] });
    await subscribe({ template: "{{ data }}" });
    await subscribe(null);
    const before = receiver.requests.length;
    const id = await publish('{"object" : {"id":1.0} }');
    const bodies = (await receiver.received(before + 3)).slice(before).map(({ body }) => body.toString());
    expect(bodies).toHaveLength(3);
    expect(bodies).toContain("[1.0]");
    expect(bodies).toContain('{"object":{"id":1.0}}');
    expect(bodies.find((body) => body.includes('"api_version"'))).toContain('"data":{"object" : {"id":1.0} }');
    const { body } = await node.api("GET", `/v1/deliveries/${await deliveryOf(id, "delivered")}`);
    expect("warnings" in body.data.attempts[0]).toBe(false);
  });

  test("a delivery whose template goes beyond its limits is held, without an attempt, until the template changes", async () => {
    const webhook = await subscribe({ template: { sum: "{{ order.items.map(a, order.items.map(b, a + b)) }}" } });
    const before = receiver.requests.length;
    const items = Array.from({ length: 2_000 }, () => "1").join(",");
    const id = await publish(`{"object":{"items":[${items}]}}`);
    const delivery = await deliveryOf(id, "held");
    const held = await until("the delivery to be held", async () => {
      const { body } = await node.api("GET", `/v1/deliveries/${delivery}`);
      return body.data.heldReason === undefined ? undefined : body.data;
    });
    expect(held).toMatchObject({
      state: "held",
      heldReason: "transformation_failed",
      nextAttemptAt: null,
      attempts: [],
    });
    // The next event is not kept waiting by it.
    await publish('{"object":{"items":[1,2]}}');
    expect((await receiver.received(before + 1))[before]?.body.toString()).toBe('{"sum":[[2,3],[3,4]]}');

    const change = await node.api("PATCH", `/v1/webhooks/${webhook}`, {
      transform: { template: { count: "{{ size(order.items) }}" } },
    });
    expect(change.status).toBe(200);
    expect((await node.api("POST", `/v1/deliveries/${delivery}/retry`)).status).toBe(202);
    expect((await receiver.received(before + 2))[before + 1]?.body.toString()).toBe('{"count":2000}');
    await deliveryOf(id, "delivered");
  });

  test("a large event is rendered in the other thread, and signed over what it made", async () => {
    await subscribe({ template: { note: "{{ order.note }}", total: "{{ order.total }}" } });
    const before = receiver.requests.length;
    await publish(`{"object":{"note":"${"x".repeat(600_000)}","total":2.50}}`);
    const request = (await receiver.received(before + 1))[before];
    expect(request?.body.toString()).toBe(`{"note":"${"x".repeat(600_000)}","total":2.50}`);
    const mac = createHmac("sha256", secret)
      .update(request?.body ?? "")
      .digest("hex");
    expect(request?.headers["x-signature"]).toBe(`sha256=${mac}`);
  });

  test("a change of the template is used by the next attempt, and leaves its version with the attempt", async () => {
    const webhook = await subscribe({ template: [1] });
    await node.api("PATCH", `/v1/webhooks/${webhook}`, { transform: { template: [2] } });
    const before = receiver.requests.length;
    const id = await publish('{"object":{}}');
    expect((await receiver.received(before + 1))[before]?.body.toString()).toBe("[2]");
    const { body } = await node.api("GET", `/v1/deliveries/${await deliveryOf(id, "delivered")}`);
    expect(body.data.attempts[0].webhookVersion).toBe(2);
    await node.api("PATCH", `/v1/webhooks/${webhook}`, { transform: null });
    await publish('{"object":{"back":"to the envelope"}}');
    expect((await receiver.received(before + 2))[before + 1]?.body.toString()).toContain('"api_version":"v1"');
  });
});
