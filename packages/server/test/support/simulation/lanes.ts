// Schedules for the real Ownership: several simulated nodes on a simulated database, over a network that loses, delays
// and commits late; nodes freeze, die, leave and join; clocks run unevenly and wall clocks jump. Judges what the lease,
// the fence and the shares promise. Must judge by the world's own time and rows, never by what a node believes.
import type pg from "pg";
import type { Executor } from "../../../src/storage/pools.ts";
import { Ownership } from "../../../src/deliver/ownership.ts";
import { LaneDatabase, LANES } from "./lane-database.ts";
import { type SimulatedProcess, World } from "./world.ts";

export type LaneRule =
  /** Two nodes had a request of one lane under way, and the one could still have been stopped. */
  | "two_senders"
  /** A request started at a node that does not own the lane. */
  | "sent_without_lane"
  /** A result was written by an incarnation that had lost the lane since the request began. */
  | "stale_write"
  /** A request started before the one before it had ended. */
  | "out_of_order"
  /** With nothing in the way, a lane has no owner that sends. */
  | "starved"
  | "uneven";

export interface Judged {
  readonly violations: readonly { readonly rule: LaneRule; readonly detail: string }[];
  readonly figures: Readonly<Record<"requests" | "repeated" | "takeovers" | "writes refused", number>>;
}

const LEASE = { beatIntervalMs: 2_000, leaseMs: 8_000, silenceMs: 10_000, handoffLookMs: 60_000 };
/** Lanes with work: one request at a time, in order. */
const BUSY_LANES = [3, 97, 180, 251];
/** Faults happen until then; after it everybody lives and the network works. */
const FAULTS_MS = 16_000;
/** A statement that hangs, a beat, the longest silence by the slowest clock, another beat, and a share that moves. */
const SETTLE_MS = 19_000;
const DAY_MS = 86_400_000;

const silentLog = new Proxy({}, { get: () => () => {} }) as never;

interface Running {
  readonly epoch: number;
  readonly number: number;
  readonly incarnation: number;
  isAborted: boolean;
}

/** What is broken on purpose, to show that it is found out. */
export interface Mutation {
  /** Times are taken from the wall clock. */
  readonly isLeaseByWallClock?: boolean;
  /** Results are written whoever lives. */
  readonly isFenceOff?: boolean;
  readonly lease?: Partial<typeof LEASE>;
}

class LaneSimulation {
  readonly world: World;
  readonly database = new LaneDatabase();
  readonly nodes: SimulatedNode[] = [];
  readonly violations: { rule: LaneRule; detail: string }[] = [];
  /** By lane: the highest number that was ever sent. */
  readonly sent = new Int32Array(LANES).fill(-1);
  requestCount = 0;
  repeatCount = 0;
  takeoverCount = 0;
  refusedWriteCount = 0;
  /** No statement arrives before this time. */
  databaseAwayUntilMs = 0;
  lossShare = 0;
  readonly mutation: Mutation;

  constructor(seed: number, mutation: Mutation = {}) {
    this.world = new World(seed);
    this.mutation = mutation;
  }

  report(rule: LaneRule, detail: string): void {
    this.violations.push({ rule, detail: `${detail} at ${this.world.nowMs.toFixed(1)} ms` });
  }

  async run(): Promise<Judged> {
    const { world } = this;
    const count = 2 + Math.floor(world.random() * 2.3);
    for (let index = 0; index < count; index += 1) world.after(world.between(0, 2_000), null, () => this.addNode());
    this.lossShare = world.chance(0.5) ? 0 : world.between(0, 0.15);
    for (let faults = 1 + Math.floor(world.random() * 4); faults > 0; faults -= 1) {
      world.after(world.between(1_000, FAULTS_MS), null, () => this.#strike());
    }
    await world.run(FAULTS_MS);
    this.#heal();
    await world.run(FAULTS_MS + SETTLE_MS);
    this.#judgeRest();
    for (const node of this.nodes) node.process.isDead = true;
    const { violations, requestCount, repeatCount, takeoverCount, refusedWriteCount } = this;
    return {
      violations,
      figures: {
        requests: requestCount,
        repeated: repeatCount,
        takeovers: takeoverCount,
        "writes refused": refusedWriteCount,
      },
    };
  }

  addNode(): void {
    this.nodes.push(new SimulatedNode(this, this.nodes.length));
  }

  #living(): SimulatedNode[] {
    return this.nodes.filter(({ process, hasLeft }) => !process.isDead && !hasLeft);
  }

  #strike(): void {
    const { world } = this;
    const living = this.#living();
    const node = living[Math.floor(world.random() * living.length)];
    if (node === undefined) return;
    const what = world.random();
    if (what < 0.3) {
      const untilMs = Math.min(FAULTS_MS, world.nowMs + world.between(100, 14_000));
      // What waits for the end of an earlier freeze does not come sooner.
      node.process.frozenUntilMs = Math.max(node.process.frozenUntilMs, untilMs);
    } else if (what < 0.45) {
      node.process.isDead = true;
      if (world.chance(0.7)) world.after(world.between(100, 3_000), null, () => this.addNode());
    } else if (what < 0.65) node.cutUntilMs = world.nowMs + world.between(200, 14_000);
    else if (what < 0.75) this.databaseAwayUntilMs = world.nowMs + world.between(100, 6_000);
    else if (what < 0.85) node.process.wallOffsetMs += world.between(-DAY_MS, DAY_MS);
    else if (what < 0.92) this.addNode();
    else node.leave();
  }

  #heal(): void {
    this.databaseAwayUntilMs = 0;
    this.lossShare = 0;
    for (const node of this.nodes) node.cutUntilMs = 0;
    if (this.#living().length === 0) this.addNode();
  }

  #judgeRest(): void {
    const living = this.#living();
    for (const lane of BUSY_LANES) {
      const owner = living.find((node) => node.ownership.owns(lane) && node.ownership.maySend());
      if (owner === undefined) this.report("starved", `lane ${lane} of ${this.database.owners[lane]}`);
    }
    const counts = living.map((node) => this.database.owners.filter((owner) => owner === node.uuid).length);
    if (Math.max(...counts) - Math.min(...counts) > 1) this.report("uneven", counts.join(" "));
  }
}

class SimulatedNode {
  readonly process: SimulatedProcess;
  readonly ownership: Ownership;
  readonly #simulation: LaneSimulation;
  readonly #running = new Map<number, Running>();
  /** Lanes of which it is known, from the table, what comes next. */
  readonly #next = new Map<number, number>();
  #generation = 0;
  cutUntilMs = 0;
  hasLeft = false;

  constructor(simulation: LaneSimulation, index: number) {
    const { world } = simulation;
    this.#simulation = simulation;
    this.process = {
      rate: world.between(0.97, 1.03),
      wallOffsetMs: index * 10 + world.between(-5_000, 5_000),
      frozenUntilMs: 0,
      isDead: false,
    };
    const db = { query: (query: pg.QueryConfig) => this.#query(query) } as unknown as Executor;
    const { isLeaseByWallClock = false, lease } = simulation.mutation;
    const nowMs = (): number => 1_800_000_000_000 + world.nowMs + this.process.wallOffsetMs;
    const clock = { nowMs, monotonicMs: isLeaseByWallClock ? nowMs : () => world.monotonicMs(this.process) };
    this.ownership = world.within(
      this.process,
      () =>
        new Ownership({
          db,
          handoffDb: db,
          clock,
          log: silentLog,
          version: "simulated",
          soleNode: false,
          figures: () => ({ memoryBytes: 0, backlogCount: 0, inFlightCount: 0 }),
          lease: { ...LEASE, ...lease },
          onAcquired: (lanes) => lanes.forEach((lane) => this.#read(lane)),
          onBeat: () => {},
          onHandoff: () => {},
          onCancelled: () => {},
          onDraining: () => {},
          drainedOf: (lanes) => lanes.filter((lane) => !this.#running.has(lane)),
          loads: () => {
            const loads = new Int32Array(LANES);
            for (const lane of this.#running.keys()) loads[lane] = 1;
            return loads;
          },
          onReleased: (lanes) => lanes.forEach((lane) => this.#next.delete(lane)),
          onLanesToMove: () => this.#tellOthers(),
          onLost: () => this.#forget(),
        }),
    );
    world.within(this.process, () => this.#start());
  }

  get uuid(): string {
    return this.ownership.identity.uuid;
  }

  /** As serve does: a start that fails is an end, and its operator starts it again. */
  #start(): void {
    this.ownership.start().catch(() => {
      this.#simulation.world.after(500, this.process, () => this.#start());
    });
  }

  leave(): void {
    const { world } = this.#simulation;
    this.hasLeft = true;
    world.within(this.process, () => void this.ownership.leave());
    const stop = (tries: number): void => {
      if (this.#running.size > 0 && tries < 100) world.after(100, this.process, () => stop(tries + 1));
      else {
        this.#forget();
        void this.ownership.stop().then(() => (this.process.isDead = true));
      }
    };
    world.after(100, this.process, () => stop(0));
  }

  #tellOthers(): void {
    const { world, nodes, lossShare } = this.#simulation;
    for (const other of nodes) {
      if (other !== this && !world.chance(lossShare)) {
        world.after(world.between(1, 100), other.process, () => other.ownership.lookNow());
      }
    }
  }

  #forget(): void {
    this.#generation += 1;
    this.#next.clear();
    for (const running of this.#running.values()) running.isAborted = true;
    this.#running.clear();
  }

  isSending(lane: number): boolean {
    return this.#running.has(lane);
  }

  // --- the database, over the network ------------------------------------------------------------------------------

  /** The statement timeout of the control pool is 2 s and the driver's 3 s: what is not done by then never is. */
  #query(query: pg.QueryConfig): Promise<{ rows: object[]; rowCount: number }> {
    return this.#ask(() => {
      const rows = this.#simulation.database.execute(query);
      if (query.name === "declare_dead" && rows.length > 0) this.#simulation.takeoverCount += 1;
      return { rows, rowCount: rows.length };
    });
  }

  #ask<Answer>(execute: () => Answer): Promise<Answer> {
    const { world, lossShare } = this.#simulation;
    return new Promise((resolve, reject) => {
      const fail = (waitMs: number): void =>
        void world.after(waitMs, this.process, () => reject(new Error("the connection was lost")));
      const isLost = this.#isCut() || world.chance(lossShare);
      // Lost before it arrives: refused at once, or silence until the driver's time is up.
      if (isLost && world.chance(0.5)) return fail(world.chance(0.5) ? 1 : 3_000);
      const wayMs = world.chance(0.03) ? world.between(100, 1_900) : world.between(0.2, 5);
      if (isLost && this.#isCut()) return fail(3_000);
      // Lost after it arrived: it is executed, be it after the client was told that the connection is gone.
      if (isLost) fail(world.between(0.1, 3_000));
      world.after(wayMs, null, () => {
        if (world.nowMs < this.#simulation.databaseAwayUntilMs) return fail(1);
        const answer = execute();
        if (!isLost && !this.#isCut()) world.after(world.between(0.2, 5), this.process, () => resolve(answer));
        else if (!isLost) fail(world.between(1, 3_000));
      });
    });
  }

  #isCut(): boolean {
    return this.#simulation.world.nowMs < this.cutUntilMs;
  }

  // --- the work of a lane: one request after the other, read from the table -----------------------------------------

  #read(lane: number): void {
    if (!BUSY_LANES.includes(lane)) return;
    const { world, database } = this.#simulation;
    const generation = this.#generation;
    this.#ask(() => database.ended[lane] as number).then(
      (next) => {
        if (generation !== this.#generation || this.#running.has(lane)) return;
        this.#next.set(lane, next);
        this.#pump(lane);
      },
      () => world.after(250, this.process, () => generation === this.#generation && this.#read(lane)),
    );
  }

  #pump(lane: number): void {
    const number = this.#next.get(lane);
    if (number === undefined || this.#running.has(lane) || !this.ownership.owns(lane)) return;
    const { world } = this.#simulation;
    if (!this.ownership.maySend()) {
      world.after(50, this.process, () => this.#pump(lane));
      return;
    }
    this.#judgeStart(lane, number);
    const running: Running = {
      number,
      epoch: this.#simulation.database.epochs[lane] as number,
      incarnation: this.ownership.identity.incarnation,
      isAborted: false,
    };
    this.#running.set(lane, running);
    this.#next.delete(lane);
    const durationMs = world.chance(0.05) ? world.between(1_000, 15_000) : world.between(400, 2_000);
    world.after(durationMs, this.process, () => {
      if (!running.isAborted) this.#record(lane, running);
    });
  }

  #judgeStart(lane: number, number: number): void {
    const simulation = this.#simulation;
    const { world, database, nodes } = simulation;
    simulation.requestCount += 1;
    if (number <= (simulation.sent[lane] as number)) simulation.repeatCount += 1;
    simulation.sent[lane] = Math.max(number, simulation.sent[lane] as number);
    if (database.owners[lane] !== this.uuid) {
      simulation.report("sent_without_lane", `lane ${lane} by ${this.uuid}, row says ${database.owners[lane]}`);
    }
    if (number > (database.ended[lane] as number)) simulation.report("out_of_order", `lane ${lane}, ${number}`);
    for (const other of nodes) {
      // A frozen node cannot end what it began; nor can a dead one, whose requests the kernel has ended.
      const isHelpless = other.process.isDead || other.process.frozenUntilMs >= world.nowMs;
      if (other !== this && !isHelpless && other.isSending(lane)) simulation.report("two_senders", `lane ${lane}`);
    }
  }

  /** Until it is committed, or refused by the fence. */
  #record(lane: number, running: Running): void {
    const simulation = this.#simulation;
    const { world, database } = simulation;
    const uuid = this.uuid;
    const generation = this.#generation;
    const write = (): boolean => {
      if (simulation.mutation.isFenceOff !== true && !database.isFenced(uuid, running.incarnation)) {
        simulation.refusedWriteCount += 1;
        return false;
      }
      if (database.owners[lane] !== uuid || database.epochs[lane] !== running.epoch) {
        simulation.report("stale_write", `lane ${lane}, ${running.number} by ${uuid}`);
      }
      // Whoever deletes the row ends the delivery; a second time changes nothing.
      if (database.ended[lane] === running.number) database.ended[lane] = running.number + 1;
      return true;
    };
    this.#ask(write).then(
      () => {
        if (running.isAborted || generation !== this.#generation) return;
        this.#running.delete(lane);
        this.#read(lane);
      },
      () => world.after(50, this.process, () => running.isAborted || this.#record(lane, running)),
    );
  }
}

/** One schedule, always the same for a seed. */
export function simulateLanes(seed: number, mutation: Mutation = {}): Promise<Judged> {
  return new LaneSimulation(seed, mutation).run();
}
