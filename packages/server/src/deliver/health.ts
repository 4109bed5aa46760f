// What is known about the endpoint of one webhook, in a word, a number and a sentence. Pure: times are passed in. Must
// never be asked whether a request may go: that is the breaker's.
import type { BreakerPhase, OpenReason } from "./breaker.ts";

/** `degraded`: something fails. `failing`: it answers, and not with success. `unreachable`: nothing comes back. */
export type HealthStatus = "healthy" | "degraded" | "failing" | "unreachable";

/** What an attempt says. */
export interface HealthSign {
  readonly isSuccess: boolean;
  readonly isUnreachable: boolean;
  /** A sentence; of a failure. */
  readonly reason: string;
  readonly phase: BreakerPhase;
  readonly openReason: OpenReason;
}

export interface StoredHealth {
  readonly status: HealthStatus;
  readonly score: number;
  readonly sinceMs: number;
  readonly reason: string | null;
  readonly failingSinceMs: number | null;
  readonly lastSuccessMs: number | null;
  readonly lastFailureMs: number | null;
  readonly failureCount: number;
}

/** So many failures in a row are trouble, however far apart they are. */
const TROUBLE_IN_A_ROW = 3;
/** The score is the share of successes among about so many latest attempts. */
const REMEMBERED_ATTEMPTS = 20;
/** Below it some of what is sent does not arrive. */
const GOOD_SCORE = 90;

export class Health {
  status: HealthStatus = "healthy";
  score = 100;
  sinceMs: number;
  reason: string | null = null;
  /** The first failure since the last success. */
  failingSinceMs: number | null = null;
  lastSuccessMs: number | null = null;
  lastFailureMs: number | null = null;
  /** In a row. */
  failureCount = 0;
  #seenCount = 0;
  #isUnreachable = false;
  #wasShut = false;

  constructor(nowMs: number) {
    this.sinceMs = nowMs;
  }

  static restored(stored: StoredHealth): Health {
    const health = new Health(stored.sinceMs);
    Object.assign(health, stored);
    health.#seenCount = REMEMBERED_ATTEMPTS;
    health.#isUnreachable = stored.status === "unreachable";
    return health;
  }

  /** Takes what came of an attempt. True when the status is another one now. */
  ended(sign: HealthSign, nowMs: number): boolean {
    this.#seenCount = Math.min(REMEMBERED_ATTEMPTS, this.#seenCount + 1);
    this.score += ((sign.isSuccess ? 100 : 0) - this.score) / this.#seenCount;
    if (sign.isSuccess) {
      this.failureCount = 0;
      this.failingSinceMs = null;
      this.lastSuccessMs = nowMs;
    } else {
      this.failureCount += 1;
      this.failingSinceMs ??= nowMs;
      this.lastFailureMs = nowMs;
      this.#isUnreachable = sign.isUnreachable;
      this.reason = sign.reason;
    }
    const isClosed = sign.phase === "closed";
    // Its breaker was closed by a row of successes: what was before them says nothing about it any more.
    if (isClosed && this.#wasShut) this.#beginAnew();
    this.#wasShut = !isClosed;
    const status = this.#statusBy(sign);
    if (status === "healthy") this.reason = null;
    if (status === this.status) return false;
    this.status = status;
    this.sinceMs = nowMs;
    return true;
  }

  #beginAnew(): void {
    this.score = 100;
    this.#seenCount = 1;
  }

  #statusBy({ phase, openReason }: HealthSign): HealthStatus {
    const isShut = (phase === "open" && openReason === "failing") || phase === "half_open";
    if (this.failureCount >= TROUBLE_IN_A_ROW || (isShut && this.failureCount > 0)) {
      return this.#isUnreachable ? "unreachable" : "failing";
    }
    // On the way up it is not well yet; what has just recovered need not wait for twenty successes.
    if (phase !== "closed" || this.failureCount > 0) return "degraded";
    if (this.status === "failing" || this.status === "unreachable") this.#beginAnew();
    return this.score < GOOD_SCORE ? "degraded" : "healthy";
  }
}
