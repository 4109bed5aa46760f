// Brings what is ready to its receivers: takes an entry, builds its request, sends it, decides, hands the result to
// record. Must start nothing without a lease and a confirmed configuration, and must never let an entry go before its
// record is committed.
import { formatId } from "@posthorn/contract";
import type { Clock } from "../lib/clock.ts";
import type { Log } from "../lib/log.ts";
import type { SendResult } from "../security/outbound/result.ts";
import type { Webhook } from "../storage/configuration.ts";
import { type DeadLetterReason, decide, type Outcome, outcomeOf, type Verdict } from "./decide.ts";
import type { DeliveryMemory, Entry, WebhookQueue } from "./queue.ts";
import {
  type AttemptIdentity,
  envelopeOf,
  type OpenSecret,
  type PreparedWebhook,
  prepareWebhook,
  requestHeaders,
  type Seal,
  sealNow,
  sealPrefix,
} from "./request.ts";

/** What one attempt leaves behind, as record takes it. */
export interface AttemptReport {
  readonly number: number;
  readonly trigger: Entry["trigger"];
  readonly startedAtMs: number;
  readonly endedAtMs: number;
  readonly webhookVersion: number;
  readonly url: string;
  readonly outcome: Outcome;
  readonly outcomeCode: string | null;
  readonly bodyLength: number;
  readonly bodyHash: Uint8Array;
  readonly result: SendResult;
}

/** How a delivery goes on, as record takes it: after an attempt, or without one (withdrawn). */
export interface DeliveryReport {
  readonly entry: Entry;
  readonly attempt: AttemptReport | null;
  readonly verdict: Verdict | { readonly kind: "cancelled"; readonly reason: "webhook_deleted" };
}

/** Declared here, written by record: resolves when the report is committed (or can never be: the lease is gone). */
export type RecordDelivery = (report: DeliveryReport) => Promise<void>;

/** The part of the guarded client that delivering needs. */
export interface Sender {
  send(request: {
    readonly url: string;
    readonly method: string;
    readonly headers: string[];
    readonly body: Uint8Array;
    readonly timeoutMs: number;
    readonly signal: AbortSignal;
  }): Promise<SendResult>;
}

export interface DispatchOptions {
  readonly clock: Clock;
  readonly log: Log;
  readonly memory: DeliveryMemory;
  readonly sender: Sender;
  readonly openSecret: OpenSecret;
  /** Hashes and signs a large body away from the event loop. */
  readonly sealLarge: (body: Buffer, plainKey: Uint8Array, standardKey: Uint8Array, prefix: string) => Promise<Seal>;
  readonly record: RecordDelivery;
  /** Lease held and configuration confirmed: asked just before each send. */
  readonly mayStart: () => boolean;
  /** The receiver answered 410: switch the webhook off. */
  readonly onEndpointGone: (webhook: Webhook) => void;
  /** Something left this queue: there may be room for more of the table. */
  readonly onRoom: (queue: WebhookQueue) => void;
  readonly maxInFlight?: number;
  /** Named moments for crash tests; inert in production. */
  readonly failpoint?: (name: "before_send" | "after_response") => void;
}

/** Requests under way at once on one node; each costs a socket and some 20 kB. */
const MAX_IN_FLIGHT = 10_000;
/** Above this, sealing takes longer than a millisecond. */
const LARGE_BYTES = 256 * 1024;
/** When a delivery is looked at again after a fault inside the node. */
const FAULT_RETRY_MS = 5_000;
/** How often waiting queues are tried again while nothing may start. */
const BLOCKED_RETRY_MS = 50;

export class Dispatch {
  readonly #options: DispatchOptions;
  readonly #maxInFlight: number;
  readonly #prepared = new WeakMap<Webhook, PreparedWebhook>();
  readonly #preparing = new WeakMap<Webhook, Promise<void>>();
  /** Queues that wait for a slot of the node, in turn. */
  readonly #waiting: WebhookQueue[] = [];
  #inFlightCount = 0;
  #openCount = 0;
  #blockedTimer: NodeJS.Timeout | undefined;
  #idle: (() => void)[] = [];
  #stopped = false;
  #abort = new AbortController();

  constructor(options: DispatchOptions) {
    this.#options = options;
    this.#maxInFlight = options.maxInFlight ?? MAX_IN_FLIGHT;
  }

  get inFlightCount(): number {
    return this.#inFlightCount;
  }

  /** Starts what may start of one queue. */
  pump(queue: WebhookQueue): void {
    if (this.#stopped || queue.readyCount === 0) return;
    const { webhook } = queue;
    if (webhook.status === "deleted" || webhook.status === "disabled") {
      this.#withdraw(queue);
      return;
    }
    if (webhook.status === "paused") return;
    if (!this.#options.mayStart()) {
      this.#waitForSlot(queue);
      this.#retryBlocked();
      return;
    }
    const prepared = this.#prepared.get(webhook);
    if (prepared === undefined) {
      this.#prepare(queue, webhook);
      return;
    }
    while (queue.inFlightCount < webhook.maxInFlight && queue.readyCount > 0) {
      if (this.#inFlightCount >= this.#maxInFlight) {
        this.#waitForSlot(queue);
        return;
      }
      const entry = queue.takeReady();
      if (entry === undefined) return;
      this.#start(queue, entry, prepared);
    }
  }

  /** No new attempt starts from now on. */
  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#blockedTimer);
  }

  /** Resolves when no attempt is under way and every result is recorded. */
  async drained(): Promise<void> {
    if (this.#openCount === 0) return;
    await new Promise<void>((resolve) => this.#idle.push(resolve));
  }

  /** Every running request ends now, as interrupted: the lease is gone, or shutdown waits no longer. */
  interrupt(): void {
    this.#abort.abort();
    this.#abort = new AbortController();
  }

  #start(queue: WebhookQueue, entry: Entry, prepared: PreparedWebhook): void {
    queue.inFlightCount += 1;
    this.#inFlightCount += 1;
    this.#openCount += 1;
    const startedAtMs = this.#options.clock.nowMs();
    const identity: AttemptIdentity = {
      publicEventId: entry.event.publicId,
      eventType: entry.event.type,
      deliveryId: formatId("delivery", entry.idBytes),
      number: entry.attemptCount + 1,
      timestampSeconds: Math.floor(startedAtMs / 1_000),
    };
    const body = envelopeOf(entry.event);
    const { keys } = prepared;
    if (body.length <= LARGE_BYTES) {
      this.#send(queue, entry, prepared, identity, body, startedAtMs, sealNow(body, keys, sealPrefix(identity)));
      return;
    }
    this.#options.sealLarge(body, keys.plain, keys.standard, sealPrefix(identity)).then(
      (seal) => {
        // Sealing took its time: the lease may have run out meanwhile.
        if (this.#options.mayStart()) this.#send(queue, entry, prepared, identity, body, startedAtMs, seal);
        else this.#putBack(queue, entry);
      },
      (error: unknown) => this.#failInside(queue, entry, prepared, error),
    );
  }

  #send(
    queue: WebhookQueue,
    entry: Entry,
    prepared: PreparedWebhook,
    identity: AttemptIdentity,
    body: Buffer,
    startedAtMs: number,
    seal: Seal,
  ): void {
    const { sender, failpoint } = this.#options;
    const { webhook } = prepared;
    failpoint?.("before_send");
    sender
      .send({
        url: webhook.url,
        method: webhook.method,
        headers: requestHeaders(prepared, identity, seal),
        body,
        timeoutMs: webhook.timeoutMs,
        signal: this.#abort.signal,
      })
      .then((result) => {
        failpoint?.("after_response");
        const attempt = this.#report(entry, webhook, identity.number, startedAtMs, body.length, seal.hash, result);
        queue.inFlightCount -= 1;
        this.#inFlightCount -= 1;
        const verdict = decide({
          result,
          policy: webhook.retryPolicy,
          deliveryId: entry.idBytes,
          policyAttempt: identity.number - entry.policyAttemptBase,
          endedAtMs: attempt.endedAtMs,
        });
        if (attempt.outcome === "gone") this.#options.onEndpointGone(webhook);
        this.#finish(queue, { entry, attempt, verdict });
        this.pump(queue);
        this.#pumpWaiting();
      })
      .catch((error: unknown) => this.#failInside(queue, entry, prepared, error));
  }

  #report(
    entry: Entry,
    webhook: Webhook,
    number: number,
    startedAtMs: number,
    bodyLength: number,
    bodyHash: Uint8Array,
    result: SendResult,
  ): AttemptReport {
    const { outcome, code } = outcomeOf(result);
    return {
      number,
      trigger: entry.trigger,
      startedAtMs,
      endedAtMs: this.#options.clock.nowMs(),
      webhookVersion: webhook.version,
      url: webhook.url,
      outcome,
      outcomeCode: code,
      bodyLength,
      bodyHash,
      result,
    };
  }

  /** The client answers with values only: anything thrown is a fault of ours. The delivery stays in the table. */
  #failInside(queue: WebhookQueue, entry: Entry, prepared: PreparedWebhook, error: unknown): void {
    this.#options.log.error({ err: error, webhook: prepared.webhook.id }, "an attempt failed inside the node");
    this.#putBack(queue, entry);
  }

  /** Forgets an entry that nothing was sent of, or nobody knows; it is read from the table again. */
  #putBack(queue: WebhookQueue, entry: Entry): void {
    queue.inFlightCount -= 1;
    this.#inFlightCount -= 1;
    this.#options.memory.remove(entry);
    // Not at once: what fails inside would fail again in a tight loop.
    queue.nextDueAtMs = Math.min(queue.nextDueAtMs, this.#options.clock.nowMs() + FAULT_RETRY_MS);
    this.#options.onRoom(queue);
    this.#close();
  }

  #finish(queue: WebhookQueue, report: DeliveryReport): void {
    const { verdict } = report;
    this.#options
      .record(report)
      .catch((error: unknown) => this.#options.log.error({ err: error }, "a result could not be recorded"))
      .finally(() => {
        this.#options.memory.remove(report.entry);
        if (verdict.kind === "retry") queue.nextDueAtMs = Math.min(queue.nextDueAtMs, verdict.nextAttemptAtMs);
        this.#options.onRoom(queue);
        this.#close();
      });
  }

  #close(): void {
    this.#openCount -= 1;
    if (this.#openCount === 0) for (const resolve of this.#idle.splice(0)) resolve();
  }

  /** A webhook that was switched off or deleted: what it still owed ends without a request. */
  #withdraw(queue: WebhookQueue): void {
    const reason: DeadLetterReason =
      queue.webhook.disabledReason === "endpoint_gone" ? "endpoint_gone" : "webhook_disabled";
    for (let entry = queue.takeReady(); entry !== undefined; entry = queue.takeReady()) {
      this.end(
        queue,
        entry,
        queue.webhook.status === "deleted"
          ? { kind: "cancelled", reason: "webhook_deleted" }
          : { kind: "dead_letter", reason },
      );
    }
  }

  /** Ends a delivery without a request. */
  end(queue: WebhookQueue, entry: Entry, verdict: DeliveryReport["verdict"]): void {
    this.#openCount += 1;
    this.#finish(queue, { entry, attempt: null, verdict });
  }

  #prepare(queue: WebhookQueue, webhook: Webhook): void {
    const underWay = this.#preparing.get(webhook);
    if (underWay !== undefined) return;
    const preparing = prepareWebhook(webhook, this.#options.openSecret)
      .then((prepared) => {
        this.#prepared.set(webhook, prepared);
        this.pump(queue);
      })
      .catch((error: unknown) => {
        this.#options.log.error(
          { err: error, webhook: webhook.id },
          "the webhook's secret does not open; its deliveries wait",
        );
        this.#waitForSlot(queue);
        this.#retryBlocked();
      })
      .finally(() => this.#preparing.delete(webhook));
    this.#preparing.set(webhook, preparing);
  }

  #waitForSlot(queue: WebhookQueue): void {
    if (queue.waitingForSlot) return;
    queue.waitingForSlot = true;
    this.#waiting.push(queue);
  }

  #pumpWaiting(): void {
    if (this.#waiting.length === 0 || this.#inFlightCount >= this.#maxInFlight) return;
    const queue = this.#waiting.shift() as WebhookQueue;
    queue.waitingForSlot = false;
    this.pump(queue);
  }

  #retryBlocked(): void {
    if (this.#blockedTimer !== undefined || this.#stopped) return;
    this.#blockedTimer = setTimeout(() => {
      this.#blockedTimer = undefined;
      for (const queue of this.#waiting.splice(0)) {
        queue.waitingForSlot = false;
        this.pump(queue);
      }
    }, BLOCKED_RETRY_MS);
    this.#blockedTimer.unref();
  }
}
