// Webhook files: what they may look like, where errors point, and that nothing is guessed.
import { describe, expect, test } from "vitest";
import { type LoadOptions, loadWebhookFiles } from "../../src/files/load.ts";
import { parseMapping } from "../../src/files/map-url.ts";

const NOTHING: LoadOptions = { given: new Map(), environment: {}, keepSecrets: false, mappings: [] };

function load(text: string, options: Partial<LoadOptions> = {}) {
  return loadWebhookFiles([{ name: "webhooks.yaml", text }], { ...NOTHING, ...options });
}

function webhooksOf(text: string, options: Partial<LoadOptions> = {}) {
  const loaded = load(text, options);
  if (!loaded.ok) throw new Error(JSON.stringify([loaded.problems, loaded.optionProblems]));
  return loaded.webhooks;
}

function complaintsOf(text: string, options: Partial<LoadOptions> = {}): string[] {
  const loaded = load(text, options);
  if (loaded.ok) return [];
  const problems = loaded.problems.map(({ place, message }) => `${place.line}:${place.column} ${message}`);
  return [...problems, ...loaded.optionProblems];
}

const ONE = "name: One\nurl: https://example.com/one\nevents: [invoice.paid]\n";

describe("what a file may look like", () => {
  const two = [
    { name: "One", url: "https://example.com/one", events: ["invoice.paid"] },
    { name: "Two", url: "https://example.com/two", events: ["*"] },
  ];

  test("one webhook is a document, and several documents are several webhooks", () => {
    expect(webhooksOf(`${ONE}---\nname: Two\nurl: https://example.com/two\nevents: ["*"]\n`)).toEqual(two);
  });

  test("a list of webhooks, and a map whose `webhooks` is such a list, say the same", () => {
    const list =
      "- {name: One, url: https://example.com/one, events: [invoice.paid]}\n- {name: Two, url: https://example.com/two, events: ['*']}\n";
    expect(webhooksOf(list)).toEqual(two);
    expect(webhooksOf(`webhooks:\n${list}`)).toEqual(two);
  });

  test("both forms stand side by side", () => {
    const printed = "Webhook Name: Two\nEndpoint URL: https://example.com/two\nEvent Triggers: ['*']\n";
    expect(webhooksOf(`# first\n${ONE}---\n${printed}`)).toEqual(two);
  });

  test("empty documents and comments are no webhooks", () => {
    expect(webhooksOf(`---\n# nothing\n---\n${ONE}---\n`)).toHaveLength(1);
    expect(webhooksOf("")).toEqual([]);
  });

  test("JSON is YAML", () => {
    expect(webhooksOf(JSON.stringify({ webhooks: two }))).toEqual(two);
  });

  test("an anchor is read wherever it is used, and one that holds itself is refused", () => {
    expect(webhooksOf("a: &list [invoice.paid]\nb: *list\n")).toEqual([{ a: ["invoice.paid"], b: ["invoice.paid"] }]);
    expect(complaintsOf("filters: &a [x, *a]\n")[0]).toMatch(/too large, or nests too deeply/);
  });
});

describe("what is wrong points at line and column", () => {
  test("text that is no YAML, without repeating it", () => {
    const [first] = complaintsOf('name: One\nsecret: "not closed\nurl: x\n');
    expect(first).toMatch(/^\d+:\d+ This is not YAML: /);
    expect(first).not.toContain("not closed");
  });

  test("a key that stands twice", () => {
    expect(complaintsOf(`${ONE}url: https://example.com/other\n`)[0]).toMatch(/^4:1 This is not YAML: .*unique/);
  });

  test("a tag, a key that is no text, a number that JSON cannot carry", () => {
    expect(complaintsOf("name: !!binary aGVsbG8=\n")[0]).toMatch(/^1:/);
    expect(complaintsOf("? [a, b]\n: c\n")[0]).toBe("1:3 A key must be a text.");
    expect(complaintsOf("timeout: .inf\n")[0]).toMatch(/^1:10 This number cannot be carried exactly/);
    expect(complaintsOf("id: 12345678901234567890\n")[0]).toMatch(/^1:5 This number cannot be carried exactly/);
  });

  test("what is no webhook", () => {
    expect(complaintsOf("- just a text\n")[0]).toMatch(/^1:3 Expected a webhook/);
    expect(complaintsOf("webhooks: none\n")[0]).toMatch(/^1:11 webhooks is a list/);
    expect(complaintsOf(`webhook: []\nwebhooks: []\n`)[0]).toBe(
      '1:1 There is no "webhook" here. Did you mean webhooks?',
    );
  });

  test("fields that the server names", () => {
    const loaded = load(
      [
        "webhooks:",
        "  - name: One",
        "    filters:",
        "      - order.total > 100",
        '      - "order.status != draft!"',
        "    headers:",
        "      X.Dotted: a",
        "  - Webhook Name: Two",
        "    Endpoint URL: https://example.com",
        "    Event Triggers: [invoice.paid]",
        "    Payload Format:",
        '      order_id: "{{ order.id }}"',
        "    Retry Policy:",
        "      Max Attempts: 3",
      ].join("\n"),
    );
    if (!loaded.ok) throw new Error("refused");
    const at = (field: string, position?: number) => {
      const place = loaded.placeOf(field, position);
      return place === null ? null : `${place.line}:${place.column}`;
    };
    expect(at("webhooks[0].filters[0]")).toBe("4:9");
    expect(at("webhooks[0].filters[0]", 6)).toBe("4:15");
    expect(at("webhooks[0].filters[1]", 6)).toBe("5:16");
    expect(at("webhooks[0].headers.X.Dotted")).toBe("7:7");
    expect(at("webhooks[0].url")).toBe("2:5");
    expect(at("webhooks[1].url")).toBe("9:5");
    expect(at("webhooks[1].transform.template.order_id")).toBe("12:7");
    expect(at("webhooks[1].retryPolicy.maxRetries")).toBe("14:7");
    expect(at("webhooks[7].url")).toBeNull();
    expect(at("prune")).toBeNull();
  });
});

describe("placeholders", () => {
  const FILE = [
    "name: One",
    "url: https://example.com",
    "events: [EVENTS]",
    "auth: {type: bearer, token: [TOKEN]}",
    "allowedIps:",
    "  - 192.0.2.1",
    "  - [MORE_IPS]",
    "timeout: [SECONDS]",
    "transform:",
    "  template:",
    '    tags: ["ERP"]',
  ].join("\n");

  test("are filled as the field wants it: a list by commas, a number, a text", () => {
    const given = new Map([
      ["EVENTS", "invoice.paid, invoice.sent"],
      ["TOKEN", "12345"],
      ["SECONDS", "20"],
    ]);
    const [webhook] = webhooksOf(FILE, { given, environment: { MORE_IPS: "192.0.2.2,192.0.2.3", TOKEN: "unused" } });
    expect(webhook).toEqual({
      name: "One",
      url: "https://example.com",
      events: ["invoice.paid", "invoice.sent"],
      auth: { type: "bearer", token: "12345" },
      allowedIps: ["192.0.2.1", "192.0.2.2", "192.0.2.3"],
      timeout: 20,
      transform: { template: { tags: ["ERP"] } },
    });
  });

  test("that stay unfilled are named all at once, with their places", () => {
    const complaints = complaintsOf(FILE, { environment: { TOKEN: "  " } });
    expect(
      complaints.map((text) => /^\d+:\d+ The placeholder \[\w+\] (has no value|is empty)/.exec(text)?.[0]),
    ).toEqual([
      "3:9 The placeholder [EVENTS] has no value",
      "4:29 The placeholder [TOKEN] is empty",
      "7:5 The placeholder [MORE_IPS] has no value",
      "8:10 The placeholder [SECONDS] has no value",
    ]);
  });

  test("of secrets keep what is stored when that is asked for; others still want a value", () => {
    const given = new Map([
      ["EVENTS", "*"],
      ["MORE_IPS", "192.0.2.2"],
      ["SECONDS", "20"],
    ]);
    const [webhook] = webhooksOf(FILE, { given, keepSecrets: true });
    expect(webhook?.["auth"]).toEqual({ type: "bearer", token: "********" });
    expect(complaintsOf(FILE, { keepSecrets: true })).toHaveLength(3);
  });

  test("that no file holds are refused with the nearest name, without their value", () => {
    const given = new Map([
      ["EVENTS", "*"],
      ["TOKEN", "t"],
      ["MORE_IPS", "192.0.2.2"],
      ["SECONDS", "20"],
      ["TOKNE", "hush"],
    ]);
    const complaints = complaintsOf(FILE, { given });
    expect(complaints).toEqual(["--set TOKNE: no file holds the placeholder [TOKNE]. Did you mean TOKEN?"]);
  });
});

describe("--map-url", () => {
  const mapping = (text: string) => {
    const parsed = parseMapping(text);
    if (parsed === null) throw new Error(`no mapping: ${text}`);
    return parsed;
  };

  test("sends one host to another and keeps path and query", () => {
    const file = "url: https://api.crm.com/webhooks/customers?a=1\n";
    const mappings = [mapping("https://api.crm.com=http://127.0.0.1:9000")];
    expect(webhooksOf(file, { mappings })[0]?.["url"]).toBe("http://127.0.0.1:9000/webhooks/customers?a=1");
    expect(webhooksOf(file, { mappings: [mapping("api.crm.com=http://127.0.0.1:9000/in/")] })[0]?.["url"]).toBe(
      "http://127.0.0.1:9000/in/webhooks/customers?a=1",
    );
  });

  test("URLs of single event types are mapped, too: in development nothing reaches the other place", () => {
    const file = [
      "name: a",
      "url: https://api.crm.com/in",
      "events: [customer.deleted]",
      "perEvent:",
      "  customer.deleted: { method: DELETE, url: 'https://api.crm.com/c/{{ customer.id }}' }",
      "",
    ].join("\n");
    const [webhook] = webhooksOf(file, { mappings: [mapping("https://api.crm.com=http://127.0.0.1:9000")] });
    expect(webhook).toMatchObject({
      url: "http://127.0.0.1:9000/in",
      perEvent: { "customer.deleted": { method: "DELETE", url: "http://127.0.0.1:9000/c/{{ customer.id }}" } },
    });
  });

  test("a longer host is another host, and a mapping that fits nothing is refused", () => {
    const mappings = [mapping("https://api.crm.com=http://127.0.0.1:9000")];
    expect(complaintsOf("url: https://api.crm.company/x\n", { mappings })).toEqual([
      "--map-url https://api.crm.com=…: no webhook's URL begins with https://api.crm.com.",
    ]);
  });

  test("what is no mapping is not taken for one", () => {
    for (const text of ["https://a.com", "a=b", "=http://127.0.0.1", "ht tp://x=http://127.0.0.1"]) {
      expect(parseMapping(text), text).toBeNull();
    }
  });
});
