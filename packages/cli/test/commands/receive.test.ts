// posthorn receive as a child process, and real deliveries to it: what it verifies, how it fails on demand, and that it
// leaves nothing behind.
import { spawn } from "node:child_process";
import { createHmac } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Posthorn } from "@posthorn/client";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { startTestNode, TEST_API_KEY, type TestNode } from "../../../server/test/support/node.ts";
import { COMMAND, ensureBuilt, posthorn } from "../support/command.ts";
import { endAll, type Running, start } from "../support/running.ts";

const folder = mkdtempSync(join(tmpdir(), "posthorn-receive-"));
let node: TestNode;
let client: Posthorn;
let env: Record<string, string>;

beforeAll(async () => {
  ensureBuilt();
  node = await startTestNode();
  client = new Posthorn({ url: node.node.url, apiKey: TEST_API_KEY });
  env = { POSTHORN_URL: node.node.url, POSTHORN_API_KEY: TEST_API_KEY };
}, 180_000);
afterEach(endAll);
afterAll(async () => {
  await node?.stop();
  rmSync(folder, { recursive: true, force: true });
});

const receive = (...args: string[]): Running => start(["receive", "--port", "0", ...args], env);
const urlOf = async (running: Running): Promise<string> =>
  /http:\S+\d/.exec(await running.line(/^Listening at/))?.[0] ?? "";

/** A request as Posthorn signs it, sent by hand. */
async function send(url: string, secret: string, change: Record<string, string> = {}): Promise<Response> {
  const body = '{"id":"evt_hand","event":"invoice.paid","data":{}}';
  const timestamp = String(Math.floor(Date.now() / 1_000));
  const hmac = (text: string) => createHmac("sha256", secret).update(text + body);
  return fetch(url, {
    method: "POST",
    body,
    headers: {
      "webhook-id": "evt_hand",
      "webhook-timestamp": timestamp,
      "webhook-signature": `v1,${hmac(`evt_hand.${timestamp}.`).digest("base64")}`,
      "x-signature": `sha256=${hmac("").digest("hex")}`,
      ...change,
    },
  });
}

describe("--subscribe", () => {
  test("makes a webhook, shows and verifies what comes, and deletes the webhook on Ctrl-C", async () => {
    const running = receive("--subscribe", "invoice.*,payment.received");
    const id = /webhook_\w+/.exec(await running.line(/^Subscribed to/))?.[0] ?? "";
    expect(await client.webhooks.get(id)).toMatchObject({ events: ["invoice.*", "payment.received"] });
    const { id: eventId } = await client.events.publish({ event: "invoice.paid", data: { object: {} } });
    expect(await running.line(/evt_/)).toMatch(
      new RegExp(String.raw`^\d\d:\d\d:\d\d  200  verified  #1 +\d+ B  invoice\.paid +${eventId} dlv_\w+$`),
    );
    expect(await running.end()).toBe(0);
    expect(running.err.at(-1)).toBe("1 request: 1 verified, 0 answered as failures, 0 seen before.");
    await expect(client.webhooks.get(id)).rejects.toMatchObject({ code: "NOT_FOUND" });
  });

  test("is JSON, one object on a line, and ends by itself after --count", async () => {
    const running = receive("--subscribe", "customer.created", "--json", "--count", "1");
    const [listening] = await running.jsonLines(1);
    expect(listening).toMatchObject({
      kind: "listening",
      url: `http://${listening.allowTargets}`,
      webhookId: expect.stringMatching(/^webhook_/),
    });
    await client.events.publish({ event: "customer.created", data: { object: {} } });
    expect(await running.end(null)).toBe(0);
    expect(running.err).toEqual([]);
    expect((await running.jsonLines(3)).slice(1)).toEqual([
      expect.objectContaining({
        kind: "request",
        event: "customer.created",
        attempt: 1,
        status: 200,
        isRepeated: false,
        judgement: { kind: "verified", profiles: ["bigledger", "standard"] },
      }),
      { kind: "end", requests: 1, verified: 1, failed: 0, repeated: 0 },
    ]);
  });

  test("clears up after a run that was killed", async () => {
    const killed = receive("--subscribe", "user.login", "--json");
    const [{ url, webhookId }] = await killed.jsonLines(1);
    await killed.end("SIGKILL");
    expect((await client.webhooks.get(webhookId)).status).toBe("enabled");
    const again = start(["receive", "--port", new URL(url).port, "--subscribe", "user.login"], env);
    expect(await again.line(/left behind/)).toContain(webhookId);
    expect(await again.end("SIGTERM")).toBe(0);
    expect(await client.webhooks.list().take(10)).toEqual([]);
  });

  test("says what the server refuses, and leaves no webhook and no port", async () => {
    const unknown = await posthorn(["receive", "--port", "0", "--subscribe", "invoce.*"], { env });
    expect([unknown.code, unknown.err]).toEqual([1, expect.stringContaining("Did you mean invoice.*")]);
    // On another loopback address than the one that this server allows.
    const refused = await posthorn(["receive", "--port", "0", "--host", "127.0.0.2", "--subscribe", "*"], { env });
    expect([refused.code, refused.err]).toEqual([1, expect.stringMatching(/TARGET_REFUSED[\s\S]*127\.0\.0\.2:\d+ to/)]);
    expect(await client.webhooks.list().take(10)).toEqual([]);
  });

  test("deletes the webhook too when nobody reads any further", async () => {
    // `head` ends after the first line; the next one meets a closed pipe.
    const shell = spawn(
      "bash",
      ["-c", `"$0" "$1" receive --port 0 --subscribe 'user.*' --json | head -1`, process.execPath, COMMAND],
      {
        env: { ...process.env, ...env },
        stdio: ["ignore", "pipe", "inherit"],
      },
    );
    const closed = once(shell, "close");
    const [first] = (await once(shell.stdout, "data")) as [Buffer];
    const { webhookId } = JSON.parse(first.toString("utf8")) as { webhookId: string };
    await client.events.publish({ event: "user.login", data: { object: {} } });
    await closed;
    await expect(client.webhooks.get(webhookId)).rejects.toMatchObject({ code: "NOT_FOUND" });
  });
});

describe("without a server", () => {
  test("says how to allow and subscribe it, in one line that works", async () => {
    const running = start(["receive", "--port", "0"]);
    const url = await urlOf(running);
    expect(await running.line(/POSTHORN_ALLOW_TARGETS/)).toContain(new URL(url).host);
    const line = await running.line(/webhooks create/);
    const words = line.trim().replaceAll("'", "").split(" ").slice(1);
    const made = await posthorn([...words, "--json"], { env });
    expect(made.json()).toMatchObject({ url: `${url}/`.replace(/\/$/, ""), events: ["invoice.*"] });
    await client.events.publish({ event: "invoice.sent", data: { object: {} } });
    expect(await running.line(/invoice\.sent/)).toContain("200  verified");
    await client.webhooks.delete(made.json().id);
  });

  test("verifies with the secret given, says why not, and does not repeat the secret", async () => {
    const secretFile = join(folder, "secret");
    writeFileSync(secretFile, "the-right-secret\n");
    const running = start(["receive", "--port", "0", "--secret-file", secretFile]);
    const url = await urlOf(running);
    expect((await send(url, "the-right-secret")).status).toBe(200);
    await running.line(/200 {2}verified .* invoice\.paid +evt_hand$/);
    await send(url, "a-wrong-secret");
    expect(await running.line(/SIGNATURE_MISMATCH/)).toContain("(bigledger): x-signature does not fit");
    await send(url, "the-right-secret", { "webhook-timestamp": "1000000000" });
    await running.line(/TIMESTAMP_TOO_OLD \(standard\)/);
    await fetch(url, { method: "POST", body: "hello" });
    await running.line(/200 {2}unsigned .* 5 B {2}\//);
    await running.end();
    expect([...running.out, ...running.err].join("\n")).not.toMatch(/the-right-secret|made up a secret/);
    expect(running.err.at(-1)).toBe("4 requests: 1 verified, 0 answered as failures, 2 seen before.");
  });

  test("with --strict answers 401 to what does not fit, as a receiver should", async () => {
    const running = start(["receive", "--port", "0", "--strict", "--body"], { WEBHOOK_SECRET: "the-right-secret" });
    const url = await urlOf(running);
    expect((await send(url, "a-wrong-secret")).status).toBe(401);
    expect((await send(url, "the-right-secret")).status).toBe(200);
    await running.line(/^ {2}\{"id":"evt_hand"/);
  });

  test("fails on demand: always, or the same share of requests for the same seed", async () => {
    const always = start(["receive", "--port", "0", "--status", "503", "--delay", "20ms"]);
    expect((await send(await urlOf(always), "x")).status).toBe(503);
    const statuses = async (seed: string): Promise<number[]> => {
      const running = start(["receive", "--port", "0", "--fail-rate", "0.5", "--seed", seed]);
      const url = await urlOf(running);
      const found: number[] = [];
      for (let i = 0; i < 24; i += 1) found.push((await send(url, "x")).status);
      await running.end();
      return found;
    };
    const [one, again, other] = [await statuses("7"), await statuses("7"), await statuses("8")];
    expect(again).toEqual(one);
    expect(other).not.toEqual(one);
    expect(new Set(one)).toEqual(new Set([200, 500]));
  });

  test("fits a narrow terminal, ids uncut", async () => {
    const running = start(["receive", "--port", "0"], { COLUMNS: "60" });
    await send(await urlOf(running), "x", {
      "x-bigledger-delivery": "dlv_01KATEK0G3F3Q8T9W7M1N5V2XB",
      "webhook-id": "evt_01KATEK0G3F3Q8T9W7M1N5V2XB",
    });
    await running.line(/made up a secret/);
    await running.end();
    expect(running.out.filter((line) => line.length > 60)).toEqual([]);
    expect(running.out).toContain("  evt_01KATEK0G3F3Q8T9W7M1N5V2XB");
    expect(running.out).toContain("  dlv_01KATEK0G3F3Q8T9W7M1N5V2XB");
  });

  test.each([
    [["--fail-rate", "2"], "Expected a share from 0 to 1"],
    [["--seed", "3"], "--seed is for --fail-rate"],
    [["--delay", "soon"], "Expected a duration such as 500ms"],
    [["--status", "99"], "Expected a whole number from 200 to 599"],
    [["--secret", "a", "--secret-file", "b"], "not both"],
    [["--subscribe", "*"], "NO_API_KEY"],
  ])("%j is a mistake of usage", async (args, words) => {
    const ended = await posthorn(["receive", "--port", "0", "--data-dir", folder, ...args]);
    expect([ended.code, ended.out, ended.err]).toEqual([2, "", expect.stringContaining(words)]);
  });

  test("says when its port is taken", async () => {
    const { port } = new URL(node.node.url);
    const ended = await posthorn(["receive", "--port", port, "--json"]);
    expect(ended.code).toBe(2);
    expect(JSON.parse(ended.err)).toMatchObject({
      error: { code: "CANNOT_LISTEN", hint: expect.stringContaining("--port") },
    });
  });
});
