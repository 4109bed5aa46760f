// The breaker of one webhook: when its endpoint fails, its deliveries are held instead of burnt; then one probe at a
// time, then a ramp. Pure: times are passed in, the spread of the waits is derived. Must never count what says nothing
// about the endpoint (a payload that it refuses), and never let more than one request go while it is half open.
import { fraction } from "./retry-policy.ts";

/** `closed`: as many as it may. `open`: none. `half_open`: one at a time. `ramping`: twice as many after each round. */
export type BreakerPhase = "closed" | "open" | "half_open" | "ramping";

/** Why it is open: the endpoint fails, or it has asked for patience (`Retry-After`). */
export type OpenReason = "failing" | "throttled";

/** What one attempt says about the endpoint. */
export type Sign =
  /** It took the request. */
  | "success"
  /** It is there, and refused what this one request brought. */
  | "answered"
  /** It answered that it cannot, or that we may not. */
  | "failure"
  /** Nothing came back: name, connection, TLS, time. */
  | "unreachable";

/** What a stored breaker is made of again after a takeover. */
export interface StoredBreaker {
  readonly phase: BreakerPhase;
  readonly openReason: OpenReason;
  readonly openCount: number;
  /** Milliseconds since 1970. */
  readonly openUntilMs: number;
}

export const WINDOW_MS = 60_000;
const BUCKET_COUNT = 6;
const BUCKET_MS = WINDOW_MS / BUCKET_COUNT;
/**
 * Fewer failures in the window say too little. Failures are counted, not attempts: of ten attempts at an endpoint that
 * fails one request in five, five fail by chance every thirtieth time, ten of twenty every four-hundredth.
 */
export const MIN_FAILURES = 10;
export const FAILURE_SHARE = 0.5;
/** So many in a row without any answer need no window. */
export const UNREACHABLE_IN_A_ROW = 5;
export const FIRST_OPEN_MS = 30_000;
export const LONGEST_OPEN_MS = 15 * 60_000;
export const OPEN_SPREAD = 0.2;
export const SUCCESSES_TO_CLOSE = 3;
/** In the ramp it has not earned a window's patience; no such row comes about by chance where most requests succeed. */
export const FAILURES_TO_REOPEN = 8;

export interface BreakerTimings {
  readonly firstOpenMs: number;
  readonly longestOpenMs: number;
}
export const DEFAULT_BREAKER_TIMINGS: BreakerTimings = { firstOpenMs: FIRST_OPEN_MS, longestOpenMs: LONGEST_OPEN_MS };

export class Breaker {
  readonly #webhookBytes: Uint8Array;
  readonly #timings: BreakerTimings;
  readonly #attempts = new Array<number>(BUCKET_COUNT).fill(0);
  readonly #failures = new Array<number>(BUCKET_COUNT).fill(0);
  #bucket = 0;
  #unreachableInARow = 0;
  #hasAnswered = false;
  #failuresInARow = 0;
  /** Of the probes, or of this round of the ramp. */
  #successCount = 0;
  #failureCount = 0;
  #phase: BreakerPhase = "closed";
  #limit = 1;
  openReason: OpenReason = "failing";
  /** How often it opened since it was last closed. */
  openCount = 0;
  /** While open: when the first probe may go. */
  openUntilMs = 0;

  constructor(webhookBytes: Uint8Array, timings: BreakerTimings = DEFAULT_BREAKER_TIMINGS) {
    this.#webhookBytes = webhookBytes;
    this.#timings = timings;
  }

  /** As an earlier owner of the lane left it: how far a ramp had come is not known, so it begins with one. */
  static restored(webhookBytes: Uint8Array, stored: StoredBreaker, timings?: BreakerTimings): Breaker {
    const breaker = new Breaker(webhookBytes, timings);
    breaker.openReason = stored.openReason;
    breaker.openCount = stored.openCount;
    breaker.openUntilMs = stored.openUntilMs;
    breaker.#phase = stored.phase;
    return breaker;
  }

  get phase(): BreakerPhase {
    return this.#phase;
  }

  /** How many requests it lets go side by side, while it is not closed. */
  get limit(): number {
    return this.#phase === "ramping" ? this.#limit : 1;
  }

  /** True while it is not known to work: it shares a small part of the node's slots with all others like it. */
  get isUnhealthy(): boolean {
    return this.#phase === "open" || this.#phase === "half_open" || this.#unreachableInARow >= 2;
  }

  /** True while it answers: the last request came back, with whatever. */
  get isProven(): boolean {
    return this.#hasAnswered && this.#unreachableInARow === 0;
  }

  /**
   * Until then nothing may start; 0 when something may. Where the clock was set back, that is no later than any breaker
   * stays open.
   */
  restUntilMs(nowMs: number): number {
    if (this.#phase !== "open") return 0;
    this.openUntilMs = Math.min(this.openUntilMs, nowMs + Math.round(this.#timings.longestOpenMs * (1 + OPEN_SPREAD)));
    return this.openUntilMs > nowMs ? this.openUntilMs : 0;
  }

  /** How many requests may start beside those that are under way. */
  room(nowMs: number, inFlightCount: number): number {
    if (this.#phase === "closed") return Number.POSITIVE_INFINITY;
    if (this.#phase === "open") {
      if (this.restUntilMs(nowMs) > 0) return 0;
      this.#phase = "half_open";
      this.#beginRound();
    }
    return Math.max(0, (this.#phase === "half_open" ? 1 : this.#limit) - inFlightCount);
  }

  /** Nothing of the last minute would be missed, were it forgotten. */
  isForgettable(nowMs: number): boolean {
    return this.#phase === "closed" && Math.floor(nowMs / BUCKET_MS) - this.#bucket > BUCKET_COUNT;
  }

  /**
   * Takes what came of an attempt.
   * @param cap as many requests as the webhook may have under way: where the ramp ends
   * @param patienceMs what `Retry-After` asked for; the whole endpoint is given it
   * @returns true when the phase changed
   */
  ended(sign: Sign, nowMs: number, cap: number, patienceMs = 0): boolean {
    const before = this.#phase;
    if (patienceMs > 0) this.#throttle(nowMs, patienceMs);
    else this.#weigh(sign, nowMs, cap);
    return this.#phase !== before;
  }

  /** It was seen to work while nothing waited for it: there is nothing to be let go bit by bit. */
  close(): void {
    this.#phase = "closed";
    this.openCount = 0;
    this.openUntilMs = 0;
    this.#unreachableInARow = 0;
    this.#failuresInARow = 0;
    this.#beginRound();
    this.#forgetWindow();
  }

  #throttle(nowMs: number, patienceMs: number): void {
    const untilMs = nowMs + Math.min(patienceMs, this.#timings.longestOpenMs);
    if (this.#phase === "open") {
      this.openUntilMs = Math.max(this.openUntilMs, untilMs);
      return;
    }
    this.#phase = "open";
    this.openReason = "throttled";
    this.openUntilMs = untilMs;
    this.#beginRound();
  }

  #weigh(sign: Sign, nowMs: number, cap: number): void {
    const isFailure = sign === "failure" || sign === "unreachable";
    this.#unreachableInARow = sign === "unreachable" ? this.#unreachableInARow + 1 : 0;
    this.#hasAnswered ||= sign !== "unreachable";
    this.#failuresInARow = isFailure ? this.#failuresInARow + 1 : 0;
    switch (this.#phase) {
      case "closed":
        this.#count(isFailure, nowMs);
        if (isFailure && this.#isTripped()) this.#open(nowMs);
        return;
      case "open":
        // It was on its way when the breaker opened, and says nothing new.
        return;
      case "half_open":
        this.#countRound(isFailure);
        // The first probe decides alone; one that has answered may fail now and then.
        if (this.#failureCount > this.#successCount) this.#open(nowMs);
        else if (this.#successCount >= SUCCESSES_TO_CLOSE) this.#beginRamp();
        return;
      case "ramping":
        this.#count(isFailure, nowMs);
        this.#countRound(isFailure);
        if (isFailure && (this.#failuresInARow >= FAILURES_TO_REOPEN || this.#isTripped())) this.#open(nowMs);
        else if (this.#successCount + this.#failureCount >= this.#limit) this.#endRound(cap);
        return;
      default:
        this.#phase satisfies never;
    }
  }

  #beginRamp(): void {
    this.#phase = "ramping";
    this.#limit = 1;
    this.#beginRound();
    this.#forgetWindow();
  }

  /** A round is as many results as the limit: most of them good, twice as many may go; most of them bad, half as many. */
  #endRound(cap: number): void {
    if (this.#successCount > this.#failureCount) this.#limit *= 2;
    else if (this.#successCount < this.#failureCount) this.#limit = Math.max(1, this.#limit >> 1);
    this.#beginRound();
    if (this.#limit < cap || this.#limit === 1) return;
    // What the ramp has seen stays in the window.
    this.#phase = "closed";
    this.openCount = 0;
  }

  #beginRound(): void {
    this.#successCount = 0;
    this.#failureCount = 0;
  }

  #countRound(isFailure: boolean): void {
    if (isFailure) this.#failureCount += 1;
    else this.#successCount += 1;
  }

  #forgetWindow(): void {
    this.#attempts.fill(0);
    this.#failures.fill(0);
  }

  #open(nowMs: number): void {
    this.openCount += 1;
    this.openReason = "failing";
    this.openUntilMs = nowMs + openMs(this.#webhookBytes, this.openCount, this.#timings);
    this.#phase = "open";
    this.#beginRound();
  }

  #count(isFailure: boolean, nowMs: number): void {
    const bucket = Math.floor(nowMs / BUCKET_MS);
    // A clock that stepped back counts into the present bucket.
    const passed = Math.min(BUCKET_COUNT, Math.max(0, bucket - this.#bucket));
    for (let step = 1; step <= passed; step += 1) {
      const at = (bucket - passed + step) % BUCKET_COUNT;
      this.#attempts[at] = 0;
      this.#failures[at] = 0;
    }
    this.#bucket = Math.max(bucket, this.#bucket);
    const at = this.#bucket % BUCKET_COUNT;
    this.#attempts[at] = (this.#attempts[at] as number) + 1;
    if (isFailure) this.#failures[at] = (this.#failures[at] as number) + 1;
  }

  #isTripped(): boolean {
    if (this.#unreachableInARow >= UNREACHABLE_IN_A_ROW) return true;
    const failures = sum(this.#failures);
    return failures >= MIN_FAILURES && failures >= sum(this.#attempts) * FAILURE_SHARE;
  }
}

/**
 * How long a breaker stays open the n-th time: doubling, spread by ±20 % so that endpoints which failed together are
 * not probed together. Always the same for this webhook and n.
 */
export function openMs(webhookBytes: Uint8Array, openCount: number, timings = DEFAULT_BREAKER_TIMINGS): number {
  const doubled = timings.firstOpenMs * 2 ** Math.min(20, openCount - 1);
  const spread = 1 + OPEN_SPREAD * (2 * fraction(webhookBytes, openCount) - 1);
  return Math.round(Math.min(timings.longestOpenMs, doubled) * spread);
}

function sum(values: readonly number[]): number {
  let total = 0;
  for (const value of values) total += value;
  return total;
}
