// The commands that need no server: help, verify, config, and what is called wrongly.
import { createHmac } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ensureBuilt, posthorn } from "../support/command.ts";

const folder = mkdtempSync(join(tmpdir(), "posthorn-cli-"));
beforeAll(ensureBuilt, 180_000);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function file(name: string, content: string | Buffer): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

describe("help", () => {
  const GROUPS = ["webhooks", "keys", "secret"];
  test("is there for every command, with examples, in lines that fit a terminal", async () => {
    const { out, code } = await posthorn(["--help"]);
    expect(code).toBe(0);
    const names = [...out.matchAll(/^ {2}([a-z-]+)(?= )/gm)].map((match) => match[1] as string);
    const commands = [...new Set(names)].filter((name) => name !== "help" && name !== "posthorn");
    expect(commands).toEqual(expect.arrayContaining(["serve", "trigger", "events", "verify", ...GROUPS]));
    for (const name of commands) {
      const help = await posthorn([name, "--help"]);
      expect([name, help.code]).toEqual([name, 0]);
      const hasExample = /Examples?:\n/.test(help.out);
      expect([name, hasExample]).toEqual([name, true]);
      // A command to copy may be a little longer: it must not be broken.
      const room = (line: string): number => (/^ {2}.*posthorn /.test(line) ? 90 : 80);
      expect([name, help.out.split("\n").filter((line) => line.length > room(line))]).toEqual([name, []]);
    }
    // Some thirty processes, one after the other.
  }, 120_000);

  test("of a group shows what is in it", async () => {
    for (const name of GROUPS) expect((await posthorn([name, "--help"])).out).toContain("Commands:");
  });
});

describe("what is called wrongly", () => {
  test.each([
    [["evnts"], "Did you mean events?"],
    [["events", "--limt", "3"], "Did you mean --limit?"],
    [["events", "--limit", "many"], "Expected a whole number"],
    [["events", "--from", "yesterday"], "Expected a time such as"],
    [["deliveries", "--state", "lost"], "Allowed choices are pending"],
    [["webhooks", "show"], "missing required argument"],
    [["verify"], "With which secret?"],
    [["config", "--port", "x"], "--port must be a number"],
  ])("%j ends with 2 and says what was expected", async (args, words) => {
    const ended = await posthorn(args);
    expect([ended.code, ended.out]).toEqual([2, ""]);
    expect(ended.err).toContain(words);
    expect(ended.err).not.toContain("at Command");
  });
});

describe("verify", () => {
  const SECRET = "your-secret-key";
  const body = Buffer.from('{"id":"evt_1","event":"invoice.paid","data":{"object":{"notes":"发票"}}}');
  const timestamp = Math.floor(Date.now() / 1_000) - 3_600;
  const hmac = (text: string) => createHmac("sha256", SECRET).update(text).update(body);
  const headers = [
    "Host: receiver.example.com",
    "Content-Type: application/json",
    `Content-Length: ${body.length}`,
    `X-Signature: sha256=${hmac("").digest("hex")}`,
    "webhook-id: evt_1",
    `Webhook-Timestamp: ${timestamp}`,
    `webhook-signature: v1,${hmac(`evt_1.${timestamp}.`).digest("base64")}`,
  ];
  const whole = (end: string, changed: Buffer = body) =>
    Buffer.concat([Buffer.from(["POST /in HTTP/1.1", ...headers, "", ""].join(end)), changed]);
  const env = { WEBHOOK_SECRET: SECRET };

  test.each([
    ["with CRLF", whole("\r\n")],
    ["with LF", whole("\n")],
    ["with a line feed that an editor added", Buffer.concat([whole("\n"), Buffer.from("\n")])],
  ])("says that a captured request fits, %s", async (_name, content) => {
    const ended = await posthorn(["verify", file("request.http", content)], { env });
    expect([ended.code, ended.err]).toEqual([0, ""]);
    expect(ended.out).toMatch(
      /^fits {6}bigledger\nfits {6}standard\nsigned {4}\S+ \(3\d{3} s ago; .*\)\nevent {5}invoice\.paid evt_1\n$/,
    );
  });

  test("takes headers and body apart, a secret from a file, and standard input", async () => {
    const args = ["verify", "--headers", file("headers", headers.join("\n")), "--body", file("body", body)];
    const ended = await posthorn([...args, "--secret-file", file("secret", `${SECRET}\n`), "--json"]);
    expect(ended.json()).toMatchObject({
      verdicts: [
        { profile: "bigledger", ok: true },
        { profile: "standard", ok: true },
      ],
      event: { id: "evt_1", type: "invoice.paid" },
    });
    expect((await posthorn(["verify", "-"], { env, input: whole("\r\n") })).code).toBe(0);
  });

  test("says what does not fit, and why, without secret and body", async () => {
    const changed = Buffer.from(body.toString("utf8").replace("evt_1", "evt_2"));
    const ended = await posthorn(["verify", file("changed.http", whole("\n", changed))], { env });
    expect(ended.code).toBe(1);
    expect(ended.out).toContain("does not  standard: SIGNATURE_MISMATCH");
    expect(ended.out + ended.err).not.toMatch(/your-secret-key|发票/);
    const old = await posthorn(
      ["verify", file("old.http", whole("\n")), "--tolerance", "5m", "--profile", "standard"],
      { env },
    );
    expect([old.code, old.out]).toEqual([1, expect.stringContaining("TIMESTAMP_TOO_OLD")]);
  });

  test.each([
    ["nothing between headers and body", "Content-Type: text/plain", "no empty line"],
    ["no signature", "Content-Type: text/plain\n\nbody", "hold no signature"],
    ["a line that is no header", "what is this\n\nbody", "Header line 1"],
  ])("with %s is a mistake of usage", async (_name, content, words) => {
    const ended = await posthorn(["verify", file("odd.http", content)], { env });
    expect([ended.code, ended.err]).toEqual([2, expect.stringContaining(words)]);
  });
});

describe("config", () => {
  const SECRETS = {
    DATABASE_URL: "postgres://someone:hunter2@127.0.0.1:5432/posthorn",
    POSTHORN_MASTER_KEY: Buffer.alloc(32, 7).toString("base64"),
  };

  test("shows every setting and where it comes from, secrets masked", async () => {
    const ended = await posthorn(["config", "--json", "--host", "::1"], { env: { ...SECRETS, POSTHORN_PORT: "9000" } });
    expect(ended.json()).toEqual(
      expect.arrayContaining([
        { env: "POSTHORN_HOST", value: "::1", from: "flag" },
        { env: "POSTHORN_PORT", value: "9000", from: "environment" },
        { env: "POSTHORN_LOG_LEVEL", value: "info", from: "default" },
        { env: "DATABASE_URL", value: "********", from: "environment" },
        { env: "POSTHORN_MASTER_KEY", value: "********", from: "environment" },
      ]),
    );
    const words = await posthorn(["config"], { env: SECRETS });
    expect(words.out).toMatch(/^SETTING +VALUE +FROM\nPOSTHORN_HOST +127\.0\.0\.1 +default\n/);
    expect(ended.out + words.out).not.toMatch(/hunter2|BwcH/);
  });

  test("names every setting that cannot be used, and ends with 2", async () => {
    const ended = await posthorn(["config"], { env: { POSTHORN_PORT: "x", POSTHORN_HOTS: "1" } });
    expect(ended.code).toBe(2);
    expect(ended.err).toContain("Did you mean POSTHORN_HOST?");
    expect(ended.err).toContain("POSTHORN_PORT must be a number");
  });
});
