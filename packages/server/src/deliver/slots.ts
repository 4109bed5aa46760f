// The node's slots: how many requests are under way, for what sort of endpoint, and whose turn it is when one becomes free.
// Pure: must know neither clocks nor receivers. Endpoints that are not known to work must never hold more than their part,
// and the last slots must stay for those who hold hardly any.
import { FairTurns, type Kind, MAX_COST, Turn } from "./fair-turns.ts";
import type { WebhookQueue } from "./queue.ts";

/**
 * `unhealthy`: nothing comes back, or its breaker says that it fails. `unproven`: it has not answered yet, or not the
 * last time. `proven`: it answers, whatever it answers.
 */
export type Standing = "unhealthy" | "unproven" | "proven";

/** Those that hold hardly any slot, those that hold some, and those that may not hold many together. */
type Group = "small" | "large" | "unproven" | "unhealthy";

/** Of ten turns in which all of them wait and may go. */
const GROUP_SHARES: Readonly<Record<Group, number>> = { small: 4, large: 3, unproven: 2, unhealthy: 1 };
/** All unhealthy endpoints together hold at most this part of the slots, and with the unproven ones this one. */
export const UNHEALTHY_SHARE = 0.1;
export const UNPROVEN_SHARE = 0.5;
/** The last part of the slots is for webhooks that hold less than FEW of them (one that is not proven: none). */
export const RESERVED_SHARE = 0.05;
export const FEW = 4;
/** The shortest request costs one unit; one more for each of these, up to MAX_COST. */
const MS_PER_COST = 250;

export class Slots {
  readonly #maxCount: number;
  readonly #maxUnhealthy: number;
  readonly #maxUnproven: number;
  readonly #reservedCount: number;
  readonly #turns = new FairTurns<Group, WebhookQueue>(GROUP_SHARES);
  readonly #taken: Record<Standing, number> = { unhealthy: 0, unproven: 0, proven: 0 };
  #takenCount = 0;

  constructor(maxCount: number) {
    this.#maxCount = maxCount;
    this.#maxUnhealthy = Math.max(1, Math.floor(maxCount * UNHEALTHY_SHARE));
    this.#maxUnproven = Math.max(1, Math.floor(maxCount * UNPROVEN_SHARE));
    this.#reservedCount = Math.floor(maxCount * RESERVED_SHARE);
  }

  get takenCount(): number {
    return this.#takenCount;
  }

  /** Slots that endpoints of this standing hold. */
  takenBy(standing: Standing): number {
    return this.#taken[standing];
  }

  /** What is known of its endpoint now: its requests under way count for that. */
  judge(queue: WebhookQueue, standing: Standing): void {
    if (queue.standing === standing) return;
    this.#taken[queue.standing] -= queue.inFlightCount;
    this.#taken[standing] += queue.inFlightCount;
    queue.standing = standing;
  }

  /** May one more request of this queue start without waiting for its turn? */
  mayTake(queue: WebhookQueue): boolean {
    const group = groupOf(queue);
    return this.#isOpen(group) && this.#turns.waitingCount(group) === 0;
  }

  /** A request of this queue starts. */
  take(queue: WebhookQueue): void {
    queue.inFlightCount += 1;
    this.#takenCount += 1;
    this.#taken[queue.standing] += 1;
  }

  /** It ended. */
  release(queue: WebhookQueue): void {
    queue.inFlightCount -= 1;
    this.#takenCount -= 1;
    this.#taken[queue.standing] -= 1;
  }

  /** This queue has something of these kinds to start, and waits for its turn with it; with the other kind it does not. */
  wait(queue: WebhookQueue, kinds: { readonly fresh: boolean; readonly again: boolean }): void {
    const turns = (queue.turns ??= { fresh: new Turn(queue, "fresh"), again: new Turn(queue, "again") });
    this.#set(turns.fresh, kinds.fresh);
    this.#set(turns.again, kinds.again);
  }

  /** It waits for no turn any more. */
  leave(queue: WebhookQueue): void {
    if (queue.turns === undefined) return;
    this.#turns.leave(queue.turns.fresh);
    this.#turns.leave(queue.turns.again);
  }

  /** Whose turn it is; it stays so until it has paid, or does not wait any more. Null: nobody may go now. */
  next(): { readonly queue: WebhookQueue; readonly kind: Kind } | null {
    return this.#turns.next((group) => this.#isOpen(group));
  }

  /** A request was started in its turn. */
  pay({ turns, expectedMs }: WebhookQueue, kind: Kind): void {
    if (turns !== undefined) this.#turns.pay(turns[kind], costOf(expectedMs));
  }

  #set(turn: Turn<WebhookQueue>, isWaiting: boolean): void {
    const { webhook } = turn.queue;
    if (isWaiting) this.#turns.join(turn, groupOf(turn.queue), webhook.tenantUuid, webhook.priority);
    else this.#turns.leave(turn);
  }

  #isOpen(group: Group): boolean {
    const freeCount = this.#maxCount - this.#takenCount;
    if (group === "small") return freeCount > 0;
    if (freeCount <= this.#reservedCount) return false;
    if (group === "large") return true;
    const { unhealthy, unproven } = this.#taken;
    if (unhealthy + unproven >= this.#maxUnproven) return false;
    return group === "unproven" || unhealthy < this.#maxUnhealthy;
  }
}

function groupOf({ standing, inFlightCount }: WebhookQueue): Group {
  switch (standing) {
    case "unhealthy":
      return "unhealthy";
    case "unproven":
      return inFlightCount === 0 ? "small" : "unproven";
    case "proven":
      return inFlightCount < FEW ? "small" : "large";
    default:
      return standing satisfies never;
  }
}

/** What a request costs that is expected to hold its slot for so long. */
export function costOf(expectedMs: number): number {
  return Math.min(MAX_COST, 1 + Math.floor(expectedMs / MS_PER_COST));
}
