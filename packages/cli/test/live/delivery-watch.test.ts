// Watching deliveries over a list and single reads that a test decides: each change once, whenever it comes.
import { PosthornError, type DeliveryRecord, type ListedDelivery } from "@posthorn/client";
import { expect, test } from "vitest";
import { DeliveryWatch } from "../../src/live/delivery-watch.ts";

const START_MS = Date.parse("2026-11-24T08:00:00Z");

function world() {
  const rows = new Map<string, ListedDelivery>();
  let nowMs = START_MS;
  let reads = 0;
  const put = (id: string, madeAtMs: number, change: Partial<ListedDelivery> = {}): void => {
    const createdAt = new Date(START_MS + madeAtMs).toISOString();
    const pending = { state: "pending", attemptCount: 0, nextAttemptAt: createdAt } as const;
    rows.set(id, { ...pending, ...rows.get(id), id, createdAt, event: "invoice.paid", ...change } as ListedDelivery);
  };
  const watch = new DeliveryWatch(
    {
      list: async function* ({ from, state }) {
        const newestFirst = [...rows.values()].sort((a, b) => (a.createdAt < b.createdAt ? 1 : -1));
        for (const row of newestFirst) {
          if (from !== undefined && row.createdAt < (from as string)) return;
          if (state === undefined || row.state === state) yield row;
        }
      },
      get: async (id) => {
        reads += 1;
        const row = rows.get(id);
        if (row === undefined) throw new PosthornError({ code: "NOT_FOUND", message: "Gone.", status: 404 });
        return { ...row, attempts: [], nextAttempts: [] } as DeliveryRecord;
      },
    },
    { query: {}, startMs: null, nowMs: () => nowMs },
  );
  return {
    put,
    remove: (id: string) => rows.delete(id),
    look: async (isFar = false) =>
      (await watch.look(isFar)).map(({ id, state, attemptCount }) => `${id} ${state} ${attemptCount}`),
    pass: (ms: number) => {
      nowMs += ms;
    },
    reads: () => reads,
  };
}

test("a delivery is told when it was tried, not when it was made, and once for each try", async () => {
  const { put, look, pass } = world();
  expect(await look()).toEqual([]);
  put("one", 10);
  expect(await look()).toEqual([]);
  const at = (ms: number): string => new Date(START_MS + ms).toISOString();
  put("one", 10, { attemptCount: 1, nextAttemptAt: at(60_000) });
  expect(await look()).toEqual(["one pending 1"]);
  expect(await look(true)).toEqual([]);
  // Its retry is a minute later, where no look at the list finds it: newer ones have come.
  put("two", 59_000, { state: "delivered", attemptCount: 1 });
  expect(await look(true)).toEqual(["two delivered 1"]);
  pass(61_000);
  // Due, and not tried yet: nothing to tell.
  expect(await look()).toEqual([]);
  pass(31_000);
  put("one", 10, { state: "dead_letter", attemptCount: 2, nextAttemptAt: null });
  expect(await look()).toEqual(["one dead_letter 2"]);
  pass(600_000);
  expect(await look(true)).toEqual([]);
});

test("what was under way or held at the start is watched too, and what is gone is forgotten", async () => {
  const { put, remove, look, pass, reads } = world();
  put("held", 0, { state: "held", heldReason: "paused", nextAttemptAt: null });
  put("gone", 1);
  put("old", 2, { state: "delivered", attemptCount: 1 });
  put("now", 100_000, { state: "delivered", attemptCount: 1 });
  expect(await look(true)).toEqual([]);
  remove("gone");
  put("held", 0, { state: "delivered", attemptCount: 1, nextAttemptAt: null });
  pass(6_000);
  expect(await look()).toEqual(["held delivered 1"]);
  const before = reads();
  pass(60_000);
  expect(await look()).toEqual([]);
  expect(reads()).toBe(before);
});

test("reads only so many by themselves in one look, all of them in the end", async () => {
  const { put, look, pass, reads } = world();
  for (let i = 0; i < 100; i += 1) put(`dlv-${String(i).padStart(3, "0")}`, i);
  put("newer", 100_000, { state: "delivered", attemptCount: 1 });
  await look(true);
  for (let i = 0; i < 100; i += 1) put(`dlv-${String(i).padStart(3, "0")}`, i, { state: "delivered", attemptCount: 1 });
  pass(1_000);
  const told: string[] = [];
  for (let i = 0; i < 3; i += 1) {
    const before = reads();
    told.push(...(await look()));
    expect(reads() - before).toBeLessThanOrEqual(40);
  }
  expect(told).toHaveLength(100);
});
