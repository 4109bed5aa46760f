// URLs and header values with {{ expressions }}. Scheme, host and port are fixed text; a value never leaves its segment
// of the path, its value of the query, or its line of the header. The guard judges the finished URL like any other.
import { IN_HEADER, IN_URL, percentEncoded } from "../lib/percent-encoding.ts";
import type { Program } from "./compile.ts";
import { ExpressionFault } from "./errors.ts";
import { plainText } from "./json-text.ts";
import type { Scope } from "./scope.ts";
import type { TemplateError } from "./template-layout.ts";
import { compileText, type TextRendering, type TextTemplate, type WriteValue } from "./text-template.ts";
import { isList, isObject, type Value } from "./values.ts";

/** Behind the host a path or a query begins, before the first expression. */
const FIXED_HOST = /^[a-z][a-z0-9+.-]*:\/\/[^/?#{}\\]+[/?]/i;
/** URL parsers walk up on these, however they are written. */
const DOT_SEGMENT = /\/(?:\.|%2e){1,2}(?=[/?]|$)/i;
const MAX_URL_LENGTH = 2_048;
const MAX_HEADER_VALUE_LENGTH = 4_096;

export type UrlCompilation =
  | { readonly ok: true; readonly url: UrlTemplate }
  | { readonly ok: false; readonly errors: readonly TemplateError[] };

export class UrlTemplate {
  readonly #template: TextTemplate;

  constructor(template: TextTemplate) {
    this.#template = template;
  }

  /** The expressions; without a value for one in the path nothing can be sent. */
  get holes(): readonly { readonly program: Program; readonly isInPath: boolean }[] {
    return this.#template.holes.map(({ program, write }) => ({ program, isInPath: write === inPath }));
  }

  /** A URL as it might become, to be judged when it is saved. */
  sample(): string {
    return this.#template.sample("x");
  }

  render(scope: Scope): TextRendering {
    const rendering = this.#template.render(scope);
    if (!rendering.ok) return rendering;
    const { text } = rendering;
    if (text.length > MAX_URL_LENGTH) {
      const message = `The URL would have ${text.length} characters; ${MAX_URL_LENGTH} are the most.`;
      return { ok: false, path: "", code: "VALUE_UNFIT", message };
    }
    if (hasDotSegment(text)) {
      return {
        ok: false,
        path: "",
        code: "VALUE_UNFIT",
        message: `A part of the path would be . or .., which lead elsewhere.`,
      };
    }
    return rendering;
  }
}

/** Compiles a URL that holds expressions. */
export function compileUrl(source: string): UrlCompilation {
  if (!FIXED_HOST.test(source)) {
    const message =
      "Scheme, host and port of a URL are fixed: {{ }} may stand behind them, in the path or the query, as in https://example.com/customers/{{ customer.id }}.";
    return { ok: false, errors: [{ path: "", code: "INVALID_LITERAL", message }] };
  }
  const compiled = compileText(source, (before) => (before.includes("?") ? inQuery : inPath));
  if (!compiled.ok) return compiled;
  const url = new UrlTemplate(compiled.template);
  if (!hasDotSegment(url.sample())) return { ok: true, url };
  const message = "A part of the path is . or .., which lead elsewhere. Write the path in full.";
  return { ok: false, errors: [{ path: "", code: "INVALID_LITERAL", message }] };
}

/** Compiles a header's value that holds expressions. */
export function compileHeaderValue(source: string): ReturnType<typeof compileText> {
  return compileText(source, () => inHeader);
}

/** A rendered header's value that is too long for one line. */
export function renderHeaderValue(template: TextTemplate, scope: Scope): TextRendering {
  const rendering = template.render(scope);
  if (!rendering.ok || rendering.text.length <= MAX_HEADER_VALUE_LENGTH) return rendering;
  const message = `The value would have ${rendering.text.length} characters; ${MAX_HEADER_VALUE_LENGTH} are the most.`;
  return { ok: false, path: "", code: "VALUE_UNFIT", message };
}

function hasDotSegment(url: string): boolean {
  return DOT_SEGMENT.test(url.split("?", 1)[0] ?? "");
}

/** An empty segment would address something else: of `DELETE …/customers/{{ customer.id }}` all customers. */
const inPath: WriteValue = (value) => {
  const text = inQuery(value);
  if (text !== "") return text;
  throw new ExpressionFault("VALUE_MISSING", "there is no value, and without it the URL would mean something else.");
};

const inQuery: WriteValue = (value) => percentEncoded(scalarText(value), IN_URL);

const inHeader: WriteValue = (value) => percentEncoded(scalarText(value), IN_HEADER);

function scalarText(value: Value): string {
  if (!isList(value) && !isObject(value)) return plainText(value);
  const what = isList(value) ? "a list" : "an object";
  throw new ExpressionFault("VALUE_UNFIT", `this is ${what}; a URL or a header takes one text, number or truth value.`);
}
