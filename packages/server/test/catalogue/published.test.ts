// The catalogue that is shipped: what BigLedger's pages promise is there, and every example is one that could happen.
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { describe, expect, test } from "vitest";
import type { EventTypeDefinition } from "../../src/catalogue/catalogue.ts";
import { defaultCatalogueFolder } from "../../src/catalogue/folder.ts";
import { loadCatalogue } from "../../src/catalogue/load.ts";
import { isEventTypeName } from "../../src/catalogue/pattern.ts";
import { memberAt, objectsWithin, stringsWithin } from "./support/walk.ts";

/** The names that the developer pages have published: integrators wrote receivers against them. */
const PUBLISHED: Readonly<Record<string, string>> = {
  invoice: "created updated sent viewed paid partially_paid overdue cancelled",
  payment: "received matched unmatched refunded",
  customer: "created updated deleted credit_limit_exceeded status_changed",
  inventory: "low_stock out_of_stock adjustment transfer updated",
  stock: "updated",
  einvoice: "created validated submitted accepted rejected cancelled",
  sales_order: "created updated confirmed shipped delivered cancelled",
  purchase_order: "created sent approved confirmed received invoiced cancelled",
  bill: "created received approved paid",
  expense: "created approved",
  supplier: "created updated",
  requisition: "created approved",
  user: "login logout password_changed created deactivated",
  backup: "completed",
  report: "generated",
  integration: "sync_completed sync_failed",
  member: "created updated tier.changed",
  points: "earned redeemed expiring",
  reward: "claimed",
  shift: "closed",
  sale: "completed",
  return: "processed",
  product: "updated",
};
const PUBLISHED_NAMES = Object.entries(PUBLISHED).flatMap(([resource, rests]) =>
  rests.split(" ").map((rest) => `${resource}.${rest}`),
);

const catalogue = await loadCatalogue(defaultCatalogueFolder());
const definitions = [...catalogue.types.values()];
const byName = definitions.map((definition) => [definition.name, definition] as const);

function exampleOf(name: string): EventTypeDefinition["example"] {
  const definition = catalogue.get(name);
  if (definition === undefined) throw new Error(`no ${name}`);
  return definition.example;
}

describe("the published names", () => {
  test("are all there, seventy-two of them", () => {
    expect(PUBLISHED_NAMES).toHaveLength(72);
    expect(PUBLISHED_NAMES.filter((name) => catalogue.get(name) === undefined)).toEqual([]);
  });

  test("call the root object of sales_order.* order too, and nothing else order", () => {
    const withOrder = definitions.filter(({ resource }) => resource.aliases.includes("order"));
    expect(withOrder.map(({ name }) => name)).toEqual(catalogue.expand("sales_order.*"));
  });

  test("give the resource return its plain name: expressions add the underscore", () => {
    expect(catalogue.get("return.processed")?.resource.name).toBe("return");
  });
});

describe.each(byName)("%s", (name, definition) => {
  const { event, timestamp, data, context } = definition.example;
  const object = data.object as Record<string, unknown>;

  test("is a well-formed name under its resource", () => {
    expect(isEventTypeName(name)).toBe(true);
    expect(name.startsWith(`${definition.resource.name}.`)).toBe(true);
  });

  test("has a complete example event", () => {
    expect(Object.keys(definition.example)).toEqual(["event", "timestamp", "data", "context"]);
    expect(event).toBe(name);
    expect(new Date(timestamp).toISOString().replace(".000Z", "Z")).toBe(timestamp);
    expect(context).toMatchObject({ companyId: expect.any(String), source: expect.any(String) });
    expect(context).toHaveProperty("userId");
    expect(context).toHaveProperty("ip");
    expect(object["id"]).toMatch(/^[a-z]+_[A-Za-z0-9_]+$/);
  });

  test("survives JSON unchanged, well under the depth that capture accepts", () => {
    expect(JSON.parse(JSON.stringify(definition.example))).toEqual(definition.example);
    expect(depthOf(definition.example)).toBeLessThan(16);
  });

  test("finds its business number where referencePath says", () => {
    if (definition.referencePath === null) return;
    expect(memberAt(data, definition.referencePath)).toMatch(/\S/);
  });

  test("carries old values of what changed, and none when something was created", () => {
    if (name.endsWith(".created")) expect(data).not.toHaveProperty("previous_attributes");
    for (const [key, old] of Object.entries(data.previous_attributes ?? {})) {
      expect(object).toHaveProperty(key);
      expect(isDeepStrictEqual(old, object[key])).toBe(false);
    }
  });

  test("tells one time: nothing was changed after the event, and what was created was created then", () => {
    for (const part of objectsWithin(data)) {
      for (const member of ["createdAt", "updatedAt", "approvedAt", "sentAt", "postedAt", "closedAt", "completedAt"]) {
        const at = part[member];
        if (typeof at === "string") expect(at <= timestamp, `${member} ${at}`).toBe(true);
      }
    }
    if (name.endsWith(".created")) expect([object["createdAt"], object["updatedAt"]]).toEqual([timestamp, timestamp]);
    if ("updatedAt" in object) expect(object["updatedAt"]).toBe(timestamp);
  });

  test("adds up", () => {
    for (const part of objectsWithin(data.object)) expect(sumProblems(part)).toEqual([]);
  });

  test("names only hosts, mailboxes and addresses that belong to nobody", () => {
    for (const text of stringsWithin(definition.example)) {
      for (const [, host] of text.matchAll(/(?:@|https?:\/\/)([^/\s]+)/g)) {
        expect(host).toMatch(/(\.example|^files\.bigledger\.com)$/);
      }
    }
    // The documentation ranges of RFC 5737.
    expect(context["ip"] ?? "192.0.2.1").toMatch(/^(192\.0\.2|198\.51\.100|203\.0\.113)\.\d{1,3}$/);
  });

  test("holds nothing that looks like a secret", () => {
    const text = JSON.stringify(definition.example);
    expect(text).not.toMatch(
      /PRIVATE KEY|blg_(live|test|oauth)_|whsec_|sk_(live|test)|AKIA[0-9A-Z]{16}|gh[pousr]_|xox[abp]-|Bearer |eyJ[\w-]+\./,
    );
    expect(text).not.toMatch(/"[^"]*(password|secret|token|apiKey|credential)"\s*:/i);
    // A long run of letters and digits mixed is what real keys look like; the ids of the examples are short.
    for (const [run] of text.matchAll(/[A-Za-z0-9+/]{32,}/g))
      expect(run).not.toMatch(/(?=.*[0-9])(?=.*[a-z])(?=.*[A-Z])/);
  });

  test("does not give one name two meanings in expressions", () => {
    const names = [definition.resource.name, ...definition.resource.aliases];
    const nested = Object.keys(object).filter((key) => isPlain(object[key]));
    // The item's own member `inventory`, printed so by BigLedger, meets the resource `inventory`.
    const known = definition.resource.name === "inventory" && isPlain(object["inventory"]) ? ["inventory"] : [];
    expect(nested.filter((key) => names.includes(key))).toEqual(known);
  });
});

describe("the webhooks printed in the applet page", () => {
  test.each(["sales_order.created", "sales_order.updated", "sales_order.cancelled"])(
    "the order webhook finds all of its fields in %s, which passes its filters",
    (name) => {
      expectOrder(exampleOf(name).data.object);
      expect(catalogue.get(name)?.resource.aliases).toContain("order");
    },
  );

  test("the order webhook finds all of its fields in payment.received too, by the nested order", () => {
    const object = exampleOf("payment.received").data.object;
    expectOrder(object["order"] as Record<string, unknown>);
  });

  test.each(["customer.created", "customer.updated", "customer.deleted"])(
    "the customer webhook finds all of its fields in %s",
    (name) => {
      const { object } = exampleOf(name).data;
      expect(object).toMatchObject({
        id: expect.stringMatching(/^cust_/),
        name: expect.any(String),
        email: expect.stringContaining("@"),
        phone: expect.stringMatching(/^\+60/),
        address: { street: expect.any(String), city: expect.any(String), country: "MY" },
      });
      // {{ customer.created_date }} is reached by the field alias: no change of case style leads there.
      const member = catalogue.get(name)?.resource.fieldAliases["created_date"] as string;
      expect(member).toBe("createdAt");
      expect(object[member]).toMatch(/^\d{4}-/);
    },
  );
});

describe("the folder", () => {
  test("keeps no example object that no event type uses", async () => {
    const files = await readdir(join(defaultCatalogueFolder(), "example-objects"));
    const written = (await filesWithin(join(defaultCatalogueFolder(), "event-types"))).join("\n");
    expect(files.filter((file) => !written.includes(`: "${file.replace(".json", "")}"`))).toEqual([]);
  });

  test("is found from the sources and from what is built of them", () => {
    expect(defaultCatalogueFolder("file:///srv/posthorn/packages/server/dist/catalogue/folder.js")).toBe(
      defaultCatalogueFolder("file:///srv/posthorn/packages/server/src/catalogue/folder.ts"),
    );
  });

  test("keeps every entry small enough to read at a glance", async () => {
    for (const text of await filesWithin(join(defaultCatalogueFolder(), "event-types"))) {
      expect(text.split("\n").length, text.slice(0, 100)).toBeLessThanOrEqual(100);
    }
  });
});

describe("payment.received", () => {
  test("carries the order, the invoice and the customer that it settles, in one story", () => {
    const { object } = exampleOf("payment.received").data;
    const part = (key: string) => object[key] as Record<string, unknown>;
    expect(part("invoice")).toMatchObject({
      id: object["invoiceId"],
      status: "paid",
      amountDue: 0,
      invoiceNumber: expect.any(String),
    });
    expect(part("order")).toMatchObject({ id: object["orderId"], orderNumber: part("invoice")["reference"] });
    expect(part("customer")).toMatchObject({ id: object["customerId"], tags: expect.arrayContaining(["retail"]) });
    expect(part("invoice")["customerId"]).toBe(object["customerId"]);
    expect(part("order")["customerId"]).toBe(object["customerId"]);
    expect(object["amount"]).toBe(part("invoice")["total"]);
  });
});

describe("statuses", () => {
  test.each([
    ["invoice", "sent viewed paid partially_paid overdue cancelled"],
    ["einvoice", "created validated submitted accepted rejected cancelled"],
    ["sales_order", "confirmed shipped delivered cancelled"],
    ["purchase_order", "sent approved confirmed received invoiced cancelled"],
    ["bill", "approved paid"],
    ["expense", "approved"],
    ["requisition", "approved"],
  ])("of %s agree with the event type: %s", (resource, rests) => {
    for (const rest of rests.split(" ")) expect(exampleOf(`${resource}.${rest}`).data.object["status"]).toBe(rest);
  });
});

async function filesWithin(folder: string): Promise<string[]> {
  const names = await readdir(folder, { recursive: true });
  return Promise.all(
    names.filter((name) => name.endsWith(".json")).map((name) => readFile(join(folder, name), "utf8")),
  );
}

function expectOrder(order: Readonly<Record<string, unknown>>): void {
  expect(order).toMatchObject({
    id: expect.stringMatching(/^so_/),
    customerId: expect.stringMatching(/^cust_/),
    total: expect.any(Number),
    status: expect.not.stringMatching(/^draft$/),
    items: expect.arrayContaining([expect.objectContaining({ itemCode: "PRN-80T" })]),
  });
  expect(order["total"]).toBeGreaterThan(100);
}

function isPlain(value: unknown): boolean {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function depthOf(value: unknown): number {
  if (typeof value !== "object" || value === null) return 0;
  return 1 + Math.max(0, ...Object.values(value).map(depthOf));
}

/** Where the figures of a document contradict each other, in whole cents. */
function sumProblems(document: Readonly<Record<string, unknown>>): string[] {
  const cents = (member: string) => Math.round(Number(document[member] ?? 0) * 100);
  const sumOf = (list: unknown, member: string) =>
    (list as Record<string, number>[]).reduce((sum, line) => sum + Math.round((line[member] ?? 0) * 100), 0);
  const problems: string[] = [];
  const check = (name: string, left: number, right: number) => {
    if (left !== right) problems.push(`${name}: ${left} is not ${right}`);
  };
  const { items, allocations, payments, locations, inventory } = document;
  if ("subtotal" in document) {
    check("subtotal", sumOf(items, "lineTotal"), cents("subtotal"));
    check("tax", sumOf(items, "taxAmount"), cents("totalTax") + cents("taxTotal"));
    const extras = cents("totalTax") + cents("taxTotal") + cents("shippingCost") + cents("rounding");
    check("total", cents("subtotal") + extras, cents("total"));
  }
  if ("amountPaid" in document && document["status"] !== "cancelled") {
    check("invoice", cents("amountPaid") + cents("amountDue"), cents("total"));
  }
  if ("balanceDue" in document) check("bill", cents("paidAmount") + cents("balanceDue"), cents("total"));
  if ("amountMatched" in document) {
    check("payment", cents("amountMatched") + cents("amountUnmatched"), cents("amount"));
    check("allocations", sumOf(allocations, "amount"), cents("amountMatched"));
  }
  if ("payments" in document) check("payments", sumOf(payments, "amount"), cents("total"));
  if ("totalValue" in document) check("value", sumOf(items, "totalCost"), cents("totalValue"));
  if ("variance" in document) check("variance", cents("countedCash") - cents("expectedCash"), cents("variance"));
  if ("locations" in document) {
    const stock = inventory as Record<string, number>;
    check("stock", sumOf(locations, "stock"), 100 * (stock["currentStock"] as number));
    check("available", sumOf(locations, "available"), 100 * (stock["availableStock"] as number));
    check("reserved", sumOf(locations, "reserved"), 100 * (stock["reservedStock"] as number));
  }
  return problems;
}
