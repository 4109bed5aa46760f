// A few seconds of everything at once; `npm run chaos -- --minutes 5` is the long form.
import { expect, test } from "vitest";
import { runChaos } from "../support/crash/chaos.ts";

const SEED = 20_261_123;

test(`random kills, pauses and cut connections lose nothing (seed ${SEED})`, async () => {
  const { verdict, endedByItself } = await runChaos({ seed: SEED, durationMs: 4_000, nodeCount: 2, senderCount: 4 });
  expect(verdict.violations).toEqual([]);
  expect(endedByItself).toBe(0);
  expect(verdict.counts.acknowledged).toBeGreaterThan(50);
}, 120_000);
