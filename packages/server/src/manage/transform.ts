// The field `transform`: what a request's body is made of instead of the envelope. Its shape, and what is wrong with it.
// Must refuse at once what could fail later: a template that is stored renders, or says why it did not.
import type { ErrorDetail } from "@posthorn/contract";
import { z } from "zod";
import { encodingOf } from "../expressions/encodings.ts";
import { compileTemplate, type MissingValue } from "../expressions/template.ts";
import type { TemplateError } from "../expressions/template-layout.ts";
import { AS_IT_READS, compileText } from "../expressions/text-template.ts";

/** Something that is allowed and probably not meant. */
export interface ConfigurationWarning {
  readonly code: "NEVER_MATCHES_TYPE" | "MISSING_IN_TEMPLATE" | "RULE_NOT_EVALUATED" | "TAGGED_FIELDS_SENT";
  /** `filters[0]`, `transform.template.order_id`. */
  readonly field: string;
  readonly message: string;
}

/** `template` is any JSON tree, or a text; what it holds is checked by `checkTransform`. */
export const transformField = z.strictObject({
  template: z.unknown().describe("Any JSON tree; its texts may hold {{ expressions }}. For a text or XML: one text."),
  contentType: z.string().max(200).optional(),
});

export type TransformField = z.output<typeof transformField>;

const MEDIA_TYPE = /^[a-z0-9][a-z0-9!#$&^_.+-]*\/[a-z0-9][a-z0-9!#$&^_.+-]*(?: *;.*)?$/i;

/** Everything wrong with a transformation, each with the place in the template. */
export function checkTransform({ template, contentType }: TransformField): ErrorDetail[] {
  const details = contentType === undefined ? [] : checkContentType(contentType);
  if (template === undefined) {
    const message =
      "This is required: the JSON tree that becomes the body. To send the envelope leave `transform` out.";
    return [...details, { field: "transform.template", message, code: "MISSING_MEMBER" }];
  }
  const encoding = contentType === undefined ? "json" : encodingOf(contentType);
  if (encoding === "form" && (typeof template !== "object" || template === null || Array.isArray(template))) {
    const message = "A form has names and values: the template is a map of them.";
    return [...details, { field: "transform.template", message, code: "INVALID_VALUE" }];
  }
  const isText = encoding === "text" || encoding === "xml";
  if (isText && typeof template !== "string") {
    const message = "The template of a text is one text, with {{ expressions }} in it.";
    return [...details, { field: "transform.template", message, code: "INVALID_VALUE" }];
  }
  const compiled = isText ? compileText(template as string, AS_IT_READS) : compileTemplate(template);
  return compiled.ok ? details : [...details, ...compiled.errors.map(detailOf)];
}

/** What a person is told of a part that had no value, beside an attempt or in a preview. */
export function missingValueWarning({ path, expression, field }: MissingValue): ConfigurationWarning {
  const place = templateFieldName(path, field);
  return { code: "MISSING_IN_TEMPLATE", field: place, message: `The event had no value for {{ ${expression} }}.` };
}

/** How a place in a template is called in messages: `transform.template.lines[0].sku`. */
export function templateFieldName(path: string, field = "transform.template"): string {
  const joint = path === "" || path.startsWith("[") ? "" : ".";
  return `${field}${joint}${path}`.slice(0, 200);
}

function checkContentType(contentType: string): ErrorDetail[] {
  if (encodingOf(contentType) !== null) return [];
  const message = MEDIA_TYPE.test(contentType)
    ? "A template writes JSON (application/json, or a type that ends in +json), a form (application/x-www-form-urlencoded), XML or text (text/plain and others), in UTF-8."
    : "Expected a media type such as application/json.";
  return [{ field: "transform.contentType", message, code: "INVALID_VALUE" }];
}

function detailOf({ path, code, message, position, hint }: TemplateError): ErrorDetail {
  return {
    field: templateFieldName(path),
    message: hint === undefined ? message : `${message} ${hint}`,
    code: position === undefined ? "INVALID_VALUE" : "INVALID_EXPRESSION",
    reason: code,
    ...(position === undefined ? {} : { position }),
  };
}
