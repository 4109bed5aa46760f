// What belongs into one request: the rules of batches and digests, with times as parameters.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type BatchRules, type ClosedBatch, OpenBatches } from "../../../src/deliver/gather/open-batches.ts";

const RULES: BatchRules = { kind: "batch", maxCount: 3, maxBytes: 100, maxWaitMs: 1_000, quietMs: null };

function joinAll(
  batches: OpenBatches<number>,
  count: number,
  options: { atMs?: number; byteLength?: number; flushes?: boolean; key?: string } = {},
  rules = RULES,
): (readonly number[])[] {
  const closed: ClosedBatch<number>[] = [];
  const { atMs = 0, byteLength = 1, flushes = false, key = "k" } = options;
  for (let n = 0; n < count; n += 1) {
    closed.push(...batches.join(key, { member: n, atMs: atMs + n, byteLength, flushes }, rules));
  }
  return closed.map(({ members }) => members);
}

describe("a batch is closed", () => {
  test("at its count", () => {
    const batches = new OpenBatches<number>();
    expect(joinAll(batches, 7)).toEqual([
      [0, 1, 2],
      [3, 4, 5],
    ]);
    expect(batches.count).toBe(1);
  });

  test("at the age of its oldest member, whatever joined since", () => {
    const batches = new OpenBatches<number>();
    joinAll(batches, 1);
    joinAll(batches, 1, { atMs: 900 });
    expect(batches.nextDueMs).toBe(1_000);
    expect(batches.due(999)).toEqual([]);
    expect(batches.due(1_000)).toEqual([{ kind: "batch", members: [0, 0] }]);
    expect(batches.nextDueMs).toBe(Number.POSITIVE_INFINITY);
  });

  test("at once by an event that flushes, with those before it", () => {
    const batches = new OpenBatches<number>();
    joinAll(batches, 1);
    expect(joinAll(batches, 1, { flushes: true })).toEqual([[0, 0]]);
  });

  test("before it would be too large, so that only an event too large by itself is more", () => {
    const batches = new OpenBatches<number>();
    expect(joinAll(batches, 3, { byteLength: 40 })).toEqual([[0, 1]]);
    const alone = new OpenBatches<number>();
    expect(joinAll(alone, 2, { byteLength: 500 })).toEqual([[0]]);
  });

  test("for each key by itself", () => {
    const batches = new OpenBatches<number>();
    joinAll(batches, 2, { key: "a" });
    joinAll(batches, 2, { key: "b" });
    expect(batches.due(5_000).map(({ members }) => members)).toEqual([
      [0, 1],
      [0, 1],
    ]);
  });

  test("as a digest when nothing came for a while, or when it is old all the same", () => {
    const rules: BatchRules = { kind: "digest", maxCount: 1_000, maxBytes: 1e9, maxWaitMs: 1_000, quietMs: 100 };
    const batches = new OpenBatches<number>();
    joinAll(batches, 1, {}, rules);
    joinAll(batches, 1, { atMs: 90 }, rules);
    expect(batches.due(100)).toEqual([]);
    expect(batches.due(190)).toEqual([{ kind: "digest", members: [0, 0] }]);
    for (let atMs = 2_000; atMs <= 3_000; atMs += 50) joinAll(batches, 1, { atMs }, rules);
    expect(batches.due(3_000)).toHaveLength(1);
  });
});

const step = fc.oneof(
  fc.record({
    kind: fc.constant("join" as const),
    key: fc.constantFrom("a", "b", "c"),
    waitMs: fc.nat(400),
    byteLength: fc.integer({ min: 1, max: 60 }),
    flushes: fc.boolean(),
    agedMs: fc.nat(2_000),
  }),
  fc.record({ kind: fc.constant("wait" as const), waitMs: fc.nat(1_500) }),
  fc.record({ kind: fc.constant("withdraw" as const), at: fc.nat(20) }),
);

// Seen to go red: closing without deleting the open batch, and a deadline by the latest member; a byte limit that is checked
// after joining is found by the test of it above.
test("whatever comes: each delivery is in one batch, in order, none too large, none waits beyond its age", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const batches = new OpenBatches<{ key: string; number: number; atMs: number; bytes: number }>();
      const rules = { ...RULES, maxCount: 5 };
      const joined: { key: string; number: number; atMs: number; bytes: number }[] = [];
      const closed: ClosedBatch<(typeof joined)[number]>[] = [];
      const withdrawn = new Set<number>();
      let nowMs = 10_000;
      for (const each of steps) {
        if (each.kind === "withdraw") {
          const member = joined[each.at];
          if (member !== undefined && batches.withdraw(member)) withdrawn.add(member.number);
          continue;
        }
        nowMs += each.waitMs;
        if (each.kind === "join") {
          const member = { key: each.key, number: joined.length, atMs: nowMs - each.agedMs, bytes: each.byteLength };
          joined.push(member);
          const { atMs, bytes: byteLength } = member;
          closed.push(...batches.join(each.key, { member, atMs, byteLength, flushes: each.flushes }, rules));
        }
        closed.push(...batches.due(nowMs));
        for (const open of joined) {
          const isOut = withdrawn.has(open.number) || closed.some(({ members }) => members.includes(open));
          if (!isOut) expect(open.atMs + rules.maxWaitMs).toBeGreaterThan(nowMs);
        }
      }
      const rest = batches.takeAll();
      const out = [...closed.flatMap(({ members }) => members), ...rest].map(({ number }) => number);
      expect(new Set(out).size).toBe(out.length);
      expect(out.length + withdrawn.size).toBe(joined.length);
      for (const { members } of closed) {
        expect(new Set(members.map(({ key }) => key)).size).toBe(1);
        expect(members.length).toBeLessThanOrEqual(rules.maxCount);
        const bytes = members.reduce((sum, member) => sum + member.bytes, 0);
        if (members.length > 1) expect(bytes).toBeLessThanOrEqual(rules.maxBytes);
        expect(members.map(({ number }) => number)).toEqual(members.map(({ number }) => number).sort((a, b) => a - b));
      }
      for (const key of ["a", "b", "c"]) {
        const ofKey = closed.flatMap(({ members }) => members).filter((member) => member.key === key);
        expect(ofKey.map(({ number }) => number)).toEqual(ofKey.map(({ number }) => number).sort((a, b) => a - b));
      }
    }),
  );
});
