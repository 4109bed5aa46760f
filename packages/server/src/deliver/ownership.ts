// Which lanes this node owns, and until when it may send: beat, incarnation, takeover, release.
// Must never let a request start after the lease has run out, whatever the database or the wall clock does.
import { randomFillSync } from "node:crypto";
import { hostname } from "node:os";
import { formatId, IdGenerator, uuidFromBytes } from "@posthorn/contract";
import type { Clock } from "../lib/clock.ts";
import type { Log } from "../lib/log.ts";
import type { NodeIdentity } from "../storage/fence.ts";
import type { Executor } from "../storage/pools.ts";
import {
  acquireFreeLanes,
  declareDead,
  deleteCancelNotices,
  type HandedOver,
  raiseBeat,
  releaseNode,
  selectOtherNodes,
  takeHandoffs,
  upsertNode,
} from "./deliver.sql.ts";
import { DEFAULT_LEASE, type LeaseTimings, SilenceWatch } from "./lease.ts";
import type { Tenure } from "./rate.ts";

export interface OwnershipOptions {
  readonly db: Executor;
  readonly clock: Clock;
  readonly log: Log;
  readonly version: string;
  /** True when nobody else can be alive on this database (the embedded one): every other node is dead at once. */
  readonly soleNode: boolean;
  readonly lease?: LeaseTimings;
  /** Lanes were gained: everything in them must be read from the table. */
  readonly onAcquired: (lanes: readonly number[]) => void;
  /** A beat went through: time to look for what another node left in our lanes. */
  readonly onBeat: () => void;
  /** Another node left deliveries for these webhooks. */
  readonly onHandoff: (webhooks: readonly { tenant_id: string; webhook_id: string }[]) => void;
  /** Deliveries of our lanes were cancelled: they must not start any more. */
  readonly onCancelled: (notices: readonly HandedOver[]) => void;
  /** This incarnation was declared dead, or its lease ran out: forget everything that was owned, stop every request. */
  readonly onLost: () => void;
}

export class Ownership {
  readonly #options: OwnershipOptions;
  readonly #lease: LeaseTimings;
  readonly #watch: SilenceWatch;
  readonly #lanes = new Map<number, Tenure>();
  #identity: NodeIdentity;
  #beatSentAtMs = Number.NEGATIVE_INFINITY;
  #registered = false;
  #timer: NodeJS.Timeout | undefined;
  #leaseTimer: NodeJS.Timeout | undefined;
  #running: Promise<void> = Promise.resolve();
  #stopped = true;

  constructor(options: OwnershipOptions) {
    this.#options = options;
    this.#lease = options.lease ?? DEFAULT_LEASE;
    this.#watch = new SilenceWatch(this.#lease.silenceMs);
    const idBytes = new IdGenerator(() => options.clock.nowMs(), randomFillSync).next();
    this.#identity = { idBytes, id: formatId("node", idBytes), uuid: uuidFromBytes(idBytes), incarnation: 1 };
  }

  /** Who this node is now; a fenced statement must use the identity of the moment. */
  get identity(): NodeIdentity {
    return this.#identity;
  }

  get laneCount(): number {
    return this.#lanes.size;
  }

  get lanes(): readonly number[] {
    return [...this.#lanes.keys()];
  }

  owns(lane: number): boolean {
    return this.#lanes.has(lane);
  }

  /** Since when this node owns a lane; nobody else has sent anything of it since then. */
  tenureOf(lane: number): Tenure | undefined {
    return this.#lanes.get(lane);
  }

  /** True while requests may start. */
  maySend(): boolean {
    return this.#registered && this.#options.clock.monotonicMs() - this.#beatSentAtMs < this.#lease.leaseMs;
  }

  async start(): Promise<void> {
    this.#stopped = false;
    await this.#beat();
    this.#schedule();
  }

  /** Stops beating and gives the lanes back; the caller has finished its requests. */
  async stop(): Promise<void> {
    if (this.#stopped) return;
    this.#stopped = true;
    clearTimeout(this.#timer);
    clearTimeout(this.#leaseTimer);
    await this.#running.catch(() => undefined);
    if (!this.#registered) return;
    this.#registered = false;
    this.#lanes.clear();
    await releaseNode(this.#options.db, this.#identity).catch((error: unknown) =>
      this.#options.log.warn({ err: error }, "lanes not released; another node takes them after the silence"),
    );
  }

  /** One beat now, after the one under way. */
  beatNow(): Promise<void> {
    this.#running = this.#running.catch(() => undefined).then(() => this.#beat());
    return this.#running;
  }

  #schedule(): void {
    if (this.#stopped) return;
    this.#timer = setTimeout(() => {
      this.#running = this.beatNow()
        .catch((error: unknown) => this.#options.log.warn({ err: error }, "beat failed"))
        .finally(() => this.#schedule());
    }, this.#lease.beatIntervalMs);
    this.#timer.unref();
  }

  async #beat(): Promise<void> {
    const { db, clock } = this.#options;
    const sentAtMs = clock.monotonicMs();
    if (!this.#registered) await this.#register();
    else if ((await raiseBeat(db, this.#identity)) === null) {
      this.#options.log.warn({ node: this.#identity.id }, "this node was declared dead; it joins again");
      this.#lose();
      await this.#register();
    }
    this.#extendLease(sentAtMs);
    await this.#takeOverSilentNodes();
    const acquired = await acquireFreeLanes(db, this.#identity);
    const tenure = { monotonicMs: clock.monotonicMs(), atMs: clock.nowMs() };
    for (const lane of acquired) this.#lanes.set(lane, tenure);
    if (acquired.length > 0) this.#options.onAcquired(acquired);
    if (this.#lanes.size > 0) {
      this.#options.onBeat();
      const handed = await takeHandoffs(db, this.#identity, this.lanes).catch((error: unknown) => {
        // It may be committed all the same, and then nothing else says which rows were meant.
        this.#options.onAcquired(this.lanes);
        throw error;
      });
      const notices = handed.filter((each) => each.cancelled_id !== null);
      if (notices.length < handed.length) this.#options.onHandoff(handed.filter((each) => each.cancelled_id === null));
      if (notices.length > 0) {
        this.#options.onCancelled(notices);
        await deleteCancelNotices(db, notices);
      }
    }
  }

  #extendLease(sentAtMs: number): void {
    this.#beatSentAtMs = sentAtMs;
    clearTimeout(this.#leaseTimer);
    const remainingMs = sentAtMs + this.#lease.leaseMs - this.#options.clock.monotonicMs();
    this.#leaseTimer = setTimeout(
      () => {
        // No beat came through in time: somebody may soon own our lanes, so running requests end here.
        if (this.maySend()) return;
        this.#options.log.warn(
          { node: this.#identity.id },
          "the lease ran out; deliveries stop until the database answers",
        );
        this.#options.onLost();
        this.#lanes.clear();
        this.#registered = false;
      },
      Math.max(0, remainingMs),
    );
    this.#leaseTimer.unref();
  }

  async #register(): Promise<void> {
    const { db, clock, version } = this.#options;
    // A new incarnation whenever the old one may have been given up: its lanes are not ours any more.
    if (this.#beatSentAtMs !== Number.NEGATIVE_INFINITY) {
      await releaseNode(db, this.#identity);
      this.#identity = { ...this.#identity, incarnation: this.#identity.incarnation + 1 };
    }
    await upsertNode(db, {
      uuid: this.#identity.uuid,
      incarnation: this.#identity.incarnation,
      startedAtMs: clock.nowMs(),
      processId: process.pid,
      version,
      host: hostname(),
    });
    this.#registered = true;
  }

  #lose(): void {
    this.#registered = false;
    this.#lanes.clear();
    this.#options.onLost();
  }

  async #takeOverSilentNodes(): Promise<void> {
    const { db, clock, log, soleNode } = this.#options;
    const others = await selectOtherNodes(db, this.#identity);
    const silent = soleNode ? others : this.#watch.observe(others, clock.monotonicMs());
    for (const node of silent) {
      if (await declareDead(db, node))
        log.warn({ node: node.id }, "a silent node was declared dead; its lanes are free");
    }
  }
}
