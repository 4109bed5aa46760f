// Texts with {{ expressions }} that are no JSON: bodies of text, URLs, values of headers. Compiled once.
// How a value is written is the caller's matter: it must make sure that a value stays inside its place.
import { compileExpression, type Program } from "./compile.ts";
import { ExpressionFault, ExpressionProblem } from "./errors.ts";
import { plainText } from "./json-text.ts";
import { Evaluation, MAX_RENDERED_LENGTH, MAX_TEMPLATE_EXPRESSIONS, MAX_TEMPLATE_LENGTH } from "./limits.ts";
import { LiteralPatterns } from "./patterns.ts";
import type { Scope } from "./scope.ts";
import { type MissingValue, OWN_FAULT, type RenderingFailure } from "./template.ts";
import type { TemplateError } from "./template-layout.ts";
import { OPENING, splitTemplateText } from "./template-text.ts";
import { ABSENT, type Value } from "./values.ts";

/** Writes a value in its place; throws an ExpressionFault where it cannot stand there. */
export type WriteValue = (value: Value) => string;

export interface TextHole {
  readonly program: Program;
  readonly write: WriteValue;
}

export type TextRendering =
  | { readonly ok: true; readonly text: string; readonly missing: readonly MissingValue[] }
  | RenderingFailure;

export type TextCompilation =
  | { readonly ok: true; readonly template: TextTemplate }
  | { readonly ok: false; readonly errors: readonly TemplateError[] };

/** True for a text that is not always the same. */
export function hasExpression(text: string): boolean {
  return text.includes(OPENING);
}

/** A compiled text. It keeps no state between events. */
export class TextTemplate {
  readonly #parts: readonly (string | TextHole)[];

  constructor(parts: readonly (string | TextHole)[]) {
    this.#parts = parts;
  }

  /** The expressions, each with how its value is written. */
  get holes(): readonly TextHole[] {
    return this.#parts.filter((part) => typeof part !== "string");
  }

  /** The text with the same word in the place of every expression. */
  sample(word: string): string {
    return this.#parts.map((part) => (typeof part === "string" ? part : word)).join("");
  }

  /** Never throws. All expressions share one budget. */
  render(scope: Scope): TextRendering {
    const run = new Evaluation(scope);
    const missing: MissingValue[] = [];
    let text = "";
    let source = "";
    try {
      for (const part of this.#parts) {
        if (typeof part === "string") {
          text += part;
          continue;
        }
        source = part.program.source.trim();
        const value = part.program.evaluateIn(run);
        if (value instanceof ExpressionFault) throw value;
        if (value === ABSENT) missing.push({ path: "", expression: source });
        text += part.write(value);
        if (text.length > MAX_RENDERED_LENGTH) throw TOO_LONG;
      }
    } catch (error) {
      const { code, message } = error instanceof ExpressionFault ? error : OWN_FAULT;
      return { ok: false, path: "", code, message: `{{ ${source} }}: ${message}` };
    }
    return { ok: true, text, missing };
  }
}

const TOO_LONG = new ExpressionFault(
  "BODY_TOO_LARGE",
  `The text has more than ${MAX_RENDERED_LENGTH} characters for this event. Copy less of the payload.`,
);

/**
 * Compiles a text.
 * @param writerAfter how the value of an expression is written, by the fixed text before it
 */
export function compileText(source: string, writerAfter: (before: string) => WriteValue): TextCompilation {
  const refused = (error: Omit<TemplateError, "path">): TextCompilation => ({
    ok: false,
    errors: [{ path: "", ...error }],
  });
  if (source.length > MAX_TEMPLATE_LENGTH) {
    const message = `The template has more than ${MAX_TEMPLATE_LENGTH} characters.`;
    return refused({ code: "TEMPLATE_TOO_LARGE", message });
  }
  const patterns = new LiteralPatterns();
  const parts: (string | TextHole)[] = [];
  let before = "";
  try {
    for (const part of splitTemplateText(source)) {
      if (typeof part === "string") {
        before += part;
        parts.push(part);
        continue;
      }
      const compiled = compileExpression(part.source, patterns);
      if (!compiled.ok) return refused({ ...compiled.error, position: compiled.error.position + part.position });
      parts.push({ program: compiled.program, write: writerAfter(before) });
    }
  } catch (error) {
    if (!(error instanceof ExpressionProblem)) throw error;
    return refused(error.error);
  }
  if (parts.filter((part) => typeof part !== "string").length > MAX_TEMPLATE_EXPRESSIONS) {
    const message = `The template has more than ${MAX_TEMPLATE_EXPRESSIONS} expressions.`;
    return refused({ code: "TOO_MANY_EXPRESSIONS", message });
  }
  return { ok: true, template: new TextTemplate(parts) };
}

/** A body of text: values as they read. */
export const AS_IT_READS = (): WriteValue => plainText;
