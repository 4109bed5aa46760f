// Fresh deliveries from capture: a place is reserved before their commit, and they may start after it. Must never add
// to memory what a table read could bring a second time: what is added past a read under way, the read is told of.
import type { Webhook } from "../storage/configuration.ts";
import type { Endpoints } from "./endpoints.ts";
import type { LaneHolds } from "./lane-holds.ts";
import {
  type DeliverableEvent,
  type DeliveryMemory,
  type Entry,
  type Reservation,
  unreachable,
  type WebhookQueue,
} from "./queue.ts";
import type { Queues } from "./queues.ts";

export interface IntakeOptions {
  readonly memory: DeliveryMemory;
  readonly queues: Queues;
  readonly holds: LaneHolds;
  readonly endpoints: Pick<Endpoints, "holdsBack" | "restUntilMs">;
  /** True while deliveries of this lane may be taken into memory and started here. */
  readonly ownsLane: (lane: number) => boolean;
  /** Deliveries were written for this webhook that the owner of its lane, another node, should look for. */
  readonly onHandedOff: (webhook: Webhook) => void;
  /** A delivery is committed: it waits for its turn. */
  readonly onArrived: (queue: WebhookQueue, entry: Entry) => void;
  /** Something of this queue may start. */
  readonly onReady: (queue: WebhookQueue) => void;
  /** The table holds something of this queue, which is not read before its time. */
  readonly onResting: (queue: WebhookQueue) => void;
  /** The table holds something of this queue; the key, if it is ordered. */
  readonly onSpilled: (queue: WebhookQueue, orderingKey: string | null) => void;
  /** While the table is read for its queue, this delivery is put into memory from here: the read leaves it out. */
  readonly onMeanwhile: (idBytes: Uint8Array) => void;
  /** The table may hold something of this queue, now or in a moment. */
  readonly onDoubt: (queue: WebhookQueue) => void;
  /** The table holds something of a webhook that has no queue any more, and may have changed. */
  readonly onOrphaned: (webhook: Webhook) => void;
}

export class Intake {
  readonly #options: IntakeOptions;

  constructor(options: IntakeOptions) {
    this.#options = options;
  }

  /** Decides, before the commit, where a delivery goes. */
  reserve(webhook: Webhook, idBytes: Uint8Array, event: DeliverableEvent, orderingKey: string | null): Reservation {
    const { lane } = webhook;
    if (!this.#options.ownsLane(lane)) return { place: "other_node", webhook };
    this.#options.holds.hold(lane);
    const queue = this.#options.queues.of(webhook);
    const waits = queue.webhook.status === "paused" || this.#options.endpoints.holdsBack(queue.webhook);
    // Ordered deliveries start only from a read of the table that began after their commit.
    const isOrdered = queue.ordered !== null || orderingKey !== null;
    const isBehind = (queue.spilled || queue.refilling) && !this.#mayPass(queue);
    if (isOrdered || waits || isBehind || this.#options.memory.roomFor(queue) === 0) {
      return { place: "table", webhook, orderingKey };
    }
    if (queue.refilling) this.#options.onMeanwhile(idBytes);
    const entry = this.#options.memory.add(queue, {
      idBytes,
      event,
      attemptCount: 0,
      policyAttemptBase: 0,
      trigger: "initial",
      replayed: false,
      orderingKey,
    });
    return { place: "memory", entry };
  }

  /**
   * Behind a backlog of retries or replays a fresh delivery would wait for their turn as well as for its own. Of states
   * that supersede each other, and of what travels together, none passes another.
   */
  #mayPass({ isBacklogRepeated, ready, webhook }: WebhookQueue): boolean {
    if (!isBacklogRepeated && !ready.isMostlyRepeated) return false;
    return webhook.coalesce === null && webhook.batchSettings === null && webhook.onImport === "each";
  }

  /** The delivery is committed: it may start. */
  activate(reservation: Reservation): void {
    switch (reservation.place) {
      case "memory": {
        const { entry } = reservation;
        const { lane } = entry.queue.webhook;
        this.#options.holds.settle(lane);
        if (!this.#options.ownsLane(lane)) {
          // About to be given away: it stays in the table, where the next owner finds it.
          this.#options.memory.remove(entry);
          return;
        }
        if (!entry.queue.entries.has(entry)) {
          // The lanes were lost in between. Their owner, perhaps this node again, reads it from the table.
          this.#options.onOrphaned(entry.queue.webhook);
          return;
        }
        this.#options.onArrived(entry.queue, entry);
        this.#options.onReady(entry.queue);
        return;
      }
      case "table": {
        const { webhook } = reservation;
        this.#options.holds.settle(webhook.lane);
        const queue = this.#options.queues.get(webhook.id);
        // Gone in between: the webhook may have changed too, so it is looked up again.
        if (queue === undefined) this.#options.onOrphaned(webhook);
        else if (this.#isAtRest(queue)) this.#options.onResting(queue);
        else this.#options.onSpilled(queue, reservation.orderingKey);
        return;
      }
      case "other_node":
        this.#options.onHandedOff(reservation.webhook);
        return;
      default:
        unreachable(reservation);
    }
  }

  /**
   * A paused one is not read before it is resumed, nor one whose breaker is open before its probe is due: until then a
   * thousand events a second need not ask.
   */
  #isAtRest(queue: WebhookQueue): boolean {
    return queue.webhook.status === "paused" || this.#options.endpoints.restUntilMs(queue.webhook) > 0;
  }

  /**
   * The delivery was not committed.
   * @param unknown true when it may have been after all: then the table is asked, now and for some seconds more
   */
  abandon(reservation: Reservation, unknown: boolean): void {
    switch (reservation.place) {
      case "memory": {
        const { queue } = reservation.entry;
        this.#options.holds.settle(queue.webhook.lane);
        this.#options.memory.remove(reservation.entry);
        if (unknown) this.#options.onDoubt(queue);
        return;
      }
      case "table":
        this.#options.holds.settle(reservation.webhook.lane);
        if (unknown) this.#options.onDoubt(this.#options.queues.of(reservation.webhook));
        return;
      case "other_node":
        if (unknown) this.#options.onHandedOff(reservation.webhook);
        return;
      default:
        unreachable(reservation);
    }
  }
}
