// Which lanes this node owns, and until when it may send: beat, incarnation, takeover, its share of the lanes.
// Must never let a request start after the lease has run out, whatever the database or the wall clock does.
import { randomFillSync } from "node:crypto";
import { hostname } from "node:os";
import { formatId, IdGenerator, uuidFromBytes } from "@posthorn/contract";
import type { NodeIdentity } from "../storage/fence.ts";
import { LANE_COUNT } from "../lib/lane.ts";
import {
  type AcquiredLane,
  acquireLanes,
  declareDead,
  deleteCancelNotices,
  markLeaving,
  type OtherNode,
  raiseBeat,
  releaseLanes,
  releaseNode,
  selectLaneOwners,
  selectOtherNodes,
  takeHandoffs,
  upsertNode,
} from "./deliver.sql.ts";
import { LaneDrains, type LaneOwners, lanesToTake, missingOf, surplusOf } from "./lane-share.ts";
import { SettledShare } from "./settled-share.ts";
import { DEFAULT_LEASE, type LeaseTimings, SilenceWatch } from "./lease.ts";
import type { OwnershipOptions } from "./ownership-options.ts";
import type { Tenure } from "./rate.ts";

/** While lanes move, the node looks this often: whether they are drained, whether there are some to take. */
const MOVE_LOOK_MS = 50;
const MISSING_LOOK_MS = 250;
/** What others left is looked for this often when nobody said that there is something. */
const HANDOFF_LOOK_MS = 1_000;
/** The longest timeout that a webhook can have. */
const LONGEST_REQUEST_MS = 30_000;

export class Ownership {
  readonly #options: OwnershipOptions;
  readonly #lease: LeaseTimings;
  readonly #watch: SilenceWatch;
  readonly #lanes = new Map<number, Tenure>();
  readonly #drains = new LaneDrains();
  readonly #settled = new SettledShare();
  /** Lanes whose owner before did not give them back: until when a request of its may be under way (monotonic). */
  readonly #uncleanUntilMs = new Map<number, number>();
  #identity: NodeIdentity;
  #beatSentAtMs = Number.NEGATIVE_INFINITY;
  #registered = false;
  /** This incarnation may be in the list of nodes. */
  #mayBeListed = false;
  #timer: NodeJS.Timeout | undefined;
  #leaseTimer: NodeJS.Timeout | undefined;
  #shareTimer: NodeJS.Timeout | undefined;
  #handoffTimer: NodeJS.Timeout | undefined;
  /** Beats, takes and releases go one after the other. */
  #running: Promise<void> = Promise.resolve();
  #isLookAsked = false;
  /** So do looks for what was handed over, beside them. */
  #takingHandoffs: Promise<void> = Promise.resolve();
  #isHandoffAsked = false;
  #others: readonly OtherNode[] = [];
  /** Nodes whose processes have ended: nobody has to wait for their silence. */
  readonly #ended = new Set<string>();
  #leaving = false;
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

  /** Those that it works for; not those that it is about to give away. */
  get lanes(): readonly number[] {
    return [...this.#lanes.keys()].filter((lane) => !this.#drains.has(lane));
  }

  /** True while deliveries of this lane may start here. */
  owns(lane: number): boolean {
    return this.#lanes.has(lane) && !this.#drains.has(lane);
  }

  /** Since when this node owns a lane; nobody else has sent anything of it since then. */
  tenureOf(lane: number): Tenure | undefined {
    return this.#lanes.get(lane);
  }

  /** True while requests may start. */
  maySend(): boolean {
    return this.#registered && this.#options.clock.monotonicMs() - this.#beatSentAtMs < this.#lease.leaseMs;
  }

  /** How long requests may still start without another beat; 0 when they may not. */
  leaseLeftMs(): number {
    if (!this.#registered) return 0;
    return Math.max(0, this.#beatSentAtMs + this.#lease.leaseMs - this.#options.clock.monotonicMs());
  }

  /** UUIDs of the other nodes that were alive when this one looked last. */
  get otherNodeIds(): readonly string[] {
    return this.#others.map(({ id }) => id);
  }

  /** Whoever started these nodes saw their processes end, so they send nothing any more: their lanes are taken now. */
  ended(nodeIds: readonly string[]): void {
    for (const id of nodeIds) this.#ended.add(id);
    this.lookNow();
  }

  async start(): Promise<void> {
    this.#stopped = false;
    await this.#beat();
    this.#schedule();
    this.#scheduleHandoffs();
  }

  /**
   * The node is about to stop: it takes no lanes any more, and gives each of its own away as soon as what runs of it has
   * ended. The beat goes on until `stop`.
   */
  async leave(): Promise<void> {
    if (this.#stopped || this.#leaving) return;
    this.#leaving = true;
    // With nobody else there the lanes are given back together at the end.
    if (this.#options.soleNode) return;
    await this.#enqueue(async () => {
      if (!this.#registered) return;
      await markLeaving(this.#options.db, this.#identity);
      await this.#share();
      this.#options.onLanesToMove();
    }).catch((error: unknown) => this.#options.log.warn({ err: error }, "the lanes are given back at the end"));
  }

  /** Stops beating and gives the lanes back; the caller has finished its requests. */
  async stop(): Promise<void> {
    if (this.#stopped) return;
    this.#stopped = true;
    for (const timer of [this.#timer, this.#leaseTimer, this.#shareTimer, this.#handoffTimer]) clearTimeout(timer);
    await this.#running.catch(() => undefined);
    await this.#takingHandoffs;
    if (!this.#registered) return;
    this.#registered = false;
    const clean = this.#cleanLanes();
    this.#forgetLanes();
    await releaseNode(this.#options.db, this.#identity, clean).then(
      () => this.#options.onLanesToMove(),
      (error: unknown) =>
        this.#options.log.warn({ err: error }, "lanes not released; another node takes them after the silence"),
    );
  }

  /** One beat now, after the one under way. */
  beatNow(): Promise<void> {
    return this.#enqueue(() => this.#beat());
  }

  /** There may be lanes to take or to give. Any number of calls makes one look. */
  lookNow(): void {
    if (this.#isLookAsked || this.#stopped) return;
    this.#isLookAsked = true;
    this.#enqueue(() => {
      this.#isLookAsked = false;
      return this.#registered && !this.#stopped ? this.#look() : Promise.resolve();
    }).catch((error: unknown) => this.#options.log.warn({ err: error }, "looking for lanes failed"));
  }

  /** Somebody left deliveries for the owner of these lanes; undefined when it is not known which. */
  handedOver(lanes?: readonly number[]): void {
    if (this.#isHandoffAsked || this.#stopped) return;
    if (lanes !== undefined && !lanes.some((lane) => this.owns(lane))) return;
    this.#isHandoffAsked = true;
    this.#takingHandoffs = this.#takingHandoffs.then(() => {
      this.#isHandoffAsked = false;
      return this.#takeHandoffs();
    });
  }

  #enqueue(work: () => Promise<void>): Promise<void> {
    this.#running = this.#running.catch(() => undefined).then(work);
    return this.#running;
  }

  #schedule(): void {
    if (this.#stopped) return;
    this.#timer = setTimeout(() => {
      this.beatNow()
        .catch((error: unknown) => this.#options.log.warn({ err: error }, "beat failed"))
        .finally(() => this.#schedule());
    }, this.#lease.beatIntervalMs);
    this.#timer.unref();
  }

  /** The safety net under the wake-ups; index delivery_handoff is empty at rest. */
  #scheduleHandoffs(): void {
    if (this.#stopped || this.#options.soleNode) return;
    this.#handoffTimer = setTimeout(() => {
      this.handedOver();
      this.#scheduleHandoffs();
    }, this.#lease.handoffLookMs ?? HANDOFF_LOOK_MS);
    this.#handoffTimer.unref();
  }

  async #beat(): Promise<void> {
    const { db, clock } = this.#options;
    const sentAtMs = clock.monotonicMs();
    const raised = this.#registered ? await raiseBeat(db, this.#identity, this.#options.figures()) : null;
    if (raised === null) {
      if (this.#registered) {
        this.#options.log.warn({ node: this.#identity.id }, "this node was declared dead; it joins again");
        this.#lose();
      }
      await this.#register();
    }
    this.#extendLease(sentAtMs);
    await this.#takeOverSilentNodes();
    await this.#shareUnlessSettled(raised?.epochs);
    if (this.#lanes.size === 0) return;
    this.#options.onBeat();
    // With others there it is looked for more often than at beats.
    if (this.#options.soleNode) this.handedOver();
  }

  async #shareUnlessSettled(epochs: number | undefined): Promise<void> {
    if (!this.#registered || (epochs !== undefined && this.#settled.isSettled(epochs, this.#others))) return;
    if ((await this.#share()) && epochs !== undefined) this.#settled.settle(epochs, this.#others);
  }

  async #look(): Promise<void> {
    await this.#takeOverSilentNodes();
    if (this.#registered) await this.#share();
  }

  // --- the share of the lanes --------------------------------------------------------------------------------------

  /** @returns true when there was nothing to take or to give, and nothing is waited for */
  async #share(): Promise<boolean> {
    const { db, clock, soleNode } = this.#options;
    this.#settled.unsettle();
    const me = this.#identity.uuid;
    let owners = await this.#readOwners();
    if (owners === null) return false;
    const staying = this.#others.filter((node) => !node.leaving && !soleNode).map((node) => node.id);
    const nodes = this.#leaving ? staying : [...staying, me];
    // With nobody to give them to, a leaving node keeps its lanes to the end.
    if (nodes.length === 0) return false;
    const wanted = lanesToTake(me, nodes, owners);
    if (wanted.length > 0) {
      const acquired = await acquireLanes(db, this.#identity, wanted);
      if (!this.#registered) return false;
      this.#gain(acquired);
      const gained = new Set(acquired.map(({ id }) => id));
      owners = owners.map((owner, lane) => (gained.has(lane) ? me : owner));
    }
    const surplus = surplusOf(me, nodes, owners);
    this.#drain(surplus, clock.monotonicMs());
    await this.#releaseDrained();
    clearTimeout(this.#shareTimer);
    if (this.#drains.lanes.length > 0) this.#lookIn(MOVE_LOOK_MS, () => this.#moveOn());
    else if (missingOf(me, nodes, owners) > 0) this.#lookIn(MISSING_LOOK_MS, () => this.#look());
    else return wanted.length + surplus === 0;
    return false;
  }

  /** Also sets right what a lost answer left in doubt: the rows say who owns what. */
  async #readOwners(): Promise<LaneOwners | null> {
    const owners: (string | null)[] = Array.from({ length: LANE_COUNT }, () => null);
    for (const { node_id: owner, lanes } of await selectLaneOwners(this.#options.db)) {
      for (const lane of lanes) owners[lane] = owner;
    }
    // The lease ran out while the answer was on its way: what the rows call ours is given back when the node joins again.
    if (!this.#registered) return null;
    const me = this.#identity.uuid;
    // How their owner before left those is not known.
    this.#gain(owners.flatMap((owner, id) => (owner === me && !this.#lanes.has(id) ? [{ id, unclean: true }] : [])));
    const gone = [...this.#lanes.keys()].filter((lane) => owners[lane] !== me);
    if (gone.some((lane) => !this.#drains.has(lane))) {
      // Nobody takes a lane from a node that is alive.
      this.#options.log.warn({ node: this.#identity.id }, "this node lost its lanes; it joins again");
      this.#lose();
      this.beatNow().catch((error: unknown) => this.#options.log.warn({ err: error }, "joining again failed"));
      return null;
    }
    this.#released(gone);
    return owners;
  }

  #gain(acquired: readonly AcquiredLane[]): void {
    if (acquired.length === 0) return;
    const { clock, log, onAcquired, soleNode } = this.#options;
    const monotonicMs = clock.monotonicMs();
    const atMs = clock.nowMs();
    for (const { id, unclean } of acquired) {
      // With the embedded database the owner before is gone for certain, and its connections with it.
      const isUnclean = unclean && !soleNode;
      this.#lanes.set(id, { monotonicMs, atMs, isUnclean });
      if (isUnclean) this.#uncleanUntilMs.set(id, monotonicMs + LONGEST_REQUEST_MS);
    }
    log.debug({ node: this.#identity.id, taken: acquired.length, lanes: this.#lanes.size }, "lanes taken");
    onAcquired(acquired.map(({ id }) => id));
  }

  /** Whoever gets one of these from us has to wait as we have to. */
  #uncleanLanes(): number[] {
    const nowMs = this.#options.clock.monotonicMs();
    for (const [lane, untilMs] of this.#uncleanUntilMs) if (untilMs <= nowMs) this.#uncleanUntilMs.delete(lane);
    return [...this.#uncleanUntilMs.keys()];
  }

  #cleanLanes(): number[] {
    const unclean = new Set(this.#uncleanLanes());
    return [...this.#lanes.keys()].filter((lane) => !unclean.has(lane));
  }

  /** Has as many lanes drain as are to be given away. */
  #drain(surplus: number, nowMs: number): void {
    const { loads, onAcquired, onDraining } = this.#options;
    if (surplus === 0 && this.#drains.lanes.length === 0) return;
    // Whoever leaves waits for everything; otherwise a lane that is too busy goes on and is asked for again later.
    const kept = this.#leaving ? [] : this.#drains.expire(nowMs);
    const loadOfLane = loads();
    const change = this.#drains.adjust(surplus, [...this.#lanes.keys()], (lane) => loadOfLane[lane] ?? 0, nowMs);
    kept.push(...change.kept);
    // What came for them meanwhile is in the table.
    if (kept.length > 0) onAcquired(kept);
    if (change.begun.length > 0) onDraining(change.begun);
  }

  async #releaseDrained(): Promise<void> {
    const { db, drainedOf, onLanesToMove, log } = this.#options;
    const drained = drainedOf(this.#drains.lanes);
    if (drained.length === 0) return;
    // A look under way may still unmark rows of these lanes; the next owner has to find what it unmarks.
    await this.#takingHandoffs;
    await releaseLanes(db, this.#identity, drained, this.#uncleanLanes());
    this.#released(drained);
    log.debug({ node: this.#identity.id, given: drained.length, lanes: this.#lanes.size }, "lanes given away");
    onLanesToMove();
  }

  #released(lanes: readonly number[]): void {
    if (lanes.length === 0) return;
    for (const lane of lanes) this.#lanes.delete(lane);
    this.#drains.released(lanes);
    this.#options.onReleased(lanes);
  }

  /** Gives away what has drained; asks the database for nothing before something has, or patience is at its end. */
  async #moveOn(): Promise<void> {
    const { clock } = this.#options;
    if (!this.#leaving) {
      const kept = this.#drains.expire(clock.monotonicMs());
      if (kept.length > 0) this.#options.onAcquired(kept);
    }
    await this.#releaseDrained();
    if (this.#drains.lanes.length > 0) this.#lookIn(MOVE_LOOK_MS, () => this.#moveOn());
  }

  #lookIn(waitMs: number, look: () => Promise<void>): void {
    if (this.#stopped) return;
    clearTimeout(this.#shareTimer);
    this.#shareTimer = setTimeout(() => {
      this.#enqueue(() => (this.#registered && !this.#stopped ? look() : Promise.resolve())).catch((error: unknown) =>
        this.#options.log.warn({ err: error }, "moving lanes failed; the next beat goes on"),
      );
    }, waitMs);
    this.#shareTimer.unref();
  }

  #forgetLanes(): void {
    this.#lanes.clear();
    this.#drains.clear();
  }

  async #takeHandoffs(): Promise<void> {
    const { handoffDb: db, log, onAcquired, onCancelled, onHandoff } = this.#options;
    const lanes = this.lanes;
    if (!this.#registered || lanes.length === 0) return;
    try {
      const handed = await takeHandoffs(db, this.#identity, lanes).catch((error: unknown) => {
        // It may be committed all the same, and then nothing else says which rows were meant.
        onAcquired(lanes);
        throw error;
      });
      const notices = handed.filter((each) => each.cancelled_id !== null);
      if (notices.length < handed.length) onHandoff(handed.filter((each) => each.cancelled_id === null));
      if (notices.length > 0) {
        onCancelled(notices);
        await deleteCancelNotices(db, notices);
      }
    } catch (error) {
      log.warn({ err: error }, "looking for handed over deliveries failed; it is tried again");
    }
  }

  // --- the lease ---------------------------------------------------------------------------------------------------

  #extendLease(sentAtMs: number): void {
    this.#beatSentAtMs = sentAtMs;
    this.#watchLease();
  }

  #watchLease(): void {
    clearTimeout(this.#leaseTimer);
    this.#leaseTimer = setTimeout(() => {
      // A timer may fire a fraction of a millisecond early: then it was not the end yet, and there is one more look.
      if (this.maySend()) {
        this.#watchLease();
        return;
      }
      // No beat came through in time: somebody may soon own our lanes, so running requests end here.
      this.#options.log.warn(
        { node: this.#identity.id },
        "the lease ran out; deliveries stop until the database answers",
      );
      this.#options.onLost();
      this.#forgetLanes();
      this.#registered = false;
    }, this.leaseLeftMs());
    this.#leaseTimer.unref();
  }

  async #register(): Promise<void> {
    const { db, clock, version } = this.#options;
    // A new incarnation whenever the old one may have been given up: its lanes are not ours any more.
    if (this.#mayBeListed) {
      await releaseNode(db, this.#identity, this.#cleanLanes());
      this.#identity = { ...this.#identity, incarnation: this.#identity.incarnation + 1 };
    }
    // An entry whose answer is lost shows the others a beat that never rises: it must not be made again as it was.
    this.#mayBeListed = true;
    await upsertNode(db, {
      uuid: this.#identity.uuid,
      incarnation: this.#identity.incarnation,
      startedAtMs: clock.nowMs(),
      processId: process.pid,
      version,
      host: hostname(),
    });
    this.#registered = true;
    if (this.#leaving) await markLeaving(db, this.#identity);
    this.#options.onLanesToMove();
  }

  #lose(): void {
    this.#registered = false;
    this.#settled.unsettle();
    this.#forgetLanes();
    this.#options.onLost();
  }

  async #takeOverSilentNodes(): Promise<void> {
    const { db, clock, log, soleNode } = this.#options;
    const others = await selectOtherNodes(db, this.#identity);
    this.#others = others;
    const silent = soleNode ? others : this.#watch.observe(others, clock.monotonicMs());
    const gone = others.filter((node) => this.#ended.has(node.id) && !silent.includes(node));
    for (const node of [...silent, ...gone]) {
      if (await declareDead(db, node)) {
        this.#others = this.#others.filter(({ id }) => id !== node.id);
        log.warn({ node: node.id }, "a node that is silent or has ended was declared dead; its lanes are free");
        this.#options.onDeclaredDead?.();
      }
    }
    for (const id of this.#ended) if (!others.some((node) => node.id === id)) this.#ended.delete(id);
  }
}
