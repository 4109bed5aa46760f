// Rate limiting by the generic cell rate algorithm: one number of state. Pure; the caller brings the time, which must
// never run backwards. Over any window of length `per` it lets at most limit + burst requests through.

export class Gcra {
  readonly #periodMs: number;
  readonly #toleranceMs: number;
  /** Theoretical arrival time of the next request, in the caller's milliseconds. */
  #tatMs = Number.NEGATIVE_INFINITY;

  /**
   * @param limit requests for each `perMs`
   * @param burst further requests that may come at once; a fraction lets late ones catch up without two at once
   */
  constructor(limit: number, perMs: number, burst: number) {
    this.#periodMs = perMs / limit;
    this.#toleranceMs = this.#periodMs * (burst + 1);
  }

  /**
   * Asks whether one request may go now.
   * @param charge how many requests it counts for: a batch goes when one would go, and is paid for by those after it
   * @returns 0 when it may go; otherwise the milliseconds until it may
   */
  take(nowMs: number, charge = 1): number {
    const earliestMs = Math.max(nowMs, this.#tatMs) + this.#periodMs - this.#toleranceMs;
    if (earliestMs > nowMs) return earliestMs - nowMs;
    this.#tatMs = Math.max(nowMs, this.#tatMs) + this.#periodMs * charge;
    return 0;
  }

  /** As if everything that it ever lets through had gone at `nowMs`: the next request may go one period later. */
  empty(nowMs: number): void {
    this.#tatMs = Math.max(this.#tatMs, nowMs + this.#toleranceMs);
  }

  /** True when nothing of the past counts any more: a new one would decide the same. */
  isFull(nowMs: number): boolean {
    return this.#tatMs <= nowMs;
  }
}
