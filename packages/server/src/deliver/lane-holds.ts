// Rows on their way to the database that say that this node owns their lane. A lane with such rows must not be given
// away: the next owner reads it once, and would not find what is committed after that.
import { LANE_COUNT } from "../lib/lane.ts";

export class LaneHolds {
  readonly #counts = new Int32Array(LANE_COUNT);

  /** A row is about to be written. */
  hold(lane: number): void {
    this.#counts[lane] = (this.#counts[lane] as number) + 1;
  }

  /** It is committed, or will not be. */
  settle(lane: number): void {
    this.#counts[lane] = (this.#counts[lane] as number) - 1;
  }

  /** @returns settles them; call it once */
  holdAll(lanes: readonly number[]): () => void {
    for (const lane of lanes) this.hold(lane);
    return () => {
      for (const lane of lanes) this.settle(lane);
    };
  }

  isFree(lane: number): boolean {
    return this.#counts[lane] === 0;
  }
}
