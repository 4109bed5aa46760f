// Which deliveries of one webhook travel in one request: a batch stays open until it is full, old, silent or told to
// go. Pure: must know neither clock nor database; whoever calls brings the time and carries out what is closed.

/** When a batch is closed. */
export interface BatchRules {
  readonly kind: "batch" | "digest";
  readonly maxCount: number;
  /** Of the members together, as they would stand in a body. */
  readonly maxBytes: number;
  /** The age at which the oldest member waits no longer. */
  readonly maxWaitMs: number;
  /** Closed when nothing joined for so long; null: only age and size decide. */
  readonly quietMs: number | null;
}

/** A delivery that joins. */
export interface Joining<Member> {
  readonly member: Member;
  /** When it came into being: after a restart it is as old as it was. */
  readonly atMs: number;
  readonly byteLength: number;
  /** The batch goes with it, at once. */
  readonly flushes: boolean;
}

/** A batch that nothing joins any more, in the order in which its members came. */
export interface ClosedBatch<Member> {
  readonly kind: BatchRules["kind"];
  readonly members: readonly Member[];
}

interface OpenBatch<Member> {
  readonly rules: BatchRules;
  members: Member[];
  byteLength: number;
  oldestMs: number;
  latestMs: number;
}

export class OpenBatches<Member> {
  readonly #open = new Map<string, OpenBatch<Member>>();
  /** Not later than the first deadline. */
  #earliestMs = Number.POSITIVE_INFINITY;

  /** How many deliveries wait. */
  get count(): number {
    let count = 0;
    for (const { members } of this.#open.values()) count += members.length;
    return count;
  }

  /** Adds one to the open batch of its key. @returns the batches that this closes: none, one, or the full one and its own */
  join(key: string, joining: Joining<Member>, rules: BatchRules): ClosedBatch<Member>[] {
    const closed: ClosedBatch<Member>[] = [];
    let batch = this.#open.get(key);
    if (batch !== undefined && batch.byteLength + joining.byteLength > rules.maxBytes) {
      closed.push(this.#close(key, batch));
      batch = undefined;
    }
    if (batch === undefined) {
      batch = { rules, members: [], byteLength: 0, oldestMs: joining.atMs, latestMs: joining.atMs };
      this.#open.set(key, batch);
    }
    batch.members.push(joining.member);
    batch.byteLength += joining.byteLength;
    batch.oldestMs = Math.min(batch.oldestMs, joining.atMs);
    batch.latestMs = Math.max(batch.latestMs, joining.atMs);
    if (joining.flushes || batch.members.length >= rules.maxCount) closed.push(this.#close(key, batch));
    else this.#earliestMs = Math.min(this.#earliestMs, deadlineOf(batch));
    return closed;
  }

  /** Closes what has waited long enough. Ask after everything that is there has joined: a backlog is old already. */
  due(nowMs: number): ClosedBatch<Member>[] {
    if (nowMs < this.#earliestMs) return [];
    const closed: ClosedBatch<Member>[] = [];
    this.#earliestMs = Number.POSITIVE_INFINITY;
    for (const [key, batch] of this.#open) {
      const deadlineMs = deadlineOf(batch);
      if (deadlineMs <= nowMs) closed.push(this.#close(key, batch));
      else this.#earliestMs = Math.min(this.#earliestMs, deadlineMs);
    }
    return closed;
  }

  /** When `due` is worth asking; Infinity when nothing waits. */
  get nextDueMs(): number {
    return this.#earliestMs;
  }

  /** Takes one out that waits. False: it is not here. */
  withdraw(member: Member): boolean {
    for (const [key, batch] of this.#open) {
      const at = batch.members.indexOf(member);
      if (at === -1) continue;
      batch.members.splice(at, 1);
      // Its share of the bytes stays counted: the batch leaves a little smaller than it might.
      if (batch.members.length === 0) this.#open.delete(key);
      return true;
    }
    return false;
  }

  takeAll(): Member[] {
    const all = [...this.#open.values()].flatMap(({ members }) => members);
    this.#open.clear();
    this.#earliestMs = Number.POSITIVE_INFINITY;
    return all;
  }

  #close(key: string, batch: OpenBatch<Member>): ClosedBatch<Member> {
    this.#open.delete(key);
    return { kind: batch.rules.kind, members: batch.members };
  }
}

function deadlineOf({ rules, oldestMs, latestMs }: OpenBatch<unknown>): number {
  const ofAge = oldestMs + rules.maxWaitMs;
  return rules.quietMs === null ? ofAge : Math.min(ofAge, latestMs + rules.quietMs);
}
