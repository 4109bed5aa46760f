// How many requests a webhook may get: one gate for each webhook with a limit, in the memory of its lane's owner.
// No window of length `per` sees more than limit + burst requests, whoever owned the lane in it; must never be asked
// for a webhook without a limit (the hot path), nor by a clock that can step.
import { Gcra } from "../lib/gcra.ts";
import { millisecondsOfUuid } from "../lib/id-bounds.ts";
import type { RateLimitSetting, Webhook } from "../storage/configuration.ts";

/** When this node became the owner of a lane, by both of its clocks. */
export interface Tenure {
  readonly monotonicMs: number;
  /** Estimated database time. */
  readonly atMs: number;
  /** The owner before did not give the lane back: a request of its may have been under way at that moment. */
  readonly isUnclean: boolean;
}

export interface RatesOptions {
  readonly monotonicMs: () => number;
  /** Undefined when the lane is somebody else's. */
  readonly tenureOf: (lane: number) => Tenure | undefined;
}

export const PERIOD_MS = { second: 1_000, minute: 60_000, hour: 3_600_000 } as const;

/**
 * We count where requests leave; the receiver counts where they arrive, and not all travel equally fast (the first one
 * dials). So the schedule is stretched by a margin: 5 % of a second, half a second of a minute or an hour. Two fifths
 * of it let a request that left late (timers are whole milliseconds) be followed early; the rest is for the way.
 */
const MARGIN_SHARE = 0.05;
const MAX_MARGIN_MS = 500;
const CATCH_UP_SHARE = 0.4;

/** A webhook made this long after the lane was acquired cannot have been served by an earlier owner. */
const CLOCK_DOUBT_MS = 1_000;
/** Gates that forget nothing by being dropped are looked for when there are so many. */
const SWEEP_AT_COUNT = 1_000;

interface Gate {
  readonly lane: number;
  readonly setting: RateLimitSetting;
  readonly gcra: Gcra;
}

export class Rates {
  readonly #options: RatesOptions;
  readonly #gates = new Map<string, Gate>();
  #sweepAtCount = SWEEP_AT_COUNT;

  constructor(options: RatesOptions) {
    this.#options = options;
  }

  /** Gates in memory, for tests and metrics. */
  get gateCount(): number {
    return this.#gates.size;
  }

  /**
   * Asks for one request of a webhook that has a limit, and counts it when it may go.
   * @returns 0 when it may go now; otherwise the milliseconds until one may
   */
  take(webhook: Webhook, setting: RateLimitSetting): number {
    const nowMs = this.#options.monotonicMs();
    return this.#gateOf(webhook, setting, nowMs).gcra.take(nowMs);
  }

  /** The lanes are gone: somebody else sends from now on, and what is known here means nothing any more. */
  forgetAll(): void {
    this.#gates.clear();
  }

  /** These lanes were given away: what the next owner sends is not known here, should they come back. */
  forgetLanes(lanes: readonly number[]): void {
    const gone = new Set(lanes);
    for (const [id, gate] of this.#gates) if (gone.has(gate.lane)) this.#gates.delete(id);
  }

  #gateOf(webhook: Webhook, setting: RateLimitSetting, nowMs: number): Gate {
    const present = this.#gates.get(webhook.id);
    if (present !== undefined && isSame(present.setting, setting)) return present;
    if (this.#gates.size >= this.#sweepAtCount) this.#sweep(nowMs);
    const gcra = rateGate(setting);
    // Another limit: what went under the old one is not weighed, so nothing is left of the new one but its pace.
    const usedUpAtMs = present === undefined ? this.#usedUpAtMs(webhook, nowMs) : nowMs;
    if (usedUpAtMs !== null) gcra.empty(usedUpAtMs);
    const gate = { lane: webhook.lane, setting, gcra };
    this.#gates.set(webhook.id, gate);
    return gate;
  }

  /** The last moment at which an earlier owner of the lane may have sent to this webhook; null when none can have. */
  #usedUpAtMs(webhook: Webhook, nowMs: number): number | null {
    const tenure = this.#options.tenureOf(webhook.lane);
    if (tenure === undefined) return nowMs;
    return millisecondsOfUuid(webhook.uuid) > tenure.atMs + CLOCK_DOUBT_MS ? null : tenure.monotonicMs;
  }

  #sweep(nowMs: number): void {
    for (const [id, gate] of this.#gates) if (gate.gcra.isFull(nowMs)) this.#gates.delete(id);
    this.#sweepAtCount = Math.max(SWEEP_AT_COUNT, this.#gates.size * 2);
  }
}

/** The algorithm for a limit, with the margin in its period and the catching up in its tolerance. */
export function rateGate({ limit, per, burst }: RateLimitSetting): Gcra {
  const perMs = PERIOD_MS[per];
  const marginMs = Math.min(MAX_MARGIN_MS, perMs * MARGIN_SHARE);
  const stretchedMs = perMs + marginMs;
  const catchUp = (marginMs * CATCH_UP_SHARE * limit) / stretchedMs;
  return new Gcra(limit, stretchedMs, burst + catchUp);
}

function isSame(one: RateLimitSetting, other: RateLimitSetting): boolean {
  return one.limit === other.limit && one.per === other.per && one.burst === other.burst;
}
