// Follows a list of the API that is sorted newest first: each look gives what is new since the one before, oldest first,
// nothing missed and nothing twice. Keeps no clock of its own: it goes by the times that the server wrote.

/** A list that can be followed. */
export interface Followed<Item> {
  /** Newest first, made at `from` (ISO 8601) or later; all when undefined. */
  readonly list: (from: string | undefined) => AsyncIterable<Item>;
  readonly keyOf: (item: Item) => string;
  /** Milliseconds since 1970. */
  readonly madeAtMs: (item: Item) => number;
  /** What makes a change: an item that was seen is given again when this differs. Once only when left out. */
  readonly markOf?: (item: Item) => string;
}

/**
 * An id, and with it the place in the list, is given before the commit. So a row may appear below one that was seen: as
 * late as a capture statement may run (5 s) and its sender waits, or, with a fan-out of thousands, as its expansion takes.
 */
const FAR_BACK_MS = 15_000;
/** Mostly it is a matter of milliseconds. */
const NEAR_BACK_MS = 1_000;

interface Seen {
  readonly madeAtMs: number;
  readonly mark: string;
}

export class Follower<Item> {
  readonly #list: Followed<Item>;
  readonly #startMs: number | null;
  readonly #seen = new Map<string, Seen>();
  #newestMs: number | null = null;
  #hasBegun = false;

  /** @param startMs from when on; null: what is made after the first look */
  constructor(list: Followed<Item>, startMs: number | null) {
    this.#list = list;
    this.#startMs = startMs;
  }

  /** @param isFar looks back further than usual; do so now and then, and after a look that failed */
  async look(isFar: boolean): Promise<Item[]> {
    if (!this.#hasBegun && this.#startMs === null) return this.#begin();
    const found: Item[] = [];
    for await (const item of this.#list.list(this.#from(isFar))) {
      if (this.#isNew(item)) found.push(item);
    }
    // Not before all pages are read: when one fails, the next look finds the same again.
    for (const item of found) this.#note(item);
    this.#hasBegun = true;
    this.#forget();
    return found.sort((a, b) => this.#order(a, b));
  }

  /** What there is already is only remembered, as far back as a look will ever see. */
  async #begin(): Promise<Item[]> {
    const found: Item[] = [];
    let newestMs = Number.NEGATIVE_INFINITY;
    for await (const item of this.#list.list(undefined)) {
      newestMs = Math.max(newestMs, this.#list.madeAtMs(item));
      if (this.#list.madeAtMs(item) < newestMs - FAR_BACK_MS) break;
      found.push(item);
    }
    for (const item of found) this.#note(item);
    this.#hasBegun = true;
    return [];
  }

  #from(isFar: boolean): string | undefined {
    const backMs = isFar ? FAR_BACK_MS : NEAR_BACK_MS;
    const fromMs = Math.max(this.#startMs ?? 0, this.#newestMs === null ? 0 : this.#newestMs - backMs);
    return fromMs === 0 ? undefined : new Date(fromMs).toISOString();
  }

  #isNew(item: Item): boolean {
    return this.#seen.get(this.#list.keyOf(item))?.mark !== this.#markOf(item);
  }

  #note(item: Item): void {
    const madeAtMs = this.#list.madeAtMs(item);
    this.#seen.set(this.#list.keyOf(item), { madeAtMs, mark: this.#markOf(item) });
    this.#newestMs = Math.max(this.#newestMs ?? 0, madeAtMs);
  }

  #markOf(item: Item): string {
    return this.#list.markOf?.(item) ?? "";
  }

  /** No look asks for what is older than this any more. */
  #forget(): void {
    if (this.#newestMs === null) return;
    const horizonMs = this.#newestMs - FAR_BACK_MS;
    for (const [key, { madeAtMs }] of this.#seen) if (madeAtMs < horizonMs) this.#seen.delete(key);
  }

  #order(a: Item, b: Item): number {
    const byTime = this.#list.madeAtMs(a) - this.#list.madeAtMs(b);
    if (byTime !== 0) return byTime;
    return this.#list.keyOf(a) < this.#list.keyOf(b) ? -1 : 1;
  }
}
