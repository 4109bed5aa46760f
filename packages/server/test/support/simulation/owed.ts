// Schedules for what a node owes: the real Deliveries, Dispatch, Endpoints, Refill, order, breakers and retry times above a
// table of a simulation, with receivers that fail, answers of the database that get lost, lanes that are lost, and a clock
// that steps. Judges that nothing goes twice at once, before its time, out of its order, or after its end, that each pause
// is the policy's, and that everything ends.
import { setMaxListeners } from "node:events";
import { idFromUuid, uuidFromBytes, uuidFromId } from "@posthorn/contract";
import { Deliveries } from "../../../src/deliver/deliveries.ts";
import { Dispatch, type DispatchOptions } from "../../../src/deliver/dispatch.ts";
import { Endpoints } from "../../../src/deliver/endpoints.ts";
import type { HealthRow } from "../../../src/deliver/endpoints.sql.ts";
import { DeliveryMemory } from "../../../src/deliver/queue.ts";
import { Rates } from "../../../src/deliver/rate.ts";
import { Bodies } from "../../../src/deliver/render.ts";
import type { DeliveryReport } from "../../../src/deliver/report.ts";
import type { Sender } from "../../../src/deliver/unit.ts";
import { NO_DEFINITIONS } from "../../../src/expressions/definitions.ts";
import type { SendResult } from "../../../src/security/outbound/result.ts";
import type { Webhook } from "../../../src/storage/configuration.ts";
import type { Executor } from "../../../src/storage/pools.ts";
import { EVENT, idBytes, nothingGathered, openPlainSecret, respondedWith } from "../../deliver/support.ts";
import {
  ABORTED,
  ASKS_FOR_PATIENCE,
  asStored,
  makeReceivers,
  type Receiver,
  TIMED_OUT,
  valueOf,
} from "./owed-parts.ts";
import { inMicroseconds, type OwedRow, OwedTable } from "./owed-table.ts";
import { type SimulatedProcess, World } from "./world.ts";

export type OwedRule =
  | "twice"
  | "early"
  | "after_its_end"
  | "out_of_order"
  | "wrong_pause"
  | "too_many_attempts"
  | "starved";

/** What is broken on purpose, to show that it is found out. */
export interface OwedMutation {
  /** Ordered deliveries go from memory, as they were captured, instead of from a read of the table. */
  readonly ordersFromMemory?: boolean;
  /** A failed delivery is due again at once. */
  readonly forgetsPause?: boolean;
  /** A read leaves out nothing: what is in memory is read again. */
  readonly readsMemoryAgain?: boolean;
  /** Nobody looks for what the table holds of lanes that are new. */
  readonly looksForNothing?: boolean;
}

const START_MS = 1_800_000_000_000;
const FAULTS_MS = 60_000;
/** The longest pause of all, held up by an open breaker, and the look at everything that finds what was lost. */
const SETTLE_MS = 400_000;
const LOOK_MS = 10_000;
const OPEN = { firstOpenMs: 500, longestOpenMs: 5_000 };
const LANE = 7;
const KEYS = 3;
const silent = { debug() {}, info() {}, warn() {}, error() {} } as unknown as DispatchOptions["log"];

class OwedSimulation {
  readonly world: World;
  readonly mutation: OwedMutation;
  readonly table = new OwedTable();
  readonly violations: { rule: OwedRule; detail: string }[] = [];
  readonly receivers: readonly Receiver[];
  readonly process: SimulatedProcess = { rate: 1, wallOffsetMs: 0, frozenUntilMs: 0, isDead: false };
  readonly deliveries: Deliveries;
  readonly dispatch: Dispatch;
  readonly endpoints: Endpoints;
  readonly memory: DeliveryMemory;
  readonly health = new Map<string, HealthRow>();
  readonly underWay = new Set<string>();
  clockOffMs = 0;
  isOwner = true;
  databaseAwayUntilMs = 0;
  #count = 0;
  figures = { delivered: 0, "given up": 0, repeated: 0, "answers lost": 0, "lanes lost": 0 };

  constructor(seed: number, mutation: OwedMutation) {
    this.world = new World(seed);
    this.mutation = mutation;
    const { world } = this;
    const clock = { nowMs: () => this.nowMs, monotonicMs: () => world.monotonicMs(this.process) };
    this.memory = new DeliveryMemory({
      maxEntries: 60,
      maxBytes: 10_000_000,
      maxEntriesPerWebhook: 8 + Math.floor(world.random() * 30),
      maxBytesPerWebhook: 5_000_000,
    });
    const { memory } = this;
    this.receivers = makeReceivers(world);
    this.endpoints = new Endpoints({
      clock,
      log: silent,
      timings: OPEN,
      load: async () => [...this.health.values()].filter((row) => row.failureCount > 0).map(asStored),
      store: async (rows) => {
        for (const row of rows) this.health.set(uuidFromBytes(row.webhookBytes), row);
      },
    });
    this.deliveries = new Deliveries({
      db: { query: (query: never) => this.#ask(query) } as unknown as Executor,
      clock,
      log: silent,
      memory,
      ownsLane: () => this.isOwner,
      // What another node would be told of: it is this one, later.
      onHandedOff: () => {},
      endpoints: this.endpoints,
      findWebhook: async (_tenant, id) => this.#receiverOf(id)?.webhook ?? null,
      dissolveBatch: async () => {},
      timestampOfEvent: () => EVENT.timestamp,
    });
    const gathering = nothingGathered(memory, clock);
    this.dispatch = new Dispatch({
      clock,
      log: silent,
      memory,
      gathering,
      endpoints: this.endpoints,
      rates: new Rates({
        monotonicMs: clock.monotonicMs,
        tenureOf: () => ({ monotonicMs: -1e9, atMs: 0, isUnclean: false }),
      }),
      sender: { send: (request) => this.#receive(request) },
      openSecret: openPlainSecret,
      sealLarge: () => Promise.reject(new Error("nothing large here")),
      bodies: new Bodies({
        namesOf: () => ({ name: "invoice", aliases: [], fieldAliases: {} }),
        tagsOf: () => ({ paths: [], names: [], context: [] }),

        definitionsOf: () => NO_DEFINITIONS,
        renderLarge: () => Promise.reject(new Error("nothing large here")),
        renderLargeBatch: () => Promise.reject(new Error("nothing large here")),
      }),
      record: (reports) => this.#record(reports),
      isOperational: () => false,
      mayStart: () => this.isOwner,
      onSwitch: () => {},
      onRoom: (queue) => this.deliveries.roomMade(queue),
      orderWaitMs: () => 0,
      maxInFlight: 2 + Math.floor(world.random() * 20),
    });
    this.deliveries.attach(this.dispatch, gathering);
  }

  get nowMs(): number {
    return START_MS + this.world.nowMs + this.clockOffMs;
  }

  report(rule: OwedRule, detail: string): void {
    this.violations.push({ rule, detail: `${detail} at ${this.world.nowMs.toFixed(0)} ms` });
  }

  #receiverOf(id: string): Receiver | undefined {
    return this.receivers.find(({ webhook }) => webhook.id === id);
  }

  async run(): Promise<void> {
    const { world } = this;
    for (const receiver of this.receivers) {
      for (let n = 2 + Math.floor(world.random() * 14); n > 0; n -= 1) {
        world.after(world.between(0, FAULTS_MS / 2), this.process, () => this.#publish(receiver));
      }
    }
    for (let faults = Math.floor(world.random() * 7); faults > 0; faults -= 1) {
      world.after(world.between(0, FAULTS_MS / 2), null, () => this.#strike());
    }
    world.after(0, this.process, () => {
      this.deliveries.start();
      this.deliveries.lanesAcquired([LANE]);
    });
    await world.run(FAULTS_MS);
    for (const receiver of this.receivers) receiver.deadUntilMs = 0;
    // A schedule is over when nothing is owed any more and what was under way has come back.
    for (let untilMs = FAULTS_MS; untilMs < FAULTS_MS + SETTLE_MS; ) {
      const isDone = this.table.rows.size === 0 && this.memory.entryCount === 0;
      if (isDone) break;
      untilMs += LOOK_MS;
      await world.run(untilMs);
    }
    for (const row of this.table.rows.values()) {
      this.report("starved", `delivery ${row.seq} of ${row.webhookUuid}, due in ${row.dueMs - this.nowMs} ms`);
    }
    if (this.memory.entryCount > 0) this.report("starved", `${this.memory.entryCount} are still in memory`);
    this.deliveries.stop();
    this.dispatch.stop();
  }

  #strike(): void {
    const { world } = this;
    const what = world.random();
    const receiver = this.receivers[Math.floor(world.random() * this.receivers.length)] as Receiver;
    if (what < 0.3) receiver.deadUntilMs = world.nowMs + world.between(1_000, 20_000);
    else if (what < 0.5) this.databaseAwayUntilMs = world.nowMs + world.between(100, 4_000);
    else if (what < 0.65) this.clockOffMs += world.between(-3_000, 3_000);
    else if (what < 0.8) this.process.frozenUntilMs = world.nowMs + world.between(100, 5_000);
    else if (this.isOwner) this.#loseLanes();
  }

  /** As compose does it when the lease runs out, and when the lanes are there again. */
  #loseLanes(): void {
    const { world } = this;
    this.figures["lanes lost"] += 1;
    this.isOwner = false;
    world.within(this.process, () => {
      this.dispatch.interrupt();
      this.deliveries.lanesLost();
      this.endpoints.forgetAll();
    });
    world.after(world.between(500, 8_000), this.process, () => {
      this.isOwner = true;
      void this.endpoints
        .lanesAcquired([LANE], async (row) => this.#receiverOf(idFromUuid("webhook", row.webhook_id))?.webhook ?? null)
        .finally(() => this.deliveries.lanesAcquired([LANE]));
    });
  }

  // --- capture -------------------------------------------------------------------------------------------------------

  #publish(receiver: Receiver): void {
    const { world } = this;
    const { webhook } = receiver;
    const number = (this.#count += 1);
    const bytes = idBytes(number, this.nowMs);
    const key = webhook.orderingKey === null ? null : `key ${number % KEYS}`;
    const kept = this.mutation.ordersFromMemory === true ? null : key;
    const reservation = this.deliveries.reserve(
      this.mutation.ordersFromMemory === true ? { ...webhook, orderingKey: null } : webhook,
      bytes,
      { ...EVENT, idBytes: bytes },
      kept,
    );
    const fate = world.random();
    const insert = (): void =>
      this.table.insert({
        uuid: uuidFromBytes(bytes),
        idBytes: bytes,
        tenantUuid: webhook.tenantUuid,
        webhookUuid: webhook.uuid,
        lane: webhook.lane,
        key,
        dueMs: inMicroseconds(this.nowMs),
      });
    world.after(world.between(1, 30), this.process, () => {
      // Refused: it was never there.
      if (fate < 0.05) return this.deliveries.abandon(reservation, false);
      if (fate < 0.15) {
        // Its answer is lost, and it may be committed by a dying backend a moment later.
        this.figures["answers lost"] += 1;
        world.after(world.between(0, 2_000), null, insert);
        return this.deliveries.abandon(reservation, true);
      }
      insert();
      world.after(world.between(0, 20), this.process, () => this.deliveries.activate(reservation));
    });
  }

  // --- the database --------------------------------------------------------------------------------------------------

  async #ask(query: { name?: string; values?: unknown[] }): Promise<{ rows: object[] }> {
    const { world, mutation } = this;
    await this.#wait(world.between(0.2, 20));
    if (world.nowMs < this.databaseAwayUntilMs || world.chance(0.01)) throw new Error("the database is away");
    if (mutation.looksForNothing === true && query.name === "select_webhooks_with_deliveries") return { rows: [] };
    const isRead = query.name?.startsWith("select_due") === true;
    const values = query.values ?? [];
    const rows = this.table.execute({
      ...query,
      text: "",
      values: isRead && mutation.readsMemoryAgain === true ? [...values.slice(0, 4), Buffer.alloc(12)] : values,
    });
    await this.#wait(world.between(0.2, 40));
    return { rows };
  }

  #wait(ms: number): Promise<void> {
    return new Promise((resolve) => void this.world.after(ms, this.process, resolve));
  }

  async #record(reports: readonly DeliveryReport[]): Promise<boolean> {
    const { world } = this;
    const wasOwner = this.isOwner;
    await this.#wait(world.between(1, 60));
    // The fence.
    if (!this.isOwner || !wasOwner) return false;
    const fate = world.random();
    if (fate < 0.02) throw new Error("not recorded");
    for (const report of reports) this.#apply(report);
    await this.#wait(world.between(0, 20));
    if (fate < 0.04) {
      this.figures["answers lost"] += 1;
      throw new Error("recorded, and nobody knows");
    }
    return true;
  }

  #apply({ entry, attempt, verdict }: DeliveryReport): void {
    const uuid = uuidFromBytes(entry.idBytes);
    const row = this.table.rows.get(uuid);
    if (row === undefined) return;
    const { webhook, maxAttempts } = this.receivers.find((each) => each.webhook.uuid === row.webhookUuid) as Receiver;
    if (verdict.kind !== "retry") {
      this.table.rows.delete(uuid);
      if (verdict.kind === "delivered") this.figures.delivered += 1;
      else this.figures["given up"] += 1;
      const isEarly = verdict.kind === "dead_letter" && row.attemptCount + 1 < maxAttempts;
      if (isEarly)
        this.report("wrong_pause", `${row.seq} was given up after ${row.attemptCount + 1} of ${maxAttempts}`);
      return;
    }
    row.attemptCount += 1;
    row.trigger = "retry";
    this.figures.repeated += 1;
    if (row.attemptCount >= maxAttempts && attempt?.outcome !== "interrupted")
      this.report("too_many_attempts", `${row.seq}: ${row.attemptCount} of ${maxAttempts}`);
    row.dueMs = inMicroseconds(this.mutation.forgetsPause === true ? this.nowMs : verdict.nextAttemptAtMs);
    if (attempt !== null && attempt.outcome !== "interrupted") this.#judgePause(webhook, row, attempt);
  }

  /** By the words of the policy, worked out once more. */
  #judgePause(webhook: Webhook, row: OwedRow, { endedAtMs, result }: NonNullable<DeliveryReport["attempt"]>): void {
    const policy = webhook.retryPolicy as { retryDelay: number; maxDelay: number };
    let seconds = policy.retryDelay;
    for (let n = 1; n < row.attemptCount; n += 1) seconds *= 2;
    const pauseMs = Math.min(seconds, policy.maxDelay) * 1_000;
    const askedMs = result.kind === "responded" && result.headers.length > 0 ? Number(result.headers[1]) * 1_000 : 0;
    const wantedMs = endedAtMs + Math.max(pauseMs, askedMs);
    if (Math.abs(row.dueMs - wantedMs) > 1)
      this.report("wrong_pause", `${row.seq} after ${row.attemptCount}: ${row.dueMs - endedAtMs} ms, not ${pauseMs}`);
  }

  // --- receivers -----------------------------------------------------------------------------------------------------

  async #receive({ headers, signal, timeoutMs }: Parameters<Sender["send"]>[0]): Promise<SendResult> {
    const { world } = this;
    const uuid = uuidFromId("delivery", valueOf(headers, "x-bigledger-delivery") as never);
    const number = Number(valueOf(headers, "x-bigledger-attempt"));
    const row = this.table.rows.get(uuid);
    if (row === undefined) {
      this.report("after_its_end", uuid);
      return respondedWith(200);
    }
    const receiver = this.receivers.find((each) => each.webhook.uuid === row.webhookUuid) as Receiver;
    this.#judgeStart(row, number, receiver);
    this.underWay.add(uuid);
    const isDead = world.nowMs < receiver.deadUntilMs;
    const tookMs = isDead ? timeoutMs : receiver.latencyMs * world.between(0.5, 1.5);
    const isLost = isDead || world.chance(receiver.lossShare);
    const asks = !isDead && isLost && world.chance(0.1);
    const result = await new Promise<SendResult>((resolve) => {
      const ended = world.after(tookMs, this.process, () =>
        resolve(isDead ? TIMED_OUT : asks ? ASKS_FOR_PATIENCE : respondedWith(isLost ? 500 : 200)),
      );
      setMaxListeners(0, signal);
      signal.addEventListener("abort", () => {
        ended.isOff = true;
        resolve(ABORTED);
      });
    });
    this.underWay.delete(uuid);
    return result;
  }

  #judgeStart(row: OwedRow, number: number, { webhook, maxAttempts }: Receiver): void {
    const told = `${row.seq} of ${webhook.id}`;
    if (this.underWay.has(row.uuid)) this.report("twice", told);
    // A clock that was set back while it was on its way from the table.
    if (row.dueMs > this.nowMs + 1 && row.dueMs > START_MS + this.world.nowMs + 3_001) this.report("early", told);
    if (number > maxAttempts + this.figures["lanes lost"]) this.report("too_many_attempts", `${told}: ${number}`);
    if (row.key === null) return;
    const first = this.table.firstOf(row.webhookUuid, row.key);
    if (first !== row) this.report("out_of_order", `${told} before ${first?.seq}`);
  }
}

/** One schedule, always the same for a seed. */
export async function simulateOwed(seed: number, mutation: OwedMutation = {}) {
  const simulation = new OwedSimulation(seed, mutation);
  await simulation.run();
  return { violations: simulation.violations, figures: simulation.figures };
}
