import { describe, expect, it } from "vitest";
import { type EventScopeInput, eventScope } from "../../src/expressions/event-scope.ts";
import type { Value } from "../../src/expressions/values.ts";
import { programOf, salesOrderScope, shown } from "./support.ts";

const result = (source: string, scope = salesOrderScope({})): string => shown(programOf(source).evaluate(scope));

const invoice = (data: Value, changes: Partial<EventScopeInput> = {}) =>
  salesOrderScope(data, { resource: { name: "invoice", aliases: [], fieldAliases: {} }, ...changes });

describe("names in scope", () => {
  const data = { object: { id: "so_1", total: 5 }, previous_attributes: { total: 4 } };
  it.each([
    ["event.id", '"evt_1"'],
    ["event.type", '"sales_order.updated"'],
    ["event.timestamp", '"2026-11-01T08:00:00Z"'],
    ["event.livemode", "true"],
    ["event.other", "absent"],
    ["data.object.total", "5"],
    ["data.previous_attributes.total", "4"],
    ["data.previousAttributes.total", "4"],
    ["previous.total", "4"],
    ["previous.total < object.total", "true"],
    ["context.companyId", '"company_1"'],
    ["context.company_id", '"company_1"'],
    ["object.total", "5"],
    ["sales_order.total", "5"],
    ["salesOrder.total", "5"],
    ["order.total", "5"],
    ["order == object && object == data.object", "true"],
    ["invoice.total", "absent"],
    ["total", "absent"],
    ["Order.total", "absent"],
  ])("%s → %s", (source, expected) => {
    expect(result(source, salesOrderScope(data))).toBe(expected);
  });

  it("previous is absent on creation", () => {
    expect(result("previous.total", salesOrderScope({ object: { total: 1 } }))).toBe("absent");
    expect(result("has(previous.total)", salesOrderScope({ object: { total: 1 } }))).toBe("false");
  });

  it.each<[string, Value, string]>([
    ["data without a member object", { total: 7 }, "7"],
    ["data.object that is null", { object: null, total: 7 }, "absent"],
    ["data that is a list", [{ total: 7 }], "absent"],
    ["data that is a text", "total", "absent"],
    ["data that is null", null, "absent"],
  ])("object of %s", (_, payload, expected) => {
    expect(result("order.total", salesOrderScope(payload))).toBe(expected);
  });

  it("object is data itself where data has no member of that name", () => {
    expect(result("object[0].total", salesOrderScope([{ total: 7 }]))).toBe("7");
    expect(result('object == "x"', salesOrderScope("x"))).toBe("true");
    expect(result("object == null", salesOrderScope(null))).toBe("true");
  });
});

describe("objects nested in the object", () => {
  const data = {
    object: {
      customer: { tags: ["vip"], creditLimit: 5 },
      billTo: { city: "KL" },
      status: "paid",
      items: [{ sku: "A" }],
      note: null,
      ship_to: { city: "JB" },
      return: { reason: "r" },
      package_: { weight: 1 },
    },
  };
  it.each([
    ['"vip" in customer.tags', "true"],
    ["customer.credit_limit", "5"],
    ["billTo.city", '"KL"'],
    ["bill_to.city", '"KL"'],
    ["shipTo.city", '"JB"'],
    ["return_.reason", '"r"'],
    ["object.return.reason", '"r"'],
    ["invoice.return.reason", '"r"'],
    ["status", "absent"],
    ["items", "absent"],
    ["note", "absent"],
    ["tags", "absent"],
  ])("%s → %s", (source, expected) => {
    expect(result(source, invoice(data))).toBe(expected);
  });

  it("payment.received finds the order, the invoice and the customer that it settles", () => {
    const payment = { object: { amount: 9, order: { total: 9 }, invoice: { id: "inv_1" }, customer: { name: "Lim" } } };
    const scope = salesOrderScope(payment, { resource: { name: "payment", aliases: [], fieldAliases: {} } });
    expect(
      result('order.total > 1 && invoice.id == "inv_1" && customer.name == "Lim" && payment.amount == 9', scope),
    ).toBe("true");
  });

  it("a field alias names a nested object too", () => {
    const resource = { name: "invoice", aliases: [], fieldAliases: { client: "billTo" } };
    expect(result("client.city", invoice(data, { resource }))).toBe('"KL"');
  });
});

describe("precedence", () => {
  const names = ["event", "data", "previous", "context", "object"];
  const nested = Object.fromEntries(names.map((name) => [name, { id: "nested" }]));

  it.each(names)("the fixed name %s wins over a resource and a nested object of that name", (name) => {
    const scope = salesOrderScope(
      { object: { ...nested, id: "object" }, previous_attributes: { id: "previous" }, id: "data" },
      { context: { id: "context" }, resource: { name, aliases: [name], fieldAliases: {} } },
    );
    const expected = name === "event" ? "evt_1" : name;
    expect(result(`${name}.id`, scope)).toBe(`"${expected}"`);
    expect(result(`object.${name}.id`, scope)).toBe('"nested"');
  });

  it("the resource's name and aliases win over nested objects", () => {
    const payload = { object: { total: 1, order: { total: 2 }, sales_order: { total: 3 } } };
    expect(result("order.total", salesOrderScope(payload))).toBe("1");
    expect(result("sales_order.total", salesOrderScope(payload))).toBe("1");
    expect(result("object.order.total", salesOrderScope(payload))).toBe("2");
  });

  it("a macro variable wins over every name", () => {
    expect(result("[1].all(event, event == 1)")).toBe("true");
  });

  it("the exact spelling of a nested object wins, whatever it holds", () => {
    const payload = { object: { billTo: "a text", bill_to: { city: "KL" } } };
    expect(result("bill_to.city", invoice(payload))).toBe('"KL"');
    expect(result("billTo.city", invoice(payload))).toBe("absent");
  });
});

describe("reserved and odd names", () => {
  it.each(["return", "return_"])("a resource called %s is read as return_", (name) => {
    const resource = { name, aliases: [], fieldAliases: {} };
    expect(result("return_.total", salesOrderScope({ object: { total: 3 } }, { resource }))).toBe("3");
  });

  it("inherited names are nothing", () => {
    for (const name of ["constructor", "__proto__", "toString", "hasOwnProperty", "valueOf"]) {
      expect(result(name)).toBe("absent");
      expect(result(`object.${name}`)).toBe("absent");
      expect(result(`event.${name}`)).toBe("absent");
    }
  });

  it("a field alias called constructor harms nothing, and none is inherited", () => {
    const fieldAliases = { constructor: "made_by" } as unknown as Record<string, string>;
    const resource = { name: "invoice", aliases: [], fieldAliases };
    expect(result("object.constructor", invoice({ object: { madeBy: "x" } }, { resource }))).toBe('"x"');
    expect(result("object.toString", invoice({ object: { madeBy: "x" } }, { resource }))).toBe("absent");
  });
});

describe("laziness", () => {
  it("asks for data and context once, and only when a name needs them", () => {
    const asked: string[] = [];
    const scope = eventScope({
      event: { id: "evt_1", type: "t", timestamp: "x", livemode: false },
      data: () => {
        asked.push("data");
        return { object: { total: 1, customer: { id: 2 } } };
      },
      context: () => {
        asked.push("context");
        return { userId: 1 };
      },
      resource: { name: "order", aliases: [], fieldAliases: {} },
    });
    expect(programOf("event.livemode").test(scope)).toBe(false);
    expect(asked).toEqual([]);
    expect(programOf("order.total == 1 && customer.id == 2 && data.object.total == 1").test(scope)).toBe(true);
    expect(asked).toEqual(["data"]);
    expect(programOf("context.user_id == 1 && has(context.userId)").test(scope)).toBe(true);
    expect(asked).toEqual(["data", "context"]);
  });

  it("a payload that cannot be had is a fault of this evaluation, not an exception", () => {
    const cause = new SyntaxError("not JSON");
    const scope = salesOrderScope(null, {
      data: () => {
        throw cause;
      },
    });
    const program = programOf("order.total > 1");
    expect(program.test(scope)).toBe(false);
    expect(program.evaluate(scope)).toMatchObject({ code: "EVALUATION_FAILED", cause });
    expect(programOf("event.livemode").test(scope)).toBe(true);
  });
});
