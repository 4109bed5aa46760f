// One question in all three dialects, case by case: a map, conditions and an expression as a person would write it give the
// same answer, and the one that stands in the table. Beside the random events of dialects.test.ts, for people to read.
import { describe, expect, test } from "vitest";
import { type FilterMap, type FilterSettings, filterSourcesOf } from "../../src/expressions/dialects.ts";
import { parsePayload } from "../../src/expressions/payload.ts";
import { programOf, salesOrderScope } from "./support.ts";

type Entry = FilterMap[string];

function passes(settings: FilterSettings, order: string): boolean {
  const scope = salesOrderScope(parsePayload(Buffer.from(`{"object":${order}}`), { exactNumbers: true }));
  return filterSourcesOf(settings).every(({ source }) => programOf(source).test(scope));
}

/** What a member of a map says, as conditions. */
function conditionsOf(field: string, entry: Entry): NonNullable<FilterSettings["conditions"]> {
  if (Array.isArray(entry)) return [{ field, operator: "in", value: entry }];
  if (typeof entry !== "object" || entry === null) {
    return [{ field, operator: "eq", value: entry as string | number | boolean | null }];
  }
  const { min, max } = entry as { min?: number | string; max?: number | string };
  return [
    ...(min === undefined ? [] : [{ field, operator: "gte" as const, value: min }]),
    ...(max === undefined ? [] : [{ field, operator: "lte" as const, value: max }]),
  ];
}

const CASES: readonly (readonly [order: string, field: string, entry: Entry, expression: string, passes: boolean])[] = [
  // --- missing -------------------------------------------------------------------------------------------------------
  ["{}", "order.status", "paid", 'order.status == "paid"', false],
  ["{}", "order.status", null, "order.status == null", false],
  ["{}", "order.status", false, "order.status == false", false],
  ["{}", "order.status", ["paid", null], 'order.status in ["paid", null]', false],
  ["{}", "order.total", { min: 0 }, "order.total >= 0", false],
  ["{}", "order.total", { max: 0 }, "order.total <= 0", false],
  ["{}", "order.customer.name", "A", 'order.customer.name == "A"', false],
  ['{"customer":{}}', "order.customer.name", "A", 'customer.name == "A"', false],
  ['{"customer":5}', "order.customer.name", "A", 'order.customer.name == "A"', false],
  ['{"customer":"A"}', "order.customer.name", "A", 'order.customer.name == "A"', false],
  ["null", "order.status", "paid", 'order.status == "paid"', false],
  ["[]", "order.status", "paid", 'order.status == "paid"', false],
  ['"paid"', "order.status", "paid", 'order.status == "paid"', false],
  ["{}", "nothing.at.all", 1, "nothing.at.all == 1", false],
  // --- null ----------------------------------------------------------------------------------------------------------
  ['{"note":null}', "order.note", null, "order.note == null", true],
  ['{"note":null}', "order.note", ["x", null], 'order.note in ["x", null]', true],
  ['{"note":null}', "order.note", "", 'order.note == ""', false],
  ['{"note":null}', "order.note", 0, "order.note == 0", false],
  ['{"note":null}', "order.note", false, "order.note == false", false],
  ['{"note":""}', "order.note", null, "order.note == null", false],
  ['{"note":0}', "order.note", null, "order.note == null", false],
  ['{"note":null}', "order.note", { min: 0 }, "order.note >= 0", false],
  ['{"note":null}', "order.note.text", null, "order.note.text == null", false],
  // --- types are not mixed -------------------------------------------------------------------------------------------
  ['{"total":"5"}', "order.total", 5, "order.total == 5", false],
  ['{"total":5}', "order.total", "5", 'order.total == "5"', false],
  ['{"total":1}', "order.total", true, "order.total == true", false],
  ['{"total":"true"}', "order.total", true, "order.total == true", false],
  ['{"total":false}', "order.total", 0, "order.total == 0", false],
  ['{"total":"9"}', "order.total", { min: 5 }, "order.total >= 5", false],
  ['{"total":9}', "order.total", { min: "5" }, 'order.total >= "5"', false],
  ['{"total":{"a":1}}', "order.total", 1, "order.total == 1", false],
  ['{"total":5}', "order.total", ["5", true, 5], 'order.total in ["5", true, 5]', true],
  // --- numbers -------------------------------------------------------------------------------------------------------
  ['{"total":100.0}', "order.total", 100, "order.total == 100", true],
  ['{"total":1e2}', "order.total", 100, "order.total == 100.0", true],
  ['{"total":-0}', "order.total", 0, "order.total == 0", true],
  ['{"total":0.1}', "order.total", 0.1, "order.total == 0.1", true],
  ['{"total":5}', "order.total", { min: 5, max: 5 }, "order.total >= 5 && order.total <= 5", true],
  ['{"total":5.000001}', "order.total", { min: 1, max: 5 }, "order.total >= 1 && order.total <= 5", false],
  ['{"total":-5}', "order.total", { min: -10, max: -1 }, "order.total >= -10 && order.total <= -1", true],
  ['{"total":7}', "order.total", { min: 9, max: 5 }, "order.total >= 9 && order.total <= 5", false],
  ['{"n":9007199254740993}', "order.n", 9007199254740991, "order.n == 9007199254740991", false],
  ['{"n":9007199254740993}', "order.n", { min: 9007199254740991 }, "order.n > 9007199254740992", true],
  ['{"n":12345678901234567890123}', "order.n", { min: 1e22 }, "order.n >= 1e22", true],
  ['{"n":1e400}', "order.n", { min: 1e300 }, "order.n >= 1e300", true],
  ['{"n":-1e400}', "order.n", { max: -1e300 }, "order.n <= -1e300", true],
  ['{"n":1e-400}', "order.n", 0, "order.n == 0", false],
  ['{"n":100000000000000000000.5}', "order.n", { max: 1e21 }, "order.n <= 1e21", true],
  // --- texts ---------------------------------------------------------------------------------------------------------
  ['{"status":"Paid"}', "order.status", "paid", 'order.status == "paid"', false],
  ['{"status":" paid"}', "order.status", "paid", 'order.status == "paid"', false],
  ['{"status":""}', "order.status", "", 'order.status == ""', true],
  ['{"name":"陈美玲"}', "order.name", "陈美玲", 'order.name == "陈美玲"', true],
  ['{"name":"\\u9648\\u7f8e\\u73b2"}', "order.name", ["陈美玲"], 'order.name in ["陈美玲"]', true],
  ['{"name":"e\\u0301"}', "order.name", "é", 'order.name == "é"', false],
  ['{"name":"🏪"}', "order.name", "🏪", 'order.name == "🏪"', true],
  ['{"name":"\\ud83c\\udfea"}', "order.name", "🏪", 'order.name == "🏪"', true],
  ['{"name":"a\\u0000b"}', "order.name", "a", 'order.name == "a"', false],
  ['{"name":"\\"quoted\\" \\\\ \\n"}', "order.name", '"quoted" \\ \n', 'order.name == "\\"quoted\\" \\\\ \\n"', true],
  ['{"name":"{{ x }}"}', "order.name", "{{ x }}", 'order.name == "{{ x }}"', true],
  [
    '{"at":"2026-03-12"}',
    "order.at",
    { min: "2026-03-01", max: "2026-03-31" },
    'order.at >= "2026-03-01" && order.at <= "2026-03-31"',
    true,
  ],
  [
    '{"at":"2026-04-01"}',
    "order.at",
    { min: "2026-03-01", max: "2026-03-31" },
    'order.at >= "2026-03-01" && order.at <= "2026-03-31"',
    false,
  ],
  // --- lists, and lists of lists -------------------------------------------------------------------------------------
  ['{"tags":["vip","new"]}', "order.tags", "new", '"new" in order.tags', true],
  ['{"tags":["vip"]}', "order.tags", ["old", "vip"], 'order.tags.exists(t, t in ["old", "vip"])', true],
  ['{"tags":[]}', "order.tags", ["old"], 'order.tags.exists(t, t in ["old"])', false],
  ['{"tags":[null]}', "order.tags", null, "null in order.tags", true],
  ['{"tags":[1,"1"]}', "order.tags", true, "true in order.tags", false],
  ['{"tags":[["vip"],["new"]]}', "order.tags", "vip", 'order.tags.exists(l, l.exists(t, t == "vip"))', true],
  ['{"tags":[[["vip"]]]}', "order.tags", "vip", 'order.tags.exists(a, a.exists(b, "vip" in b))', true],
  ['{"tags":[[]]}', "order.tags", "vip", 'order.tags.exists(l, "vip" in l)', false],
  ['{"items":[{"sku":"A"},{"sku":"B"}]}', "order.items.sku", "B", 'order.items.exists(i, i.sku == "B")', true],
  ['{"items":[{"sku":"A"},{"q":1},5,null]}', "order.items.sku", "B", 'order.items.exists(i, i.sku == "B")', false],
  ['{"items":[{"q":1},{"sku":"B"}]}', "order.items.sku", "B", 'order.items.exists(i, i.sku == "B")', true],
  [
    '{"items":[[{"sku":"A"}],[{"sku":"B"}]]}',
    "order.items.sku",
    "B",
    'order.items.exists(l, l.exists(i, i.sku == "B"))',
    true,
  ],
  ['{"items":[{"tags":["x","y"]}]}', "order.items.tags", "y", 'order.items.exists(i, "y" in i.tags)', true],
  ['{"items":[{"q":[1,9]}]}', "order.items.q", 9, "order.items.exists(i, i.q.exists(q, q == 9))", true],
  ['{"items":{"sku":"A"}}', "order.items.sku", "A", 'order.items.sku == "A"', true],
  ['{"items":[]}', "order.items.sku", null, "order.items.exists(i, i.sku == null)", false],
  // --- names: reserved words, other spellings, what JavaScript has on every object ------------------------------------
  ['{"in":1,"for":2}', "order.in", 1, 'order["in"] == 1', true],
  ['{"true":1}', 'order["true"]', 1, 'order["true"] == 1', true],
  ['{"null":1}', 'order["null"]', 1, 'order["null"] == 1', true],
  ['{"while":{"function":1}}', "order.while.function", 1, 'order["while"]["function"] == 1', true],
  ['{"package":{"a":1}}', "package.a", 1, "package_.a == 1", true],
  ['{"__proto__":{"x":1}}', "order.__proto__.x", 1, "order.__proto__.x == 1", true],
  ["{}", "order.__proto__", null, "order.__proto__ == null", false],
  ["{}", "order.constructor.name", "Object", 'order.constructor.name == "Object"', false],
  ['{"constructor":"x"}', "order.constructor", "x", 'order.constructor == "x"', true],
  ["{}", "order.toString", null, "order.toString == null", false],
  ['{"hasOwnProperty":1}', "order.hasOwnProperty", 1, "order.hasOwnProperty == 1", true],
  ['{"valueOf":null}', "order.valueOf", null, "order.valueOf == null", true],
  ['{"length":3}', "order.length", 3, "order.length == 3", true],
  ['{"tags":["a"]}', "order.tags.length", 1, "order.tags.length == 1", false],
  ['{"name":"abc"}', "order.name.length", 3, "order.name.length == 3", false],
  ['{"customerId":"c"}', "order.customer_id", "c", 'order.customer_id == "c"', true],
  ['{"customer_id":"c"}', "order.customerId", "c", 'order.customerId == "c"', true],
  ['{"createdAt":"2026"}', "order.created_date", "2026", 'order.created_date == "2026"', true],
  ['{"a b":{"c.d":1}}', 'order["a b"]["c.d"]', 1, 'order["a b"]["c.d"] == 1', true],
  ['{"größe":1}', 'order["größe"]', 1, 'order["größe"] == 1', true],
  ['{"":1}', 'order[""]', 1, 'order[""] == 1', true],
];

describe("the same in every dialect", () => {
  // Red when one dialect treats null, lists, digits or names in a way of its own.
  test.each(CASES)("%s: %s is %j, as in %s: %s", (order, field, entry, expression, expected) => {
    expect({
      map: passes({ filters: { [field]: entry } }, order),
      conditions: passes({ conditions: conditionsOf(field, entry) }, order),
      expression: passes({ filters: [expression] }, order),
    }).toEqual({ map: expected, conditions: expected, expression: expected });
  });

  test("and its opposite, as conditions and as an expression, is true of what is there and fails", () => {
    const opposites = CASES.filter(([order, field, entry]) => {
      const isPlain = typeof entry !== "object" || entry === null;
      return isPlain && passes({ conditions: [{ field, operator: "exists" }] }, order);
    });
    expect(opposites.length).toBeGreaterThan(30);
    for (const [order, field, entry, , expected] of opposites) {
      const value = entry as string | number | boolean | null;
      const conditions = [{ field, operator: "neq" as const, value }];
      expect([order, field, passes({ conditions }, order)]).toEqual([order, field, !expected]);
    }
  });
});
