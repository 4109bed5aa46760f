// posthorn tail and posthorn listen as child processes, against a real node: everything once, also over a server that
// goes away, and a clean end.
import { connect, createServer, type Socket } from "node:net";
import { checkWebhook, Posthorn } from "@posthorn/client";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { startTestNode, TEST_API_KEY, type TestNode } from "../../../server/test/support/node.ts";
import { type Receiver, startReceiver } from "../../../server/test/support/receivers/receiver.ts";
import { until } from "../../../server/test/support/until.ts";
import { ensureBuilt, posthorn } from "../support/command.ts";
import { endAll, start } from "../support/running.ts";

const SECRET = "whsec_c2VjcmV0LW9mLXRoZS1zdHJlYW1zLXRlc3Q=";
let node: TestNode;
let receiver: Receiver;
let client: Posthorn;
let env: Record<string, string>;
let isFailing = false;

beforeAll(async () => {
  ensureBuilt();
  node = await startTestNode();
  receiver = await startReceiver({ answer: () => (isFailing ? 500 : 200) });
  client = new Posthorn({ url: node.node.url, apiKey: TEST_API_KEY });
  env = { POSTHORN_URL: node.node.url, POSTHORN_API_KEY: TEST_API_KEY };
  const { origin: url } = receiver;
  await client.webhooks.create({ name: "straight", url: `${url}/s`, events: ["invoice.*"], secret: SECRET });
}, 180_000);
afterEach(endAll);
afterAll(async () => {
  await node?.stop();
  await receiver?.close();
});

const publish = async (event: string, invoiceNumber: string): Promise<string> =>
  (await client.events.publish({ event, data: { object: { invoiceNumber } } })).id;

describe("tail", () => {
  test("shows events from now on, of the type asked for, each once", async () => {
    await publish("invoice.paid", "BEFORE");
    const running = start(["tail", "--type", "invoice.paid", "--json"], env);
    // As JSON it says nothing before the first event: published until one is seen, which is then the first.
    const ids: string[] = [];
    while (running.out.length === 0) ids.push(await publish("invoice.paid", "FIRST"));
    const from = ids.indexOf((await running.jsonLines(1))[0].id);
    const wanted = ids.slice(from);
    for (let i = 0; i < 40; i += 1) wanted.push(await publish("invoice.paid", `INV-${i}`));
    await publish("invoice.sent", "OTHER");
    const lines = await running.jsonLines(wanted.length);
    expect(await running.end()).toBe(0);
    expect(lines.map(({ id }) => id)).toEqual(wanted);
    expect(lines.at(-1)).toMatchObject({ event: "invoice.paid", reference: "INV-39", deliveryCount: 1 });
  });

  test("begins in the past with --from, ends after --count, fits a narrow terminal", async () => {
    const ended = await posthorn(["tail", "--from", "1h", "--count", "3"], { env: { ...env, COLUMNS: "60" } });
    expect([ended.code, ended.err]).toEqual([0, "Waiting for events. Ctrl-C ends it.\n"]);
    const lines = ended.out.trimEnd().split("\n");
    expect(lines[0]).toMatch(/^\d\d:\d\d:\d\d {2}invoice\.paid +1 delivery$/);
    expect(lines[1]).toMatch(/^ {2}BEFORE evt_\w{26}$/);
    expect(lines.filter((line) => line.length > 60)).toEqual([]);
  });

  test("--deliveries shows each try: failed, tried again by hand, delivered", async () => {
    isFailing = true;
    const running = start(["tail", "--deliveries", "--webhook", "straight"], env);
    await running.line(/Waiting for deliveries/);
    const id = await publish("invoice.viewed", "INV-TRY");
    expect(await running.line(new RegExp(`failed.*${id}`))).toMatch(/ {2}failed +#1 +invoice\.viewed +again \d\d:/);
    isFailing = false;
    const [delivery] = await client.deliveries.list({ eventId: id }).take(1);
    await client.deliveries.retry(delivery?.id ?? "");
    expect(await running.line(new RegExp(`delivered.*${id}`))).toContain("#2");
    expect(await running.end("SIGTERM")).toBe(0);
    expect(running.out.filter((line) => line.includes(id))).toHaveLength(2);
  });

  test("goes on when the server was away, and says so", async () => {
    // A door of our own before the server, which can be closed.
    const sockets = new Set<Socket>();
    const { port } = new URL(node.node.url);
    const door = createServer((socket) => {
      const inside = connect(Number(port), "127.0.0.1");
      for (const each of [socket, inside]) {
        sockets.add(each);
        each.on("error", () => {}).on("close", () => sockets.delete(each));
      }
      socket.pipe(inside).pipe(socket);
    });
    const open = (at: number) => new Promise<void>((resolve) => door.listen(at, "127.0.0.1", resolve));
    await open(0);
    const at = (door.address() as { port: number }).port;
    const running = start(["tail", "--type", "invoice.overdue"], { ...env, POSTHORN_URL: `http://127.0.0.1:${at}` });
    await running.line(/Waiting for events/);
    const closed = new Promise((resolve) => door.close(resolve));
    for (const socket of sockets) socket.destroy();
    await closed;
    await running.line(/cannot be reached.*Trying again/);
    const missed = await publish("invoice.overdue", "WHILE-AWAY");
    await open(at);
    await running.line(/^Connected again/);
    expect(await running.line(new RegExp(missed))).toContain("WHILE-AWAY");
    expect(await running.end()).toBe(0);
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => door.close(resolve));
  });

  test("is refused with a code when the key may not read", async () => {
    const { key } = await client.apiKeys.create({ name: "writes", scopes: ["write:events"] });
    const ended = await posthorn(["tail", "--json"], { env: { ...env, POSTHORN_API_KEY: key } });
    expect([ended.code, ended.out]).toEqual([1, ""]);
    expect(JSON.parse(ended.err)).toMatchObject({ error: { code: "FORBIDDEN" } });
    expect((await posthorn(["tail", "--webhook", "straight"], { env })).err).toContain("--webhook is for --deliveries");
  });
});

describe("listen", () => {
  test("brings each delivery of a paused webhook to a local URL once, with a signature that is valid", async () => {
    const local = await startReceiver();
    await client.webhooks.create({
      name: "far away",
      url: "https://example.com/in",
      events: ["customer.*"],
      secret: SECRET,
    });
    await client.webhooks.pause((await client.webhooks.list({ name: "far away" }).take(1))[0]?.id ?? "");
    const before = await client.events.publish({ event: "customer.created", data: { object: { id: "c0" } } });
    const args = ["listen", "--webhook", "far away", "--forward-to", `${local.origin}/hook`];
    const running = start([...args, "--from", "1h", "--json"], env);
    const events = [before.id];
    for (let i = 1; i <= 12; i += 1) {
      events.push((await client.events.publish({ event: "customer.updated", data: { object: { id: `c${i}` } } })).id);
    }
    const lines = await running.jsonLines(13);
    expect(await running.end()).toBe(0);
    expect(lines.map(({ eventId }) => eventId)).toEqual(events);
    expect(lines[0]).toMatchObject({ event: "customer.created", outcome: { kind: "answered", status: 200 } });
    expect(local.requests.map(({ path }) => path)).toEqual(events.map(() => "/hook"));
    for (const { headers, body } of local.requests) {
      expect(await checkWebhook({ headers, body, secret: SECRET })).toMatchObject({ ok: true });
    }
    expect(local.requests[0]?.headers["host"]).toBe(new URL(local.origin).host);
    // Nothing changed at the server.
    const held = await client.deliveries.list({ state: "held" }).take(20);
    expect(held.map(({ attemptCount }) => attemptCount)).toEqual(events.map(() => 0));
    await local.close();
  });

  test("says what its receiver answered, and that it did not; the delivery itself goes its own way", async () => {
    const local = await startReceiver({ answer: () => 418 });
    const args = ["listen", "--webhook", "straight", "--forward-to", local.origin];
    const running = start([...args, "--type", "invoice.sent"], env);
    await running.line(/^Deliveries of straight go to/);
    expect(await running.line(new RegExp(await publish("invoice.sent", "INV-TEAPOT")))).toMatch(
      /^\d\d:\d\d:\d\d {2}418 +\d+ ms {2}invoice\.sent +evt_\w+ dlv_\w+$/,
    );
    await local.close();
    const unheard = await publish("invoice.sent", "INV-UNHEARD");
    await running.line(new RegExp(`–.*${unheard}`));
    await running.line(/^ {2}(ECONNREFUSED|ECONNRESET|CONNECTION_FAILED|UND_ERR_SOCKET): http:\S+ did not answer\.$/);
    expect(await running.end()).toBe(0);
    await until(
      "its own delivery",
      async () => (await client.deliveries.list({ eventId: unheard }).take(1))[0]?.state === "delivered",
    );
  });

  test.each([
    [
      ["--webhook", "straight", "--forward-to", "localhost:3000"],
      2,
      "expected a URL such as http://localhost:3000/hook",
    ],
    [["--webhook", "nobody", "--forward-to", "http://localhost:1"], 1, "NOT_FOUND"],
    [["--forward-to", "http://localhost:1"], 2, "required option '--webhook"],
  ])("%j is refused", async (args, code, words) => {
    const ended = await posthorn(["listen", ...args], { env });
    expect([ended.code, ended.out, ended.err]).toEqual([code, "", expect.stringContaining(words)]);
  });
});
