// What may start next of one queue. Today everything that is ready may, in order of arrival; order, batches and
// coalescing decide here and nowhere else. Must never hand out an entry twice, nor look at clock, slots or receivers.
import type { Entry } from "./queue.ts";

/** Taken entries are cut off in bulk: one splice for a thousand takes keeps the array small without moving it each time. */
const CUT_AT = 1_024;

export class ReadyEntries {
  #entries: Entry[] = [];
  #headAt = 0;

  /** How many wait. */
  get count(): number {
    return this.#entries.length - this.#headAt;
  }

  /** Committed, due, and waiting for its turn. */
  push(entry: Entry): void {
    this.#entries.push(entry);
  }

  /** Takes the next one; undefined when none may start now. */
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

  /** Takes out one that waits. False: it has left already, and is on its way. */
  withdraw(entry: Entry): boolean {
    const at = this.#entries.indexOf(entry, this.#headAt);
    if (at === -1) return false;
    this.#entries.splice(at, 1);
    return true;
  }

  /** Takes out all, whether they may start or not. */
  takeAll(): Entry[] {
    const all = this.#entries.slice(this.#headAt);
    this.clear();
    return all;
  }

  clear(): void {
    this.#entries = [];
    this.#headAt = 0;
  }
}
