// The breaker of one webhook: when it opens, how long, one probe at a time, the ramp; and that it can always close.
// Seen to go red: a half-open breaker that lets two go (the property of the probe), an open time without its spread (a
// thousand endpoints are probed in the same second), a window that forgets successes, and the rule of before, by which any
// three failures in a row reopened a ramp (an endpoint that fails one request in five was held 88 % of the time).
import fc from "fast-check";
import { expect, test } from "vitest";
import {
  Breaker,
  FAILURES_TO_REOPEN,
  FIRST_OPEN_MS,
  LONGEST_OPEN_MS,
  MIN_FAILURES,
  OPEN_SPREAD,
  openMs,
  type Sign,
  SUCCESSES_TO_CLOSE,
  UNREACHABLE_IN_A_ROW,
} from "../../src/deliver/breaker.ts";
import { idBytes } from "./support.ts";

const CAP = 64;
const ID = idBytes(2);

function fail(breaker: Breaker, count: number, nowMs: number, sign: Sign = "unreachable"): void {
  for (let i = 0; i < count; i += 1) breaker.ended(sign, nowMs, CAP);
}

/** Probes until it is closed; how many rounds that took. */
function recover(breaker: Breaker, nowMs: number): number[] {
  const limits: number[] = [];
  for (let round = 0; round < 20 && breaker.phase !== "closed"; round += 1) {
    const room = breaker.room(nowMs, 0);
    limits.push(room);
    for (let i = 0; i < room; i += 1) breaker.ended("success", nowMs, CAP);
  }
  return limits;
}

test("five connection failures or timeouts in a row open it, four do not", () => {
  const breaker = new Breaker(ID);
  fail(breaker, UNREACHABLE_IN_A_ROW - 1, 1_000);
  expect(breaker.phase).toBe("closed");
  fail(breaker, 1, 1_000);
  expect(breaker.phase).toBe("open");
  expect(breaker.room(breaker.openUntilMs - 1, 0)).toBe(0);
});

test("ten failures within a minute open it where they are half of the attempts; fewer, less than half, or over more than a minute do not", () => {
  const few = new Breaker(ID);
  fail(few, MIN_FAILURES - 1, 0, "failure");
  expect(few.phase).toBe("closed");
  fail(few, 1, 0, "failure");
  expect(few.phase).toBe("open");

  const mixed = new Breaker(ID);
  for (let i = 0; i < 100; i += 1) mixed.ended(i % 5 > 2 ? "failure" : "success", i * 100, CAP);
  expect(mixed.phase).toBe("closed");

  const slow = new Breaker(ID);
  for (let i = 0; i < 100; i += 1) slow.ended("failure", i * 8_000, CAP);
  expect(slow.phase).toBe("closed");
});

test("what is refused for what it brings says nothing against the endpoint, and may end a half-open state", () => {
  const breaker = new Breaker(ID);
  fail(breaker, 200, 0, "answered");
  expect(breaker.phase).toBe("closed");
  fail(breaker, 300, 0, "failure");
  const probeMs = breaker.openUntilMs;
  for (let i = 0; i < SUCCESSES_TO_CLOSE; i += 1) {
    expect(breaker.room(probeMs, 0)).toBe(1);
    breaker.ended("answered", probeMs, CAP);
  }
  expect(breaker.phase).toBe("ramping");
});

test("after the open time one request probes, three successes begin a ramp 1, 2, 4 … up to the cap", () => {
  const breaker = new Breaker(ID);
  fail(breaker, 5, 0);
  expect(breaker.room(breaker.openUntilMs, 1)).toBe(0); // one of before is still under way
  expect(recover(breaker, breaker.openUntilMs)).toEqual([1, 1, 1, 1, 2, 4, 8, 16, 32]);
  expect(breaker.phase).toBe("closed");
  expect(breaker.room(0, 10)).toBe(Number.POSITIVE_INFINITY);
  // Closed means forgotten: the next trouble begins with the short wait.
  fail(breaker, 5, 1_000_000);
  expect(breaker.openCount).toBe(1);
});

test("a probe that fails opens it for twice the time, up to a quarter of an hour, spread by a fifth", () => {
  const breaker = new Breaker(ID);
  fail(breaker, 5, 0);
  let nowMs = 0;
  for (let count = 1; count <= 8; count += 1) {
    const waitMs = breaker.openUntilMs - nowMs;
    const doubledMs = Math.min(LONGEST_OPEN_MS, FIRST_OPEN_MS * 2 ** (count - 1));
    expect(waitMs).toBeGreaterThanOrEqual(doubledMs * (1 - OPEN_SPREAD) - 1);
    expect(waitMs).toBeLessThanOrEqual(doubledMs * (1 + OPEN_SPREAD) + 1);
    expect(waitMs).toBe(openMs(ID, count)); // derived: it can be shown ahead
    nowMs = breaker.openUntilMs;
    breaker.room(nowMs, 0);
    breaker.ended("failure", nowMs, CAP);
  }
});

test("a thousand endpoints that fail together are not probed together", () => {
  const waits = Array.from({ length: 1_000 }, (_, number) => openMs(idBytes(number), 1));
  const perSecond = new Map<number, number>();
  for (const waitMs of waits) {
    const second = Math.floor(waitMs / 1_000);
    perSecond.set(second, (perSecond.get(second) ?? 0) + 1);
  }
  expect(Math.max(...perSecond.values())).toBeLessThan(150);
});

/** An open breaker whose ramp has come to 8. */
function rampedToEight(): { readonly breaker: Breaker; readonly nowMs: number } {
  const breaker = new Breaker(ID);
  fail(breaker, 5, 0);
  const nowMs = breaker.openUntilMs;
  for (let i = 0; i < 3 + 1 + 2 + 4; i += 1) {
    breaker.room(nowMs, 0);
    breaker.ended("success", nowMs, CAP);
  }
  expect(breaker.room(nowMs, 0)).toBe(8);
  return { breaker, nowMs };
}

test("a round of the ramp with more failures than successes halves it, one with as many leaves it", () => {
  const { breaker, nowMs } = rampedToEight();
  for (let i = 0; i < 8; i += 1) breaker.ended(i % 2 === 0 ? "failure" : "success", nowMs, CAP);
  expect(breaker.room(nowMs, 0)).toBe(8);
  for (let i = 0; i < 8; i += 1) breaker.ended(i < 5 ? "failure" : "success", nowMs, CAP);
  expect(breaker.room(nowMs, 0)).toBe(4);
  expect(breaker.openCount).toBe(1);
});

test("a row of failures in the ramp opens it again for longer, and so do five without any answer", () => {
  const refusing = rampedToEight();
  fail(refusing.breaker, FAILURES_TO_REOPEN - 1, refusing.nowMs, "failure");
  expect(refusing.breaker.phase).toBe("ramping");
  fail(refusing.breaker, 1, refusing.nowMs, "failure");
  expect([refusing.breaker.phase, refusing.breaker.openCount]).toEqual(["open", 2]);
  const silent = rampedToEight();
  fail(silent.breaker, UNREACHABLE_IN_A_ROW, silent.nowMs);
  expect([silent.breaker.phase, silent.breaker.openCount]).toEqual(["open", 2]);
});

test("a probe that fails after one that was answered is forgiven, two are not", () => {
  const breaker = new Breaker(ID);
  fail(breaker, 5, 0);
  const probe = (sign: Sign): void => {
    breaker.room(breaker.openUntilMs, 0);
    breaker.ended(sign, breaker.openUntilMs, CAP);
  };
  for (const sign of ["success", "failure", "success", "success"] as const) probe(sign);
  expect(breaker.phase).toBe("ramping");
  const other = new Breaker(ID);
  fail(other, 5, 0);
  for (const sign of ["success", "failure", "failure"] as const) {
    other.room(other.openUntilMs, 0);
    other.ended(sign, other.openUntilMs, CAP);
  }
  expect([other.phase, other.openCount]).toEqual(["open", 2]);
});

/** What a node sees in ten minutes of an endpoint that fails so many requests by chance, with 100 new deliveries a second. */
function tenMinutes(failShare: number, seed: number, lostEverySeconds: number) {
  const STEP_MS = 20;
  const PER_STEP = 2;
  let state = seed;
  const random = (): number => {
    // xorshift32
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 0x100000000;
  };
  let breaker = new Breaker(ID);
  let waiting = 0;
  let attempts = 0;
  let heldMs = 0;
  let failuresInARow = 0;
  for (let nowMs = 0; nowMs < 600_000; nowMs += STEP_MS) {
    if (nowMs > 0 && nowMs % (lostEverySeconds * 1_000) === 0) {
      // Another node goes on with what is written down.
      const { phase, openReason, openCount, openUntilMs } = breaker;
      const goesOnAs = phase === "closed" && failuresInARow > 0 ? "ramping" : phase;
      breaker = Breaker.restored(ID, { phase: goesOnAs, openReason, openCount, openUntilMs });
    }
    waiting += PER_STEP;
    const started = Math.min(waiting, CAP, breaker.room(nowMs, 0));
    if (breaker.phase === "open") heldMs += STEP_MS;
    for (let n = 0; n < started; n += 1) {
      attempts += 1;
      const isFailure = random() < failShare;
      failuresInARow = isFailure ? failuresInARow + 1 : 0;
      // Where it fails it comes back later, as one more that waits.
      if (!isFailure) waiting -= 1;
      breaker.ended(isFailure ? "failure" : "success", nowMs, CAP);
    }
  }
  return { waiting, attempts, heldMs };
}

const SEEDS = Array.from({ length: 40 }, (_, at) => at * 7_919 + 1);

test.each([1_000, 15])(
  "an endpoint that fails one request in five by chance flows, with a node lost every %i s: hardly ever held, nothing piles up",
  (lostEverySeconds) => {
    const runs = SEEDS.map((seed) => tenMinutes(0.2, seed, lostEverySeconds));
    const held = runs.reduce((sum, { heldMs }) => sum + heldMs, 0) / runs.length / 600_000;
    expect(held).toBeLessThan(0.02);
    const piled = runs.filter(({ waiting }) => waiting > 1_000).length;
    expect(piled).toBeLessThanOrEqual(2);
  },
);

test("an endpoint that fails everything is spared: thirty attempts in ten minutes where a healthy one takes sixty thousand, one that fails four in five a few hundred", () => {
  for (const seed of SEEDS.slice(0, 5)) expect(tenMinutes(1, seed, 1_000).attempts).toBeLessThanOrEqual(30);
  for (const seed of SEEDS.slice(0, 5)) expect(tenMinutes(0.8, seed, 1_000).attempts).toBeLessThan(600);
});

test("Retry-After gives the whole endpoint the time that it asked for, and then begins with one", () => {
  const breaker = new Breaker(ID);
  breaker.ended("success", 0, CAP);
  breaker.ended("failure", 0, CAP, 20_000);
  expect([breaker.phase, breaker.openReason, breaker.openUntilMs]).toEqual(["open", "throttled", 20_000]);
  breaker.ended("failure", 5_000, CAP, 1_000); // a shorter wish does not shorten it
  expect(breaker.openUntilMs).toBe(20_000);
  expect(breaker.room(19_999, 0)).toBe(0);
  expect(breaker.room(20_000, 0)).toBe(1);
  expect(breaker.openCount).toBe(0); // patience is no failure
  const greedy = new Breaker(ID);
  greedy.ended("failure", 0, CAP, 86_400_000);
  expect(greedy.openUntilMs).toBe(LONGEST_OPEN_MS);
});

test("what an earlier owner left open stays open; what it left on the way up begins with one probe", () => {
  const stored = { openReason: "failing", openCount: 3, openUntilMs: 50_000 } as const;
  const open = Breaker.restored(ID, { ...stored, phase: "open" });
  expect([open.room(49_999, 0), open.room(50_000, 0)]).toEqual([0, 1]);
  expect(Breaker.restored(ID, { ...stored, phase: "ramping" }).room(0, 0)).toBe(1);
});

const anyStep = fc.record({
  waitMs: fc.nat(40_000),
  sign: fc.constantFrom<Sign>("success", "answered", "failure", "unreachable"),
  patienceMs: fc.constantFrom(0, 0, 0, 0, 2_000),
  start: fc.nat(100),
});

test("one that was seen to work while nothing waited is closed at once, and begins to count anew", () => {
  const breaker = new Breaker(ID);
  for (let i = 0; i < 5; i += 1) breaker.ended("unreachable", 0, 64);
  expect(breaker.phase).toBe("open");
  breaker.close();
  expect([breaker.phase, breaker.room(0, 60), breaker.openCount]).toEqual(["closed", Number.POSITIVE_INFINITY, 0]);
  for (let i = 0; i < 4; i += 1) breaker.ended("unreachable", 0, 64);
  expect(breaker.phase).toBe("closed");
});

test("whatever comes: never more than one under way while half open, never one while open, and it closes in the end", () => {
  fc.assert(
    fc.property(fc.array(anyStep, { maxLength: 200 }), fc.integer({ min: 1, max: 100 }), (steps, cap) => {
      const breaker = new Breaker(ID);
      let nowMs = 0;
      let inFlight = 0;
      for (const step of steps) {
        nowMs += step.waitMs;
        const room = breaker.room(nowMs, inFlight);
        if (breaker.phase === "open") expect(room).toBe(0);
        if (breaker.phase === "half_open") expect(room + inFlight).toBeLessThanOrEqual(Math.max(1, inFlight));
        inFlight += Math.min(step.start, room, cap - inFlight);
        if (inFlight > 0) {
          inFlight -= 1;
          breaker.ended(step.sign, nowMs, cap, step.patienceMs);
        }
        expect(breaker.openUntilMs).toBeLessThanOrEqual(nowMs + LONGEST_OPEN_MS * (1 + OPEN_SPREAD));
      }
      nowMs += LONGEST_OPEN_MS * 2;
      for (let i = 0; i < 1_000 && breaker.phase !== "closed"; i += 1) {
        breaker.room(nowMs, 0);
        breaker.ended("success", nowMs, cap);
      }
      expect(breaker.phase).toBe("closed");
    }),
  );
});

test("a clock that is set back by a day keeps it open no longer than any breaker stays open", () => {
  const breaker = new Breaker(ID);
  const nowMs = 86_400_000_000;
  fail(breaker, UNREACHABLE_IN_A_ROW, nowMs);
  const backMs = nowMs - 86_400_000;
  const untilMs = breaker.restUntilMs(backMs);
  expect(untilMs - backMs).toBeLessThanOrEqual(LONGEST_OPEN_MS * (1 + OPEN_SPREAD));
  expect([breaker.room(untilMs - 1, 0), breaker.room(untilMs, 0)]).toEqual([0, 1]);
});
