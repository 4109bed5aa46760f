// What an expression reads, and the promise behind the warnings: what is said never to hold never holds.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { compileExpression } from "../../src/expressions/compile.ts";
import type { ReadPath } from "../../src/expressions/reads.ts";
import { readsOf } from "../../src/expressions/reads.ts";
import { ABSENT, type Value } from "../../src/expressions/values.ts";
import { programOf, scopeOf } from "./support.ts";

const pathsOf = (source: string): string[] => (readsOf(source)?.paths ?? []).map((path) => path.join("."));

describe("what an expression reads", () => {
  test.each([
    ["order.total > 100", ["order.total"]],
    ["order.a.b.c == order.a.b.c && order.a == 1", ["order.a.b.c", "order.a"]],
    ['order["total"] + data.object["x y"] > 1', ["order.total", "data.object.x y"]],
    ["order.items[0].sku == event.id", ["order.items", "event.id"]],
    ["order.items[order.index].sku == 1", ["order.items", "order.index"]],
    ["order.items.exists(item, item.sku == order.sku && other.x)", ["order.items", "order.sku", "other.x"]],
    ["order.items.map(item, item.lines.map(line, line.sku + item.sku + line2.sku))", ["order.items", "line2.sku"]],
    ["order.items.exists(order, order.sku == 1) && order.x", ["order.items", "order.x"]],
    ["has(order.note) && has(order)", ["order"]],
    ["size(order.items) > 0 && order.name.startsWith(prefix)", ["order.items", "order.name", "prefix"]],
    ['a ? b : {"k": c.d, "l": [e]}', ["a", "b", "c.d", "e"]],
    ["true && 1 < 2", []],
  ])("%s", (source, paths) => {
    expect(pathsOf(source)).toEqual(paths);
  });

  test("of what is no expression nothing", () => {
    expect(readsOf("order. >")).toBeNull();
  });
});

// Expressions as texts over four roots of which two are never there.
const name = fc.constantFrom("a", "b", "gone", "lost");
const place = fc.tuple(name, fc.constantFrom("", ".x", ".y", '["x"]', "[0]")).map((parts) => parts.join(""));
const { expression } = fc.letrec<{ expression: string }>((tie) => {
  const inner = tie("expression");
  return {
    expression: fc.oneof(
      { maxDepth: 4 },
      place,
      fc.constantFrom("true", "false", "1", '"t"', "null", "[]"),
      fc
        .tuple(inner, fc.constantFrom("&&", "||", "==", "!=", "<", "+", "in"), inner)
        .map(([l, o, r]) => `(${l}) ${o} (${r})`),
      inner.map((each) => `!(${each})`),
      inner.map((each) => `-(${each})`),
      place.map((each) => `has(${each})`),
      fc.tuple(inner, inner, inner).map(([c, y, n]) => `(${c}) ? (${y}) : (${n})`),
      fc
        .tuple(
          place,
          fc.constantFrom("all", "exists", "exists_one", "filter", "map"),
          fc.constantFrom("a", "gone", "v"),
          inner,
        )
        .map(([list, macro, variable, body]) => `${list}.${macro}(${variable}, ${body})`),
      fc.tuple(inner, inner).map(([l, r]) => `[${l}, ${r}]`),
      inner.map((each) => `{"k": ${each}}`),
      inner.map((each) => `size(${each}) > 0`),
      inner.map((each) => `bool(${each})`),
      fc.tuple(inner, inner).map(([l, r]) => `string(${l}).contains(${r})`),
    ),
  };
});
const value: fc.Arbitrary<Value> = fc.oneof(
  fc.boolean(),
  fc.constantFrom(0, 1, "t", "true", null),
  fc.record({ x: fc.boolean(), y: fc.constantFrom(1, "t", true) }),
  fc.array(fc.constantFrom<Value>(true, 1, { x: true }), { maxLength: 3 }),
) as fc.Arbitrary<Value>;

const isAbsent = ([root]: ReadPath): boolean => root === "gone" || root === "lost";

test("what cannot hold without some roots never holds without them, whatever else an event has", () => {
  let saidNever = 0;
  fc.assert(
    fc.property(
      expression,
      fc.array(fc.record({ a: value, b: value }), { minLength: 3, maxLength: 6 }),
      (source, events) => {
        const reads = readsOf(source);
        if (reads === null || !compileExpression(source).ok) return;
        if (reads.canHold(isAbsent)) return;
        saidNever += 1;
        for (const roots of events) {
          expect(programOf(source).evaluate(scopeOf(roots)), source).not.toBe(true);
        }
      },
    ),
    { numRuns: 3_000 },
  );
  expect(saidNever).toBeGreaterThan(200);
});

test("an expression that holds for some event is never said not to hold when nothing is missing", () => {
  fc.assert(
    fc.property(expression, fc.record({ a: value, b: value, gone: value, lost: value }), (source, roots) => {
      const reads = readsOf(source);
      if (reads === null || !compileExpression(source).ok || programOf(source).evaluate(scopeOf(roots)) !== true)
        return;
      expect(
        reads.canHold(() => false),
        source,
      ).toBe(true);
      const absent = new Set(reads.paths.filter((each) => at(each, roots) === ABSENT));
      expect(
        reads.canHold((each) => [...absent].some((other) => other.join() === each.join())),
        source,
      ).toBe(true);
    }),
    { numRuns: 3_000 },
  );
});

function at(path: ReadPath, roots: Record<string, Value>): Value {
  return path.reduce<Value>(
    (holder, member) =>
      typeof holder === "object" && holder !== null && Object.hasOwn(holder, member)
        ? ((holder as Record<string, Value>)[member] as Value)
        : ABSENT,
    roots,
  );
}
