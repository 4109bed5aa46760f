// What a webhook is warned of, against the real catalogue: the sentences, and above all when to be silent.
import { beforeAll, describe, expect, test } from "vitest";
import type { Catalogue } from "../../src/catalogue/catalogue.ts";
import { defaultCatalogueFolder } from "../../src/catalogue/folder.ts";
import { loadCatalogue } from "../../src/catalogue/load.ts";
import {
  createWarnings,
  UNITS_PER_CONFIGURATION,
  type WarnableConfiguration,
  type WarningsOf,
} from "../../src/manage/warnings.ts";
import { CRM_WEBHOOK, ORDER_WEBHOOK } from "../printed/webhooks.ts";

let catalogue: Catalogue;
let warningsOf: WarningsOf;

beforeAll(async () => {
  catalogue = await loadCatalogue(defaultCatalogueFolder());
  warningsOf = createWarnings(catalogue);
});

const messages = (configuration: WarnableConfiguration): string[] =>
  warningsOf(configuration).map(({ code, field, message }) => `${code} ${field}: ${message}`);
const filter = (events: string[], ...filters: string[]): string[] => messages({ events, filters });
const template = (events: string[], source: unknown): string[] => messages({ events, transform: { template: source } });

describe("filters", () => {
  test("are judged in every dialect, also where a path goes through a list", () => {
    const events = ["sales_order.created"];
    const fits = messages({
      events,
      filters: { "order.items.itemCode": ["A"], "order.total": { min: 1 } },
      conditions: [{ field: "order.items.quantity", operator: "gt", value: 1 }],
    });
    expect(fits).toEqual([]);
    expect(
      messages({
        events,
        filters: { "order.items.itemCde": ["A"] },
        conditions: [
          { field: "order.totl", operator: "gt", value: 1 },
          { field: "order.status", operator: "changed" },
        ],
      }),
    ).toEqual([
      "NEVER_MATCHES_TYPE filters.order.items.itemCde: sales_order.created has no `order.items.itemCde` in its example: without it this filter never passes for it. Did you mean `order.items.itemCode`?",
      "NEVER_MATCHES_TYPE conditions[0]: sales_order.created has no `order.totl` in its example: without it this filter never passes for it. Did you mean `order.total`?",
      "NEVER_MATCHES_TYPE conditions[1]: sales_order.created carries no `previous`: this filter never passes for it.",
    ]);
  });
});

describe("the printed webhooks", () => {
  test("have nothing to be warned of: payment.received carries the order that their filters ask for", () => {
    expect(warningsOf(ORDER_WEBHOOK)).toEqual([]);
    expect(warningsOf(CRM_WEBHOOK)).toEqual([]);
  });
});

describe("a filter that can never pass", () => {
  test("is told by the type that does not carry what it reads", () => {
    expect(filter(["sales_order.created", "customer.created"], "order.total > 100")).toEqual([
      "NEVER_MATCHES_TYPE filters[0]: customer.created carries no `order`: this filter never passes for it.",
    ]);
    expect(filter(["customer.created", "customer.updated"], 'customer.name != ""', 'order.status != "draft"')).toEqual([
      "NEVER_MATCHES_TYPE filters[1]: customer.created and customer.updated carry no `order`: this filter never passes for them.",
    ]);
  });

  test("names three types of many, also behind a pattern", () => {
    const [only, ...others] = filter(["*"], "shift.cashier != null && order.total > 1");
    expect(others).toHaveLength(1);
    expect(only).toMatch(
      /^NEVER_MATCHES_TYPE filters\[0\]: \S+, \S+, \S+ and \d+ more carry no `shift`: this filter never passes for them\.$/,
    );
  });

  test("is told with the name that was probably meant", () => {
    expect(filter(["sales_order.created"], "order.totl > 100")).toEqual([
      "NEVER_MATCHES_TYPE filters[0]: sales_order.created has no `order.totl` in its example: without it this filter never passes for it. Did you mean `order.total`?",
    ]);
    expect(filter(["sales_order.created"], "ordr.total > 100")).toEqual([
      "NEVER_MATCHES_TYPE filters[0]: sales_order.created carries no `ordr`: this filter never passes for it. Did you mean `order`?",
    ]);
    expect(filter(["sales_order.created"], 'order.customer.nme == "x"')[0]).toContain(
      "Did you mean `order.customer.name`?",
    );
  });

  test.each([
    ["order.total > 100 && invoice.total > 1", false],
    ["order.total > 100 || invoice.total > 1", true],
    ["!(invoice.total > 1)", false],
    ["invoice.total > 1 ? true : false", false],
    ["true ? order.total > 1 : invoice.total > 1", true],
    ["has(invoice)", false],
    ["!has(invoice)", true],
    ["has(invoice.total) ? invoice.total > 1 : true", true],
    ["has(order.somethingRare)", true],
    ["order.somethingRare == 1", false],
    ["invoice.total + order.total > 1", false],
    ["size(invoice.items) > 0", false],
    ['invoice.status in ["paid"]', false],
    ['order.status in [invoice.status, "x"]', false],
    ["order.items.exists(item, item.quantity > 1)", true],
    ["order.items.exists(item, item.anything > 1)", true],
    ["order.items.exists(item, item.quantity > invoice.total)", false],
    ["order.items.all(item, item.quantity > invoice.total)", true],
    ["invoice.items.all(item, item.quantity > 1)", false],
    ["order.items.exists(invoice, invoice.total > 1)", true],
    ["order.items.map(item, item.sku).exists(sku, sku == invoice.sku)", false],
    ["-invoice.total < 0", false],
    ['invoice["total"] > 1', false],
    ['data.object["total"] > 1', true],
    ["data.object.totl > 1", false],
  ])("on sales_order.created, %s can pass: %s", (source, canPass) => {
    expect(filter(["sales_order.created"], source)).toHaveLength(canPass ? 0 : 1);
  });

  test("is not suspected for what an example cannot tell", () => {
    const silent = [
      "order.customer_id != null && order.created_date != null && sales_order.customerId != null",
      'previous.status == "draft"',
      "context.branchId == 7",
      "order.fulfillment.trackingNumber.anything == 1",
      "event.livemode",
      "order.items[5].sku == 'x'",
      "false",
      "order.total",
    ];
    expect(filter(["sales_order.updated"], ...silent)).toEqual([]);
    expect(filter(["customer.updated"], "customer.customFields.region == 1", "customer.custom_fields.x == 1")).toEqual(
      [],
    );
  });

  test("asking for old values of what has just been created is told", () => {
    expect(filter(["sales_order.created"], 'previous.status == "draft"')).toEqual([
      "NEVER_MATCHES_TYPE filters[0]: sales_order.created carries no `previous`: this filter never passes for it.",
    ]);
  });

  test("says nothing of types without an example", () => {
    expect(filter(["my_company.thing_done", "my_company.*"], "order.total > 1")).toEqual([]);
  });
});

describe("a template part without a value", () => {
  test("is told, alone and between text, with its place", () => {
    expect(
      template(["customer.created"], { order: { id: "{{ order.id }}" }, to: ["Dear {{ customer.nme }}"] }),
    ).toEqual([
      "MISSING_IN_TEMPLATE transform.template.order.id: customer.created carries no `order`: this is null for it.",
      "MISSING_IN_TEMPLATE transform.template.to[0]: customer.created has no `customer.nme` in its example: without it this is empty for it. Did you mean `customer.name`?",
    ]);
  });

  test("is not told where another value takes its place, or where no event of the type gets that far", () => {
    expect(template(["customer.created"], '{{ has(order.id) ? order.id : "none" }}')).toEqual([]);
    const events = ["customer.created", "sales_order.created"];
    const found = messages({ events, filters: ["order.total > 1"], transform: { template: "{{ order.id }}" } });
    expect(found).toEqual([expect.stringContaining("NEVER_MATCHES_TYPE filters[0]: customer.created")]);
  });

  test("is quiet about old values and the tenant's own members, which differ from event to event", () => {
    expect(template(["sales_order.updated"], ["{{ previous.status }}", "{{ context.branchId }}"])).toEqual([]);
    expect(template(["customer.created"], "{{ customer.customFields.region }}")).toEqual([]);
  });
});

test("every type of the catalogue supplies what its own object and embedded objects say", () => {
  for (const type of catalogue.types.values()) {
    const { object } = type.example.data;
    const names = [type.resource.name, ...type.resource.aliases].filter((name) => name !== "return");
    const paths = names.flatMap((name) => Object.keys(object).map((key) => `${name}.${key}`));
    const source = Object.fromEntries(paths.map((path) => [path.replace(".", "-"), `{{ ${path} }}`]));
    expect(template([type.name], source), type.name).toEqual([]);
  }
});

test("at most fifty are told, and everything at once takes no time to speak of", () => {
  const many = Array.from({ length: 400 }, (_, index) => `{{ nothing${index}.x }}`);
  const started = process.cpuUsage();
  expect(template(["*"], many)).toHaveLength(50);
  const { user } = process.cpuUsage(started);
  expect(user / 1_000).toBeLessThan(2_000);
});

test("a hostile template costs no more than a configuration may, and many share what there is", () => {
  const list = `[${Array.from({ length: 90 }, (_, index) => index).join(",")}]`;
  const hostile = Array.from({ length: 60 }, () => `{{ ${list}.all(a, ${list}.all(b, a + b >= 0)) ? nothing.x : 1 }}`);
  const configuration = { events: ["*"], transform: { template: hostile } };
  const budget = { unitsLeft: 2.5 * UNITS_PER_CONFIGURATION };
  expect(warningsOf(configuration, budget).length).toBeGreaterThan(0);
  expect(budget.unitsLeft).toBe(1.5 * UNITS_PER_CONFIGURATION);
  warningsOf(configuration, budget);
  warningsOf(configuration, budget);
  expect(budget.unitsLeft).toBe(0);
  expect(warningsOf(configuration, budget)).toEqual([]);
});

describe("URLs, headers and single event types", () => {
  test("are judged as templates are, each for the types that are sent with them", () => {
    const configuration: WarnableConfiguration = {
      events: ["customer.updated", "customer.deleted"],
      url: "https://example.com/c/{{ custmer.id }}?by={{ customer.nam }}",
      headers: { "X-A": "{{ customer.idd }}" },
      transform: { template: { id: "{{ required(customer.idx) }}" } },
      perEvent: {
        "customer.deleted": { url: "https://example.com/d/{{ customer.customerNumbr }}", format: "none" },
      },
    };
    expect(messages(configuration)).toEqual([
      "MISSING_IN_TEMPLATE transform.template.id: customer.updated has no `customer.idx` in its example: without it nothing can be sent and deliveries of it are held. Did you mean `customer.id`?",
      "MISSING_IN_TEMPLATE url: customer.updated carries no `custmer`: nothing can be sent and deliveries of it are held. Did you mean `customer`?",
      "MISSING_IN_TEMPLATE url: customer.updated has no `customer.nam` in its example: without it this is empty for it. Did you mean `customer.name`?",
      "MISSING_IN_TEMPLATE headers.X-A: customer.updated and customer.deleted have no `customer.idd` in their examples: without it this is empty for them. Did you mean `customer.id`?",
      'MISSING_IN_TEMPLATE perEvent["customer.deleted"].url: customer.deleted has no `customer.customerNumbr` in its example: without it nothing can be sent and deliveries of it are held. Did you mean `customer.customerNumber`?',
    ]);
  });

  test("say nothing where everything is there, or is given by default", () => {
    expect(
      messages({
        events: ["customer.deleted"],
        url: "https://example.com/c/{{ customer.id }}",
        transform: {
          template: {
            note: '{{ default(customer.note, "-") }}',
            x: { $when: "has(customer.note)", $value: "{{ customer.note }}" },
          },
        },
      }),
    ).toEqual([]);
  });
});
