// Builds one request: URL, headers, signatures, body. What a webhook's version fixes is prepared once; what an attempt
// adds is added to a copy. Must sign exactly the bytes that are sent, and must never log or return a key.
import { createHash, createHmac } from "node:crypto";
import {
  ATTEMPT_HEADER,
  DELIVERY_HEADER,
  ENVELOPE_BEFORE_CONTEXT,
  ENVELOPE_END,
  EVENT_HEADER,
  envelopeBeforeData,
  SIGNATURE_HEADER,
  type SigningKeys,
  signatureHeaderValue,
  signingKeys,
  standardSignatureHeaderValue,
  standardSignedPrefix,
  WEBHOOK_ID_HEADER,
  WEBHOOK_SIGNATURE_HEADER,
  WEBHOOK_TIMESTAMP_HEADER,
} from "@posthorn/contract";
import type { Webhook } from "../storage/configuration.ts";
import type { DeliverableEvent } from "./queue.ts";

/** Decrypts a webhook's signing secret; rejects when the ciphertext does not open. */
export type OpenSecret = (webhook: Webhook) => Promise<string>;

/** What stays the same for all requests of one webhook version. */
export interface PreparedWebhook {
  readonly webhook: Webhook;
  readonly keys: SigningKeys;
  /** Name and value in turn. */
  readonly headers: readonly string[];
}

/** Opens the secret and lays out the fixed headers. */
export async function prepareWebhook(webhook: Webhook, openSecret: OpenSecret): Promise<PreparedWebhook> {
  const keys = signingKeys(await openSecret(webhook));
  if (keys === null) throw new Error(`the signing secret of ${webhook.id} is not valid base64 after whsec_`);
  const headers = ["content-type", "application/json"];
  for (const [name, value] of Object.entries(webhook.headers)) headers.push(name, value);
  return { webhook, keys, headers };
}

/** The default body: the published envelope, `data` and `context` byte for byte. Made once for all of its deliveries. */
export function envelopeOf(event: DeliverableEvent): Buffer {
  if (event.envelope !== undefined) return event.envelope;
  const head = envelopeBeforeData({
    id: event.publicId,
    event: event.type,
    timestamp: event.timestamp,
    livemode: event.livemode,
  });
  const contextLength = event.context === null ? 0 : ENVELOPE_BEFORE_CONTEXT.length + event.context.byteLength;
  const body = Buffer.allocUnsafe(head.length + event.data.byteLength + contextLength + ENVELOPE_END.length);
  let at = body.write(head, 0, "latin1");
  body.set(event.data, at);
  at += event.data.byteLength;
  if (event.context !== null) {
    at += body.write(ENVELOPE_BEFORE_CONTEXT, at, "latin1");
    body.set(event.context, at);
    at += event.context.byteLength;
  }
  body.write(ENVELOPE_END, at, "latin1");
  event.envelope = body;
  return body;
}

export interface AttemptIdentity {
  readonly publicEventId: string;
  readonly eventType: string;
  /** `dlv_…` */
  readonly deliveryId: string;
  /** From 1. */
  readonly number: number;
  /** When the attempt starts: seconds since 1970, estimated database time. */
  readonly timestampSeconds: number;
}

/** What is computed over the bytes of one request. */
export interface Seal {
  /** HMAC-SHA256 of the body under the plain key, hexadecimal. */
  readonly plain: string;
  /** HMAC-SHA256 of `id.timestamp.` and the body under the Standard Webhooks key, base64. */
  readonly standard: string;
  /** SHA-256 of the body, kept with the attempt. */
  readonly hash: Uint8Array;
}

/** Seals a body of up to some 256 KiB at once; larger ones go to the worker thread (lib/offload.ts). */
export function sealNow(body: Uint8Array, keys: SigningKeys, standardPrefix: string): Seal {
  return {
    plain: createHmac("sha256", keys.plain).update(body).digest("hex"),
    standard: createHmac("sha256", keys.standard).update(standardPrefix).update(body).digest("base64"),
    hash: createHash("sha256").update(body).digest(),
  };
}

/** What Standard Webhooks signs before the body. */
export function sealPrefix(attempt: AttemptIdentity): string {
  return standardSignedPrefix(attempt.publicEventId, attempt.timestampSeconds);
}

/** All headers of one request, name and value in turn: fixed ones, the three of BigLedger, both signatures. */
export function requestHeaders(prepared: PreparedWebhook, attempt: AttemptIdentity, seal: Seal): string[] {
  return [
    ...prepared.headers,
    EVENT_HEADER,
    attempt.eventType,
    DELIVERY_HEADER,
    attempt.deliveryId,
    ATTEMPT_HEADER,
    String(attempt.number),
    SIGNATURE_HEADER,
    signatureHeaderValue(seal.plain),
    WEBHOOK_ID_HEADER,
    attempt.publicEventId,
    WEBHOOK_TIMESTAMP_HEADER,
    String(attempt.timestampSeconds),
    WEBHOOK_SIGNATURE_HEADER,
    standardSignatureHeaderValue(seal.standard),
  ];
}
