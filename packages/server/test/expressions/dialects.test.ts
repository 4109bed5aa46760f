// The three ways to write a filter say the same: held against an evaluator of the test's own, over random events and
// conditions, and over a table that people can read.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  CONDITION_OPERATORS,
  type Condition,
  type ConditionLogic,
  type ConditionOperator,
  type FilterSettings,
  filterSourcesOf,
  MAX_CONDITION_DEPTH,
  type PlainValue,
  translateFilters,
} from "../../src/expressions/dialects.ts";
import { explainFilter } from "../../src/expressions/explain.ts";
import { parsePayload } from "../../src/expressions/payload.ts";
import { payloadPartFor, readPayloadPart } from "../../src/expressions/payload-part.ts";
import { readsOf } from "../../src/expressions/reads.ts";
import type { Scope } from "../../src/expressions/scope.ts";
import { conditionsField, filtersField } from "../../src/manage/filter-fields.ts";
import { programOf, salesOrderScope } from "./support.ts";

type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/** Whether an event passes: asked of the whole payload and, as routing does it, of the part that the filters read. */
function passes(settings: FilterSettings, data: string): boolean {
  const sources = filterSourcesOf(settings).map(({ source }) => source);
  const exact = { exactNumbers: true };
  const ask = (scope: Scope): boolean => sources.every((source) => programOf(source).test(scope));
  const whole = ask(salesOrderScope(parsePayload(Buffer.from(data), exact)));
  const reads = sources.flatMap((source) => readsOf(source)?.touched ?? []);
  const part = payloadPartFor(reads, { created_date: "createdAt" });
  if (part !== null) {
    expect(ask(salesOrderScope(readPayloadPart(Buffer.from(data), part, exact))), `the part for ${sources}`).toBe(
      whole,
    );
  }
  return whole;
}

const ofOrder = (order: string, previous?: string): string =>
  `{"object":${order}${previous === undefined ? "" : `,"previous_attributes":${previous}`}}`;

describe("a condition", () => {
  test.each<[string, string, ConditionOperator, Condition["value"] | undefined, boolean]>([
    // order, field, operator, value, passes
    ['{"total":100}', "order.total", "gt", 100, false],
    ['{"total":100.01}', "order.total", "gt", 100, true],
    ['{"total":1e2}', "order.total", "eq", 100, true],
    ['{"total":100}', "sales_order.total", "lte", 100, true],
    ['{"total":100}', "object.total", "lte", 100, true],
    ['{"total":100}', "data.object.total", "lte", 100, true],
    ['{"total":-0.5}', "order.total", "lt", -0.25, true],
    // a missing field is not true, whichever operator asks
    ["{}", "order.total", "gt", 0, false],
    ["{}", "order.total", "lt", 0, false],
    ["{}", "order.status", "eq", "draft", false],
    ["{}", "order.status", "neq", "draft", false],
    ["{}", "order.status", "nin", ["draft"], false],
    ["{}", "order.status", "notContains", "draft", false],
    ["{}", "order.status", "exists", undefined, false],
    ["{}", "order.status", "exists", false, true],
    ["{}", "ordr.status", "neq", "draft", false],
    ["5", "order.status", "exists", undefined, false],
    // null is a value
    ['{"note":null}', "order.note", "exists", true, true],
    ['{"note":null}', "order.note", "eq", null, true],
    ['{"note":null}', "order.note", "neq", "x", true],
    ['{"note":null}', "order.note", "gt", 0, false],
    ['{"note":null}', "order.note.text", "exists", true, false],
    // types are not mixed
    ['{"total":"100"}', "order.total", "eq", 100, false],
    ['{"total":"100"}', "order.total", "neq", 100, true],
    ['{"total":"100"}', "order.total", "gt", 50, false],
    ['{"total":true}', "order.total", "eq", 1, false],
    ['{"paid":true}', "order.paid", "eq", true, true],
    ['{"total":5}', "order.total", "startsWith", "5", false],
    ['{"total":5}', "order.total", "contains", "5", false],
    ['{"total":5}', "order.total", "notContains", "7", false],
    // texts: case counts, order is by code points
    ['{"status":"Paid"}', "order.status", "eq", "paid", false],
    ['{"name":"Kedai Kopi Ünïcode 🏪"}', "order.name", "contains", "Ünïcode 🏪", true],
    ['{"name":"é"}', "order.name", "eq", "e\u0301", false],
    ['{"name":"\\ud83c\\udfea"}', "order.name", "gt", "\uffee", true],
    ['{"name":"a\\"b\\\\c\\nd"}', "order.name", "eq", 'a"b\\c\nd', true],
    ['{"name":"${x}"}', "order.name", "eq", "${x}", true],
    ['{"sku":"INV-7"}', "order.sku", "startsWith", "INV-", true],
    ['{"sku":"INV-7"}', "order.sku", "endsWith", "-8", false],
    // dates are texts, and ISO 8601 in UTC sorts as time
    ['{"at":"2026-11-01T08:00:00Z"}', "order.at", "gte", "2026-11-01", true],
    // big numbers keep all their digits in the event
    ['{"n":9007199254740993}', "order.n", "gt", 9007199254740991, true],
    ['{"n":9007199254740993}', "order.n", "eq", 9007199254740991, false],
    ['{"n":0.30000000000000000001}', "order.n", "gt", 0.3, true],
    // lists: one element is enough, and none must be for the negative ones
    ['{"tags":["vip","new"]}', "order.tags", "eq", "vip", true],
    ['{"tags":["vip","new"]}', "order.tags", "neq", "vip", false],
    ['{"tags":["vip","new"]}', "order.tags", "in", ["old", "new"], true],
    ['{"tags":["vip","new"]}', "order.tags", "nin", ["old"], true],
    ['{"tags":[]}', "order.tags", "eq", "vip", false],
    ['{"tags":[]}', "order.tags", "neq", "vip", true],
    ['{"tags":[]}', "order.tags", "exists", true, true],
    ['{"tags":["non-vip"]}', "order.tags", "contains", "vip", false],
    ['{"tags":["vip"]}', "order.tags", "contains", "vip", true],
    ['{"tags":["non-vip"]}', "order.tags", "notContains", "vip", true],
    ['{"codes":[7,8]}', "order.codes", "contains", 8, true],
    ['{"items":[{"sku":"A1"},{"sku":"B2"}]}', "order.items.sku", "eq", "B2", true],
    ['{"items":[{"sku":"A1"},{"sku":"B2"}]}', "order.items.sku", "neq", "B2", false],
    ['{"items":[{"sku":"A1"},{}]}', "order.items.sku", "exists", true, true],
    ['{"items":[{"sku":"A1"}]}', "order.items.sku", "contains", "A", true],
    ['{"items":[]}', "order.items.sku", "exists", true, false],
    ['{"items":[]}', "order.items.sku", "neq", "A1", false],
    ['{"items":[[{"q":1}],[[{"q":5}]]]}', "order.items.q", "gt", 4, true],
    ['{"items":[{"q":"x"},{"q":5}]}', "order.items.q", "gt", 4, true],
    // names: other spellings, aliases, reserved words, what JavaScript has on every object
    ['{"customerId":"c1"}', "order.customer_id", "eq", "c1", true],
    ['{"createdAt":"2026"}', "order.created_date", "eq", "2026", true],
    ['{"customer":{"name":"A"}}', "customer.name", "eq", "A", true],
    ['{"return":{"in":1}}', "return.in", "eq", 1, true],
    ['{"unusual name":1}', 'order["unusual name"]', "eq", 1, true],
    ["{}", "order.constructor", "exists", true, false],
    ["{}", "order.__proto__", "exists", true, false],
    ['{"__proto__":{"x":1}}', "order.__proto__.x", "eq", 1, true],
    ['{"toString":"x"}', "order.toString", "eq", "x", true],
    // the event and its context
    ["{}", "event.type", "eq", "sales_order.updated", true],
    ["{}", "event.livemode", "eq", true, true],
    ["{}", "context.companyId", "in", ["company_1"], true],
  ])("%s: %s %s %j is %s", (order, field, operator, value, expected) => {
    const condition = value === undefined ? { field, operator } : { field, operator, value };
    expect(passes({ conditions: [condition] }, ofOrder(order))).toBe(expected);
  });

  test.each<[string, string | undefined, string, ConditionOperator, PlainValue | undefined, boolean]>([
    ['{"status":"paid"}', '{"status":"draft"}', "order.status", "changed", undefined, true],
    ['{"status":"paid"}', '{"status":"draft"}', "object.status", "changedTo", "paid", true],
    ['{"status":"paid"}', '{"status":"draft"}', "data.object.status", "changedFrom", "draft", true],
    ['{"status":"paid"}', '{"status":"draft"}', "order.status", "changedTo", "draft", false],
    ['{"status":"paid"}', '{"status":"draft"}', "order.status", "changed", false, false],
    ['{"status":"paid"}', '{"status":"paid"}', "order.status", "changed", undefined, false],
    ['{"status":"paid"}', '{"total":1}', "order.status", "changed", undefined, false],
    ['{"status":"paid"}', undefined, "order.status", "changed", undefined, false],
    ['{"status":"paid"}', undefined, "order.status", "changed", false, true],
    ['{"status":null}', '{"status":"draft"}', "order.status", "changedTo", null, true],
    ["{}", '{"status":"draft"}', "order.status", "changedFrom", "draft", true],
    ['{"total":100}', '{"total":1e2}', "order.total", "changed", undefined, false],
    ['{"customer":{"tier":"gold"}}', '{"customer":{"tier":"silver"}}', "customer.tier", "changedTo", "gold", true],
    ['{"customer":{"tier":"gold"}}', '{"customer":null}', "order.customer.tier", "changedTo", "gold", true],
    ['{"customer":{"tier":"gold"}}', '{"customer":{"name":"A"}}', "customer.tier", "changed", undefined, false],
    ['{"tags":["a","b"]}', '{"tags":["a"]}', "order.tags", "changedTo", "b", true],
    ['{"customerId":"b"}', '{"customer_id":"a"}', "order.customerId", "changedFrom", "a", true],
  ])("of %s that was %s: %s %s %j is %s", (order, previous, field, operator, value, expected) => {
    const condition = value === undefined ? { field, operator } : { field, operator, value };
    expect(passes({ conditions: [condition] }, ofOrder(order, previous))).toBe(expected);
  });
});

describe("a map", () => {
  test.each<[string, FilterSettings["filters"], boolean]>([
    ['{"status":"paid"}', { "order.status": "paid" }, true],
    ['{"status":"paid"}', { "order.status": ["sent", "paid"] }, true],
    ['{"tags":["a","b"]}', { "order.tags": ["x", "b"] }, true],
    ['{"items":[{"category":"x"},{"category":"y"}]}', { "order.items.category": ["y"] }, true],
    ['{"total":150}', { "order.total": { min: 100, max: 150 } }, true],
    ['{"total":150.5}', { "order.total": { min: 100, max: 150 } }, false],
    ['{"total":"150"}', { "order.total": { min: 100 } }, false],
    // One element inside the range; not one above its beginning and another below its end.
    ['{"items":[{"q":1},{"q":9}]}', { "order.items.q": { min: 3, max: 5 } }, false],
    ['{"status":"paid","total":1}', { "order.status": "paid", "order.total": 2 }, false],
    ['{"note":null}', { "order.note": [null, ""] }, true],
    ["{}", { "order.note": null }, false],
    ["{}", {}, true],
  ])("%s: %j is %s", (order, filters, expected) => {
    expect(passes({ filters }, ofOrder(order))).toBe(expected);
  });
});

test("conditions are joined by AND unless they say OR, groups inside by their own word, and filters come on top", () => {
  const is = (field: string, value: PlainValue): Condition => ({ field, operator: "eq", value });
  const group = (conditionLogic: ConditionLogic, ...conditions: Condition[]): Condition => ({
    conditionLogic,
    conditions,
  });
  const order = ofOrder('{"a":1,"b":2,"c":3}');
  const yes = is("order.a", 1);
  const no = is("order.b", 1);
  const missing = is("order.x", 1);
  expect(passes({ conditions: [yes, no] }, order)).toBe(false);
  expect(passes({ conditions: [missing, no, yes], conditionLogic: "OR" }, order)).toBe(true);
  expect(passes({ conditions: [missing, no], conditionLogic: "OR" }, order)).toBe(false);
  expect(passes({ conditions: [no, group("AND", yes, group("OR", missing, yes))], conditionLogic: "OR" }, order)).toBe(
    true,
  );
  expect(passes({ conditions: [yes, group("AND", yes, group("OR", missing, no))] }, order)).toBe(false);
  expect(passes({ conditions: [yes], filters: ["order.c == 4"] }, order)).toBe(false);
  expect(passes({ conditions: [yes], filters: { "order.c": 3 } }, order)).toBe(true);
});

// --- An evaluator of the test's own: plain TypeScript over plain JSON, which knows nothing of expressions. -----------

const opened = (values: readonly Json[]): Json[] =>
  values.flatMap((value) => (Array.isArray(value) ? opened(value as Json[]) : [value]));
const isMap = (value: Json): value is { readonly [key: string]: Json } =>
  typeof value === "object" && value !== null && !Array.isArray(value);

function found(root: Json, path: readonly string[]): Json[] {
  let values: Json[] = [root];
  for (const step of path) {
    values = opened(values).flatMap((value) =>
      isMap(value) && Object.hasOwn(value, step) ? [value[step] as Json] : [],
    );
  }
  return values;
}

function byCodePoints(left: string, right: string): number {
  const [a, b] = [Array.from(left), Array.from(right)].map((text) => text.map((each) => each.codePointAt(0) as number));
  for (const [index, code] of (a as number[]).entries()) {
    const other = b?.[index];
    if (other === undefined) return 1;
    if (code !== other) return code - other;
  }
  return (a as number[]).length - (b as number[]).length;
}

function compared(value: Json, wanted: Condition["value"]): number | null {
  if (typeof value === "number" && typeof wanted === "number") return value - wanted;
  if (typeof value === "string" && typeof wanted === "string") return byCodePoints(value, wanted);
  return null;
}

/** Whether a value holds the wanted one; null where the question makes no sense. */
function holds(value: Json, wanted: PlainValue): boolean | null {
  if (Array.isArray(value)) return value.includes(wanted);
  return typeof value === "string" && typeof wanted === "string" ? value.includes(wanted) : null;
}

function foretold(condition: Condition, order: Json, previous: Json | undefined): boolean {
  if (condition.conditions !== undefined) {
    const results = condition.conditions.map((each) => foretold(each, order, previous));
    return condition.conditionLogic === "OR" ? results.includes(true) : !results.includes(false);
  }
  const path = (condition.field as string).split(".").slice(1);
  const values = found(order, path);
  const ends = opened(values);
  const wanted = condition.value as PlainValue;
  const any = (holdsFor: (value: Json) => boolean): boolean => ends.some(holdsFor);
  const isThere = values.length > 0;
  switch (condition.operator as ConditionOperator) {
    case "eq":
      return any((value) => value === wanted);
    case "neq":
      return isThere && !any((value) => value === wanted);
    case "gt":
      return any((value) => (compared(value, wanted) ?? 0) > 0);
    case "gte":
      return any((value) => (compared(value, wanted) ?? -1) >= 0);
    case "lt":
      return any((value) => (compared(value, wanted) ?? 0) < 0);
    case "lte":
      return any((value) => (compared(value, wanted) ?? 1) <= 0);
    case "in":
      return any((value) => (condition.value as readonly Json[]).includes(value));
    case "nin":
      return isThere && !any((value) => (condition.value as readonly Json[]).includes(value));
    case "contains":
      return values.some((value) => holds(value, wanted) === true);
    case "notContains":
      return isThere && values.every((value) => holds(value, wanted) === false);
    case "startsWith":
      return any((value) => typeof value === "string" && value.startsWith(wanted as string));
    case "endsWith":
      return any((value) => typeof value === "string" && value.endsWith(wanted as string));
    case "exists":
      return isThere === (condition.value !== false);
    default: {
      const before = former(previous, path);
      const isChanged = before !== null && JSON.stringify(sorted(before)) !== JSON.stringify(sorted(ends));
      if (condition.operator === "changed") return isChanged === (condition.value !== false);
      return isChanged && (condition.operator === "changedTo" ? ends : (before as Json[])).includes(wanted);
    }
  }
}

/** The values before, null where nothing is said of them. */
function former(previous: Json | undefined, path: readonly string[]): Json[] | null {
  let holder = previous as Json;
  if (previous === undefined || !isMap(previous)) return null;
  for (const [index, step] of path.entries()) {
    if (Array.isArray(holder)) {
      const values = found(holder, path.slice(index));
      return values.length === 0 ? null : opened(values);
    }
    if (!isMap(holder)) return [];
    if (!Object.hasOwn(holder, step)) return null;
    holder = holder[step] as Json;
  }
  return opened([holder]);
}

/** Members in one order, so that equal objects are equal texts. */
function sorted(value: Json | Json[]): unknown {
  if (Array.isArray(value)) return value.map((each) => sorted(each as Json));
  if (!isMap(value as Json)) return value;
  return Object.entries(value as object)
    .map(([key, each]) => [key, sorted(each as Json)])
    .sort((a, b) => (String(a[0]) < String(b[0]) ? -1 : 1));
}

const NAMES = ["a", "b", "__proto__", "constructor"];
const texts = fc.constantFrom("", "a", "ab", "b", "paid", "Paid", "é", "\uffee", "🏪", '"\\\n', "2026-11-01");
const plain: fc.Arbitrary<PlainValue> = fc.oneof(
  texts,
  fc.constantFrom(0, 1, -1, 100, 0.1, 1e21, 123456789012345),
  fc.boolean(),
  fc.constant(null),
);
const { value: json } = fc.letrec<{ value: Json; map: Json }>((tie) => ({
  value: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    plain as fc.Arbitrary<Json>,
    tie("map"),
    fc.array(tie("value"), { maxLength: 3 }),
  ),
  map: fc.array(fc.tuple(fc.constantFrom(...NAMES), tie("value")), { maxLength: 3 }).map((entries) =>
    // Not an assignment: `__proto__` is a key like any other.
    Object.fromEntries(entries),
  ),
}));
const objects = fc
  .array(fc.tuple(fc.constantFrom(...NAMES), json), { maxLength: 4 })
  .map((entries) => Object.fromEntries(entries) as Json);
const fields = fc
  .array(fc.constantFrom(...NAMES), { minLength: 1, maxLength: 3 })
  .map((steps) => ["order", ...steps].join("."));

function valueFor(operator: ConditionOperator): fc.Arbitrary<Condition["value"]> {
  if (operator === "in" || operator === "nin") return fc.array(plain, { minLength: 1, maxLength: 3 });
  if (operator === "exists" || operator === "changed") return fc.constantFrom(undefined, true, false);
  if (operator === "startsWith" || operator === "endsWith") return texts;
  if (/^[gl]te?$/.test(operator))
    return plain.filter((value) => typeof value === "number" || typeof value === "string");
  return plain;
}
const comparisons: fc.Arbitrary<Condition> = fc
  .constantFrom(...CONDITION_OPERATORS)
  .chain((operator) => fc.record({ field: fields, operator: fc.constant(operator), value: valueFor(operator) }));
const logics = fc.constantFrom<ConditionLogic>("AND", "OR");
const groups: fc.Arbitrary<Condition> = fc.record({
  conditions: fc.array(comparisons, { minLength: 1, maxLength: 3 }),
  conditionLogic: logics,
});

test("over random events and conditions they decide as the test's own evaluator does", () => {
  let passed = 0;
  fc.assert(
    fc.property(
      objects,
      fc.option(objects, { nil: undefined }),
      fc.array(fc.oneof(comparisons, groups), { minLength: 1, maxLength: 4 }),
      logics,
      (order, previous, conditions, conditionLogic) => {
        const event = ofOrder(JSON.stringify(order), previous === undefined ? undefined : JSON.stringify(previous));
        const wanted = foretold({ conditions, conditionLogic }, order, previous);
        if (wanted) passed += 1;
        expect(passes({ conditions, conditionLogic }, event)).toBe(wanted);
        // The same as a list of expressions.
        const filters = filterSourcesOf({ conditions, conditionLogic }).map(({ source }) => source);
        expect(passes({ filters }, event)).toBe(wanted);
      },
    ),
    { numRuns: 800 },
  );
  expect(passed).toBeGreaterThan(50);
});

test("over random events a map decides as the conditions that say the same", () => {
  fc.assert(
    fc.property(objects, fields, fc.array(plain, { minLength: 1, maxLength: 3 }), (order, field, accepted) => {
      const event = ofOrder(JSON.stringify(order));
      const [value] = accepted as [PlainValue];
      const one = passes({ conditions: [{ field, operator: "eq", value }] }, event);
      expect(passes({ filters: { [field]: value } }, event)).toBe(one);
      const some = passes({ conditions: [{ field, operator: "in", value: accepted }] }, event);
      expect(passes({ filters: { [field]: accepted } }, event)).toBe(some);
      if (typeof value !== "number") return;
      const range = passes({ filters: [`each(${field}).exists(v, v >= ${value} && v <= ${value})`] }, event);
      expect(passes({ filters: { [field]: { min: value, max: value } } }, event)).toBe(range);
    }),
    { numRuns: 200 },
  );
});

test("without lists a condition is the expression that everybody would write", () => {
  const WRITTEN: readonly [ConditionOperator, (path: string, value: string) => string][] = [
    ["eq", (path, value) => `${path} == ${value}`],
    ["neq", (path, value) => `${path} != ${value}`],
    ["gt", (path, value) => `${path} > ${value}`],
    ["lte", (path, value) => `${path} <= ${value}`],
    ["contains", (path, value) => `${path}.contains(${value})`],
    ["notContains", (path, value) => `!${path}.contains(${value})`],
  ];
  fc.assert(
    fc.property(
      fc.dictionary(fc.constantFrom("a", "b"), plain),
      fc.constantFrom(...WRITTEN),
      fc.oneof(texts, fc.integer({ min: -9, max: 9 })),
      (order, [operator, write], value) => {
        const event = ofOrder(JSON.stringify(order));
        const filters = [write("order.a", JSON.stringify(value))];
        expect(passes({ conditions: [{ field: "order.a", operator, value }] }, event)).toBe(passes({ filters }, event));
      },
    ),
    { numRuns: 200 },
  );
});

describe("what cannot be meant is refused, with what can", () => {
  const problemsOf = (settings: FilterSettings): string[] => {
    const translation = translateFilters(settings);
    return translation.ok ? [] : translation.problems.map(({ field, message }) => `${field}: ${message}`);
  };
  test.each<[FilterSettings, string]>([
    [{ conditions: [{ operator: "eq", value: 1 }] }, "conditions[0].field: This is required"],
    [{ conditions: [{ field: "order.a", value: 1 }] }, "conditions[0].operator: This is required: eq, neq"],
    [{ conditions: [{ field: "order.a", operator: "eq" }] }, "conditions[0].value: `eq` takes a text, a number"],
    [{ conditions: [{ field: "order.a", operator: "eq", value: ["x"] }] }, "conditions[0].value: `eq` takes"],
    [{ conditions: [{ field: "order.a", operator: "in", value: "x" }] }, "conditions[0].value: `in` takes a list"],
    [{ conditions: [{ field: "order.a", operator: "gt", value: true }] }, "conditions[0].value: `gt` takes a number"],
    [{ conditions: [{ field: "order.a", operator: "exists", value: 1 }] }, "conditions[0].value: `exists` takes true"],
    [
      { conditions: [{ field: "order.a ==", operator: "eq", value: 1 }] },
      "conditions[0].field: “order.a ==” is no path",
    ],
    [
      { conditions: [{ field: "order.a.size()", operator: "eq", value: 1 }] },
      "conditions[0].field: “order.a.size()” is",
    ],
    [
      { conditions: [{ field: "order.a", operator: "eq", value: 12345678901234567890 }] },
      "conditions[0].value: A number",
    ],
    [{ conditions: [{ conditions: [] }] }, "conditions[0].conditions: A group needs"],
    [
      { conditions: [{ field: "order.a", conditions: [{ field: "a", operator: "exists" }] }] },
      "conditions[0].field: A group",
    ],
    [{ filters: { "order.total": {} } }, "filters.order.total: A range needs min, max or both."],
    [{ filters: { "order total": 1 } }, "filters.order total: “order total” is no path"],
  ])("%j", (settings, message) => {
    expect(problemsOf(settings)[0]).toContain(message);
  });

  test("an operator that there is none of, and groups too deep or too many", () => {
    const refusal = (conditions: unknown): string =>
      conditionsField
        .safeParse(conditions)
        .error?.issues.map(({ message }) => message)
        .join(" ") ?? "";
    const leaf = { field: "order.a", operator: "exists" };
    expect(refusal([{ field: "order.a", operator: "contain", value: 1 }])).toContain("Did you mean contains?");
    expect(refusal([{ ...leaf, operator: "constructor" }])).toContain("The operators are eq, neq");
    const deep = (depth: number): unknown => (depth === 0 ? leaf : { conditions: [deep(depth - 1)] });
    expect(refusal([deep(MAX_CONDITION_DEPTH - 1)])).toBe("");
    expect(refusal([deep(MAX_CONDITION_DEPTH)])).toContain("deep inside one another");
    expect(refusal(Array.from({ length: 101 }, () => leaf))).not.toBe("");
    const many = Array.from({ length: 20 }, () => ({ conditions: Array.from({ length: 6 }, () => leaf as Condition) }));
    expect(problemsOf({ conditions: many })[0]).toContain("At most 100 conditions");
  });

  test("a path in a map that a schema would drop in silence", () => {
    expect(filtersField.safeParse(JSON.parse('{"__proto__":["x"]}')).success).toBe(false);
  });
});

test("an explanation shows what a path through lists found", () => {
  const scope = salesOrderScope(
    parsePayload(Buffer.from(ofOrder('{"items":[{"q":1},{"q":2}],"total":5}')), { exactNumbers: true }),
  );
  const [first, second] = filterSourcesOf({ filters: { "order.items.q": 3, "order.total": 5 } });
  expect(explainFilter(first?.source ?? "", scope).clauses[0]?.reads).toEqual([
    { path: "order.items.q", json: "[1,2]" },
  ]);
  expect(explainFilter(second?.source ?? "", scope)).toMatchObject({
    result: true,
    clauses: [{ reads: [{ json: "5" }] }],
  });
});
