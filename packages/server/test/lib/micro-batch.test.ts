import fc from "fast-check";
import { afterEach, describe, expect, test, vi } from "vitest";
import { MicroBatch } from "../../src/lib/micro-batch.ts";

function gated() {
  const batches: number[][] = [];
  const gates: (() => void)[] = [];
  const batch = new MicroBatch<number>({
    flush: (items) => {
      batches.push(items);
      return new Promise((resolve) => gates.push(resolve));
    },
    maxItems: 3,
    maxBytes: 100,
    bytesOf: (item) => item,
    concurrency: 1,
  });
  return { batch, batches, gates };
}
afterEach(() => void vi.useRealTimers());
const turn = () => new Promise((resolve) => setImmediate(resolve));

describe("micro-batches", () => {
  test("what comes in one turn travels together; what comes meanwhile waits for the commit before it", async () => {
    const { batch, batches, gates } = gated();
    batch.add(1);
    batch.add(2);
    await turn();
    expect(batches).toEqual([[1, 2]]);
    batch.add(3);
    await turn();
    expect(batches).toHaveLength(1);
    gates[0]?.();
    await turn();
    await turn();
    expect(batches).toEqual([[1, 2], [3]]);
  });

  test("a batch keeps to both limits, and one item larger than the limit goes alone", async () => {
    const { batch, batches, gates } = gated();
    for (const size of [1, 1, 1, 1, 500, 1]) batch.add(size);
    for (let i = 0; i < 8; i += 1) {
      await turn();
      gates[i]?.();
      await turn();
    }
    expect(batches).toEqual([[1, 1, 1], [1], [500], [1]]);
  });

  // Seen red without the count of awaited items: the second batch then leaves after 15 ms only.
  test("batches keep their distance, and less of it where somebody waits", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    const batches: string[][] = [];
    const batch = new MicroBatch<string>({
      flush: async (items) => void batches.push(items),
      maxItems: 100,
      maxBytes: 100,
      bytesOf: () => 1,
      concurrency: 1,
      spacing: { awaitedMs: 5, unhurriedMs: 15, isAwaited: (item) => item.endsWith("!") },
    });
    const after = async (ms: number): Promise<string[][]> => {
      vi.advanceTimersByTime(ms);
      await turn();
      await turn();
      return batches.splice(0);
    };
    batch.add("idle");
    expect(await after(0)).toEqual([["idle"]]);
    batch.add("a");
    expect(await after(5)).toEqual([]);
    batch.add("b!");
    expect(await after(0)).toEqual([["a", "b!"]]);
    batch.add("c!");
    expect(await after(4)).toEqual([]);
    expect(await after(1)).toEqual([["c!"]]);
    batch.add("d");
    expect(await after(14)).toEqual([]);
    expect(await after(1)).toEqual([["d"]]);
  });

  test("nothing is lost, doubled or reordered, whatever fails", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.integer({ min: 0, max: 120 }), { maxLength: 60 }), async (items) => {
        const seen: number[] = [];
        const batch = new MicroBatch<number>({
          flush: async (taken) => {
            seen.push(...taken);
            await turn();
          },
          maxItems: 4,
          maxBytes: 150,
          bytesOf: (item) => item,
          concurrency: 1,
        });
        for (const [index, item] of items.entries()) {
          batch.add(item);
          if (index % 5 === 0) await turn();
        }
        await batch.drained();
        expect(seen).toEqual(items);
      }),
      { numRuns: 50 },
    );
  });
});
