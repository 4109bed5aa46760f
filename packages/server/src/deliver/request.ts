// Builds one request: URL, headers, signatures, body. What a webhook's version fixes is prepared once; what an attempt
// adds is added to a copy. Must sign exactly the bytes that are sent, and must never log or return a key.
import {
  ATTEMPT_HEADER,
  BATCH_EVENT,
  COALESCED_HEADER,
  CORRECTION_HEADER,
  DELIVERY_HEADER,
  DIGEST_EVENT,
  ENVELOPE_BEFORE_CONTEXT,
  ENVELOPE_END,
  EVENT_HEADER,
  envelopeBeforeData,
  type SigningKeys,
  signatureValue,
  signedPrefix,
  signingKeys,
  WEBHOOK_ID_HEADER,
} from "@posthorn/contract";
import { isSecretHeader, MASK } from "../lib/masking.ts";
import { type AddressList, parseAddressList } from "../security/addresses/address-list.ts";
import { authHeaderName, authHeaderValue, shownAuthHeaderValue } from "../security/receiver-auth.ts";
import { hasExpression } from "../expressions/text-template.ts";
import type { Webhook } from "../storage/configuration.ts";
import type { StoredSecret } from "../storage/webhook-secrets.ts";
import { contentTypeOf } from "../storage/formats.ts";
import { textsToHide } from "./hide-secrets.ts";
import type { BatchIdentity } from "./gather/batch-body.ts";
import type { DeliverableEvent } from "./queue.ts";
import { type Seal, type SealPart, sealBody } from "./seal.ts";
import type { RequestParts } from "./renderer.ts";
import { isPlain } from "./shape.ts";
import { type Signer, type Signing, signersAt, signWithOne, signWithTwo } from "./signers.ts";

const CONTENT_TYPE = "content-type";

/** Decrypts one of a webhook's secrets; rejects when the ciphertext does not open. */
export type OpenSecret = (webhook: Webhook, secret: StoredSecret) => Promise<string>;

/** What stays the same for all requests of one webhook version. */
export interface PreparedWebhook {
  readonly webhook: Webhook;
  readonly signing: Signing;
  /** Every request has the envelope as its body, and URL, method and headers are the webhook's. */
  readonly isPlain: boolean;
  /** Name and value in turn: content type, the webhook's own fixed headers, authorisation. */
  readonly headers: readonly string[];
  /** The same with every secret value masked. */
  readonly shownHeaders: readonly string[];
  /** Secret values among `headers`, to be hidden in what comes back (hide-secrets.ts). */
  readonly textsToHide: readonly string[];
  /** Addresses that may be dialled; null for all that the guard lets through. */
  readonly allowedIps: AddressList | null;
}

export interface PrepareOptions {
  /** Signs with the secret that a rotation brings, and with no other: to test it before the switch. */
  readonly useNextSecret?: boolean;
}

/**
 * Opens the secrets and lays out the fixed headers.
 * @throws what `openSecret` rejects with; an Error without a secret's text when one is missing or malformed
 */
export async function prepareWebhook(
  webhook: Webhook,
  openSecret: OpenSecret,
  options: PrepareOptions = {},
): Promise<PreparedWebhook> {
  const signing = await prepareSigning(webhook, openSecret, options.useNextSecret === true);
  const contentType = contentTypeOf(webhook.format, webhook.transform);
  const headers = contentType === null ? [] : [CONTENT_TYPE, contentType];
  const shownHeaders = [...headers];
  const secretTexts: string[] = [];
  for (const [name, value] of Object.entries(webhook.headers)) {
    if (value !== MASK && hasExpression(value)) continue;
    const sent = value === MASK ? await openHeader(webhook, openSecret, name) : value;
    headers.push(name, sent);
    shownHeaders.push(name, isSecretHeader(name) ? MASK : value);
    if (isSecretHeader(name)) secretTexts.push(sent);
  }
  const authName = authHeaderName(webhook.auth);
  if (webhook.auth.type !== "none" && authName !== null) {
    const secret = await openSecret(webhook, required(webhook, webhook.secrets.auth, "authorisation"));
    const value = authHeaderValue(webhook.auth, secret);
    headers.push(authName, value);
    shownHeaders.push(authName, shownAuthHeaderValue(webhook.auth));
    secretTexts.push(secret, value.slice(value.indexOf(" ") + 1));
  }
  const allowedIps = parseAddressList(webhook.allowedIps);
  return {
    webhook,
    signing,
    isPlain: isPlain(webhook),
    headers,
    shownHeaders,
    textsToHide: textsToHide(secretTexts),
    allowedIps,
  };
}

/** Its value is kept apart; an earlier release stored it in clear, and then there is nothing to open. */
async function openHeader(webhook: Webhook, openSecret: OpenSecret, name: string): Promise<string> {
  const stored = webhook.secrets.headers.get(name.toLowerCase());
  return openSecret(webhook, required(webhook, stored, `${name} header`));
}

/** The fixed headers of one request: what its parts say takes the place of what was laid out. */
export function headersWith(fixed: readonly string[], parts: RequestParts | null): readonly string[] {
  if (parts === null) return fixed;
  const own = new Set(parts.headers.filter((_, index) => index % 2 === 0).map((name) => name.toLowerCase()));
  const headers = parts.contentType === null ? [] : [CONTENT_TYPE, parts.contentType];
  for (let i = 0; i + 1 < fixed.length; i += 2) {
    const name = fixed[i] as string;
    if (name !== CONTENT_TYPE && !own.has(name.toLowerCase())) headers.push(name, fixed[i + 1] as string);
  }
  headers.push(...parts.headers);
  return headers;
}

/** True when `useNextSecret` has a secret to use at this time (estimated database time). */
export function hasNextSecret(webhook: Webhook, nowMs: number): boolean {
  const { signing, signingNext } = webhook.secrets;
  return signingNext !== null && signing !== null && (signing.validUntilMs ?? Number.POSITIVE_INFINITY) > nowMs;
}

async function prepareSigning(webhook: Webhook, openSecret: OpenSecret, useNext: boolean): Promise<Signing> {
  const { signing, signingNext, signingPrevious } = webhook.secrets;
  const keysOf = async (secret: StoredSecret | null): Promise<SigningKeys> => {
    const keys = signingKeys(await openSecret(webhook, required(webhook, secret, "signing")));
    if (keys === null) throw new Error(`the signing secret of ${webhook.id} is not valid base64 after whsec_`);
    return keys;
  };
  const profiles = webhook.signatureProfiles;
  if (useNext) return signWithOne(profiles, await keysOf(signingNext));
  const current = await keysOf(signing);
  // Rotation, not switched yet: the old secret leads, the new one stays.
  if (signingNext !== null) {
    const staying = await keysOf(signingNext);
    return signWithTwo(profiles, {
      leading: current,
      other: staying,
      staying,
      endsAtMs: signing?.validUntilMs ?? Number.POSITIVE_INFINITY,
    });
  }
  if (signingPrevious === null) return signWithOne(profiles, current);
  // Switched: the new secret leads and stays.
  return signWithTwo(profiles, {
    leading: current,
    other: await keysOf(signingPrevious),
    staying: current,
    endsAtMs: signingPrevious.validUntilMs ?? 0,
  });
}

function required(webhook: Webhook, secret: StoredSecret | null | undefined, what: string): StoredSecret {
  if (!secret) throw new Error(`${webhook.id} has no ${what} secret`);
  return secret;
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

/** A batch under its own name: receivers know it again by its id, as they know an event by its own. */
export function batchNames(batch: BatchIdentity): Pick<AttemptIdentity, "publicEventId" | "eventType" | "deliveryId"> {
  const eventType = batch.kind === "batch" ? BATCH_EVENT : DIGEST_EVENT;
  return { publicEventId: batch.id, eventType, deliveryId: batch.id };
}

export interface AttemptIdentity {
  readonly publicEventId: string;
  readonly eventType: string;
  /** `dlv_…`, or `batch_…` */
  readonly deliveryId: string;
  /** From 1. */
  readonly number: number;
  /** How many events it stands for; only where the last state of each key is sent. */
  readonly coalescedCount?: number;
  /** The payload is not the sender's: what was put in its place. */
  readonly correctionId?: string;
  /** When the attempt starts: seconds since 1970, estimated database time. */
  readonly timestampSeconds: number;
}

/** What the signatures of one attempt are made from; for `sealBody` in another thread. */
export function sealParts(prepared: PreparedWebhook, attempt: AttemptIdentity): SealPart[] {
  return signersAt(prepared.signing, attempt.timestampSeconds).map(({ recipe, keys }) => ({
    algorithm: recipe.algorithm,
    encoding: recipe.encoding,
    before: signedPrefix(recipe, attempt.publicEventId, attempt.timestampSeconds),
    keys,
  }));
}

/** Seals a body of up to some 256 KiB at once; larger ones go to the worker thread (lib/offload.ts). */
export function sealNow(body: Uint8Array, prepared: PreparedWebhook, attempt: AttemptIdentity): Seal {
  return sealBody(body, sealParts(prepared, attempt));
}

/**
 * All headers of one request, name and value in turn: fixed ones, the three of BigLedger, `webhook-id` whatever the
 * profile (receivers tell repeats by it), then the signatures.
 * @param parts what of the request is not the webhook's own
 * @param fixed `prepared.shownHeaders` for a request that somebody is shown
 */
export function requestHeaders(
  prepared: PreparedWebhook,
  attempt: AttemptIdentity,
  seal: Seal,
  parts: RequestParts | null,
  fixed: readonly string[] = prepared.headers,
): string[] {
  const headers = [
    ...headersWith(fixed, parts),
    EVENT_HEADER,
    attempt.eventType,
    DELIVERY_HEADER,
    attempt.deliveryId,
    ATTEMPT_HEADER,
    String(attempt.number),
    WEBHOOK_ID_HEADER,
    attempt.publicEventId,
  ];
  if (attempt.coalescedCount !== undefined) headers.push(COALESCED_HEADER, String(attempt.coalescedCount));
  if (attempt.correctionId !== undefined) headers.push(CORRECTION_HEADER, attempt.correctionId);
  const signers = signersAt(prepared.signing, attempt.timestampSeconds);
  for (let i = 0; i < signers.length; i += 1) {
    const { recipe } = signers[i] as Signer;
    if (recipe.timestampHeader !== null) headers.push(recipe.timestampHeader, String(attempt.timestampSeconds));
    headers.push(recipe.header, signatureValue(recipe, seal.signatures[i] ?? [], attempt.timestampSeconds));
  }
  return headers;
}
