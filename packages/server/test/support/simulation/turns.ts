// Schedules for what stands between a node's deliveries and its slots: the real Slots and turns, breakers, retry times and
// queues, with receivers that answer late, lose requests, die and come back, a node that pauses and a clock that jumps.
// Judges that caps are kept, that nothing is started twice, and that everybody who waits is served in the end.
import { Breaker } from "../../../src/deliver/breaker.ts";
import { type Entry, WebhookQueue } from "../../../src/deliver/queue.ts";
import { OrderedEntries } from "../../../src/deliver/order.ts";
import { FEW, RESERVED_SHARE, Slots } from "../../../src/deliver/slots.ts";
import { PRIORITIES } from "../../../src/storage/priority.ts";
import { webhookWith, idBytes } from "../../deliver/support.ts";
import { World } from "./world.ts";

export type TurnRule = "too_many" | "unhealthy_share" | "passed_its_breaker" | "twice" | "out_of_order" | "starved";

/** What is broken on purpose, to show that it is found out. */
export interface TurnMutation {
  /** A queue that ends a request starts the next one itself, whoever waits. */
  readonly keepsSlots?: boolean;
  /** All endpoints count as well. */
  readonly trustsAll?: boolean;
}

const FAULTS_MS = 60_000;
/** Time enough for a whale that gets one request at a time. */
const SETTLE_MS = 300_000;
const OPEN = { firstOpenMs: 200, longestOpenMs: 1_000 };
const TIMEOUT_MS = 2_000;
const KEYS = 3;

interface Endpoint {
  readonly queue: WebhookQueue;
  readonly breaker: Breaker;
  readonly isWhale: boolean;
  deadUntilMs: number;
  lossShare: number;
  latencyMs: number;
}

interface Owed {
  readonly endpoint: Endpoint;
  readonly number: number;
  readonly key: string | null;
  isUnderWay: boolean;
  hasEnded: boolean;
}

class TurnSimulation {
  readonly world: World;
  readonly slots: Slots;
  readonly maxCount: number;
  readonly endpoints: Endpoint[] = [];
  readonly owed = new Map<Entry, Owed>();
  /** By endpoint and key: numbers that are owed, first the one that comes next. */
  readonly lines = new Map<string, number[]>();
  readonly violations: { rule: TurnRule; detail: string }[] = [];
  readonly mutation: TurnMutation;
  wallOffsetMs = 0;
  pausedUntilMs = 0;
  endedCount = 0;
  repeatCount = 0;
  waitCount = 0;

  constructor(seed: number, mutation: TurnMutation) {
    this.world = new World(seed);
    this.mutation = mutation;
    const { world } = this;
    this.maxCount = 4 + Math.floor(world.random() * 30);
    this.slots = new Slots(this.maxCount);
    const count = 3 + Math.floor(world.random() * 8);
    for (let n = 0; n < count; n += 1) {
      const isOrdered = world.chance(0.25);
      const priority = PRIORITIES[Math.floor(world.random() * 3)];
      const configuration = {
        priority,
        maxInFlight: 1 + Math.floor(world.random() * 20),
        ...(isOrdered ? { orderingKey: true } : {}),
      };
      const webhook = { ...webhookWith({ number: n + 10, configuration }), tenantUuid: `tenant ${n % 3}` };
      this.endpoints.push({
        queue: new WebhookQueue(webhook),
        breaker: new Breaker(webhook.bytes, OPEN),
        isWhale: n === 0,
        deadUntilMs: 0,
        lossShare: world.chance(0.3) ? world.between(0, 0.4) : 0,
        latencyMs: world.between(5, 800),
      });
    }
  }

  get nowMs(): number {
    return 1_800_000_000_000 + this.world.nowMs + this.wallOffsetMs;
  }

  report(rule: TurnRule, detail: string): void {
    this.violations.push({ rule, detail: `${detail} at ${this.world.nowMs.toFixed(0)} ms` });
  }

  async run(): Promise<void> {
    const { world } = this;
    for (const endpoint of this.endpoints) {
      const count = endpoint.isWhale ? 120 : 1 + Math.floor(world.random() * 12);
      for (let n = 0; n < count; n += 1)
        this.#owe(endpoint, n, endpoint.isWhale ? world.between(0, 500) : world.between(0, FAULTS_MS / 2));
    }
    for (let faults = Math.floor(world.random() * 6); faults > 0; faults -= 1) {
      world.after(world.between(0, FAULTS_MS / 2), null, () => this.#strike());
    }
    await world.run(FAULTS_MS);
    for (const endpoint of this.endpoints) Object.assign(endpoint, { deadUntilMs: 0, lossShare: 0 });
    await world.run(FAULTS_MS + SETTLE_MS);
    for (const { endpoint, number, hasEnded } of this.owed.values()) {
      if (!hasEnded) this.report("starved", `delivery ${number} of ${endpoint.queue.webhook.id}`);
    }
  }

  #strike(): void {
    const { world } = this;
    const what = world.random();
    const endpoint = this.endpoints[Math.floor(world.random() * this.endpoints.length)] as Endpoint;
    if (what < 0.5) endpoint.deadUntilMs = world.nowMs + world.between(1_000, 30_000);
    else if (what < 0.7) this.wallOffsetMs += world.between(-600_000, 600_000);
    else if (what < 0.85) this.pausedUntilMs = world.nowMs + world.between(100, 5_000);
    else
      for (const each of this.endpoints)
        if (world.chance(0.6)) each.deadUntilMs = world.nowMs + world.between(1_000, 15_000);
  }

  #owe(endpoint: Endpoint, number: number, atMs: number): void {
    const { world } = this;
    const { queue } = endpoint;
    const key = queue.ordered === null ? null : String(number % KEYS);
    const first: Entry = {
      queue,
      idBytes: idBytes(number),
      event: {} as Entry["event"],
      attemptCount: 0,
      policyAttemptBase: 0,
      trigger: "initial",
      replayed: false,
      coalescedCount: null,
      byteLength: 1,
      orderingKey: key,
    };
    this.owed.set(first, { endpoint, number, key, isUnderWay: false, hasEnded: false });
    // What was committed first stands first in its line, whenever it comes to memory.
    if (key !== null) {
      const line = this.lines.get(`${queue.webhook.id} ${key}`) ?? [];
      this.lines.set(`${queue.webhook.id} ${key}`, line);
      line.push(number);
    }
    world.after(key === null ? atMs : 0, null, () => this.#arrive(first));
  }

  #arrive(entry: Entry): void {
    const { queue } = entry;
    queue.entries.add(entry);
    if (entry.orderingKey !== null && queue.ready instanceof OrderedEntries)
      queue.ready.add(entry.orderingKey, [entry], false);
    else queue.ready.push(entry);
    this.#pump((this.owed.get(entry) as Owed).endpoint);
  }

  // --- as dispatch does it, without requests ------------------------------------------------------------------------

  #judge({ queue, breaker }: Endpoint): void {
    const isTrusted = this.mutation.trustsAll === true;
    this.slots.judge(
      queue,
      !isTrusted && breaker.isUnhealthy ? "unhealthy" : isTrusted || breaker.isProven ? "proven" : "unproven",
    );
  }

  #mayGo({ queue, breaker }: Endpoint): boolean {
    return (
      queue.ready.count > 0 &&
      queue.inFlightCount < queue.webhook.maxInFlight &&
      breaker.room(this.nowMs, queue.inFlightCount) > 0
    );
  }

  #pump(endpoint: Endpoint): void {
    const { queue } = endpoint;
    if (this.#isPaused(() => this.#pump(endpoint))) return;
    this.#judge(endpoint);
    while (this.#mayGo(endpoint)) {
      if (!this.slots.mayTake(queue)) {
        this.waitCount += 1;
        this.slots.wait(queue, { fresh: queue.ready.has("fresh"), again: queue.ready.has("again") });
        this.#grant();
        return;
      }
      this.#start(endpoint, queue.ready.take() as Entry);
    }
    const { openUntilMs, phase } = endpoint.breaker;
    // Refill wakes it then; a clock that was set back makes it look again.
    if (phase === "open" && queue.ready.count > 0) {
      const waitMs = Math.min(1_000, Math.max(1, openUntilMs - this.nowMs));
      this.world.after(waitMs, null, () => this.#pump(endpoint));
    }
  }

  #grant(): void {
    for (let turn = this.slots.next(); turn !== null; turn = this.slots.next()) {
      const { queue, kind } = turn;
      const endpoint = this.endpoints.find((each) => each.queue === queue) as Endpoint;
      this.#judge(endpoint);
      if (!this.#mayGo(endpoint)) {
        this.slots.leave(queue);
        if (endpoint.breaker.phase === "open") this.world.after(1, null, () => this.#pump(endpoint));
        continue;
      }
      const entry = queue.ready.has(kind) ? queue.ready.take(kind) : undefined;
      if (entry !== undefined) {
        this.#start(endpoint, entry);
        this.slots.pay(queue, kind);
      }
      const isWaiting = this.#mayGo(endpoint);
      this.slots.wait(queue, {
        fresh: isWaiting && queue.ready.has("fresh"),
        again: isWaiting && queue.ready.has("again"),
      });
    }
  }

  #isPaused(again: () => void): boolean {
    const { world } = this;
    if (world.nowMs >= this.pausedUntilMs) return false;
    world.after(this.pausedUntilMs - world.nowMs, null, again);
    return true;
  }

  #start(endpoint: Endpoint, entry: Entry): void {
    const { world, slots, maxCount } = this;
    const { queue, breaker } = endpoint;
    const owed = this.owed.get(entry) as Owed;
    slots.take(queue);
    if (slots.takenCount > maxCount) this.report("too_many", `${slots.takenCount} of ${maxCount}`);
    this.#judgeStart(endpoint, owed);
    owed.isUnderWay = true;
    const isLost = world.nowMs < endpoint.deadUntilMs || world.chance(endpoint.lossShare);
    const tookMs = isLost ? TIMEOUT_MS : endpoint.latencyMs * world.between(0.5, 1.5);
    const ended = (): void => {
      if (this.#isPaused(ended)) return;
      slots.release(queue);
      owed.isUnderWay = false;
      queue.expectedMs += (tookMs - queue.expectedMs) / 8;
      breaker.ended(isLost ? "unreachable" : "success", this.nowMs, queue.webhook.maxInFlight);
      this.#judge(endpoint);
      this.#settle(entry, owed, !isLost);
      if (this.mutation.keepsSlots === true)
        while (this.#mayGo(endpoint) && slots.takenCount < maxCount) this.#start(endpoint, queue.ready.take() as Entry);
      this.#pump(endpoint);
      this.#grant();
    };
    world.after(tookMs, null, ended);
  }

  #judgeStart({ queue, breaker, isWhale }: Endpoint, { number, key, isUnderWay, hasEnded }: Owed): void {
    const { id } = queue.webhook;
    if (isUnderWay || hasEnded) this.report("twice", `${number} of ${id}`);
    if (breaker.phase === "open") this.report("passed_its_breaker", `${number} of ${id}`);
    if (breaker.phase === "half_open" && queue.inFlightCount > 1)
      this.report("passed_its_breaker", `${number} of ${id}`);
    if (breaker.isUnhealthy) {
      const held = this.endpoints.reduce(
        (sum, each) => sum + (each.breaker.isUnhealthy ? each.queue.inFlightCount : 0),
        0,
      );
      const most = Math.max(1, Math.floor(this.maxCount / 10));
      if (held > most) this.report("unhealthy_share", `${held} of ${this.maxCount}`);
    }
    if (key !== null && this.lines.get(`${id} ${key}`)?.[0] !== number)
      this.report("out_of_order", `${number} of ${id}`);
    // Where slots are kept for those who hold hardly any, a whale never takes the last one while such a one waits.
    if (
      isWhale &&
      queue.inFlightCount > FEW &&
      this.maxCount >= 1 / RESERVED_SHARE &&
      this.slots.takenCount >= this.maxCount
    ) {
      const passed = this.endpoints.find(
        (each) => each.queue.inFlightCount === 0 && each.breaker.isProven && this.#mayGo(each),
      );
      if (passed !== undefined) this.report("starved", `${passed.queue.webhook.id} waits with nothing under way`);
    }
  }

  #settle(entry: Entry, owed: Owed, isDelivered: boolean): void {
    const { queue } = entry;
    queue.entries.delete(entry);
    if (isDelivered) {
      owed.hasEnded = true;
      this.endedCount += 1;
      queue.ready.over(entry);
      if (owed.key !== null) this.lines.get(`${queue.webhook.id} ${owed.key}`)?.shift();
      return;
    }
    this.repeatCount += 1;
    const behind = queue.ready.again(entry, this.nowMs);
    const again: Entry = { ...entry, trigger: "retry", attemptCount: entry.attemptCount + 1 };
    this.owed.set(again, owed);
    this.owed.delete(entry);
    // The table has them in their order.
    this.world.after(this.world.between(1, 3_000), null, () => {
      this.#arrive(again);
      for (const each of behind) this.#arrive(each);
    });
  }
}

/** One schedule, always the same for a seed. */
export async function simulateTurns(seed: number, mutation: TurnMutation = {}) {
  const simulation = new TurnSimulation(seed, mutation);
  await simulation.run();
  const { violations, endedCount, repeatCount, waitCount } = simulation;
  return { violations, figures: { "delivered in turn": endedCount, repeated: repeatCount, "times waited": waitCount } };
}
