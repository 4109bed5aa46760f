// The commands that talk to a server, compiled and as child processes, against a real node and real receivers.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Posthorn } from "@posthorn/client";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startTestNode, TEST_API_KEY, type TestNode } from "../../../server/test/support/node.ts";
import { type Receiver, startReceiver } from "../../../server/test/support/receivers/receiver.ts";
import { until } from "../../../server/test/support/until.ts";
import { ensureBuilt, posthorn } from "../support/command.ts";

const folder = mkdtempSync(join(tmpdir(), "posthorn-cli-"));
let node: TestNode;
let receiver: Receiver;
let client: Posthorn;
let env: Record<string, string>;

beforeAll(async () => {
  ensureBuilt();
  node = await startTestNode();
  receiver = await startReceiver({ answer: (request) => (request.path === "/bad" ? 500 : 200) });
  client = new Posthorn({ url: node.node.url, apiKey: TEST_API_KEY });
  env = { POSTHORN_URL: node.node.url, POSTHORN_API_KEY: TEST_API_KEY };
  await client.webhooks.create({
    name: "good",
    url: `${receiver.origin}/good`,
    events: ["invoice.*"],
    secret: "a-signing-secret",
  });
  await client.webhooks.create({
    name: "bad",
    url: `${receiver.origin}/bad`,
    events: ["payment.received"],
    retryPolicy: { maxRetries: 0 },
  });
}, 180_000);
afterAll(async () => {
  await node?.stop();
  await receiver?.close();
  rmSync(folder, { recursive: true, force: true });
});

const run = (...args: string[]) => posthorn(args, { env });

describe("rules and code tables", () => {
  test("are set, listed, shown with who uses them, and deleted when nothing does", async () => {
    expect((await run("rules")).err).toContain("There are no rules yet.");
    const set = await run("rules", "set", "large", "invoice.total > 1000", "--owner", "Sales Operations");
    expect([set.code, set.err]).toEqual([0, ""]);
    expect(set.out).toMatch(
      /^Rule: +rule\.large, version 1 since .*\nExpression: invoice\.total > 1000\nValid: +always\n/,
    );
    const dated = await run("rules", "set", "large", "--valid-from", "2026-12-01T00:00:00+08:00", "--json");
    expect(dated.json()).toMatchObject({ version: 2, owner: "Sales Operations", expression: "invoice.total > 1000" });
    const file = join(folder, "tax.json");
    writeFileSync(file, '{"SST-6": "GST06"}');
    expect((await run("code-tables", "set", "tax", file)).out).toContain('  SST-6 = "GST06"');
    const filters = ['rule.large && lookup("tax", invoice.taxCode) == "GST06"'];
    const { id } = await client.webhooks.create({ url: `${receiver.origin}/r`, events: ["invoice.paid"], filters });
    expect((await run("rules")).out).toMatch(/^NAME .*USED BY\nlarge +invoice\.total > 1000 .* 2 +1\n$/);
    expect((await run("rules", "show", "large")).out).toContain(`Used by:    1\n  ${id} in filters[0]\n`);
    const refused = await run("rules", "delete", "large");
    expect([refused.code, refused.out]).toEqual([1, ""]);
    expect(refused.err).toContain(`in use by ${id}`);
    await client.webhooks.delete(id);
    expect((await run("rules", "delete", "large")).out).toBe("large is deleted.\n");
    expect((await run("code-tables", "delete", "tax")).out).toBe("tax is deleted.\n");
    expect((await run("rules", "versions", "large")).out).toMatch(/^VERSION .*\n2 .*\n1 .*\n$/);
    expect((await run("code-tables", "versions", "tax")).out).toMatch(/^VERSION .*\n1 .* 1 .*\n$/);
  });

  test("need something to set, in words", async () => {
    expect((await run("rules", "set", "fresh", "--owner", "me")).err).toContain("A new rule needs an expression.");
    expect((await run("rules", "set", "fresh")).err).toContain("What shall be set?");
    const list = join(folder, "list.json");
    writeFileSync(list, "[1]");
    expect((await run("code-tables", "set", "fresh", list)).err).toContain("Expected a JSON object of codes");
  });
});

describe("trigger", () => {
  test("publishes the catalogue's example as of now, and waits for what becomes of it", async () => {
    const ended = await run("trigger", "invoice.paid", "--wait");
    expect([ended.code, ended.err]).toEqual([0, ""]);
    expect(ended.out).toMatch(/^invoice\.paid evt_\S+\nID .*STATE.*\ndlv_\S+ +delivered +1 /);
    const id = /evt_\S+/.exec(ended.out)?.[0] ?? "";
    const event = await client.events.get(id);
    expect(event.reference).toBe("INV-2026-0731");
    expect(Math.abs(Date.parse(event.timestamp) - Date.parse(event.receivedAt))).toBeLessThan(1_000);
  });

  test("ends with 1 when a delivery does not arrive", async () => {
    const ended = await run("trigger", "payment.received", "--wait", "20s", "--json");
    expect(ended.code).toBe(1);
    expect(ended.json().deliveries).toMatchObject([{ state: "dead_letter", deadReason: "attempts_exhausted" }]);
  });

  test("takes data, a whole event from standard input, and counts", async () => {
    const data = await run("trigger", "invoice.sent", "--data", '{"object":{"invoiceNumber":"INV-CLI-1"}}', "--json");
    expect(data.json()).toMatchObject({ event: "invoice.sent", deliveries: 1 });
    const whole = { event: "invoice.sent", id: "from-a-file", data: { object: { invoiceNumber: "INV-CLI-2" } } };
    const piped = await posthorn(["trigger", "--file", "-", "--json"], { env, input: JSON.stringify(whole) });
    expect(piped.json()).toMatchObject({ id: "from-a-file" });
    const many = await run("trigger", "invoice.viewed", "--count", "1200");
    expect([many.code, many.out]).toEqual([0, "invoice.viewed 1200 published, 1200 deliveries.\n"]);
    expect(await client.events.list({ type: "invoice.viewed", limit: 200 }).take(2_000)).toHaveLength(1_200);
  });

  test.each([
    [["trigger"], "Which event?"],
    [["trigger", "invoice.paid", "--data", "{oops}"], "--data is not JSON"],
    [["trigger", "--data", "{}"], "Which event type?"],
    [["trigger", "invoice.paid", "--count", "2", "--wait"], "--wait is for one event"],
    [["trigger", "invoice.paid", "--file", "/no/such/file"], "cannot be read (ENOENT)"],
  ])("%j is a mistake of usage, and publishes nothing", async (args, words) => {
    const ended = await run(...args);
    expect([ended.code, ended.out]).toEqual([2, ""]);
    expect(ended.err).toContain(words);
  });

  test("says which type was probably meant", async () => {
    const ended = await run("trigger", "invoice.payd");
    expect(ended.code).toBe(1);
    expect(ended.err).toMatch(/Did you mean invoice\.paid/);
  });
});

describe("events and deliveries", () => {
  test("are listed as tables that fit, as JSON, and one by one", async () => {
    const wide = await run("events", "--reference", "INV-CLI-1");
    expect(wide.out).toMatch(
      /^ID +EVENT +REFERENCE +DELIVERIES +HAPPENED\nevt_\S+ +invoice\.sent +INV-CLI-1 +1 +20\S+ \S+Z\n$/,
    );
    for (const width of [60, 120]) {
      for (const list of ["events", "deliveries", "webhooks", "keys"]) {
        const { out, code } = await posthorn([list], { env: { ...env, COLUMNS: String(width) } });
        expect(code).toBe(0);
        expect(out.split("\n").filter((line) => line.length > width)).toEqual([]);
        expect(out.split("\n").length).toBeGreaterThan(2);
      }
    }
    const [event] = (await run("events", "--reference", "INV-CLI-1", "--json")).json();
    expect(event).toMatchObject({ reference: "INV-CLI-1", deliveryCount: 1 });
    const shown = await run("events", event.id);
    expect(shown.out).toContain("Reference  INV-CLI-1");
    expect(shown.out).toContain('"invoiceNumber": "INV-CLI-1"');
    const [delivery] = (await run("deliveries", "--event", event.id, "--json")).json();
    const whole = await run("deliveries", delivery.id);
    expect(whole.out).toMatch(/^delivered {2}dlv_/);
    expect(whole.out).toMatch(/Attempt 1\ndelivered\nStarted .*\(initial\)/);
  });

  test("says when there is more, and when there is nothing", async () => {
    const more = await run("events", "--limit", "2");
    expect([more.out.trimEnd().split("\n").length, more.err]).toEqual([3, "There are more: --limit 20 shows them.\n"]);
    const none = await run("events", "--reference", "NO-SUCH-NUMBER");
    expect([none.code, none.out, none.err]).toEqual([0, "", "No events.\n"]);
    expect((await run("events", "--reference", "NO-SUCH-NUMBER", "--json")).json()).toEqual([]);
  });

  test("walks over pages, and is quiet when nobody reads any further", async () => {
    expect((await run("events", "--limit", "1000", "--json")).json()).toHaveLength(1_000);
  });
});

describe("retry and replay", () => {
  test("try again what failed, one or all of a webhook's", async () => {
    const before = receiver.requests.filter((request) => request.path === "/bad").length;
    const all = await run("retry", "--dead-letters-of", "bad");
    expect([all.code, all.out]).toEqual([0, "1 delivery is tried now.\n"]);
    await until("another request", async () => receiver.requests.filter(({ path }) => path === "/bad").length > before);
    const mixed = await run("retry", "dlv_1", "dlv_2", "--json");
    expect(mixed.code).toBe(1);
    expect(mixed.json()).toMatchObject([
      { id: "dlv_1", ok: false, error: { code: "NOT_FOUND" } },
      { id: "dlv_2", ok: false, error: { code: "NOT_FOUND" } },
    ]);
    expect((await run("retry")).code).toBe(2);
  });

  test("deliver an event once more, and show before what that would be", async () => {
    const range = ["replay", "--webhook", "good", "--from", "1h", "--type", "invoice.sent,user.*"];
    expect((await run(...range, "--dry-run")).out).toBe("2 events would be delivered once more.\n");
    expect((await run(...range)).out).toBe("2 events are delivered once more.\n");
    const [event] = await client.events.list({ reference: "INV-CLI-1" }).take(1);
    const one = await run("replay", event?.id ?? "", "--webhook", "good");
    expect([one.code, one.out]).toEqual([0, expect.stringMatching(/^evt_\S+ is delivered again: dlv_\S+\n$/)]);
    for (const args of [["replay"], ["replay", "--type", "invoice.sent"], ["replay", "evt_1", "--from", "1h"]]) {
      expect([args, (await run(...args)).code]).toEqual([args, 2]);
    }
  });
});

describe("parked keys and snapshots", () => {
  test("a parked key is listed, corrected, and nothing of it is left", async () => {
    await client.webhooks.create({
      name: "ledger",
      url: `${receiver.origin}/bad`,
      events: ["bill.paid"],
      orderingKey: true,
      retryPolicy: { maxRetries: 0 },
    });
    await client.events.publish({ event: "bill.paid", orderingKey: "cust-7", data: { object: { id: "x_1" } } });
    const [key] = await until("a parked key", async () => {
      const keys = await client.parkedKeys.list().take(5);
      return keys.length === 1 ? keys : null;
    });
    expect((await run("parked-keys")).out).toMatch(/KEY[\s\S]*cust-7 +0 +rejected 500/);
    const dryRun = await run("parked-keys", "skip", "--webhook", "ledger", "--dry-run");
    expect(dryRun.out).toBe("What holds 1 key would be skipped.\n");
    const id = key?.deliveryId as string;
    const corrected = await run("parked-keys", "correct", id, "--data", '{"n":2}', "--note", "a test");
    expect([corrected.code, corrected.out]).toEqual([0, expect.stringContaining(`${id} goes on with correction_`)]);
    await until("parked again", async () => (await client.parkedKeys.list().take(1))[0]?.attemptCount === 2);
    expect((await run("parked-keys", "skip", id)).out).toBe(`${id} is given up; its key goes on.\n`);
    expect((await run("parked-keys", "list", "--json")).json()).toEqual([]);
    expect((await run("parked-keys", "retry")).code).toBe(2);
  }, 120_000);

  test("a file is loaded, and the same command again does nothing more", async () => {
    const file = join(folder, "customers.ndjson");
    writeFileSync(file, '{"n":1}\n\n{"n":2}\n{"n":3}\n');
    const command = ["snapshot", "good", file, "--event", "customer.created", "--rate", "1000"];
    const loaded = await run(...command);
    expect([loaded.code, loaded.out]).toEqual([0, "3 records are on the way or delivered.\n"]);
    expect((await run(...command)).out).toBe("3 records are on the way or delivered.\n");
    const [snapshot] = (await run("snapshots", "--webhook", "good", "--json")).json() as { received: number }[];
    expect(snapshot).toMatchObject({ received: 3, state: "done" });
    writeFileSync(file, '{"n":1}\n[2]\n');
    expect(await run(...command)).toMatchObject({ code: 2, err: expect.stringContaining("line 2") });
  }, 120_000);

  test("one that is enabled again says what it missed, and what brings exactly that", async () => {
    await client.webhooks.create({ name: "gap", url: `${receiver.origin}/gap`, events: ["user.created"] });
    expect((await run("webhooks", "disable", "gap")).out).toBe("gap is disabled.\n");
    await client.events.publish({ event: "user.created", data: { object: { id: "x_1" } } });
    const enabled = await run("webhooks", "enable", "gap");
    expect(enabled.out).toMatch(/^gap is enabled\.\nIt missed 1 event since /);
    expect(enabled.err).toContain('posthorn replay --webhook "gap" --from ');
  }, 120_000);
});

describe("webhooks", () => {
  test("are listed, shown by name, paused, resumed, tested and deleted", async () => {
    expect((await run("webhooks")).out).toMatch(/NAME +STATUS[\s\S]*good +enabled/);
    expect((await run("webhooks", "show", "good")).out).toMatch(/^enabled {2}good\nId +webhook_/);
    expect((await run("webhooks", "pause", "good")).out).toBe("good is paused.\n");
    expect((await run("webhooks", "list", "--status", "paused", "--json")).json()).toMatchObject([{ name: "good" }]);
    expect((await run("webhooks", "resume", "good")).out).toBe("good is enabled.\n");
    expect(await run("webhooks", "test", "good", "--event", "invoice.paid")).toMatchObject({
      code: 0,
      out: expect.stringMatching(/^delivered\n/),
    });
    expect(await run("webhooks", "test", "bad", "--event", "payment.received")).toMatchObject({
      code: 1,
      out: expect.stringMatching(/^rejected\n/),
    });
    await client.webhooks.create({ name: "short-lived", url: `${receiver.origin}/x`, events: ["user.login"] });
    expect((await run("webhooks", "delete", "short-lived")).out).toBe("short-lived is deleted.\n");
    expect((await run("webhooks", "show", "short-lived")).code).toBe(1);
  });

  test("are diagnosed: each step on a line, then what to do, and 1 when a delivery would fail", async () => {
    const good = await run("diagnose", "good");
    expect([good.code, good.err]).toEqual([0, ""]);
    expect(good.out).toMatch(
      /✓ connect +Connected to 127\.0\.0\.1:\d+\.[\s\S]*! tls[\s\S]*✓ request +The receiver took/,
    );
    const bad = await run("diagnose", "bad", "--event", "payment.received");
    expect(bad.code).toBe(1);
    expect(bad.out).toContain("✗ request      The receiver answered 500.");
    expect(bad.out).toContain("Next: Look into the receiver's log");
    const looked = await run("diagnose", "bad", "--no-send", "--json");
    expect([looked.code, looked.json().test]).toEqual([0, null]);
  });

  test("of one name twice are told apart by id only", async () => {
    for (const path of ["a", "b"]) {
      await client.webhooks.create({ name: "twin", url: `${receiver.origin}/${path}`, events: ["user.login"] });
    }
    expect(await run("webhooks", "pause", "twin")).toMatchObject({
      code: 1,
      err: expect.stringContaining("AMBIGUOUS_NAME"),
    });
  });
});

describe("secrets and keys", () => {
  test("a secret is rotated and switched, and shown once", async () => {
    await client.webhooks.create({ name: "rotates", url: `${receiver.origin}/r`, events: ["user.login"] });
    const rotated = await posthorn(["secret", "rotate", "rotates", "--secret-file", "-", "--overlap", "1h", "--json"], {
      env,
      input: "another-signing-secret\n",
    });
    expect(rotated.json()).toMatchObject({ secret: "another-signing-secret", secretRotation: { switched: false } });
    expect((await run("secret", "switch", "rotates")).out).toBe("rotates signs with the new secret.\n");
    expect((await run("webhooks", "show", "rotates")).out).not.toContain("another-signing-secret");
  });

  test("a key is made with what it may do, works, and is revoked", async () => {
    const made = await run(
      "keys",
      "create",
      "--name",
      "reads",
      "--scope",
      "read:events,read:webhooks",
      "--expires",
      "2h",
    );
    expect([made.code, made.err]).toEqual([
      0,
      expect.stringMatching(/^This is reads \(key_\S+\), shown only this once\.\n$/),
    ]);
    const key = made.out.trim();
    const own = { ...env, POSTHORN_API_KEY: key };
    expect((await posthorn(["events", "--limit", "1"], { env: own })).code).toBe(0);
    const refused = await posthorn(["trigger", "invoice.paid", "--data", "{}"], { env: own });
    expect([refused.code, refused.err]).toEqual([1, expect.stringContaining("FORBIDDEN")]);
    expect(refused.err).not.toContain(key);
    const id = /key_\w+/.exec(made.err)?.[0] ?? "";
    expect((await run("keys", "show", id)).out).toMatch(/Scopes +read:events, read:webhooks/);
    expect((await run("keys", "revoke", id)).out).toContain("is revoked");
    expect((await posthorn(["events"], { env: own })).err).toContain("UNAUTHORIZED");
    expect((await run("keys", "create", "--name", "x")).err).toContain("What may the key do?");
  });

  test("a webhook's own read key sees that webhook", async () => {
    const made = await run("keys", "create", "--name", "looks", "--reads-webhook", "good", "--json");
    expect(made.json()).toMatchObject({ name: "looks", webhookId: expect.stringMatching(/^webhook_/) });
  });
});

describe("which server, and how it ends when there is none", () => {
  test("flags come before the environment", async () => {
    const other = { POSTHORN_URL: "http://127.0.0.1:2", POSTHORN_API_KEY: "not-the-key-of-this-server" };
    const args = ["events", "--limit", "1", "--url", node.node.url, "--api-key", TEST_API_KEY];
    expect((await posthorn(args, { env: other })).code).toBe(0);
  });

  test("the key that an embedded server left in its data directory is used, for that server only", async () => {
    const dataDir = join(folder, "data");
    mkdirSync(dataDir);
    const at = ["--data-dir", dataDir];
    const none = await posthorn(["events", ...at]);
    expect([none.code, none.err]).toEqual([2, expect.stringContaining(`none runs in ${dataDir}`)]);
    writeFileSync(join(dataDir, "operator.key"), JSON.stringify({ url: node.node.url, apiKey: TEST_API_KEY }));
    expect((await posthorn(["events", "--limit", "1", ...at])).code).toBe(0);
    const elsewhere = await posthorn(["events", ...at, "--url", "http://192.0.2.1:8420"]);
    expect([elsewhere.code, elsewhere.err]).toEqual([2, expect.stringContaining("but none for http://192.0.2.1:8420")]);
    expect(elsewhere.err).not.toContain(TEST_API_KEY);
    writeFileSync(join(dataDir, "operator.key"), "half a fi");
    expect((await posthorn(["events", ...at])).err).toContain("is not what a server writes there");
  });

  test("ends with 3 when nobody answers, in words and as JSON", async () => {
    const gone = await startReceiver();
    await gone.close();
    const nobody = { ...env, POSTHORN_URL: gone.origin };
    const words = await posthorn(["events"], { env: nobody });
    expect([words.code, words.out]).toEqual([3, ""]);
    expect(words.err).toMatch(/^CONNECTION_FAILED: http\S+ cannot be reached \(ECONNREFUSED\): nothing listens there/);
    const json = await posthorn(["events", "--json"], { env: nobody });
    expect([json.code, json.out]).toEqual([3, ""]);
    expect(JSON.parse(json.err)).toMatchObject({ error: { code: "CONNECTION_FAILED" } });
  });

  test("ends with 1 and the server's words when the server refuses", async () => {
    const ended = await posthorn(["webhooks"], {
      env: { ...env, POSTHORN_API_KEY: "blg_live_sk_not_a_key_of_this_server" },
    });
    expect([ended.code, ended.err]).toEqual([1, expect.stringContaining("UNAUTHORIZED")]);
    expect(ended.err).not.toContain("not_a_key_of_this");
  });
});
