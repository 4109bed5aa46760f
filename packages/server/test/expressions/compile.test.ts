import { describe, expect, it } from "vitest";
import { compileExpression } from "../../src/expressions/compile.ts";
import { ABSENT } from "../../src/expressions/values.ts";
import { evaluate, programOf, salesOrderScope, scopeOf } from "./support.ts";

describe("compileExpression", () => {
  it("answers with a program that knows its source and its roots", () => {
    const program = programOf(
      'order.total > 100 && (customer["id"] == x || has(previous.status)) && size([event.id]) in a.b',
    );
    expect(program.source).toContain("order.total > 100");
    expect([...program.roots].sort()).toEqual(["a", "customer", "event", "order", "previous", "x"]);
    expect([...programOf("1 + 1 == 2").roots]).toEqual([]);
  });

  it("answers with an error, and never throws for a text", () => {
    expect(compileExpression("order.total >")).toMatchObject({
      ok: false,
      error: { code: "UNEXPECTED_TOKEN", position: 13 },
    });
  });

  it("an unknown root is no error", () => {
    expect(programOf("whatever.it.is == 1").evaluate(scopeOf({}))).toBe(ABSENT);
  });
});

describe("Program", () => {
  it.each(["1", '"true"', "null", "[true]", "missing", "{}", "1 == 2"])(
    "a filter passes on true alone, not on %s",
    (source) => {
      expect(programOf(source).test(scopeOf({}))).toBe(false);
    },
  );

  it("evaluates the printed filters of the applet page on the printed shapes", () => {
    const scope = salesOrderScope({ object: { total: 150, status: "confirmed", customerId: "c" } });
    expect(programOf("order.total > 100").test(scope)).toBe(true);
    expect(programOf('order.status != "draft"').test(scope)).toBe(true);
    expect(programOf("order.customer_id").evaluate(scope)).toBe("c");
  });

  it("keeps nothing from one evaluation to the next", () => {
    const program = programOf("l.map(x, l.filter(y, y > x))");
    expect(program.evaluate(scopeOf({ l: [1, 2] }))).toEqual([[2], []]);
    expect(program.evaluate(scopeOf({ l: [3] }))).toEqual([[]]);
    expect(program.evaluate(scopeOf({}))).toBe(ABSENT);
  });

  it("can be evaluated while it is being evaluated", () => {
    const program = programOf("l.map(x, x + inner)");
    const inner = scopeOf({ l: [10], inner: 1 });
    const outer = {
      fieldAliases: {},
      lookup: (name: string) => (name === "l" ? [1, 2] : ((program.evaluate(inner) as number[])[0] ?? 0)),
    };
    expect(program.evaluate(outer)).toEqual([12, 13]);
  });

  it("choices evaluate only the branch that is taken", () => {
    const asked: string[] = [];
    const scope = {
      fieldAliases: {},
      lookup: (name: string) => {
        asked.push(name);
        return name === "a";
      },
    };
    expect(programOf("a ? b : c").test(scope)).toBe(false);
    expect(programOf("x && y").test(scope)).toBe(false);
    expect(programOf("a || z").test(scope)).toBe(true);
    expect(asked).toEqual(["a", "b", "x", "a"]);
  });

  it("returns parts of the payload themselves, without a copy and without counting them", () => {
    const items = Array.from({ length: 1_100_000 }, () => 1);
    expect(evaluate("order.items", { order: { items } })).toBe(items);
  });
});
