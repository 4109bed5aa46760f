// The headers of a request that was sent, made again from the version that it used: names as sent, secret values and
// signatures masked. Must never need a secret; a test holds it against what deliver really sends.
import {
  ATTEMPT_HEADER,
  CORRECTION_HEADER,
  DEFAULT_SIGNATURE_PROFILES,
  DELIVERY_HEADER,
  EVENT_HEADER,
  signatureRecipe,
  signatureValue,
  WEBHOOK_ID_HEADER,
} from "@posthorn/contract";
import { MASK, maskHeaders } from "../../lib/masking.ts";
import type { StoredConfiguration } from "../../manage/webhook-configuration.ts";
import { authHeaderName, NO_AUTH, shownAuthHeaderValue } from "../../security/receiver-auth.ts";
import { WEBHOOK_DEFAULTS } from "../../storage/configuration.ts";

export interface SentAttempt {
  /** What the receiver saw as `webhook-id`. */
  readonly publicEventId: string;
  readonly eventType: string;
  readonly deliveryId: string;
  readonly number: number;
  readonly startedAtMs: number;
  readonly correctionId?: string;
}

/** Header names and shown values, in the order in which they were sent. */
export function sentHeaders(configuration: StoredConfiguration, attempt: SentAttempt): Record<string, string> {
  const headers: Record<string, string> = {
    "content-type": configuration.transform?.contentType ?? WEBHOOK_DEFAULTS.contentType,
    ...maskHeaders(configuration.headers ?? {}),
  };
  const auth = configuration.auth ?? NO_AUTH;
  const authName = authHeaderName(auth);
  if (auth.type !== "none" && authName !== null) headers[authName] = shownAuthHeaderValue(auth);
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
