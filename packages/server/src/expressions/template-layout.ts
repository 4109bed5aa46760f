// A template's tree to a flat row of segments: JSON text that never changes, and the holes between.
// All limits on templates are enforced here, when one is saved; it must refuse what JSON could not write back.
import { compileExpression, type Program } from "./compile.ts";
import { type ExpressionError, type ExpressionErrorCode, ExpressionProblem } from "./errors.ts";
import { insideQuotes } from "./json-text.ts";
import { MAX_TEMPLATE_DEPTH, MAX_TEMPLATE_EXPRESSIONS, MAX_TEMPLATE_LENGTH } from "./limits.ts";
import { LiteralPatterns } from "./patterns.ts";
import { type EmbeddedExpression, OPENING, splitTemplateText } from "./template-text.ts";

/** A place where an event's value is written. */
export interface Hole {
  /** Where in the template: `order_id`, `lines[0].sku`; empty for the template itself. */
  readonly path: string;
  readonly program: Program;
  /** True between other text: the value is written into a JSON text. */
  readonly inText: boolean;
}

/** A list or an object some of whose parts are written only when a condition is true. */
export interface Group {
  readonly open: "[" | "{";
  readonly close: "]" | "}";
  readonly items: readonly GroupItem[];
}

export interface GroupItem {
  /** Null: always. */
  readonly condition: { readonly path: string; readonly program: Program } | null;
  readonly segments: readonly Segment[];
}

export type Segment = string | Hole | Group;

/** `{ "$when": "order.total > 100", "$value": … }` in the place of a member's value or of an element. */
const WHEN = "$when";
const VALUE = "$value";

export type TemplateErrorCode =
  | ExpressionErrorCode
  | "EXPRESSION_IN_KEY"
  | "INVALID_LITERAL"
  | "TEMPLATE_TOO_LARGE"
  | "TEMPLATE_TOO_DEEP"
  | "TOO_MANY_EXPRESSIONS";

/** What is wrong with one place of a template. `position` is an offset in the text there, for expressions. */
export interface TemplateError {
  readonly path: string;
  readonly code: TemplateErrorCode;
  readonly message: string;
  readonly position?: number;
  readonly hint?: string;
}

/** The first errors are what somebody repairs; a broken generator makes thousands. */
const MAX_ERRORS = 20;

/** Lays a tree out. With errors the segments mean nothing. */
export function layOutTemplate(source: unknown): { segments: readonly Segment[]; errors: readonly TemplateError[] } {
  const layout = new Layout();
  try {
    layout.value(source, "", 0);
  } catch (error) {
    // Thrown to leave a tree that is too large; anything else is ours.
    if (error !== ENOUGH) throw error;
  }
  return { segments: layout.segments(), errors: layout.errors };
}

/** With the flag `u`, whole pairs are other characters. */
const HALF_PAIR = /\p{Cs}/u;
const ENOUGH = Symbol("enough is wrong");
const SIMPLE_KEY = /^[\p{ID_Start}_][\p{ID_Continue}-]*$/u;

class Layout {
  readonly errors: TemplateError[] = [];
  #done: Segment[] = [];
  /** Patterns are compiled when a template is saved: all its expressions share one allowance. */
  readonly #patterns = new LiteralPatterns();
  #literal = "";
  #lengthLeft = MAX_TEMPLATE_LENGTH;
  #expressionsLeft = MAX_TEMPLATE_EXPRESSIONS;

  segments(): readonly Segment[] {
    return this.#literal === "" ? this.#done : [...this.#done, this.#literal];
  }

  value(value: unknown, path: string, depth: number): void {
    if (typeof value === "string") return this.#text(value, path);
    if (typeof value === "number") return this.#number(value, path);
    if (typeof value !== "object" || value === null) return this.#write(JSON.stringify(value), path);
    if (depth >= MAX_TEMPLATE_DEPTH) {
      const message = `The template is nested more than ${MAX_TEMPLATE_DEPTH} levels deep.`;
      return this.#report({ path, code: "TEMPLATE_TOO_DEEP", message });
    }
    if (isConditional(value)) return this.#nothingToLeaveOut(path);
    if (Array.isArray(value)) this.#list(value, path, depth);
    else this.#object(value as Record<string, unknown>, path, depth);
  }

  #list(list: readonly unknown[], path: string, depth: number): void {
    if (list.some(isConditional)) {
      const items = list.map((element, index) => ({ element, path: `${path}[${index}]` }));
      return this.#group("[", "]", items, path, depth);
    }
    this.#write("[", path);
    list.forEach((element, index) => {
      if (index > 0) this.#write(",", path);
      this.value(element, `${path}[${index}]`, depth + 1);
    });
    this.#write("]", path);
  }

  #object(object: Readonly<Record<string, unknown>>, path: string, depth: number): void {
    const members = Object.entries(object);
    if (members.some(([, member]) => isConditional(member))) {
      const items = members.map(([key, element]) => ({ key, element, path: pathOf(path, key) }));
      return this.#group("{", "}", items, path, depth);
    }
    this.#write("{", path);
    members.forEach(([key, member], index) => {
      const memberPath = pathOf(path, key);
      if (index > 0) this.#write(",", memberPath);
      this.#key(key, memberPath);
      this.value(member, memberPath, depth + 1);
    });
    this.#write("}", path);
  }

  #key(key: string, path: string): void {
    if (key.includes(OPENING)) {
      const message = "A key cannot hold an expression: {{ }} stands in values only.";
      this.#report({ path, code: "EXPRESSION_IN_KEY", message, hint: "Write the key as fixed text." });
    }
    this.#write(`${this.#quoted(key, path)}:`, path);
  }

  /** Which commas there are is known only when it is written, so the parts stay apart. */
  #group(
    open: Group["open"],
    close: Group["close"],
    parts: readonly { readonly key?: string; readonly element: unknown; readonly path: string }[],
    path: string,
    depth: number,
  ): void {
    this.#write(open, path);
    this.#literal = this.#literal.slice(0, -1);
    const outer = [...this.segments()];
    const items = parts.map((part): GroupItem => {
      this.#done = [];
      this.#literal = "";
      const { element } = part;
      const condition = isConditional(element) ? this.#condition(element, part.path) : null;
      if (part.key !== undefined) this.#key(part.key, part.path);
      this.value(isConditional(element) ? (element[VALUE] ?? null) : element, part.path, depth + 1);
      return { condition, segments: this.segments() };
    });
    this.#done = [...outer, { open, close, items }];
    this.#literal = "";
  }

  #condition(conditional: Conditional, path: string): GroupItem["condition"] {
    const place = `${path}.${WHEN}`;
    const others = Object.keys(conditional).filter((key) => key !== WHEN && key !== VALUE);
    if (others.length > 0 || !Object.hasOwn(conditional, VALUE)) {
      const message = `Beside ${WHEN} stands ${VALUE}, what is written when it is true, and nothing else.`;
      this.#report({ path, code: "INVALID_LITERAL", message });
    }
    const source = conditional[WHEN];
    if (typeof source !== "string") {
      const message = `${WHEN} is an expression, such as "order.total > 100".`;
      this.#report({ path: place, code: "INVALID_LITERAL", message });
      return null;
    }
    const parts = source.includes(OPENING) ? this.#partsOf(source, place) : [{ source, position: 0 }];
    const [expression] = parts;
    if (parts.length !== 1 || typeof expression !== "object") {
      const message = `${WHEN} is one expression, such as "order.total > 100".`;
      this.#report({ path: place, code: "INVALID_LITERAL", message });
      return null;
    }
    const program = this.#program(expression, place);
    return program === null ? null : { path: place, program };
  }

  #nothingToLeaveOut(path: string): void {
    const message = `${WHEN} leaves out a member or an element; here there is nothing around it that could go without.`;
    this.#report({ path, code: "INVALID_LITERAL", message });
  }

  #number(number: number, path: string): void {
    // What JSON.parse made of the digits is all that is left: say so before a receiver gets another number.
    if (Number.isSafeInteger(number) || (Number.isFinite(number) && !Number.isInteger(number))) {
      return this.#write(String(number), path);
    }
    const message = "This number has more digits than a number in a template keeps.";
    const hint = 'Write it as an expression, which keeps them: "{{ 12345678901234567890 }}", or as a text.';
    this.#report({ path, code: "INVALID_LITERAL", message, hint });
  }

  #text(text: string, path: string): void {
    if (!text.includes(OPENING)) return this.#write(this.#quoted(text, path), path);
    const parts = this.#partsOf(text, path);
    const [first] = parts;
    if (parts.length === 1 && typeof first === "object") return this.#hole(first, path, false);
    this.#write('"', path);
    for (const part of parts) {
      if (typeof part === "string") this.#write(this.#quoted(part, path).slice(1, -1), path);
      else this.#hole(part, path, true);
    }
    this.#write('"', path);
  }

  #partsOf(text: string, path: string): (string | EmbeddedExpression)[] {
    // Before it is read: looking for the ends of a megabyte of expressions takes its time.
    if (text.length > this.#lengthLeft) this.#tooLarge(path);
    try {
      return splitTemplateText(text);
    } catch (error) {
      if (!(error instanceof ExpressionProblem)) throw error;
      this.#reportExpression(error.error, path, 0);
      return [];
    }
  }

  #hole(expression: EmbeddedExpression, path: string, inText: boolean): void {
    const program = this.#program(expression, path);
    if (program === null) return;
    if (this.#literal !== "") this.#done.push(this.#literal);
    this.#literal = "";
    this.#done.push({ path, program, inText });
  }

  #program({ source, position }: EmbeddedExpression, path: string): Program | null {
    this.#expressionsLeft -= 1;
    if (this.#expressionsLeft < 0) {
      const message = `The template has more than ${MAX_TEMPLATE_EXPRESSIONS} expressions.`;
      this.#report({ path, code: "TOO_MANY_EXPRESSIONS", message });
      throw ENOUGH;
    }
    this.#pay(source.length, path);
    const compiled = compileExpression(source, this.#patterns);
    if (compiled.ok) return compiled.program;
    this.#reportExpression(compiled.error, path, position);
    return null;
  }

  #quoted(text: string, path: string): string {
    if (text.includes("\u0000") || HALF_PAIR.test(text)) {
      const message = "The text holds U+0000 or half of a surrogate pair, which cannot be stored.";
      this.#report({ path, code: "INVALID_LITERAL", message });
    }
    return `"${insideQuotes(text)}"`;
  }

  #write(json: string, path: string): void {
    this.#pay(json.length, path);
    this.#literal += json;
  }

  #pay(length: number, path: string): void {
    this.#lengthLeft -= length;
    if (this.#lengthLeft < 0) this.#tooLarge(path);
  }

  #tooLarge(path: string): never {
    const message = `The template has more than ${MAX_TEMPLATE_LENGTH} characters.`;
    this.#report({ path, code: "TEMPLATE_TOO_LARGE", message });
    throw ENOUGH;
  }

  #reportExpression({ code, message, position, hint }: ExpressionError, path: string, offset: number): void {
    this.#report({ path, code, message, position: position + offset, ...(hint === undefined ? {} : { hint }) });
  }

  #report(error: TemplateError): void {
    this.errors.push(error);
    if (this.errors.length >= MAX_ERRORS) throw ENOUGH;
  }
}

type Conditional = Readonly<Record<string, unknown>>;

function isConditional(value: unknown): value is Conditional {
  return typeof value === "object" && value !== null && !Array.isArray(value) && Object.hasOwn(value, WHEN);
}

function pathOf(parent: string, key: string): string {
  if (!SIMPLE_KEY.test(key)) return `${parent}[${JSON.stringify(key)}]`;
  return parent === "" ? key : `${parent}.${key}`;
}
