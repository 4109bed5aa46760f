// Six in the evening: a receiver has failed for an hour. Can an administrator see why, try all of it again, and see it
// arrive, on a terminal of 60 columns too?
import { Posthorn } from "@posthorn/client";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startTestNode, TEST_API_KEY, type TestNode } from "../../../server/test/support/node.ts";
import { type Receiver, startReceiver } from "../../../server/test/support/receivers/receiver.ts";
import { until } from "../../../server/test/support/until.ts";
import { ensureBuilt, posthorn } from "../support/command.ts";

const COUNT = 300;
let node: TestNode;
let receiver: Receiver;
let client: Posthorn;
let env: Record<string, string>;
let isFailing = true;

beforeAll(async () => {
  ensureBuilt();
  // The endpoint is hardly given a rest: all 300 have to have failed before the tests begin.
  node = await startTestNode({ breaker: { firstOpenMs: 5, longestOpenMs: 5 } });
  receiver = await startReceiver({
    answer: () => (isFailing ? { status: 500, body: "database is locked\nat line 7" } : 200),
  });
  client = new Posthorn({ url: node.node.url, apiKey: TEST_API_KEY });
  env = { POSTHORN_URL: node.node.url, POSTHORN_API_KEY: TEST_API_KEY };
  const url = receiver.origin;
  await client.webhooks.create({ name: "CRM Sync", url, events: ["invoice.paid"], retryPolicy: { maxRetries: 0 } });
  await client.webhooks.create({
    name: "Patient",
    url,
    events: ["invoice.sent"],
    retryPolicy: { maxRetries: 3, retryDelay: 3_600 },
  });
  await client.events.publishBatch(
    Array.from({ length: COUNT }, (_, at) => ({
      event: "invoice.paid",
      data: { object: { invoiceNumber: `INV-${at}` } },
    })),
  );
  await client.events.publishBatch(Array.from({ length: 25 }, () => ({ event: "invoice.sent", data: { object: {} } })));
  await receiver.received(COUNT + 25);
  await until("all of them recorded", async () => {
    const { count } = await client.deadLetters.retry({ dryRun: true });
    const waiting = await client.deliveries.list({ state: "pending", limit: 200 }).take(100);
    return count === COUNT && waiting.filter(({ attemptCount }) => attemptCount === 1).length === 25;
  });
}, 180_000);
afterAll(async () => {
  await node?.stop();
  await receiver?.close();
});

const run = (...args: string[]) => posthorn(args, { env });
const narrow = (...args: string[]) => posthorn(args, { env: { ...env, COLUMNS: "60" } });

describe("300 deliveries that failed", () => {
  test("are one line that says why, and what to do", async () => {
    const ended = await run("dead-letters");
    expect(ended.code).toBe(0);
    expect(ended.out).toMatch(
      /^COUNT +LAST TRY +WEBHOOK +REASON.*\n +300 +rejected 500 +CRM Sync +attempts_exhausted .*\n$/,
    );
    expect(ended.err).toContain('All again:   posthorn retry --dead-letters-of "CRM Sync"');
    const [group] = (await run("dead-letters", "--webhook", "CRM Sync", "--json")).json();
    expect(group).toMatchObject({
      count: COUNT,
      lastTry: "rejected 500",
      reason: "attempts_exhausted",
      webhook: "CRM Sync",
    });
    const one = await run("deliveries", group.newestId);
    expect(one.out).toMatch(/Answer +500\nBody +database is locked\n/);
  });

  test("are told one by one with their answers, by the delivery and by the webhook", async () => {
    const list = await run("dead-letters", "--list", "--limit", "2");
    expect(list.out).toMatch(/^ID .*LAST TRY.*\ndlv_\w+ +rejected 500 +invoice\.paid +INV-\d+ /);
    const logs = await run("webhooks", "logs", "CRM Sync", "--status", "failed", "--limit", "1");
    expect(logs.out).toMatch(/^STATUS .*ANSWER\nfailed +invoice\.paid +500 .*database is locked\n$/);
    expect((await run("webhooks", "logs", "CRM Sync", "--limit", "2", "--json")).json()).toMatchObject([
      { status: "failed", responseCode: 500 },
      { status: "failed", responseCode: 500 },
    ]);
    expect((await run("dead-letters", "--list", "--json", "--limit", "1")).json()).toMatchObject([
      { lastAttempt: { responseStatus: 500, outcome: "rejected" } },
    ]);
  });

  test("fit 60 columns", async () => {
    for (const args of [
      ["dead-letters"],
      ["dead-letters", "--list"],
      ["webhooks", "logs", "CRM Sync"],
      ["webhooks", "show", "CRM Sync"],
      ["deliveries", "--state", "dead_letter"],
    ]) {
      const { out, code } = await narrow(...args);
      expect([args, code, out.split("\n").filter((line) => line.length > 60)]).toEqual([args, 0, []]);
      expect(out).toMatch(/500|dead_letter/);
    }
  });

  test("are tried again when the receiver is well, all with one command each", async () => {
    isFailing = false;
    expect((await run("retry", "--waiting-of", "Patient", "--dry-run")).out).toBe(
      "25 deliveries would be tried now.\n",
    );
    const waiting = await run("retry", "--waiting-of", "Patient");
    expect([waiting.code, waiting.out, waiting.err]).toEqual([0, "", "25 of 25 done.\n"]);
    const dead = await run("retry", "--dead-letters-of", "CRM Sync");
    expect([dead.code, dead.out]).toEqual([0, `${COUNT} deliveries are tried now.\n`]);
    expect(dead.err).toBe('How they get on: posthorn tail --deliveries --webhook "CRM Sync"\n');
    await receiver.received(2 * (COUNT + 25));
    await until(
      "all of them delivered",
      async () => (await client.deliveries.list({ state: "delivered", limit: 200 }).take(1_000)).length === COUNT + 25,
    );
    expect((await run("dead-letters")).err).toBe("No dead letters.\n");
    expect((await run("retry", "--dead-letters-of", "CRM Sync")).err).toBe("There are no dead letters to try again.\n");
    expect((await run("retry", "--waiting-of", "Patient", "--json")).json()).toEqual([]);
  });

  test.each([
    [["retry", "--dead-letters-of", "x", "--waiting-of", "y"], 2, "one of them"],
    [["retry", "dlv_1", "--from", "1h"], 2, "not for ids"],
    [["dead-letters", "--reason", "tired"], 2, "Allowed choices are attempts_exhausted"],
    [["dead-letters", "--webhook", "nobody"], 1, "NOT_FOUND"],
    [["webhooks", "logs", "nobody"], 1, "NOT_FOUND"],
    [["webhooks", "lgos"], 2, "Did you mean logs?"],
    [["webhooks", "create", "--events", "invoice.paid"], 2, "required option '--to"],
    [["webhooks", "create", "--events", "invoice.paid", "--to", "http://10.0.0.1/x"], 1, "TARGET_REFUSED"],
  ])("%j is refused", async (args, code, words) => {
    const ended = await run(...args);
    expect([ended.code, ended.out, ended.err]).toEqual([code, "", expect.stringContaining(words)]);
  });
});

describe("webhooks create", () => {
  test("makes one with what was said, and shows a secret that the server made", async () => {
    const args = ["webhooks", "create", "--to", receiver.origin, "--events", "payment.*,user.login", "--name", "Large"];
    const made = await run(...args, "--filter", "object.amount > 1000", "--max-retries", "2", "--timeout", "5s");
    expect([made.code, made.out]).toEqual([
      0,
      expect.stringMatching(/^Webhook +webhook_\w+\nEvents +payment\.\* user\.login\nURL .*\nSecret +whsec_/),
    ]);
    const [webhook] = await client.webhooks.list({ name: "Large" }).take(1);
    expect(webhook).toMatchObject({ filters: ["object.amount > 1000"], retryPolicy: { maxRetries: 2 }, timeout: 5 });
    const given = await posthorn(
      ["webhooks", "create", "--to", receiver.origin, "--events", "*", "--secret-file", "-"],
      {
        env,
        input: "a-secret-of-mine-1234\n",
      },
    );
    expect(given.code).toBe(0);
    expect(given.out + given.err).not.toContain("a-secret-of-mine");
  });
});
