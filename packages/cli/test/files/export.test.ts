// Exporting and applying are each other's inverse: own form to YAML and back, printed form to own form and back, and a
// whole installation to another one, with nothing but the secrets given by hand.
import { readFileSync } from "node:fs";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startTestNode, type TestNode } from "../../../server/test/support/node.ts";
import { loadWebhookFiles } from "../../src/files/load.ts";
import { ownForm } from "../../src/files/own-form.ts";
import { type NamedSecret, Placeholder, PlaceholderNames } from "../../src/files/placeholder-names.ts";
import { printedForm } from "../../src/files/printed-export.ts";
import type { ShownWebhook } from "../../src/files/webhook-shape.ts";
import { writeOwnForm, writePrintedForm } from "../../src/files/write-yaml.ts";
import { apply, exported } from "../support.ts";

const MASK = "********";

function loaded(text: string, given: ReadonlyMap<string, string> = new Map()) {
  const result = loadWebhookFiles([{ name: "f.yaml", text }], {
    given,
    environment: {},
    keepSecrets: false,
    mappings: [],
  });
  if (!result.ok) throw new Error(JSON.stringify([result.problems, result.optionProblems, text]));
  return result.webhooks;
}

/** Every placeholder filled with its own name, so that nothing can be mistaken for another. */
const filled = (secrets: readonly NamedSecret[]) => new Map(secrets.map(({ name }) => [name, `value of ${name}`]));

/** Texts that YAML could take for something else, beside all others. */
const text = fc.oneof(
  fc.string({ minLength: 1, maxLength: 30 }),
  fc.string({ unit: "binary", minLength: 1, maxLength: 12 }).filter((value) => !/\p{Cs}/u.test(value)),
  fc.constantFrom(
    "true",
    "null",
    "~",
    "0123",
    "1e3",
    "- a",
    "a: b",
    "#no",
    "[NAME]",
    "{{ order.id }}",
    "NAME",
    "line\nbreak\n",
    " ",
    "|",
    "'\"",
    "!!binary",
    "&a",
    "*a",
    "2024-01-15",
    ".inf",
    "<<",
    "?",
    "%",
    "@",
    "yes",
    "a # b",
    "\ttab",
    "---",
    "...",
    "=",
  ),
);
const json = fc.jsonValue({ maxDepth: 3, stringUnit: "grapheme" }).map((value) => JSON.parse(JSON.stringify(value)));
const key = text.filter((value) => value !== "__proto__");
const template = fc.dictionary(key, fc.oneof(text, json), { minKeys: 1, maxKeys: 5 });

const auth = fc.oneof(
  fc.constant({ type: "none" }),
  fc.record({ type: fc.constant("apiKey"), header: fc.constantFrom("X-API-Key", "X-K"), value: fc.constant(MASK) }),
  fc.record({ type: fc.constant("bearer"), token: fc.constant(MASK) }),
  fc.record({ type: fc.constant("basic"), username: text, password: fc.constant(MASK) }),
  // An API key in the place of the user name: there it is masked.
  fc.record({ type: fc.constant("basic"), username: fc.constant(MASK), password: fc.constant("") }),
  fc.record({ type: fc.constant("oauth2"), accessToken: fc.constant(MASK) }),
);
const printable = {
  name: text,
  url: fc.webUrl(),
  method: fc.constantFrom("POST", "PUT", "PATCH"),
  auth,
  events: fc.array(fc.constantFrom("invoice.paid", "invoice.*", "*"), { minLength: 1, maxLength: 4 }),
  filters: fc.array(text, { maxLength: 4 }),
  transform: fc.option(fc.record({ contentType: fc.constant("application/json"), template })),
  retryPolicy: fc.option(
    fc.record({
      maxRetries: fc.integer({ min: 0, max: 100 }),
      retryDelay: fc.constantFrom(0, 1, 5, 60, 90, 3_600, 86_400),
      backoffMultiplier: fc.constantFrom(1, 2),
    }),
  ),
  timeout: fc.integer({ min: 1, max: 30 }),
  allowedIps: fc.option(fc.array(fc.constantFrom("192.0.2.1", "198.51.100.0/24", "::1"), { minLength: 1 })),
  rateLimit: fc.option(
    fc.record({
      limit: fc.integer({ min: 1, max: 1_000_000 }),
      per: fc.constantFrom("second", "minute", "hour"),
      burst: fc.constant(0),
    }),
  ),
};
const whole = fc.record({
  ...printable,
  description: fc.option(text),
  active: fc.boolean(),
  headers: fc.dictionary(fc.constantFrom("X-A", "X-Secret", "X.Dot"), fc.oneof(text, fc.constant(MASK))),
  signature: fc.constantFrom({ profiles: ["bigledger", "standard"] }, { profiles: ["github"] }),
  maxInFlight: fc.integer({ min: 1, max: 10_000 }),
  priority: fc.constantFrom("high", "normal", "low"),
  metadata: fc.dictionary(key, text, { maxKeys: 4 }),
});

/** A form with its placeholders filled, as plain JSON. */
function plain(value: unknown, given: ReadonlyMap<string, string>): unknown {
  return JSON.parse(JSON.stringify(value, (_, member) => (isPlaceholder(member) ? given.get(member.name) : member)));
}
const isPlaceholder = (value: unknown): value is Placeholder => value instanceof Placeholder;

describe("forms and their YAML", () => {
  test("the own form written and read again is the own form, whatever texts it holds", () => {
    fc.assert(
      fc.property(fc.array(whole, { minLength: 1, maxLength: 3 }), (webhooks) => {
        const names = new PlaceholderNames();
        const forms = webhooks.map((webhook) => ownForm(webhook, names));
        const given = filled(names.all);
        expect(loaded(writeOwnForm(forms, "A comment\nof two lines"), given)).toEqual(plain(forms, given));
      }),
      { numRuns: 300 },
    );
  });

  test("what is left out of the own form is the default, and nothing else", () => {
    fc.assert(
      fc.property(whole, (webhook) => {
        const form = ownForm(webhook, new PlaceholderNames());
        const back = {
          active: true,
          method: "POST",
          timeout: 15,
          maxInFlight: 64,
          priority: "normal",
          headers: {},
          filters: [],
          metadata: {},
        };
        for (const [field, value] of Object.entries(webhook)) {
          const isNullable = value === null;
          if (!(field in form) && !isNullable && field in back) expect(value).toEqual(back[field as keyof typeof back]);
        }
      }),
    );
  });

  test("the printed form of a webhook, applied, is the same webhook", () => {
    fc.assert(
      fc.property(fc.record(printable), (webhook) => {
        const names = new PlaceholderNames();
        const printed = printedForm(webhook, names);
        if (!printed.fits) throw new Error(printed.problems.join());
        const given = filled(names.all);
        const [back] = loaded(writePrintedForm([printed.form], "A comment"), given);
        expect(asShown(back as ShownWebhook)).toEqual(webhook);
      }),
      { numRuns: 300 },
    );
  });

  test("the published webhooks come out of the printed form as they went in", () => {
    for (const name of ["ecommerce-order", "crm-customer-sync"]) {
      const published = readFileSync(new URL(`../../../../examples/webhooks/${name}.yaml`, import.meta.url), "utf8");
      const values = { ENCRYPTED_API_KEY: MASK, OAUTH_TOKEN: MASK, CRM_SERVER_IPS: "192.0.2.1" };
      const given = new Map(Object.entries(values).filter(([placeholder]) => published.includes(placeholder)));
      const [webhook] = loaded(published, given);
      const printed = printedForm(asShown(webhook as ShownWebhook), new PlaceholderNames());
      if (!printed.fits) throw new Error(printed.problems.join());
      const written = writePrintedForm([printed.form], "x").replace(/^[\s\S]*?---\n/, "");
      const normal = (yaml: string) =>
        yaml
          .replaceAll(/\[\w+\]/g, "?")
          .replaceAll(/IP Whitelist:\n +- 192.0.2.1/g, "IP Whitelist: ?")
          .replaceAll(/ +$/gm, "");
      expect(normal(written)).toBe(normal(published));
    }
  });

  test("a list that only looks like a placeholder stays a list", () => {
    const form = { name: "One", transform: { template: { tags: ["ERP"], more: [["ERP"], ["A", "B"]] } } };
    const yaml = writeOwnForm([form], "x");
    expect(yaml).toContain('tags: ["ERP"]');
    expect(loaded(yaml)).toEqual([form]);
  });

  test("placeholders are called after their webhook, each differently", () => {
    const names = new PlaceholderNames();
    const made = ["Écommerce – Order #1", "Ecommerce order 1", "订单", "1st"].map((name) =>
      names.placeholder(name, "API_KEY", "key"),
    );
    expect(made.map(({ name }) => name)).toEqual([
      "ECOMMERCE_ORDER_1_API_KEY",
      "ECOMMERCE_ORDER_1_API_KEY_2",
      "API_KEY",
      "WEBHOOK_1ST_API_KEY",
    ]);
  });
});

/** A webhook of a file as the API would show it: defaults filled in, secrets masked. */
function asShown(webhook: ShownWebhook): ShownWebhook {
  const { auth: given = { type: "none" }, rateLimit, retryPolicy, transform } = webhook as Record<string, never>;
  const entries = Object.entries(given as Record<string, string>);
  const isKeyAsUser = entries.some(([member, value]) => member === "password" && value === "");
  const secrets = ["value", "token", "accessToken", isKeyAsUser ? "username" : "password"];
  const masked = Object.fromEntries(
    entries.map(([member, value]) => [member, secrets.includes(member) ? MASK : value]),
  );
  return {
    method: "POST",
    filters: [],
    timeout: 15,
    allowedIps: null,
    ...webhook,
    auth: masked,
    transform: transform ?? null,
    rateLimit: rateLimit === undefined ? null : { ...(rateLimit as object), burst: 0 },
    retryPolicy:
      retryPolicy === undefined
        ? null
        : { maxRetries: 9, retryDelay: 5, backoffMultiplier: 2, ...(retryPolicy as object) },
  };
}

describe("what has no printed form", () => {
  const fits = { name: "One", url: "https://example.com", events: ["*"], timeout: 15, maxInFlight: 64, active: true };
  test.each([
    [{ description: "x" }, "description has no place in the printed form"],
    [{ headers: { "X-A": "a" } }, "headers has no place in the printed form"],
    [{ active: false }, "active has no place in the printed form"],
    [{ metadata: { a: "b" } }, "metadata has no place in the printed form"],
    [{ format: "thin" }, "format has no place in the printed form"],
    [{ privacy: { cost: "drop" } }, "privacy has no place in the printed form"],
    [{ perEvent: { "*": { method: "PUT" } } }, "perEvent has no place in the printed form"],
    [{ signature: { profiles: ["github"] } }, "signature has no place in the printed form"],
    [{ maxInFlight: 1 }, "maxInFlight has no place in the printed form"],
    [{ rateLimit: { limit: 1, per: "hour", burst: 5 } }, "rateLimit.burst is not 0"],
    [
      { retryPolicy: { maxRetries: 1, retryDelay: 5, backoffMultiplier: 3 } },
      "retryPolicy.backoffMultiplier is neither 1 (Fixed) nor 2 (Exponential)",
    ],
    [{ transform: { template: ["a"] } }, "transform.template is not a map of names and values"],
    [
      { transform: { template: {}, contentType: "application/vnd.a+json" } },
      "transform.contentType is application/vnd.a+json; the printed form is application/json",
    ],
  ])("%j is named", (field, problem) => {
    expect(printedForm({ ...fits, ...field }, new PlaceholderNames())).toEqual({ fits: false, problems: [problem] });
  });
});

describe("from one installation to another", () => {
  let first: TestNode;
  let second: TestNode;
  beforeAll(async () => {
    first = await startTestNode();
    second = await startTestNode();
  });
  afterAll(async () => {
    await first?.stop();
    await second?.stop();
  });

  const WEBHOOKS = [
    { name: "Plain", url: "https://example.com/plain", events: ["invoice.paid"] },
    {
      name: "Everything said",
      description: "With a # and: a colon",
      url: "https://example.com/all?x=1",
      events: ["invoice.*", "customer.created"],
      method: "PUT",
      headers: { "X-Tag": "plain", "X-Secret-Token": "header-secret" },
      auth: { type: "basic", username: "ada", password: "auth-secret" },
      secret: "signing-secret-of-all",
      signature: { profiles: ["github", { type: "header", header: "X-Mac", algorithm: "sha512", encoding: "hex" }] },
      filters: ['event.type != "x"', "object.id != null"],
      transform: { template: { z: 1, a: ["ERP"], text: "Id {{ object.id }}" }, contentType: "application/json" },
      rateLimit: { limit: 10, per: "hour", burst: 2 },
      maxInFlight: 2,
      timeout: 3,
      retryPolicy: { maxRetries: 1, retryDelay: 7, backoffMultiplier: 1.5 },
      allowedIps: ["192.0.2.1"],
      metadata: { owner: "x" },
      perEvent: {
        "invoice.*": { headers: { "X-Kind": "{{ event.type }}" } },
        "customer.created": {
          method: "DELETE",
          url: "https://example.com/c/{{ customer.id }}",
          transform: { template: { a: { $when: "has(customer.email)", $value: "{{ customer.email }}" } } },
        },
      },
      privacy: { personal: "mask", fields: { "customer.notes": "drop" } },
    },
    { name: "Asleep", url: "https://example.com/asleep", events: ["*"], active: false, format: "cloudEvents" },
  ];
  const set = [
    "PLAIN_SECRET=signing-secret-of-plain",
    "EVERYTHING_SAID_SECRET=signing-secret-of-all",
    "EVERYTHING_SAID_PASSWORD=auth-secret",
    "EVERYTHING_SAID_HEADER_X_SECRET_TOKEN=header-secret",
    "ASLEEP_SECRET=signing-secret-of-asleep",
  ];
  /** What the configuration says, without what belongs to the installation. */
  const configured = async (node: TestNode) => {
    const { data } = (await node.api("GET", "/v1/webhooks?limit=200")).body;
    return data.map(
      ({ id: _i, createdAt: _c, updatedAt: _u, version: _v, statistics: _s, ...rest }: ShownWebhook) => rest,
    );
  };

  test("an export applied elsewhere with the secrets gives the same configuration, and exports the same again", async () => {
    for (const webhook of WEBHOOKS) {
      const made = await first.api("POST", "/v1/webhooks", webhook);
      expect(made.status, JSON.stringify(made.body)).toBe(201);
    }
    const file = await exported(first.node.url);
    expect(file).toMatchObject({ code: 0, err: "" });
    expect(file.out).not.toMatch(/auth-secret|header-secret|signing-secret|\*\*\*/);
    const ran = await apply(second.node.url, { "export.yaml": file.out }, { set });
    expect(ran).toMatchObject({ code: 0, err: "" });
    expect(await configured(second)).toEqual(await configured(first));
    expect((await exported(second.node.url)).out).toBe(file.out);
    const again = await apply(second.node.url, { "export.yaml": file.out }, { set });
    expect(again.out).toContain("3 unchanged.");
  });

  test("at home it changes nothing, with the secrets kept as they are", async () => {
    const file = await exported(first.node.url);
    const without = await apply(first.node.url, { "export.yaml": file.out });
    expect(without.code).toBe(2);
    expect(without.err.match(/\[\w+\] has no value/g)).toHaveLength(5);
    const ran = await apply(first.node.url, { "export.yaml": file.out }, { keepSecrets: true });
    expect(ran).toMatchObject({ code: 0, err: "" });
    expect(ran.out).toContain("3 unchanged.");
  });

  test("a webhook with nothing but defaults is exported with nothing but what it was given", async () => {
    const file = await exported(first.node.url, ["Plain"]);
    expect(file.out.replace(/^#.*\n/gm, "").trim()).toBe(
      "webhooks:\n  - name: Plain\n    url: https://example.com/plain\n    events:\n      - invoice.paid\n    secret: [PLAIN_SECRET]",
    );
    expect(file.out).toContain('#   PLAIN_SECRET  signing secret of "Plain"');
  });

  test("a name that is not there is refused with the nearest", async () => {
    const ran = await exported(first.node.url, ["Plian"]);
    expect(ran.code).toBe(2);
    expect(ran.err).toContain('There is no webhook "Plian". Did you mean "Plain"?');
  });

  test("the printed form is refused as a whole when one webhook does not fit, field by field", async () => {
    const ran = await exported(first.node.url, [], { form: "printed" });
    expect(ran).toMatchObject({ code: 2, out: "" });
    expect(ran.err).toContain('"Everything said": description has no place in the printed form.');
    expect(ran.err).toContain('"Asleep": active has no place in the printed form.');
    expect((await exported(first.node.url, ["Plain"], { form: "printed" })).code).toBe(0);
  });

  test("a paused webhook is exported, and the file says that it was paused", async () => {
    const [webhook] = (await first.api("GET", "/v1/webhooks?name=Plain")).body.data;
    expect((await first.api("POST", `/v1/webhooks/${webhook.id}/pause`)).status).toBe(200);
    const file = await exported(first.node.url, ["Plain"]);
    expect(file.out).toContain('# Paused when this was written, which a file does not say: "Plain"');
    const ran = await apply(first.node.url, { "export.yaml": file.out }, { keepSecrets: true });
    expect(ran.out).toContain("1 unchanged.");
    expect((await first.api("GET", `/v1/webhooks/${webhook.id}`)).body.data.status).toBe("paused");
  });

  test("webhooks without a name, or with the same, cannot be told apart in a file", async () => {
    const nameless = await first.api("POST", "/v1/webhooks", { url: "https://example.com/n", events: ["*"] });
    const twin = await first.api("POST", "/v1/webhooks", WEBHOOKS[0]);
    const ran = await exported(first.node.url);
    expect(ran.code).toBe(2);
    expect(ran.err).toContain(nameless.body.data.id);
    expect(ran.err).toContain('2 webhooks are called "Plain"');
    expect(ran.err).toContain(twin.body.data.id);
  });
});
