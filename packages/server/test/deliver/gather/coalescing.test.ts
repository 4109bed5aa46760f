// Which states of a thing are sent: the rules of coalescing, with times as parameters.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type CoalesceRules, Coalescing } from "../../../src/deliver/gather/coalescing.ts";

const RULES: CoalesceRules = { windowMs: 100, maxWaitMs: 350 };

describe("of the states of one key", () => {
  test("the last one goes when nothing newer came for the window, and stands for those before it", () => {
    const states = new Coalescing<string>();
    states.arrive("a", "a1", 0, RULES);
    states.arrive("a", "a2", 90, RULES);
    states.arrive("b", "b1", 95, RULES);
    expect(states.due(100, RULES)).toEqual([]);
    expect(states.due(190, RULES)).toEqual([{ key: "a", survivor: "a2", superseded: ["a1"] }]);
    expect(states.due(195, RULES)).toEqual([{ key: "b", survivor: "b1", superseded: [] }]);
  });

  test("one goes after maxWait although newer ones keep coming", () => {
    const states = new Coalescing<number>();
    for (let atMs = 0; atMs <= 340; atMs += 20) states.arrive("a", atMs, atMs, RULES);
    expect(states.due(349, RULES)).toEqual([]);
    expect(states.due(350, RULES)).toMatchObject([{ survivor: 340 }]);
  });

  test("the next one waits while one is on its way, and goes when that has come back", () => {
    const states = new Coalescing<string>();
    states.arrive("a", "a1", 0, RULES);
    expect(states.due(100, RULES)).toHaveLength(1);
    states.arrive("a", "a2", 110, RULES);
    expect(states.due(1_000, RULES)).toEqual([]);
    expect(states.nextDueMs).toBe(Number.POSITIVE_INFINITY);
    states.ended("a", RULES);
    expect(states.due(1_000, RULES)).toEqual([{ key: "a", survivor: "a2", superseded: [] }]);
  });

  test("an older one that comes back for its retry gives way to one that waits, and goes when none does", () => {
    const states = new Coalescing<string>();
    expect(states.comeBack("a", "old", 0)).toBe(true);
    states.ended("a", RULES);
    states.arrive("a", "new", 500, RULES);
    expect(states.comeBack("a", "old", 0)).toBe(false);
    expect(states.due(599, RULES)).toEqual([]);
    expect(states.due(600, RULES)).toEqual([{ key: "a", survivor: "new", superseded: ["old"] }]);
  });
});

const step = fc.oneof(
  fc.record({ kind: fc.constant("arrive" as const), key: fc.constantFrom("a", "b"), waitMs: fc.nat(120) }),
  fc.record({ kind: fc.constant("wait" as const), waitMs: fc.nat(300) }),
  fc.record({ kind: fc.constant("ended" as const), key: fc.constantFrom("a", "b"), fails: fc.boolean() }),
);

// Seen to go red: letting busy keys through, and taking the first instead of the last.
test("whatever comes: one of a key is on its way at a time, never an older one after a newer, and the last one is sent", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
      const states = new Coalescing<{ key: string; number: number; atMs: number }>();
      const onTheirWay = new Map<string, { key: string; number: number; atMs: number }>();
      const retries: { key: string; number: number; atMs: number }[] = [];
      const sent = new Map<string, number>();
      const last = new Map<string, number>();
      const ended = new Set<number>();
      let nowMs = 0;
      let number = 0;
      const letThrough = (): void => {
        for (const { key, survivor, superseded } of states.due(nowMs, RULES)) {
          expect(onTheirWay.has(key)).toBe(false);
          for (const each of superseded) {
            expect(each.number).toBeLessThan(survivor.number);
            expect(ended.has(each.number)).toBe(false);
            ended.add(each.number);
          }
          // What storeSurvivors does in the table.
          for (const each of retries.filter((retry) => retry.key === key && retry.number < survivor.number)) {
            retries.splice(retries.indexOf(each), 1);
            ended.add(each.number);
          }
          expect(survivor.number).toBeGreaterThanOrEqual(sent.get(key) ?? -1);
          sent.set(key, survivor.number);
          onTheirWay.set(key, survivor);
        }
      };
      const finish = (key: string, fails: boolean): void => {
        const back = onTheirWay.get(key);
        if (back === undefined) return;
        onTheirWay.delete(key);
        if (fails) retries.push(back);
        else ended.add(back.number);
        states.ended(key, RULES);
      };
      for (const each of steps) {
        if (each.kind === "ended") finish(each.key, each.fails);
        else nowMs += each.waitMs;
        if (each.kind === "arrive") {
          last.set(each.key, number);
          states.arrive(each.key, { key: each.key, number, atMs: nowMs }, nowMs, RULES);
          number += 1;
        }
        letThrough();
        // A retry falls due.
        const due = retries[0];
        if (each.kind === "wait" && due !== undefined && !onTheirWay.has(due.key)) {
          retries.shift();
          if (states.comeBack(due.key, due, due.atMs)) onTheirWay.set(due.key, due);
        }
      }
      for (let round = 0; round < 4; round += 1) {
        nowMs += 1_000;
        letThrough();
        for (const key of ["a", "b"]) finish(key, false);
      }
      for (const each of retries) ended.add(each.number);
      expect(states.count).toBe(0);
      expect(ended.size).toBe(number);
      for (const [key, newest] of last) expect(sent.get(key)).toBe(newest);
    }),
  );
});
