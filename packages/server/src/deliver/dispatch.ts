// Brings what is ready to its receivers. For each queue: what may start next (ready.ts), is its gate open (gates.ts), is
// there a slot (slots.ts); then one unit goes out (unit.ts), and its verdicts (verdict.ts) go to record. Must start
// nothing without a lease and a confirmed configuration, and never let an entry go before its record is committed.
import type { Clock } from "../lib/clock.ts";
import type { Log } from "../lib/log.ts";
import type { Webhook } from "../storage/configuration.ts";
import type { Outcome } from "./decide.ts";
import { Gates, type GatesOptions } from "./gates.ts";
import type { Endpoints } from "./endpoints.ts";
import type { Kind } from "./fair-turns.ts";
import type { Gathering } from "./gather/gathering.ts";
import { judge, type Judgement } from "./judge.ts";
import type { DeliveryMemory, Entry, WebhookQueue } from "./queue.ts";
import type { DeliveryReport, RecordDelivery } from "./report.ts";
import type { PreparedWebhook } from "./request.ts";
import { isExpired } from "./retry-policy.ts";
import { Slots } from "./slots.ts";
import { type Sent, type Unit, type UnitEnd, unitOf, UnitSender, type UnitSenderOptions } from "./unit.ts";
import { type Consequence, consequenceOf, reportsOf } from "./verdict.ts";

export interface DispatchOptions
  extends Pick<UnitSenderOptions, "sender" | "bodies" | "sealLarge" | "isTracing" | "failpoint">,
    Pick<GatesOptions, "openSecret" | "rates" | "orderWaitMs"> {
  readonly clock: Clock;
  readonly log: Log;
  readonly memory: DeliveryMemory;
  /** What stands before a start: coalescing and batches. */
  readonly gathering: Gathering;
  readonly record: RecordDelivery;
  readonly endpoints: Pick<Endpoints, "room" | "restUntilMs" | "standing" | "ended">;
  /** Of an event that Posthorn raised itself. */
  readonly isOperational: (eventType: string) => boolean;
  /** Lease held and configuration confirmed: asked just before each send. */
  readonly mayStart: () => boolean;
  /** The receiver answered 410, or a rule of the webhook says so: switch it off, or pause it. */
  readonly onSwitch: (webhook: Webhook, consequence: NonNullable<Consequence>) => void;
  /** Something left this queue: there may be room for more of the table. */
  readonly onRoom: (queue: WebhookQueue) => void;
  readonly maxInFlight?: number;
}

/** Requests under way at once on one node; each costs a socket and some 20 kB. */
const MAX_IN_FLIGHT = 10_000;
/** When a delivery is looked at again after a fault inside the node. */
const FAULT_RETRY_MS = 5_000;
/** How often queues are tried again while nothing may start. */
const BLOCKED_RETRY_MS = 50;
/** How much the latest request counts in what the next one is expected to take. */
const LATEST_SHARE = 1 / 8;

export class Dispatch {
  readonly #options: DispatchOptions;
  readonly #gates: Gates;
  readonly #slots: Slots;
  readonly #sender: UnitSender;
  /** Snapshots of which it was logged that their template cannot be rendered for some event. */
  readonly #unrendered = new WeakSet<Webhook>();
  /** The queue whose entries are being started: what ends within does not start the next one itself. */
  #pumping: WebhookQueue | undefined;
  #openCount = 0;
  /** Queues that found nothing of the node allowed to start. */
  readonly #blocked = new Set<WebhookQueue>();
  #blockedTimer: NodeJS.Timeout | undefined;
  /** Free slots are being given to those that wait. */
  #isGranting = false;
  #idle: (() => void)[] = [];
  #stopped = false;

  constructor(options: DispatchOptions) {
    this.#options = options;
    this.#gates = new Gates({ ...options, onOpen: (queue) => this.pump(queue) });
    this.#slots = new Slots(options.maxInFlight ?? MAX_IN_FLIGHT);
    this.#sender = new UnitSender({ ...options, onEnd: (unit, end) => this.#ended(unit, end) });
  }

  get inFlightCount(): number {
    return this.#slots.takenCount;
  }

  /** Starts what may start of one queue. */
  pump(queue: WebhookQueue): void {
    if (this.#stopped || this.#options.gathering.waitingCount(queue) === 0 || this.#pumping === queue) return;
    const gate = this.#gates.of(queue);
    switch (gate.kind) {
      case "off":
        this.#withdraw(queue);
        return;
      case "paused":
      case "resting":
        this.#leaveInTable(queue);
        return;
      case "blocked":
        this.#blocked.add(queue);
        this.#retryBlocked();
        return;
      case "waiting":
      case "closed":
        return;
      case "open": {
        const outer = this.#pumping;
        this.#pumping = queue;
        try {
          this.#startUnits(queue, gate.prepared);
        } finally {
          this.#pumping = outer;
        }
        return;
      }
      default:
        unknownGate(gate);
    }
  }

  #startUnits(queue: WebhookQueue, prepared: PreparedWebhook): void {
    this.#options.gathering.collect(queue);
    this.#slots.judge(queue, this.#options.endpoints.standing(queue.webhook));
    while (this.#hasNext(queue)) {
      if (!this.#slots.mayTake(queue)) {
        this.#wait(queue);
        this.#grant();
        return;
      }
      if (!this.#startNext(queue, prepared)) return;
    }
  }

  #hasNext(queue: WebhookQueue): boolean {
    return queue.inFlightCount < queue.webhook.maxInFlight && this.#options.gathering.hasNext(queue);
  }

  /** @returns false when none of this queue may start now */
  #startNext(queue: WebhookQueue, prepared: PreparedWebhook, kind?: Kind): boolean {
    const { gathering, clock, endpoints } = this.#options;
    // A breaker on its way to being closed; what is under way asks again when it ends.
    if (endpoints.room(queue.webhook, queue.inFlightCount) <= 0) return false;
    // The gate counts, so it comes last.
    if (!this.#gates.pass(queue)) return false;
    const startable = gathering.next(queue, kind);
    if (startable === undefined) return false;
    const nowMs = clock.nowMs();
    const [first] = startable.entries;
    // Whoever retries by hand gets one attempt, however late. A batch is as old as its oldest.
    if (first.trigger !== "manual" && isExpired(prepared.webhook, first.idBytes, nowMs)) {
      this.#endAll(queue, startable.entries, { kind: "dead_letter", reason: "expired" });
      return true;
    }
    this.#slots.take(queue);
    this.#openCount += 1;
    this.#sender.start(unitOf(startable, prepared, nowMs));
    return true;
  }

  /** It waits for its turn with what it has, or for none. */
  #wait(queue: WebhookQueue): void {
    const { gathering } = this.#options;
    if (!this.#hasNext(queue)) this.#slots.leave(queue);
    else {
      this.#slots.wait(queue, {
        fresh: gathering.hasNextOf(queue, "fresh"),
        again: gathering.hasNextOf(queue, "again"),
      });
    }
  }

  /** Gives what is free to those who wait, in turn. One that may not start now (its rate, a pause) leaves its turn. */
  #grant(): void {
    if (this.#isGranting || this.#stopped) return;
    this.#isGranting = true;
    try {
      for (let turn = this.#slots.next(); turn !== null; turn = this.#slots.next())
        this.#grantOne(turn.queue, turn.kind);
    } finally {
      this.#isGranting = false;
    }
  }

  #grantOne(queue: WebhookQueue, kind: Kind): void {
    const { gathering, endpoints } = this.#options;
    const gate = gathering.waitingCount(queue) === 0 ? null : this.#gates.of(queue);
    if (gate?.kind !== "open") {
      this.#slots.leave(queue);
      this.pump(queue);
      return;
    }
    gathering.collect(queue);
    this.#slots.judge(queue, endpoints.standing(queue.webhook));
    const outer = this.#pumping;
    this.#pumping = queue;
    try {
      const isOfKind = this.#hasNext(queue) && gathering.hasNextOf(queue, kind);
      if (isOfKind && !this.#startNext(queue, gate.prepared, kind)) {
        this.#slots.leave(queue);
        return;
      }
    } finally {
      this.#pumping = outer;
    }
    this.#slots.pay(queue, kind);
    this.#wait(queue);
  }

  /** No new attempt starts from now on. */
  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#blockedTimer);
    this.#gates.stop();
  }

  /** Resolves when no attempt is under way and every result is recorded. */
  async drained(): Promise<void> {
    if (this.#openCount === 0) return;
    await new Promise<void>((resolve) => this.#idle.push(resolve));
  }

  /** Every running request ends now, as interrupted: the lease is gone, or shutdown waits no longer. */
  interrupt(): void {
    this.#sender.interrupt();
  }

  /** Ends a delivery without a request. */
  end(queue: WebhookQueue, entry: Entry, verdict: DeliveryReport["verdict"]): void {
    this.#endAll(queue, [entry], verdict);
  }

  #endAll(queue: WebhookQueue, entries: readonly Entry[], verdict: DeliveryReport["verdict"]): void {
    this.#openCount += 1;
    this.#finish(
      queue,
      entries.map((entry) => ({ entry, attempt: null, verdict })),
    );
  }

  /** A unit has left its slot. */
  #ended(unit: Unit, end: UnitEnd): void {
    const { queue, entries, prepared } = unit;
    this.#slots.release(queue);
    const wasWaited = end.kind === "sent" ? Math.max(0, end.endedAtMs - unit.startedAtMs) : queue.expectedMs;
    queue.expectedMs += (wasWaited - queue.expectedMs) * LATEST_SHARE;
    switch (end.kind) {
      case "sent":
        this.#conclude(unit, end);
        break;
      case "not_rendered":
        this.#logUnrendered(prepared.webhook, entries[0], end.failed);
        this.#finish(
          queue,
          entries.map((entry) => ({
            entry,
            attempt: null,
            verdict: { kind: "held", reason: "transformation_failed" },
          })),
        );
        break;
      case "fault":
        this.#options.log.error({ err: end.error, webhook: prepared.webhook.id }, "an attempt failed inside the node");
        this.#putBack(queue, entries);
        break;
      case "not_started":
        this.#putBack(queue, entries);
        break;
      default:
        unknownEnd(end);
    }
    // Also what of it is under way and nobody asks for any more.
    this.#slots.judge(queue, this.#options.endpoints.standing(queue.webhook));
    this.pump(queue);
    this.#grant();
  }

  /** Before the verdicts are recorded: what starts next has to know. */
  #tellEndpoint({ entries, prepared }: Unit, { result, endedAtMs }: Sent, outcome: Outcome): void {
    const { endpoints, isOperational } = this.#options;
    endpoints.ended({
      webhook: prepared.webhook,
      outcome,
      result,
      isOperational: isOperational(entries[0].event.type),
      endedAtMs,
    });
  }

  #conclude(unit: Unit, sent: Sent): void {
    let judged: Judgement;
    let reports: DeliveryReport[];
    try {
      judged = judge(unit.prepared.webhook, sent.result);
      reports = reportsOf(unit, sent, judged);
    } catch (error) {
      this.#options.log.error({ err: error, webhook: unit.prepared.webhook.id }, "a result could not be judged");
      this.#putBack(unit.queue, unit.entries);
      return;
    }
    this.#tellEndpoint(unit, sent, judged.outcome);
    this.#finish(unit.queue, reports);
    const consequence = consequenceOf(judged);
    if (consequence !== null) this.#options.onSwitch(unit.prepared.webhook, consequence);
  }

  /** The template cannot be rendered for this event, now or later: the delivery waits for a person. */
  #logUnrendered(webhook: Webhook, entry: Entry, failed: { path: string; code: string; message: string }): void {
    // Once for each configuration: the next thousand events would only say the same.
    if (this.#unrendered.has(webhook)) return;
    this.#unrendered.add(webhook);
    const { path, code, message } = failed;
    this.#options.log.warn(
      { webhook: webhook.id, version: webhook.version, event: entry.event.publicId, field: path, code },
      `a template could not be rendered, so its deliveries are held: ${message}`,
    );
  }

  /** Forgets entries of which nothing was sent, or nobody knows; they are read from the table again. */
  #putBack(queue: WebhookQueue, entries: readonly Entry[]): void {
    // Not at once: what fails inside would fail again in a tight loop.
    const againAtMs = this.#options.clock.nowMs() + FAULT_RETRY_MS;
    for (const entry of entries) this.#leave(queue, entry, againAtMs);
    this.#settle(queue);
  }

  /** @param reports of one request: they are recorded together */
  #finish(queue: WebhookQueue, reports: readonly DeliveryReport[]): void {
    const putBack = (): void =>
      this.#putBack(
        queue,
        reports.map(({ entry }) => entry),
      );
    this.#options.record(reports).then(
      (isRecorded) => {
        if (!isRecorded) {
          putBack();
          return;
        }
        for (const { entry, verdict } of reports) this.#leave(queue, entry, dueAgainAtMs(verdict));
        this.#settle(queue);
      },
      (error: unknown) => {
        this.#options.log.error({ err: error }, "a result could not be recorded");
        putBack();
      },
    );
  }

  /**
   * An entry leaves memory, and what became of it is committed.
   * @param againAtMs when the table has it due again, infinity while it is held; null: it has ended
   */
  #leave(queue: WebhookQueue, entry: Entry, againAtMs: number | null): void {
    const { memory } = this.#options;
    memory.remove(entry);
    if (againAtMs === null) {
      queue.ready.over(entry);
      return;
    }
    for (const behind of queue.ready.again(entry, againAtMs)) memory.remove(behind);
    // Of a key that is ordered `ready` knows when.
    if (queue.ordered === null || entry.orderingKey === null) {
      queue.nextDueAtMs = Math.min(queue.nextDueAtMs, againAtMs);
    }
  }

  /** All of a request have left memory. */
  #settle(queue: WebhookQueue): void {
    this.#options.onRoom(queue);
    // The next one of its key may start.
    if (queue.ordered !== null) this.pump(queue);
    this.#close();
  }

  #close(): void {
    this.#openCount -= 1;
    if (this.#openCount === 0) for (const resolve of this.#idle.splice(0)) resolve();
  }

  /** Of a paused webhook, or one at rest: in the table they cost no memory; when it goes on, they are read again. */
  #leaveInTable(queue: WebhookQueue): void {
    for (const entry of this.#options.gathering.takeAll(queue)) this.#options.memory.remove(entry);
    queue.spilled = true;
    this.#options.onRoom(queue);
  }

  /** A webhook that was switched off or deleted: what it still owed ends without a request. */
  #withdraw(queue: WebhookQueue): void {
    const { status, disabledReason } = queue.webhook;
    const verdict: DeliveryReport["verdict"] =
      status === "deleted"
        ? { kind: "cancelled", reason: "webhook_deleted" }
        : {
            kind: "dead_letter",
            reason: disabledReason === "endpoint_gone" ? "endpoint_gone" : "webhook_disabled",
          };
    for (const entry of this.#options.gathering.takeAll(queue)) this.end(queue, entry, verdict);
  }

  #retryBlocked(): void {
    if (this.#blockedTimer !== undefined || this.#stopped) return;
    this.#blockedTimer = setTimeout(() => {
      this.#blockedTimer = undefined;
      const blocked = [...this.#blocked];
      this.#blocked.clear();
      for (const queue of blocked) this.pump(queue);
    }, BLOCKED_RETRY_MS);
    this.#blockedTimer.unref();
  }
}

function dueAgainAtMs(verdict: DeliveryReport["verdict"]): number | null {
  if (verdict.kind === "retry") return verdict.nextAttemptAtMs;
  return verdict.kind === "held" ? Number.POSITIVE_INFINITY : null;
}

function unknownGate(gate: never): never {
  throw new Error(`unknown gate ${JSON.stringify(gate)}`);
}

function unknownEnd(end: never): never {
  throw new Error(`unknown end of a unit ${JSON.stringify(end)}`);
}
