// What signatures look like on the wire, without computing one: the HMAC itself is the caller's (node:crypto in the
// server, WebCrypto elsewhere). Must never hold a secret longer than a call.

/** BigLedger's own signature header: `sha256=<hex>` over the exact body bytes. */
export const SIGNATURE_HEADER = "x-signature";
/** Standard Webhooks headers (https://github.com/standard-webhooks/standard-webhooks, specification 1.0). */
export const WEBHOOK_ID_HEADER = "webhook-id";
export const WEBHOOK_TIMESTAMP_HEADER = "webhook-timestamp";
export const WEBHOOK_SIGNATURE_HEADER = "webhook-signature";
/** Headers that say which event, delivery and attempt a request belongs to. */
export const EVENT_HEADER = "x-bigledger-event";
export const DELIVERY_HEADER = "x-bigledger-delivery";
export const ATTEMPT_HEADER = "x-bigledger-attempt";
/** How many events a request stands for, where only the last state of each key is sent. */
export const COALESCED_HEADER = "x-bigledger-coalesced";
/** Only where somebody corrected the payload: which correction was sent in the place of the event's own. */
export const CORRECTION_HEADER = "x-bigledger-correction";

const STANDARD_PREFIX = "whsec_";
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

/** The two keys that one secret stands for. */
export interface SigningKeys {
  /** Key of `X-Signature`: the secret's UTF-8 bytes, prefix and all. */
  readonly plain: Uint8Array;
  /** Key of `webhook-signature`: the base64 after `whsec_`, else the secret's UTF-8 bytes. */
  readonly standard: Uint8Array;
}

/**
 * The keys of a webhook's secret.
 * @returns null when the secret starts with `whsec_` and what follows is not base64
 */
export function signingKeys(secret: string): SigningKeys | null {
  const plain = new TextEncoder().encode(secret);
  if (!secret.startsWith(STANDARD_PREFIX)) return { plain, standard: plain };
  const encoded = secret.slice(STANDARD_PREFIX.length);
  if (encoded === "" || !BASE64.test(encoded)) return null;
  return { plain, standard: bytesFromBase64(encoded) };
}

/** The form of a secret that Standard Webhooks libraries take: `whsec_` and base64. */
export function standardWebhooksSecret(secret: string): string {
  if (secret.startsWith(STANDARD_PREFIX)) return secret;
  return STANDARD_PREFIX + base64FromBytes(new TextEncoder().encode(secret));
}

/** What Standard Webhooks signs before the body bytes: `id.timestamp.`; the timestamp is the attempt's, in seconds. */
export function standardSignedPrefix(webhookId: string, timestampSeconds: number): string {
  return `${webhookId}.${timestampSeconds}.`;
}

function bytesFromBase64(text: string): Uint8Array {
  const binary = atob(text);
  return Uint8Array.from(binary, (character) => character.charCodeAt(0));
}

function base64FromBytes(bytes: Uint8Array): string {
  let binary = "";
  for (const byte of bytes) binary += String.fromCharCode(byte);
  return btoa(binary);
}
