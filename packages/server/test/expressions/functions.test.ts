import { describe, expect, it } from "vitest";
import { errorOf, evaluate, fromJson, shown } from "./support.ts";

const roots = fromJson('{"t":"INV-001é😀","l":[1,2,3],"o":{"a":1,"b":2},"n":2.5,"id":12345678901234567891,"x":null}');

describe("functions", () => {
  it.each([
    ["size(t)", "9"],
    ["t.size()", "9"],
    ["size(l)", "3"],
    ["o.size()", "2"],
    ['size("")', "0"],
    ["size(n)", "absent"],
    ["size(id)", "absent"],
    ["size(x)", "absent"],
    ['t.contains("V-0")', "true"],
    ['t.contains("")', "true"],
    ['t.contains("v")', "false"],
    ["t.contains(1)", "absent"],
    ["l.contains(1)", "true"],
    ['t.startsWith("INV")', "true"],
    ['t.startsWith("")', "true"],
    ['t.startsWith("NV")', "false"],
    ['t.endsWith("😀")', "true"],
    ["t.endsWith(null)", "absent"],
    ['"ABC déÉ".lowerAscii()', '"abc déÉ"'],
    ['"abc déÉ".upperAscii()', '"ABC DéÉ"'],
    ["n.lowerAscii()", "absent"],
    ["string(n)", '"2.5"'],
    ["string(100)", '"100"'],
    ["string(id)", '"12345678901234567891"'],
    ["string(true)", '"true"'],
    ["string(t)", '"INV-001é😀"'],
    ["string(x)", "absent"],
    ["string(l)", "absent"],
    ["int(n)", "2"],
    ["int(-2.9)", "-2"],
    ["int(id) == id", "true"],
    ["int(1234567890123456789.5)", "1234567890123456800"],
    ['int("42")', "42"],
    ['int("-042")', "-42"],
    ['int("4.2")', "absent"],
    ['int(" 4")', "absent"],
    ['int("")', "absent"],
    ["int(true)", "absent"],
    ["double(n)", "2.5"],
    ['double("1.5e3")', "1500"],
    ['double("-.5")', "-0.5"],
    ['double("abc")', "absent"],
    ['double("1e999")', "absent"],
    ['double("NaN")', "absent"],
    ['double("0x10")', "absent"],
    ['bool("true")', "true"],
    ['bool("0")', "false"],
    ['bool("yes")', "absent"],
    ["bool(false)", "false"],
    ["bool(1)", "absent"],
    ["2 in l", "true"],
    ["2.0 in l", "true"],
    ['"2" in l', "false"],
    ["[1] in [[1], [2]]", "true"],
    ['"a" in o', "true"],
    ['"c" in o', "false"],
    ["l == [1, 2.0, 3]", "true"],
    ["l == [1, 3, 2]", "false"],
    ["l != [1, 2]", "true"],
    ['o == {"b": 2, "a": 1}', "true"],
    ['o == {"a": 1, "c": 2}', "false"],
    ['{"a": {"b": [id]}} == {"a": {"b": [12345678901234567891]}}', "true"],
    ["l + [4]", "[1,2,3,4]"],
    ['t + "!"', '"INV-001é😀!"'],
    ['{"a" + "b": 1}.ab', "1"],
    ['{"a" + "b": 1, "ab": 2}', "absent"],
    ["{t: 1}", '{"INV-001é😀":1}'],
    ["{x: 1}", "absent"],
  ])("%s → %s", (source, result) => {
    expect(shown(evaluate(source, roots))).toBe(result);
  });

  it.each([
    ["sise(t)", "UNKNOWN_FUNCTION", 0, "“size”"],
    ["t.startWith('x')", "UNKNOWN_FUNCTION", 2, "“startsWith”"],
    ["t.StartsWith('x')", "UNKNOWN_FUNCTION", 2, "“startsWith”"],
    ["t.toLowerCase()", "UNKNOWN_FUNCTION", 2, "The functions are has"],
    ["constructor()", "UNKNOWN_FUNCTION", 0, "The functions are"],
    ["t.__proto__()", "UNKNOWN_FUNCTION", 2, "The functions are"],
  ])("%s is refused when saved", (source, code, position, hint) => {
    const error = errorOf(source);
    expect([error.code, error.position]).toEqual([code, position]);
    expect(error.hint).toContain(hint);
  });

  it.each([
    ["size()", 0],
    ["size(a, b)", 0],
    ["a.size(b)", 2],
    ["contains(a, 'x')", 0],
    ["a.contains()", 2],
    ["a.string()", 2],
    ["a.matches()", 2],
    ["matches(a)", 0],
    ["has()", 0],
    ["has(a.b, c)", 0],
    ["a.has(b)", 2],
    ["has(1)", 4],
    ["has(a == b)", 4],
    ["exists(a, true)", 0],
    ["a.exists(x)", 2],
    ["a.exists(x, true, false)", 2],
    ["a.exists(x.y, true)", 2],
    ["a.exists(1, true)", 2],
    ["a.map(x, true, 1, 2)", 2],
  ])("%s is called wrongly", (source, position) => {
    const error = errorOf(source);
    expect([error.code, error.position]).toEqual(["WRONG_CALL", position]);
    expect(error.message).toMatch(/: .+\.$/);
  });
});
