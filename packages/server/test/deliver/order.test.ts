// Order by key as a pure machine, against a table that is as simple as can be: any interleaving of commits, reads,
// answers, retries, cancellations and pauses. What a sender was told is stored before it sends the next one.
// Broken on purpose: a line that offers its next while one is on its way, and a retry that keeps its followers, go red.
import fc from "fast-check";
import { expect, test } from "vitest";
import { OrderedEntries } from "../../src/deliver/order.ts";
import { type Entry, WebhookQueue } from "../../src/deliver/queue.ts";
import { EVENT, idBytes, webhookWith } from "./support.ts";

interface Row {
  readonly seq: number;
  readonly key: string;
  dueAtMs: number;
}

const ROWS_PER_KEY = 3;

/** The rest of the node: the table, the reads of it, and what is on its way. */
class Model {
  readonly ordered = new OrderedEntries();
  readonly queue = new WebhookQueue(webhookWith({ configuration: { orderingKey: true } }));
  readonly rows: Row[] = [];
  readonly byEntry = new Map<Entry, Row>();
  readonly underWay: Entry[] = [];
  readonly ended: Row[] = [];
  /** A read under way: what the statement saw, to be handed over later. */
  reading: { key: string; rows: Row[] }[] = [];
  nowMs = 0;
  #seq = 0;

  commit(key: string): void {
    this.rows.push({ seq: (this.#seq += 1), key, dueAtMs: this.nowMs });
    this.ordered.wantKey(key);
  }

  beginRead(): void {
    if (this.reading.length > 0) return;
    this.reading = this.ordered.takeKeysToRead(this.nowMs, 2).map((key) => ({
      key,
      rows: this.rows
        .filter((row) => row.key === key)
        .slice(0, ROWS_PER_KEY)
        .map((row) => ({ ...row })),
    }));
  }

  endRead(): void {
    for (const { key, rows } of this.reading.splice(0)) {
      const due = rows.findIndex((row) => row.dueAtMs > this.nowMs);
      const entries = (due === -1 ? rows : rows.slice(0, due)).map((row) => this.#entryOf(row));
      if (entries.length > 0)
        this.ordered.add(key, entries, entries.length < rows.length || rows.length === ROWS_PER_KEY);
      else if (rows[0] !== undefined) this.ordered.headDueAt(key, rows[0].dueAtMs);
    }
  }

  start(): void {
    const entry = this.ordered.take();
    if (entry === undefined) return;
    const { seq, key } = this.byEntry.get(entry) as Row;
    expect(
      this.underWay.some((other) => other.orderingKey === key),
      `two of ${key}`,
    ).toBe(false);
    expect(this.rows.find((row) => row.key === key)?.seq, `the first of ${key}`).toBe(seq);
    this.underWay.push(entry);
  }

  end(at: number, isOver: boolean): void {
    const [entry] = this.underWay.splice(at % Math.max(1, this.underWay.length), 1);
    if (entry === undefined) return;
    const row = this.byEntry.get(entry) as Row;
    const index = this.rows.findIndex(({ seq }) => seq === row.seq);
    if (isOver) {
      this.ended.push(...this.rows.splice(index, 1));
      this.ordered.over(entry);
      return;
    }
    (this.rows[index] as Row).dueAtMs = this.nowMs + 5;
    this.ordered.again(entry, this.nowMs + 5);
  }

  #entryOf(row: Row): Entry {
    const entry: Entry = {
      queue: this.queue,
      idBytes: idBytes(row.seq),
      event: EVENT,
      attemptCount: 0,
      policyAttemptBase: 0,
      trigger: "initial",
      replayed: false,
      coalescedCount: null,
      byteLength: 1,
      orderingKey: row.key,
    };
    this.byEntry.set(entry, row);
    return entry;
  }
}

// A pause empties the memory, so it is rare: most histories get far between two of them.
const step = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({ do: fc.constant("commit" as const), key: fc.constantFrom("a", "b", "c") }),
  },
  {
    weight: 12,
    arbitrary: fc.record({ do: fc.constantFrom("beginRead" as const, "endRead" as const, "start" as const) }),
  },
  {
    weight: 6,
    arbitrary: fc.record({ do: fc.constant("end" as const), at: fc.nat(5), isOver: fc.boolean() }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant("wait" as const), ms: fc.nat(8) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("takeAll" as const) }) },
);

test("of each key the first that has not ended, and only it; in the end everything", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 120, size: "max" }), (steps) => {
      const model = new Model();
      for (const each of steps) {
        if (each.do === "commit") model.commit(each.key);
        else if (each.do === "end") model.end(each.at, each.isOver);
        else if (each.do === "wait") model.nowMs += each.ms;
        else if (each.do === "takeAll") {
          // A pause: what waits leaves memory, and all keys are asked for again.
          model.ordered.takeAll();
          for (const { key } of model.rows) model.ordered.wantKey(key);
        } else model[each.do]();
      }
      for (let turn = 0; turn < 2_000 && model.rows.length > 0; turn += 1) {
        model.nowMs += 1;
        model.beginRead();
        model.endRead();
        model.start();
        model.end(0, true);
      }
      expect(model.rows).toEqual([]);
      expect(model.ordered.nextReadMs === Number.POSITIVE_INFINITY || model.ordered.count === 0).toBe(true);
      for (const key of ["a", "b", "c"]) {
        const seqs = model.ended.filter((row) => row.key === key).map(({ seq }) => seq);
        expect(seqs).toEqual([...seqs].sort((a, b) => a - b));
      }
    }),
    { numRuns: 1_000 },
  );
});
