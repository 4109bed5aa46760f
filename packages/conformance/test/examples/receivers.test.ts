// The example receivers, each behind a real socket, fed by a real node: what they take, what they refuse, and that they
// handle an event once.
import type { AddressInfo } from "node:net";
import { serve } from "@hono/node-server";
import type { WebhookEvent } from "@posthorn/client";
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { makeApp as makeExpress } from "../../../../examples/receivers/express.ts";
import { makeApp as makeFastify } from "../../../../examples/receivers/fastify.ts";
import { makeApp as makeHono } from "../../../../examples/receivers/hono.ts";
import { makeServer } from "../../../../examples/receivers/node.ts";
import { startTestNode, type TestNode } from "../../../server/test/support/node.ts";
import { type ReceivedRequest, startReceiver } from "../../../server/test/support/receivers/receiver.ts";
import { until } from "../../../server/test/support/until.ts";

const SECRET = "your-secret-key";

type Handle = (event: WebhookEvent) => Promise<void>;
interface Running {
  readonly port: number;
  readonly close: () => Promise<unknown>;
}
interface Listening {
  address(): AddressInfo | string | null;
  close(done?: () => void): unknown;
}

const portOf = (server: Listening): number => (server.address() as AddressInfo).port;
const closing = (server: Listening) => () => new Promise<void>((resolve) => server.close(() => resolve()));

const EXAMPLES: [string, (handle: Handle) => Promise<Running>][] = [
  [
    "plain Node.js",
    async (handle) => {
      const server = makeServer(SECRET, handle);
      await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
      return { port: portOf(server), close: closing(server) };
    },
  ],
  [
    "Express",
    async (handle) => {
      const server = await new Promise<Listening>((resolve) => {
        const made = makeExpress(SECRET, handle).listen(0, "127.0.0.1", () => resolve(made));
      });
      return { port: portOf(server), close: closing(server) };
    },
  ],
  [
    "Fastify",
    async (handle) => {
      const app = makeFastify(SECRET, handle);
      await app.listen({ port: 0, host: "127.0.0.1" });
      return { port: portOf(app.server), close: () => app.close() };
    },
  ],
  [
    "Hono",
    async (handle) => {
      const app = makeHono(SECRET, handle);
      return new Promise((resolve) => {
        const server: Listening = serve({ fetch: app.fetch, port: 0, hostname: "127.0.0.1" }, (info) =>
          resolve({ port: info.port, close: closing(server) }),
        );
      });
    },
  ],
];

let node: TestNode;
let genuine: ReceivedRequest;
beforeAll(async () => {
  node = await startTestNode();
  const tap = await startReceiver();
  await node.api("POST", "/v1/webhooks", { url: `${tap.origin}/`, events: ["invoice.paid"], secret: SECRET });
  await node.api("POST", "/v1/events", {
    event: "invoice.paid",
    data: { object: { invoiceNumber: "INV-00871", total: 2567.5 } },
  });
  genuine = (await tap.received(1))[0] as ReceivedRequest;
  await tap.close();
});
afterAll(async () => node?.stop());
beforeEach(() => {
  // They say on the console what they refuse.
  vi.spyOn(console, "warn").mockImplementation(() => {});
});

describe.each(EXAMPLES)("the receiver with %s", (name, start) => {
  const handled: WebhookEvent[] = [];
  let running: Running;
  beforeAll(async () => {
    running = await start(async (event) => void handled.push(event));
  });
  afterAll(async () => running.close());

  const send = (body: Buffer, headers: Readonly<Record<string, string>>) => {
    const {
      host: _host,
      connection: _connection,
      "content-length": _length,
      "transfer-encoding": _coding,
      ...rest
    } = headers;
    return fetch(`http://127.0.0.1:${running.port}/webhooks`, {
      method: "POST",
      headers: rest,
      body: new Uint8Array(body),
    });
  };

  test("takes what a node delivers, and handles it with its data", async () => {
    const reference = `INV-${name}`;
    const { body } = await node.api("POST", "/v1/webhooks", {
      url: `http://127.0.0.1:${running.port}/webhooks`,
      events: ["invoice.sent"],
      secret: SECRET,
    });
    const event = { event: "invoice.sent", data: { object: { invoiceNumber: reference, notes: "发票 ✓" } } };
    const published = await node.api("POST", "/v1/events", event);
    const delivered = await until("the delivery", async () => {
      const found = await node.api("GET", `/v1/deliveries?webhookId=${body.data.id}&state=delivered`);
      return found.body.data[0];
    });
    expect(delivered).toMatchObject({ eventId: published.body.data.id, attemptCount: 1 });
    await until("the event to be handled", async () => handled.length === 1);
    expect(handled[0]).toMatchObject({ id: published.body.data.id, data: event.data });
    await node.api("DELETE", `/v1/webhooks/${body.data.id}`);
  });

  test("handles an event once, however often it comes", async () => {
    const before = handled.length;
    const statuses = [];
    for (let time = 0; time < 3; time += 1) statuses.push((await send(genuine.body, genuine.headers)).status);
    expect(statuses).toEqual([204, 204, 204]);
    await until("the event to be handled", async () => handled.length > before);
    expect(handled.slice(before).map((event) => event.id)).toEqual([genuine.headers["webhook-id"]]);
  });

  test("refuses a changed body, a foreign signature and an old request with 401, and handles none of them", async () => {
    const before = handled.length;
    const changed = Buffer.from(genuine.body.toString("utf8").replace("2567.5", "9999.5"));
    const unsigned = { "content-type": "application/json", "webhook-id": "evt_1", "webhook-timestamp": "1" };
    const old = { ...genuine.headers, "webhook-timestamp": "1700000000" };
    const answers = [
      await send(changed, genuine.headers),
      await send(genuine.body, unsigned),
      await send(genuine.body, old),
      await send(Buffer.alloc(0), genuine.headers),
    ];
    expect(answers.map((answer) => answer.status)).toEqual([401, 401, 401, 401]);
    expect(handled).toHaveLength(before);
  });

  test("refuses a body that is larger than anything Posthorn sends", async () => {
    const answer = await send(Buffer.alloc(12 * 1024 * 1024, 32), genuine.headers).catch((error: Error) => error);
    // Some answer 413 while the rest is still being sent, and the connection ends.
    if (answer instanceof Response) expect(answer.status).toBe(413);
  });
});
