// Whether this node may send and which silent node may be taken over: pure, by one monotonic clock and no other.
// Two nodes' clocks are never compared.

/** A node raises its beat this often. */
export const BEAT_INTERVAL_MS = 2_000;
/** An owner stops sending this long after its last successful beat was sent. */
export const LEASE_MS = 8_000;
/** A taker acts only after it has seen the same beat for this long. */
export const SILENCE_MS = 10_000;

export interface LeaseTimings {
  readonly beatIntervalMs: number;
  readonly leaseMs: number;
  readonly silenceMs: number;
  /** What other nodes left is looked for this often when nobody said that there is something; 1 s unless given. */
  readonly handoffLookMs?: number;
}

export const DEFAULT_LEASE: LeaseTimings = {
  beatIntervalMs: BEAT_INTERVAL_MS,
  leaseMs: LEASE_MS,
  silenceMs: SILENCE_MS,
};

/** What one node has seen of the others' beats. */
export class SilenceWatch {
  readonly #silenceMs: number;
  readonly #seen = new Map<string, { incarnation: number; beat: number; sinceMs: number }>();

  constructor(silenceMs: number) {
    this.#silenceMs = silenceMs;
  }

  /**
   * Takes one reading of all other living nodes.
   * @param nowMs monotonic, when the answer arrived: a beat raised since cannot be older
   * @returns those that showed the same beat for the whole silence
   */
  observe<Node extends { id: string; incarnation: number; beat: number }>(
    nodes: readonly Node[],
    nowMs: number,
  ): Node[] {
    const silent: Node[] = [];
    const present = new Set<string>();
    for (const node of nodes) {
      present.add(node.id);
      const before = this.#seen.get(node.id);
      if (before === undefined || before.beat !== node.beat || before.incarnation !== node.incarnation) {
        this.#seen.set(node.id, { incarnation: node.incarnation, beat: node.beat, sinceMs: nowMs });
      } else if (nowMs - before.sinceMs >= this.#silenceMs) {
        silent.push(node);
      }
    }
    for (const id of this.#seen.keys()) if (!present.has(id)) this.#seen.delete(id);
    return silent;
  }
}
