// What stands between a queue and its next start, whatever waits in it: the webhook's status, its calendar, the lease,
// its breaker, opened secrets; then, for each start, the rate. Asked in this order; the one that counts a start is last.
// Must start nothing itself, and must wait with one timer for each queue however often it is asked.
import type { Clock } from "../lib/clock.ts";
import type { Log } from "../lib/log.ts";
import type { Webhook } from "../storage/configuration.ts";
import type { Endpoints } from "./endpoints.ts";
import type { WebhookQueue } from "./queue.ts";
import type { Rates } from "./rate.ts";
import { openAt } from "./retry-policy.ts";
import { type OpenSecret, type PreparedWebhook, prepareWebhook } from "./request.ts";

export interface GatesOptions {
  readonly clock: Clock;
  readonly log: Log;
  readonly openSecret: OpenSecret;
  readonly rates: Rates;
  readonly endpoints: Pick<Endpoints, "restUntilMs">;
  /** Lease held and configuration confirmed. */
  readonly mayStart: () => boolean;
  /** How long an ordered webhook has to wait yet, because an earlier owner's request may be under way; mostly 0. */
  readonly orderWaitMs: (webhook: Webhook) => number;
  /** A gate that was closed may be open now. */
  readonly onOpen: (queue: WebhookQueue) => void;
}

export type Gate =
  | { readonly kind: "open"; readonly prepared: PreparedWebhook }
  /** Switched off or deleted: what it owes ends without a request. */
  | { readonly kind: "off" }
  | { readonly kind: "paused" }
  /** Outside of its business hours, or in a maintenance window; `onOpen` follows. */
  | { readonly kind: "closed" }
  /** Nothing of the node may start: the lease, or the configuration. */
  | { readonly kind: "blocked" }
  /** Its breaker is open: what it owes waits in the table until then, when it is read again. */
  | { readonly kind: "resting" }
  /** Its secrets are being opened, or somebody else's request has to end; `onOpen` follows. */
  | { readonly kind: "waiting" };

const OFF: Gate = { kind: "off" };
const PAUSED: Gate = { kind: "paused" };
const CLOSED: Gate = { kind: "closed" };
const BLOCKED: Gate = { kind: "blocked" };
const RESTING: Gate = { kind: "resting" };
const WAITING: Gate = { kind: "waiting" };
/** How soon a webhook whose secrets did not open is tried again. */
const UNOPENED_RETRY_MS = 50;
/** How often a closed calendar is looked at at least: the clock may be set meanwhile. */
const CLOSED_LOOK_MS = 60_000;

export class Gates {
  readonly #options: GatesOptions;
  readonly #open = new WeakMap<Webhook, Extract<Gate, { kind: "open" }>>();
  readonly #preparing = new WeakSet<Webhook>();
  /** Of queues that wait for a gate to open by itself. */
  readonly #timers = new Set<NodeJS.Timeout>();
  #stopped = false;

  constructor(options: GatesOptions) {
    this.#options = options;
  }

  /** May this webhook have requests at all, now? */
  of(queue: WebhookQueue): Gate {
    const { webhook } = queue;
    if (webhook.status === "deleted" || webhook.status === "disabled") return OFF;
    if (webhook.status === "paused") return PAUSED;
    if (webhook.retryPolicy?.calendar !== undefined) {
      const nowMs = this.#options.clock.nowMs();
      const closedMs = openAt(webhook, nowMs) - nowMs;
      if (closedMs > 0) {
        this.#openIn(queue, Math.min(closedMs, CLOSED_LOOK_MS));
        return CLOSED;
      }
    }
    if (!this.#options.mayStart()) return BLOCKED;
    if (this.#options.endpoints.restUntilMs(webhook) > 0) return RESTING;
    if (queue.ordered !== null) {
      const waitMs = this.#options.orderWaitMs(webhook);
      if (waitMs > 0) {
        this.#openIn(queue, waitMs);
        return WAITING;
      }
    }
    const open = this.#open.get(webhook);
    if (open !== undefined) return open;
    this.#prepare(queue, webhook);
    return WAITING;
  }

  /**
   * May one more request of this webhook start? Counts it when it may, so ask only when it then starts.
   * False: `onOpen` follows when it is worth asking again.
   */
  pass(queue: WebhookQueue): boolean {
    const { webhook } = queue;
    if (webhook.rateLimit === null) return true;
    const waitMs = this.#options.rates.take(webhook, webhook.rateLimit);
    if (waitMs === 0) return true;
    this.#openIn(queue, waitMs);
    return false;
  }

  stop(): void {
    this.#stopped = true;
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
  }

  #prepare(queue: WebhookQueue, webhook: Webhook): void {
    if (this.#preparing.has(webhook)) return;
    this.#preparing.add(webhook);
    const { log, openSecret, onOpen } = this.#options;
    prepareWebhook(webhook, openSecret)
      .then((prepared) => {
        this.#open.set(webhook, { kind: "open", prepared });
        onOpen(queue);
      })
      .catch((error: unknown) => {
        log.error({ err: error, webhook: webhook.id }, "a secret of the webhook does not open; its deliveries wait");
        this.#openIn(queue, UNOPENED_RETRY_MS);
      })
      .finally(() => this.#preparing.delete(webhook));
  }

  #openIn(queue: WebhookQueue, waitMs: number): void {
    if (this.#stopped) return;
    const dueMs = this.#options.clock.monotonicMs() + waitMs;
    // An earlier one is left: it asks again. Only a limit that was raised makes the wait shorter.
    if (queue.gateTimer !== undefined && queue.gateTimerDueMs <= dueMs + 1) return;
    this.#clear(queue);
    queue.gateTimerDueMs = dueMs;
    queue.gateTimer = setTimeout(() => {
      this.#clear(queue);
      this.#options.onOpen(queue);
    }, Math.ceil(waitMs));
    queue.gateTimer.unref();
    this.#timers.add(queue.gateTimer);
  }

  #clear(queue: WebhookQueue): void {
    if (queue.gateTimer === undefined) return;
    clearTimeout(queue.gateTimer);
    this.#timers.delete(queue.gateTimer);
    queue.gateTimer = undefined;
  }
}
