// Time as a parameter. Durations and leases use `monotonicMs`; what is written down or compared with the database uses
// `nowMs`, the node's estimate of database time. Nothing else may call Date.now() or performance.now().

export interface Clock {
  /** Estimate of database time: milliseconds since 1970. Set right by every beat; may step. */
  nowMs(): number;
  /** Milliseconds since some start; never steps, whatever happens to the wall clock. */
  monotonicMs(): number;
}

/** A clock whose idea of database time is set right from answers of the database. */
export class DatabaseClock implements Clock {
  readonly #monotonic: () => number;
  /** Database time minus monotonic time, in milliseconds. */
  #offsetMs: number;

  constructor(monotonic: () => number = () => performance.now(), wallMs: () => number = () => Date.now()) {
    this.#monotonic = monotonic;
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
  observe(databaseMs: number, sentMonotonicMs: number, receivedMonotonicMs: number): void {
    this.#offsetMs = databaseMs - (sentMonotonicMs + receivedMonotonicMs) / 2;
  }
}
