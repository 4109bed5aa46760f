// The pure machines of fairness: whose turn it is (fair-turns), who may hold how many slots (slots), which queues are read
// (read-turns), which of a queue's deliveries go (ready), who may fill memory (queue). Seeds are printed by fast-check.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { FairTurns, type Kind, KIND_SHARE, MAX_COST, PRIORITY_QUANTUM, Turn } from "../../src/deliver/fair-turns.ts";
import { DeliveryMemory, type Entry, FEW_ENTRIES, WebhookQueue } from "../../src/deliver/queue.ts";
import { ReadTurns } from "../../src/deliver/read-turns.ts";
import { ReadyEntries } from "../../src/deliver/ready.ts";
import { costOf, FEW, Slots, type Standing } from "../../src/deliver/slots.ts";
import { PRIORITIES, type Priority } from "../../src/storage/priority.ts";
import { addReady, EVENT, idBytes, webhookWith } from "./support.ts";

const ALL = (): boolean => true;
const priorities = fc.constantFrom(...PRIORITIES);
const kinds = fc.constantFrom<Kind>("fresh", "again");

interface Waiter {
  readonly name: number;
  readonly tenant: string;
  readonly priority: Priority;
  readonly turn: Turn<number>;
}

/** Turns taken by everybody who always has more to send. */
function taken(waiters: readonly Waiter[], rounds: number, cost: (name: number) => number = () => 1): number[] {
  const turns = new FairTurns<"all", number>({ all: 1 });
  for (const { turn, tenant, priority } of waiters) turns.join(turn, "all", tenant, priority);
  const counts = waiters.map(() => 0);
  for (let n = 0; n < rounds; n += 1) {
    const turn = turns.next(ALL)!;
    counts[turn.queue]! += 1;
    turns.pay(turn, cost(turn.queue));
  }
  return counts;
}
const waiter = (name: number, tenant: string, priority: Priority = "normal", kind: Kind = "fresh"): Waiter => ({
  name,
  tenant,
  priority,
  turn: new Turn(name, kind),
});

describe("whose turn it is", () => {
  test("a tenant with a thousand webhooks gets as many turns as one with a single webhook", () => {
    const whale = Array.from({ length: 1_000 }, (_, name) => waiter(name, "whale"));
    const counts = taken([...whale, waiter(1_000, "mouse")], 10_000);
    expect(Math.abs(counts[1_000]! - 5_000)).toBeLessThanOrEqual(16);
  });

  test("within a tenant turns are shared 16 : 4 : 1 by priority, and low ones get theirs", () => {
    const counts = taken([waiter(0, "t", "high"), waiter(1, "t", "normal"), waiter(2, "t", "low")], 21_000);
    for (const [at, share] of [16, 4, 1].entries()) expect(Math.abs(counts[at]! - share * 1_000)).toBeLessThan(70);
  });

  test("a tenant whose webhooks are all of high priority takes nothing from another tenant", () => {
    const counts = taken([waiter(0, "loud", "high"), waiter(1, "modest", "low")], 1_000);
    expect(Math.abs(counts[0]! - counts[1]!)).toBeLessThanOrEqual(32);
  });

  test("while both wait, fresh deliveries get seven turns of ten and repeated ones three", () => {
    const counts = taken(
      [...Array.from({ length: 50 }, (_, n) => waiter(n, `t${n}`, "normal", "again")), waiter(50, "t")],
      10_000,
    );
    expect(Math.abs(counts[50]! / 10_000 - KIND_SHARE.fresh / 10)).toBeLessThan(0.02);
  });

  test("requests that hold their slots for long count for more", () => {
    const counts = taken([waiter(0, "slow"), waiter(1, "quick")], 17_000, (name) =>
      name === 0 ? costOf(60_000) : costOf(0),
    );
    expect(costOf(60_000)).toBe(MAX_COST);
    expect(Math.abs(counts[1]! / counts[0]! - MAX_COST)).toBeLessThan(1);
  });

  test("whoever waits has a turn before the others had more than their bounded number, whatever joins, leaves and pays", () => {
    const joining = fc.record({ tenant: fc.integer({ min: 0, max: 4 }), priority: priorities, kind: kinds });
    const steps = fc.array(
      fc.record({ who: fc.nat(), cost: fc.integer({ min: 1, max: MAX_COST }), leaves: fc.boolean() }),
      { maxLength: 400 },
    );
    fc.assert(
      fc.property(fc.array(joining, { minLength: 2, maxLength: 12 }), steps, (those, script) => {
        const turns = new FairTurns<"all", number>({ all: 1 });
        const all = those.map((each, name) => ({ ...each, turn: new Turn<number>(name, each.kind) }));
        const join = (name: number): void =>
          turns.join(all[name]!.turn, "all", String(all[name]!.tenant), all[name]!.priority);
        // The first never leaves. Units that the others can have before it: by kinds, tenants, webhooks and debts.
        all.forEach((_, name) => join(name));
        let paidByOthers = 0;
        for (const { who, cost, leaves } of script) {
          const name = 1 + (who % (all.length - 1));
          if (leaves) turns.leave(all[name]!.turn);
          else join(name);
          const turn = turns.next(ALL)!;
          expect(turn.place).not.toBeNull();
          turns.pay(turn, cost);
          paidByOthers = turn.queue === 0 ? 0 : paidByOthers + cost;
          expect(paidByOthers).toBeLessThan(12_000);
        }
        const waitingCount = all.filter(({ turn }) => turn.place !== null).length;
        expect(turns.waitingCount("all")).toBe(waitingCount);
        // Nobody is in two places or in none: all that wait can be emptied one by one.
        for (let left = waitingCount; left > 0; left -= 1)
          turns.leave(turns.next(ALL)!.queue === -1 ? all[0]!.turn : all.find(({ turn }) => turn.place !== null)!.turn);
        expect(turns.next(ALL)).toBeNull();
      }),
      { numRuns: 300 },
    );
  });
});

describe("who may hold how many slots", () => {
  const queues = Array.from({ length: 8 }, (_, n) => new WebhookQueue(webhookWith({ number: 100 + n })));
  const step = fc.record({
    who: fc.nat({ max: queues.length - 1 }),
    what: fc.constantFrom("start", "end", "learn"),
    standing: fc.constantFrom<Standing>("unhealthy", "unproven", "proven"),
  });

  test("unhealthy endpoints never start a request beyond a tenth, nor with the unproven ones beyond half, and counts add up", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 60 }), fc.array(step, { maxLength: 300 }), (maxCount, script) => {
        const slots = new Slots(maxCount);
        const own = queues.map(({ webhook }) => new WebhookQueue(webhook));
        for (const { who, what, standing } of script) {
          const queue = own[who]!;
          if (what === "learn") slots.judge(queue, standing);
          else if (what === "end" && queue.inFlightCount > 0) slots.release(queue);
          else if (what === "start" && slots.mayTake(queue)) {
            const heldBefore = queue.inFlightCount;
            slots.take(queue);
            expect(slots.takenCount).toBeLessThanOrEqual(maxCount);
            if (queue.standing === "unhealthy")
              expect(slots.takenBy("unhealthy")).toBeLessThanOrEqual(Math.max(1, maxCount / 10));
            const isKept = slots.takenCount > maxCount - Math.floor(maxCount / 20);
            if (isKept) expect(heldBefore).toBeLessThan(queue.standing === "proven" ? FEW : 1);
          }
          const held = { unhealthy: 0, unproven: 0, proven: 0 };
          for (const each of own) held[each.standing] += each.inFlightCount;
          for (const each of ["unhealthy", "unproven", "proven"] as const) expect(slots.takenBy(each)).toBe(held[each]);
        }
      }),
      { numRuns: 300 },
    );
  });

  test("one that waits in turn keeps others from passing it, and unhealthy ones that wait hold up nobody", () => {
    const slots = new Slots(100);
    const [dead, busy, late, mouse] = queues
      .slice(0, 4)
      .map(({ webhook }) => new WebhookQueue(webhook)) as WebhookQueue[];
    slots.judge(dead!, "unhealthy");
    for (const queue of [busy!, late!, mouse!]) slots.judge(queue, "proven");
    while (slots.mayTake(dead!)) slots.take(dead!);
    expect(slots.takenBy("unhealthy")).toBe(10);
    slots.wait(dead!, { fresh: true, again: false });
    expect(slots.next()).toBeNull();
    while (slots.mayTake(busy!)) slots.take(busy!);
    expect([slots.takenCount, slots.mayTake(mouse!)]).toEqual([95, true]);
    for (let n = 0; n < FEW; n += 1) slots.take(late!);
    slots.wait(late!, { fresh: true, again: false });
    slots.wait(busy!, { fresh: true, again: false });
    for (let n = 0; n < FEW; n += 1) slots.release(busy!);
    expect(slots.mayTake(busy!)).toBe(false);
    slots.release(busy!);
    expect(slots.mayTake(busy!)).toBe(false);
    expect(slots.next()?.queue).toBe(late);
    slots.release(dead!);
    slots.leave(late!);
    slots.leave(busy!);
    expect(slots.next()?.queue).toBe(dead);
  });
});

describe("which queues are read", () => {
  const readable = (tenantUuid: string, priority: Priority = "normal") => ({
    webhook: { tenantUuid, priority },
    readTurn: 0,
  });

  test("a tenant with a thousand spilled webhooks leaves the other tenants' ones their turn in each read", () => {
    const turns = new ReadTurns();
    const whale = Array.from({ length: 1_000 }, () => readable("whale"));
    const mice = Array.from({ length: 99 }, (_, n) => readable(`mouse ${n}`));
    const read = new Map<object, number>();
    for (let n = 0; n < 20; n += 1) {
      for (const each of turns.choose([...whale, ...mice], 64)) read.set(each, (read.get(each) ?? 0) + 1);
    }
    expect(Math.min(...mice.map((mouse) => read.get(mouse) ?? 0))).toBeGreaterThanOrEqual(12);
    expect(whale.reduce((sum, each) => sum + (read.get(each) ?? 0), 0)).toBeLessThanOrEqual(20);
  });

  test("everybody is read within a bounded number of reads, high ones sooner and low ones too", () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.integer({ min: 0, max: 3 }), priorities), { minLength: 5, maxLength: 25 }),
        fc.integer({ min: 1, max: 4 }),
        (those, limit) => {
          const turns = new ReadTurns();
          const queues = those.map(([tenant, priority]) => readable(String(tenant), priority));
          const read = new Map<object, number>();
          for (let n = 0; n < 17 * queues.length; n += 1) {
            const chosen = turns.choose(queues, limit);
            expect(new Set(chosen).size).toBe(Math.min(limit, queues.length));
            for (const each of chosen) read.set(each, (read.get(each) ?? 0) + 1);
          }
          for (const each of queues) expect(read.get(each) ?? 0).toBeGreaterThan(0);
          for (const one of queues) {
            for (const other of queues) {
              const isSameTenant = one.webhook.tenantUuid === other.webhook.tenantUuid;
              const isBefore = PRIORITY_QUANTUM[one.webhook.priority] > PRIORITY_QUANTUM[other.webhook.priority];
              if (isSameTenant && isBefore) expect(read.get(one)! + 1).toBeGreaterThanOrEqual(read.get(other)!);
            }
          }
        },
      ),
      { numRuns: 30 },
    );
  });
});

describe("which of one queue's deliveries go", () => {
  test("each is handed out once, each kind in order of arrival, and of ten turns three are for repetitions while both wait", () => {
    fc.assert(
      fc.property(fc.array(kinds, { maxLength: 300 }), (arriving) => {
        const ready = new ReadyEntries();
        const entries = arriving.map(
          (kind, n) => ({ trigger: kind === "fresh" ? "initial" : "retry", n }) as unknown as Entry,
        );
        for (const entry of entries) ready.push(entry);
        const left: Record<Kind, Entry[]> = { fresh: [], again: [] };
        for (const [n, entry] of entries.entries()) left[arriving[n]!].push(entry);
        let again = 0;
        let both = 0;
        for (let n = entries.length; n > 0; n -= 1) {
          const isBoth = left.fresh.length > 0 && left.again.length > 0;
          const entry = ready.take()!;
          const kind = left.fresh[0] === entry ? "fresh" : "again";
          expect(left[kind].shift()).toBe(entry);
          if (isBoth) {
            both += 1;
            if (kind === "again") again += 1;
            expect(Math.abs(again - (both * KIND_SHARE.again) / 10)).toBeLessThanOrEqual(1);
          }
        }
        expect([ready.count, ready.take()]).toEqual([0, undefined]);
      }),
      { numRuns: 200 },
    );
  });
});

describe("who may fill memory", () => {
  test("one tenant's backlog leaves a quarter free, each of its webhooks a few, and another tenant its share", () => {
    const memory = new DeliveryMemory({
      maxEntries: 4_000,
      maxBytes: 1 << 30,
      maxEntriesPerWebhook: 1_000,
      maxBytesPerWebhook: 1 << 30,
    });
    const whale = Array.from({ length: 30 }, (_, n) => new WebhookQueue(webhookWith({ number: n + 10 })));
    let number = 0;
    for (const queue of whale.slice(0, 29)) while (memory.roomFor(queue) > 0) addReady(memory, queue, (number += 1));
    expect(memory.entryCount).toBeGreaterThanOrEqual(3_000);
    expect(memory.entryCount).toBeLessThanOrEqual(3_000 + 29 * FEW_ENTRIES);
    expect(memory.roomFor(whale[29]!)).toBe(4_000 - memory.entryCount > 0 ? FEW_ENTRIES : 0);
    const { webhook } = whale[0]!;
    const mouse = new WebhookQueue({ ...webhook, tenantUuid: "another" });
    expect(memory.roomFor(mouse)).toBe(4_000 - memory.entryCount);
    const [first] = whale[0]!.entries;
    memory.remove(first!);
    memory.remove(first!);
    for (const queue of whale) for (const entry of queue.entries) memory.remove(entry);
    expect([memory.entryCount, memory.byteLength, memory.roomFor(whale[0]!)]).toEqual([0, 0, 1_000]);
  });

  test("reads of the table leave a quarter of the webhook's share to what capture brings", () => {
    const memory = new DeliveryMemory({
      maxEntries: 1_000,
      maxBytes: 1 << 30,
      maxEntriesPerWebhook: 100,
      maxBytesPerWebhook: 1 << 30,
    });
    const queue = new WebhookQueue(webhookWith());
    expect(memory.roomToRead(queue)).toBe(75);
    expect(memory.roomFor(queue)).toBe(100);
    for (let n = 0; n < 80; n += 1) {
      memory.add(queue, {
        idBytes: idBytes(n),
        event: EVENT,
        attemptCount: 1,
        policyAttemptBase: 0,
        trigger: "retry",
        replayed: false,
        orderingKey: null,
      });
    }
    expect([memory.roomToRead(queue), memory.roomFor(queue)]).toEqual([0, 20]);
  });
});
