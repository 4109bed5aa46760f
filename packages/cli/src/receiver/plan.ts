// What a local receiver answers: as it was told, failing on demand, by chance that a seed repeats. Pure.

export interface AnswerPlan {
  /** The status of an answer that is no failure. */
  readonly okStatus: number;
  readonly failStatus: number;
  /** From 0 to 1. */
  readonly failRate: number;
}

/**
 * `--status` alone is every answer; with `--fail-rate` it is what failures answer, 500 unless given.
 */
export function answerPlan(given: { readonly status?: number; readonly failRate?: number }): AnswerPlan {
  const { status, failRate } = given;
  if (failRate === undefined) return { okStatus: status ?? 200, failStatus: status ?? 200, failRate: 0 };
  return { okStatus: 200, failStatus: status ?? 500, failRate };
}

/** @param chance from 0 up to, not including, 1 */
export function plannedStatus(plan: AnswerPlan, chance: number): number {
  return chance < plan.failRate ? plan.failStatus : plan.okStatus;
}

/** Chance that repeats itself: mulberry32, public domain. Good enough to fail a receiver, no more. */
export function seededChance(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
