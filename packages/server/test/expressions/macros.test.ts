import { describe, expect, it } from "vitest";
import { errorOf, evaluate, fromJson, programOf, shown } from "./support.ts";

const roots = fromJson(
  '{"l":[1,2,3],"e":[],"o":{"a":1,"b":2},"i":[{"sku":"A","q":2,"tags":["x"]},{"sku":"B","q":0,"tags":[]},{"sku":"C"}],"n":5}',
);

describe("macros", () => {
  it.each([
    ["l.all(x, x > 0)", "true"],
    ["l.all(x, x > 1)", "false"],
    ["e.all(x, false)", "true"],
    ["l.exists(x, x == 2)", "true"],
    ["l.exists(x, x == 9)", "false"],
    ["e.exists(x, true)", "false"],
    ["l.exists_one(x, x > 2)", "true"],
    ["l.exists_one(x, x > 1)", "false"],
    ["l.filter(x, x != 2)", "[1,3]"],
    ["l.map(x, x * 2)", "[2,4,6]"],
    ["l.map(x, x > 1, x * 2)", "[4,6]"],
    ['o.all(k, k in ["a", "b"])', "true"],
    ["o.map(k, o[k] + 1)", "[2,3]"],
    ["o.filter(k, o[k] > 1)", '["b"]'],
    ["n.all(x, true)", "absent"],
    ['"text".exists(x, true)', "absent"],
    ["missing.map(x, x)", "absent"],
  ])("%s → %s", (source, result) => {
    expect(shown(evaluate(source, roots))).toBe(result);
  });

  it.each([
    ["i.all(x, x.q >= 0)", "absent"],
    ["i.all(x, x.q > 0)", "false"],
    ["i.exists(x, x.q > 1)", "true"],
    ["i.exists(x, x.q > 5)", "absent"],
    ["i.exists_one(x, x.q > 1)", "true"],
    ["i.filter(x, x.q >= 0).map(x, x.sku)", '["A","B"]'],
    ["i.map(x, x.q)", "absent"],
    ["i.map(x, has(x.q), x.q)", "[2,0]"],
    ["i.all(x, x.sku)", "absent"],
    ["i.filter(x, x.sku)", "[]"],
  ])("absent inside: %s → %s", (source, result) => {
    expect(shown(evaluate(source, roots))).toBe(result);
  });

  it.each([
    ["l.all(x, l.exists(y, y >= x))", "true"],
    ["l.map(x, l.filter(y, y > x))", "[[2,3],[3],[]]"],
    ["l.map(x, e.map(x, x)).size() + l.filter(x, x > 1).size()", "5"],
    ["l.map(x, l.map(x, x * 10))", "[[10,20,30],[10,20,30],[10,20,30]]"],
    ["l.map(x, l.map(y, y).size() + x)", "[4,5,6]"],
    ["l.map(n, n + 1)", "[2,3,4]"],
    ["l.all(x, x > 0) && n == 5", "true"],
    ['i.exists(x, x.tags.exists(t, t == "x"))', "true"],
    ["l.map(x, x).map(x, x).map(x, x).map(x, x + 1)", "[2,3,4]"],
    ["[1, 2].map(x, x + n)", "[6,7]"],
    ["l.all(object, object > 0)", "true"],
  ])("nesting and hiding: %s → %s", (source, result) => {
    expect(shown(evaluate(source, roots))).toBe(result);
  });

  it("a macro variable is no root, and ends with its macro", () => {
    expect([...programOf("l.all(x, x > n && y.z) && order.x == x").roots].sort()).toEqual([
      "l",
      "n",
      "order",
      "x",
      "y",
    ]);
    expect([...programOf("l.all(x, x.exists(y, y == x))").roots]).toEqual(["l"]);
  });

  it("two levels are allowed, the third is refused where it begins", () => {
    expect(errorOf("a.all(x, x.all(y, y.all(z, z)))")).toMatchObject({ code: "MACROS_TOO_DEEP", position: 20 });
    programOf("a.all(x, x.all(y, y)).all(z, z) && b.all(x, x.all(y, y))");
  });
});
