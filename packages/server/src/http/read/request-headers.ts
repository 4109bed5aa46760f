// The headers of a request that was sent, made again from the version that it used: names as sent, secret values and
// signatures masked. Must never need a secret; a test holds it against what deliver really sends.
import {
  ATTEMPT_HEADER,
  BATCH_EVENT,
  CLOUD_EVENT_BATCH_TYPE,
  CORRECTION_HEADER,
  DEFAULT_SIGNATURE_PROFILES,
  DELIVERY_HEADER,
  DIGEST_EVENT,
  EVENT_HEADER,
  signatureRecipe,
  signatureValue,
  WEBHOOK_ID_HEADER,
} from "@posthorn/contract";
import type { RequestParts } from "../../deliver/renderer.ts";
import { perEventKey, shapeOf } from "../../deliver/shape.ts";
import { hasExpression } from "../../expressions/text-template.ts";
import { MASK, maskHeaders } from "../../lib/masking.ts";
import type { StoredConfiguration } from "../../manage/webhook-configuration.ts";
import { authHeaderName, NO_AUTH, shownAuthHeaderValue } from "../../security/receiver-auth.ts";
import { WEBHOOK_DEFAULTS } from "../../storage/configuration.ts";
import { contentTypeOf } from "../../storage/formats.ts";

export interface SentAttempt {
  /** What the receiver saw as `webhook-id`. */
  readonly publicEventId: string;
  readonly eventType: string;
  readonly deliveryId: string;
  readonly number: number;
  readonly startedAtMs: number;
  readonly correctionId?: string;
}

/**
 * What of a recorded request was not the webhook's own, as far as it can be told without the payload: texts with
 * expressions are shown as they were written.
 */
export function recordedParts(
  configuration: StoredConfiguration,
  { eventType, publicEventId }: SentAttempt,
): RequestParts | null {
  const { url, method = WEBHOOK_DEFAULTS.method, format = WEBHOOK_DEFAULTS.format } = configuration;
  const { headers = {}, transform = null, perEvent = null } = configuration;
  const isOfMany = eventType === BATCH_EVENT || eventType === DIGEST_EVENT;
  const key = isOfMany ? null : perEventKey({ perEvent }, eventType);
  const shape = shapeOf({ tenantId: "", url, method, headers, format, transform, perEvent }, key);
  if (isOfMany && shape.body.kind === "format") {
    const isCloudEvents = eventType === BATCH_EVENT && format === "cloudEvents";
    const contentType = isCloudEvents ? CLOUD_EVENT_BATCH_TYPE : WEBHOOK_DEFAULTS.contentType;
    return { url, method, contentType, headers: [] };
  }
  if (!shape.differs) return null;
  const given = shape.headers.flatMap(({ name, text }) => [name, text]);
  const isBinary = shape.body.kind === "format" && shape.body.format === "cloudEventsBinary";
  const known = ["ce-specversion", "1.0", "ce-id", publicEventId, "ce-type", eventType];
  return {
    url: shape.url.text,
    method: shape.method,
    contentType: shape.contentType,
    headers: isBinary ? [...given, ...known] : given,
  };
}

/**
 * Header names and shown values, in the order in which they were sent.
 * @param parts what of the request is not the webhook's own
 */
export function sentHeaders(
  configuration: StoredConfiguration,
  attempt: SentAttempt,
  parts: RequestParts | null,
): Record<string, string> {
  const headers: Record<string, string> = {};
  const ofAll = contentTypeOf(configuration.format ?? WEBHOOK_DEFAULTS.format, configuration.transform ?? null);
  const contentType = parts === null ? ofAll : parts.contentType;
  if (contentType !== null) headers["content-type"] = contentType;
  const others = pairsOf(parts?.headers ?? []);
  const replaced = new Set(others.map(([name]) => name.toLowerCase()));
  for (const [name, value] of Object.entries(maskHeaders(configuration.headers ?? {}))) {
    if (!replaced.has(name.toLowerCase()) && (value === MASK || !hasExpression(value))) headers[name] = value;
  }
  const auth = configuration.auth ?? NO_AUTH;
  const authName = authHeaderName(auth);
  if (auth.type !== "none" && authName !== null) headers[authName] = shownAuthHeaderValue(auth);
  for (const [name, value] of others) headers[name] = value;
  headers[EVENT_HEADER] = attempt.eventType;
  headers[DELIVERY_HEADER] = attempt.deliveryId;
  headers[ATTEMPT_HEADER] = String(attempt.number);
  headers[WEBHOOK_ID_HEADER] = attempt.publicEventId;
  if (attempt.correctionId !== undefined) headers[CORRECTION_HEADER] = attempt.correctionId;
  const seconds = Math.floor(attempt.startedAtMs / 1_000);
  for (const profile of configuration.signature?.profiles ?? DEFAULT_SIGNATURE_PROFILES) {
    const recipe = signatureRecipe(profile);
    if (recipe.timestampHeader !== null) headers[recipe.timestampHeader] = String(seconds);
    headers[recipe.header] = signatureValue(recipe, [MASK], seconds);
  }
  return headers;
}

function pairsOf(headers: readonly string[]): (readonly [string, string])[] {
  return headers.flatMap((name, index) => (index % 2 === 0 ? [[name, headers[index + 1] ?? ""] as const] : []));
}

/** A receiver's headers from the lines they are kept in; a name sent twice has its values joined, cookies are masked. */
export function receivedHeaders(lines: string | null): Record<string, string> {
  // A map: a receiver may call its header `constructor`.
  const headers = new Map<string, string>();
  for (const line of (lines ?? "").split("\n")) {
    const colon = line.indexOf(": ");
    if (colon < 1) continue;
    const name = line.slice(0, colon).toLowerCase();
    const value = name === "set-cookie" ? MASK : line.slice(colon + 2);
    const before = headers.get(name);
    headers.set(name, before === undefined || value === MASK ? value : `${before}, ${value}`);
  }
  return Object.fromEntries(headers);
}
