import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { maxAttempts, parseRetryAfter, retryDelayMs, retryTimes } from "../../src/deliver/retry-policy.ts";

const id = fc.uint8Array({ minLength: 16, maxLength: 16 });
const HOUR_MS = 3_600_000;

describe("the default policy", () => {
  test("makes ten attempts, each wait within a quarter of the published step", () => {
    const steps = [5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400];
    expect(maxAttempts(null)).toBe(10);
    fc.assert(
      fc.property(id, (deliveryId) => {
        steps.forEach((seconds, index) => {
          const delayMs = retryDelayMs(null, deliveryId, index + 1) as number;
          expect(delayMs).toBeGreaterThanOrEqual(seconds * 750);
          expect(delayMs).toBeLessThanOrEqual(seconds * 1_250);
        });
        expect(retryDelayMs(null, deliveryId, 10)).toBeNull();
      }),
    );
  });

  test("spreads deliveries that failed together: no tenth of the span gets twice its share", () => {
    const buckets = new Array<number>(10).fill(0);
    for (let i = 0; i < 10_000; i += 1) {
      const deliveryId = new Uint8Array(16);
      new DataView(deliveryId.buffer).setUint32(12, i);
      const delayMs = retryDelayMs(null, deliveryId, 2) as number;
      const bucket = Math.min(9, Math.floor((delayMs - 225_000) / 15_000));
      buckets[bucket] = (buckets[bucket] as number) + 1;
    }
    for (const count of buckets) expect(count).toBeGreaterThan(500);
    expect(Math.max(...buckets)).toBeLessThan(2_000);
  });

  test("shows ahead exactly the times that it keeps", () => {
    fc.assert(
      fc.property(id, fc.integer({ min: 0, max: 9 }), (deliveryId, made) => {
        const times = retryTimes(null, deliveryId, made, 1_000);
        expect(times).toHaveLength(10 - made);
        for (let i = 1; i < times.length; i += 1) {
          expect((times[i] as number) - (times[i - 1] as number)).toBe(retryDelayMs(null, deliveryId, made + i));
        }
      }),
    );
  });
});

describe("a policy given by an integrator", () => {
  test("is kept exactly, without jitter: three requests at 5 s and 10 s", () => {
    const policy = { maxRetries: 2, retryDelay: 5, backoffMultiplier: 2 };
    expect(retryTimes(policy, new Uint8Array(16), 0, 0)).toEqual([0, 5_000, 15_000]);
  });

  test("without retries there is one request", () => {
    const policy = { maxRetries: 0, retryDelay: 5, backoffMultiplier: 2 };
    expect(retryTimes(policy, new Uint8Array(16), 0, 7)).toEqual([7]);
  });
});

describe("Retry-After", () => {
  const nowMs = Date.UTC(2026, 0, 5, 12, 0, 0);
  test.each([
    ["120", 120_000],
    [" 120 ", 120_000],
    ["120.6", 121_000],
    ["0", 0],
    ["99999999", 24 * HOUR_MS],
    ["Mon, 05 Jan 2026 12:00:30 GMT", 30_000],
    ["Monday, 05-Jan-26 12:00:30 GMT", 30_000],
    ["Mon Jan  5 12:00:30 2026", 30_000],
    ["Mon, 05 Jan 2026 11:00:00 GMT", 0],
    ["Fri, 05 Jan 2029 12:00:00 GMT", 24 * HOUR_MS],
    ["-5", null],
    ["soon", null],
    ["", null],
    ["1e3", null],
    ["12 seconds", null],
    ["2026-01-05T12:00:30Z", null],
    [undefined, null],
  ])("%j means %j", (value, expected) => {
    expect(parseRetryAfter(value, nowMs)).toBe(expected);
  });
});
