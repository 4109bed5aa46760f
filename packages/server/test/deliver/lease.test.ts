// The silence by which a node is taken over: by the watcher's own monotonic clock and nothing else.
import fc from "fast-check";
import { expect, test } from "vitest";
import { SilenceWatch } from "../../src/deliver/lease.ts";

test("a node is silent only after the same beat was seen for the whole silence", () => {
  const watch = new SilenceWatch(10_000);
  const node = { id: "n", incarnation: 1, beat: 5 };
  expect(watch.observe([node], 0)).toEqual([]);
  expect(watch.observe([node], 9_999)).toEqual([]);
  expect(watch.observe([node], 10_000)).toEqual([node]);
});

test("a beat, a new incarnation or an absence starts the silence anew", () => {
  const watch = new SilenceWatch(10_000);
  watch.observe([{ id: "n", incarnation: 1, beat: 5 }], 0);
  expect(watch.observe([{ id: "n", incarnation: 1, beat: 6 }], 10_000)).toEqual([]);
  expect(watch.observe([{ id: "n", incarnation: 2, beat: 6 }], 20_000)).toEqual([]);
  watch.observe([], 25_000);
  expect(watch.observe([{ id: "n", incarnation: 2, beat: 6 }], 30_000)).toEqual([]);
});

test("whatever the gaps between readings, nobody is silent who beat within the silence", () => {
  fc.assert(
    fc.property(
      fc.array(fc.record({ gapMs: fc.integer({ min: 0, max: 6_000 }), beats: fc.boolean() }), { maxLength: 200 }),
      (readings) => {
        const watch = new SilenceWatch(10_000);
        let nowMs = 0;
        let beat = 0;
        let beatAtMs = 0;
        for (const reading of readings) {
          nowMs += reading.gapMs;
          if (reading.beats) {
            beat += 1;
            beatAtMs = nowMs;
          }
          const silent = watch.observe([{ id: "n", incarnation: 1, beat }], nowMs);
          if (silent.length > 0) expect(nowMs - beatAtMs).toBeGreaterThanOrEqual(10_000);
        }
      },
    ),
  );
});
