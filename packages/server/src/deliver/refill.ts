// Reads the deliveries of this node's lanes from the table: when one falls due, when there is room again, when somebody
// said that there is something, and in any case every minute. Must leave out what is in memory, and must take no row of a
// lane that was lost, is about to be given away, or was cancelled while the read was under way.
import type { Clock } from "../lib/clock.ts";
import { LANE_COUNT } from "../lib/lane.ts";
import type { Log } from "../lib/log.ts";
import type { Executor } from "../storage/pools.ts";
import {
  type DueRow,
  type RefillRequest,
  selectDue,
  selectNextDue,
  selectWebhooksWithDeliveries,
} from "./deliver.sql.ts";
import { bytesOfUuid, eventOfRow } from "./due-event.ts";
import type { Endpoints } from "./endpoints.ts";
import type { DeliverableEvent, DeliveryMemory, Entry, WebhookQueue } from "./queue.ts";
import type { BatchIdentity } from "./gather/batch-body.ts";
import { selectBatchMembers } from "./gather/gather.sql.ts";
import { type BatchKey, batchesOf, NO_BATCHES, storedBatches, type StoredBatches } from "./gather/stored-batches.ts";
import type { Queues } from "./queues.ts";
import { ReadTurns } from "./read-turns.ts";
import { OrderedRefill } from "./refill-ordered.ts";

export interface RefillOptions {
  readonly db: Executor;
  readonly clock: Clock;
  readonly log: Log;
  readonly memory: DeliveryMemory;
  readonly queues: Queues;
  readonly ownsLane: (lane: number) => boolean;
  readonly endpoints: Pick<Endpoints, "restUntilMs" | "wantedRows">;
  /** The time written in an event's id, as receivers see it when the sender gave none. */
  readonly timestampOfEvent: (eventIdBytes: Uint8Array) => string;
  /** These webhooks have rows in the table; each one becomes a queue to be read (`spill`). */
  readonly onFound: (rows: readonly { tenant_id: string; webhook_id: string }[]) => Promise<void>;
  /** A due delivery was read: it waits for its turn. */
  readonly onArrived: (queue: WebhookQueue, entry: Entry) => void;
  /** A stored batch was read, whole. */
  readonly onBatch: (queue: WebhookQueue, identity: BatchIdentity, entries: readonly [Entry, ...Entry[]]) => void;
  /** A batch that lost a member: what is left of it are single deliveries from now on. */
  readonly dissolveBatch: (batch: BatchKey, memberUuids: readonly string[]) => Promise<void>;
  /** Something of this queue may start. */
  readonly onReady: (queue: WebhookQueue) => void;
  /** The event of this delivery is not there any more. */
  readonly onEventGone: (queue: WebhookQueue, entry: Entry) => void;
}

/** Queues read in one statement, and rows asked for each; fewer where all together would ask for too many. */
const QUEUES_PER_READ = 64;
const ROWS_PER_QUEUE = 1_000;
const ROWS_PER_READ = 8_000;
/** Everything owned is looked for again this often, whatever was forgotten or lost. */
const FULL_READ_INTERVAL_MS = 60_000;
/** More keys are not remembered one by one: then all are looked through. */
const MOST_KEYS_TO_READ = 20_000;
/** After a failed read. */
const READ_RETRY_MS = 250;
/** How long a statement whose answer was lost can still be committed: the server's own timeout for it, and a second. */
const DOUBT_MS = 6_000;
/** Meanwhile the table is looked at this often. */
const DOUBT_INTERVAL_MS = 1_000;
/** setTimeout's limit; a longer wait wakes early and waits again. */
const MAX_TIMER_MS = 60_000;

export class Refill {
  readonly #options: RefillOptions;
  readonly #ordered: OrderedRefill;
  #timer: NodeJS.Timeout | undefined;
  #timerDueMs = Number.POSITIVE_INFINITY;
  #reading = false;
  #lastFullReadMs = Number.NEGATIVE_INFINITY;
  readonly #lanesToRead = new Set<number>();
  #stopped = false;
  /**
   * While the table was being read, cancelled, or put into memory by capture: the read may have seen them. By delivery, as
   * PostgreSQL writes it.
   */
  readonly #leftOut = new Set<string>();
  /** Raised when the lanes are lost: what was read under an older generation is not added. */
  #generation = 0;
  readonly #turns = new ReadTurns();

  constructor(options: RefillOptions) {
    this.#options = options;
    this.#ordered = new OrderedRefill({
      ...options,
      entryOf: (queue, row) => this.#entryOf(queue, row, new Map()),
      readKeyless: (queue) => this.#fill([queue], true),
    });
  }

  start(): void {
    this.#wakeAt(0);
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }

  /** The table may hold something of this queue that is due: of this key, or (null) whatever. */
  spill(queue: WebhookQueue, orderingKey: string | null = null): void {
    const { ordered } = queue;
    const isOne = ordered !== null && orderingKey !== null && queue.webhook.status !== "paused";
    if (isOne && ordered.keysToReadCount < MOST_KEYS_TO_READ) ordered.wantKey(orderingKey);
    else queue.spilled = true;
    this.#wakeAt(0);
  }

  /** The table holds something of this queue, which waits for its breaker, or for being resumed. */
  rest(queue: WebhookQueue): void {
    queue.spilled = true;
    const restUntilMs = this.#options.endpoints.restUntilMs(queue.webhook);
    if (restUntilMs > 0) this.#wakeAt(restUntilMs);
  }

  /** The same as spilled, now or in a moment: a dying backend may commit a little later than we look. */
  doubt(queue: WebhookQueue): void {
    queue.doubtUntilMs = this.#options.clock.nowMs() + DOUBT_MS;
    this.spill(queue);
  }

  /** Something left this queue's memory: there may be room for more of the table. */
  roomMade(queue: WebhookQueue): void {
    if (queue.spilled) this.#wakeAt(0);
    else this.#wakeAt(queue.nextReadAtMs);
  }

  /** These lanes are looked through as a whole. */
  readLanes(lanes: readonly number[]): void {
    for (const lane of lanes) this.#lanesToRead.add(lane);
    this.#wakeAt(0);
  }

  readEverything(): void {
    this.#lastFullReadMs = Number.NEGATIVE_INFINITY;
    this.#wakeAt(0);
  }

  lanesReleased(lanes: readonly number[]): void {
    for (const lane of lanes) this.#lanesToRead.delete(lane);
  }

  lanesLost(): void {
    this.#generation += 1;
    this.#lanesToRead.clear();
  }

  /** A delivery of this queue was cancelled: a read under way leaves it out. */
  cancelled(queue: WebhookQueue, deliveryUuid: string): void {
    if (queue.refilling) this.#leftOut.add(deliveryUuid);
  }

  /** A delivery that was not there when the read under way began comes to memory from capture: the read leaves it out. */
  arrivedMeanwhile(deliveryUuid: string): void {
    this.#leftOut.add(deliveryUuid);
  }

  /** Makes sure that a read happens at that time (milliseconds since 1970; 0 is at once). */
  #wakeAt(dueMs: number): void {
    if (this.#stopped || this.#reading || dueMs >= this.#timerDueMs) return;
    clearTimeout(this.#timer);
    this.#timerDueMs = dueMs;
    const waitMs = Math.min(MAX_TIMER_MS, Math.max(0, dueMs - this.#options.clock.nowMs()));
    this.#timer = setTimeout(() => void this.#read(), waitMs);
    this.#timer.unref();
  }

  async #read(): Promise<void> {
    this.#timerDueMs = Number.POSITIVE_INFINITY;
    this.#reading = true;
    let waitMs = 0;
    try {
      await this.#readLanes();
      const queues = this.#queuesToRead();
      await this.#readQueues(queues.filter((queue) => queue.ordered === null));
      await this.#readOrdered(queues.filter((queue) => queue.ordered !== null));
    } catch (error) {
      this.#options.log.warn({ err: error }, "reading deliveries failed; it is tried again");
      waitMs = READ_RETRY_MS;
    } finally {
      this.#reading = false;
      this.#wakeAt(Math.max(this.#nextReadMs(), waitMs === 0 ? 0 : this.#options.clock.nowMs() + waitMs));
    }
  }

  async #readLanes(): Promise<void> {
    const nowMs = this.#options.clock.monotonicMs();
    if (nowMs - this.#lastFullReadMs >= FULL_READ_INTERVAL_MS) {
      for (let lane = 0; lane < LANE_COUNT; lane += 1) if (this.#options.ownsLane(lane)) this.#lanesToRead.add(lane);
      this.#lastFullReadMs = nowMs;
    }
    if (this.#lanesToRead.size === 0) return;
    const lanes = [...this.#lanesToRead];
    const generation = this.#generation;
    const rows = await selectWebhooksWithDeliveries(this.#options.db, lanes);
    await this.#options.onFound(rows);
    // Only now: a webhook that could not be looked up has to be found again.
    if (generation !== this.#generation) return;
    for (const lane of lanes) this.#lanesToRead.delete(lane);
  }

  #needsRead(queue: WebhookQueue, nowMs: number): boolean {
    if (!queue.spilled && queue.keyCursor === undefined && queue.nextReadAtMs > nowMs) return false;
    if (!this.#options.ownsLane(queue.webhook.lane)) return false;
    if (queue.webhook.status === "paused") return false;
    if (this.#options.endpoints.restUntilMs(queue.webhook) > 0) return false;
    // Of one that gets few requests few are kept in memory.
    if (queue.entries.size > 0 && queue.entries.size * 2 > this.#options.endpoints.wantedRows(queue.webhook))
      return false;
    // Read in gulps: not for every single place that becomes free while thousands wait.
    const room = this.#options.memory.roomToRead(queue);
    return room >= ROWS_PER_QUEUE || room > queue.entries.size;
  }

  #queuesToRead(): WebhookQueue[] {
    const nowMs = this.#options.clock.nowMs();
    const waiting: WebhookQueue[] = [];
    for (const queue of this.#options.queues.all()) if (this.#needsRead(queue, nowMs)) waiting.push(queue);
    return this.#turns.choose(waiting, QUEUES_PER_READ);
  }

  #nextReadMs(): number {
    const nowMs = this.#options.clock.nowMs();
    let nextMs = nowMs + FULL_READ_INTERVAL_MS;
    const sinceFullReadMs = this.#options.clock.monotonicMs() - this.#lastFullReadMs;
    if (this.#lanesToRead.size > 0 || sinceFullReadMs >= FULL_READ_INTERVAL_MS) return 0;
    for (const queue of this.#options.queues.all()) {
      if (this.#needsRead(queue, nowMs)) return 0;
      const restUntilMs = this.#options.endpoints.restUntilMs(queue.webhook);
      const isUnread = queue.spilled || queue.keyCursor !== undefined;
      // Whatever is due before it is read then, with all that was left in the table.
      const readAtMs = isUnread && restUntilMs > 0 ? restUntilMs : Math.max(restUntilMs, queue.nextReadAtMs);
      if (readAtMs > nowMs && readAtMs < nextMs) nextMs = readAtMs;
    }
    return nextMs;
  }

  async #readQueues(queues: readonly WebhookQueue[]): Promise<void> {
    if (queues.length === 0) return;
    for (const queue of queues) queue.refilling = true;
    try {
      if (!(await this.#fill(queues, false))) return;
    } finally {
      this.#readDone(queues);
    }
    this.#offer(queues);
  }

  /**
   * One read of what is due of these queues, by time.
   * @param keyless of ordered queues: only what has no key
   * @returns false when their lanes were lost meanwhile
   */
  async #fill(queues: readonly WebhookQueue[], keyless: boolean): Promise<boolean> {
    const { db, clock, memory, endpoints } = this.#options;
    const generation = this.#generation;
    const nowMs = clock.nowMs();
    const inMemory: Uint8Array[] = [];
    const rowsForEach = Math.min(ROWS_PER_QUEUE, Math.ceil(ROWS_PER_READ / queues.length));
    const requests = queues.map((queue): RefillRequest => {
      for (const entry of queue.entries) inMemory.push(entry.idBytes);
      queue.spilled = false;
      const isOff = queue.webhook.status !== "enabled";
      return {
        lane: queue.webhook.lane,
        webhookBytes: queue.webhook.bytes,
        dueBeforeMs: isOff ? Number.POSITIVE_INFINITY : nowMs,
        limit: Math.min(rowsForEach, memory.roomToRead(queue), endpoints.wantedRows(queue.webhook)),
      };
    });
    try {
      const rows = await selectDue(db, requests, inMemory, keyless);
      const batches = await this.#readBatches(rows);
      if (generation !== this.#generation) return false;
      this.#addRows(queues, requests, rows, keyless);
      this.#addBatches(queues, batches);
      // What was read starts at once. Results that are recorded meanwhile say themselves when they fall due.
      for (const queue of queues) {
        queue.nextDueAtMs = Number.POSITIVE_INFINITY;
        this.#options.onReady(queue);
      }
      const nextDue = await selectNextDue(db, requests, keyless);
      if (generation !== this.#generation) return false;
      const nextByWebhook = new Map(nextDue.map((row) => [row.webhook_id, row.next_due_ms]));
      for (const queue of queues) {
        // Order was switched on or off meanwhile: it is read again in another way.
        if ((queue.ordered !== null) !== keyless) continue;
        const inTableMs = nextByWebhook.get(queue.webhook.uuid) ?? Number.POSITIVE_INFINITY;
        const nextDueAtMs = Math.min(queue.nextDueAtMs, inTableMs);
        const isInDoubt = nowMs < queue.doubtUntilMs;
        queue.nextDueAtMs = isInDoubt ? Math.min(nextDueAtMs, nowMs + DOUBT_INTERVAL_MS) : nextDueAtMs;
      }
      return true;
    } catch (error) {
      for (const queue of queues) queue.spilled = true;
      throw error;
    }
  }

  async #readOrdered(queues: readonly WebhookQueue[]): Promise<void> {
    if (queues.length === 0) return;
    const generation = this.#generation;
    for (const queue of queues) queue.refilling = true;
    try {
      await this.#ordered.read(queues, () => generation === this.#generation);
    } finally {
      this.#readDone(queues);
    }
    if (generation === this.#generation) this.#offer(queues);
  }

  #readDone(queues: readonly WebhookQueue[]): void {
    for (const queue of queues) queue.refilling = false;
    this.#leftOut.clear();
  }

  #offer(queues: readonly WebhookQueue[]): void {
    for (const queue of queues) {
      this.#options.onReady(queue);
      if (queue.idle) this.#options.queues.forget(queue);
    }
  }

  #addRows(
    queues: readonly WebhookQueue[],
    requests: readonly RefillRequest[],
    rows: readonly DueRow[],
    keyless: boolean,
  ): void {
    const byUuid = new Map(queues.map((queue) => [queue.webhook.uuid, queue]));
    const counts = new Map<string, number>();
    const repeatedCounts = new Map<string, number>();
    const events = new Map<string, DeliverableEvent>();
    for (const row of rows) {
      counts.set(row.webhook_id, (counts.get(row.webhook_id) ?? 0) + 1);
      if (row.next_trigger !== "initial") {
        repeatedCounts.set(row.webhook_id, (repeatedCounts.get(row.webhook_id) ?? 0) + 1);
      }
      const queue = byUuid.get(row.webhook_id);
      // A member of a batch comes with the others.
      if (queue === undefined || row.batch_id !== null) continue;
      // Order was switched on or off meanwhile: it is read again in another way.
      if ((queue.ordered !== null) !== keyless) continue;
      const entry = this.#entryOf(queue, row, events);
      if (entry !== null) this.#options.onArrived(queue, entry);
    }
    queues.forEach((queue, index) => {
      const count = counts.get(queue.webhook.uuid) ?? 0;
      // The limit was reached: the table holds more of it.
      const isMore = count >= (requests[index] as RefillRequest).limit;
      if (isMore) queue.spilled = true;
      queue.isBacklogRepeated = isMore && (repeatedCounts.get(queue.webhook.uuid) ?? 0) * 2 >= count;
    });
  }

  /**
   * Takes a row into memory; null: it must not be taken, or has ended.
   * @param events those of the same read, so that deliveries of one event share it
   */
  #entryOf(queue: WebhookQueue, row: DueRow, events: Map<string, DeliverableEvent>): Entry | null {
    // Cancelled, or about to be given away, since the read began.
    if (this.#leftOut.has(row.id) || !this.#options.ownsLane(queue.webhook.lane)) return null;
    const entry = this.#add(queue, row, events);
    if (row.type !== null) return entry;
    // Only a hand in the database can take an event away from under its delivery: end it where it is seen.
    this.#options.onEventGone(queue, entry);
    return null;
  }

  #add(queue: WebhookQueue, row: DueRow, events: Map<string, DeliverableEvent>): Entry {
    let event = row.correction_id === null ? events.get(row.event_id) : undefined;
    if (event === undefined) {
      event = eventOfRow(row, this.#options.timestampOfEvent);
      // What was corrected is this delivery's alone.
      if (row.correction_id === null) events.set(row.event_id, event);
    }
    return this.#options.memory.add(queue, {
      idBytes: bytesOfUuid(row.id),
      event,
      attemptCount: row.attempt_count,
      policyAttemptBase: row.policy_attempt_base,
      trigger: row.next_trigger,
      replayed: row.replayed,
      coalescedCount: row.coalesced_count,
      orderingKey: row.ordering_key,
    });
  }

  /** The batches that due deliveries are members of, whole: some members may not have been among the rows. */
  async #readBatches(rows: readonly DueRow[]): Promise<StoredBatches> {
    const keys = batchesOf(rows);
    if (keys.length === 0) return NO_BATCHES;
    const batches = storedBatches(keys, await selectBatchMembers(this.#options.db, keys));
    for (const key of batches.broken) {
      const members = rows.filter((row) => row.batch_id === key.batch_id).map((row) => row.id);
      await this.#options.dissolveBatch(key, members);
    }
    return batches;
  }

  #addBatches(queues: readonly WebhookQueue[], { whole, broken }: StoredBatches): void {
    const byUuid = new Map(queues.map((queue) => [queue.webhook.uuid, queue]));
    const events = new Map<string, DeliverableEvent>();
    for (const { identity, webhookUuid, rows } of whole) {
      const queue = byUuid.get(webhookUuid);
      if (queue === undefined || !this.#options.ownsLane(queue.webhook.lane)) continue;
      // Read beside the rows, so it may be more than there is room for; but one that nothing else is there for comes.
      const isTooMuch = this.#options.memory.roomFor(queue) < rows.length && queue.entries.size > 0;
      if (isTooMuch || rows.some((row) => this.#leftOut.has(row.id))) {
        queue.spilled = true;
        continue;
      }
      const [first, ...others] = rows;
      this.#options.onBatch(queue, identity, [
        this.#add(queue, first, events),
        ...others.map((row) => this.#add(queue, row, events)),
      ]);
    }
    // Their rows are single ones now: they are read again.
    for (const { webhook_id } of broken) {
      const queue = byUuid.get(webhook_id);
      if (queue !== undefined) queue.spilled = true;
    }
  }
}
