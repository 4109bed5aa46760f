// Order by key, for one webhook (guarantee G6): of each key one delivery is on its way, and the next one starts only when
// that one has ended and this is committed. Pure: what is known of each key, and which keys the table has to be asked
// for, comes from its calls alone. Must never take a delivery that was not read from the table by `add`.
import type { Kind } from "./fair-turns.ts";
import type { Entry } from "./queue.ts";
import { kindOf, ReadyEntries, type Ready } from "./ready.ts";

/** What of one key is in memory: a run of deliveries as the table has them, without a gap. */
interface Line {
  readonly key: string;
  readonly waiting: Entry[];
  /** On their way. One; more only where order was switched on while they ran. */
  busyCount: number;
  /** The table may hold more of this key: asked when the line is at its end. */
  hasMore: boolean;
}

const NONE: readonly Entry[] = [];
/** Keys that wait for a time are remembered up to here; beyond it the table is asked for all when the first falls due. */
const MAX_LATER_KEYS = 20_000;

export class OrderedEntries implements Ready {
  readonly #lines = new Map<string, Line>();
  /** Lines whose first may start, in the order in which they became free. */
  #free = new Set<Line>();
  /** Without a key: they were routed before the webhook was ordered. */
  readonly #unordered = new ReadyEntries();
  /** Keys to be read now. */
  readonly #keysToRead = new Set<string>();
  /** Keys whose first delivery falls due later, and when (milliseconds since 1970). */
  readonly #laterKeys = new Map<string, number>();
  #nextLaterMs = Number.POSITIVE_INFINITY;

  /** @param underWay what is on its way already */
  constructor(underWay: Iterable<Entry> = []) {
    for (const { orderingKey } of underWay) {
      if (orderingKey === null) continue;
      const line = this.#lineOf(orderingKey);
      line.busyCount += 1;
      line.hasMore = true;
    }
  }

  get count(): number {
    return this.#free.size + this.#unordered.count;
  }

  /** Nothing passes anything here. */
  readonly isMostlyRepeated = false;

  /** One without a key. Those with one come by `add`. */
  push(entry: Entry): void {
    this.#unordered.push(entry);
  }

  /**
   * The first deliveries of a key that nothing is in memory of, as a read of the table found them.
   * @param hasMore the table may hold more of it
   */
  add(key: string, entries: readonly Entry[], hasMore: boolean): void {
    const line = this.#lineOf(key);
    line.waiting.push(...entries);
    line.hasMore ||= hasMore;
    this.#offer(line);
  }

  has(kind: Kind): boolean {
    for (const { waiting } of this.#free) if (waiting[0] !== undefined) return kindOf(waiting[0]) === kind;
    return this.#unordered.has(kind);
  }

  /** Keys go in the order in which they became free, whatever the kind of their first ones. */
  take(kind?: Kind): Entry | undefined {
    for (const line of this.#free) {
      this.#free.delete(line);
      const entry = line.waiting.shift();
      if (entry === undefined) continue;
      line.busyCount += 1;
      return entry;
    }
    return this.#unordered.take(kind);
  }

  withdraw(entry: Entry): boolean {
    if (entry.orderingKey === null) return this.#unordered.withdraw(entry);
    const line = this.#lines.get(entry.orderingKey);
    const at = line?.waiting.indexOf(entry) ?? -1;
    if (line === undefined || at === -1) return false;
    line.waiting.splice(at, 1);
    this.#offer(line);
    return true;
  }

  takeAll(): Entry[] {
    const all = this.#unordered.takeAll();
    for (const line of this.#lines.values()) {
      if (line.waiting.length === 0) continue;
      all.push(...line.waiting.splice(0));
      line.hasMore = true;
      this.#free.delete(line);
      if (line.busyCount === 0) this.#lines.delete(line.key);
    }
    return all;
  }

  clear(): void {
    this.#lines.clear();
    this.#free.clear();
    this.#unordered.clear();
    this.#keysToRead.clear();
    this.#laterKeys.clear();
    this.#nextLaterMs = Number.POSITIVE_INFINITY;
  }

  over({ orderingKey }: Entry): void {
    const line = orderingKey === null ? undefined : this.#lines.get(orderingKey);
    if (line === undefined) return;
    line.busyCount -= 1;
    this.#offer(line);
  }

  again({ orderingKey }: Entry, dueAtMs: number): readonly Entry[] {
    const line = orderingKey === null ? undefined : this.#lines.get(orderingKey);
    if (orderingKey === null || line === undefined) return NONE;
    line.busyCount -= 1;
    const dropped = line.waiting.splice(0);
    this.#free.delete(line);
    if (line.busyCount === 0) this.#lines.delete(orderingKey);
    else line.hasMore = true;
    this.#readAt(orderingKey, dueAtMs);
    return dropped;
  }

  // --- what the table is asked for -----------------------------------------------------------------------------------

  /** The table has something new of this key. */
  wantKey(key: string): void {
    const line = this.#lines.get(key);
    if (line === undefined) this.#keysToRead.add(key);
    else line.hasMore = true;
  }

  /** Its first delivery, as the table has it, falls due then; infinity: it is held, and somebody will say when it is not. */
  headDueAt(key: string, dueAtMs: number): void {
    if (!this.#lines.has(key)) this.#readAt(key, dueAtMs);
  }

  /** When the table has to be asked next: 0 for now, infinity for never. */
  get nextReadMs(): number {
    return this.#keysToRead.size > 0 ? 0 : this.#nextLaterMs;
  }

  /** How many keys are to be read now. */
  get keysToReadCount(): number {
    return this.#keysToRead.size;
  }

  /** Takes up to `limit` keys that are to be read now. Of none of them anything is in memory. */
  takeKeysToRead(nowMs: number, limit: number): string[] {
    if (this.#nextLaterMs <= nowMs) this.#wakeLaterKeys(nowMs);
    const keys: string[] = [];
    for (const key of this.#keysToRead) {
      if (keys.length >= limit) break;
      this.#keysToRead.delete(key);
      // A line has come into being meanwhile only when order was switched off and on.
      if (this.#lines.has(key)) this.wantKey(key);
      else keys.push(key);
    }
    return keys;
  }

  #wakeLaterKeys(nowMs: number): void {
    this.#nextLaterMs = Number.POSITIVE_INFINITY;
    for (const [key, dueAtMs] of this.#laterKeys) {
      if (dueAtMs <= nowMs) {
        this.#laterKeys.delete(key);
        this.wantKey(key);
      } else if (dueAtMs < this.#nextLaterMs) this.#nextLaterMs = dueAtMs;
    }
  }

  #readAt(key: string, dueAtMs: number): void {
    if (dueAtMs === Number.POSITIVE_INFINITY) return;
    this.#nextLaterMs = Math.min(this.#nextLaterMs, dueAtMs);
    // What is not remembered is found by the look at everything, once a minute.
    if (this.#laterKeys.size < MAX_LATER_KEYS) this.#laterKeys.set(key, dueAtMs);
  }

  #lineOf(key: string): Line {
    let line = this.#lines.get(key);
    if (line === undefined) {
      line = { key, waiting: [], busyCount: 0, hasMore: false };
      this.#lines.set(key, line);
    }
    return line;
  }

  /** The line has changed: its next may start, or it is at its end. */
  #offer(line: Line): void {
    if (line.busyCount > 0) return;
    if (line.waiting.length > 0) {
      this.#free.add(line);
      return;
    }
    this.#free.delete(line);
    this.#lines.delete(line.key);
    if (line.hasMore) this.#keysToRead.add(line.key);
  }
}
