// Which states of one thing are sent: the last of each key, when nothing newer came for a while. While a request of a
// key is on its way the next state waits, so that an older one never arrives last. Pure: must know neither clock nor
// database; whoever calls brings the time, and writes down what was superseded before the survivor is sent.

export interface CoalesceRules {
  /** A state waits until nothing newer came for so long… */
  readonly windowMs: number;
  /** …and no longer than this after the first one that waits. */
  readonly maxWaitMs: number;
}

/** The last state of a key, and those that it stands for. */
export interface Passing<Member> {
  readonly key: string;
  readonly survivor: Member;
  readonly superseded: readonly Member[];
}

interface Waiting<Member> {
  /** In the order in which they came into being; the last one survives. */
  members: { readonly member: Member; readonly order: number }[];
  firstMs: number;
  latestMs: number;
}

/** @typeParam Member something with an order of its own: the time of its making */
export class Coalescing<Member> {
  readonly #waiting = new Map<string, Waiting<Member>>();
  /** Keys of which something was let through that has not come back. */
  readonly #busy = new Map<string, number>();
  #earliestMs = Number.POSITIVE_INFINITY;

  /** How many deliveries wait. */
  get count(): number {
    let count = 0;
    for (const { members } of this.#waiting.values()) count += members.length;
    return count;
  }

  /** A state of this key, made at `atMs`: it waits. One that is older than others that wait waits as one of them. */
  arrive(key: string, member: Member, atMs: number, rules: CoalesceRules): void {
    const waiting = this.#waiting.get(key);
    if (waiting === undefined) {
      const first: Waiting<Member> = { members: [{ member, order: atMs }], firstMs: atMs, latestMs: atMs };
      this.#waiting.set(key, first);
      this.#note(key, first, rules);
      return;
    }
    insert(waiting.members, { member, order: atMs });
    waiting.firstMs = Math.min(waiting.firstMs, atMs);
    waiting.latestMs = Math.max(waiting.latestMs, atMs);
    this.#note(key, waiting, rules);
  }

  /**
   * One that was let through before is due again (its retry, or after a restart). While another state of its key waits it
   * waits with that one, whose time it does not change; else it may go at once, and its key is busy.
   * @returns whether it may go
   */
  comeBack(key: string, member: Member, atMs: number): boolean {
    const waiting = this.#waiting.get(key);
    if (waiting === undefined) {
      this.#begin(key);
      return true;
    }
    insert(waiting.members, { member, order: atMs });
    return false;
  }

  /** Lets through what has waited long enough; its key is busy until `ended`. */
  due(nowMs: number, rules: CoalesceRules): Passing<Member>[] {
    if (nowMs < this.#earliestMs) return [];
    this.#earliestMs = Number.POSITIVE_INFINITY;
    const passing: Passing<Member>[] = [];
    for (const [key, waiting] of this.#waiting) {
      if (deadlineOf(waiting, rules) > nowMs || this.#busy.has(key)) {
        this.#note(key, waiting, rules);
        continue;
      }
      this.#waiting.delete(key);
      const members = waiting.members.map(({ member }) => member);
      this.#begin(key);
      passing.push({ key, survivor: members.at(-1) as Member, superseded: members.slice(0, -1) });
    }
    return passing;
  }

  /** One that was on its way has come back: delivered, ended, or waiting for its retry. */
  ended(key: string, rules: CoalesceRules): void {
    const count = (this.#busy.get(key) ?? 0) - 1;
    if (count > 0) {
      this.#busy.set(key, count);
      return;
    }
    this.#busy.delete(key);
    const waiting = this.#waiting.get(key);
    if (waiting !== undefined) this.#note(key, waiting, rules);
  }

  /** When `due` is worth asking; Infinity when nothing waits for its time. */
  get nextDueMs(): number {
    return this.#earliestMs;
  }

  /** Takes one out that waits. False: it is not here. */
  withdraw(member: Member): boolean {
    for (const [key, { members }] of this.#waiting) {
      const at = members.findIndex((each) => each.member === member);
      if (at === -1) continue;
      members.splice(at, 1);
      if (members.length === 0) this.#waiting.delete(key);
      return true;
    }
    return false;
  }

  /** Takes out all that wait; what is on its way stays known. */
  takeAll(): Member[] {
    const all = [...this.#waiting.values()].flatMap(({ members }) => members.map(({ member }) => member));
    this.#waiting.clear();
    this.#earliestMs = Number.POSITIVE_INFINITY;
    return all;
  }

  #begin(key: string): void {
    this.#busy.set(key, (this.#busy.get(key) ?? 0) + 1);
  }

  #note(key: string, waiting: Waiting<Member>, rules: CoalesceRules): void {
    // A busy key has no time: its end is what it waits for.
    if (!this.#busy.has(key)) this.#earliestMs = Math.min(this.#earliestMs, deadlineOf(waiting, rules));
  }
}

function deadlineOf({ firstMs, latestMs }: Waiting<unknown>, rules: CoalesceRules): number {
  return Math.min(latestMs + rules.windowMs, firstMs + rules.maxWaitMs);
}

/** Nearly always at the end: deliveries come in the order of their making, retries by hand do not. */
function insert<Member>(
  members: { readonly member: Member; readonly order: number }[],
  added: { readonly member: Member; readonly order: number },
): void {
  let at = members.length;
  while (at > 0 && (members[at - 1] as { order: number }).order > added.order) at -= 1;
  members.splice(at, 0, added);
}
