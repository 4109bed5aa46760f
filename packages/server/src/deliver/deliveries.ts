// The node's deliveries: what it owes, by webhook. Fresh ones come from capture (intake.ts), the rest from the table in
// time (refill.ts); everything is forgotten when the lanes are lost. Must never let a delivery be taken twice.
import { type Id, idFromUuid, uuidFromBytes } from "@posthorn/contract";
import type { Clock } from "../lib/clock.ts";
import { LANE_COUNT } from "../lib/lane.ts";
import type { Log } from "../lib/log.ts";
import type { Webhook } from "../storage/configuration.ts";
import type { Executor } from "../storage/pools.ts";
import type { HandedOver } from "./deliver.sql.ts";
import type { Dispatch } from "./dispatch.ts";
import type { Endpoints } from "./endpoints.ts";
import type { BatchKey } from "./gather/stored-batches.ts";
import type { Gathering } from "./gather/gathering.ts";
import { Intake } from "./intake.ts";
import { LaneHolds } from "./lane-holds.ts";
import type { DeliverableEvent, DeliveryMemory, Reservation, WebhookQueue } from "./queue.ts";
import { Queues } from "./queues.ts";
import { Refill } from "./refill.ts";

export interface DeliveriesOptions {
  readonly db: Executor;
  readonly clock: Clock;
  readonly log: Log;
  readonly memory: DeliveryMemory;
  /** True while deliveries of this lane may be taken into memory and started here: owned, and not about to be given away. */
  readonly ownsLane: (lane: number) => boolean;
  /** Deliveries were written for this webhook that the owner of its lane, another node, should look for. */
  readonly onHandedOff: (webhook: Webhook) => void;
  readonly endpoints: Pick<Endpoints, "restUntilMs" | "wantedRows" | "holdsBack">;
  readonly findWebhook: (tenantId: Id<"tenant">, webhookId: Id<"webhook">) => Promise<Webhook | null>;
  /** A batch that lost a member: what is left of it are single deliveries from now on. */
  readonly dissolveBatch: (batch: BatchKey, memberUuids: readonly string[]) => Promise<void>;
  /** The time written in an event's id, as receivers see it when the sender gave none. */
  readonly timestampOfEvent: (eventIdBytes: Uint8Array) => string;
}

/** A webhook known by a row of its. */
export interface WokenWebhook {
  readonly tenant_id: string;
  readonly webhook_id: string;
  /** The one key that is concerned; left out where all may be. */
  readonly ordering_key?: string | null;
}

export class Deliveries {
  readonly #options: DeliveriesOptions;
  readonly #queues: Queues;
  readonly #holds = new LaneHolds();
  readonly #intake: Intake;
  readonly #refill: Refill;
  #dispatch!: Dispatch;
  #gathering!: Gathering;

  constructor(options: DeliveriesOptions) {
    this.#options = options;
    this.#queues = new Queues(options.memory);
    const onReady = (queue: WebhookQueue): void => this.#dispatch.pump(queue);
    this.#refill = new Refill({
      ...options,
      queues: this.#queues,
      onFound: (rows) => this.wakeByIds(rows),
      onReady,
      onArrived: (queue, entry) => this.#gathering.arrive(queue, entry),
      onBatch: (queue, identity, entries) => this.#gathering.arriveBatch(queue, identity, entries),
      // Only a hand in the database can take an event away from under its delivery: end it where it is seen.
      onEventGone: (queue, entry) => this.#dispatch.end(queue, entry, { kind: "dead_letter", reason: "expired" }),
    });
    this.#intake = new Intake({
      ...options,
      queues: this.#queues,
      holds: this.#holds,
      onReady,
      onArrived: (queue, entry) => this.#gathering.arrive(queue, entry),
      onResting: (queue) => this.#refill.rest(queue),
      onSpilled: (queue, orderingKey) => this.#refill.spill(queue, orderingKey),
      onMeanwhile: (idBytes) => this.#refill.arrivedMeanwhile(uuidFromBytes(idBytes)),
      onDoubt: (queue) => this.#refill.doubt(queue),
      onOrphaned: (webhook) => this.#wakeAsItIsNow(webhook),
    });
  }

  /** Completes the circle: dispatching needs the queues, the queues need dispatching. */
  attach(dispatch: Dispatch, gathering: Gathering): void {
    this.#dispatch = dispatch;
    this.#gathering = gathering;
  }

  /** Deliveries in memory by webhook, for tests and metrics. */
  get queueCount(): number {
    return this.#queues.count;
  }

  // --- from capture ------------------------------------------------------------------------------------------------

  /** Decides, before the commit, where a delivery goes. */
  reserve(webhook: Webhook, idBytes: Uint8Array, event: DeliverableEvent, orderingKey: string | null): Reservation {
    return this.#intake.reserve(webhook, idBytes, event, orderingKey);
  }

  /** The delivery is committed: it may start. */
  activate(reservation: Reservation): void {
    this.#intake.activate(reservation);
  }

  /**
   * The delivery was not committed.
   * @param unknown true when it may have been after all: then the table is asked, now and for some seconds more
   */
  abandon(reservation: Reservation, unknown: boolean): void {
    this.#intake.abandon(reservation, unknown);
  }

  /**
   * Somebody else than capture is about to write rows of lanes that this node owns: none of them is given away before
   * the returned function is called.
   */
  holdLanes(lanes: readonly number[]): () => void {
    return this.#holds.holdAll(lanes);
  }

  // --- from configuration, ownership, replay ---------------------------------------------------------------------

  /** A webhook changed: its queue works by the new snapshot at once. */
  webhookChanged(webhook: Webhook): void {
    if (this.#queues.get(webhook.id) === undefined) {
      // Whatever it owed has to end, or to be found when it is resumed; enabled again, nothing is owed that is not due
      // in time.
      if (webhook.status === "enabled" || !this.#options.ownsLane(webhook.lane)) return;
    }
    const queue = this.#queues.changed(webhook);
    this.#refill.spill(queue);
    this.#dispatch.pump(queue);
  }

  /** Rows of this webhook were written or made due by someone else than capture. */
  wake(webhook: Webhook, inDoubt = false, orderingKey: string | null = null): void {
    if (!this.#options.ownsLane(webhook.lane)) {
      this.#options.onHandedOff(webhook);
      return;
    }
    const queue = this.#queues.of(webhook);
    if (inDoubt) this.#refill.doubt(queue);
    else this.#refill.spill(queue, orderingKey);
  }

  /**
   * The same for webhooks known by their rows only.
   * @param inDoubt the rows may still be committed: the answer of their statement was lost
   */
  async wakeByIds(rows: readonly WokenWebhook[], inDoubt = false): Promise<void> {
    for (const row of rows) {
      const webhook = await this.#options.findWebhook(
        idFromUuid("tenant", row.tenant_id),
        idFromUuid("webhook", row.webhook_id),
      );
      if (webhook === null) this.#options.log.error({ row }, "deliveries of a webhook that never existed");
      else this.wake(webhook, inDoubt, row.ordering_key ?? null);
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
    const byWebhook = new Map<string, { readonly notice: HandedOver; readonly cancelled: Set<string> }>();
    for (const notice of notices) {
      if (notice.cancelled_id === null) continue;
      const webhookId = idFromUuid("webhook", notice.webhook_id);
      const known = byWebhook.get(webhookId);
      if (known === undefined) byWebhook.set(webhookId, { notice, cancelled: new Set([notice.cancelled_id]) });
      else known.cancelled.add(notice.cancelled_id);
    }
    for (const [webhookId, { notice, cancelled }] of byWebhook) {
      const queue = this.#queues.get(webhookId);
      if (queue === undefined) {
        // One of them may have been the first of its key.
        this.#wakeIfOrdered(notice);
        continue;
      }
      for (const uuid of cancelled) this.#refill.cancelled(queue, uuid);
      // Once over the queue, however many were cancelled: there may be thousands of both.
      for (const entry of queue.entries) {
        if (!cancelled.has(uuidFromBytes(entry.idBytes))) continue;
        const withdrawn = this.#gathering.withdraw(queue, entry);
        for (const each of withdrawn) this.#options.memory.remove(each);
        // With the batch that it was in.
        if (withdrawn.length > 1) this.#refill.spill(queue);
      }
      if (queue.ordered !== null) this.#refill.spill(queue);
      this.roomMade(queue);
    }
  }

  #wakeIfOrdered({ tenant_id, webhook_id }: HandedOver): void {
    this.#options.findWebhook(idFromUuid("tenant", tenant_id), idFromUuid("webhook", webhook_id)).then(
      (webhook) => {
        if (webhook !== null && webhook.orderingKey !== null) this.wake(webhook);
      },
      (error: unknown) =>
        this.#options.log.warn({ err: error }, "a cancelled delivery's webhook could not be looked up"),
    );
  }

  /**
   * The database was away and may have crashed: results that were recorded without waiting for the disk can be gone,
   * their deliveries back in the table. Everything owned is looked for again; what is in memory is left out.
   */
  readEverything(): void {
    this.#refill.readEverything();
  }

  lanesAcquired(lanes: readonly number[]): void {
    this.#refill.readLanes(lanes);
  }

  /** These lanes are about to be given away: what has not started stays in the table, nothing more is taken. */
  lanesDraining(lanes: readonly number[]): void {
    for (const queue of this.#queues.ofLanes(lanes)) {
      for (const entry of this.#gathering.takeAll(queue)) this.#options.memory.remove(entry);
    }
  }

  /**
   * Those of these lanes of which nothing is under way here: no request, no result to be recorded, no read, no row
   * that may be committed later.
   */
  drainedOf(lanes: readonly number[]): number[] {
    const nowMs = this.#options.clock.nowMs();
    const busy = new Set<number>();
    for (const queue of this.#queues.ofLanes(lanes)) {
      if (queue.entries.size > 0 || queue.refilling || nowMs < queue.doubtUntilMs) busy.add(queue.webhook.lane);
    }
    return lanes.filter((lane) => !busy.has(lane) && this.#holds.isFree(lane));
  }

  /** How much of each lane is in memory. */
  loads(): Int32Array {
    const loads = new Int32Array(LANE_COUNT);
    for (const { webhook, entries } of this.#queues.all()) {
      loads[webhook.lane] = (loads[webhook.lane] as number) + entries.size;
    }
    return loads;
  }

  /** These lanes are somebody else's now. They were drained. */
  lanesReleased(lanes: readonly number[]): void {
    for (const queue of this.#queues.ofLanes(lanes)) this.#forget(queue);
    this.#refill.lanesReleased(lanes);
  }

  /** The lanes are gone: what is in memory belongs to somebody else now. Results under way find the fence. */
  lanesLost(): void {
    this.#refill.lanesLost();
    for (const queue of this.#queues.all()) {
      for (const entry of queue.entries) this.#options.memory.remove(entry);
      queue.ready.clear();
      this.#gathering.forget(queue);
    }
    this.#queues.forgetAll();
  }

  /** Something left a queue's memory. */
  roomMade(queue: WebhookQueue): void {
    if (!this.#queues.has(queue)) return;
    if (queue.idle) this.#forget(queue);
    else this.#refill.roomMade(queue);
  }

  #forget(queue: WebhookQueue): void {
    this.#queues.forget(queue);
    this.#gathering.forget(queue);
  }

  /** Rows of this queue that were in memory are to be looked for in the table. */
  spilled(queue: WebhookQueue, inDoubt: boolean): void {
    if (!this.#queues.has(queue)) return;
    if (inDoubt) this.#refill.doubt(queue);
    else this.#refill.spill(queue);
  }

  start(): void {
    this.#refill.start();
  }

  stop(): void {
    this.#refill.stop();
  }
}
