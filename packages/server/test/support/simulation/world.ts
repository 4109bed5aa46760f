// Virtual time for a simulation: one queue of happenings, a seeded generator, and for every process clocks that run at
// their own pace, timers that follow them, and a freezer. Code under test runs as it is: its setTimeout is this one.
// Must use no real clock and no real randomness: the same seed is the same schedule.

/** A small generator with one number as its state. */
export function mulberry32(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 0x100000000;
  };
}

interface Happening {
  atMs: number;
  readonly order: number;
  readonly process: SimulatedProcess | null;
  readonly act: () => void;
  isOff: boolean;
}

/** A process: happenings that are its own wait while it is frozen, and never come once it is dead. */
export interface SimulatedProcess {
  /** How fast its monotonic clock runs against the world's. */
  readonly rate: number;
  /** What its wall clock is off by; may jump. */
  wallOffsetMs: number;
  frozenUntilMs: number;
  isDead: boolean;
}

// The event loop's own, whatever stands in the globals while a schedule runs.
const real = { setTimeout: globalThis.setTimeout, clearTimeout: globalThis.clearTimeout, setImmediate };

export class World {
  readonly random: () => number;
  nowMs = 0;
  readonly #queue: Happening[] = [];
  #order = 0;
  #current: SimulatedProcess | null = null;

  constructor(seed: number) {
    this.random = mulberry32(seed);
  }

  between(lowest: number, highest: number): number {
    return lowest + this.random() * (highest - lowest);
  }

  chance(share: number): boolean {
    return this.random() < share;
  }

  /** Its monotonic clock. */
  monotonicMs(process: SimulatedProcess): number {
    return 1_000_000 + this.nowMs * process.rate;
  }

  /** In so many of the world's milliseconds. */
  after(waitMs: number, process: SimulatedProcess | null, act: () => void): Happening {
    const happening = { atMs: this.nowMs + waitMs, order: this.#order, process, act, isOff: false };
    this.#order += 1;
    this.#push(happening);
    return happening;
  }

  /** Runs what a process does of its own accord, so that timers made in it are its own. */
  within<Result>(process: SimulatedProcess, act: () => Result): Result {
    this.#current = process;
    return act();
  }

  /** Lets the world go on until then. Code of a process runs to its next wait before anything else happens. */
  async run(untilMs: number): Promise<void> {
    globalThis.setTimeout = ((act: () => void, waitMs = 0) => this.#setTimeout(act, waitMs)) as typeof setTimeout;
    globalThis.clearTimeout = ((timer: Happening | undefined) => {
      if (timer !== undefined) timer.isOff = true;
    }) as typeof clearTimeout;
    try {
      for (;;) {
        const next = this.#queue[0];
        if (next === undefined || next.atMs > untilMs) break;
        this.#pop();
        if (next.isOff || next.process?.isDead === true) continue;
        const frozenUntilMs = next.process?.frozenUntilMs ?? 0;
        this.nowMs = Math.max(this.nowMs, next.atMs);
        if (frozenUntilMs > this.nowMs) {
          // In the order in which it would have come.
          next.atMs = frozenUntilMs;
          this.#push(next);
          continue;
        }
        this.#current = next.process;
        next.act();
        await new Promise<void>((resolve) => real.setImmediate(resolve));
      }
      this.nowMs = untilMs;
    } finally {
      globalThis.setTimeout = real.setTimeout;
      globalThis.clearTimeout = real.clearTimeout;
    }
  }

  #setTimeout(act: () => void, waitMs: number): object {
    const process = this.#current;
    const happening = this.after(Math.max(1, waitMs) / (process?.rate ?? 1), process, act);
    return Object.assign(happening, { unref: () => happening, ref: () => happening });
  }

  // A binary heap, earliest first; what is due at once goes in the order in which it was asked for.
  #push(happening: Happening): void {
    const queue = this.#queue;
    let at = queue.push(happening) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!isBefore(queue[at] as Happening, queue[parent] as Happening)) break;
      [queue[at], queue[parent]] = [queue[parent] as Happening, queue[at] as Happening];
      at = parent;
    }
  }

  #pop(): void {
    const queue = this.#queue;
    const last = queue.pop() as Happening;
    if (queue.length === 0) return;
    queue[0] = last;
    for (let at = 0; ; ) {
      let least = at;
      for (const child of [2 * at + 1, 2 * at + 2]) {
        if (child < queue.length && isBefore(queue[child] as Happening, queue[least] as Happening)) least = child;
      }
      if (least === at) return;
      [queue[at], queue[least]] = [queue[least] as Happening, queue[at] as Happening];
      at = least;
    }
  }
}

function isBefore(one: Happening, other: Happening): boolean {
  return one.atMs - other.atMs < 0 || (one.atMs === other.atMs && one.order < other.order);
}
