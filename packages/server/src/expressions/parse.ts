// Tokens to tree: CEL's grammar by recursive descent, with messages for people who administrate, not program.
// It must stay within the limits on nodes and nesting, so that nothing behind it can run out of stack.
import type { BinaryOperator, Node } from "./ast.ts";
import { ExpressionProblem } from "./errors.ts";
import { MAX_NESTING, MAX_NODES } from "./limits.ts";
import { type Token, tokenize } from "./tokens.ts";
import { hintForWord, isReservedWord } from "./words.ts";

/** Binary operators by how tightly they bind, all left-associative; `in` compares (CEL grammar, Relation). */
const BINDING: ReadonlyMap<string, number> = new Map([
  ...["<", "<=", ">", ">=", "==", "!=", "in"].map((operator) => [operator, 1] as const),
  ...["+", "-"].map((operator) => [operator, 2] as const),
  ...["*", "/", "%"].map((operator) => [operator, 3] as const),
]);
const ORDERINGS: ReadonlySet<string> = new Set(["<", "<=", ">", ">="]);

/** The tree of a source text. Throws ExpressionProblem. */
export function parse(source: string): Node {
  const parser = new Parser(tokenize(source));
  return parser.parseWhole();
}

class Parser {
  readonly #tokens: readonly Token[];
  #index = 0;
  #depth = 0;
  #nodes = 0;

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens;
  }

  parseWhole(): Node {
    if (this.#peek().kind === "end") {
      throw new ExpressionProblem(
        "EMPTY_EXPRESSION",
        "The expression is empty.",
        0,
        "Write a condition, as in order.total > 100.",
      );
    }
    const node = this.#expression();
    if (this.#peek().kind !== "end") throw this.#unexpected("an operator such as && or ==, or the end");
    return node;
  }

  #expression(): Node {
    return this.#nested(() => {
      const condition = this.#logic("||", () => this.#logic("&&", () => this.#binary(1)));
      if (!this.#take("?")) return condition;
      const yes = this.#expression();
      this.#expect(":", "“:” and what holds otherwise");
      const no = this.#expression();
      return this.#node({ kind: "choice", condition, yes, no, start: condition.start, end: no.end });
    });
  }

  #logic(operator: "&&" | "||", operand: () => Node): Node {
    const first = operand();
    if (!this.#isSymbol(operator)) return first;
    const operands = [first];
    while (this.#take(operator)) operands.push(operand());
    return this.#node({ kind: "logic", operator, operands, start: first.start, end: this.#lastEnd() });
  }

  #binary(binding: number): Node {
    let left = binding > 3 ? this.#unary() : this.#binary(binding + 1);
    if (binding > 3) return left;
    for (;;) {
      const token = this.#peek();
      if (token.kind !== "symbol" && token.kind !== "name") return left;
      if (BINDING.get(token.text) !== binding) return left;
      this.#refuseChain(left, token);
      this.#index += 1;
      const right = this.#binary(binding + 1);
      const operator = token.text as BinaryOperator;
      left = this.#node({ kind: "binary", operator, left, right, start: left.start, end: right.end });
    }
  }

  /** `1 < x < 9` compares true with 9 in CEL, which can never hold; parentheses say that it is meant. */
  #refuseChain(left: Node, token: Token): void {
    const isChained = left.kind === "binary" && ORDERINGS.has(left.operator) && ORDERINGS.has(token.text);
    // In parentheses the comparison ends before the token that was read last.
    if (!isChained || this.#lastEnd() > left.end) return;
    throw new ExpressionProblem(
      "COMPARISON_CHAINED",
      "Comparisons cannot be chained.",
      token.start,
      "Compare twice: 1 < order.total && order.total < 9.",
    );
  }

  #unary(): Node {
    const token = this.#peek();
    if (token.kind !== "symbol" || (token.text !== "!" && token.text !== "-")) return this.#postfix();
    const operator = token.text;
    this.#index += 1;
    return this.#nested(() => {
      const operand = this.#unary();
      return this.#node({ kind: "unary", operator, operand, start: token.start, end: operand.end });
    });
  }

  #postfix(): Node {
    let node = this.#primary();
    for (;;) {
      if (this.#take(".")) node = this.#memberOrCall(node);
      else if (this.#take("[")) node = this.#indexed(node);
      else return node;
    }
  }

  #memberOrCall(object: Node): Node {
    const token = this.#peek();
    if (token.kind !== "name") {
      const hint = token.text === "?" ? "Write a.b: a missing member is never an error." : undefined;
      throw this.#unexpected("the name of a member", hint);
    }
    this.#index += 1;
    if (this.#take("(")) return this.#call(token, object);
    return this.#node({ kind: "member", object, name: token.text, start: object.start, end: token.end });
  }

  #indexed(object: Node): Node {
    const index = this.#expression();
    const end = this.#expect("]", "“]”");
    return this.#node({ kind: "index", object, index, start: object.start, end });
  }

  #call(name: Token, receiver: Node | undefined): Node {
    const args = this.#sequence(")", "“,” or “)”", () => this.#expression());
    const start = receiver?.start ?? name.start;
    return this.#node({
      kind: "call",
      name: name.text,
      nameStart: name.start,
      receiver,
      args,
      start,
      end: this.#lastEnd(),
    });
  }

  #primary(): Node {
    const token = this.#peek();
    this.#index += 1;
    const { start, end } = token;
    if (token.kind === "number" || token.kind === "text")
      return this.#node({ kind: "literal", value: token.value, start, end });
    if (token.kind === "name") return this.#named(token);
    if (token.text === "(") return this.#parenthesised();
    if (token.text === "[") return this.#list(start);
    if (token.text === "{") return this.#object(start);
    this.#index -= 1;
    throw this.#unexpected('a value, such as order.total, 100 or "draft"');
  }

  #named(token: Token): Node {
    const { text, start, end } = token;
    if (text === "true" || text === "false") return this.#node({ kind: "literal", value: text === "true", start, end });
    if (text === "null") return this.#node({ kind: "literal", value: null, start, end });
    if (isReservedWord(text)) {
      throw new ExpressionProblem(
        "RESERVED_WORD",
        `“${text}” is a reserved word and cannot be a name.`,
        start,
        `The object of that name is called ${text}_; a member is read as data.${text}.`,
      );
    }
    if (this.#take("(")) return this.#call(token, undefined);
    return this.#node({ kind: "name", name: text, start, end });
  }

  #parenthesised(): Node {
    const node = this.#expression();
    this.#expect(")", "“)”");
    return node;
  }

  #list(start: number): Node {
    const elements = this.#sequence("]", "“,” or “]”", () => this.#expression());
    return this.#node({ kind: "list", elements, start, end: this.#lastEnd() });
  }

  #object(start: number): Node {
    if (this.#isSymbol("{")) throw this.#unexpected("a key", "An expression stands without {{ and }}.");
    const entries = this.#sequence("}", "“,” or “}”", () => {
      const key = this.#expression();
      this.#expect(":", "“:” and the value of this key");
      return [key, this.#expression()] as const;
    });
    return this.#node({ kind: "object", entries, start, end: this.#lastEnd() });
  }

  /** Items separated by commas up to the closing symbol; a trailing comma is fine in lists and objects. */
  #sequence<Item>(closing: ")" | "]" | "}", expected: string, item: () => Item): Item[] {
    const items: Item[] = [];
    while (!this.#take(closing)) {
      if (items.length > 0) {
        this.#expect(",", expected);
        if (closing !== ")" && this.#take(closing)) break;
      }
      items.push(item());
    }
    return items;
  }

  #nested(inner: () => Node): Node {
    this.#depth += 1;
    if (this.#depth > MAX_NESTING) {
      throw new ExpressionProblem(
        "EXPRESSION_TOO_DEEP",
        `The expression is nested too deep; ${MAX_NESTING} levels are allowed.`,
        this.#peek().start,
      );
    }
    const node = inner();
    this.#depth -= 1;
    return node;
  }

  #node(node: Node): Node {
    this.#nodes += 1;
    if (this.#nodes > MAX_NODES) {
      throw new ExpressionProblem(
        "EXPRESSION_TOO_COMPLEX",
        `The expression has too many parts; ${MAX_NODES} names, values and operators are allowed.`,
        node.start,
      );
    }
    return node;
  }

  #peek(): Token {
    // The last token is `end`, and nothing moves past it.
    return this.#tokens[this.#index] as Token;
  }

  #lastEnd(): number {
    return this.#tokens[this.#index - 1]?.end ?? 0;
  }

  #isSymbol(text: string): boolean {
    const token = this.#peek();
    return token.kind === "symbol" && token.text === text;
  }

  #take(text: string): boolean {
    if (!this.#isSymbol(text)) return false;
    this.#index += 1;
    return true;
  }

  #expect(text: string, expected: string): number {
    if (!this.#take(text)) throw this.#unexpected(expected);
    return this.#lastEnd();
  }

  #unexpected(expected: string, hint?: string): ExpressionProblem {
    const token = this.#peek();
    const before = this.#tokens[this.#index - 1];
    const seen = token.kind === "end" ? "the expression ends" : `“${shortened(token.text)}” stands`;
    const message = `Here ${seen}, but ${expected} was expected.`;
    return new ExpressionProblem("UNEXPECTED_TOKEN", message, token.start, hint ?? hintForPair(before, token));
  }
}

function shortened(text: string): string {
  return text.length <= 30 ? text : `${text.slice(0, 30)}…`;
}

function hintForPair(before: Token | undefined, token: Token): string | undefined {
  if (token.text === "," && before?.kind === "number") return "Write digits without separators, as in 10000.";
  return hintForWord(token.text) ?? (before?.kind === "name" ? hintForWord(before.text) : undefined);
}
