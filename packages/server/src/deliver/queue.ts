// What a node holds in memory of the deliveries it owes: one queue a webhook, a window over the delivery table.
// Bounded in count and bytes, with a share per webhook, so that one dead endpoint cannot fill the node. Must never
// hold the same delivery twice, and never forget that the table holds more (`spilled`, `nextDueAtMs`).
import type { Webhook } from "../storage/configuration.ts";
import type { GatheredQueue } from "./gather/gathered-queue.ts";
import type { Kind, Turn } from "./fair-turns.ts";
import { OrderedEntries } from "./order.ts";
import { type Ready, ReadyEntries } from "./ready.ts";
import type { Standing } from "./slots.ts";

/** An event as deliveries need it; shared by all deliveries of the event. */
export interface DeliverableEvent {
  readonly idBytes: Uint8Array;
  /** What receivers see as `webhook-id`: the sender's own id, or `evt_…`. */
  readonly publicId: string;
  readonly type: string;
  readonly timestamp: string;
  readonly livemode: boolean;
  readonly retentionClass: number;
  readonly data: Uint8Array;
  readonly context: Uint8Array | null;
  /** What its sender said about the trace that it belongs to. */
  readonly traceContext?: string | null;
  /** Somebody put `data` or `context` in the place of the sender's, for one delivery: that correction. */
  readonly correctionBytes?: Uint8Array;
  /** The envelope's bytes, made at the first attempt. */
  envelope?: Buffer;
}

export type AttemptTrigger = "initial" | "retry" | "manual" | "replay";

/** One delivery in memory. It stays until its record is committed, so that a table read can leave it out. */
export interface Entry {
  readonly queue: WebhookQueue;
  readonly idBytes: Uint8Array;
  readonly event: DeliverableEvent;
  readonly attemptCount: number;
  readonly policyAttemptBase: number;
  readonly trigger: AttemptTrigger;
  readonly replayed: boolean;
  /** How many events it stands for; null until coalescing has let it through. */
  coalescedCount: number | null;
  readonly byteLength: number;
  /** What it is ordered by; null: by nothing. */
  readonly orderingKey: string | null;
}

/** Where a fresh delivery goes: into memory now, left in the table for this node, or left for another node. */
export type Reservation =
  | { readonly place: "memory"; readonly entry: Entry }
  | { readonly place: "table"; readonly webhook: Webhook; readonly orderingKey: string | null }
  | { readonly place: "other_node"; readonly webhook: Webhook };

export function unreachable(reservation: never): never {
  throw new Error(`unknown reservation ${JSON.stringify(reservation)}`);
}

export interface MemoryLimits {
  readonly maxEntries: number;
  readonly maxBytes: number;
  readonly maxEntriesPerWebhook: number;
  readonly maxBytesPerWebhook: number;
}

export const DEFAULT_MEMORY_LIMITS: MemoryLimits = {
  maxEntries: 200_000,
  maxBytes: 256 * 1024 * 1024,
  maxEntriesPerWebhook: 10_000,
  maxBytesPerWebhook: 32 * 1024 * 1024,
};

/** Bytes that an entry costs besides its payload: objects, headers, timers (heap snapshot of 100,000 entries: 0.9 kB). */
const ENTRY_OVERHEAD_BYTES = 1_024;

const NONE: readonly Entry[] = [];

export class WebhookQueue {
  webhook: Webhook;
  /** Everything in memory, whatever its stage. */
  readonly entries = new Set<Entry>();
  /** Waiting for their turn. */
  ready: Ready;
  /** The same, where the webhook is ordered: its deliveries come from the table only. */
  ordered: OrderedEntries | null;
  /** What waits to travel together, or to be superseded; undefined where nothing ever did. */
  gathered: GatheredQueue | undefined;
  inFlightCount = 0;
  byteLength = 0;
  /** The table may hold due deliveries that are not in memory. */
  spilled = false;
  /** A read of the table is under way: nothing is added past it. */
  refilling = false;
  /** Earliest due time in the table of what is not in memory, as far as is known; Infinity if none. */
  nextDueAtMs = Number.POSITIVE_INFINITY;
  /** Until then rows may appear that nobody announces: committed by a statement whose answer was lost. */
  doubtUntilMs = 0;
  /** What its requests under way count for among the node's slots. */
  standing: Standing = "unproven";
  /** Its places among those that wait for a slot; undefined where it never had to. */
  turns: Readonly<Record<Kind, Turn<WebhookQueue>>> | undefined;
  /** How long its requests take, lately. */
  expectedMs = 0;
  /** What its tenant holds in memory; undefined until somebody asked. */
  holding: TenantHolding | undefined;
  /** Most of what was read of it from the table lately are repetitions: fresh deliveries do not queue up behind them. */
  isBacklogRepeated = false;
  /** When the table is read for it beside others (read-turns.ts). */
  readTurn = 0;
  /** Waits until a gate lets the next one go (gates.ts): when, by the monotonic clock. */
  gateTimer: NodeJS.Timeout | undefined;
  gateTimerDueMs = Number.POSITIVE_INFINITY;

  /** Of an ordered queue: the last key that a look through all has come to, null at its start; undefined without one. */
  keyCursor: string | null | undefined;

  constructor(webhook: Webhook) {
    this.webhook = webhook;
    this.ordered = isOrdered(webhook) ? new OrderedEntries() : null;
    this.ready = this.ordered ?? new ReadyEntries();
  }

  /**
   * Works by a newer snapshot from now on.
   * @returns what has to leave memory, because it waits in another way from now on; it is read from the table again
   */
  adopt(webhook: Webhook): readonly Entry[] {
    this.webhook = webhook;
    if (isOrdered(webhook) === (this.ordered !== null)) return NONE;
    const waiting = this.ready.takeAll();
    const left = new Set(waiting);
    const underWay = [...this.entries].filter((entry) => !left.has(entry));
    this.ordered = isOrdered(webhook) ? new OrderedEntries(underWay) : null;
    this.ready = this.ordered ?? new ReadyEntries();
    this.keyCursor = undefined;
    this.spilled = true;
    return waiting;
  }

  /** When the table is to be asked for what is not in memory, as far as is known. */
  get nextReadAtMs(): number {
    return this.ordered === null ? this.nextDueAtMs : Math.min(this.nextDueAtMs, this.ordered.nextReadMs);
  }

  /** Nothing in memory and nothing known in the table: the queue can be forgotten. */
  get idle(): boolean {
    return (
      this.entries.size === 0 &&
      !this.spilled &&
      !this.refilling &&
      this.keyCursor === undefined &&
      this.nextReadAtMs === Number.POSITIVE_INFINITY
    );
  }
}

/** One that is switched off owes everything at once, whatever its keys: it ends without a request. */
function isOrdered({ orderingKey, status }: Webhook): boolean {
  return orderingKey !== null && (status === "enabled" || status === "paused");
}

interface TenantHolding {
  entryCount: number;
  byteLength: number;
}

/** A tenant holds at most so many times what is free: one alone three quarters, and whoever comes next finds room. */
const TENANT_TIMES_FREE = 3;
/** A webhook may have so many entries in memory however much its tenant holds, as long as there is room at all. */
export const FEW_ENTRIES = 16;

/** So much of a webhook's share is filled from the table. */
const SHARE_TO_READ = 0.75;

/** Counts what all queues hold together. */
export class DeliveryMemory {
  readonly limits: MemoryLimits;
  readonly #holdings = new Map<string, TenantHolding>();
  entryCount = 0;
  byteLength = 0;

  constructor(limits: MemoryLimits = DEFAULT_MEMORY_LIMITS) {
    this.limits = limits;
  }

  /** How many more entries of this queue may come into memory. */
  roomFor(queue: WebhookQueue): number {
    return this.#room(queue, 1);
  }

  /** How many may be read from the table: some of its share is left for what capture brings. */
  roomToRead(queue: WebhookQueue): number {
    return this.#room(queue, SHARE_TO_READ);
  }

  #room(queue: WebhookQueue, share: number): number {
    const { maxEntries, maxBytes, maxEntriesPerWebhook, maxBytesPerWebhook } = this.limits;
    if (queue.byteLength >= maxBytesPerWebhook * share || this.byteLength >= maxBytes) return 0;
    const freeCount = maxEntries - this.entryCount;
    const ofWebhook = Math.ceil(maxEntriesPerWebhook * share) - queue.entries.size;
    return Math.max(0, Math.min(ofWebhook, freeCount, this.#roomOfTenant(queue, freeCount)));
  }

  #roomOfTenant(queue: WebhookQueue, freeCount: number): number {
    const holding = this.#holdingOf(queue);
    const freeBytes = this.limits.maxBytes - this.byteLength;
    const isOverBytes = holding.byteLength >= freeBytes * TENANT_TIMES_FREE;
    const ofTenant = isOverBytes ? 0 : freeCount * TENANT_TIMES_FREE - holding.entryCount;
    return Math.max(ofTenant, FEW_ENTRIES - queue.entries.size);
  }

  #holdingOf(queue: WebhookQueue): TenantHolding {
    if (queue.holding !== undefined) return queue.holding;
    const { tenantUuid } = queue.webhook;
    queue.holding = this.#holdings.get(tenantUuid) ?? { entryCount: 0, byteLength: 0 };
    this.#holdings.set(tenantUuid, queue.holding);
    return queue.holding;
  }

  /** Puts a delivery into memory; the caller has asked `roomFor`. */
  add(
    queue: WebhookQueue,
    entry: Omit<Entry, "queue" | "byteLength" | "coalescedCount"> & Partial<Pick<Entry, "coalescedCount">>,
  ): Entry {
    const { data, context } = entry.event;
    // Data is counted twice: once as received, once inside the envelope.
    const byteLength = data.byteLength * 2 + (context?.byteLength ?? 0) * 2 + ENTRY_OVERHEAD_BYTES;
    const added: Entry = {
      queue,
      byteLength,
      idBytes: entry.idBytes,
      event: entry.event,
      attemptCount: entry.attemptCount,
      policyAttemptBase: entry.policyAttemptBase,
      trigger: entry.trigger,
      replayed: entry.replayed,
      coalescedCount: entry.coalescedCount ?? null,
      orderingKey: entry.orderingKey ?? null,
    };
    queue.entries.add(added);
    queue.byteLength += byteLength;
    const holding = this.#holdingOf(queue);
    holding.entryCount += 1;
    holding.byteLength += byteLength;
    this.entryCount += 1;
    this.byteLength += byteLength;
    return added;
  }

  remove(entry: Entry): void {
    if (!entry.queue.entries.delete(entry)) return;
    entry.queue.byteLength -= entry.byteLength;
    const holding = entry.queue.holding as TenantHolding;
    holding.entryCount -= 1;
    holding.byteLength -= entry.byteLength;
    this.entryCount -= 1;
    this.byteLength -= entry.byteLength;
    entry.queue.gathered?.left(entry);
  }
}
