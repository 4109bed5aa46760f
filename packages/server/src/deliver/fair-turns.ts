// Whose turn it is while there are fewer slots than requests: deficit round robin over classes of endpoints, then fresh
// and repeated deliveries, then tenants, then webhooks. Pure: what may go is asked for, nothing is started here. Must let
// everybody who waits have a turn within a bounded number of turns of the others, and cost the same however many wait.
import type { Priority } from "../storage/priority.ts";

/** Sent for the first time, or anything else: a retry, a replay, a delivery that somebody wants tried again. */
export type Kind = "fresh" | "again";

/** A place in a round. It has its turn as long as it has credit, and gets more of it once a round. */
class Place {
  /** What it gets in a round, in the unit of costs. */
  quantum: number;
  /** May be negative: a dear request is paid for in the rounds that follow. */
  credit = 0;
  hasTurn = false;
  next: this | null = null;
  previous: this | null = null;

  constructor(quantum: number) {
    this.quantum = quantum;
  }

  get isWaiting(): boolean {
    return this.next !== null;
  }
}

/** Places that wait, in the order of their turns. */
class Ring<P extends Place> {
  #head: P | null = null;
  count = 0;

  /** At the end. */
  add(place: P): void {
    const head = this.#head;
    this.count += 1;
    if (head === null) {
      place.next = place;
      place.previous = place;
      this.#head = place;
      return;
    }
    const last = head.previous as P;
    place.previous = last;
    place.next = head;
    last.next = place;
    head.previous = place;
  }

  remove(place: P): void {
    const next = place.next as P;
    this.count -= 1;
    if (next === place) this.#head = null;
    else {
      const previous = place.previous as P;
      previous.next = next;
      next.previous = previous;
      if (this.#head === place) this.#head = next;
    }
    place.next = null;
    place.previous = null;
    place.hasTurn = false;
    // What it did not use is lost, what it owes is not forgiven.
    place.credit = Math.min(0, place.credit);
  }

  /** Whose turn it is; null when none of them may go. */
  turn(mayGo: (place: P) => boolean = yes): P | null {
    for (let refused = 0; refused < this.count; ) {
      const place = this.#head as P;
      if (mayGo(place)) {
        refused = 0;
        if (!place.hasTurn) {
          place.hasTurn = true;
          place.credit = Math.min(place.quantum, place.credit + place.quantum);
        }
        if (place.credit > 0) return place;
      } else refused += 1;
      place.hasTurn = false;
      this.#head = place.next as P;
    }
    return null;
  }
}

const yes = (): boolean => true;

/**
 * The unit is the cheapest request; one costs up to MAX_COST, by the time for which it is expected to hold its slot. What it
 * costs more than a round brings is owed, and paid in the rounds that follow: at most so many of them pass a place by.
 */
export const MAX_COST = 16;
/** What a webhook gets in its tenant's round. Small, so that turns alternate. */
export const PRIORITY_QUANTUM: Readonly<Record<Priority, number>> = { high: 16, normal: 4, low: 1 };
const TENANT_QUANTUM = 4;
/** Of ten turns in which both wait. */
export const KIND_SHARE: Readonly<Record<Kind, number>> = { fresh: 7, again: 3 };

/** One that waits: a queue with deliveries of one kind. */
export class Turn<Queue> extends Place {
  readonly queue: Queue;
  readonly kind: Kind;
  /** Where it waits; null while it does not. */
  place: { readonly group: Group<Queue>; readonly kind: KindPlace<Queue>; readonly tenant: TenantPlace<Queue> } | null =
    null;

  constructor(queue: Queue, kind: Kind) {
    super(PRIORITY_QUANTUM.normal);
    this.queue = queue;
    this.kind = kind;
  }
}

class TenantPlace<Queue> extends Place {
  readonly tenant: string;
  readonly ring = new Ring<Turn<Queue>>();

  constructor(tenant: string) {
    super(TENANT_QUANTUM);
    this.tenant = tenant;
  }
}

class KindPlace<Queue> extends Place {
  readonly ring = new Ring<TenantPlace<Queue>>();
  readonly tenants = new Map<string, TenantPlace<Queue>>();
}

class Group<Queue> extends Place {
  readonly name: string;
  readonly ring = new Ring<KindPlace<Queue>>();
  readonly kinds: Readonly<Record<Kind, KindPlace<Queue>>>;
  waitingCount = 0;

  constructor(name: string, share: number) {
    super(share);
    this.name = name;
    this.kinds = {
      fresh: new KindPlace<Queue>(KIND_SHARE.fresh),
      again: new KindPlace<Queue>(KIND_SHARE.again),
    };
  }
}

export class FairTurns<GroupName extends string, Queue> {
  readonly #groups: Readonly<Record<GroupName, Group<Queue>>>;
  readonly #ring = new Ring<Group<Queue>>();

  /** @param shares of turns that each class gets while all of them wait and may go */
  constructor(shares: Readonly<Record<GroupName, number>>) {
    const groups = Object.entries<number>(shares).map(
      ([name, share]) => [name, new Group<Queue>(name, share)] as const,
    );
    this.#groups = Object.fromEntries(groups) as Record<GroupName, Group<Queue>>;
  }

  /** How many wait in this class, by queue and kind. */
  waitingCount(group: GroupName): number {
    return this.#groups[group].waitingCount;
  }

  /** It waits, in this class, with this priority; where it waits already it keeps its place. */
  join(turn: Turn<Queue>, groupName: GroupName, tenantUuid: string, priority: Priority): void {
    turn.quantum = PRIORITY_QUANTUM[priority];
    if (turn.place?.group.name === groupName) return;
    this.leave(turn);
    const group = this.#groups[groupName];
    const kind = group.kinds[turn.kind];
    let tenant = kind.tenants.get(tenantUuid);
    if (tenant === undefined) {
      tenant = new TenantPlace<Queue>(tenantUuid);
      kind.tenants.set(tenantUuid, tenant);
      kind.ring.add(tenant);
    }
    tenant.ring.add(turn);
    turn.place = { group, kind, tenant };
    group.waitingCount += 1;
    if (!kind.isWaiting) group.ring.add(kind);
    if (!group.isWaiting) this.#ring.add(group);
  }

  /** It waits no longer. */
  leave(turn: Turn<Queue>): void {
    if (turn.place === null) return;
    const { group, kind, tenant } = turn.place;
    turn.place = null;
    group.waitingCount -= 1;
    tenant.ring.remove(turn);
    if (tenant.ring.count > 0) return;
    kind.tenants.delete(tenant.tenant);
    kind.ring.remove(tenant);
    if (kind.ring.count > 0) return;
    group.ring.remove(kind);
    if (group.ring.count === 0) this.#ring.remove(group);
  }

  /** Whose turn it is among the classes of which something may go; it keeps it until it has paid for it or left. */
  next(mayGo: (group: GroupName) => boolean): Turn<Queue> | null {
    const group = this.#ring.turn((place) => mayGo(place.name as GroupName));
    return group?.ring.turn()?.ring.turn()?.ring.turn() ?? null;
  }

  /** It had its turn: a request of this cost was started. */
  pay(turn: Turn<Queue>, cost: number): void {
    turn.credit -= cost;
    if (turn.place === null) return;
    turn.place.tenant.credit -= cost;
    turn.place.kind.credit -= cost;
    turn.place.group.credit -= cost;
  }
}
