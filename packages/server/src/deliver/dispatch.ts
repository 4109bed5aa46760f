// Brings what is ready to its receivers: takes an entry, builds its request, sends it, decides, hands the result to
// record. Must start nothing without a lease and a confirmed configuration, and must never let an entry go before its
// record is committed.
import { formatId } from "@posthorn/contract";
import type { Clock } from "../lib/clock.ts";
import type { Log } from "../lib/log.ts";
import type { AddressList } from "../security/addresses/address-list.ts";
import type { SendResult } from "../security/outbound/result.ts";
import type { Webhook } from "../storage/configuration.ts";
import { type DeadLetterReason, decide, type Outcome, outcomeOf, type Verdict } from "./decide.ts";
import { hideSecrets } from "./hide-secrets.ts";
import type { DeliveryMemory, Entry, WebhookQueue } from "./queue.ts";
import type { Rates } from "./rate.ts";
import type { Bodies, Body } from "./render.ts";
import {
  type AttemptIdentity,
  envelopeOf,
  type OpenSecret,
  type PreparedWebhook,
  prepareWebhook,
  requestHeaders,
  sealNow,
  sealParts,
} from "./request.ts";
import type { Seal, SealPart } from "./seal.ts";

type SendableBody = Pick<Extract<Body, { kind: "body" }>, "bytes" | "warnings">;

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
  /** What the template found no value for; null without such. */
  readonly warnings: SendableBody["warnings"];
  readonly result: SendResult;
}

/** How a delivery goes on, as record takes it: after an attempt, or without one (withdrawn). */
export interface DeliveryReport {
  readonly entry: Entry;
  readonly attempt: AttemptReport | null;
  readonly verdict:
    | Verdict
    | { readonly kind: "cancelled"; readonly reason: "webhook_deleted" }
    | { readonly kind: "held"; readonly reason: "transformation_failed" };
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
    readonly allowedIps: AddressList | null;
  }): Promise<SendResult>;
}

export interface DispatchOptions {
  readonly clock: Clock;
  readonly log: Log;
  readonly memory: DeliveryMemory;
  readonly sender: Sender;
  readonly openSecret: OpenSecret;
  /** What webhooks with a template send. */
  readonly bodies: Bodies;
  /** Hashes and signs a large body away from the event loop. */
  readonly sealLarge: (body: Buffer, parts: readonly SealPart[]) => Promise<Seal>;
  readonly record: RecordDelivery;
  readonly rates: Rates;
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
  /** Snapshots of which it was logged that their template cannot be rendered for some event. */
  readonly #unrendered = new WeakSet<Webhook>();
  /** Queues that wait for a slot of the node, in turn. */
  readonly #waiting: WebhookQueue[] = [];
  /** Of queues whose webhook has had as many requests as it may for now. */
  readonly #rateTimers = new Set<NodeJS.Timeout>();
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
    if (webhook.status === "paused") {
      this.#hold(queue);
      return;
    }
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
      if (webhook.rateLimit !== null) {
        const waitMs = this.#options.rates.take(webhook, webhook.rateLimit);
        if (waitMs > 0) {
          this.#waitForRate(queue, waitMs);
          return;
        }
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
    for (const timer of this.#rateTimers) clearTimeout(timer);
    this.#rateTimers.clear();
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
    if (prepared.webhook.transform === null) {
      this.#seal(queue, entry, prepared, identity, { bytes: envelopeOf(entry.event), warnings: null }, startedAtMs);
      return;
    }
    const body = this.#options.bodies.bodyOf(prepared.webhook, entry.event);
    if (!(body instanceof Promise)) {
      if (body.kind === "body") this.#seal(queue, entry, prepared, identity, body, startedAtMs);
      else this.#holdUnrendered(queue, entry, prepared.webhook, body);
      return;
    }
    body.then(
      (rendered) => {
        if (rendered.kind === "body") {
          // Rendering took its time: the lease may have run out meanwhile.
          if (this.#options.mayStart()) this.#seal(queue, entry, prepared, identity, rendered, startedAtMs);
          else this.#putBack(queue, entry);
          return;
        }
        this.#holdUnrendered(queue, entry, prepared.webhook, rendered);
        this.pump(queue);
        this.#pumpWaiting();
      },
      (error: unknown) => this.#failInside(queue, entry, prepared, error),
    );
  }

  #seal(
    queue: WebhookQueue,
    entry: Entry,
    prepared: PreparedWebhook,
    identity: AttemptIdentity,
    body: SendableBody,
    startedAtMs: number,
  ): void {
    const { bytes } = body;
    if (bytes.length <= LARGE_BYTES) {
      this.#send(queue, entry, prepared, identity, body, startedAtMs, sealNow(bytes, prepared, identity));
      return;
    }
    this.#options.sealLarge(bytes, sealParts(prepared, identity)).then(
      (seal) => {
        // Sealing took its time: the lease may have run out meanwhile.
        if (this.#options.mayStart()) this.#send(queue, entry, prepared, identity, body, startedAtMs, seal);
        else this.#putBack(queue, entry);
      },
      (error: unknown) => this.#failInside(queue, entry, prepared, error),
    );
  }

  /** The template cannot be rendered for this event, now or later: the delivery waits for a person. */
  #holdUnrendered(queue: WebhookQueue, entry: Entry, webhook: Webhook, failed: Exclude<Body, { kind: "body" }>): void {
    const { path, code, message } = failed;
    // Once for each configuration: the next thousand events would only say the same.
    if (!this.#unrendered.has(webhook)) {
      this.#unrendered.add(webhook);
      this.#options.log.warn(
        { webhook: webhook.id, version: webhook.version, event: entry.event.publicId, field: path, code },
        `a template could not be rendered, so its deliveries are held: ${message}`,
      );
    }
    queue.inFlightCount -= 1;
    this.#inFlightCount -= 1;
    this.#finish(queue, { entry, attempt: null, verdict: { kind: "held", reason: "transformation_failed" } });
  }

  #send(
    queue: WebhookQueue,
    entry: Entry,
    prepared: PreparedWebhook,
    identity: AttemptIdentity,
    body: SendableBody,
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
        body: body.bytes,
        timeoutMs: webhook.timeoutMs,
        signal: this.#abort.signal,
        allowedIps: prepared.allowedIps,
      })
      .then((received) => {
        failpoint?.("after_response");
        const result = hideSecrets(received, prepared.textsToHide);
        const attempt = this.#report(entry, webhook, identity.number, startedAtMs, body, seal.hash, result);
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
    body: SendableBody,
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
      bodyLength: body.bytes.length,
      bodyHash,
      warnings: body.warnings,
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

  /** A paused webhook's deliveries wait in the table, where they cost no memory; resumed, they are read again. */
  #hold(queue: WebhookQueue): void {
    for (let entry = queue.takeReady(); entry !== undefined; entry = queue.takeReady()) {
      this.#options.memory.remove(entry);
    }
    queue.spilled = true;
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
          "a secret of the webhook does not open; its deliveries wait",
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

  /** Each queue once at most: one that may not start now (its rate, a pause) leaves its turn to the next. */
  #pumpWaiting(): void {
    for (let turns = this.#waiting.length; turns > 0 && this.#inFlightCount < this.#maxInFlight; turns -= 1) {
      const queue = this.#waiting.shift() as WebhookQueue;
      queue.waitingForSlot = false;
      this.pump(queue);
    }
  }

  /** One timer for a queue, however often it is asked. */
  #waitForRate(queue: WebhookQueue, waitMs: number): void {
    const dueMs = this.#options.clock.monotonicMs() + waitMs;
    // An earlier one is left: it asks again. Only a limit that was raised makes the wait shorter.
    if (queue.rateTimer !== undefined && queue.rateTimerDueMs <= dueMs + 1) return;
    this.#clearRateTimer(queue);
    queue.rateTimerDueMs = dueMs;
    queue.rateTimer = setTimeout(() => {
      this.#clearRateTimer(queue);
      this.pump(queue);
    }, Math.ceil(waitMs));
    queue.rateTimer.unref();
    this.#rateTimers.add(queue.rateTimer);
  }

  #clearRateTimer(queue: WebhookQueue): void {
    if (queue.rateTimer === undefined) return;
    clearTimeout(queue.rateTimer);
    this.#rateTimers.delete(queue.rateTimer);
    queue.rateTimer = undefined;
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
