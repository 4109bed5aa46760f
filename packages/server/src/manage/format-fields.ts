// The fields `format` and `perEvent`, and expressions in URLs and headers: shapes, and what is wrong with them.
// Must refuse what could not be sent: an expression in a host, a format that is no part of a batch.
import type { ErrorDetail } from "@posthorn/contract";
import { z } from "zod";
import { encodingOf } from "../expressions/encodings.ts";
import type { TemplateError } from "../expressions/template-layout.ts";
import { hasExpression } from "../expressions/text-template.ts";
import { compileHeaderValue, compileUrl } from "../expressions/url-template.ts";
import { isSecretHeader, MASK } from "../lib/masking.ts";
import { checkCustomHeaders } from "../security/outbound/headers.ts";
import { type AuthSetting, authHeaderName } from "../security/receiver-auth.ts";
import type { PerEventSetting, TransformSetting } from "../storage/configuration.ts";
import { contentTypeOf, type Format, FORMATS, METHODS } from "../storage/formats.ts";
import { checkTransform, transformField } from "./transform.ts";

const MAX_PER_EVENT = 50;

export const formatField = z.enum(FORMATS);
export const methodField = z.enum(METHODS);

const perEventMember = z.strictObject({
  method: methodField.optional(),
  url: z.string().min(1).optional(),
  headers: z.record(z.string(), z.string()).optional(),
  format: formatField.optional(),
  transform: transformField.optional(),
});

export const perEventField = z
  .record(z.string(), perEventMember)
  .refine(
    (members) => Object.keys(members).length <= MAX_PER_EVENT,
    `At most ${MAX_PER_EVENT} event types and patterns`,
  );

export type PerEventField = z.output<typeof perEventField>;

/** What webhook-configuration.ts lends: its checks of single texts. */
export interface FormatChecks {
  readonly eventType: (pattern: string, field: string) => ErrorDetail[];
  readonly fixedUrl: (url: string, field: string) => ErrorDetail[];
}

export function checkPerEvent(perEvent: PerEventField, checks: FormatChecks): ErrorDetail[] {
  return Object.entries(perEvent).flatMap(([pattern, own]) => {
    const field = `perEvent[${JSON.stringify(pattern.slice(0, 128))}]`;
    const within = (details: readonly ErrorDetail[]): ErrorDetail[] =>
      details.map((detail) => ({ ...detail, field: `${field}.${detail.field}`.slice(0, 200) }));
    return [
      ...checks.eventType(pattern, field),
      ...(Object.values(own).some((value) => value !== undefined) ? [] : [saysNothing(field)]),
      ...(own.url === undefined ? [] : checkUrlText(own.url, `${field}.url`, checks.fixedUrl)),
      ...(own.headers === undefined ? [] : within([...checkHeaderTexts(own.headers), ...secretsIn(own.headers)])),
      ...(own.transform === undefined ? [] : within(checkTransform(own.transform))),
      ...within(bodySaidTwice(own)),
    ];
  });
}

function saysNothing(field: string): ErrorDetail {
  const message = "This says nothing: give a method, url, headers, format or transform, or leave it out.";
  return { field, message, code: "INVALID_VALUE" };
}

/** A URL, with expressions or without. The guard judges it as it might become. */
export function checkUrlText(url: string, field: string, fixedUrl: FormatChecks["fixedUrl"]): ErrorDetail[] {
  if (!hasExpression(url)) return fixedUrl(url, field);
  const compiled = compileUrl(url);
  return compiled.ok ? fixedUrl(compiled.url.sample(), field) : compiled.errors.map((error) => detailOf(error, field));
}

/** Names, and values with expressions or without. */
export function checkHeaderTexts(headers: Readonly<Record<string, string>>): ErrorDetail[] {
  const templated = Object.entries(headers).filter(([, value]) => hasExpression(value));
  const fixed = templated.map(([name]) => [name, "x"] as const);
  const check = checkCustomHeaders({ ...headers, ...Object.fromEntries(fixed) });
  if (!check.ok) {
    const field = check.field === "" ? "headers" : `headers.${check.field.slice(0, 64)}`;
    return [{ field, message: check.message, code: check.code }];
  }
  return templated.flatMap(([name, value]) => {
    const field = `headers.${name.slice(0, 64)}`;
    if (isSecretHeader(name)) {
      const message = `${name} is kept secret, so it cannot hold {{ }}. Give its value, or send what is no secret under another name.`;
      return [{ field, message, code: "INVALID_VALUE" }];
    }
    const compiled = compileHeaderValue(value);
    if (!compiled.ok) return compiled.errors.map((error) => detailOf(error, field));
    const sample = checkCustomHeaders({ [name]: compiled.template.sample("x") });
    return sample.ok ? [] : [{ field, message: sample.message, code: sample.code }];
  });
}

/** Secrets are kept with the webhook's own headers only. */
function secretsIn(headers: Readonly<Record<string, string>>): ErrorDetail[] {
  return Object.entries(headers)
    .filter(([name, value]) => isSecretHeader(name) || value === MASK)
    .map(([name]) => {
      const message = `${name} is kept secret: give it in the webhook's own \`headers\`, which go with every request.`;
      return { field: `headers.${name.slice(0, 64)}`, message, code: "INVALID_VALUE" };
    });
}

function detailOf({ message, code, position, hint }: TemplateError, field: string): ErrorDetail {
  return {
    field,
    message: hint === undefined ? message : `${message} ${hint}`,
    code: position === undefined ? "INVALID_VALUE" : "INVALID_EXPRESSION",
    reason: code,
    ...(position === undefined ? {} : { position }),
  };
}

/** The members of a configuration that must fit together. */
export interface FormatTogether {
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly auth?: AuthSetting;
  readonly format?: Format;
  readonly transform?: TransformSetting;
  readonly perEvent?: Readonly<Record<string, PerEventSetting>>;
  readonly batchSettings?: { readonly enabled?: boolean; readonly per?: "event" | "batch" };
  readonly onImport?: string;
}

export function checkFormatTogether(configuration: FormatTogether): ErrorDetail[] {
  return [...bodySaidTwice(configuration), ...perEventAuth(configuration), ...notInBatches(configuration)];
}

function bodySaidTwice({
  format,
  transform,
}: {
  readonly format?: unknown;
  readonly transform?: unknown;
}): ErrorDetail[] {
  if (format === undefined || transform === undefined) return [];
  const message = "Both this and `transform` say what the body is. Leave one of them out.";
  return [{ field: "format", message, code: "INVALID_VALUE" }];
}

function perEventAuth({ auth, perEvent }: FormatTogether): ErrorDetail[] {
  const name = auth === undefined ? null : authHeaderName(auth)?.toLowerCase();
  return Object.entries(perEvent ?? {}).flatMap(([pattern, { headers }]) =>
    Object.keys(headers ?? {})
      .filter((header) => header.toLowerCase() === name)
      .map((header) => {
        const field = `perEvent[${JSON.stringify(pattern)}].headers.${header}`;
        return { field, message: "`auth` sets this header. Leave one of them out.", code: "INVALID_VALUE" };
      }),
  );
}

/** Events of one batch are in one request, of one URL, with one media type. */
function notInBatches(configuration: FormatTogether): ErrorDetail[] {
  const { batchSettings, onImport, format, transform, perEvent, url, headers } = configuration;
  const gathers = batchSettings?.enabled === true || onImport === "batch";
  const by = batchSettings?.enabled === true ? "batchSettings" : "onImport";
  const because = (field: string, what: string): ErrorDetail => ({
    field,
    message: `${what}, and \`${by}\` puts many into one request. Leave one of them out.`,
    code: "INVALID_VALUE",
  });
  if (!gathers && onImport !== "digest") return [];
  const details: ErrorDetail[] = [];
  if (perEvent !== undefined) details.push(because("perEvent", "This sends events of some types in another way"));
  if (hasExpression(url)) details.push(because("url", "A URL with {{ }} belongs to one event"));
  for (const [name, value] of Object.entries(headers ?? {})) {
    if (value !== MASK && hasExpression(value)) {
      details.push(because(`headers.${name.slice(0, 64)}`, "A header with {{ }} belongs to one event"));
    }
  }
  if (!gathers) return details;
  if (format === "cloudEventsBinary" || format === "none") {
    const what = format === "none" ? "Requests without a body hold one event" : "Binary CloudEvents hold one event";
    details.push(because("format", what));
  }
  const contentType = transform === undefined ? null : contentTypeOf("bigledger", transform);
  if (contentType !== null && batchSettings?.per !== "batch" && encodingOf(contentType) !== "json") {
    const what = "A form or a text is made of one event, unless `batchSettings.per` is `batch`";
    details.push(because("transform.contentType", what));
  }
  return details;
}
