// Rules and code tables in expressions: what they give, what they may not see, and that everything that evaluation asks
// for is found by reading.
import { describe, expect, test } from "vitest";
import { compileExpression } from "../../src/expressions/compile.ts";
import { type CodeTableBody, Definitions, type RuleBody } from "../../src/expressions/definitions.ts";
import { filterSourcesOf } from "../../src/expressions/dialects.ts";
import { ExpressionFault } from "../../src/expressions/errors.ts";
import { eventScope } from "../../src/expressions/event-scope.ts";
import { explainFilter } from "../../src/expressions/explain.ts";
import { readsOf } from "../../src/expressions/reads.ts";
import type { Scope } from "../../src/expressions/scope.ts";
import { usesOf } from "../../src/expressions/uses.ts";
import { ABSENT, type Value } from "../../src/expressions/values.ts";

const RULES: Record<string, RuleBody> = {
  large_order: { expression: "order.total > 10000" },
  has_gold: { expression: 'order.items.exists(item, item.sku == "GOLD")' },
  december: { expression: "true", validFrom: "2026-12-01T00:00:00+08:00", validUntil: "2027-01-01T00:00:00+08:00" },
  taxed: { expression: 'lookup("tax", order.taxCode) == "GST06"' },
  sum: { expression: "order.total + 1" },
  loops: { expression: "order.items.all(a, order.items.all(b, a.n + b.n >= 0))" },
};
const TABLES: Record<string, CodeTableBody> = { tax: { entries: { "SST-6": "GST06", "7": 7, true: false } } };
const definitions = new Definitions({ rules: RULES, tables: TABLES });

function scopeOf(order: Value, timestamp = "2026-11-30T12:00:00.000Z"): Scope {
  return eventScope({
    event: { id: "evt_1", type: "sales_order.created", timestamp, livemode: true },
    data: { object: order },
    context: ABSENT,
    resource: { name: "sales_order", aliases: ["order"], fieldAliases: {} },
    definitions,
  });
}
function value(source: string, order: Value, timestamp?: string): Value | ExpressionFault {
  const compiled = compileExpression(source);
  if (!compiled.ok) throw new Error(compiled.error.message);
  return compiled.program.evaluate(scopeOf(order, timestamp));
}
const ORDER = {
  total: 20_000,
  taxCode: "SST-6",
  items: [
    { sku: "GOLD", n: 1 },
    { sku: "TIN", n: 2 },
  ],
};

describe("a rule", () => {
  test.each([
    ["rule.large_order", true],
    ['rule["large_order"] && rule.has_gold', true],
    ["!rule.large_order", false],
    ["rule.taxed", true],
    ["rule.sum", 20_001],
    ["has(rule.large_order)", true],
    ["has(rule.no_such)", false],
    ["rule.no_such", ABSENT],
    // The rule's own variable takes the place of its user's only while it runs.
    ['order.items.exists(item, rule.has_gold && item.sku == "TIN")', true],
    ['order.items.filter(item, rule.has_gold && item.sku == "TIN").map(item, item.n)', [2]],
    ["order.items.map(rule, rule.n)", [1, 2]],
  ] as const)("%s is %j", (source, expected) => {
    expect(value(source, ORDER)).toEqual(expected);
  });

  test("has no value where what it reads is missing, as any comparison", () => {
    expect(value("rule.large_order", {})).toBe(ABSENT);
    expect(value("rule.large_order || true", {})).toBe(true);
  });

  test("is false outside its dates, which are held against the event's own time", () => {
    const at = (timestamp: string) => value("rule.december", ORDER, timestamp);
    expect(at("2026-11-30T15:59:59.999Z")).toBe(false);
    expect(at("2026-11-30T16:00:00.000Z")).toBe(true);
    expect(at("2026-12-31T15:59:59.999Z")).toBe(true);
    expect(at("2026-12-31T16:00:00.000Z")).toBe(false);
  });

  test("is found by maps and conditions too", () => {
    const settings = { filters: { "rule.large_order": true }, conditions: [] } as const;
    const conditions = { conditions: [{ field: "rule.large_order", operator: "eq", value: true }] } as const;
    for (const source of [...filterSourcesOf(settings), ...filterSourcesOf(conditions)].map((each) => each.source)) {
      expect(value(source, ORDER), source).toBe(true);
      expect(value(source, { total: 1 }), source).toBe(false);
      expect(usesOf(source)).toMatchObject([{ kind: "rule", name: "large_order" }]);
    }
  });

  test("has no former value", () => {
    const compiled = compileExpression("changed(rule.large_order)");
    expect(!compiled.ok && compiled.error.message).toContain("a rule was nothing before");
  });

  test("counts as what it costs, each time", () => {
    const many = Array.from({ length: 300 }, (_, n) => ({ sku: "TIN", n }));
    const source = Array.from({ length: 20 }, () => "rule.loops").join(" && ");
    expect(value(source, { items: many })).toBeInstanceOf(ExpressionFault);
    expect(value("rule.loops", { items: many.slice(0, 100) })).toBe(true);
  });

  test("is explained by what it said", () => {
    const explained = explainFilter('rule.large_order && order.taxCode == "X"', scopeOf(ORDER));
    expect(explained.clauses[0]).toEqual({
      source: "rule.large_order",
      result: true,
      reads: [{ path: "rule.large_order", json: "true" }],
    });
  });

  test("brings what it looks at to those who read only a part of the payload", () => {
    const touched = readsOf("rule.large_order && invoice.id > 1")?.touched ?? [];
    expect(touched.flatMap((path) => definitions.readsOf(path))).toEqual([
      ["order", "total"],
      ["invoice", "id"],
    ]);
  });
});

describe("a code table", () => {
  test.each([
    ['lookup("tax", order.taxCode)', "GST06"],
    ['lookup("tax", "SST-9")', ABSENT],
    ['lookup("tax", "SST-9", "none")', "none"],
    ['lookup("tax", order.missing, "none")', "none"],
    ['lookup("tax", order.missing)', ABSENT],
    ['lookup("tax", 7)', 7],
    ['lookup("tax", true, "none")', false],
    ['lookup("tax", "constructor")', ABSENT],
    ['lookup("no_such", "SST-6")', ABSENT],
    ['lookup("tax", [1])', ABSENT],
  ] as const)("%s is %j", (source, expected) => {
    expect(value(source, ORDER)).toEqual(expected);
  });

  test.each(["lookup(order.table, order.taxCode)", 'lookup("tax")', 'order.lookup("tax", 1)', 'lookup("a", 1, 2, 3)'])(
    "%s is refused: its name is fixed text, so that its users can be found",
    (source) => {
      const compiled = compileExpression(source);
      expect(!compiled.ok && compiled.error.code).toBe("WRONG_CALL");
    },
  );
});

test("uses are found wherever they stand, and no variable of a macro is taken for one", () => {
  const source = 'order.items.exists(rule, rule.a) || rule.b || [rule["c"], lookup("t", rule.d)].size() > 1';
  expect(usesOf(source).map(({ kind, name }) => `${kind} ${name}`)).toEqual([
    "rule b",
    "rule c",
    "code_table t",
    "rule d",
  ]);
  expect(usesOf("no expression (")).toEqual([]);
});
