// Reads ordered webhooks: for each key that something was heard of, the first deliveries that the table holds of it, in
// the order of `seq`. Must read no key of which something is in memory, and must take only what is due without a gap:
// whatever stands before a delivery of its key is then in memory, or has ended.
import type { Clock } from "../lib/clock.ts";
import type { Executor } from "../storage/pools.ts";
import type { DueRow } from "./deliver.sql.ts";
import type { Endpoints } from "./endpoints.ts";
import { type KeyedRow, selectFirstOfKeys, selectKeys } from "./order.sql.ts";
import type { OrderedEntries } from "./order.ts";
import type { DeliveryMemory, Entry, WebhookQueue } from "./queue.ts";

export interface OrderedRefillOptions {
  readonly db: Executor;
  readonly clock: Clock;
  readonly memory: DeliveryMemory;
  readonly endpoints: Pick<Endpoints, "wantedRows">;
  /** Takes a row into memory; null: it must not be taken (its lane, a cancellation), or has ended. */
  readonly entryOf: (queue: WebhookQueue, row: DueRow) => Entry | null;
  /**
   * Reads what has no key, as unordered queues are read: what was routed before the webhook was ordered. False: the lanes
   * were lost.
   */
  readonly readKeyless: (queue: WebhookQueue) => Promise<boolean>;
}

/** Deliveries of one key that come into memory together. */
const ROWS_PER_KEY = 8;
/** Keys asked for in one statement, and of one webhook. */
const KEYS_PER_READ = 512;
const KEYS_PER_QUEUE = 128;
/** Keys found in one statement of a look through all of them. */
const KEYS_PER_PAGE = 500;
/** When a key is asked for again whose first delivery could not be taken. */
const AGAIN_MS = 1_000;

interface AskedKey {
  readonly queue: WebhookQueue;
  readonly ordered: OrderedEntries;
  readonly key: string;
}

export class OrderedRefill {
  readonly #options: OrderedRefillOptions;

  constructor(options: OrderedRefillOptions) {
    this.#options = options;
  }

  /** One read for these queues; `isCurrent` is false once their lanes are lost. */
  async read(queues: readonly WebhookQueue[], isCurrent: () => boolean): Promise<void> {
    const nowMs = this.#options.clock.nowMs();
    for (const queue of queues) {
      if (queue.spilled || queue.keyCursor !== undefined || queue.nextDueAtMs <= nowMs) {
        await this.#lookThrough(queue, isCurrent);
      }
    }
    const asked = this.#keysToAsk(queues, nowMs);
    if (asked.length === 0 || !isCurrent()) return;
    try {
      const requests = asked.map(({ queue: { webhook }, key }) => ({
        tenantBytes: webhook.tenantBytes,
        webhookBytes: webhook.bytes,
        key,
      }));
      const rows = await selectFirstOfKeys(this.#options.db, requests, ROWS_PER_KEY, nowMs);
      if (isCurrent()) this.#addRows(asked, rows, nowMs);
    } catch (error) {
      for (const { ordered, key } of asked) ordered.wantKey(key);
      throw error;
    }
  }

  #keysToAsk(queues: readonly WebhookQueue[], nowMs: number): AskedKey[] {
    const asked: AskedKey[] = [];
    for (const queue of queues) {
      const { ordered } = queue;
      if (ordered === null) continue;
      const { memory, endpoints } = this.#options;
      // Of one that gets few requests few are kept in memory.
      const rows = Math.min(memory.roomFor(queue), endpoints.wantedRows(queue.webhook));
      const room = Math.floor(rows / ROWS_PER_KEY);
      const limit = Math.min(KEYS_PER_QUEUE, KEYS_PER_READ - asked.length, Math.max(1, room));
      for (const key of ordered.takeKeysToRead(nowMs, limit)) asked.push({ queue, ordered, key });
    }
    return asked;
  }

  #addRows(asked: readonly AskedKey[], rows: readonly KeyedRow[], nowMs: number): void {
    let at = 0;
    asked.forEach((each, index) => {
      const from = at;
      while (rows[at]?.place === index + 1) at += 1;
      // Order was switched off meanwhile: then everything is read again in another way.
      if (each.queue.ordered === each.ordered) this.#addKey(each, rows.slice(from, at), nowMs);
    });
  }

  #addKey({ queue, ordered, key }: AskedKey, rows: readonly KeyedRow[], nowMs: number): void {
    const entries: Entry[] = [];
    for (const row of rows) {
      if (row.due_ms === null || row.due_ms > nowMs) {
        if (entries.length === 0) ordered.headDueAt(key, row.due_ms ?? Number.POSITIVE_INFINITY);
        break;
      }
      const entry = this.#options.entryOf(queue, row);
      if (entry === null) {
        if (entries.length === 0) ordered.headDueAt(key, nowMs + AGAIN_MS);
        break;
      }
      entries.push(entry);
    }
    if (entries.length > 0) ordered.add(key, entries, entries.length < rows.length || rows.length === ROWS_PER_KEY);
  }

  /** All its keys, a bounded number in a read; first what has none. */
  async #lookThrough(queue: WebhookQueue, isCurrent: () => boolean): Promise<void> {
    const { db, readKeyless } = this.#options;
    const { ordered, webhook } = queue;
    if (ordered === null) return;
    try {
      if (queue.keyCursor === undefined) {
        queue.keyCursor = null;
        if (!(await readKeyless(queue))) return;
      }
      while (ordered.keysToReadCount < KEYS_PER_READ && isCurrent() && queue.ordered === ordered) {
        const after = queue.keyCursor ?? null;
        const keys = await selectKeys(
          db,
          { tenantBytes: webhook.tenantBytes, webhookBytes: webhook.bytes },
          after,
          KEYS_PER_PAGE,
        );
        for (const key of keys) ordered.wantKey(key);
        queue.keyCursor = keys.length < KEYS_PER_PAGE ? undefined : keys.at(-1);
        if (queue.keyCursor === undefined) return;
      }
    } catch (error) {
      queue.spilled = true;
      queue.keyCursor = undefined;
      throw error;
    }
  }
}
