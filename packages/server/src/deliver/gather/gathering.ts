// The stages before a start: of the states of one thing the last one (coalescing), of many events one request (batches).
// What belongs together is written down before it is sent, so that a repeat after a crash is the same. Must never start a
// request, and must let go of an entry only into the table, where it is.
import { uuidFromBytes } from "@posthorn/contract";
import type { Clock } from "../../lib/clock.ts";
import type { Log } from "../../lib/log.ts";
import { MicroBatch } from "../../lib/micro-batch.ts";
import type { Webhook } from "../../storage/configuration.ts";
import type { Kind } from "../fair-turns.ts";
import type { DeliveryMemory, Entry, WebhookQueue } from "../queue.ts";
import { type BatchIdentity, newBatch } from "./batch-body.ts";
import type { Passing } from "./coalescing.ts";
import type { BatchToStore, SurvivorToStore } from "./gather.sql.ts";
import { GatheredQueue } from "./gathered-queue.ts";
import type { ClosedBatch } from "./open-batches.ts";
import { type DefinitionsOf, type GatherPlan, gatherPlanOf, type NamesOf } from "./plan.ts";
import type { Startable } from "./startable.ts";

export interface GatheringOptions {
  readonly clock: Clock;
  readonly log: Log;
  readonly memory: DeliveryMemory;
  readonly namesOf: NamesOf;
  readonly definitionsOf: DefinitionsOf;
  /** Sixteen bytes of a new UUIDv7. */
  readonly newId: () => Uint8Array;
  readonly storeBatches: (batches: readonly BatchToStore[]) => Promise<{ id: string; member_ids: string[] }[]>;
  readonly storeSurvivors: (
    survivors: readonly SurvivorToStore[],
  ) => Promise<{ id: string; coalesced_count: number }[]>;
  readonly ownsLane: (lane: number) => boolean;
  /** Something of this queue may start, or has to be looked at. */
  readonly onReady: (queue: WebhookQueue) => void;
  /** The table holds something of this queue that left memory. */
  readonly onSpilled: (queue: WebhookQueue) => void;
  /** What was written is not known: the table is asked, now and for some seconds more. */
  readonly onDoubt: (queue: WebhookQueue) => void;
  /** Named moment for crash tests; inert in production. */
  readonly failpoint?: (name: "batch_stored") => void;
}

interface BatchOfQueue {
  readonly queue: WebhookQueue;
  readonly identity: BatchIdentity;
  readonly members: readonly Entry[];
}

interface PassingOfQueue {
  readonly queue: WebhookQueue;
  readonly passing: Passing<Entry>;
}

/** Members of one statement; as many are one turn of the event loop. */
const MAX_STORED = 2_000;
const BYTES_PER_STORED = 64;
/** Thousands of keys may fall due one after the other: they are looked at together this often. */
const LOOK_INTERVAL_MS = 10;
/** setTimeout's limit; a longer wait wakes early and waits again. */
const MAX_TIMER_MS = 60_000;

export class Gathering {
  readonly #options: GatheringOptions;
  readonly #plans = new WeakMap<Webhook, { readonly plan: GatherPlan | null }>();
  readonly #batches: MicroBatch<BatchOfQueue>;
  readonly #survivors: MicroBatch<PassingOfQueue>;
  readonly #timers = new Map<WebhookQueue, { timer: NodeJS.Timeout; dueMs: number }>();
  #stopped = false;

  constructor(options: GatheringOptions) {
    this.#options = options;
    const size = { maxItems: MAX_STORED, maxBytes: Number.POSITIVE_INFINITY, bytesOf: () => BYTES_PER_STORED };
    this.#batches = new MicroBatch<BatchOfQueue>({
      ...size,
      flush: (batches) => this.#storeBatches(batches),
      countOf: ({ members }) => members.length,
      concurrency: 1,
    });
    this.#survivors = new MicroBatch<PassingOfQueue>({
      ...size,
      flush: (passing) => this.#storeSurvivors(passing),
      countOf: ({ passing }) => passing.superseded.length + 1,
      concurrency: 1,
    });
  }

  /** A delivery is committed and due: it waits for newer states of its thing, or for its turn. */
  arrive(queue: WebhookQueue, entry: Entry): void {
    if (this.#planOf(queue.webhook) !== null && this.#gathered(queue).coalesce(entry)) return;
    queue.ready.push(entry);
  }

  /** A stored batch was read from the table. */
  arriveBatch(queue: WebhookQueue, identity: BatchIdentity, entries: Startable["entries"]): void {
    this.#gathered(queue).addStartable({ entries, batch: identity });
  }

  /** How many deliveries of this queue wait in memory, in whatever stage. */
  waitingCount(queue: WebhookQueue): number {
    return queue.ready.count + (queue.gathered?.count ?? 0);
  }

  /** Brings everything as far as it can go: to be asked before `hasNext` when the webhook may have requests. */
  collect(queue: WebhookQueue): void {
    if (this.#planOf(queue.webhook) === null && queue.gathered === undefined) return;
    const gathered = this.#gathered(queue);
    const nowMs = this.#options.clock.nowMs();
    for (const passing of gathered.passing(nowMs)) this.#survivors.add({ queue, passing });
    if (gathered.plan !== null) {
      const closed: ClosedBatch<Entry>[] = [];
      for (let entry = queue.ready.take(); entry !== undefined; entry = queue.ready.take()) {
        closed.push(...gathered.join(entry));
      }
      // Only now: a backlog is older than it may be, and belongs together all the same.
      closed.push(...gathered.closing(nowMs));
      for (const batch of closed) this.#close(queue, batch, nowMs);
    }
    this.#wakeAt(queue, gathered.nextDueMs);
  }

  /** Whether something may start. */
  hasNext(queue: WebhookQueue): boolean {
    const { gathered } = queue;
    if (gathered?.startableKind !== undefined) return true;
    return (gathered === undefined || gathered.plan === null) && queue.ready.count > 0;
  }

  /** Whether something of this kind may start. */
  hasNextOf(queue: WebhookQueue, kind: Kind): boolean {
    const { gathered } = queue;
    const startableKind = gathered?.startableKind;
    if (startableKind !== undefined) return startableKind === kind;
    return (gathered === undefined || gathered.plan === null) && queue.ready.has(kind);
  }

  /** Takes what starts next, of this kind if it is given and there is a choice; undefined when nothing may. */
  next(queue: WebhookQueue, kind?: Kind): Startable | undefined {
    const startable = queue.gathered?.takeStartable();
    if (startable !== undefined) return startable;
    const entry = queue.ready.take(kind);
    return entry === undefined ? undefined : { entries: [entry], batch: null };
  }

  /** Takes out one that waits: with it the batch that it is in. Empty: it is on its way. */
  withdraw(queue: WebhookQueue, entry: Entry): readonly Entry[] {
    return queue.ready.withdraw(entry) ? [entry] : (queue.gathered?.withdraw(entry) ?? []);
  }

  /** Takes out all that wait, whether they may start or not. */
  takeAll(queue: WebhookQueue): Entry[] {
    return [...queue.ready.takeAll(), ...(queue.gathered?.takeAll() ?? [])];
  }

  /** The queue is somebody else's, or at rest. */
  forget(queue: WebhookQueue): void {
    const waiting = this.#timers.get(queue);
    if (waiting !== undefined) clearTimeout(waiting.timer);
    this.#timers.delete(queue);
    queue.gathered = undefined;
  }

  stop(): void {
    this.#stopped = true;
    for (const { timer } of this.#timers.values()) clearTimeout(timer);
    this.#timers.clear();
  }

  /** Resolves when nothing is being written down. */
  async drained(): Promise<void> {
    await this.#survivors.drained();
    await this.#batches.drained();
  }

  #planOf(webhook: Webhook): GatherPlan | null {
    let known = this.#plans.get(webhook);
    if (known === undefined) {
      known = { plan: gatherPlanOf(webhook, this.#options) };
      this.#plans.set(webhook, known);
    }
    return known.plan;
  }

  /** What waits of this queue, by the newest snapshot: what a change means otherwise is gathered anew. */
  #gathered(queue: WebhookQueue): GatheredQueue {
    const { webhook } = queue;
    const { gathered } = queue;
    if (gathered === undefined) {
      queue.gathered = new GatheredQueue(webhook, this.#planOf(webhook), (dueMs) => this.#wakeAt(queue, dueMs));
      return queue.gathered;
    }
    if (gathered.webhook !== webhook) {
      const waiting = gathered.takeUnsettled();
      gathered.webhook = webhook;
      gathered.plan = this.#planOf(webhook);
      for (const entry of waiting) if (!gathered.coalesce(entry)) queue.ready.push(entry);
    }
    return gathered;
  }

  #close(queue: WebhookQueue, { kind, members }: ClosedBatch<Entry>, nowMs: number): void {
    this.#batches.add({ queue, identity: newBatch(kind, this.#options.newId(), nowMs), members });
  }

  async #storeBatches(batches: readonly BatchOfQueue[]): Promise<void> {
    const stored = await this.#written(batches, "batches", () =>
      this.#options.storeBatches(
        batches.map(({ queue: { webhook }, identity, members }) => ({
          idBytes: identity.idBytes,
          tenantBytes: webhook.tenantBytes,
          webhookBytes: webhook.bytes,
          lane: webhook.lane,
          kind: identity.kind,
          createdAtMs: identity.createdAtMs,
          memberBytes: members.map(({ idBytes }) => idBytes),
        })),
      ),
    );
    if (stored === null) {
      for (const { queue, members } of batches) this.#putBack(queue, members, true);
      return;
    }
    this.#options.failpoint?.("batch_stored");
    const byId = new Map(stored.map((row) => [row.id, row.member_ids]));
    for (const { queue, identity, members } of batches) {
      const byUuid = new Map(members.map((entry) => [uuidFromBytes(entry.idBytes), entry]));
      const [first, ...others] = (byId.get(uuidFromBytes(identity.idBytes)) ?? []).flatMap((uuid) => {
        const entry = byUuid.get(uuid);
        byUuid.delete(uuid);
        return entry === undefined ? [] : [entry];
      });
      // Cancelled meanwhile, or the node was declared dead: the table knows.
      this.#putBack(queue, [...byUuid.values()], false);
      if (first === undefined) continue;
      if (this.#isOurs(queue, [first, ...others])) {
        this.#gathered(queue).addStartable({ entries: [first, ...others], batch: identity });
      }
      this.#options.onReady(queue);
    }
  }

  async #storeSurvivors(passings: readonly PassingOfQueue[]): Promise<void> {
    const stored = await this.#written(passings, "superseded deliveries", () =>
      this.#options.storeSurvivors(
        passings.map(({ queue: { webhook }, passing: { key, survivor, superseded } }) => ({
          tenantBytes: webhook.tenantBytes,
          webhookBytes: webhook.bytes,
          idBytes: survivor.idBytes,
          key,
          supersededBytes: superseded.map(({ idBytes }) => idBytes),
        })),
      ),
    );
    const countById = new Map((stored ?? []).map((row) => [row.id, row.coalesced_count]));
    for (const { queue, passing } of passings) {
      const { survivor, superseded } = passing;
      const count = countById.get(uuidFromBytes(survivor.idBytes));
      if (count === undefined) {
        this.#putBack(queue, [survivor, ...superseded], stored === null);
        continue;
      }
      for (const entry of superseded) this.#options.memory.remove(entry);
      survivor.coalescedCount = count;
      if (this.#isOurs(queue, [survivor])) queue.ready.push(survivor);
      this.#options.onReady(queue);
    }
  }

  /** Null: it is not known whether it was written. */
  async #written<Row>(
    items: readonly { readonly queue: WebhookQueue }[],
    what: string,
    write: () => Promise<Row[]>,
  ): Promise<Row[] | null> {
    try {
      return await write();
    } catch (error) {
      this.#options.log.warn({ err: error, count: items.length }, `${what} could not be written down; tried again`);
      return null;
    }
  }

  /** Whether these may start here: not when the lanes were lost or are about to be given away. */
  #isOurs(queue: WebhookQueue, entries: readonly Entry[]): boolean {
    const isHere = entries.every((entry) => queue.entries.has(entry));
    if (isHere && this.#options.ownsLane(queue.webhook.lane)) return true;
    for (const entry of entries) this.#options.memory.remove(entry);
    return false;
  }

  #putBack(queue: WebhookQueue, entries: readonly Entry[], inDoubt: boolean): void {
    if (entries.length === 0) return;
    for (const entry of entries) this.#options.memory.remove(entry);
    if (!this.#options.ownsLane(queue.webhook.lane)) return;
    if (inDoubt) this.#options.onDoubt(queue);
    else this.#options.onSpilled(queue);
  }

  #wakeAt(queue: WebhookQueue, dueMs: number): void {
    if (this.#stopped || dueMs === Number.POSITIVE_INFINITY) return;
    const waiting = this.#timers.get(queue);
    if (waiting !== undefined) {
      // An earlier one is left: it looks, and waits again.
      if (waiting.dueMs <= dueMs) return;
      clearTimeout(waiting.timer);
    }
    const waitMs = Math.min(MAX_TIMER_MS, Math.max(LOOK_INTERVAL_MS, Math.ceil(dueMs - this.#options.clock.nowMs())));
    const timer = setTimeout(() => {
      this.#timers.delete(queue);
      this.#options.onReady(queue);
    }, waitMs);
    timer.unref();
    this.#timers.set(queue, { timer, dueMs });
  }
}
