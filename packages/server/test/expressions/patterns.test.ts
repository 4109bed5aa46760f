import { describe, expect, it } from "vitest";
import { bestMs, errorOf, evaluate, programOf, scopeOf, shown } from "./support.ts";

const roots = { t: "INV-2026-001", email: "lim@example.com.my", p: "^INV-[0-9]+", bad: "(", n: 5 };

describe("matches", () => {
  it.each([
    ['t.matches("^INV-[0-9]{4}-[0-9]+$")', "true"],
    [String.raw`t.matches(r"^INV-\d{4}-\d+$")`, "true"],
    ['t.matches("2026")', "true"],
    ['t.matches("^2026")', "false"],
    ['matches(t, "inv")', "false"],
    ['matches(t, "(?i)inv")', "true"],
    ['"客户-😀".matches("^\\\\pL{2}-.$")', "true"],
    ['"a\\nb".matches("a.b")', "false"],
    ['"a\\nb".matches("(?s)a.b")', "true"],
    ['"".matches("^$")', "true"],
    ['n.matches("5")', "absent"],
    ['missing.matches("5")', "absent"],
    ["t.matches(p)", "true"],
    ["t.matches(p + '-x')", "false"],
    ["t.matches(bad)", "absent"],
    ["t.matches(n)", "absent"],
    ["t.matches(missing)", "absent"],
    ['email.matches("@example[.]com")', "true"],
  ])("%s → %s", (source, result) => {
    expect(shown(evaluate(source, roots))).toBe(result);
  });

  it.each([
    ['t.matches("(")', 10],
    ['t.matches("(?=x)")', 10],
    ['t.matches(r"(a)\\1")', 10],
    ['a == 1 && t.matches("[")', 20],
  ])("%s is refused when saved", (source, position) => {
    expect(errorOf(source)).toMatchObject({ code: "INVALID_PATTERN", position });
  });

  it.each([
    [`t.matches("${"a".repeat(257)}")`],
    [`t.matches("${"x{1000}".repeat(30)}")`],
    [`t.matches("(((x{100}){2}){5})")`],
    [`t.matches("(x{240}){4}")`],
    [Array.from({ length: 6 }, () => `t.matches("${"a".repeat(200)}")`).join(" || ")],
    [Array.from({ length: 3 }, () => 't.matches("a{100}")').join(" || ")],
  ])("%s is too large", (source) => {
    expect(bestMs(() => expect(errorOf(source).code).toBe("PATTERN_TOO_LARGE"))).toBeLessThan(100);
  });

  it("a pattern from the payload that is too large stops the evaluation", () => {
    expect(shown(evaluate("t.matches(p)", { t: "x", p: "x".repeat(300) }))).toBe("fault PATTERN_TOO_LARGE");
    expect(shown(evaluate("t.matches(p)", { t: "x", p: "x{1000}x{1000}" }))).toBe("fault PATTERN_TOO_LARGE");
  });

  it("an answer does not depend on the events before it", () => {
    const program = programOf("t.matches(p)");
    for (let turn = 0; turn < 3; turn += 1) {
      for (const p of ["^a", "b$", "(", "c", "d", "e", "f"]) {
        const expected = p === "(" ? "absent" : String(["^a", "b$"].includes(p));
        expect(shown(program.evaluate(scopeOf({ t: "ab", p })))).toBe(expected);
      }
    }
  });

  it("states cached by the engine are dropped without changing an answer", () => {
    const program = programOf('t.matches("[ab]*a[ab]{12}c")');
    const text = "abbabaab".repeat(500);
    for (let turn = 0; turn < 20; turn += 1) {
      expect(program.evaluate(scopeOf({ t: `${text}c` }))).toBe(true);
      expect(program.evaluate(scopeOf({ t: `${text}d` }))).toBe(false);
    }
  });
});
