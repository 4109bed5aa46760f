// Watches deliveries: new ones, and what becomes of those that are under way, whenever that is. A delivery is given each
// time its state or its number of attempts changes; one that was not tried yet is nothing to tell.
import { isPosthornError, type DeliveryQuery, type DeliveryRecord, type ListedDelivery } from "@posthorn/client";
import { Follower } from "./follower.ts";

/** Where deliveries are read; a client's `deliveries`. */
export interface DeliverySource {
  readonly list: (query: DeliveryQuery) => AsyncIterable<ListedDelivery>;
  readonly get: (id: string) => Promise<DeliveryRecord>;
}

export interface WatchOptions {
  readonly query: Pick<DeliveryQuery, "webhookId" | "type">;
  /** From when on, milliseconds since 1970; null: from now on. */
  readonly startMs: number | null;
  /** Of this machine: it only decides when to look at one again. */
  readonly nowMs: () => number;
}

/** So many are watched until their end; of the others only what happens within seconds is seen. */
const MAX_OPEN = 10_000;
/** More than can be open, so that none of those is forgotten. */
const MAX_KNOWN = 2 * MAX_OPEN;
/** Deliveries under way already at the start that are watched too. */
const MAX_OPEN_AT_START = 1_000;
/** Single reads for each look. */
const READS = 40;
const AFTER_DUE_MS = 400;
const HELD_EVERY_MS = 5_000;
const LONGEST_MS = 30_000;

const markOf = (delivery: ListedDelivery): string => `${delivery.state} ${delivery.attemptCount}`;
const isOpen = ({ state }: ListedDelivery): boolean => state === "pending" || state === "held";

export class DeliveryWatch {
  readonly #source: DeliverySource;
  readonly #options: WatchOptions;
  readonly #follower: Follower<ListedDelivery>;
  /** When to look at those again that have not ended, by this machine's clock. */
  readonly #open = new Map<string, number>();
  /** The marks told last, oldest first. */
  readonly #known = new Map<string, string>();
  #hasBegun = false;

  constructor(source: DeliverySource, options: WatchOptions) {
    this.#source = source;
    this.#options = options;
    const list = (from: string | undefined) =>
      source.list({ ...options.query, limit: 200, ...(from === undefined ? {} : { from }) });
    const madeAtMs = (delivery: ListedDelivery) => Date.parse(delivery.createdAt);
    this.#follower = new Follower({ list, madeAtMs, keyOf: ({ id }) => id, markOf }, options.startMs);
  }

  /** What changed since the look before. */
  async look(isFar: boolean): Promise<ListedDelivery[]> {
    if (!this.#hasBegun) await this.#begin();
    const found = await this.#follower.look(isFar);
    const changed = found.filter((delivery) => this.#isNews(delivery));
    for (const delivery of found) this.#note(delivery);
    changed.push(...(await this.#lookAtDue()));
    return changed.filter(({ state, attemptCount }) => state !== "pending" || attemptCount > 0);
  }

  async #begin(): Promise<void> {
    for (const state of ["pending", "held"] as const) {
      for await (const delivery of this.#source.list({ ...this.#options.query, state, limit: 200 })) {
        this.#note(delivery);
        if (this.#open.size >= MAX_OPEN_AT_START) break;
      }
    }
    this.#hasBegun = true;
  }

  async #lookAtDue(): Promise<ListedDelivery[]> {
    const nowMs = this.#options.nowMs();
    const due = [...this.#open].filter(([, lookAtMs]) => lookAtMs <= nowMs).slice(0, READS);
    const changed: ListedDelivery[] = [];
    for (const [id] of due) {
      const delivery = await this.#read(id);
      // To the end of the row: whoever is not due again soon must not stand in the others' way.
      this.#open.delete(id);
      if (delivery === null) continue;
      if (this.#isNews(delivery)) changed.push(delivery);
      this.#note(delivery);
    }
    return changed;
  }

  /** The list and a single read may both find the same change. */
  #isNews(delivery: ListedDelivery): boolean {
    return this.#known.get(delivery.id) !== markOf(delivery);
  }

  /** As the list shows it, so that all are of one shape; null when it is gone with its event. */
  async #read(id: string): Promise<ListedDelivery | null> {
    try {
      const { attempts: _attempts, nextAttempts: _nextAttempts, ...listed } = await this.#source.get(id);
      return listed;
    } catch (error) {
      if (isPosthornError(error, "NOT_FOUND")) return null;
      throw error;
    }
  }

  #note(delivery: ListedDelivery): void {
    const { id, state, nextAttemptAt } = delivery;
    this.#known.delete(id);
    this.#known.set(id, markOf(delivery));
    for (const oldest of this.#known.keys()) {
      if (this.#known.size <= MAX_KNOWN) break;
      this.#known.delete(oldest);
    }
    if (!isOpen(delivery)) {
      this.#open.delete(id);
      return;
    }
    if (this.#open.size >= MAX_OPEN && !this.#open.has(id)) return;
    const nowMs = this.#options.nowMs();
    const dueMs = nextAttemptAt === null ? nowMs : Date.parse(nextAttemptAt);
    const lookAtMs =
      state === "held" ? nowMs + HELD_EVERY_MS : Math.min(nowMs + LONGEST_MS, Math.max(nowMs, dueMs) + AFTER_DUE_MS);
    this.#open.set(id, lookAtMs);
  }
}
