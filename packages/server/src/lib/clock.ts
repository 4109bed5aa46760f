// Time as a parameter. Durations and leases use `monotonicMs`; what is written down or compared with the database uses
// `nowMs`, the node's estimate of database time. Nothing else may call Date.now() or performance.now().

export interface Clock {
  /** Estimate of database time: milliseconds since 1970. Set right by every beat; may step. */
  nowMs(): number;
  /** Milliseconds since some start; never steps, whatever happens to the wall clock. */
  monotonicMs(): number;
}

/** What became of a reading of database time. */
export type Reading =
  /** The estimate follows it. */
  | { readonly kind: "followed" }
  /** The first one, and this machine's own clock says something else. It is followed: all nodes have one time. */
  | { readonly kind: "followed_against_wall"; readonly aheadMs: number }
  /** The database's clock has jumped, and this machine's own does not say so too: the estimate goes on as it was. */
  | { readonly kind: "jumped"; readonly aheadMs: number };

/** Clocks that are set by the network differ by less; one that is set by hand, or was restored, by more. */
const JUMP_MS = 60_000;
const FOLLOWED: Reading = { kind: "followed" };

/**
 * A clock whose idea of database time is set right from answers of the database. A jump of one clock alone is not
 * followed: of the database's, of this machine's, and of the estimate that the monotonic clock carries on, two must agree.
 */
export class DatabaseClock implements Clock {
  readonly #monotonic: () => number;
  readonly #wall: () => number;
  /** Database time minus monotonic time, in milliseconds. */
  #offsetMs: number;
  #isFirst = true;

  constructor(monotonic: () => number = () => performance.now(), wallMs: () => number = () => Date.now()) {
    this.#monotonic = monotonic;
    this.#wall = wallMs;
    this.#offsetMs = wallMs() - monotonic();
  }

  nowMs(): number {
    return this.#monotonic() + this.#offsetMs;
  }

  monotonicMs(): number {
    return this.#monotonic();
  }

  /**
   * Takes one reading of database time.
   * @param databaseMs the database's clock, read somewhere between the two monotonic times
   */
  observe(databaseMs: number, sentMonotonicMs: number, receivedMonotonicMs: number): Reading {
    const offsetMs = databaseMs - (sentMonotonicMs + receivedMonotonicMs) / 2;
    const aheadMs = offsetMs - this.#offsetMs;
    const wallOffsetMs = this.#wall() - this.#monotonic();
    const isFirst = this.#isFirst;
    this.#isFirst = false;
    if (Math.abs(aheadMs) > JUMP_MS) {
      // The machine slept, or the estimate was wrong from the beginning, where its wall clock agrees with the database.
      const isAlone = Math.abs(wallOffsetMs - this.#offsetMs) <= JUMP_MS;
      if (isAlone && !isFirst) return { kind: "jumped", aheadMs };
    }
    this.#offsetMs = offsetMs;
    const aheadOfWallMs = offsetMs - wallOffsetMs;
    if (isFirst && Math.abs(aheadOfWallMs) > JUMP_MS) return { kind: "followed_against_wall", aheadMs: aheadOfWallMs };
    return FOLLOWED;
  }
}
