// The suggestions behind "did you mean": distance against a naive recursion, and what is worth suggesting.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { editDistance, nearestNames } from "../src/nearest.ts";

/** The textbook recursion, with no table to get wrong. */
function naiveDistance(a: string, b: string): number {
  if (a === "" || b === "") return a.length + b.length;
  const [restA, restB] = [a.slice(0, -1), b.slice(0, -1)];
  const replaced = naiveDistance(restA, restB) + (a.at(-1) === b.at(-1) ? 0 : 1);
  const best = Math.min(replaced, naiveDistance(restA, b) + 1, naiveDistance(a, restB) + 1);
  const swapped = a.length > 1 && b.length > 1 && a.at(-1) === b.at(-2) && a.at(-2) === b.at(-1);
  return swapped ? Math.min(best, naiveDistance(a.slice(0, -2), b.slice(0, -2)) + 1) : best;
}

const shortText = fc.string({ unit: fc.constantFrom("a", "b", "."), maxLength: 5 });

describe("editDistance", () => {
  test("agrees with the naive recursion on every pair of short texts", () => {
    fc.assert(
      fc.property(shortText, shortText, (a, b) => {
        expect(editDistance(a, b)).toBe(naiveDistance(a, b));
      }),
      { numRuns: 300 },
    );
  });

  test("is zero only between equal texts and the same in both directions", () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), (a, b) => {
        expect(editDistance(a, b) === 0).toBe(a === b);
        expect(editDistance(a, b)).toBe(editDistance(b, a));
      }),
    );
  });

  test("counts two neighbours in the wrong order as one slip", () => {
    expect(editDistance("recieved", "received")).toBe(1);
  });
});

describe("nearestNames", () => {
  test("puts the fewest corrections first and breaks ties alphabetically", () => {
    expect(nearestNames("invoice.payed", ["invoice.sent", "invoice.paid", "bill.paid"], 2)).toEqual([
      "invoice.paid",
      "invoice.sent",
    ]);
    expect(nearestNames("abcd", ["abcz", "abcx", "abcy"], 3)).toEqual(["abcx", "abcy", "abcz"]);
  });

  test("finds a name whatever its letter case", () => {
    expect(nearestNames("RETRYPOLICY", ["retryPolicy", "rateLimit"], 3)).toEqual(["retryPolicy"]);
  });

  test("suggests nothing rather than something unlike", () => {
    expect(nearestNames("weather.forecast", ["invoice.paid", "bill.paid"], 3)).toEqual([]);
    expect(nearestNames("", ["url", "events"], 3)).toEqual([]);
  });

  test("lists a repeated candidate once and respects the limit", () => {
    expect(nearestNames("paid", ["paid", "paid", "said", "laid"], 2)).toEqual(["paid", "laid"]);
    expect(nearestNames("paid", ["paid"], 0)).toEqual([]);
  });

  test("does not compare a megabyte of hostile text letter by letter", () => {
    const startedAt = performance.now();
    expect(nearestNames("x".repeat(1_000_000), ["invoice.paid"], 3)).toEqual([]);
    expect(performance.now() - startedAt).toBeLessThan(200);
  });
});
