// The questions that other parts ask the catalogue: get, nearest, expand.
import { isOperationalType } from "../../src/lib/operational-types.ts";
import { beforeAll, describe, expect, test } from "vitest";
import type { Catalogue } from "../../src/catalogue/catalogue.ts";
import { defaultCatalogueFolder } from "../../src/catalogue/folder.ts";
import { loadCatalogue } from "../../src/catalogue/load.ts";

let catalogue: Catalogue;

beforeAll(async () => {
  catalogue = await loadCatalogue(defaultCatalogueFolder());
});

describe("get", () => {
  test("answers with the whole definition", () => {
    expect(catalogue.get("sales_order.created")).toMatchObject({
      name: "sales_order.created",
      module: "Sales & CRM",
      resource: { name: "sales_order", label: "Sales order", aliases: ["order"] },
      referencePath: ["object", "orderNumber"],
      example: { event: "sales_order.created", data: { object: { orderNumber: "SO-2026-0418" } } },
    });
  });

  test("answers nothing for an unknown name, an alias or a member of Object.prototype", () => {
    for (const name of ["sales_order.invented", "order.created", "constructor", ""]) {
      expect(catalogue.get(name)).toBeUndefined();
    }
  });

  test("gives out definitions that nobody can change", () => {
    const definition = catalogue.get("payment.received");
    const nested = definition?.example.data.object["order"] as { total: number };
    expect(() => {
      nested.total = 1;
    }).toThrow(TypeError);
  });
});

describe("nearest", () => {
  test.each([
    ["invoice.payed", "invoice.paid"],
    ["payment.recieved", "payment.received"],
    ["Invoice.Created", "invoice.created"],
    ["salesorder.created", "sales_order.created"],
    ["sales-order.shipped", "sales_order.shipped"],
    ["member.tier_changed", "member.tier.changed"],
    ["order.created", "sales_order.created"],
    ["purchase_invoice.approved", "bill.approved"],
    ["e_invoice.accepted", "einvoice.accepted"],
  ])("%s suggests %s first", (name, expected) => {
    expect(catalogue.nearest(name, 3)[0]).toBe(expected);
  });

  test("names every type that an alias may mean, each once", () => {
    const names = catalogue.nearest("item.updated", 10);
    expect(names.slice(0, 3).sort()).toEqual(["inventory.updated", "product.updated", "stock.updated"]);
    expect(new Set(names).size).toBe(names.length);
  });

  test("gives no more than was asked for, and nothing for nonsense", () => {
    expect(catalogue.nearest("invoice.creatd", 2)).toHaveLength(2);
    expect(catalogue.nearest("%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%", 3)).toEqual([]);
  });
});

describe("expand", () => {
  test("lists what a pattern matches, in alphabetical order", () => {
    expect(catalogue.expand("member.*")).toEqual(["member.created", "member.tier.changed", "member.updated"]);
    expect(catalogue.expand("invoice.paid")).toEqual(["invoice.paid"]);
    const business = [...catalogue.types.keys()].filter((name) => !isOperationalType(name));
    expect(catalogue.expand("*"), "operational events are asked for by name").toEqual(business);
    expect(catalogue.expand("webhook.*")).toContain("webhook.disabled");
    expect(catalogue.expand("invoiced.*")).toEqual([]);
  });

  test("keeps the types in alphabetical order", () => {
    const names = [...catalogue.types.keys()];
    expect(names).toEqual([...names].sort());
  });
});
