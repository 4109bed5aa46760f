// How a list of events becomes requests, and results of several tries become one.
import type { BatchResult } from "@posthorn/client";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { MAX_BATCH_BYTES, MAX_BATCH_EVENTS, mergeResults, splitBatch } from "../../src/resources/batch.ts";

const encode = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));
const decode = (bytes: Uint8Array) => (JSON.parse(new TextDecoder().decode(bytes)) as { events: unknown[] }).events;

describe("splitting", () => {
  test("keeps every event in its order, within both limits", () => {
    fc.assert(
      fc.property(
        fc.array(fc.string({ maxLength: 40, unit: "grapheme" }), { maxLength: 60 }),
        fc.integer({ min: 1, max: 10 }),
        fc.integer({ min: 100, max: 300 }),
        (texts, maxEvents, maxBytes) => {
          const parts = splitBatch(texts.map(encode), maxEvents, maxBytes);
          expect(parts.flatMap((part) => decode(part.body))).toEqual(texts);
          for (const { body, count } of parts) {
            expect(decode(body)).toHaveLength(count);
            expect(count).toBeLessThanOrEqual(maxEvents);
            expect(body.length <= maxBytes || count === 1).toBe(true);
          }
        },
      ),
    );
  });

  test("makes no more requests than the limits ask for", () => {
    const events = Array.from({ length: 1_001 }, () => encode("x"));
    expect(splitBatch(events).map((part) => part.count)).toEqual([MAX_BATCH_EVENTS, 1]);
    // 13 bytes of frame, 10 for each event, a comma between them.
    const exact = Array.from({ length: 4 }, () => encode("12345678"));
    expect(splitBatch(exact, 10, 13 + 4 * 10 + 3).map((part) => part.count)).toEqual([4]);
    expect(splitBatch(exact, 10, 13 + 4 * 10 + 2).map((part) => part.count)).toEqual([3, 1]);
  });

  test("gives an event that is too large a request of its own", () => {
    const large = encode("x".repeat(MAX_BATCH_BYTES));
    expect(splitBatch([encode(1), large, encode(2)]).map((part) => part.count)).toEqual([1, 1, 1]);
    expect(splitBatch([])).toEqual([]);
  });
});

describe("merging", () => {
  const accepted = (index: number, id: string): BatchResult => ({ index, status: "accepted", id, deliveries: 1 });
  const refused = (index: number, retryable: boolean): BatchResult => ({
    index,
    status: "refused",
    error: { code: retryable ? "OVERLOADED" : "WRONG_TYPE", message: "…", details: [], retryable },
  });
  test("lets a later try decide only what was open", () => {
    const first = [accepted(0, "a"), refused(1, true), refused(2, false), refused(3, true)];
    const second: BatchResult[] = [
      { index: 0, status: "duplicate", id: "a", deliveries: 1 },
      accepted(1, "b"),
      accepted(2, "never"),
      refused(3, true),
    ];
    expect(mergeResults([], first)).toEqual(first);
    expect(mergeResults(first, second)).toEqual([first[0], second[1], first[2], second[3]]);
  });
});
