// The TypeScript of the documents: compiled strictly against the packages, and run against a real node. The verifier of
// guides/receiving.md has a test of its own.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startTestNode, TEST_API_KEY, type TestNode } from "../../../server/test/support/node.ts";
import { type ReceivedRequest, startReceiver } from "../../../server/test/support/receivers/receiver.ts";
import { until } from "../../../server/test/support/until.ts";
import { blocksOf, writtenPages } from "./blocks.ts";
import { type Compiled, compile } from "./compile.ts";

const SECRET = "your-secret-key";

let compiled: Compiled;
let node: TestNode;

/** `guides/sdk.md`, 0 → `guides_sdk_0` */
const nameOf = (page: string, index: number): string => `${page.replace(/\.md$/, "").replaceAll("/", "_")}_${index}`;

beforeAll(async () => {
  const files = writtenPages().flatMap((page) =>
    blocksOf(page)
      .filter(({ language }) => language === "ts")
      .map(({ text }, index) => [nameOf(page, index), text] as const),
  );
  // Each of these is run below, or by verifiers.test.ts; what the first one calls is tested with the SDK.
  expect(files.map(([name]) => name)).toEqual([
    "guides_batches_0",
    "guides_ordering_0",
    "guides_receiving_0",
    "guides_sdk_0",
    "guides_sdk_1",
    "guides_sdk_2",
  ]);
  compiled = compile(Object.fromEntries(files));
  node = await startTestNode();
});
afterAll(async () => {
  await node?.stop();
  compiled?.remove();
});

interface Running {
  readonly child: ChildProcess;
  readonly output: () => string;
  readonly ended: Promise<unknown>;
}

function run(name: string, environment: Record<string, string> = {}): Running {
  const child = spawn(process.execPath, [join(compiled.folder, `${name}.js`)], {
    env: {
      PATH: process.env["PATH"] ?? "",
      POSTHORN_URL: node.node.url,
      POSTHORN_API_KEY: TEST_API_KEY,
      ...environment,
    },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  const read = (chunk: Buffer): void => {
    output += chunk.toString();
  };
  child.stdout.on("data", read);
  child.stderr.on("data", read);
  return { child, output: () => output, ended: once(child, "close") };
}

/** @returns what it printed */
async function runToEnd(name: string): Promise<string> {
  const { child, output, ended } = run(name);
  await ended;
  expect(child.exitCode, output()).toBe(0);
  return output();
}

test("publishing stores the event, and once however often it is run", async () => {
  expect(await runToEnd("guides_sdk_0")).toMatch(/^evt_\w+ is stored, with 0 deliveries\n$/);
  await runToEnd("guides_sdk_0");
  const { body } = await node.api("GET", "/v1/events?reference=INV-00871");
  expect(body.data).toHaveLength(1);
});

test("managing makes a webhook, changes it and deletes it", async () => {
  expect(await runToEnd("guides_sdk_1")).toMatch(/^webhook_\w+ whsec_\S+\n$/);
  const { body } = await node.api("GET", "/v1/audit?limit=3");
  expect(body.data).toHaveLength(3);
});

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

/** A real delivery of invoice.paid. */
async function captured(): Promise<ReceivedRequest> {
  const receiver = await startReceiver();
  try {
    const webhook = { url: receiver.origin, events: ["invoice.paid"], secret: SECRET };
    const { body } = await node.api("POST", "/v1/webhooks", webhook);
    const data = { object: { invoiceNumber: "INV-00872", total: 9 } };
    await node.api("POST", "/v1/events", { event: "invoice.paid", data });
    const [request] = await receiver.received(1);
    await node.api("DELETE", `/v1/webhooks/${body.data.id}`);
    return request as ReceivedRequest;
  } finally {
    await receiver.close();
  }
}

test("the receiver takes a genuine delivery, and refuses one that was changed", async () => {
  const request = await captured();
  const port = await freePort();
  const receiver = run("guides_sdk_2", { PORT: String(port), WEBHOOK_SECRET: SECRET });
  try {
    const send = async (body: Buffer): Promise<number | null> => {
      const headers = Object.fromEntries(
        Object.entries(request.headers).filter(([name]) => !/^(host|connection|content-length)$/.test(name)),
      );
      const answer = await fetch(`http://127.0.0.1:${port}/in`, {
        method: "POST",
        headers,
        body: new Uint8Array(body),
      });
      return answer.status;
    };
    const first = await until("the receiver to listen", () => send(request.body).catch(() => false as const));
    expect(first).toBe(204);
    expect(await send(Buffer.from(request.body.toString().replace("INV-00872", "INV-99999")))).toBe(401);
    expect(receiver.output()).toContain(`${request.headers["webhook-id"]} INV-00872`);
    expect(receiver.output()).toContain("SIGNATURE_MISMATCH");
    expect(receiver.output()).not.toContain("INV-99999");
  } finally {
    receiver.child.kill();
    await receiver.ended;
  }
});

test("of two events about one object the newer one is kept, in whichever order they come", async () => {
  const { newest } = (await import(pathToFileURL(join(compiled.folder, "guides_ordering_0.js")).href)) as {
    newest: (stored: unknown, event: unknown) => { object: unknown };
  };
  const sent = { timestamp: "2026-11-24T08:00:00.000Z", data: { object: "sent" } };
  const paid = { timestamp: "2026-11-24T09:00:00.000Z", data: { object: "paid" } };
  expect(newest(newest(undefined, sent), paid).object).toBe("paid");
  expect(newest(newest(undefined, paid), sent).object).toBe("paid");
});
