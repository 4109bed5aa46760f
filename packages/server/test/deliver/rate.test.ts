// The promise of a rate limit as pure arithmetic: any window, any limit, late timers, uneven ways, owners that change.
// Broken on purpose: without `empty` at the start of a tenure, "across a change of owner" goes red; with the whole
// margin spent on catching up, "at the receiver" does.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { PERIOD_MS, Rates, type Tenure } from "../../src/deliver/rate.ts";
import type { RateLimitSetting } from "../../src/storage/configuration.ts";
import { mostInAnyWindow, webhookWith } from "./support.ts";

const OLD: Tenure = { monotonicMs: -1e9, atMs: 0, isUnclean: false };
const limits = fc.record({
  limit: fc.oneof(fc.integer({ min: 1, max: 30 }), fc.integer({ min: 31, max: 2_000 })),
  per: fc.constantFrom("second" as const, "minute" as const, "hour" as const),
  burst: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 40 })),
});

/** Sends as fast as the gate allows, each timer late by the next of `lateMs`; returns when each request left. */
function sendAll(rates: Rates, setting: RateLimitSetting, clock: { ms: number }, lateMs: number[], untilMs: number) {
  const webhook = webhookWith({ configuration: { rateLimit: setting } });
  const sent: number[] = [];
  for (let step = 0; clock.ms < untilMs && sent.length < 6_000; step += 1) {
    const waitMs = rates.take(webhook, setting);
    if (waitMs === 0) sent.push(clock.ms);
    else clock.ms += Math.ceil(waitMs) + (lateMs[step % lateMs.length] as number);
  }
  return sent;
}

function ratesAt(clock: { ms: number }, tenure: Tenure | undefined = OLD): Rates {
  return new Rates({ monotonicMs: () => clock.ms, tenureOf: () => tenure });
}

describe("no window of the length of the period sees more than limit + burst", () => {
  const lateness = fc.array(fc.integer({ min: 0, max: 60 }), { minLength: 1, maxLength: 20 });

  test("where requests leave, whatever the limit and however late timers are", () => {
    fc.assert(
      fc.property(limits, lateness, (setting, lateMs) => {
        const perMs = PERIOD_MS[setting.per];
        const clock = { ms: 0 };
        const sent = sendAll(ratesAt(clock), setting, clock, lateMs, perMs * 2.5);
        expect(mostInAnyWindow(sent, perMs)).toBeLessThanOrEqual(setting.limit + setting.burst);
      }),
      { numRuns: 60 },
    );
  });

  test("at the receiver, when ways differ by up to 3 % of a second or 300 ms", () => {
    fc.assert(
      fc.property(
        limits,
        lateness,
        fc.array(fc.nat(1_000), { minLength: 3, maxLength: 50 }),
        (setting, lateMs, ways) => {
          const perMs = PERIOD_MS[setting.per];
          const clock = { ms: 0 };
          const sent = sendAll(ratesAt(clock), setting, clock, lateMs, perMs * 2.5);
          const spreadMs = Math.min(300, perMs * 0.03);
          const arrived = sent.map((ms, n) => ms + ((ways[n % ways.length] as number) / 1_000) * spreadMs * 0.999);
          expect(mostInAnyWindow(arrived, perMs)).toBeLessThanOrEqual(setting.limit + setting.burst);
        },
      ),
      { numRuns: 60 },
    );
  });

  test("across a change of owner: the next one begins as if everything had just been sent", () => {
    fc.assert(
      fc.property(limits, fc.double({ min: 0.01, max: 1.2, noNaN: true }), (setting, share) => {
        const perMs = PERIOD_MS[setting.per];
        const clock = { ms: 0 };
        const sent = sendAll(ratesAt(clock), setting, clock, [0], perMs * share);
        // The old owner's last request may have left at the very moment of the change.
        const changedAtMs = sent.at(-1) as number;
        clock.ms = changedAtMs;
        const next = ratesAt(clock, { ...OLD, monotonicMs: changedAtMs, atMs: changedAtMs });
        sent.push(...sendAll(next, setting, clock, [0], changedAtMs + perMs * 1.5));
        expect(mostInAnyWindow(sent, perMs)).toBeLessThanOrEqual(setting.limit + setting.burst);
      }),
      { numRuns: 60 },
    );
  });
});

describe("a gate", () => {
  const perMinute: RateLimitSetting = { limit: 100, per: "minute", burst: 0 };

  test("of 100 a minute lets one go every 605 ms, and 99 or 100 in each minute", () => {
    const clock = { ms: 0 };
    const sent = sendAll(ratesAt(clock), perMinute, clock, [0], 600_000);
    expect(sent[1]).toBeGreaterThan(400);
    expect((sent.at(-1) as number) / (sent.length - 1)).toBeCloseTo(605, 0);
    expect(mostInAnyWindow(sent, 60_000)).toBe(100);
    expect(sent.length).toBeGreaterThanOrEqual(990);
  });

  test("of a thousand a second keeps its pace with timers of whole milliseconds that come late", () => {
    const clock = { ms: 0 };
    const sent = sendAll(ratesAt(clock), { limit: 1_000, per: "second", burst: 0 }, clock, [0, 1, 2, 8], 3_000);
    expect(sent.length).toBeGreaterThan(2_800);
  });

  test("lets a burst go at once, then keeps its pace", () => {
    const clock = { ms: 0 };
    const sent = sendAll(ratesAt(clock), { limit: 60, per: "minute", burst: 5 }, clock, [0], 10_000);
    expect(sent.filter((ms) => ms === 0)).toHaveLength(6);
    expect(sent.length).toBeLessThanOrEqual(16);
  });

  test("of a webhook made after the lane was acquired begins full: nobody has sent anything of it", () => {
    const clock = { ms: 10_000 };
    const rates = ratesAt(clock, { ...OLD, monotonicMs: 0, atMs: 1_000_000 });
    const hourly: RateLimitSetting = { limit: 1, per: "hour", burst: 0 };
    expect(rates.take(webhookWith({ number: 5, createdAtMs: 1_005_000 }), hourly)).toBe(0);
    expect(rates.take(webhookWith({ number: 6, createdAtMs: 999_000 }), hourly)).toBeGreaterThan(3_580_000);
  });

  test("of another limit begins empty, of the same one goes on", () => {
    const clock = { ms: 0 };
    const rates = ratesAt(clock);
    const webhook = webhookWith();
    expect(rates.take(webhook, perMinute)).toBe(0);
    expect(rates.take(webhookWith({ version: 2 }), { ...perMinute })).toBeGreaterThan(0);
    clock.ms = 3_600_000;
    expect(rates.take(webhook, { limit: 10, per: "second", burst: 9 })).toBeCloseTo(105, 0);
    clock.ms += 106;
    expect(rates.take(webhook, { limit: 10, per: "second", burst: 9 })).toBe(0);
    expect(rates.take(webhook, { limit: 10, per: "second", burst: 9 })).toBeGreaterThan(0);
  });

  test("that nothing hangs on is dropped when there are many, and starts again where it was", () => {
    const clock = { ms: 0 };
    const rates = ratesAt(clock);
    for (let number = 0; number < 5_000; number += 1) {
      clock.ms += 10;
      expect(rates.take(webhookWith({ number }), { limit: 10, per: "second", burst: 0 })).toBe(0);
    }
    expect(rates.gateCount).toBeLessThanOrEqual(1_000);
  });
});

test("a lane that was given away and came back begins like any other: what its owner in between sent is not known", () => {
  const setting: RateLimitSetting = { limit: 10, per: "minute", burst: 5 };
  const webhook = webhookWith({ configuration: { rateLimit: setting } });
  const clock = { ms: 0 };
  let tenure = OLD;
  const rates = new Rates({ monotonicMs: () => clock.ms, tenureOf: () => tenure });
  expect(rates.take(webhook, setting)).toBe(0);
  rates.forgetLanes([webhook.lane + 1]);
  expect(rates.gateCount).toBe(1);
  rates.forgetLanes([webhook.lane]);
  clock.ms = 120_000;
  tenure = { ...OLD, monotonicMs: clock.ms, atMs: clock.ms };
  expect(rates.take(webhook, setting)).toBeGreaterThan(0);
});
