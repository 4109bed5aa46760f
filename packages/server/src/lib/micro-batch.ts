// Collects items and hands them over in batches: the next batch leaves as soon as the one before it has returned, so
// an idle node adds no delay and a busy one commits in natural groups. Must never reorder items or drop one.

export interface MicroBatchOptions<Item> {
  /** Handles one batch; called again only when the promise has settled (unless `lanes` allows more). */
  readonly flush: (items: Item[]) => Promise<void>;
  readonly maxItems: number;
  /** For how many an item counts; 1 unless given. */
  readonly countOf?: (item: Item) => number;
  readonly maxBytes: number;
  readonly bytesOf: (item: Item) => number;
  /** How many batches may be under way at once. */
  readonly concurrency: number;
  /** While busy, batches leave at least so far apart; an idle one still leaves at once. */
  readonly spacing?: Spacing<Item>;
}

export interface Spacing<Item> {
  /** For items that somebody waits for. */
  readonly awaitedMs: number;
  /** For all others; the longer of the two. */
  readonly unhurriedMs: number;
  readonly isAwaited: (item: Item) => boolean;
}

export class MicroBatch<Item> {
  readonly #options: MicroBatchOptions<Item>;
  #waiting: Item[] = [];
  #underWay = 0;
  #scheduled = false;
  #idle: (() => void)[] = [];
  /** What a batch has to wait for: `all` right after one has left, later only what nobody waits for. */
  #held: "all" | "unhurried" | "none" = "none";
  #awaitedCount = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: MicroBatchOptions<Item>) {
    this.#options = options;
  }

  /** Items that have not been handed over yet. */
  get waitingCount(): number {
    return this.#waiting.length;
  }

  add(item: Item): void {
    this.#waiting.push(item);
    if (this.#options.spacing?.isAwaited(item) === true) this.#awaitedCount += 1;
    this.#schedule();
  }

  /** Resolves when nothing waits and nothing is under way. */
  async drained(): Promise<void> {
    if (this.#waiting.length === 0 && this.#underWay === 0) return;
    await new Promise<void>((resolve) => this.#idle.push(resolve));
  }

  #schedule(): void {
    if (this.#scheduled || this.#underWay >= this.#options.concurrency || this.#isHeld()) return;
    this.#scheduled = true;
    // Everything that this turn of the event loop brings in travels together.
    setImmediate(() => {
      this.#scheduled = false;
      while (this.#waiting.length > 0 && this.#underWay < this.#options.concurrency) this.#flushOne();
    });
  }

  #isHeld(): boolean {
    return this.#held === "all" || (this.#held === "unhurried" && this.#awaitedCount === 0);
  }

  #flushOne(): void {
    const items = this.#take();
    this.#underWay += 1;
    this.#space();
    // A flush that rejects is a fault of the program: unhandled, it ends the process, and the database has the truth.
    void this.#options.flush(items).finally(() => {
      this.#underWay -= 1;
      if (this.#waiting.length > 0) this.#schedule();
      else if (this.#underWay === 0) for (const resolve of this.#idle.splice(0)) resolve();
    });
  }

  #space(): void {
    const { spacing } = this.#options;
    if (spacing === undefined) return;
    this.#awaitedCount = this.#waiting.reduce((count, item) => count + (spacing.isAwaited(item) ? 1 : 0), 0);
    clearTimeout(this.#timer);
    this.#held = "all";
    this.#timer = setTimeout(() => {
      this.#hold("unhurried");
      this.#timer = setTimeout(() => this.#hold("none"), spacing.unhurriedMs - spacing.awaitedMs);
    }, spacing.awaitedMs);
  }

  #hold(held: "unhurried" | "none"): void {
    this.#held = held;
    if (this.#waiting.length > 0) this.#schedule();
  }

  #take(): Item[] {
    const { maxItems, maxBytes, bytesOf, countOf } = this.#options;
    let bytes = 0;
    let weight = 0;
    let count = 0;
    for (const item of this.#waiting) {
      bytes += bytesOf(item);
      weight += countOf === undefined ? 1 : countOf(item);
      if (count > 0 && (bytes > maxBytes || weight > maxItems)) break;
      count += 1;
    }
    if (count === this.#waiting.length) {
      const all = this.#waiting;
      this.#waiting = [];
      return all;
    }
    return this.#waiting.splice(0, count);
  }
}
