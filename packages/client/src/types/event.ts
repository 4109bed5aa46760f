// Events as senders publish them and as the API shows them. Names are the published ones, snake_case included.
import type { ErrorDetail } from "@posthorn/contract";
import type { EventMap } from "../generated/event-map.ts";
import type { Delivery } from "./delivery.ts";

/** The event types of the catalogue. */
export type EventType = keyof EventMap;

/** What `data` of a type may hold: its known shape, or anything for types that a tenant registered itself. */
export type DataOf<Type extends string> = Type extends EventType ? EventMap[Type] : unknown;

/** Where an event came from: `companyId`, `userId`, `source`, `ip`, and what else the sender knows. */
export interface EventContext {
  readonly companyId?: string | null;
  readonly branchId?: string | null;
  readonly locationId?: string | null;
  readonly userId?: string | null;
  /** The door it came through: web, mobile, pos, api, scheduler… */
  readonly source?: string | null;
  readonly ip?: string | null;
  readonly [member: string]: unknown;
}

/** An event to publish. */
export interface NewEvent<Type extends string = string, Data = unknown> {
  readonly event: Type;
  /** Any JSON value, up to 10 MiB. Members that the catalogue knows must have its types; others may be added. */
  readonly data: Data;
  /** The sender's own id, `[A-Za-z0-9_-]{1,64}`: what receivers see as `webhook-id`. */
  readonly id?: string;
  /** When it happened, ISO 8601 with an offset; now when left out. */
  readonly timestamp?: string | Date;
  readonly context?: EventContext;
  /** By what webhooks with `orderingKey: true` order it: 1 to 200 characters. */
  readonly orderingKey?: string;
}

/** An event that is stored, together with its deliveries. */
export interface PublishedEvent {
  readonly id: string;
  readonly event: string;
  readonly timestamp: string;
  readonly livemode: boolean;
  /** How many webhooks will get it. */
  readonly deliveries: number;
  /** True when this is the first answer again: the event was stored by an earlier request with the same key. */
  readonly replayed: boolean;
}

/** What became of one event of a batch. */
export type BatchResult =
  | {
      readonly index: number;
      /** `duplicate`: stored before, by an earlier request or by an earlier try of this one. */
      readonly status: "accepted" | "duplicate";
      readonly id: string;
      readonly deliveries: number;
    }
  | { readonly index: number; readonly status: "refused"; readonly error: BatchRefusal };

export interface BatchRefusal {
  readonly code: string;
  readonly message: string;
  readonly details: readonly ErrorDetail[];
  /** True when the same event may be taken later, unchanged. */
  readonly retryable: boolean;
}

/** An event without its payload. */
export interface EventHead {
  readonly id: string;
  /** Our own id, where `id` is the sender's. */
  readonly recordId?: string;
  readonly event: string;
  readonly timestamp: string;
  readonly livemode: boolean;
  readonly api_version: string;
  /** The business number inside the payload, `INV-00871`. */
  readonly reference: string | null;
  readonly orderingKey: string | null;
  readonly receivedAt: string;
  readonly deliveryCount: number;
  /** Only when the payload was erased. */
  readonly erasedAt?: string;
}

/** An event with its payload and its newest hundred deliveries. */
export interface EventRecord<Data = unknown> extends EventHead {
  readonly data: Data;
  readonly context?: EventContext;
  readonly deliveries: readonly Delivery[];
}

export interface ReplayedEvent {
  readonly id: string;
  readonly event: string;
  readonly deliveries: readonly { readonly id: string; readonly webhookId: string; readonly state: "pending" }[];
}

/** Times as ISO 8601 with an offset, or as a Date. */
export type Time = string | Date;

export interface EventQuery {
  /** A type, or a pattern: `invoice.*`. */
  readonly type?: string;
  /** The business number inside the payload. */
  readonly reference?: string;
  readonly from?: Time;
  readonly to?: Time;
  /** Events on one page, 1 to 200. */
  readonly limit?: number;
}

export interface EventTypeHead {
  readonly name: string;
  readonly resource: string;
  readonly module?: string;
  readonly description: string | null;
  readonly raisedWhen?: string;
  readonly since?: string;
  readonly referencePath?: readonly string[] | null;
  /** True for a type that the tenant registered itself. */
  readonly registered: boolean;
}

/** An event type of the tenant's own. */
export interface NewEventType {
  /** A resource and a verb: `warehouse.opened`. */
  readonly name: string;
  readonly description: string;
  /** Where in `data` the business number stands. */
  readonly referencePath?: readonly string[] | null;
  readonly example?: { readonly data: unknown; readonly timestamp?: string; readonly context?: EventContext } | null;
}

export interface EventTypeRecord extends EventTypeHead {
  /** An event that can be published as it is. */
  readonly example: unknown;
  /** Fields of the example that a webhook's `privacy` can drop or mask by their tag; in what `get` answers. */
  readonly taggedFields?: readonly { readonly path: string; readonly tag: "personal" | "salary" | "cost" }[];
}
