// Deliveries and their attempts as the API shows them.
import type { Time } from "./event.ts";
import type { Warning } from "./webhook.ts";

export type DeliveryState = "pending" | "held" | "delivered" | "dead_letter" | "cancelled";

/** The duty to bring one event to one webhook. */
export interface Delivery {
  readonly id: string;
  readonly webhookId: string;
  readonly state: DeliveryState;
  readonly attemptCount: number;
  /** The version of the webhook that the event matched. */
  readonly webhookVersion: number;
  readonly replayed: boolean;
  /** The batch that it goes or went in, with others; null for a request of its own. */
  readonly batchId: string | null;
  readonly createdAt: string;
  /** Null while held, and when it has ended. */
  readonly nextAttemptAt: string | null;
  /** Only while it is held. */
  readonly heldReason?: string;
  /** Only while its endpoint is given a rest: when the next probe goes, the oldest delivery first. */
  readonly heldUntil?: string;
  readonly deliveredAt?: string | null;
  readonly deadAt?: string | null;
  readonly deadReason?: string | null;
  readonly cancelledAt?: string | null;
  readonly cancelledReason?: string | null;
  /** Only when a newer state was sent in its place: that state's delivery. */
  readonly supersededBy?: string;
}

/** A delivery with the name of its event. */
export interface ListedDelivery extends Delivery {
  readonly eventId: string;
  readonly event: string;
  readonly reference: string | null;
}

/** A delivery with its attempts. */
export interface DeliveryRecord extends ListedDelivery {
  /** While pending: the times of all attempts to come, if each of them fails. */
  readonly nextAttempts?: readonly string[];
  /** While pending or held: when its webhook's `expireAfter` ends it. */
  readonly expiresAt?: string;
  /** Only when somebody corrected its payload: latest first; the latest is what is sent. */
  readonly corrections?: readonly Correction[];
  readonly attempts: readonly Attempt[];
}

/** A payload that was put in the place of the event's own, for one delivery. */
export interface Correction {
  readonly id: string;
  readonly correctedAt: string;
  readonly correctedBy: string;
  readonly note: string | null;
  /** JSON pointers into `data` and `context`. */
  readonly changed: readonly string[];
}

export interface NewCorrection {
  /** What stands as `data`, whole. */
  readonly data: unknown;
  /** What stands as `context`; the event's own when left out. */
  readonly context?: Readonly<Record<string, unknown>>;
  /** Why, for the record. */
  readonly note?: string;
}

export interface CorrectedDelivery {
  readonly id: string;
  readonly correctionId: string;
  readonly state: "pending" | "delivered" | "dead_letter" | "cancelled";
}

/** One HTTP request of a delivery, with what came back. */
export interface Attempt {
  readonly id: string;
  /** From 1. */
  readonly number: number;
  readonly trigger: "initial" | "retry" | "manual" | "replay";
  readonly startedAt: string;
  readonly durationMs: number;
  readonly timings: {
    readonly dnsMs: number | null;
    readonly connectMs: number | null;
    readonly tlsMs: number | null;
    readonly firstByteMs: number | null;
  };
  readonly outcome: string;
  readonly outcomeCode: string | null;
  /** Only with `ADDRESS_NOT_ALLOWED`: the address seen, and the list. */
  readonly outcomeMessage?: string;
  readonly endsDelivery: boolean;
  /** The batch that was sent; its members share the request. */
  readonly batchId: string | null;
  /** The correction that was sent in the place of the event's own payload; only then. */
  readonly correctionId?: string;
  /** What a template found no value for; only then. */
  readonly warnings?: readonly Warning[];
  /** What rules of the webhook took out of the answer; only then. */
  readonly extracted?: Readonly<Record<string, string>>;
  readonly nextAttemptAt: string | null;
  readonly webhookVersion: number;
  /** The address dialled. */
  readonly address: string | null;
  readonly request: {
    readonly method: string;
    readonly url: string;
    readonly headers: Readonly<Record<string, string>> | null;
    readonly bodyLength: number | null;
    readonly bodySha256: string | null;
  };
  /** Null when nothing came back. */
  readonly response: AttemptResponse | null;
}

export interface AttemptResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  readonly bodyEncoding: "utf8" | "base64";
  readonly bodyTruncated: boolean;
}

export interface RetriedDelivery {
  readonly id: string;
  readonly state: "pending";
  readonly nextAttemptAt: string;
}

export interface CancelledDelivery {
  readonly id: string;
  readonly state: "cancelled";
  readonly cancelledAt: string;
  readonly cancelledReason: string;
}

/** A request with all that the receiver gets; values of secrets are masked. */
export interface ShownRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  /** The body as text, or… */
  readonly body?: string;
  /** …as base64 where it is not UTF-8. */
  readonly bodyBase64?: string;
}

/** The request of a delivery as it would be sent now, freshly signed. */
export interface DeliveryRequest extends ShownRequest {
  /** Whether the body is the one sent last; null when nothing was sent yet. */
  readonly bodyHashMatches: boolean | null;
  readonly warnings?: readonly Warning[];
}

/** A delivery that is not tried by itself any more. */
export interface DeadLetter extends ListedDelivery {
  /** Null when it ended before its first attempt. */
  readonly lastAttempt: {
    readonly startedAt: string;
    readonly durationMs: number;
    readonly outcome: string;
    readonly outcomeCode: string | null;
    readonly responseStatus: number | null;
  } | null;
}

export type DeadReason =
  | "attempts_exhausted"
  | "endpoint_gone"
  | "webhook_disabled"
  | "rejected_permanently"
  | "expired"
  | "skipped";

/** A key of an ordered webhook of which nothing goes out until somebody decided about its first delivery. */
export interface ParkedKey {
  /** Empty for all events that have no key. */
  readonly orderingKey: string;
  readonly webhookId: string;
  readonly webhookName: string | null;
  readonly heldReason: "key_parked" | "transformation_failed";
  readonly parkedAt: string | null;
  /** Deliveries behind it; counted up to 10,000. */
  readonly waitingCount: number;
  readonly waitingIsMore: boolean;
  /** What holds the key: `deliveries.retry` and `deliveries.skip` take it. */
  readonly deliveryId: string;
  readonly eventId: string;
  readonly event: string | null;
  readonly reference: string | null;
  readonly attemptCount: number;
  /** Why. Null when no attempt was made. */
  readonly lastAttempt: {
    readonly startedAt: string;
    readonly durationMs: number;
    readonly outcome: string;
    readonly outcomeCode: string | null;
    readonly responseStatus: number | null;
    /** The beginning of the answer, up to 1 KiB. */
    readonly responseBody: string | null;
  } | null;
}

export interface ParkedKeyFilter {
  readonly webhookId?: string;
  readonly orderingKey?: string;
}

/** What becomes of the deliveries that hold parked keys. */
export interface KeyRelease extends ParkedKeyFilter {
  /** `retry`: each is tried again. `skip`: each becomes a dead letter, and the rest of its key goes on. */
  readonly how: "retry" | "skip";
  /** At most so many keys, up to 10,000; 1,000 when left out. */
  readonly limit?: number;
  /** Counts and changes nothing. */
  readonly dryRun?: boolean;
}

export interface SkippedDelivery {
  readonly id: string;
  readonly state: "dead_letter";
  readonly deadReason: "skipped";
  /** Null when it had been skipped before. */
  readonly deadAt: string | null;
}

export interface DeadLetterFilter {
  readonly webhookId?: string;
  readonly reason?: DeadReason;
  /** An event type, or a pattern: `invoice.*`. */
  readonly type?: string;
  readonly from?: Time;
  readonly to?: Time;
}

/** What was done to many at once, or would be. */
export interface BulkResult {
  readonly dryRun: boolean;
  /** How many; a dry run counts up to 100,000. */
  readonly count: number;
  /** There are more: ask again. */
  readonly hasMore: boolean;
}

export interface DeliveryQuery {
  readonly state?: DeliveryState;
  readonly webhookId?: string;
  readonly eventId?: string;
  /** The batch that they go or went in. */
  readonly batchId?: string;
  /** An event type, or a pattern: `invoice.*`. */
  readonly type?: string;
  readonly reference?: string;
  /** What the receiver calls it, where a rule extracts `externalId`. */
  readonly externalId?: string;
  readonly from?: Time;
  readonly to?: Time;
  /** Deliveries on one page, 1 to 200. */
  readonly limit?: number;
}
