// The queues of a node, by webhook. Must hold one queue for each webhook, working by the newest snapshot that was seen.
import type { Webhook } from "../storage/configuration.ts";
import { type DeliveryMemory, WebhookQueue } from "./queue.ts";

export class Queues {
  readonly #memory: DeliveryMemory;
  readonly #queues = new Map<string, WebhookQueue>();

  constructor(memory: DeliveryMemory) {
    this.#memory = memory;
  }

  get count(): number {
    return this.#queues.size;
  }

  get(webhookId: string): WebhookQueue | undefined {
    return this.#queues.get(webhookId);
  }

  /** The queue of this webhook, made if there is none. */
  of(webhook: Webhook): WebhookQueue {
    let queue = this.#queues.get(webhook.id);
    if (queue === undefined) {
      queue = new WebhookQueue(webhook);
      this.#queues.set(webhook.id, queue);
    } else if (webhook.configVersion > queue.webhook.configVersion) {
      this.#adopt(queue, webhook);
    }
    return queue;
  }

  /** This webhook changed: its queue, made if there is none, works by the new snapshot. */
  changed(webhook: Webhook): WebhookQueue {
    const queue = this.#queues.get(webhook.id) ?? this.of(webhook);
    this.#adopt(queue, webhook);
    return queue;
  }

  #adopt(queue: WebhookQueue, webhook: Webhook): void {
    for (const entry of queue.adopt(webhook)) this.#memory.remove(entry);
  }

  /** False for one that was forgotten meanwhile. */
  has(queue: WebhookQueue): boolean {
    return this.#queues.get(queue.webhook.id) === queue;
  }

  all(): IterableIterator<WebhookQueue> {
    return this.#queues.values();
  }

  ofLanes(lanes: readonly number[]): WebhookQueue[] {
    const wanted = new Set(lanes);
    return [...this.#queues.values()].filter((queue) => wanted.has(queue.webhook.lane));
  }

  forget(queue: WebhookQueue): void {
    this.#queues.delete(queue.webhook.id);
  }

  forgetAll(): void {
    this.#queues.clear();
  }
}
