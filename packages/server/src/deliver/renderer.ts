// Renders single requests of one shape: compiled once, used for every event of its type, in this thread or another.
// Must never throw for an event's sake: what was stopped is a value.
import { encodingOf, formText, xmlText } from "../expressions/encodings.ts";
import { plainText } from "../expressions/json-text.ts";
import { parseKeepingTexts } from "../expressions/payload.ts";
import type { Scope } from "../expressions/scope.ts";
import { compileTemplate, type MissingValue, OWN_FAULT, type Rendering } from "../expressions/template.ts";
import type { TemplateError } from "../expressions/template-layout.ts";
import { compileText, hasExpression, type TextRendering } from "../expressions/text-template.ts";
import { compileHeaderValue, compileUrl, renderHeaderValue } from "../expressions/url-template.ts";
import { ExpressionFault } from "../expressions/errors.ts";
import { formatHeaders, formattedBody } from "./formats.ts";
import type { DeliverableEvent } from "./queue.ts";
import type { BodyShape, FieldText, Shape } from "./shape.ts";

/** What becomes of an event for one webhook. */
export type Body =
  /** `warnings` is null unless a template found no value for some of its parts. */
  | {
      readonly kind: "body";
      readonly bytes: Buffer;
      readonly warnings: readonly MissingValue[] | null;
      /** Null: everything but the body is as `prepareWebhook` laid it out. */
      readonly parts: RequestParts | null;
    }
  /**
   * A template went beyond its limits on this event, lacks what it requires, or no longer compiles. That is the same at
   * every try: the delivery is held until the template or a person changes it. `path` is the place in the field.
   */
  | {
      readonly kind: "failed";
      readonly field: string;
      readonly path: string;
      readonly code: string;
      readonly message: string;
    };

export type FailedBody = Extract<Body, { kind: "failed" }>;

/** What of one request is not the webhook's own. */
export interface RequestParts {
  readonly url: string;
  readonly method: string;
  /** Null: no such header, because there is no body. */
  readonly contentType: string | null;
  /** Name and value in turn; a name of the webhook's own headers takes its place. */
  readonly headers: readonly string[];
}

/** Something with expressions, compiled: what it makes of a scope. */
type Render = (scope: Scope) => TextRendering;
type Compiled = { readonly ok: true; readonly render: Render } | { readonly ok: false; readonly failed: FailedBody };

export class Renderer {
  readonly shape: Shape;
  /** Null: a format makes the body, without the event's scope. */
  readonly #body: Compiled | null;
  /** In the order of the shape: the URL, then the headers. Null: fixed text. */
  readonly #texts: readonly (Compiled | null)[];
  /** True where an event has to be parsed. */
  readonly readsEvents: boolean;

  constructor(shape: Shape) {
    this.shape = shape;
    this.#body = shape.body.kind === "template" ? compiledBody(shape.body) : null;
    this.#texts = [compiledText(shape.url, urlOf), ...shape.headers.map((header) => compiledText(header, headerOf))];
    this.readsEvents = this.#body !== null || this.#texts.some((text) => text !== null);
  }

  /** The body and all that goes with it, of one event. */
  render(event: DeliverableEvent, scopeOf: () => Scope): Body {
    const { body } = this.shape;
    if (body.kind === "template") return this.whole(scopeOf(), event);
    const bytes = formattedBody(body.format, event, this.shape.source);
    return this.#withParts(bytes, [], event, scopeOf);
  }

  /** What the template makes of a scope: of one event, or of a batch (then without an event). */
  whole(scope: Scope, event: DeliverableEvent | null): Body {
    const { body } = this.shape;
    if (body.kind !== "template" || this.#body === null) return faultIn("transform.template", OWN_FAULT);
    if (!this.#body.ok) return this.#body.failed;
    const rendering = this.#body.render(scope);
    if (!rendering.ok) return faultIn(body.field, rendering);
    return this.#withParts(
      Buffer.from(rendering.text, "utf8"),
      fieldOf(rendering.missing, body.field),
      event,
      () => scope,
    );
  }

  #withParts(
    bytes: Buffer,
    missing: readonly MissingValue[],
    event: DeliverableEvent | null,
    scopeOf: () => Scope,
  ): Body {
    const { shape } = this;
    if (!shape.differs) return { kind: "body", bytes, warnings: missing.length === 0 ? null : missing, parts: null };
    const warnings = [...missing];
    const texts: string[] = [];
    for (const [index, place] of [shape.url, ...shape.headers].entries()) {
      const compiled = this.#texts[index] ?? null;
      if (compiled === null) {
        texts.push(place.text);
        continue;
      }
      if (!compiled.ok) return compiled.failed;
      const rendering = compiled.render(scopeOf());
      if (!rendering.ok) return faultIn(place.field, rendering);
      texts.push(rendering.text);
      warnings.push(...fieldOf(rendering.missing, place.field));
    }
    const [url = shape.url.text, ...values] = texts;
    const headers = shape.headers.flatMap(({ name }, index) => [name, values[index] ?? ""]);
    const { body } = shape;
    if (body.kind === "format" && event !== null) headers.push(...formatHeaders(body.format, event, shape.source));
    const parts = { url, method: shape.method, contentType: shape.contentType, headers };
    return { kind: "body", bytes, warnings: warnings.length === 0 ? null : warnings, parts };
  }
}

/** Warnings of the webhook's own template are stored without their field, which is the usual one. */
function fieldOf(missing: readonly MissingValue[], field: string): readonly MissingValue[] {
  return field === "transform.template" ? missing : missing.map((each) => ({ ...each, field }));
}

function faultIn(
  field: string,
  { path = "", code, message }: { path?: string; code: string; message: string },
): FailedBody {
  return { kind: "failed", field, path, code, message };
}

/** Checked when it was saved: only another version of this program can have let it through. */
function notCompiled(field: string, errors: readonly TemplateError[]): Compiled {
  const { path, code, message } = errors[0] ?? { path: "", ...OWN_FAULT };
  return { ok: false, failed: { kind: "failed", field, path, code, message } };
}

function compiledBody({ template, contentType, field }: Extract<BodyShape, { kind: "template" }>): Compiled {
  const encoding = encodingOf(contentType) ?? "json";
  if (encoding === "text" || encoding === "xml") {
    const write =
      encoding === "xml" ? (value: Parameters<typeof plainText>[0]) => xmlText(plainText(value)) : plainText;
    const compiled = compileText(String(template), () => write);
    return compiled.ok
      ? { ok: true, render: (scope) => compiled.template.render(scope) }
      : notCompiled(field, compiled.errors);
  }
  const compiled = compileTemplate(template);
  if (!compiled.ok) return notCompiled(field, compiled.errors);
  const written = encoding === "json" ? (json: string) => json : (json: string) => formText(parseKeepingTexts(json));
  return { ok: true, render: (scope) => textOf(compiled.template.render(scope), written) };
}

function textOf(rendering: Rendering, written: (json: string) => string): TextRendering {
  if (!rendering.ok) return rendering;
  try {
    return { ok: true, text: written(rendering.json), missing: rendering.missing };
  } catch (error) {
    const { code, message } = error instanceof ExpressionFault ? error : OWN_FAULT;
    return { ok: false, path: "", code, message };
  }
}

function compiledText(place: FieldText, compile: (place: FieldText) => Compiled): Compiled | null {
  return hasExpression(place.text) ? compile(place) : null;
}

function urlOf({ text, field }: FieldText): Compiled {
  const compiled = compileUrl(text);
  return compiled.ok
    ? { ok: true, render: (scope) => compiled.url.render(scope) }
    : notCompiled(field, compiled.errors);
}

function headerOf({ text, field }: FieldText): Compiled {
  const compiled = compileHeaderValue(text);
  return compiled.ok
    ? { ok: true, render: (scope) => renderHeaderValue(compiled.template, scope) }
    : notCompiled(field, compiled.errors);
}
