import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { childrenOf, countNodes, type Node } from "../../src/expressions/ast.ts";
import { ExactNumber } from "../../src/expressions/numbers.ts";
import { parse } from "../../src/expressions/parse.ts";
import { errorOf, programOf } from "./support.ts";

/** A tree with every operation in parentheses, so that a table can show what binds how. */
function grouped(node: Node): string {
  switch (node.kind) {
    case "literal":
      return node.value instanceof ExactNumber ? node.value.text : JSON.stringify(node.value);
    case "name":
      return node.name;
    case "member":
      return `${grouped(node.object)}.${node.name}`;
    case "index":
      return `${grouped(node.object)}[${grouped(node.index)}]`;
    case "call": {
      const args = node.args.map(grouped).join(", ");
      return node.receiver === undefined ? `${node.name}(${args})` : `${grouped(node.receiver)}.${node.name}(${args})`;
    }
    case "list":
      return `[${node.elements.map(grouped).join(", ")}]`;
    case "object":
      return `{${node.entries.map(([key, value]) => `${grouped(key)}: ${grouped(value)}`).join(", ")}}`;
    case "unary":
      return `(${node.operator}${grouped(node.operand)})`;
    case "binary":
      return `(${grouped(node.left)} ${node.operator} ${grouped(node.right)})`;
    case "logic":
      return `(${node.operands.map(grouped).join(` ${node.operator} `)})`;
    case "choice":
      return `(${grouped(node.condition)} ? ${grouped(node.yes)} : ${grouped(node.no)})`;
  }
}

describe("precedence and associativity are CEL's", () => {
  it.each([
    ["a + b * c", "(a + (b * c))"],
    ["a * b + c", "((a * b) + c)"],
    ["a - b - c", "((a - b) - c)"],
    ["a / b / c * d % e", "((((a / b) / c) * d) % e)"],
    ["(a - b) - c", "((a - b) - c)"],
    ["a - (b - c)", "(a - (b - c))"],
    ["a + b == c - d", "((a + b) == (c - d))"],
    ["a == b == c", "((a == b) == c)"],
    ["a < b == true", "((a < b) == true)"],
    ["(a < b) < c", "((a < b) < c)"],
    ["a in b || c in d", "((a in b) || (c in d))"],
    ["a || b && c", "(a || (b && c))"],
    ["a && b || c && d", "((a && b) || (c && d))"],
    ["a || b || c", "(a || b || c)"],
    ["(a || b) || c", "((a || b) || c)"],
    ["!a && b", "((!a) && b)"],
    ["!a.b", "(!a.b)"],
    ["!!a", "(!(!a))"],
    ["-a * b", "((-a) * b)"],
    ["a - -b", "(a - (-b))"],
    ["-a.size()", "(-a.size())"],
    ["a ? b : c ? d : e", "(a ? b : (c ? d : e))"],
    ["a ? b ? c : d : e", "(a ? (b ? c : d) : e)"],
    ["a || b ? c : d", "((a || b) ? c : d)"],
    ["a.b[c].d(e)[0]", "a.b[c].d(e)[0]"],
    ["[1, 2,]", "[1, 2]"],
    ["[]", "[]"],
    ['{"a": 1, "b": c,}', '{"a": 1, "b": c}'],
    ["a.return.in.true.null", "a.return.in.true.null"],
    ["a // comment\n + b", "(a + b)"],
    ["  a\t+\r\nb  ", "(a + b)"],
    ["名称.été == ñ", "(名称.été == ñ)"],
    ["_a1 + a_", "(_a1 + a_)"],
  ])("%s", (source, expected) => {
    expect(grouped(parse(source))).toBe(expected);
  });
});

describe("literals", () => {
  it.each([
    ["1", "1"],
    ["1.50", "1.5"],
    [".5", "0.5"],
    ["1e3", "1000"],
    ["1.5E-2", "0.015"],
    ["0xFF", "255"],
    ["7u", "7"],
    ["0x1F4U", "500"],
    ["12345678901234567890", "12345678901234567890"],
    ["0xFFFFFFFFFFFFFFFF", "18446744073709551615"],
    ["true", "true"],
    ["null", "null"],
    ['"a\'b"', '"a\'b"'],
    ["'a\"b'", '"a\\"b"'],
    [String.raw`"\n\t\\\"\x41\u00e9\U0001F600\101\?"`, '"\\n\\t\\\\\\"Aé😀A?"'],
    [String.raw`r"\d+\n"`, '"\\\\d+\\\\n"'],
    [String.raw`R'\'`, '"\\\\"'],
    ['"""two\nlines "quoted" """', '"two\\nlines \\"quoted\\" "'],
    ["'''it's'''", '"it\'s"'],
    ['""', '""'],
  ])("%s", (source, expected) => {
    expect(grouped(parse(source))).toBe(expected);
  });
});

describe("errors name what was seen, what was expected, and the place", () => {
  it.each([
    ["", "EMPTY_EXPRESSION", 0],
    ["  // nothing", "EMPTY_EXPRESSION", 0],
    ["order.total >", "UNEXPECTED_TOKEN", 13],
    ["order.total > 100 and true", "UNEXPECTED_TOKEN", 18],
    ["not order.isPaid", "UNEXPECTED_TOKEN", 4],
    ['order.status = "draft"', "UNEXPECTED_CHARACTER", 13],
    ['order.status === "draft"', "UNEXPECTED_CHARACTER", 15],
    ['order.status <> "draft"', "UNEXPECTED_TOKEN", 14],
    ["order.status == “draft”", "UNEXPECTED_CHARACTER", 16],
    ['order.status == "draft', "UNTERMINATED_TEXT", 16],
    ['order.status == "dra\nft"', "UNTERMINATED_TEXT", 16],
    ['"""open', "UNTERMINATED_TEXT", 0],
    ['order.status contains "x"', "UNEXPECTED_TOKEN", 13],
    [String.raw`"ab\d"`, "INVALID_ESCAPE", 3],
    [String.raw`"\ud83d"`, "INVALID_ESCAPE", 1],
    [String.raw`"\U00110000"`, "INVALID_ESCAPE", 1],
    ["a & b", "UNEXPECTED_CHARACTER", 2],
    ["a | b", "UNEXPECTED_CHARACTER", 2],
    ["$order.total", "UNEXPECTED_CHARACTER", 0],
    ["order\u00a0.total", "UNEXPECTED_CHARACTER", 5],
    ["{{ order.total }} > 1", "UNEXPECTED_TOKEN", 1],
    ["order.total > 1,000", "UNEXPECTED_TOKEN", 15],
    ["1_000", "INVALID_NUMBER", 0],
    ["a > 5kg", "INVALID_NUMBER", 4],
    ["1.2.3", "INVALID_NUMBER", 0],
    ["0x", "INVALID_NUMBER", 0],
    ["1e999", "INVALID_NUMBER", 0],
    ["(a", "UNEXPECTED_TOKEN", 2],
    ["a)", "UNEXPECTED_TOKEN", 1],
    ["a[1", "UNEXPECTED_TOKEN", 3],
    ["[1, 2", "UNEXPECTED_TOKEN", 5],
    ["[,]", "UNEXPECTED_TOKEN", 1],
    ["size(a,)", "UNEXPECTED_TOKEN", 7],
    ["a.", "UNEXPECTED_TOKEN", 2],
    ["a.?b", "UNEXPECTED_TOKEN", 2],
    ['a."b"', "UNEXPECTED_TOKEN", 2],
    ["a ? b", "UNEXPECTED_TOKEN", 5],
    ["1 < a < 3", "COMPARISON_CHAINED", 6],
    ["1 < size(a) <= 3", "COMPARISON_CHAINED", 12],
    ['b"bytes"', "BYTES_NOT_SUPPORTED", 0],
    ['a == bR"bytes"', "BYTES_NOT_SUPPORTED", 5],
    ["return.total > 1", "RESERVED_WORD", 0],
    ["a && package.id", "RESERVED_WORD", 5],
    ["in == 1", "RESERVED_WORD", 0],
    ["{1: 2}", "INVALID_KEY", 1],
    ['{"a": 1, "a": 2}', "DUPLICATE_KEY", 9],
    ['{"a" 1}', "UNEXPECTED_TOKEN", 5],
    ["Invoice{id: 1}", "UNEXPECTED_TOKEN", 7],
  ])("%s → %s at %i", (source, code, position) => {
    const error = errorOf(source);
    expect([error.code, error.position]).toEqual([code, position]);
  });

  it.each([
    ['order.status = "draft"', "Write == to compare."],
    ["a and b", "Write && for “and”."],
    ["not a", "Write ! in front"],
    ['a contains "x"', 'Write text.contains("…").'],
    ["a == “x”", "straight quotes"],
    ["{{ a }}", "without {{ and }}"],
    ["order.total > 1,000", "without separators"],
    ["return.total", "return_"],
    ["a.?b", "a missing member is never an error"],
    ['"\\d"', "put r in front of the quote"],
  ])("%s → hint “%s”", (source, hint) => {
    expect(errorOf(source).hint).toContain(hint);
  });

  it("a message says what was seen and what was expected", () => {
    expect(errorOf("order.total >").message).toBe(
      'Here the expression ends, but a value, such as order.total, 100 or "draft" was expected.',
    );
    expect(errorOf("(a == 1 b").message).toBe("Here “b” stands, but “)” was expected.");
  });

  it("a message stays short when what was seen is long", () => {
    expect(errorOf(`a ${"b".repeat(3000)}`).message.length).toBeLessThan(150);
  });
});

describe("limits", () => {
  it("takes 4096 characters and refuses one more", () => {
    const source = `a == "${"x".repeat(4089)}"`;
    expect(source).toHaveLength(4096);
    programOf(source);
    expect(errorOf(`${source} `)).toMatchObject({ code: "EXPRESSION_TOO_LONG", position: 4096 });
  });

  it("takes 1000 nodes and refuses one more", () => {
    programOf(`a${"+1".repeat(499)}`);
    expect(errorOf(`a${"+1".repeat(500)}`).code).toBe("EXPRESSION_TOO_COMPLEX");
  });

  it.each([
    ["parentheses", (n: number) => "(".repeat(n) + "a" + ")".repeat(n)],
    ["lists", (n: number) => "[".repeat(n) + "]".repeat(n)],
    ["objects", (n: number) => '{"a":'.repeat(n) + "1" + "}".repeat(n)],
    ["indexes", (n: number) => "a[".repeat(n) + "0" + "]".repeat(n)],
    ["calls", (n: number) => "size(".repeat(n) + "a" + ")".repeat(n)],
    ["negations", (n: number) => `${"!".repeat(n)}a`],
    ["signs", (n: number) => `${"-".repeat(n)}a`],
    ["choices", (n: number) => `${"a?b:".repeat(n)}c`],
  ])("takes 49 nested %s, refuses 60 and 500", (_, nested) => {
    programOf(nested(49));
    expect(errorOf(nested(60)).code).toBe("EXPRESSION_TOO_DEEP");
    expect(errorOf(nested(500)).code).toBe("EXPRESSION_TOO_DEEP");
  });

  it("a chain of 900 members is not nesting", () => {
    programOf(`a${".b".repeat(900)}`);
  });
});

describe("properties", () => {
  const WORDS = [
    "a",
    "order",
    "return",
    "in",
    "true",
    "1",
    "2.5",
    '"x"',
    "'",
    '"',
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    ".",
    ",",
  ];
  const OPERATORS = [
    "+",
    "-",
    "*",
    "/",
    "%",
    "<",
    "<=",
    "==",
    "!=",
    "!",
    "&&",
    "||",
    "?",
    ":",
    "&",
    "=",
    "\\",
    'r"',
    "b'",
    "all",
    "has(",
    "//",
    "\n",
  ];

  it("no text makes the compiler throw, and every error points into the text", () => {
    const text = fc.oneof(
      fc.string({ unit: "grapheme", maxLength: 40 }),
      fc.array(fc.constantFrom(...WORDS, ...OPERATORS), { maxLength: 25 }).map((parts) => parts.join(" ")),
      fc.array(fc.constantFrom(...WORDS, ...OPERATORS), { maxLength: 25 }).map((parts) => parts.join("")),
    );
    fc.assert(
      fc.property(text, (source) => {
        let error: { position: number; message: string } | undefined;
        try {
          programOf(source);
        } catch {
          error = errorOf(source);
        }
        expect(error?.position ?? 0).toBeGreaterThanOrEqual(0);
        expect(error?.position ?? 0).toBeLessThanOrEqual(source.length);
      }),
      { numRuns: 2000 },
    );
  });

  it("every node stands within its parent and inside the source", () => {
    const check = (node: Node, source: string): void => {
      expect(node.start).toBeLessThan(node.end);
      for (const child of childrenOf(node)) {
        expect(child.start).toBeGreaterThanOrEqual(node.start);
        expect(child.end).toBeLessThanOrEqual(node.end);
        check(child, source);
      }
    };
    const source = 'a.b[1 + 2].c(x, -y) ? [1, {"k": !z}] : p && q || r in s';
    const node = parse(source);
    check(node, source);
    expect([node.start, node.end, countNodes(node)]).toEqual([0, source.length, 24]);
  });
});
