// One timer for all deadlines: a hashed wheel, so that a request costs two pointer writes, no setTimeout.
// It must never fire early; it may fire up to one tick late, which the attempt's bound of 1 s allows for.

/** Something with a deadline. The wheel owns these fields while it is scheduled. */
export interface WheelEntry<Self = unknown> {
  wheelPrevious: Self | null;
  wheelNext: Self | null;
  wheelSlot: number;
  dueAtMs: number;
  onDeadline(): void;
}

/** Not in the wheel. */
export const UNSCHEDULED = -1;

const SLOT_COUNT = 1024;

export class DeadlineWheel<Entry extends WheelEntry<Entry>> {
  readonly #tickMs: number;
  readonly #slots: (Entry | null)[] = Array.from({ length: SLOT_COUNT }, () => null);
  #lastTick: number;
  #count = 0;

  /** `nowMs` is the monotonic time at which the wheel starts. */
  constructor(nowMs: number, tickMs: number) {
    this.#tickMs = tickMs;
    this.#lastTick = Math.floor(nowMs / tickMs);
  }

  get count(): number {
    return this.#count;
  }

  /** Schedules or moves the entry. A time already past fires at the next tick. */
  schedule(entry: Entry, dueAtMs: number): void {
    this.cancel(entry);
    // The tick that contains the due time has begun before it, so the one after is the first safe one.
    const tick = Math.max(Math.floor(dueAtMs / this.#tickMs) + 1, this.#lastTick + 1);
    const slot = tick % SLOT_COUNT;
    const head = this.#slots[slot] ?? null;
    entry.dueAtMs = dueAtMs;
    entry.wheelSlot = slot;
    entry.wheelNext = head;
    if (head !== null) head.wheelPrevious = entry;
    this.#slots[slot] = entry;
    this.#count++;
  }

  /** Takes the entry out; harmless when it is not in. */
  cancel(entry: Entry): void {
    if (entry.wheelSlot === UNSCHEDULED) return;
    const { wheelPrevious: previous, wheelNext: next } = entry;
    if (previous === null) this.#slots[entry.wheelSlot] = next;
    else previous.wheelNext = next;
    if (next !== null) next.wheelPrevious = previous;
    entry.wheelPrevious = null;
    entry.wheelNext = null;
    entry.wheelSlot = UNSCHEDULED;
    this.#count--;
  }

  /** All that is scheduled, in no order. */
  entries(): Entry[] {
    const entries: Entry[] = [];
    for (const head of this.#slots) {
      for (let entry = head; entry !== null; entry = entry.wheelNext) entries.push(entry);
    }
    return entries;
  }

  /**
   * Fires every entry due at `nowMs`. After a long stall each slot is visited once.
   * Due entries are collected first: a callback may schedule or cancel others.
   */
  advance(nowMs: number): void {
    const tick = Math.floor(nowMs / this.#tickMs);
    const first = Math.max(this.#lastTick + 1, tick - SLOT_COUNT + 1);
    this.#lastTick = Math.max(this.#lastTick, tick);
    const due: Entry[] = [];
    for (let t = first; t <= tick; t++) {
      for (let entry = this.#slots[t % SLOT_COUNT] ?? null; entry !== null; entry = entry.wheelNext) {
        if (entry.dueAtMs <= nowMs) due.push(entry);
      }
    }
    for (const entry of due) {
      if (entry.wheelSlot === UNSCHEDULED || entry.dueAtMs > nowMs) continue;
      this.cancel(entry);
      entry.onDeadline();
    }
  }
}
