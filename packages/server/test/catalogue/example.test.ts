// How an example event is put together from shared objects, and what is refused on the way.
import { describe, expect, test } from "vitest";
import { buildExample, type ExampleParts } from "../../src/catalogue/example.ts";
import type { EventTypeFile, ResourceFile } from "../../src/catalogue/schema.ts";

const parts: ExampleParts = {
  objects: new Map<string, Record<string, unknown>>([
    ["invoice", { id: "inv_1", status: "sent", total: 100, tax: { rate: 8 }, items: [{ quantity: 1 }], paidAt: null }],
    ["customer", { id: "cust_1", name: "Contoh" }],
  ]),
  context: { $schema: "x", companyId: "company_default", userId: "user_1", source: "web", ip: "203.0.113.1" },
};

const resource: ResourceFile = {
  name: "invoice",
  label: "Invoice",
  module: "Sales & CRM",
  description: "A bill to a customer.",
  aliases: [],
  fieldAliases: {},
  referencePath: null,
  object: "invoice",
  embed: {},
  context: { source: "api" },
};

function typeWith(example: Partial<EventTypeFile["example"]>): EventTypeFile {
  return {
    name: "invoice.paid",
    since: "0.1.0",
    description: "An invoice was paid.",
    raisedWhen: "The amount due is zero.",
    example: { timestamp: "2026-03-17T07:00:00Z", ...example },
  };
}

function build(example: Partial<EventTypeFile["example"]>) {
  return buildExample(typeWith(example), resource, parts);
}

describe("buildExample", () => {
  test("makes a complete event without previous_attributes when nothing changed", () => {
    expect(build({})).toEqual({
      kind: "built",
      example: {
        event: "invoice.paid",
        timestamp: "2026-03-17T07:00:00Z",
        data: { object: parts.objects.get("invoice") },
        context: { companyId: "company_default", userId: "user_1", source: "api", ip: "203.0.113.1" },
      },
    });
  });

  test("sets members at any depth, new ones too, and leaves the shared object as it was", () => {
    const before = structuredClone(parts.objects.get("invoice"));
    const built = build({
      set: { status: "paid", "tax.rate": 6, "items.0.quantity": 2, "tax.code": "SST", paidAt: "2026-03-17" },
      previous: { status: "sent", tax: { rate: 8 }, paidAt: null },
    });
    expect(built).toMatchObject({
      example: {
        data: {
          object: { status: "paid", tax: { rate: 6, code: "SST" }, items: [{ quantity: 2 }], paidAt: "2026-03-17" },
          previous_attributes: { status: "sent", tax: { rate: 8 }, paidAt: null },
        },
      },
    });
    expect(parts.objects.get("invoice")).toEqual(before);
  });

  test("embeds other objects, whose members can be set too", () => {
    expect(build({ embed: { customer: "customer" }, set: { "customer.name": "Lain" } })).toMatchObject({
      example: { data: { object: { id: "inv_1", customer: { id: "cust_1", name: "Lain" } } } },
    });
  });

  test("lets a type overrule the resource's object, embed and context", () => {
    expect(build({ object: "customer", context: { userId: null, source: "scheduler", ip: null } })).toMatchObject({
      example: { data: { object: { id: "cust_1" } }, context: { userId: null, source: "scheduler", ip: null } },
    });
  });

  test.each([
    ["an object that is not there", { object: "receipt" }, /receipt\.json is not there/],
    ["an embedded object that is not there", { embed: { order: "order" } }, /order\.json is not there/],
    ["a path through a missing member", { set: { "taxes.rate": 1 } }, /passes through "taxes"/],
    ["a path into a text", { set: { "status.code": 1 } }, /ends inside a value that is no object/],
    ["an item beyond the list", { set: { "items.1": {} } }, /item 1, which is not there/],
    ["the length of a list", { set: { "items.length": 9 } }, /item length, which is not there/],
    ["a change that changes nothing", { set: { status: "sent" } }, /says what the base object says/],
    [
      "an old value of an unknown member",
      { previous: { state: "draft" } },
      /previous\.state is the old value of a member/,
    ],
    ["an old value that equals the new one", { previous: { tax: { rate: 8 } } }, /previous\.tax\.rate equals/],
  ])("refuses %s", (_, example, problem) => {
    const built = build(example);
    expect(built.kind).toBe("refused");
    expect(built.kind === "refused" && built.problems.join("\n")).toMatch(problem);
  });
});
