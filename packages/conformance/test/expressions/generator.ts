// Random expressions of CEL's and our common subset, well-typed by construction, as source text.
// The gaps between the languages (docs/decisions/0001-expression-parser.md) are left out here, nowhere else.
import fc from "fast-check";
import type { Answer } from "./oracles.ts";

type Source = fc.Arbitrary<string>;

/** Values for the names that the expressions read. */
export const variables = fc.record<Record<string, Answer>>({
  i: fc.integer({ min: -50, max: 50 }),
  j: fc.integer({ min: -3, max: 3 }),
  d: fc.integer({ min: -40, max: 40 }).map((n) => n + 0.25),
  s: fc.string({ unit: fc.constantFrom("a", "b", "é", "😀", "\ud7ff", " "), maxLength: 4 }),
  t: fc.constantFrom("", "a", "ab", "INV-001", "客户"),
  b: fc.boolean(),
  l: fc.array(fc.integer({ min: -3, max: 3 }), { maxLength: 4 }),
  o: fc.record({ n: fc.integer({ min: -3, max: 3 }), name: fc.constantFrom("x", "y"), nothing: fc.constant(null) }),
});

const call = (name: string, ...args: Source[]): Source =>
  fc.tuple(...args).map((parts) => `${name}(${parts.join(", ")})`);
const infix = (left: Source, operators: readonly string[], right: Source): Source =>
  fc.tuple(left, fc.constantFrom(...operators), right).map(([a, operator, b]) => `(${a} ${operator} ${b})`);

const textLiteral = fc.constantFrom(
  '""',
  '"a"',
  "'b'",
  '"ab"',
  '"\\u00e9"',
  '"\\U0001F600"',
  'r"\\a"',
  '"INV-"',
  '"""a"""',
);

/** Generators for one nesting level; macro variables are called x and hold ints. */
function level(
  depth: number,
  names: readonly string[],
  mayBeAbsent: boolean,
): { int: Source; double: Source; text: Source; bool: Source; list: Source } {
  const int0 = fc.oneof(
    fc.integer({ min: 0, max: 12 }).map(String),
    fc.constantFrom("i", "j", "o.n", 'o["n"]', "0x1F", ...names),
    ...(mayBeAbsent ? [fc.constantFrom("o.missing", "l[9]", "l[0]", "o.missing.deeper")] : []),
  );
  const double0 = fc.constantFrom("d", "0.5", "1.25", "2e1", "3.0");
  const text0 = fc.oneof(textLiteral, fc.constantFrom("s", "t", "o.name"));
  const bool0 = fc.constantFrom(
    "b",
    "true",
    "false",
    "has(o.n)",
    "has(o.missing)",
    "(o.nothing == null)",
    "(o.nothing != 1)",
  );
  const list0 = fc.constantFrom("l", "[]", "[1, 2]", "[i, j]", "[0, -1, 2]");
  if (depth === 0) return { int: int0, double: double0, text: text0, bool: bool0, list: list0 };

  const below = level(depth - 1, names, mayBeAbsent);
  const inner = names.includes("x") ? below : level(depth - 1, [...names, "x"], mayBeAbsent);
  // In filter, exists_one and map a predicate without a value is a gap, so theirs always has one.
  const sure = level(Math.min(depth - 1, 1), names.includes("x") ? names : [...names, "x"], false);
  const choice = (source: Source): Source =>
    fc.tuple(below.bool, source, source).map(([c, yes, no]) => `(${c} ? ${yes} : ${no})`);
  const macro = (range: Source, macros: readonly string[], body: Source): Source =>
    fc
      .tuple(range, fc.constantFrom(...macros), body)
      .map(([over, name, condition]) => `${over}.${name}(x, ${condition})`);

  const int = fc.oneof(
    int0,
    infix(below.int, ["+", "-", "*", "%"], below.int),
    below.int.map((operand) => `-(${operand})`),
    call("size", fc.oneof(below.text, below.list)),
    choice(below.int),
  );
  const double = fc.oneof(
    double0,
    infix(below.double, ["+", "-", "*"], below.double),
    call("double", below.int),
    choice(below.double),
  );
  const text = fc.oneof(text0, infix(below.text, ["+"], below.text), call("string", below.int), choice(below.text));
  const list = fc.oneof(
    list0,
    infix(below.list, ["+"], below.list),
    macro(list0, ["filter"], sure.bool),
    macro(list0, ["map"], sure.int),
    fc.tuple(below.int, below.int).map(([a, b]) => `[${a}, ${b}]`),
  );
  const bool = fc.oneof(
    bool0,
    infix(below.bool, ["&&", "||", "==", "!="], below.bool),
    infix(below.int, ["<", "<=", ">", ">=", "==", "!="], below.int),
    infix(below.double, ["<", "<=", ">", ">=", "==", "!="], below.double),
    infix(below.text, ["<", "<=", ">", ">=", "==", "!="], below.text),
    infix(below.list, ["==", "!="], below.list),
    infix(below.int, ["in"], below.list),
    infix(text0, ["in"], fc.constant("o")),
    below.bool.map((operand) => `!(${operand})`),
    fc
      .tuple(below.text, fc.constantFrom("contains", "startsWith", "endsWith"), below.text)
      .map(([a, name, b]) => `(${a}).${name}(${b})`),
    fc
      .tuple(below.text, fc.constantFrom('"^a"', '"[0-9]+$"', 'r"^INV-\\d{3}$"', '"b.*"'))
      .map(([a, pattern]) => `(${a}).matches(${pattern})`),
    macro(list0, ["all", "exists"], inner.bool),
    macro(list0, ["exists_one"], sure.bool),
    choice(below.bool),
  );
  return { int, double, text, bool, list };
}

const whole = level(3, [], true);

/** Any expression of the common subset. */
export const expression: Source = fc.oneof(whole.bool, whole.int, whole.double, whole.text, whole.list);

/** Operators without parentheses: only the grammar says what belongs together. */
export const unparenthesised: Source = fc
  .array(fc.constantFrom("i", "j", "1", "2", "-j", "o.n", "l[0]", "size(l)"), { minLength: 2, maxLength: 6 })
  .chain((operands) =>
    fc.tuple(
      fc.constant(operands),
      fc.array(fc.constantFrom("+", "-", "*", "%", "&&", "||", "=="), {
        minLength: operands.length,
        maxLength: operands.length,
      }),
    ),
  )
  .map(([operands, operators]) =>
    // Comparisons become truth values, so that && and || have something to join.
    operands
      .map((operand, index) => `${operand}${index + 1 < operands.length ? ` ${operators[index]} ` : ""}`)
      .join(""),
  );
