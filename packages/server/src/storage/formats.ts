// What a webhook's bodies can be made of besides a template, and what of a request can differ by event type.
import { CLOUD_EVENT_TYPE } from "@posthorn/contract";

/**
 * `bigledger`: the published envelope. `cloudEvents`, `cloudEventsBinary`: CloudEvents 1.0. `thin`: type, time and ids,
 * as Standard Webhooks has it. `data`: the payload alone. `none`: no body at all.
 */
export const FORMATS = ["bigledger", "cloudEvents", "cloudEventsBinary", "thin", "data", "none"] as const;
export type Format = (typeof FORMATS)[number];

export const METHODS = ["POST", "PUT", "PATCH", "DELETE"] as const;
export type Method = (typeof METHODS)[number];

const JSON_TYPE = "application/json";
const CONTENT_TYPES: Readonly<Record<Format, string | null>> = {
  bigledger: JSON_TYPE,
  cloudEvents: CLOUD_EVENT_TYPE,
  cloudEventsBinary: JSON_TYPE,
  thin: JSON_TYPE,
  data: JSON_TYPE,
  none: null,
};

/** What the body of one event is called: by its template where there is one. Null: there is no body. */
export function contentTypeOf(format: Format, transform: { readonly contentType?: string } | null): string | null {
  return transform === null ? CONTENT_TYPES[format] : (transform.contentType ?? JSON_TYPE);
}
