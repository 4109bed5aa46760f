// Which of the 256 lanes each living node should have: pure. Every node computes the same plan from the same rows and
// carries out its own part of it. Shares differ by one at most, and a lane moves only when its owner has too many:
// must never plan a move out of an even state, or lanes would wander for ever.

/** By lane: the node that owns it, or null. */
export type LaneOwners = readonly (string | null)[];

/**
 * How many lanes each node should have. Those that have the most get what cannot be divided evenly, so that an even
 * state stays as it is.
 * @param nodes that are alive and stay
 */
export function quotasOf(nodes: readonly string[], owners: LaneOwners): Map<string, number> {
  const counts = new Map<string, number>(nodes.map((node) => [node, 0]));
  for (const owner of owners) {
    const count = owner === null ? undefined : counts.get(owner);
    if (count !== undefined) counts.set(owner as string, count + 1);
  }
  const share = Math.floor(owners.length / nodes.length);
  const rest = owners.length % nodes.length;
  const byCount = [...counts].sort(
    ([one, oneCount], [other, otherCount]) => otherCount - oneCount || (one < other ? -1 : 1),
  );
  return new Map(byCount.map(([node], index) => [node, index < rest ? share + 1 : share]));
}

/**
 * The free lanes that this node should take now. Nodes that look at the same rows take different ones, so that they do
 * not wait for each other's row locks.
 */
export function lanesToTake(me: string, nodes: readonly string[], owners: LaneOwners): number[] {
  const free: number[] = [];
  owners.forEach((owner, lane) => owner === null && free.push(lane));
  if (free.length === 0 || !nodes.includes(me)) return [];
  const quotas = quotasOf(nodes, owners);
  const counts = countsOf(owners);
  let from = 0;
  for (const node of [...nodes].sort()) {
    const missing = Math.max(0, (quotas.get(node) as number) - (counts.get(node) ?? 0));
    if (node === me) return free.slice(from, from + missing);
    from += missing;
  }
  return [];
}

/** How many lanes more than its share this node has; all of them when it does not stay. */
export function surplusOf(me: string, nodes: readonly string[], owners: LaneOwners): number {
  const count = countsOf(owners).get(me) ?? 0;
  if (!nodes.includes(me)) return count;
  return Math.max(0, count - (quotasOf(nodes, owners).get(me) as number));
}

/** How many lanes this node lacks. */
export function missingOf(me: string, nodes: readonly string[], owners: LaneOwners): number {
  if (!nodes.includes(me)) return 0;
  return Math.max(0, (quotasOf(nodes, owners).get(me) as number) - (countsOf(owners).get(me) ?? 0));
}

function countsOf(owners: LaneOwners): Map<string, number> {
  const counts = new Map<string, number>();
  for (const owner of owners) if (owner !== null) counts.set(owner, (counts.get(owner) ?? 0) + 1);
  return counts;
}

/** A drain that is given up after this long is tried again with twice the time, up to the longest attempt there is. */
export const FIRST_PATIENCE_MS = 1_000;
const LONGEST_PATIENCE_MS = 32_000;
/** A lane that was too busy to move is left in peace for this long. */
export const REST_MS = 5_000;

/**
 * The lanes that a node is about to give away. While a lane drains nothing of it starts, so a lane with slow requests
 * is not kept waiting for them at once: it goes on, and is asked for again later with more patience. Quiet lanes are
 * chosen first. By one monotonic clock.
 */
export class LaneDrains {
  readonly #since = new Map<number, number>();
  readonly #tried = new Map<number, { patienceMs: number; notBeforeMs: number }>();

  has(lane: number): boolean {
    return this.#since.has(lane);
  }

  get lanes(): readonly number[] {
    return [...this.#since.keys()];
  }

  /**
   * Brings the number of draining lanes to what is asked for.
   * @param owned by this node
   * @param loadOf how much a lane has under way; 0 for a quiet one
   * @returns lanes that begin to drain, and those that are kept after all
   */
  adjust(
    wantedCount: number,
    owned: readonly number[],
    loadOf: (lane: number) => number,
    nowMs: number,
  ): { begun: number[]; kept: number[] } {
    const kept = this.lanes.slice(wantedCount);
    for (const lane of kept) this.#since.delete(lane);
    const begun = owned
      .filter((lane) => !this.#since.has(lane) && (this.#tried.get(lane)?.notBeforeMs ?? 0) <= nowMs)
      .map((lane) => ({ lane, load: loadOf(lane) }))
      .sort((one, other) => one.load - other.load || one.lane - other.lane)
      .slice(0, Math.max(0, wantedCount - this.#since.size))
      .map(({ lane }) => lane);
    for (const lane of begun) this.#since.set(lane, nowMs);
    return { begun, kept };
  }

  /** Lanes that were not drained in time: they are kept for now. */
  expire(nowMs: number): number[] {
    const expired: number[] = [];
    for (const [lane, sinceMs] of this.#since) {
      const patienceMs = this.#tried.get(lane)?.patienceMs ?? FIRST_PATIENCE_MS;
      if (nowMs - sinceMs < patienceMs) continue;
      this.#since.delete(lane);
      this.#tried.set(lane, {
        patienceMs: Math.min(LONGEST_PATIENCE_MS, patienceMs * 2),
        notBeforeMs: nowMs + REST_MS,
      });
      expired.push(lane);
    }
    return expired;
  }

  /** Lanes that were given away. */
  released(lanes: readonly number[]): void {
    for (const lane of lanes) {
      this.#since.delete(lane);
      this.#tried.delete(lane);
    }
  }

  /** Everything is lost, or nothing has to move. */
  clear(): void {
    this.#since.clear();
    this.#tried.clear();
  }
}
