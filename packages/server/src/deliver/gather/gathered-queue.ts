// What of one webhook waits to travel together, or to be superseded: the machines of coalescing and batches, filled with
// the entries of its queue. Must hold each entry once, and must never start or store anything: gathering.ts does.
import { millisecondsOfId } from "../../lib/id-bounds.ts";
import type { Webhook } from "../../storage/configuration.ts";
import type { Kind } from "../fair-turns.ts";
import type { Entry } from "../queue.ts";
import { kindOf } from "../ready.ts";
import { envelopeLength } from "./batch-body.ts";
import { Coalescing, type Passing } from "./coalescing.ts";
import { type ClosedBatch, OpenBatches } from "./open-batches.ts";
import type { GatherPlan } from "./plan.ts";
import type { Startable } from "./startable.ts";

export class GatheredQueue {
  /** The snapshot that the plan was made of. */
  webhook: Webhook;
  /** Null: nothing is gathered (any more); stored batches still go out. */
  plan: GatherPlan | null;
  readonly #coalescing = new Coalescing<Entry>();
  readonly #open = new OpenBatches<Entry>();
  /** May go as soon as there is a slot. */
  readonly #startable: Startable[] = [];
  /** Let through by coalescing and not back yet, with their keys. */
  readonly #keys = new Map<Entry, string>();
  /** Asks for a look at the queue at that time (estimated database time). */
  readonly #wakeAt: (dueMs: number) => void;

  constructor(webhook: Webhook, plan: GatherPlan | null, wakeAt: (dueMs: number) => void) {
    this.webhook = webhook;
    this.plan = plan;
    this.#wakeAt = wakeAt;
  }

  /** How many deliveries wait here, in whatever stage. */
  get count(): number {
    const startable = this.#startable.reduce((sum, { entries }) => sum + entries.length, 0);
    return this.#coalescing.count + this.#open.count + startable;
  }

  /** Of what kind the next one is that may go; undefined when none may. */
  get startableKind(): Kind | undefined {
    const next = this.#startable[0];
    return next === undefined ? undefined : kindOf(next.entries[0]);
  }

  takeStartable(): Startable | undefined {
    return this.#startable.shift();
  }

  addStartable(startable: Startable): void {
    this.#startable.push(startable);
  }

  /** @returns false when it is no state of anything: it goes on at once */
  coalesce(entry: Entry): boolean {
    const rules = this.plan?.coalesce ?? null;
    const key = rules === null ? null : (this.plan as GatherPlan).coalesceKeyOf(entry.event);
    if (rules === null || key === null) return false;
    const atMs = millisecondsOfId(entry.idBytes);
    if (entry.coalescedCount === null && entry.attemptCount === 0) {
      this.#coalescing.arrive(key, entry, atMs, rules);
      return true;
    }
    if (!this.#coalescing.comeBack(key, entry, atMs)) return true;
    this.#keys.set(entry, key);
    return false;
  }

  /** States that have waited long enough. */
  passing(nowMs: number): Passing<Entry>[] {
    const rules = this.plan?.coalesce ?? null;
    if (rules === null) return [];
    const passing = this.#coalescing.due(nowMs, rules);
    for (const { key, survivor } of passing) this.#keys.set(survivor, key);
    return passing;
  }

  /**
   * One that may start joins its batch, or goes by itself. So does one that was tried already: receivers know it by its
   * event's id.
   */
  join(entry: Entry): ClosedBatch<Entry>[] {
    const place = entry.attemptCount > 0 ? null : (this.plan?.batchOf(entry.event) ?? null);
    if (place === null) {
      this.#startable.push({ entries: [entry], batch: null });
      return [];
    }
    const joining = {
      member: entry,
      atMs: millisecondsOfId(entry.idBytes),
      byteLength: envelopeLength(entry.event) + 1,
      flushes: place.flushes,
    };
    return this.#open.join(place.key, joining, place.rules);
  }

  /** Batches that have waited long enough. */
  closing(nowMs: number): ClosedBatch<Entry>[] {
    return this.#open.due(nowMs);
  }

  /** When there is something to do although nothing arrives; Infinity: never. */
  get nextDueMs(): number {
    return Math.min(this.#coalescing.nextDueMs, this.#open.nextDueMs);
  }

  /** An entry has left memory, however: its key is free. */
  left(entry: Entry): void {
    const key = this.#keys.get(entry);
    const rules = this.plan?.coalesce ?? null;
    if (key === undefined) return;
    this.#keys.delete(entry);
    if (rules === null) return;
    this.#coalescing.ended(key, rules);
    if (this.#coalescing.nextDueMs < Number.POSITIVE_INFINITY) this.#wakeAt(this.#coalescing.nextDueMs);
  }

  /**
   * Takes out one that waits. Of a stored batch that waits for its slot all members are taken out: without this one it
   * is not the same batch.
   * @returns what was taken out; empty when it is on its way
   */
  withdraw(entry: Entry): readonly Entry[] {
    if (this.#coalescing.withdraw(entry) || this.#open.withdraw(entry)) return [entry];
    const at = this.#startable.findIndex(({ entries }) => entries.includes(entry));
    return at === -1 ? [] : (this.#startable.splice(at, 1)[0] as Startable).entries;
  }

  /** Takes out all that wait. */
  takeAll(): Entry[] {
    const startable = this.#startable.splice(0).flatMap(({ entries }) => entries);
    return [...startable, ...this.takeUnsettled()];
  }

  /** Takes out what is in no stored batch: it can be gathered anew. */
  takeUnsettled(): Entry[] {
    const single = this.#startable.filter(({ batch }) => batch === null);
    const stored = this.#startable.filter(({ batch }) => batch !== null);
    this.#startable.splice(0, this.#startable.length, ...stored);
    return [...single.flatMap(({ entries }) => entries), ...this.#open.takeAll(), ...this.#coalescing.takeAll()];
  }
}
