import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  type AttemptPlace,
  failsFast,
  isExpired,
  maxAttempts,
  nextAttempt,
  parseRetryAfter,
  retryDelayMs,
  type RetrySchedule,
  retryTimes,
} from "../../src/deliver/retry-policy.ts";
import { Calendar } from "../../src/lib/calendar.ts";
import { retryPolicyOf } from "../../src/manage/retry-fields.ts";

const id = fc.uint8Array({ minLength: 16, maxLength: 16 });
const HOUR_MS = 3_600_000;
const scheduled = (retryPolicy: RetrySchedule["retryPolicy"], expireAfterMs: number | null = null) => ({
  retryPolicy,
  expireAfterMs,
});
const place = (deliveryId: Uint8Array, policyAttempt: number, isRevived = false): AttemptPlace => ({
  deliveryId,
  policyAttempt,
  isRevived,
});
/** An id that says when its delivery was created. */
const createdAt = (ms: number): Uint8Array => {
  const bytes = new Uint8Array(16);
  new DataView(bytes.buffer).setUint32(0, Math.floor(ms / 65_536));
  new DataView(bytes.buffer).setUint16(4, ms % 65_536);
  return bytes;
};

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
        const times = retryTimes(scheduled(null), place(deliveryId, made + 1), 1_000);
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
    expect(retryTimes(scheduled(policy), place(new Uint8Array(16), 1), 0)).toEqual([0, 5_000, 15_000]);
  });

  test("without retries there is one request", () => {
    const policy = { maxRetries: 0, retryDelay: 5, backoffMultiplier: 2 };
    expect(retryTimes(scheduled(policy), place(new Uint8Array(16), 1), 7)).toEqual([7]);
  });
});

describe("the kinds of policy", () => {
  const timesOf = (given: Parameters<typeof retryPolicyOf>[0]): number[] =>
    retryTimes(scheduled(retryPolicyOf(given)), place(new Uint8Array(16), 1), 0).map((ms) => ms / 1_000);

  test("a list gives every pause by itself", () => {
    expect(timesOf({ delays: [1, 60, 2] })).toEqual([0, 1, 61, 63]);
  });
  test("linear grows by the same amount each time, up to maxDelay", () => {
    expect(timesOf({ backoff: "linear", maxRetries: 4, retryDelay: 10, increment: 5, maxDelay: 18 })).toEqual([
      0, 10, 25, 43, 61,
    ]);
  });
  test("rules alone leave the default schedule as it is, ten attempts and its jitter", () => {
    const policy = retryPolicyOf({ failFastStatuses: [400] });
    fc.assert(
      fc.property(id, fc.integer({ min: 1, max: 10 }), (deliveryId, attempt) => {
        expect(retryDelayMs(policy, deliveryId, attempt)).toBe(retryDelayMs(null, deliveryId, attempt));
      }),
    );
  });
  test("a jitter stays within its share, and is the same each time it is asked for", () => {
    const policy = retryPolicyOf({ retryDelay: 100, backoffMultiplier: 1, maxRetries: 5, jitter: 0.5 });
    fc.assert(
      fc.property(id, fc.integer({ min: 1, max: 5 }), (deliveryId, attempt) => {
        const delayMs = retryDelayMs(policy, deliveryId, attempt) as number;
        expect(delayMs).toBeGreaterThanOrEqual(50_000);
        expect(delayMs).toBeLessThanOrEqual(150_000);
        expect(retryDelayMs(policy, deliveryId, attempt)).toBe(delayMs);
      }),
    );
  });
  test("statuses and classes of them fail fast, and no others", () => {
    const policy = retryPolicyOf({ failFastStatuses: [422, "3xx"] });
    expect([301, 399, 400, 422, 500].map((status) => failsFast(policy, status))).toEqual([
      true,
      true,
      false,
      true,
      false,
    ]);
    expect(failsFast(null, 422)).toBe(false);
  });
});

describe("age", () => {
  const bornMs = Date.UTC(2026, 0, 5, 12);
  const born = createdAt(bornMs);

  test("maxAge: no retry of the policy comes later; after a retry by hand the policy starts anew", () => {
    const schedule = scheduled(retryPolicyOf({ delays: [3_600, 3_600, 3_600], maxAge: 7_200 }));
    expect(retryTimes(schedule, place(born, 1), bornMs)).toEqual([bornMs, bornMs + HOUR_MS, bornMs + 2 * HOUR_MS]);
    expect(nextAttempt(schedule, place(born, 3), bornMs + 2 * HOUR_MS)).toEqual({
      kind: "none",
      reason: "attempts_exhausted",
    });
    expect(nextAttempt(schedule, place(born, 3, true), bornMs + 2 * HOUR_MS).kind).toBe("at");
  });

  test("expireAfter: what would come at its end or later is expired, also after a retry by hand", () => {
    const schedule = scheduled(retryPolicyOf({ delays: [3_600, 3_600] }), 2 * HOUR_MS);
    expect(isExpired(schedule, born, bornMs + 2 * HOUR_MS - 1)).toBe(false);
    expect(isExpired(schedule, born, bornMs + 2 * HOUR_MS)).toBe(true);
    expect(nextAttempt(schedule, place(born, 2), bornMs + HOUR_MS)).toEqual({ kind: "none", reason: "expired" });
    expect(nextAttempt(schedule, place(born, 2, true), bornMs + HOUR_MS)).toEqual({ kind: "none", reason: "expired" });
  });
});

describe("a policy with a calendar", () => {
  test("never lets an attempt into a closed window, and its times only go forward (clock changes included)", () => {
    const calendar: NonNullable<Parameters<typeof retryPolicyOf>[0]["calendar"]> = {
      timeZone: "Europe/Berlin",
      businessHours: [{ days: ["mon", "wed", "sun"], from: "01:30", to: "05:00" }],
      maintenanceWindows: [{ from: "04:00", to: "04:30" }],
    };
    const open = new Calendar(calendar);
    const policy = retryPolicyOf({ retryDelay: 1_800, backoffMultiplier: 1, maxRetries: 12, jitter: 0.25, calendar });
    const startMs = Date.UTC(2026, 2, 27);
    fc.assert(
      fc.property(
        id,
        fc.nat({ max: 220 * 24 * HOUR_MS }),
        fc.nat({ max: 24 * HOUR_MS }),
        (deliveryId, shift, patience) => {
          const endedMs = startMs + shift;
          const next = nextAttempt(scheduled(policy), place(deliveryId, 1), endedMs, { patienceMs: patience });
          if (next.kind === "none") throw new Error("none");
          expect(open.isOpen(next.ms)).toBe(true);
          expect(next.ms).toBeGreaterThanOrEqual(endedMs + patience);
          const times = retryTimes(scheduled(policy), place(deliveryId, 1), endedMs);
          for (const [index, ms] of times.entries()) {
            expect(open.isOpen(ms)).toBe(true);
            if (index > 0) expect(ms).toBeGreaterThan(times[index - 1] as number);
          }
        },
      ),
      { numRuns: 100 },
    );
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
