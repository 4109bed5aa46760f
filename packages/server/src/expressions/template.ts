// Templates: a JSON tree with {{ expressions }} in its texts, compiled once, rendered to JSON text for each event.
// A payload's text must always stay inside one JSON text, and a template that compiles must never throw on an event.
import { ExpressionFault, type ExpressionFaultCode } from "./errors.ts";
import { JsonText } from "./json-text.ts";
import { Evaluation } from "./limits.ts";
import type { Scope } from "./scope.ts";
import { type Group, type Hole, layOutTemplate, type Segment, type TemplateError } from "./template-layout.ts";
import { ABSENT } from "./values.ts";

/** A part of a template that had no value for this event: it was written as `null`, or as nothing inside a text. */
export interface MissingValue {
  /** Where in the template: `order_id`, `lines[0].sku`; empty for the template itself. */
  readonly path: string;
  readonly expression: string;
  /** The field that the template stands in; `transform.template` unless said. */
  readonly field?: string;
}

/** It was stopped: always the same for this template and this event, so there is no use in trying again. */
export interface RenderingFailure {
  readonly ok: false;
  readonly path: string;
  readonly code: ExpressionFaultCode;
  readonly message: string;
}

/** What one event makes of a template. */
export type Rendering =
  | { readonly ok: true; readonly json: string; readonly missing: readonly MissingValue[] }
  | RenderingFailure;

export type TemplateCompilation =
  | { readonly ok: true; readonly template: Template }
  | { readonly ok: false; readonly errors: readonly TemplateError[] };

/** More would only say the same again. */
const MAX_MISSING = 20;
const NOTHING_MISSING: readonly MissingValue[] = [];

/** A compiled template. It keeps no state between events. */
export class Template {
  /** Those that are always written: what a condition guards is nobody's business when it is not true. */
  readonly holes: readonly Hole[];
  readonly #segments: readonly Segment[];

  constructor(segments: readonly Segment[]) {
    this.#segments = segments;
    this.holes = segments.flatMap(holesOf);
  }

  /** Writes the template for one event. All expressions share one budget (limits.ts). Never throws. */
  render(scope: Scope): Rendering {
    const writing: Writing = { run: new Evaluation(scope), out: new JsonText(), missing: undefined, path: "" };
    try {
      writeSegments(this.#segments, writing);
    } catch (error) {
      const { code, message } = error instanceof ExpressionFault ? error : OWN_FAULT;
      return { ok: false, path: writing.path, code, message };
    }
    return { ok: true, json: writing.out.text, missing: writing.missing ?? NOTHING_MISSING };
  }
}

interface Writing {
  readonly run: Evaluation;
  readonly out: JsonText;
  missing: MissingValue[] | undefined;
  /** The place that is being written. */
  path: string;
}

function writeSegments(segments: readonly Segment[], writing: Writing): void {
  const { run, out } = writing;
  for (const segment of segments) {
    if (typeof segment === "string") {
      out.append(segment);
      continue;
    }
    if ("items" in segment) {
      writeGroup(segment, writing);
      continue;
    }
    writing.path = segment.path;
    const value = segment.program.evaluateIn(run);
    if (value instanceof ExpressionFault) throw value;
    if (value === ABSENT) {
      writing.missing ??= [];
      const expression = segment.program.source.trim();
      if (writing.missing.length < MAX_MISSING) writing.missing.push({ path: segment.path, expression });
    }
    if (segment.inText) out.writeInText(value);
    else out.write(value);
  }
}

function writeGroup({ open, close, items }: Group, writing: Writing): void {
  const { run, out } = writing;
  out.append(open);
  let separator = "";
  for (const { condition, segments } of items) {
    if (condition !== null) {
      writing.path = condition.path;
      const holds = condition.program.evaluateIn(run);
      if (holds instanceof ExpressionFault) throw holds;
      if (holds !== true) continue;
    }
    out.append(separator);
    separator = ",";
    writeSegments(segments, writing);
  }
  out.append(close);
}

function holesOf(segment: Segment): readonly Hole[] {
  if (typeof segment === "string") return [];
  if (!("items" in segment)) return [segment];
  return segment.items.flatMap(({ condition, segments }) => (condition === null ? segments.flatMap(holesOf) : []));
}

export const OWN_FAULT = { code: "EVALUATION_FAILED", message: "The template could not be rendered." } as const;

/**
 * Compiles a template, any JSON tree as JSON.parse makes it.
 *
 * A text that is exactly one `{{ expression }}` becomes the expression's value with its JSON type, numbers with the
 * text that the payload has; other texts stay texts, with each expression's value written into them (`null` and
 * missing as nothing, lists and objects as JSON). Keys are literal and may not hold `{{`. A member or element
 * `{ "$when": condition, "$value": … }` is left out unless the condition is true. All errors are told at once, each with
 * its place.
 *
 * @example
 * const compiled = compileTemplate({ order_id: "{{ order.id }}", title: "Order {{ order.number }}", source: "erp" });
 */
export function compileTemplate(source: unknown): TemplateCompilation {
  const { segments, errors } = layOutTemplate(source);
  return errors.length > 0 ? { ok: false, errors } : { ok: true, template: new Template(segments) };
}
