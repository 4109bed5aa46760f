// The estimate of database time follows the database, and none of the three clocks that jumps alone.
// Broken on purpose: followed without asking the wall clock, the jump is taken.
import fc from "fast-check";
import { expect, test } from "vitest";
import { DatabaseClock } from "../../src/lib/clock.ts";

const DAY_MS = 86_400_000;
const START_MS = Date.UTC(2026, 10, 23);

/** A world with one right time and three clocks that can be set wrong. */
function world() {
  const state = { rightMs: START_MS, wallOffMs: 0, databaseOffMs: 0, slept: 0 };
  const monotonic = () => state.rightMs - START_MS - state.slept;
  const clock = new DatabaseClock(monotonic, () => state.rightMs + state.wallOffMs);
  const read = () => clock.observe(state.rightMs + state.databaseOffMs, monotonic(), monotonic()).kind;
  return { state, clock, read };
}

test("the database's time counts from the first reading on, also against this machine's", () => {
  const { state, clock, read } = world();
  state.wallOffMs = -DAY_MS;
  state.databaseOffMs = 7;
  expect(
    new DatabaseClock(
      () => 0,
      () => START_MS - DAY_MS,
    ).nowMs(),
  ).toBe(START_MS - DAY_MS);
  expect(read()).toBe("followed_against_wall");
  expect(clock.nowMs()).toBe(START_MS + 7);
  state.databaseOffMs = -30_000;
  expect(read()).toBe("followed");
  expect(clock.nowMs()).toBe(START_MS - 30_000);
});

test("a jump of the database's clock alone is not followed, and its end is nothing new", () => {
  const { state, clock, read } = world();
  read();
  for (const offMs of [DAY_MS, -DAY_MS]) {
    state.databaseOffMs = offMs;
    state.rightMs += 700;
    expect(read()).toBe("jumped");
    expect(clock.nowMs()).toBe(state.rightMs);
    state.databaseOffMs = 0;
    expect(read()).toBe("followed");
  }
});

test("a jump of this machine's clock changes nothing", () => {
  const { state, clock, read } = world();
  read();
  state.wallOffMs = DAY_MS;
  expect([read(), clock.nowMs()]).toEqual(["followed", START_MS]);
});

test("a machine that slept, and a database that was wrong and is set right, are followed", () => {
  const asleep = world();
  asleep.read();
  asleep.state.rightMs += DAY_MS;
  asleep.state.slept = DAY_MS;
  expect([asleep.read(), asleep.clock.nowMs()]).toEqual(["followed", START_MS + DAY_MS]);
  const mended = world();
  mended.state.databaseOffMs = DAY_MS;
  expect(mended.read()).toBe("followed_against_wall");
  mended.state.databaseOffMs = 0;
  expect([mended.read(), mended.clock.nowMs()]).toEqual(["followed", START_MS]);
});

test("whichever one clock is wrong at a time, and by how much, the estimate stays right", () => {
  const anyOff = fc.integer({ min: -30 * DAY_MS, max: 30 * DAY_MS });
  const anyStep = fc.record({
    which: fc.constantFrom("wall", "database", "none"),
    offMs: anyOff,
    passMs: fc.nat(5_000),
  });
  fc.assert(
    fc.property(fc.array(anyStep, { maxLength: 60 }), (steps) => {
      const { state, clock, read } = world();
      read();
      for (const { which, offMs, passMs } of steps) {
        state.wallOffMs = which === "wall" ? offMs : 0;
        state.databaseOffMs = which === "database" ? offMs : 0;
        state.rightMs += passMs;
        read();
        // What is less than a minute is no jump, and is followed.
        expect(Math.abs(clock.nowMs() - state.rightMs)).toBeLessThanOrEqual(60_000);
      }
    }),
  );
});
