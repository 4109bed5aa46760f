// A list of the API: for await over all of it, or page by page. Asks for a page only when somebody wants it.

/** One page of a list. */
export interface Page<Item> {
  readonly data: readonly Item[];
  readonly pagination: {
    readonly hasMore: boolean;
    /** Give it to `page()` for the next one; null on the last. */
    readonly nextCursor: string | null;
    readonly limit: number;
  };
  readonly requestId: string;
}

/**
 * A list that has not been read yet.
 * @example for await (const delivery of posthorn.deliveries.list({ state: "dead_letter" })) console.log(delivery.id)
 */
export class Listing<Item> implements AsyncIterable<Item> {
  readonly #load: (cursor: string | undefined) => Promise<Page<Item>>;

  constructor(load: (cursor: string | undefined) => Promise<Page<Item>>) {
    this.#load = load;
  }

  /** One page: the first, or the one that `cursor` (a page's `nextCursor`) leads to. */
  page(cursor?: string): Promise<Page<Item>> {
    return this.#load(cursor);
  }

  /** Every page, the next one only when it is asked for. */
  async *pages(): AsyncGenerator<Page<Item>, void, undefined> {
    for (let cursor: string | undefined; ; ) {
      const page = await this.#load(cursor);
      yield page;
      if (page.pagination.nextCursor === null) return;
      cursor = page.pagination.nextCursor;
    }
  }

  /** Every item, in the order of the list. */
  async *[Symbol.asyncIterator](): AsyncGenerator<Item, void, undefined> {
    for await (const page of this.pages()) yield* page.data;
  }

  /** Up to `limit` items as an array. */
  async take(limit: number): Promise<Item[]> {
    const items: Item[] = [];
    if (limit <= 0) return items;
    for await (const item of this) {
      items.push(item);
      if (items.length >= limit) break;
    }
    return items;
  }
}
