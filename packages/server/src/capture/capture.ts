// Takes events in: checks them, lets them be routed, stores them in micro-batches with their deliveries, and answers
// after the commit. Must never answer 2xx for something that is not committed, nor let one row hurt its batch-mates.
import {
  formatId,
  type Id,
  type IdGenerator,
  idFromUuid,
  millisecondsOfBytes,
  normaliseTimestamp,
  parseId,
} from "@posthorn/contract";
import type { Clock } from "../lib/clock.ts";
import type { Log } from "../lib/log.ts";
import { isoTime } from "../lib/iso-time.ts";
import { MicroBatch } from "../lib/micro-batch.ts";
import type { NodeIdentity } from "../storage/fence.ts";
import type { Executor } from "../storage/pools.ts";
import { classifyDatabaseError } from "../storage/postgres-errors.ts";
import {
  captureEvents,
  type DeliveryRow,
  deleteKeysOfEvent,
  type EventRow,
  type FanOutRow,
  type FirstAnswer,
  type KeyRow,
  type Stored,
  selectFirstAnswers,
} from "./capture.sql.ts";
import { bySender, keyName, keysOf, splitRepeatedKeys } from "./keys.ts";
import { type CaptureOutcome, checkMembers, refusal, unknownType } from "./outcomes.ts";
import type { ScannedEvent } from "./scan/scan-event.ts";

/** Who posts: what capture needs of the key that a request came with. */
export interface Sender {
  readonly tenantId: Id<"tenant">;
  readonly tenantUuid: string;
  readonly livemode: boolean;
  readonly companyId: string | null;
  readonly retentionClass: number;
  readonly unknownEventTypes: "refused" | "open";
}

/** An event as it goes to routing: everything known, nothing parsed. */
export interface IncomingEvent {
  readonly sender: Sender;
  readonly idBytes: Uint8Array;
  readonly publicId: string;
  readonly type: string;
  readonly timestamp: string;
  readonly livemode: boolean;
  readonly data: Buffer;
  readonly context: Buffer | null;
  readonly hasLongNumber: boolean;
  /** What the request said in `traceparent` and `tracestate`, checked. */
  readonly traceContext: string | null;
  readonly orderingKey: string | null;
}

/** What routing decided. Declared here, made by route and deliver; compose.ts brings them together. */
export type Routed =
  | {
      readonly kind: "routed";
      readonly configVersion: number;
      readonly reference: string | null;
      readonly deliveries: readonly DeliveryRow[];
      readonly fanOut: FanOutRow | null;
      /** The event is committed: deliveries may start. */
      readonly committed: () => void;
      /** It is not; `unknown` when it may be after all. */
      readonly abandoned: (unknown: boolean) => void;
    }
  | { readonly kind: "unknown_type"; readonly nearest: readonly string[] };

export type RouteEvent = (event: IncomingEvent) => Routed | Promise<Routed>;

export interface CaptureOptions {
  /** Pipelined: ordinary batches. */
  readonly db: Executor;
  readonly clock: Clock;
  readonly log: Log;
  readonly ids: IdGenerator;
  readonly identity: () => NodeIdentity;
  readonly route: RouteEvent;
  /** The fence refused: this node was declared dead and has to join again. */
  readonly onFenced: () => void;
  /** The database was not reached or its answer was lost. */
  readonly onDatabaseTrouble: () => void;
  /** An event was committed; for traces. */
  readonly onStored?: (incoming: IncomingEvent, takenMs: number, deliveries: number) => void;
  /** A batch came back: how many events it had, how many of them were stored, how long its statement took. */
  readonly onBatch?: (events: number, stored: number, commitMs: number) => void;
  readonly failpoint?: (name: "before_commit" | "after_commit") => void;
}

/** An event's bytes in the body that it came in; end exclusive. */
interface Frame {
  readonly start: number;
  readonly end: number;
}

/** Who is told: one of the two, once. */
export interface Ending {
  readonly resolve: (outcome: CaptureOutcome) => void;
  /** A fault of ours, or a configuration that could not be read. */
  readonly reject: (error: unknown) => void;
}

interface Pending {
  row: EventRow;
  readonly incoming: IncomingEvent;
  readonly routed: Routed & { kind: "routed" };
  /** Estimated database time. */
  readonly takenAtMs: number;
  /** Monotonic: when an unreachable database is no longer waited for. */
  readonly giveUpAtMs: number;
  readonly resolve: (outcome: CaptureOutcome) => void;
}

const MAX_ROWS = 2_000;
const MAX_BYTES = 4 * 1024 * 1024;
/** Larger events travel alone, on another connection, so that small ones do not wait behind them. */
const LARGE_BYTES = 256 * 1024;
const WAIT_FOR_DATABASE_MS = 1_000;
const RETRY_MS = 50;

export class Capture {
  readonly #options: CaptureOptions;
  readonly #small: MicroBatch<Pending>;
  readonly #large: MicroBatch<Pending>;

  constructor(options: CaptureOptions) {
    this.#options = options;
    const batch = (maxItems: number, concurrency: number): MicroBatch<Pending> =>
      new MicroBatch<Pending>({
        flush: (items) => this.#flush(items),
        maxItems,
        maxBytes: MAX_BYTES,
        bytesOf: (item) => item.row.data.byteLength + 500,
        concurrency,
      });
    this.#small = batch(MAX_ROWS, 1);
    this.#large = batch(1, 1);
  }

  /** Resolves when nothing waits to be stored. */
  async drained(): Promise<void> {
    await Promise.all([this.#small.drained(), this.#large.drained()]);
  }

  /**
   * Captures one scanned event, and tells `ending` when it is stored or refused: no promise for each item of a batch.
   * @param body the raw bytes that the offsets in `scanned` point into; `frame` is this event's part, for its hash
   * @param idempotencyKey as sent and checked, or null
   * @param traceContext what the request said about its trace, checked, or null
   */
  take(
    sender: Sender,
    body: Buffer,
    frame: Frame,
    scanned: ScannedEvent,
    idempotencyKey: string | null,
    ending: Ending,
    traceContext: string | null = null,
  ): void {
    const problem = checkMembers(scanned);
    if (problem !== null) {
      ending.resolve(problem);
      return;
    }
    const incoming = this.#incoming(sender, body, scanned, traceContext);
    const decision = this.#options.route(incoming);
    if (!(decision instanceof Promise)) {
      this.#enqueue(incoming, body, frame, scanned, idempotencyKey, decision, ending);
      return;
    }
    decision
      .then((routed) => this.#enqueue(incoming, body, frame, scanned, idempotencyKey, routed, ending))
      .catch(ending.reject);
  }

  #incoming(sender: Sender, body: Buffer, scanned: ScannedEvent, traceContext: string | null): IncomingEvent {
    const idBytes = this.#options.ids.next();
    return {
      sender,
      idBytes,
      publicId: scanned.id ?? formatId("event", idBytes),
      type: scanned.event,
      timestamp:
        scanned.timestamp === null ? timestampOfId(idBytes) : (normaliseTimestamp(scanned.timestamp) as string),
      livemode: sender.livemode,
      data: body.subarray(scanned.dataStart, scanned.dataEnd),
      context: contextOf(sender, body, scanned),
      hasLongNumber: scanned.hasLongNumber,
      traceContext,
      orderingKey: scanned.orderingKey,
    };
  }

  #enqueue(
    incoming: IncomingEvent,
    body: Buffer,
    frame: Frame,
    scanned: ScannedEvent,
    idempotencyKey: string | null,
    routed: Routed,
    ending: Ending,
  ): void {
    if (routed.kind === "unknown_type") {
      ending.resolve(unknownType(scanned.event, routed.nearest));
      return;
    }
    const pending: Pending = {
      row: rowOf(incoming, scanned, routed, keysOf(scanned.id, idempotencyKey, body, frame)),
      incoming,
      routed,
      takenAtMs: this.#options.onStored === undefined ? 0 : this.#options.clock.nowMs(),
      giveUpAtMs: this.#options.clock.monotonicMs() + WAIT_FOR_DATABASE_MS,
      resolve: ending.resolve,
    };
    const isLarge = incoming.data.byteLength > LARGE_BYTES || routed.fanOut !== null;
    (isLarge ? this.#large : this.#small).add(pending);
  }

  // --- storing -----------------------------------------------------------------------------------------------------

  async #flush(batch: Pending[]): Promise<void> {
    // The same key twice in one statement would be an error of its own: the second waits for the first one's outcome.
    let { now, later } = splitRepeatedKeys(batch);
    for (const item of later) this.#small.add(item);
    while (now.length > 0) now = await this.#store(now);
  }

  /** One try. Returns what has to be tried again. */
  async #store(items: Pending[]): Promise<Pending[]> {
    const { db, clock, identity, failpoint } = this.#options;
    let stored: Stored;
    const sentAtMs = clock.monotonicMs();
    try {
      failpoint?.("before_commit");
      stored = await captureEvents(
        db,
        identity(),
        clock.nowMs(),
        items.map((item) => item.row),
      );
      failpoint?.("after_commit");
    } catch (error) {
      return this.#afterFailure(items, error);
    }
    const storedCount = stored === "all" ? items.length : stored.size;
    this.#options.onBatch?.(items.length, storedCount, clock.monotonicMs() - sentAtMs);
    const duplicates: Pending[] = [];
    const again: Pending[] = [];
    for (const item of items) {
      if (stored === "all" || stored.has(uuidText(item.row.idBytes))) this.#accept(item);
      else (item.row.keys.length > 0 ? duplicates : again).push(item);
    }
    // Nothing but the fence stops an event without a key.
    if (again.length > 0) this.#options.onFenced();
    again.push(...(await this.#answerDuplicates(duplicates)));
    // Whose lanes these are when it goes through, nobody knows by now: their owner finds the deliveries by the mark.
    for (const item of again) item.row = handedOff(item.row);
    return again.length === 0 ? [] : this.#waitOrGiveUp(again);
  }

  #accept(item: Pending): void {
    this.#options.onStored?.(item.incoming, item.takenAtMs, item.row.deliveryCount);
    accept(item);
  }

  async #afterFailure(items: Pending[], error: unknown): Promise<Pending[]> {
    const failure = classifyDatabaseError(error);
    if (failure.kind !== "refused") this.#options.onDatabaseTrouble();
    switch (failure.kind) {
      case "unavailable":
        return this.#waitOrGiveUp(items);
      case "unknown":
        this.#options.log.warn({ events: items.length }, "the connection was lost while events were being stored");
        for (const item of items) {
          item.routed.abandoned(true);
          item.resolve(refusal("unavailable", "OUTCOME_UNKNOWN"));
        }
        return [];
      case "refused":
        await this.#bisect(items, failure.sqlState);
        return [];
      default: {
        const unreachable: never = failure;
        throw new Error(`unknown failure ${JSON.stringify(unreachable)}`);
      }
    }
  }

  /** Some row is refused by the database: halve until it stands alone. Nothing of the failed statement was stored. */
  async #bisect(items: Pending[], sqlState: string): Promise<void> {
    if (items.length === 1) {
      const item = items[0] as Pending;
      this.#options.log.error({ event: item.incoming.publicId, sqlState }, "the database refused an event");
      item.routed.abandoned(false);
      item.resolve(refusal("refused", "EVENT_REFUSED_BY_STORAGE"));
      return;
    }
    const middle = items.length >> 1;
    for (let half of [items.slice(0, middle), items.slice(middle)]) {
      while (half.length > 0) half = await this.#store(half);
    }
  }

  async #waitOrGiveUp(items: Pending[]): Promise<Pending[]> {
    const nowMs = this.#options.clock.monotonicMs();
    const waiting: Pending[] = [];
    for (const item of items) {
      if (nowMs < item.giveUpAtMs) {
        waiting.push(item);
        continue;
      }
      item.routed.abandoned(false);
      item.resolve(refusal("unavailable", "DATABASE_UNAVAILABLE"));
    }
    if (waiting.length > 0) await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    return waiting;
  }

  /**
   * Keys were in use. Returns the items whose events are gone, or which the fence refused: those may be stored after
   * all. One statement for each tenant and mode: a repeated batch of 1,000 took 4 s with one for each item.
   */
  async #answerDuplicates(items: readonly Pending[]): Promise<Pending[]> {
    const unanswered = new Set(items);
    for (const group of bySender(items)) {
      const { tenantUuid, livemode } = group[0].incoming.sender;
      try {
        const keys = group.flatMap((item) => item.row.keys);
        const found = await selectFirstAnswers(this.#options.db, tenantUuid, livemode, keys);
        const firstByKey = new Map(found.filter((row) => row.event_id !== null).map((row) => [keyName(row), row]));
        for (const item of group) if (await this.#answerDuplicate(item, firstByKey)) unanswered.delete(item);
      } catch (error) {
        this.#options.log.warn({ failure: classifyDatabaseError(error) }, "idempotency keys could not be read");
      }
    }
    return [...unanswered];
  }

  /** False when there is no first event to answer with. */
  async #answerDuplicate(item: Pending, firstByKey: ReadonlyMap<string, FirstAnswer>): Promise<boolean> {
    const { db, identity } = this.#options;
    const { keys, tenantBytes, idBytes } = item.row;
    // One of two keys may have been taken for this event, which was then not stored: free it.
    if (keys.length > 1) await deleteKeysOfEvent(db, identity(), tenantBytes, idBytes, keys);
    const outcome = duplicateOutcome(item, firstByKey);
    if (outcome === null) {
      this.#options.onFenced();
      return false;
    }
    item.routed.abandoned(false);
    item.resolve(outcome);
    return true;
  }
}

function handedOff(row: EventRow): EventRow {
  return { ...row, deliveries: row.deliveries.map((delivery) => ({ ...delivery, handoff: true })) };
}

function accept(item: Pending): void {
  const { incoming, routed } = item;
  routed.committed();
  item.resolve({
    outcome: "accepted",
    answer: {
      id: incoming.publicId,
      event: incoming.type,
      timestamp: incoming.timestamp,
      livemode: incoming.sender.livemode,
      deliveries: item.row.deliveryCount,
    },
  });
}

/**
 * Same bytes: the first answer again. Other bytes: a conflict that names which of the two was reused. Null when no key
 * leads to an event.
 */
function duplicateOutcome(item: Pending, firstByKey: ReadonlyMap<string, FirstAnswer>): CaptureOutcome | null {
  for (const key of item.row.keys) {
    const first = firstByKey.get(keyName(key));
    if (first === undefined) continue;
    if (!first.request_hash.equals(key.hash)) {
      return refusal("refused", key.kind === "key" ? "IDEMPOTENCY_KEY_REUSED" : "EVENT_ID_TAKEN");
    }
    const idBytes = parseId("event", idFromUuid("event", first.event_id as string)) as Uint8Array;
    return {
      outcome: "replayed",
      answer: {
        id: first.sender_id ?? formatId("event", idBytes),
        event: first.type as string,
        timestamp: first.sent_timestamp ?? timestampOfId(idBytes),
        livemode: item.incoming.sender.livemode,
        deliveries: first.delivery_count as number,
      },
    };
  }
  return null;
}

function rowOf(
  incoming: IncomingEvent,
  scanned: ScannedEvent,
  routed: Routed & { kind: "routed" },
  keys: readonly KeyRow[],
): EventRow {
  return {
    tenantBytes: tenantBytesOf(incoming.sender.tenantId),
    idBytes: incoming.idBytes,
    configVersion: routed.configVersion,
    deliveryCount: routed.deliveries.length + (routed.fanOut?.webhooks.length ?? 0),
    retentionClass: incoming.sender.retentionClass,
    livemode: incoming.sender.livemode,
    hasLongNumber: incoming.hasLongNumber,
    type: incoming.type,
    senderId: scanned.id,
    sentTimestamp: scanned.timestamp === null ? null : incoming.timestamp,
    reference: routed.reference,
    orderingKey: incoming.orderingKey,
    data: incoming.data,
    context: incoming.context,
    traceContext: incoming.traceContext,
    keys,
    deliveries: routed.deliveries,
    fanOut: routed.fanOut,
  };
}

const tenantBytesCache = new Map<string, Uint8Array>();

function tenantBytesOf(tenantId: Id<"tenant">): Uint8Array {
  let bytes = tenantBytesCache.get(tenantId);
  if (bytes === undefined) {
    bytes = parseId("tenant", tenantId) as Uint8Array;
    if (tenantBytesCache.size >= 10_000) tenantBytesCache.clear();
    tenantBytesCache.set(tenantId, bytes);
  }
  return bytes;
}

/** The sender's context as it came; without one, the company that the request was made for. */
function contextOf(sender: Sender, body: Buffer, scanned: ScannedEvent): Buffer | null {
  if (scanned.contextStart >= 0) return body.subarray(scanned.contextStart, scanned.contextEnd);
  return sender.companyId === null ? null : Buffer.from(JSON.stringify({ companyId: sender.companyId }));
}

/** The time in an event's id, as receivers see it. */
export function timestampOfId(idBytes: Uint8Array): string {
  return isoTime(millisecondsOfBytes(idBytes));
}

function uuidText(bytes: Uint8Array): string {
  const hex = Buffer.from(bytes.buffer, bytes.byteOffset, 16).toString("hex");
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}
