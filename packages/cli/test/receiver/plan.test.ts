// What a local receiver answers.
import { expect, test } from "vitest";
import { answerPlan, plannedStatus, seededChance } from "../../src/receiver/plan.ts";

test.each([
  [{}, { okStatus: 200, failRate: 0 }],
  [{ status: 204 }, { okStatus: 204, failRate: 0 }],
  [{ status: 500 }, { okStatus: 500, failRate: 0 }],
  [{ failRate: 0.3 }, { okStatus: 200, failStatus: 500, failRate: 0.3 }],
  [
    { failRate: 0.3, status: 429 },
    { okStatus: 200, failStatus: 429, failRate: 0.3 },
  ],
])("%j means %j", (given, plan) => {
  expect(answerPlan(given)).toMatchObject(plan);
});

test("never fails at 0, always at 1, and about as often as asked in between", () => {
  const share = (failRate: number): number => {
    const plan = answerPlan({ failRate });
    const chance = seededChance(42);
    let failed = 0;
    for (let i = 0; i < 10_000; i += 1) failed += plannedStatus(plan, chance()) === 500 ? 1 : 0;
    return failed / 10_000;
  };
  expect([share(0), share(1)]).toEqual([0, 1]);
  expect(share(0.3)).toBeCloseTo(0.3, 1);
});
