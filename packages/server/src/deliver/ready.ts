// What may start next of one queue: everything that is ready, in order of arrival. A webhook with an ordering key has
// `OrderedEntries` (order.ts) in this place; batches and coalescing decide here too. Must never hand out an entry twice,
// nor look at clock, slots or receivers.
import type { Entry } from "./queue.ts";

/** The entries of a queue that are committed and due: which of them may start, in which order. */
export interface Ready {
  /** How many may start now. */
  readonly count: number;
  /** Committed, due, and waiting for its turn. */
  push(entry: Entry): void;
  /** Takes the next one; undefined when none may start now. */
  take(): Entry | undefined;
  /** Takes out one that waits. False: it has left already, and is on its way. */
  withdraw(entry: Entry): boolean;
  /** Takes out all that wait, whether they may start or not. */
  takeAll(): Entry[];
  /** Forgets everything, also what is on its way: the lanes are gone. */
  clear(): void;
  /** One that was taken has ended, and that is committed. */
  over(entry: Entry): void;
  /**
   * One that was taken goes back to the table: due at that time, or held (infinity).
   * @returns those that wait behind it and are of no use in memory before
   */
  again(entry: Entry, dueAtMs: number): readonly Entry[];
}

/** Taken entries are cut off in bulk: one splice for a thousand takes keeps the array small without moving it each time. */
const CUT_AT = 1_024;
const NONE: readonly Entry[] = [];

export class ReadyEntries implements Ready {
  #entries: Entry[] = [];
  #headAt = 0;

  get count(): number {
    return this.#entries.length - this.#headAt;
  }

  push(entry: Entry): void {
    this.#entries.push(entry);
  }

  take(): Entry | undefined {
    const entry = this.#entries[this.#headAt];
    if (entry === undefined) return undefined;
    this.#headAt += 1;
    if (this.#headAt === this.#entries.length) this.clear();
    else if (this.#headAt > CUT_AT) {
      this.#entries.splice(0, this.#headAt);
      this.#headAt = 0;
    }
    return entry;
  }

  withdraw(entry: Entry): boolean {
    const at = this.#entries.indexOf(entry, this.#headAt);
    if (at === -1) return false;
    this.#entries.splice(at, 1);
    return true;
  }

  takeAll(): Entry[] {
    const all = this.#entries.slice(this.#headAt);
    this.clear();
    return all;
  }

  clear(): void {
    this.#entries = [];
    this.#headAt = 0;
  }

  over(): void {}

  again(): readonly Entry[] {
    return NONE;
  }
}
