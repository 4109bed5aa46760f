import fc from "fast-check";
import { describe, expect, test } from "vitest";
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
