// The queues of a node, by webhook. Must hold one queue for each webhook, working by the newest snapshot that was seen.
import type { Webhook } from "../storage/configuration.ts";
import { WebhookQueue } from "./queue.ts";

export class Queues {
  readonly #queues = new Map<string, WebhookQueue>();

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
      queue.webhook = webhook;
    }
    return queue;
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
