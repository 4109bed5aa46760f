// What a receiver calls first: is this request really from Posthorn, unchanged and recent, and what does it say.
// Must never hand out a body whose signature did not fit.
import {
  ATTEMPT_HEADER,
  BATCH_EVENT,
  DELIVERY_HEADER,
  DIGEST_EVENT,
  type DigestBody,
  EVENT_HEADER,
  WEBHOOK_ID_HEADER,
} from "@posthorn/contract";
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

/** Many events in one request, for a webhook with `batchSettings`. */
export interface WebhookBatch<Event = WebhookEvent> {
  readonly batch: true;
  /** In the order in which they were stored; each has its own id. */
  readonly events: readonly Event[];
  /** The same on every attempt, with the same events. */
  readonly batchId: string;
  /** When it was put together: ISO 8601, UTC. */
  readonly batchTimestamp: string;
}

/** What an import brought, for a webhook that wants to be told once: counts instead of events. */
export type WebhookDigest = DigestBody;

/** What a request's body is called by itself: the envelope's id and type, or the batch's; null for anything else. */
function namesIn(body: unknown): { readonly id: string; readonly type: string } | null {
  if (typeof body !== "object" || body === null) return null;
  const { id, event, batchId, batch, digest } = body as Record<string, unknown>;
  if (typeof id === "string" && typeof event === "string") return { id, type: event };
  if (typeof batchId !== "string") return null;
  if (batch === true) return { id: batchId, type: BATCH_EVENT };
  return digest === true ? { id: batchId, type: DIGEST_EVENT } : null;
}

export function isWebhookBatch(body: unknown): body is WebhookBatch {
  return namesIn(body)?.type === BATCH_EVENT && Array.isArray((body as { events?: unknown }).events);
}

export function isWebhookDigest(body: unknown): body is WebhookDigest {
  return namesIn(body)?.type === DIGEST_EVENT && Array.isArray((body as { eventTypes?: unknown }).eventTypes);
}

/**
 * The events of a request, whether it carries one or a batch; none of a digest.
 * @example
 * const { event: body } = await verifyWebhook<WebhookEvent | WebhookBatch>({ headers, body: rawBody, secret });
 * for (const event of eventsOf(body)) await handleOnce(event.id, event);
 */
export function eventsOf<Event = WebhookEvent>(body: Event | WebhookBatch<Event> | WebhookDigest): readonly Event[] {
  if (isWebhookDigest(body)) return [];
  return isWebhookBatch(body) ? (body.events as readonly Event[]) : [body as Event];
}

/** A request that is to be believed. */
export interface ReceivedWebhook<Body = WebhookEvent> {
  /** By this a receiver knows an event again: handle each id once. */
  readonly id: string;
  /** The parsed body: the envelope, a batch of them, or what the webhook's template made of it. */
  readonly event: Body;
  /** The event type, also where a template leaves it out; `batch` and `digest` stand for many events. */
  readonly type: string;
  /** `dlv_…`, or `batch_…`: name it when you ask the operator. */
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
  const inBody = namesIn(event);
  const header = headerOf(headers, WEBHOOK_ID_HEADER);
  // Only the standard profile signs the header; elsewhere the envelope's own id is the one that nobody can change.
  const signedId = profile === "standard" ? null : (inBody?.id ?? null);
  const attempt = headerOf(headers, ATTEMPT_HEADER);
  return {
    id: signedId ?? header ?? "",
    event,
    type: inBody?.type ?? headerOf(headers, EVENT_HEADER) ?? "",
    deliveryId: headerOf(headers, DELIVERY_HEADER),
    attempt: attempt !== null && /^[0-9]{1,9}$/.test(attempt) ? Number(attempt) : null,
    isTest: headerOf(headers, "x-bigledger-test") === "true",
  };
}
