// The node's slots: how many requests are under way, and whose turn it is when one becomes free. Today queues get them in
// plain turn. Pure: must know neither clocks nor receivers.
import type { WebhookQueue } from "./queue.ts";

export class Slots {
  readonly #maxCount: number;
  /** Queues that wait for a slot, in turn. */
  #waiting: WebhookQueue[] = [];
  #takenCount = 0;

  constructor(maxCount: number) {
    this.#maxCount = maxCount;
  }

  get takenCount(): number {
    return this.#takenCount;
  }

  get isFull(): boolean {
    return this.#takenCount >= this.#maxCount;
  }

  /** A request of this queue starts. */
  take(queue: WebhookQueue): void {
    queue.inFlightCount += 1;
    this.#takenCount += 1;
  }

  /** It ended. */
  release(queue: WebhookQueue): void {
    queue.inFlightCount -= 1;
    this.#takenCount -= 1;
  }

  /** This queue has something to start and no slot, or nothing may start now. */
  wait(queue: WebhookQueue): void {
    if (queue.waitingForSlot) return;
    queue.waitingForSlot = true;
    this.#waiting.push(queue);
  }

  /** How many queues wait. */
  get waitingCount(): number {
    return this.#waiting.length;
  }

  /** Whose turn it is; it waits no longer. */
  next(): WebhookQueue | undefined {
    const queue = this.#waiting.shift();
    if (queue !== undefined) queue.waitingForSlot = false;
    return queue;
  }
}
