// What a webhook says about its requests for events of one type: which body, URL, method and headers. Plain data, so that
// another thread can have it. Must say of a webhook without any of this that it is plain: nearly all are.
import { cloudEventSource } from "@posthorn/contract";
import { matchesPattern } from "../catalogue/pattern.ts";
import { hasExpression } from "../expressions/text-template.ts";
import { MASK } from "../lib/masking.ts";
import type { PerEventSetting, Webhook } from "../storage/configuration.ts";
import { contentTypeOf, type Format } from "../storage/formats.ts";

export interface Shape {
  readonly body: BodyShape;
  /** Null: there is no body. */
  readonly contentType: string | null;
  /** Texts here may hold expressions. */
  readonly url: FieldText;
  readonly method: string;
  /** Those that are not the same for all requests of the webhook. */
  readonly headers: readonly (FieldText & { readonly name: string })[];
  /** What CloudEvents name as theirs. */
  readonly source: string;
  /** True where more than the body may be another than `prepareWebhook` laid out. */
  readonly differs: boolean;
}

/** A text, and the field that it stands in, for messages. */
export interface FieldText {
  readonly text: string;
  readonly field: string;
}

export type BodyShape =
  | { readonly kind: "format"; readonly format: Format }
  | { readonly kind: "template"; readonly template: unknown; readonly contentType: string; readonly field: string };

/** What a request is made of. */
export interface ShapedWebhook
  extends Pick<Webhook, "url" | "method" | "headers" | "format" | "transform" | "perEvent"> {
  readonly tenantId: string;
}

/** True where every request has the event's whole envelope as its body and all else as it was prepared. */
export function isPlain(webhook: ShapedWebhook & Pick<Webhook, "privacy">): boolean {
  const { format, transform, perEvent, privacy, url, headers } = webhook;
  return (
    privacy === null &&
    format === "bigledger" &&
    transform === null &&
    perEvent === null &&
    !hasExpression(url) &&
    !Object.values(headers).some(hasExpression)
  );
}

/** @param key of `perEvent`; null for what the webhook itself says */
export function shapeOf(webhook: ShapedWebhook, key: string | null): Shape {
  const own: PerEventSetting = key === null ? {} : (webhook.perEvent?.[key] ?? {});
  const within = (field: string): string => `perEvent[${JSON.stringify(key)}].${field}`;
  const saysBody = own.format !== undefined || own.transform !== undefined;
  const format = saysBody ? (own.format ?? "bigledger") : webhook.format;
  const transform = saysBody ? (own.transform ?? null) : webhook.transform;
  const contentType = contentTypeOf(format, transform);
  const headers = headersOf(webhook, own, within);
  const url = own.url === undefined ? { text: webhook.url, field: "url" } : { text: own.url, field: within("url") };
  const method = own.method ?? webhook.method;
  return {
    body:
      transform === null
        ? { kind: "format", format }
        : {
            kind: "template",
            template: transform.template,
            contentType: contentType as string,
            field: saysBody ? within("transform.template") : "transform.template",
          },
    contentType,
    url,
    method,
    headers,
    source: cloudEventSource(webhook.tenantId),
    differs:
      headers.length > 0 ||
      url.text !== webhook.url ||
      hasExpression(url.text) ||
      method !== webhook.method ||
      format === "cloudEventsBinary" ||
      contentType !== contentTypeOf(webhook.format, webhook.transform),
  };
}

/** Which member of `perEvent` is for this event type: the exact name, else the pattern that says most. Null: none. */
export function perEventKey({ perEvent }: Pick<Webhook, "perEvent">, eventType: string): string | null {
  if (perEvent === null) return null;
  if (Object.hasOwn(perEvent, eventType)) return eventType;
  const fitting = Object.keys(perEvent).filter((pattern) => matchesPattern(pattern, eventType));
  return fitting.toSorted((a, b) => b.length - a.length)[0] ?? null;
}

function headersOf(webhook: ShapedWebhook, own: PerEventSetting, within: (field: string) => string): Shape["headers"] {
  const given = Object.entries(own.headers ?? {}).map(([name, text]) => ({
    name,
    text,
    field: within(`headers.${name}`),
  }));
  const names = new Set(given.map(({ name }) => name.toLowerCase()));
  const templated = Object.entries(webhook.headers)
    .filter(([name, text]) => text !== MASK && hasExpression(text) && !names.has(name.toLowerCase()))
    .map(([name, text]) => ({ name, text, field: `headers.${name}` }));
  return [...templated, ...given];
}
