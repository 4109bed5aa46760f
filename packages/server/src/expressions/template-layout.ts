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

export type Segment = string | Hole;

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
  readonly #done: Segment[] = [];
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
    if (Array.isArray(value)) this.#list(value, path, depth);
    else this.#object(value as Record<string, unknown>, path, depth);
  }

  #list(list: readonly unknown[], path: string, depth: number): void {
    this.#write("[", path);
    list.forEach((element, index) => {
      if (index > 0) this.#write(",", path);
      this.value(element, `${path}[${index}]`, depth + 1);
    });
    this.#write("]", path);
  }

  #object(object: Readonly<Record<string, unknown>>, path: string, depth: number): void {
    this.#write("{", path);
    Object.entries(object).forEach(([key, member], index) => {
      const memberPath = pathOf(path, key);
      if (key.includes(OPENING)) {
        const message = "A key cannot hold an expression: {{ }} stands in values only.";
        this.#report({ path: memberPath, code: "EXPRESSION_IN_KEY", message, hint: "Write the key as fixed text." });
      }
      this.#write(`${index > 0 ? "," : ""}${this.#quoted(key, memberPath)}:`, memberPath);
      this.value(member, memberPath, depth + 1);
    });
    this.#write("}", path);
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

  #hole({ source, position }: EmbeddedExpression, path: string, inText: boolean): void {
    this.#expressionsLeft -= 1;
    if (this.#expressionsLeft < 0) {
      const message = `The template has more than ${MAX_TEMPLATE_EXPRESSIONS} expressions.`;
      this.#report({ path, code: "TOO_MANY_EXPRESSIONS", message });
      throw ENOUGH;
    }
    this.#pay(source.length, path);
    const compiled = compileExpression(source, this.#patterns);
    if (!compiled.ok) return this.#reportExpression(compiled.error, path, position);
    if (this.#literal !== "") this.#done.push(this.#literal);
    this.#literal = "";
    this.#done.push({ path, program: compiled.program, inText });
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

function pathOf(parent: string, key: string): string {
  if (!SIMPLE_KEY.test(key)) return `${parent}[${JSON.stringify(key)}]`;
  return parent === "" ? key : `${parent}.${key}`;
}
