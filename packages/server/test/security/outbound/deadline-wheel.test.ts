// The deadline wheel against a plain model: never early, at most one tick late, each exactly once.
import fc from "fast-check";
import { expect, test } from "vitest";
import { DeadlineWheel, UNSCHEDULED, type WheelEntry } from "../../../src/security/outbound/deadline-wheel.ts";

const TICK_MS = 50;

interface Entry extends WheelEntry<Entry> {}

function createEntry(onDeadline: () => void = () => {}): Entry {
  return { wheelPrevious: null, wheelNext: null, wheelSlot: UNSCHEDULED, dueAtMs: 0, onDeadline };
}

test("every entry fires once, never early and at most one tick late, through any mix of moves and cancels", () => {
  const action = fc.record({
    kind: fc.constantFrom("schedule", "schedule", "cancel"),
    entry: fc.nat({ max: 9 }),
    inMs: fc.oneof(fc.nat({ max: 500 }), fc.nat({ max: 200_000 }), fc.constant(-10)),
    stepMs: fc.oneof(fc.constant(0), fc.nat({ max: 120 }), fc.nat({ max: 100_000 })),
  });
  fc.assert(
    fc.property(fc.nat({ max: 100_000 }), fc.array(action, { maxLength: 60 }), (startMs, actions) => {
      let nowMs = startMs;
      const due = new Map<number, number>();
      const wheel = new DeadlineWheel<Entry>(nowMs, TICK_MS);
      const entries = Array.from({ length: 10 }, (_, index) =>
        createEntry(() => {
          const dueAtMs = due.get(index);
          expect(dueAtMs, "fires only when scheduled").toBeDefined();
          expect(dueAtMs ?? 0).toBeLessThanOrEqual(nowMs);
          due.delete(index);
        }),
      );
      for (const { kind, entry: index, inMs, stepMs } of actions) {
        const entry = entries[index] ?? createEntry();
        if (kind === "schedule") {
          due.set(index, nowMs + inMs);
          wheel.schedule(entry, nowMs + inMs);
        } else {
          due.delete(index);
          wheel.cancel(entry);
        }
        expect(wheel.count).toBe(due.size);
        nowMs += stepMs;
        wheel.advance(nowMs);
        for (const dueAtMs of due.values()) expect(dueAtMs).toBeGreaterThan(nowMs - 2 * TICK_MS);
      }
      nowMs += 400_000;
      wheel.advance(nowMs);
      expect(due.size).toBe(0);
      expect(wheel.count).toBe(0);
    }),
  );
});

test("an entry may cancel another one that is due in the same tick", () => {
  const wheel = new DeadlineWheel<Entry>(0, TICK_MS);
  const fired: string[] = [];
  const second = createEntry(() => fired.push("second"));
  const first = createEntry(() => {
    fired.push("first");
    wheel.cancel(second);
  });
  wheel.schedule(second, 10);
  wheel.schedule(first, 10); // newest first within a slot
  wheel.advance(100);
  expect(fired).toEqual(["first"]);
});

test("an entry may schedule itself again from its own deadline", () => {
  const wheel = new DeadlineWheel<Entry>(0, TICK_MS);
  let count = 0;
  const entry = createEntry(() => {
    count++;
    if (count < 3) wheel.schedule(entry, 0);
  });
  wheel.schedule(entry, 0);
  for (let nowMs = 50; nowMs <= 500; nowMs += 50) wheel.advance(nowMs);
  expect(count).toBe(3);
});
