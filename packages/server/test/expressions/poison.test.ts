// Hostile expressions and payloads: nothing throws, nothing hangs, nothing reaches a prototype.
import { afterAll, describe, expect, it } from "vitest";
import { compileExpression } from "../../src/expressions/compile.ts";
import { ExpressionFault } from "../../src/expressions/errors.ts";
import { numberFromText } from "../../src/expressions/numbers.ts";
import { parsePayload } from "../../src/expressions/payload.ts";
import type { Scope } from "../../src/expressions/scope.ts";
import type { Value, ValueObject } from "../../src/expressions/values.ts";
import { POISON } from "./poison-corpus.ts";
import { bestMs, programOf, salesOrderScope, scopeOf, shown } from "./support.ts";

/** Some tens of milliseconds on an idle core; the rest is for slower machines. */
const ENOUGH_MS = 200;
const prototypeKeys = JSON.stringify(Reflect.ownKeys(Object.prototype).map(String));

afterAll(() => {
  expect(({} as Record<string, unknown>)["polluted"]).toBeUndefined();
  expect(JSON.stringify(Reflect.ownKeys(Object.prototype).map(String))).toBe(prototypeKeys);
});

const small = scopeOf({ order: { total: 1, status: "x" }, a: [0, 1], t: "aaaaaaaaaaaaaaaaaaaaaaaaaaaa!" });

describe("expressions from the poison corpus", () => {
  it.each(POISON)("%s", (source) => {
    const elapsed = bestMs(() => {
      const compiled = compileExpression(source);
      if (compiled.ok) compiled.program.test(small);
      else expect(compiled.error.message.length).toBeLessThan(300);
    });
    expect(elapsed).toBeLessThan(ENOUGH_MS);
  });
});

describe("payloads that make an innocent expression expensive", () => {
  const million = Array.from({ length: 1_000_000 }, (_, index) => index);
  const text = "a".repeat(10 << 20);
  const roots: ValueObject = {
    million,
    wide: Object.fromEntries(million.slice(0, 100_000).map((index) => [`key_${index}`, index])),
    three: million.slice(0, 300),
    texts: million.slice(0, 20_000).map(() => "a".repeat(500)),
    text,
    copy: `${text} `.slice(0, -1),
    needle: `${"a".repeat(100_000)}b${"a".repeat(100_000)}`,
    emoji: "😀".repeat(1 << 20),
    ab: `${"abbabaab".repeat(5_000)}c`,
    short: text.slice(0, 3 << 20),
    hostile: `${"a".repeat(2_000)}b${"a".repeat(2_000)}`,
    digits: "7".repeat(1 << 20),
    long: numberFromText(`${"7".repeat(300)}.${"1".repeat(100_000)}`),
    longCopy: numberFromText(`${"7".repeat(300)}.${"1".repeat(100_000)}0`),
    longer: numberFromText(`${"7".repeat(300)}.${"1".repeat(100_000)}2`),
    lists: million.slice(0, 1000).map(() => million.slice(0, 1000)),
    pattern: "(x{100})y{100}",
    deep: parsePayload("[".repeat(90_000) + "]".repeat(90_000), { exactNumbers: false }),
    deepCopy: parsePayload("[".repeat(90_000) + "]".repeat(90_000), { exactNumbers: false }),
  };
  const scope = scopeOf(roots);
  const BUDGET = "fault BUDGET_EXCEEDED";

  it.each([
    ["million.all(x, x >= 0)", BUDGET],
    ["million.exists(x, x == -1)", BUDGET],
    ["million.filter(x, true).size()", BUDGET],
    ["million.map(x, [x, x])", BUDGET],
    ["million == million + []", BUDGET],
    ["-1 in million", "false"],
    ["three.all(x, three.all(y, x + y >= 0))", "true"],
    ["million.all(x, million.all(y, true))", BUDGET],
    ["wide.all(k, wide[k] >= 0)", BUDGET],
    ["wide == wide", "true"],
    ["wide.filter(k, k in wide).size()", "100000"],
    ["texts.map(t, t + t).map(t, t + t).map(t, t + t)", BUDGET],
    ["texts.all(t, t.contains('b') == false)", "true"],
    ["text == copy", "true"],
    ["text < copy", BUDGET],
    ["text.contains('b')", "false"],
    ["ab.contains(needle)", "false"],
    ["text.contains(needle)", BUDGET],
    ["short.contains(hostile)", "false"],
    [Array.from({ length: 150 }, () => "text.contains('b')").join(" || "), BUDGET],
    [Array.from({ length: 150 }, () => "text != copy").join(" || "), BUDGET],
    ["text.size()", BUDGET],
    ["size(emoji)", String(1 << 20)],
    ["text + text", "fault TEXT_TOO_LONG"],
    ["text.upperAscii().lowerAscii() == text", BUDGET],
    ["text.matches('b')", BUDGET],
    ["ab.matches('[ab]*a[ab]{200}d')", BUDGET],
    ["ab.matches('c$')", "true"],
    ["texts.exists(t, t.matches('(a|aa)+$b'))", BUDGET],
    ["texts.exists(t, t.matches(pattern))", BUDGET],
    ["million.exists(x, t.matches(string(x)))", BUDGET],
    ["int(digits) > double(digits)", BUDGET],
    ["digits.matches('^[0-9]+$')", BUDGET],
    ["wide[text]", "absent"],
    ["text in wide", "false"],
    ["deep == deepCopy", "fault NESTING_TOO_DEEP"],
    ["deep in [deepCopy]", "fault NESTING_TOO_DEEP"],
    ["lists == lists", BUDGET],
    ["lists.map(l, l.size()).size()", "1000"],
    ["lists.map(l, l + l).size()", BUDGET],
    ["million.map(x, text)", BUDGET],
    ["million.all(x, long == longer - 0 || long == longCopy)", BUDGET],
    ["million.all(x, long <= longCopy)", BUDGET],
    ["million.all(x, -long < 0)", BUDGET],
    ["million.all(x, int(long) > 0)", BUDGET],
    ["long < longer", "true"],
    ["[million]", BUDGET],
    ['million.exists(x, string(x) + "_id" in wide)', BUDGET],
    ["million.all(x, [x] == [x])", BUDGET],
    ['["foo", "bar"].map(x, [x + x, x + x]).map(x, [x + x, x + x]).map(x, [x + x, x + x]).size()', "2"],
  ])("%s → %s", (source, expected) => {
    const program = programOf(source);
    const elapsed = bestMs(() => expect(shown(program.evaluate(scope)).slice(0, 40)).toBe(expected));
    expect(elapsed).toBeLessThan(ENOUGH_MS);
  });

  it("a text that doubles in every step ends at its limit", () => {
    expect(shown(programOf(`["xx"]${".map(x, x + x)".repeat(60)}`).evaluate(scope))).toBe("fault TEXT_TOO_LONG");
    expect(shown(programOf(`["foo", "bar"]${".map(x, [x + x, x + x])".repeat(20)}`).evaluate(scope))).toBe(BUDGET);
    expect(shown(programOf(`["foo"]${".map(x, [x, x])".repeat(30)}`).evaluate(scope))).toBe(BUDGET);
    expect(shown(programOf(`${'{"a": '.repeat(49)}1${"}".repeat(49)}.a`).evaluate(scope)).length).toBeGreaterThan(200);
    expect(shown(programOf(`[["a"]]${".map(x, x + x)".repeat(40)}`).evaluate(scope))).toBe(BUDGET);
  });

  it("a stopped evaluation does not pass, and the next one is unharmed", () => {
    const program = programOf("million.all(x, x >= 0)");
    expect(program.test(scope)).toBe(false);
    expect(program.evaluate(scope)).toBeInstanceOf(ExpressionFault);
    expect(program.test(scopeOf({ million: [1, 2] }))).toBe(true);
  });

  it("a fault cannot be absorbed by || or &&", () => {
    expect(shown(programOf("million.all(x, x >= 0) || true").evaluate(scope))).toBe(BUDGET);
    expect(shown(programOf("false && million.all(x, x >= 0)").evaluate(scope))).toBe("false");
  });
});

describe("payloads that name prototypes", () => {
  it.each([
    '{"__proto__":{"polluted":1}}',
    '{"constructor":{"prototype":{"polluted":1}}}',
    '{"a":{"b":{"__proto__":{"polluted":1}}}}',
    String.raw`{"\u005f_proto__":{"polluted":1}}`,
    String.raw`{"_\u005fp\u0072oto__":{"polluted":1}}`,
    String.raw`{"\u0063\u006fnstructor":{"prototype":{"polluted":1}}}`,
    '{"__proto__" \n\r\t :{"polluted":1}}',
    '{"constructor":null}',
    '{"hasOwnProperty":1,"toString":2,"valueOf":3,"__proto__":4,"__defineGetter__":5}',
  ])("%s", (text) => {
    for (const exactNumbers of [true, false]) {
      const data: Value = parsePayload(`{"object":${text},"n":12345678901234567891}`, { exactNumbers });
      const scope: Scope = salesOrderScope(data);
      for (const source of [
        "polluted",
        "object.polluted",
        "order.a.polluted",
        "event.polluted",
        "{}.polluted",
        "customer.polluted",
      ]) {
        expect(shown(programOf(source).evaluate(scope))).toBe("absent");
      }
      expect(
        programOf("object == object && size(object) == object.map(k, k).size() && object.all(k, has(object[k]))").test(
          scope,
        ),
      ).toBe(true);
    }
  });
});
