// The printed form: exactly as printed it becomes the own form; everything else is refused with what is possible.
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { loadWebhookFiles } from "../../src/files/load.ts";
import { formatDuration, formatRate, parseDuration, parseRate } from "../../src/files/printed-words.ts";

const printed = (name: string): string =>
  readFileSync(new URL(`../../../../examples/webhooks/${name}.yaml`, import.meta.url), "utf8");

function load(text: string, given: Record<string, string> = {}) {
  const options = { given: new Map(Object.entries(given)), environment: {}, keepSecrets: false, mappings: [] };
  return loadWebhookFiles([{ name: "printed.yaml", text }], options);
}

function complaintsOf(text: string): string[] {
  const loaded = load(text);
  return loaded.ok ? [] : loaded.problems.map(({ place, message }) => `${place.line}:${place.column} ${message}`);
}

const HEAD = "Webhook Name: One\nEndpoint URL: https://example.com\nEvent Triggers: [invoice.paid]\n";

describe("the printed webhooks", () => {
  test("E-Commerce Order Integration, as it stands", () => {
    const loaded = load(printed("ecommerce-order"), { ENCRYPTED_API_KEY: "k-1" });
    expect(loaded.ok && loaded.webhooks).toEqual([
      {
        name: "E-Commerce Order Integration",
        url: "https://api.ecommerce.com/webhooks/bigledger",
        method: "POST",
        auth: { type: "apiKey", header: "X-API-Key", value: "k-1" },
        events: ["sales_order.created", "sales_order.updated", "sales_order.cancelled", "payment.received"],
        transform: {
          template: {
            order_id: "{{ order.id }}",
            customer_id: "{{ order.customer_id }}",
            total_amount: "{{ order.total }}",
            status: "{{ order.status }}",
            items: "{{ order.items }}",
            timestamp: "{{ event.timestamp }}",
          },
          contentType: "application/json",
        },
        filters: ["order.total > 100", 'order.status != "draft"'],
        retryPolicy: { maxRetries: 2, backoffMultiplier: 2 },
        timeout: 30,
      },
    ]);
  });

  test("CRM Customer Synchronization, as it stands", () => {
    const loaded = load(printed("crm-customer-sync"), {
      OAUTH_TOKEN: "t-1",
      CRM_SERVER_IPS: "192.0.2.7, 198.51.100.0/24",
    });
    expect(loaded.ok && loaded.webhooks).toEqual([
      {
        name: "CRM Customer Synchronization",
        url: "https://api.crm.com/webhooks/customers",
        method: "POST",
        auth: { type: "oauth2", accessToken: "t-1" },
        events: ["customer.created", "customer.updated", "customer.deleted"],
        transform: {
          template: {
            customer_id: "{{ customer.id }}",
            name: "{{ customer.name }}",
            email: "{{ customer.email }}",
            phone: "{{ customer.phone }}",
            address: "{{ customer.address }}",
            created_date: "{{ customer.created_date }}",
          },
          contentType: "application/json",
        },
        allowedIps: ["192.0.2.7", "198.51.100.0/24"],
        rateLimit: { limit: 100, per: "minute" },
      },
    ]);
  });

  test("without their values all three placeholders are named, each in its file", () => {
    const files = ["ecommerce-order", "crm-customer-sync"].map((name) => ({
      name: `${name}.yaml`,
      text: printed(name),
    }));
    const options = { given: new Map<string, string>(), environment: {}, keepSecrets: false, mappings: [] };
    const loaded = loadWebhookFiles(files, options);
    expect(loaded.ok).toBe(false);
    const places = loaded.ok ? [] : loaded.problems.map(({ place }) => `${place.file}:${place.line}:${place.column}`);
    expect(places).toEqual([
      "ecommerce-order.yaml:7:10",
      "crm-customer-sync.yaml:6:10",
      "crm-customer-sync.yaml:23:17",
    ]);
    const text = loaded.ok ? "" : loaded.problems.map(({ message }) => message).join();
    for (const name of ["ENCRYPTED_API_KEY", "OAUTH_TOKEN", "CRM_SERVER_IPS"]) expect(text).toContain(`[${name}]`);
  });
});

describe("what is not as printed", () => {
  test("an unknown name is refused with the nearest, wherever it stands", () => {
    expect(complaintsOf(`${HEAD}Retry Polic:\n  Max Attempts: 3\n`)).toEqual([
      '4:1 There is no "Retry Polic" in the printed form. Did you mean Retry Policy?',
    ]);
    expect(complaintsOf(`${HEAD}Retry Policy:\n  Max Atempts: 3\n`)).toEqual([
      '5:3 There is no "Max Atempts" in Retry Policy. Did you mean Max Attempts?',
    ]);
    expect(complaintsOf(`${HEAD}Authentication:\n  Type: Bearer\n  Token: t\n  Header: X\n`)[0]).toContain(
      "Known here: Type, Token.",
    );
    expect(complaintsOf(`${HEAD}constructor: 1\n`)[0]).toContain('There is no "constructor"');
  });

  test("names of both forms in one webhook are refused", () => {
    expect(complaintsOf(`${HEAD}timeout: 10\n`)[0]).toMatch(/^4:1 There is no "timeout" in the printed form/);
  });

  test.each([
    ["Authentication:\n  Type: JWT\n", "5:9 Type can be None, API Key, Bearer, Basic, OAuth 2.0."],
    ["Authentication:\n  Type: API Key\n  Header: X-K\n", "4:1 Authentication of Type API Key needs Value."],
    ["Authentication:\n  Token: t\n", "4:1 Authentication needs a Type: None, API Key, Bearer, Basic, OAuth 2.0."],
    ["Authentication: API Key\n", "4:17 Authentication is a list of names and values, indented below it."],
    ["Retry Policy:\n  Backoff: Linear\n", "5:12 Backoff can be Exponential, Fixed."],
    ["Retry Policy:\n  Max Attempts: 0\n", "5:17 Max Attempts is a whole number from 1; the first request counts."],
    ["Retry Policy:\n  Timeout: 30\n", "5:12 Timeout is written like 30 seconds or 5 minutes."],
    ["Security Settings:\n  SSL Verification: Off\n", "5:21 SSL Verification can be Required."],
    [
      "Security Settings:\n  Rate Limit: 100 requests/day\n",
      "5:15 Rate Limit is written like 100 requests/minute (second, minute or hour).",
    ],
    ["Payload Format: json\n", "4:17 Payload Format is a list of names and values, indented below it."],
  ])("%j is refused", (lines, complaint) => {
    expect(complaintsOf(HEAD + lines)).toEqual([complaint]);
  });

  test("what every webhook needs is missed by its printed name", () => {
    expect(complaintsOf("Method: POST\n")).toEqual([
      "1:1 Webhook Name is missing.",
      "1:1 Endpoint URL is missing.",
      "1:1 Event Triggers is missing.",
    ]);
  });

  test("a complaint never repeats a secret", () => {
    const text = `${HEAD}Authentication:\n  Type: API Key\n  Header: X-K\n  Valu: hush-hush\n`;
    expect(complaintsOf(text).join()).not.toContain("hush");
  });

  test("digits without quotes stay the text that they are", () => {
    const loaded = load(`${HEAD}Authentication:\n  Type: Basic\n  Username: 007\n  Password: 0123\n`);
    expect(loaded.ok && loaded.webhooks[0]?.["auth"]).toEqual({ type: "basic", username: "007", password: "0123" });
  });
});

describe("words for durations and rates", () => {
  test.each([
    ["30 seconds", 30],
    ["1 second", 1],
    ["5 minutes", 300],
    ["90s", 90],
    ["2 h", 7200],
    ["1 day", 86_400],
  ])("%s is %d seconds", (text, seconds) => {
    expect(parseDuration(text)).toBe(seconds);
    expect(parseDuration(formatDuration(seconds))).toBe(seconds);
  });

  test.each(["30", "", "soon", "-1 seconds", "5 months", "1 ms"])("%j is no duration", (text) => {
    expect(parseDuration(text)).toBeNull();
  });

  test("rates are read as printed and in the ways next to it", () => {
    for (const text of ["100 requests/minute", "100 requests per minute", "100/minute", "100 requests / minute"]) {
      expect(parseRate(text), text).toEqual({ limit: 100, per: "minute" });
    }
    expect(formatRate({ limit: 1, per: "hour" })).toBe("1 request/hour");
    expect(parseRate("1 request/hour")).toEqual({ limit: 1, per: "hour" });
    for (const text of ["100", "100 requests/day", "many requests/minute", "100 minute"])
      expect(parseRate(text)).toBeNull();
  });
});
