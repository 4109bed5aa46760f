// Explaining one filter on one event: the same result as routing, divided where it can be divided.
import { describe, expect, test } from "vitest";
import { explainFilter } from "../../src/expressions/explain.ts";
import { evaluate, fromJson, scopeOf } from "./support.ts";

const ROOTS = fromJson(
  '{"order":{"total":80.5,"status":"draft","big":12345678901234567890,"items":[{"sku":"A"}],"customerId":"c1","no":null}}',
);
const explain = (source: string) => explainFilter(source, scopeOf(ROOTS));
const clauses = (source: string): string[] => explain(source).clauses.map((each) => each.source);

describe("a filter", () => {
  test.each([
    ["order.total > 1 && order.total < 9", ["order.total > 1", "order.total < 9"]],
    ["(order.total > 1 && order.x) && (a || b)", ["(order.total > 1 && order.x)", "(a || b)"]],
    [
      'order.items.exists(i, i.a && i.b) && [1 && 2, 3] == {"a": x && y}',
      ["order.items.exists(i, i.a && i.b)", '[1 && 2, 3] == {"a": x && y}'],
    ],
    ["a && b || c", ["a && b || c"]],
    ["a && b ? c : d", ["a && b ? c : d"]],
    ['order.status == "a && b"', ['order.status == "a && b"']],
    ["  order.total > 1  ", ["order.total > 1"]],
    ["a && ", ["a", ""]],
  ])("%s is divided into its parts", (source, parts) => {
    expect(clauses(source)).toEqual(parts);
  });

  test("has the result that routing has, and each part its own", () => {
    for (const source of [
      'order.total > 1 && order.status == "draft"',
      "order.total > 100 && order.gone",
      "order.gone > 1",
      "order.gone > 1 || true",
      "order.total",
    ]) {
      const value = evaluate(source, ROOTS);
      expect(explain(source).result, source).toBe(typeof value === "boolean" ? value : null);
    }
    expect(explain("order.total > 100 && order.gone").clauses.map(({ result }) => result)).toEqual([false, null]);
  });

  test("says what it found, by the names that were written", () => {
    const source = "order.customer_id == order.no && order.items[0].sku == order.big && order.gone.deep == gone";
    expect(explain(source).clauses.flatMap(({ reads }) => reads)).toEqual([
      { path: "order.customer_id", json: '"c1"' },
      { path: "order.no", json: "null" },
      { path: "order.items", json: '[{"sku":"A"}]' },
      { path: "order.big", json: "12345678901234567890" },
      { path: "order.gone.deep", json: null },
      { path: "gone", json: null },
    ]);
  });

  test("cuts long values, of texts and of lists", () => {
    const roots = fromJson(`{"t":${JSON.stringify("é".repeat(1_000))},"l":[${"1,".repeat(1_000)}1]}`);
    const [text, list] = explainFilter('t == "" && l == []', scopeOf(roots)).clauses.map(({ reads }) => reads[0]?.json);
    expect(text).toMatch(/^"é{200}"…$/);
    expect(list).toMatch(/^\[(1,)+1?…$/);
    expect(list?.length).toBeLessThan(210);
  });

  test("that was stopped has no result and the reason", () => {
    const items = Array.from({ length: 2_000 }, () => 1);
    const explained = explainFilter("l.all(a, l.all(b, a + b > 0))", scopeOf({ l: items }));
    expect(explained).toMatchObject({ result: null, fault: { code: "BUDGET_EXCEEDED" } });
  });
});
