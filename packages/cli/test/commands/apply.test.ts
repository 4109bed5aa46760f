// posthorn apply against a real server: what it prints, where errors point, how it ends.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { startTestNode, type TestNode } from "../../../server/test/support/node.ts";
import { apply } from "../support.ts";

let node: TestNode;
beforeAll(async () => {
  node = await startTestNode();
});
afterAll(() => node?.stop());
beforeEach(async () => {
  await node.api("POST", "/v1/webhooks/apply", { webhooks: [], prune: true });
});

const run = (text: string, options: Parameters<typeof apply>[2] = {}) =>
  apply(node.node.url, { "hooks.yaml": text }, options);
const ONE = "name: One\nurl: https://example.com/one\nevents: [invoice.paid]\nsecret: [KEY]\n";
const set = ["KEY=your-secret-key=with-more"];
const count = async () => (await node.api("GET", "/v1/webhooks")).body.data.length;

describe("applying", () => {
  test("creates, then has nothing to do, then changes", async () => {
    expect(await run(ONE, { set })).toEqual({
      code: 0,
      err: "",
      out: [
        "+ One",
        "    url     https://example.com/one",
        "    events  invoice.paid",
        "    secret  ********",
        "",
        "1 created.",
        "",
      ].join("\n"),
    });
    expect((await run(ONE, { set })).out).toBe("= One\n\n1 unchanged.\n");
    expect((await run(`${ONE}timeout: 5\n`, { set })).out).toBe("~ One\n    timeout  15 → 5\n\n1 changed.\n");
  });

  test("shows a secret that was made, once", async () => {
    const text = ONE.replace("secret: [KEY]\n", "");
    expect((await run(text)).out).toMatch(/shown only this once.*\nOne {2}whsec_\S+\n\n1 created\./);
    expect((await run(text)).out).not.toContain("whsec_");
  });

  test("warns at the place of what can never fit", async () => {
    const text = `${ONE.replace("secret: [KEY]\n", "")}filters:\n  - order.total > 100\n`;
    const ran = await run(text);
    expect(ran.code).toBe(0);
    expect(ran.err).toMatch(/^hooks\.yaml:5:5: Warning: filters\[0\]: invoice\.paid carries no `order`/);
  });

  test("prints JSON and nothing else when asked for it", async () => {
    const ran = await run(ONE, { set, json: true });
    expect(ran.err).toBe("");
    expect(JSON.parse(ran.out)).toMatchObject({ applied: true, plan: [{ name: "One", action: "create" }] });
  });

  test("of several files is one change", async () => {
    const texts = { "a.yaml": ONE, "b.yaml": ONE.replace("One", "Two") };
    expect((await apply(node.node.url, texts, { set })).out).toContain("2 created.");
    const { rows } = { rows: await node.sql("select distinct config_version from webhook where status <> 'deleted'") };
    expect(rows).toHaveLength(1);
  });

  test("deletes what no file names only with --prune", async () => {
    await run(`${ONE}---\n${ONE.replace("One", "Two")}`, { set });
    expect((await run(ONE, { set })).out).not.toContain("Two");
    expect((await run(ONE, { set, prune: true, dryRun: true })).out).toContain("- Two");
    expect(await count()).toBe(2);
    expect((await run(ONE, { set, prune: true })).out).toContain("1 deleted, 1 unchanged.");
    expect(await count()).toBe(1);
  });

  test("does not delete everything because the files are empty", async () => {
    await run(ONE, { set });
    const ran = await run("# nothing\n", { prune: true });
    expect(ran).toMatchObject({ code: 2, out: "" });
    expect(await count()).toBe(1);
  });
});

describe("a dry run", () => {
  test("changes nothing and ends with 0, or with 4 when the exit code is to tell", async () => {
    expect((await run(ONE, { set, dryRun: true })).code).toBe(0);
    expect((await run(ONE, { set, dryRun: true, detailedExitcode: true })).code).toBe(4);
    expect(await count()).toBe(0);
    expect((await run(ONE, { set, detailedExitcode: true })).code).toBe(0);
    expect((await run(ONE, { set, dryRun: true, detailedExitcode: true })).code).toBe(0);
  });
});

describe("what is wrong", () => {
  test("comes from the server with file, line and column, and changes nothing", async () => {
    const text = `${ONE}---\n${ONE.replace("One", "Two")}filters:\n  - object.total >> 1\ntimeot: 5\nretryPolicy:\n  maxRetry: 3\n`;
    const shape = await run(text, { set });
    expect(shape).toMatchObject({ code: 2, out: "" });
    expect(shape.err.split("\n").slice(0, 2).sort()).toEqual([
      "hooks.yaml:12:1: timeot: Did you mean timeout?",
      expect.stringMatching(/^hooks\.yaml:14:3: retryPolicy\.maxRetry: Did you mean .*maxRetries\?/),
    ]);
    expect(shape.err).toMatch(/: 2 problems; nothing was changed\.\n/);
    const meaning = await run(text.replace(/timeot[\s\S]*$/, ""), { set });
    expect(meaning.err).toMatch(/^hooks\.yaml:11:19: filters\[0\]: /);
    expect(await count()).toBe(0);
  });

  test("a name twice, in one file or in two", async () => {
    const ran = await apply(node.node.url, { "a.yaml": ONE, "b.yaml": ONE }, { set });
    expect(ran.code).toBe(2);
    expect(ran.err).toMatch(/^b\.yaml:1:1: name: "One" is the name of webhooks\[0\] already/);
  });

  test("a name that several webhooks bear on the server", async () => {
    for (const path of ["a", "b"]) {
      await node.api("POST", "/v1/webhooks", { name: "One", url: `https://example.com/${path}`, events: ["*"] });
    }
    const ran = await run(ONE, { set });
    expect(ran.code).toBe(2);
    expect(ran.err).toMatch(/^hooks\.yaml:1:1: name: 2 webhooks are called "One": webhook_\w+, webhook_\w+/);
  });

  test("is JSON on standard error when JSON was asked for", async () => {
    const ran = await run(ONE.replace("invoice.paid", "invoice.payd"), { set, json: true });
    expect(ran.out).toBe("");
    expect(JSON.parse(ran.err).error.details).toEqual([
      {
        file: "hooks.yaml",
        line: 3,
        column: 10,
        code: "UNKNOWN_EVENT_TYPE",
        message: expect.stringContaining("invoice.paid"),
      },
    ]);
  });

  test("options that cannot be used are told together, without the values of --set", async () => {
    const ran = await apply(node.node.url, ["/nowhere/hooks.yaml"], {
      set: ["lower=hush-1", "hush-2", "KEY=a", "KEY=hush-3"],
      mapUrl: ["https://a.example"],
    });
    expect(ran.code).toBe(2);
    expect(ran.err).toMatch(/5 problems/);
    expect(ran.err).not.toContain("hush");
    expect(ran.err).toContain("/nowhere/hooks.yaml cannot be read");
    expect(ran.err).toContain("--set KEY is given twice.");
    expect(ran.err).toContain("--map-url takes FROM=TO");
  });

  test("an unused --set is refused before the server is asked", async () => {
    const ran = await run(ONE, { set: [...set, "KYE=x"] });
    expect(ran.err).toContain("--set KYE: no file holds the placeholder [KYE]. Did you mean KEY?");
    expect(await count()).toBe(0);
  });
});
