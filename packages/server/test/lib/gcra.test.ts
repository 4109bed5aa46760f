import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Gcra } from "../../src/lib/gcra.ts";

describe("GCRA", () => {
  test("ten a second with a burst of five: six at once, then one every 100 ms", () => {
    const gcra = new Gcra(10, 1_000, 5);
    for (let i = 0; i < 6; i += 1) expect(gcra.take(0)).toBe(0);
    expect(gcra.take(0)).toBeCloseTo(100);
    expect(gcra.take(100)).toBe(0);
    expect(gcra.take(100)).toBeCloseTo(100);
  });

  test("no window of the length of the period ever sees more than limit + burst", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 50 }),
        fc.integer({ min: 0, max: 20 }),
        fc.array(fc.integer({ min: 0, max: 300 }), { minLength: 1, maxLength: 400 }),
        (limit, burst, gaps) => {
          const gcra = new Gcra(limit, 1_000, burst);
          const passed: number[] = [];
          let nowMs = 0;
          for (const gap of gaps) {
            nowMs += gap;
            if (gcra.take(nowMs) === 0) passed.push(nowMs);
          }
          for (const start of passed) {
            const inWindow = passed.filter((at) => at >= start && at < start + 1_000).length;
            expect(inWindow).toBeLessThanOrEqual(limit + burst);
          }
        },
      ),
    );
  });

  test("a batch goes when one would go, and is paid for by those after it", () => {
    const gcra = new Gcra(10, 1_000, 0);
    expect(gcra.take(0, 20)).toBe(0);
    expect(gcra.take(1_900)).toBeCloseTo(100);
    expect(gcra.take(2_000)).toBe(0);
  });
});
