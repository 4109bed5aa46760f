// Following a list that is newest first: whatever is committed late, and however often a look fails, everything comes
// once and nothing twice.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Follower } from "../../src/live/follower.ts";

interface Row {
  readonly id: string;
  readonly atMs: number;
  readonly mark: string;
}

const START_MS = Date.parse("2026-11-24T08:00:00Z");

/** A table that rows are put into in any order, listed as the API does. */
class Table {
  readonly rows: Row[] = [];
  failsAfter = Number.POSITIVE_INFINITY;
  readCount = 0;

  put(id: string, atMs: number, mark = ""): void {
    const at = this.rows.findIndex((row) => row.id === id);
    if (at >= 0) this.rows.splice(at, 1);
    this.rows.push({ id, atMs: START_MS + atMs, mark });
    this.rows.sort((a, b) => b.atMs - a.atMs || (a.id < b.id ? 1 : -1));
  }

  async *list(from: string | undefined): AsyncGenerator<Row> {
    for (const [index, row] of this.rows.entries()) {
      if (from !== undefined && row.atMs < Date.parse(from)) return;
      if (index >= this.failsAfter) throw new Error("The connection broke between two pages.");
      this.readCount += 1;
      yield row;
    }
  }
}

function follow(table: Table, startMs: number | null = null): Follower<Row> {
  const list = (from: string | undefined) => table.list(from);
  return new Follower(
    { list, keyOf: ({ id }) => id, madeAtMs: ({ atMs }) => atMs, markOf: ({ mark }) => mark },
    startMs,
  );
}

const idsOf = (rows: readonly Row[]): string[] => rows.map(({ id }) => id);

describe("a follower", () => {
  test("gives what is made after its first look, oldest first", async () => {
    const table = new Table();
    table.put("before", 0);
    const follower = follow(table);
    expect(await follower.look(true)).toEqual([]);
    table.put("b", 20);
    table.put("a", 10);
    expect(idsOf(await follower.look(false))).toEqual(["a", "b"]);
    expect(await follower.look(true)).toEqual([]);
  });

  test("begins with the first row of a list that was empty", async () => {
    const table = new Table();
    const follower = follow(table);
    expect(await follower.look(true)).toEqual([]);
    table.put("first", 0);
    expect(idsOf(await follower.look(false))).toEqual(["first"]);
  });

  test("begins in the past when it is told to, and no further", async () => {
    const table = new Table();
    for (const atMs of [0, 60_000, 120_000]) table.put(`at-${atMs}`, atMs);
    expect(idsOf(await follow(table, START_MS + 60_000).look(true))).toEqual(["at-60000", "at-120000"]);
  });

  test("finds a row that is committed ten seconds after its id was given, by a far look", async () => {
    const table = new Table();
    table.put("before", 0);
    const follower = follow(table);
    await follower.look(true);
    table.put("new", 11_000);
    expect(idsOf(await follower.look(false))).toEqual(["new"]);
    table.put("late", 1_000);
    expect(idsOf(await follower.look(false))).toEqual([]);
    expect(idsOf(await follower.look(true))).toEqual(["late"]);
  });

  test("gives everything again that a look had read before it broke", async () => {
    const table = new Table();
    const follower = follow(table);
    await follower.look(true);
    for (let i = 0; i < 5; i += 1) table.put(`row-${i}`, i);
    table.failsAfter = 3;
    await expect(follower.look(false)).rejects.toThrow("broke");
    table.failsAfter = Number.POSITIVE_INFINITY;
    expect(await follower.look(true)).toHaveLength(5);
  });

  test("gives a row again when its mark has changed, once", async () => {
    const table = new Table();
    const follower = follow(table);
    await follower.look(true);
    table.put("one", 0, "pending");
    expect(await follower.look(false)).toHaveLength(1);
    table.put("one", 0, "delivered");
    expect(await follower.look(false)).toMatchObject([{ id: "one", mark: "delivered" }]);
    expect(await follower.look(true)).toEqual([]);
  });

  test("does not read the past again and again", async () => {
    const table = new Table();
    for (let i = 0; i < 1_000; i += 1) table.put(`old-${String(i).padStart(4, "0")}`, i * 100);
    const follower = follow(table);
    await follower.look(true);
    table.readCount = 0;
    for (let i = 0; i < 10; i += 1) await follower.look(false);
    expect(table.readCount).toBeLessThan(150);
  });

  test("misses nothing and gives nothing twice, with rows up to 14 s late and looks that break", async () => {
    const row = fc.record({ delayMs: fc.integer({ min: 0, max: 14_000 }), gapMs: fc.integer({ min: 0, max: 3_000 }) });
    await fc.assert(
      fc.asyncProperty(fc.array(row, { maxLength: 60 }), fc.infiniteStream(fc.boolean()), async (rows, breaks) => {
        const table = new Table();
        table.put("before", 0);
        const follower = follow(table);
        await follower.look(true);
        let madeAtMs = 0;
        const made = rows.map(({ delayMs, gapMs }, index) => {
          madeAtMs += gapMs;
          return { id: `row-${index}`, madeAtMs, committedAtMs: madeAtMs + delayMs };
        });
        const given: string[] = [];
        const endMs = madeAtMs + 15_000;
        for (let nowMs = 0, looks = 0; nowMs <= endMs; nowMs += 500, looks += 1) {
          for (const each of made) {
            if (each.committedAtMs <= nowMs && each.committedAtMs > nowMs - 500) table.put(each.id, each.madeAtMs);
          }
          const isBroken = breaks.next().value && nowMs < endMs - 1_000;
          table.failsAfter = isBroken ? 0 : Number.POSITIVE_INFINITY;
          // Every second look goes far, and the last ones.
          await follower.look(looks % 2 === 0 || nowMs > endMs - 1_000).then(
            (found) => given.push(...idsOf(found)),
            () => {},
          );
        }
        expect(new Set(given).size).toBe(given.length);
        // What is later than the newest row by more than a far look can see is out of reach; here nothing is.
        expect(given.toSorted()).toEqual(idsOf(made.filter((each) => each.committedAtMs <= endMs) as never).toSorted());
      }),
      { numRuns: 60 },
    );
  });
});
