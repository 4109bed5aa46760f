// The field `transform`: what a request's body is made of instead of the envelope. Its shape, and what is wrong with it.
// Must refuse at once what could fail later: a template that is stored renders, or says why it did not.
import type { ErrorDetail } from "@posthorn/contract";
import { z } from "zod";
import { compileTemplate, type MissingValue } from "../expressions/template.ts";
import type { TemplateError } from "../expressions/template-layout.ts";

/** Something that is allowed and probably not meant. */
export interface ConfigurationWarning {
  readonly code: "NEVER_MATCHES_TYPE" | "MISSING_IN_TEMPLATE" | "RULE_NOT_EVALUATED";
  /** `filters[0]`, `transform.template.order_id`. */
  readonly field: string;
  readonly message: string;
}

/** `template` is any JSON tree; what it holds is checked by `checkTransform`. */
export const transformField = z.strictObject({
  template: z.unknown().describe("Any JSON tree; its texts may hold {{ expressions }}."),
  contentType: z.string().max(200).optional(),
});

export type TransformField = z.output<typeof transformField>;

/** `application/json`, `application/vnd.acme.order+json`, in UTF-8 (RFC 8259, section 8.1; RFC 6839, section 3.1). */
const JSON_MEDIA_TYPE = /^application\/(?:[a-z0-9][a-z0-9!#$&^_.-]*\+)?json(?: *; *charset="?utf-8"?)?$/i;
const MEDIA_TYPE = /^[a-z0-9][a-z0-9!#$&^_.+-]*\/[a-z0-9][a-z0-9!#$&^_.+-]*(?: *;.*)?$/i;

/** Everything wrong with a transformation, each with the place in the template. */
export function checkTransform({ template, contentType }: TransformField): ErrorDetail[] {
  const details = contentType === undefined ? [] : checkContentType(contentType);
  if (template === undefined) {
    const message =
      "This is required: the JSON tree that becomes the body. To send the envelope leave `transform` out.";
    return [...details, { field: "transform.template", message, code: "MISSING_MEMBER" }];
  }
  const compiled = compileTemplate(template);
  return compiled.ok ? details : [...details, ...compiled.errors.map(detailOf)];
}

/** What a person is told of a part that had no value, beside an attempt or in a preview. */
export function missingValueWarning({ path, expression }: MissingValue): ConfigurationWarning {
  const field = templateFieldName(path);
  return { code: "MISSING_IN_TEMPLATE", field, message: `The event had no value for {{ ${expression} }}.` };
}

/** How a place in a template is called in messages: `transform.template.lines[0].sku`. */
export function templateFieldName(path: string): string {
  const joint = path === "" || path.startsWith("[") ? "" : ".";
  return `transform.template${joint}${path}`.slice(0, 200);
}

function checkContentType(contentType: string): ErrorDetail[] {
  if (JSON_MEDIA_TYPE.test(contentType)) return [];
  const field = "transform.contentType";
  if (MEDIA_TYPE.test(contentType)) {
    const message = "A template writes JSON so far: use application/json or a type that ends in +json.";
    return [{ field, message, code: "FIELD_NOT_AVAILABLE_YET" }];
  }
  return [{ field, message: "Expected a media type such as application/json.", code: "INVALID_VALUE" }];
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
