// What may start next of one queue: everything that is ready, in order of arrival, fresh deliveries and repeated ones each
// with their share. A webhook with an ordering key has
// `OrderedEntries` (order.ts) in this place; batches and coalescing decide here too. Must never hand out an entry twice,
// nor look at clock, slots or receivers.
import { type Kind, KIND_SHARE } from "./fair-turns.ts";
import type { Entry } from "./queue.ts";

export function kindOf({ trigger }: Pick<Entry, "trigger">): Kind {
  return trigger === "initial" ? "fresh" : "again";
}

/** The entries of a queue that are committed and due: which of them may start, in which order. */
export interface Ready {
  /** How many may start now. */
  readonly count: number;
  /** Committed, due, and waiting for its turn. */
  push(entry: Entry): void;
  /** Whether most of what waits is repeated. */
  readonly isMostlyRepeated: boolean;
  /** Whether what starts next can be of this kind. */
  has(kind: Kind): boolean;
  /** Takes the next one, of this kind if it is given; undefined when none may start now. */
  take(kind?: Kind): Entry | undefined;
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
const ROUND = KIND_SHARE.fresh + KIND_SHARE.again;

/** Of one kind, in order of arrival. */
class Line {
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
}

export class ReadyEntries implements Ready {
  readonly #fresh = new Line();
  readonly #again = new Line();
  /** Goes round while both wait. */
  #turn = 0;

  get count(): number {
    return this.#fresh.count + this.#again.count;
  }

  get isMostlyRepeated(): boolean {
    return this.#again.count > this.#fresh.count;
  }

  push(entry: Entry): void {
    this.#lineOf(kindOf(entry)).push(entry);
  }

  has(kind: Kind): boolean {
    return this.#lineOf(kind).count > 0;
  }

  take(kind?: Kind): Entry | undefined {
    if (kind !== undefined) return this.#lineOf(kind).take();
    if (this.#again.count === 0) return this.#fresh.take();
    if (this.#fresh.count === 0) return this.#again.take();
    // Spread over the round: of ten turns the first, the fourth and the seventh or so.
    this.#turn = (this.#turn + KIND_SHARE.again) % ROUND;
    return this.#turn < KIND_SHARE.again ? this.#again.take() : this.#fresh.take();
  }

  withdraw(entry: Entry): boolean {
    return this.#lineOf(kindOf(entry)).withdraw(entry);
  }

  takeAll(): Entry[] {
    return [...this.#fresh.takeAll(), ...this.#again.takeAll()];
  }

  clear(): void {
    this.#fresh.clear();
    this.#again.clear();
  }

  over(): void {}

  again(): readonly Entry[] {
    return NONE;
  }

  #lineOf(kind: Kind): Line {
    return kind === "fresh" ? this.#fresh : this.#again;
  }
}
