// What a receiver calls first: is this request really from Posthorn, unchanged and recent, and what does it say.
// Must never hand out a body whose signature did not fit.
import { ATTEMPT_HEADER, DELIVERY_HEADER, EVENT_HEADER, WEBHOOK_ID_HEADER } from "@posthorn/contract";
import type { EventMap } from "../generated/event-map.ts";
import type { EventContext, EventType } from "../types/event.ts";
import { headerOf } from "./headers.ts";
import {
  type Refused,
  type RefusalReason,
  refused,
  type SignatureOptions,
  verifySignature,
} from "./verify-signature.ts";

/** The published envelope of one event type. */
export interface Envelope<Type extends string, Data> {
  /** The event's id, the same on every attempt. */
  readonly id: string;
  readonly event: Type;
  /** When it happened: ISO 8601, UTC. */
  readonly timestamp: string;
  readonly livemode: boolean;
  readonly api_version: string;
  readonly data: Data;
  readonly context?: EventContext;
}

/** Any event of the catalogue: `switch (event.event)` gives each its own `data`. */
export type WebhookEvent = { readonly [Type in EventType]: Envelope<Type, EventMap[Type]> }[EventType];

/** A request that is to be believed. */
export interface ReceivedWebhook<Body = WebhookEvent> {
  /** By this a receiver knows an event again: handle each id once. */
  readonly id: string;
  /** The parsed body: the envelope, or what the webhook's template made of it. */
  readonly event: Body;
  /** The event type, also where a template leaves it out. */
  readonly type: string;
  /** `dlv_…`: name it when you ask the operator. */
  readonly deliveryId: string | null;
  /** From 1. */
  readonly attempt: number | null;
  /** True for a request made by `POST /v1/webhooks/{id}/test`: nothing happened in the business. */
  readonly isTest: boolean;
}

export type WebhookCheck<Body = WebhookEvent> =
  | { readonly ok: true; readonly webhook: ReceivedWebhook<Body> }
  | Refused;

/** Thrown by `verifyWebhook`; answer it with 401. */
export class WebhookRefused extends Error {
  readonly reason: RefusalReason;

  constructor(refusal: Refused) {
    super(refusal.message);
    this.name = "WebhookRefused";
    this.reason = refusal.reason;
  }
}

/**
 * Checks a request and reads it, with the refusal as a value.
 * @typeParam Body what the webhook's template makes; the envelope of a catalogue event unless given
 * @throws InvalidArgument for a secret or a tolerance that cannot be used
 */
export async function checkWebhook<Body = WebhookEvent>(options: SignatureOptions): Promise<WebhookCheck<Body>> {
  const check = await verifySignature(options);
  if (!check.ok) return check;
  let event: Body;
  try {
    event = JSON.parse(new TextDecoder().decode(check.bytes)) as Body;
  } catch {
    return refused("BODY_NOT_JSON", "The signature fits, but the body is not JSON. `verifySignature` takes any body.");
  }
  return { ok: true, webhook: received(event, options) };
}

/**
 * Checks a request and reads it.
 * @example
 * const { id, event } = await verifyWebhook({ headers: request.headers, body: rawBody, secret });
 * if (event.event === "invoice.paid") console.log(event.data.object.invoiceNumber);
 * @throws WebhookRefused with the reason; answer 401
 * @throws InvalidArgument for a secret or a tolerance that cannot be used; answer 500
 */
export async function verifyWebhook<Body = WebhookEvent>(options: SignatureOptions): Promise<ReceivedWebhook<Body>> {
  const check = await checkWebhook<Body>(options);
  if (!check.ok) throw new WebhookRefused(check);
  return check.webhook;
}

function received<Body>(event: Body, { headers, profile = "standard" }: SignatureOptions): ReceivedWebhook<Body> {
  const inBody = (typeof event === "object" && event !== null ? event : {}) as { id?: unknown; event?: unknown };
  const isEnvelope = typeof inBody.id === "string" && typeof inBody.event === "string";
  const header = headerOf(headers, WEBHOOK_ID_HEADER);
  // Only the standard profile signs the header; elsewhere the envelope's own id is the one that nobody can change.
  const signedId = isEnvelope && profile !== "standard" ? (inBody.id as string) : null;
  const attempt = headerOf(headers, ATTEMPT_HEADER);
  return {
    id: signedId ?? header ?? "",
    event,
    type: isEnvelope ? (inBody.event as string) : (headerOf(headers, EVENT_HEADER) ?? ""),
    deliveryId: headerOf(headers, DELIVERY_HEADER),
    attempt: attempt !== null && /^[0-9]{1,9}$/.test(attempt) ? Number(attempt) : null,
    isTest: headerOf(headers, "x-bigledger-test") === "true",
  };
}
