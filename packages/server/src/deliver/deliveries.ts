// The node's deliveries: takes fresh ones from capture, reads the rest from the table in time, forgets everything when
// the lanes are lost. Must never add a delivery to memory that a table read could bring a second time: what capture
// adds is reserved before its commit, and nothing is added past a read under way.
import { type Id, idFromUuid } from "@posthorn/contract";
import type { Clock } from "../lib/clock.ts";
import { LANE_COUNT } from "../lib/lane.ts";
import type { Log } from "../lib/log.ts";
import type { Webhook } from "../storage/configuration.ts";
import type { Executor } from "../storage/pools.ts";
import {
  type DueRow,
  type HandedOver,
  type RefillRequest,
  selectDue,
  selectNextDue,
  selectWebhooksWithDeliveries,
} from "./deliver.sql.ts";
import type { Dispatch } from "./dispatch.ts";
import { bytesOfUuid, eventOfRow } from "./due-event.ts";
import { LaneHolds } from "./lane-holds.ts";
import { type DeliverableEvent, type DeliveryMemory, type Reservation, unreachable, WebhookQueue } from "./queue.ts";

export interface DeliveriesOptions {
  readonly db: Executor;
  readonly clock: Clock;
  readonly log: Log;
  readonly memory: DeliveryMemory;
  /** True while deliveries of this lane may be taken into memory and started here: owned, and not about to be given away. */
  readonly ownsLane: (lane: number) => boolean;
  /** Deliveries were written that the owner of this lane, another node, should look for. */
  readonly onHandedOff: (lane: number) => void;
  readonly findWebhook: (tenantId: Id<"tenant">, webhookId: Id<"webhook">) => Promise<Webhook | null>;
  /** The time written in an event's id, as receivers see it when the sender gave none. */
  readonly timestampOfEvent: (eventIdBytes: Uint8Array) => string;
}

/** Queues read in one statement, and rows asked for each. */
const QUEUES_PER_READ = 64;
const ROWS_PER_QUEUE = 1_000;
/** Everything owned is looked for again this often, whatever was forgotten or lost. */
const FULL_READ_INTERVAL_MS = 60_000;
/** After a failed read. */
const READ_RETRY_MS = 250;
/** How long a statement whose answer was lost can still be committed: the server's own timeout for it, and a second. */
const DOUBT_MS = 6_000;
/** Meanwhile the table is looked at this often. */
const DOUBT_INTERVAL_MS = 1_000;
/** setTimeout's limit; a longer wait wakes early and waits again. */
const MAX_TIMER_MS = 60_000;

export class Deliveries {
  readonly #options: DeliveriesOptions;
  readonly #queues = new Map<string, WebhookQueue>();
  #dispatch!: Dispatch;
  #timer: NodeJS.Timeout | undefined;
  #timerDueMs = Number.POSITIVE_INFINITY;
  #reading = false;
  #lastFullReadMs = Number.NEGATIVE_INFINITY;
  #lanesToRead = new Set<number>();
  #stopped = false;
  /** Cancelled while the table was being read: the read may have seen them before. By delivery, as PostgreSQL writes it. */
  readonly #cancelledMeanwhile = new Set<string>();
  readonly #holds = new LaneHolds();
  /** Raised when the lanes are lost: what was read under an older generation is not added. */
  #generation = 0;

  constructor(options: DeliveriesOptions) {
    this.#options = options;
  }

  /** Completes the circle: dispatching needs the queues, the queues need dispatching. */
  attach(dispatch: Dispatch): void {
    this.#dispatch = dispatch;
  }

  /** Deliveries in memory by webhook, for tests and metrics. */
  get queueCount(): number {
    return this.#queues.size;
  }

  // --- from capture ------------------------------------------------------------------------------------------------

  /** Decides, before the commit, where a delivery goes. */
  reserve(webhook: Webhook, idBytes: Uint8Array, event: DeliverableEvent): Reservation {
    const { lane } = webhook;
    if (!this.#options.ownsLane(lane)) return { place: "other_node", lane };
    this.#holds.hold(lane);
    const queue = this.#queueOf(webhook);
    const isPaused = queue.webhook.status === "paused";
    if (isPaused || queue.spilled || queue.refilling || this.#options.memory.roomFor(queue) === 0) {
      return { place: "table", webhook };
    }
    const entry = this.#options.memory.add(queue, {
      idBytes,
      event,
      attemptCount: 0,
      policyAttemptBase: 0,
      trigger: "initial",
      replayed: false,
    });
    return { place: "memory", entry };
  }

  /** The delivery is committed: it may start. */
  activate(reservation: Reservation): void {
    switch (reservation.place) {
      case "memory": {
        const { entry } = reservation;
        const { lane } = entry.queue.webhook;
        this.#holds.settle(lane);
        if (!this.#options.ownsLane(lane)) {
          // About to be given away: it stays in the table, where the next owner finds it.
          this.#options.memory.remove(entry);
          return;
        }
        if (!entry.queue.entries.has(entry)) {
          // The lanes were lost in between. Their owner, perhaps this node again, reads it from the table.
          this.wake(entry.queue.webhook);
          return;
        }
        entry.queue.ready.push(entry);
        this.#dispatch.pump(entry.queue);
        return;
      }
      case "table": {
        const { webhook } = reservation;
        this.#holds.settle(webhook.lane);
        const queue = this.#queues.get(webhook.id);
        // Gone in between: the webhook may have changed too, so it is looked up again.
        if (queue === undefined) this.#wakeAsItIsNow(webhook);
        // A paused one is not read before it is resumed; until then a thousand events a second need not ask.
        else if (queue.webhook.status === "paused") queue.spilled = true;
        else this.#spill(queue);
        return;
      }
      case "other_node":
        this.#options.onHandedOff(reservation.lane);
        return;
      default:
        unreachable(reservation);
    }
  }

  /**
   * The delivery was not committed.
   * @param unknown true when it may have been after all: then the table is asked, now and for some seconds more
   */
  abandon(reservation: Reservation, unknown: boolean): void {
    switch (reservation.place) {
      case "memory": {
        const { queue } = reservation.entry;
        this.#holds.settle(queue.webhook.lane);
        this.#options.memory.remove(reservation.entry);
        if (unknown) this.#doubt(queue);
        return;
      }
      case "table":
        this.#holds.settle(reservation.webhook.lane);
        if (unknown) this.#doubt(this.#queueOf(reservation.webhook));
        return;
      case "other_node":
        if (unknown) this.#options.onHandedOff(reservation.lane);
        return;
      default:
        unreachable(reservation);
    }
  }

  /**
   * Somebody else than capture is about to write rows of lanes that this node owns: none of them is given away before
   * the returned function is called.
   */
  holdLanes(lanes: readonly number[]): () => void {
    return this.#holds.holdAll(lanes);
  }

  /** A dying backend may commit a little later than we look. */
  #doubt(queue: WebhookQueue): void {
    queue.doubtUntilMs = this.#options.clock.nowMs() + DOUBT_MS;
    this.#spill(queue);
  }

  // --- from configuration, ownership, replay ---------------------------------------------------------------------

  /** A webhook changed: its queue works by the new snapshot at once. */
  webhookChanged(webhook: Webhook): void {
    const present = this.#queues.get(webhook.id);
    if (present === undefined) {
      // Whatever it owed has to end, or to be found when it is resumed; enabled again, nothing is owed that is not due
      // in time.
      if (webhook.status === "enabled" || !this.#options.ownsLane(webhook.lane)) return;
    }
    const queue = present ?? this.#queueOf(webhook);
    queue.webhook = webhook;
    this.#spill(queue);
    this.#dispatch.pump(queue);
  }

  /** Rows of this webhook were written or made due by someone else than capture. */
  wake(webhook: Webhook, inDoubt = false): void {
    if (!this.#options.ownsLane(webhook.lane)) {
      this.#options.onHandedOff(webhook.lane);
      return;
    }
    const queue = this.#queueOf(webhook);
    if (inDoubt) this.#doubt(queue);
    else this.#spill(queue);
  }

  /**
   * The same for webhooks known by their rows only.
   * @param inDoubt the rows may still be committed: the answer of their statement was lost
   */
  async wakeByIds(rows: readonly { tenant_id: string; webhook_id: string }[], inDoubt = false): Promise<void> {
    for (const row of rows) {
      const webhook = await this.#options.findWebhook(
        idFromUuid("tenant", row.tenant_id),
        idFromUuid("webhook", row.webhook_id),
      );
      if (webhook === null) this.#options.log.error({ row }, "deliveries of a webhook that never existed");
      else this.wake(webhook, inDoubt);
    }
  }

  #wakeAsItIsNow(webhook: Webhook): void {
    this.wakeByIds([{ tenant_id: webhook.tenantUuid, webhook_id: webhook.uuid }]).catch((error: unknown) => {
      this.#options.log.warn({ err: error, webhook: webhook.id }, "a webhook could not be looked up; its lane is read");
      this.lanesAcquired([webhook.lane]);
    });
  }

  /** These were cancelled: what waits in memory is let go, what is on its way ends and finds its row gone. */
  cancelled(notices: readonly HandedOver[]): void {
    for (const notice of notices) {
      const queue = this.#queues.get(idFromUuid("webhook", notice.webhook_id));
      if (queue === undefined || notice.cancelled_id === null) continue;
      if (queue.refilling) this.#cancelledMeanwhile.add(notice.cancelled_id);
      const idBytes = bytesOfUuid(notice.cancelled_id);
      for (const entry of queue.entries) {
        if (Buffer.compare(entry.idBytes, idBytes) !== 0) continue;
        if (queue.withdraw(entry)) this.#options.memory.remove(entry);
      }
      this.roomMade(queue);
    }
  }

  /**
   * The database was away and may have crashed: results that were recorded without waiting for the disk can be gone,
   * their deliveries back in the table. Everything owned is looked for again; what is in memory is left out.
   */
  readEverything(): void {
    this.#lastFullReadMs = Number.NEGATIVE_INFINITY;
    this.#wakeAt(0);
  }

  lanesAcquired(lanes: readonly number[]): void {
    for (const lane of lanes) this.#lanesToRead.add(lane);
    this.#wakeAt(0);
  }

  /** These lanes are about to be given away: what has not started stays in the table, nothing more is taken. */
  lanesDraining(lanes: readonly number[]): void {
    for (const queue of this.#queuesOf(lanes)) {
      for (let entry = queue.takeReady(); entry !== undefined; entry = queue.takeReady()) {
        this.#options.memory.remove(entry);
      }
    }
  }

  /**
   * Those of these lanes of which nothing is under way here: no request, no result to be recorded, no read, no row
   * that may be committed later.
   */
  drainedOf(lanes: readonly number[]): number[] {
    const nowMs = this.#options.clock.nowMs();
    const busy = new Set<number>();
    for (const queue of this.#queuesOf(lanes)) {
      if (queue.entries.size > 0 || queue.refilling || nowMs < queue.doubtUntilMs) busy.add(queue.webhook.lane);
    }
    return lanes.filter((lane) => !busy.has(lane) && this.#holds.isFree(lane));
  }

  /** How much of each lane is in memory. */
  loads(): Int32Array {
    const loads = new Int32Array(LANE_COUNT);
    for (const { webhook, entries } of this.#queues.values()) {
      loads[webhook.lane] = (loads[webhook.lane] as number) + entries.size;
    }
    return loads;
  }

  /** These lanes are somebody else's now. They were drained. */
  lanesReleased(lanes: readonly number[]): void {
    for (const queue of this.#queuesOf(lanes)) this.#queues.delete(queue.webhook.id);
    for (const lane of lanes) this.#lanesToRead.delete(lane);
  }

  #queuesOf(lanes: readonly number[]): WebhookQueue[] {
    const wanted = new Set(lanes);
    return [...this.#queues.values()].filter((queue) => wanted.has(queue.webhook.lane));
  }

  /** The lanes are gone: what is in memory belongs to somebody else now. Results under way find the fence. */
  lanesLost(): void {
    this.#generation += 1;
    for (const queue of this.#queues.values()) {
      for (const entry of queue.entries) this.#options.memory.remove(entry);
      queue.ready = [];
      queue.readyAt = 0;
    }
    this.#queues.clear();
    this.#lanesToRead.clear();
  }

  /** Something left a queue's memory. */
  roomMade(queue: WebhookQueue): void {
    if (this.#queues.get(queue.webhook.id) !== queue) return;
    if (queue.idle) this.#queues.delete(queue.webhook.id);
    else if (queue.spilled) this.#wakeAt(0);
    else this.#wakeAt(queue.nextDueAtMs);
  }

  start(): void {
    this.#wakeAt(0);
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }

  // --- reading the table -------------------------------------------------------------------------------------------

  #queueOf(webhook: Webhook): WebhookQueue {
    let queue = this.#queues.get(webhook.id);
    if (queue === undefined) {
      queue = new WebhookQueue(webhook);
      this.#queues.set(webhook.id, queue);
    } else if (webhook.configVersion > queue.webhook.configVersion) {
      queue.webhook = webhook;
    }
    return queue;
  }

  #spill(queue: WebhookQueue): void {
    queue.spilled = true;
    this.#wakeAt(0);
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
      await this.#readQueues(this.#queuesToRead());
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
    await this.wakeByIds(rows);
    // Only now: a webhook that could not be looked up has to be found again.
    if (generation !== this.#generation) return;
    for (const lane of lanes) this.#lanesToRead.delete(lane);
  }

  #needsRead(queue: WebhookQueue, nowMs: number): boolean {
    if (!queue.spilled && queue.nextDueAtMs > nowMs) return false;
    if (!this.#options.ownsLane(queue.webhook.lane)) return false;
    if (queue.webhook.status === "paused") return false;
    // Read in gulps: not for every single place that becomes free while thousands wait.
    const room = this.#options.memory.roomFor(queue);
    return room >= ROWS_PER_QUEUE || room > queue.entries.size;
  }

  #queuesToRead(): WebhookQueue[] {
    const nowMs = this.#options.clock.nowMs();
    const chosen: WebhookQueue[] = [];
    for (const queue of this.#queues.values()) {
      if (!this.#needsRead(queue, nowMs)) continue;
      chosen.push(queue);
      if (chosen.length === QUEUES_PER_READ) break;
    }
    return chosen;
  }

  #nextReadMs(): number {
    const nowMs = this.#options.clock.nowMs();
    let nextMs = nowMs + FULL_READ_INTERVAL_MS;
    const sinceFullReadMs = this.#options.clock.monotonicMs() - this.#lastFullReadMs;
    if (this.#lanesToRead.size > 0 || sinceFullReadMs >= FULL_READ_INTERVAL_MS) return 0;
    for (const queue of this.#queues.values()) {
      if (this.#needsRead(queue, nowMs)) return 0;
      if (queue.nextDueAtMs > nowMs && queue.nextDueAtMs < nextMs) nextMs = queue.nextDueAtMs;
    }
    return nextMs;
  }

  async #readQueues(queues: readonly WebhookQueue[]): Promise<void> {
    if (queues.length === 0) return;
    const { db, clock, memory } = this.#options;
    const generation = this.#generation;
    const nowMs = clock.nowMs();
    const inMemory: Uint8Array[] = [];
    const requests = queues.map((queue): RefillRequest => {
      for (const entry of queue.entries) inMemory.push(entry.idBytes);
      queue.refilling = true;
      queue.spilled = false;
      const isOff = queue.webhook.status !== "enabled";
      return {
        lane: queue.webhook.lane,
        webhookBytes: queue.webhook.bytes,
        dueBeforeMs: isOff ? Number.POSITIVE_INFINITY : nowMs,
        limit: Math.min(ROWS_PER_QUEUE, memory.roomFor(queue)),
      };
    });
    try {
      const rows = await selectDue(db, requests, inMemory);
      const nextDue = await selectNextDue(db, requests);
      if (generation !== this.#generation) return;
      this.#addRows(queues, requests, rows);
      const nextByWebhook = new Map(nextDue.map((row) => [row.webhook_id, row.next_due_ms]));
      for (const queue of queues) {
        const nextDueAtMs = nextByWebhook.get(queue.webhook.uuid) ?? Number.POSITIVE_INFINITY;
        const isInDoubt = nowMs < queue.doubtUntilMs;
        queue.nextDueAtMs = isInDoubt ? Math.min(nextDueAtMs, nowMs + DOUBT_INTERVAL_MS) : nextDueAtMs;
      }
    } catch (error) {
      for (const queue of queues) queue.spilled = true;
      throw error;
    } finally {
      for (const queue of queues) queue.refilling = false;
      this.#cancelledMeanwhile.clear();
    }
    for (const queue of queues) {
      this.#dispatch.pump(queue);
      if (queue.idle) this.#queues.delete(queue.webhook.id);
    }
  }

  #addRows(queues: readonly WebhookQueue[], requests: readonly RefillRequest[], rows: readonly DueRow[]): void {
    const byUuid = new Map(queues.map((queue) => [queue.webhook.uuid, queue]));
    const counts = new Map<string, number>();
    const events = new Map<string, DeliverableEvent>();
    for (const row of rows) {
      counts.set(row.webhook_id, (counts.get(row.webhook_id) ?? 0) + 1);
      const queue = byUuid.get(row.webhook_id);
      if (queue === undefined || this.#cancelledMeanwhile.has(row.id)) continue;
      // About to be given away since the read began.
      if (!this.#options.ownsLane(queue.webhook.lane)) continue;
      let event = events.get(row.event_id);
      if (event === undefined) {
        event = eventOfRow(row, this.#options.timestampOfEvent);
        events.set(row.event_id, event);
      }
      const entry = this.#options.memory.add(queue, {
        idBytes: bytesOfUuid(row.id),
        event,
        attemptCount: row.attempt_count,
        policyAttemptBase: row.policy_attempt_base,
        trigger: row.next_trigger,
        replayed: row.replayed,
      });
      // Only a hand in the database can take an event away from under its delivery: end it where it is seen.
      if (row.type === null) this.#dispatch.end(queue, entry, { kind: "dead_letter", reason: "expired" });
      else queue.ready.push(entry);
    }
    queues.forEach((queue, index) => {
      // The limit was reached: the table holds more of it.
      if ((counts.get(queue.webhook.uuid) ?? 0) >= (requests[index] as RefillRequest).limit) queue.spilled = true;
    });
  }
}
