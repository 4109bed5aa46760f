// A few seconds of everything at once; `npm run chaos -- --minutes 5` is the long form.
import { expect, test } from "vitest";
import { runChaos } from "../support/crash/chaos.ts";

const SEED = 20_261_123;
/** Four where there is time: `npm run chaos -- --faults F20`. */
const NODE_COUNTS = process.env["POSTHORN_FAULT_REPORT"] === undefined ? [2] : [2, 4];

test.each(NODE_COUNTS)(
  `random kills, pauses and cut connections lose nothing on %i nodes (seed ${SEED})`,
  async (nodeCount) => {
    const { verdict, endedByItself } = await runChaos({ seed: SEED, durationMs: 4_000, nodeCount, senderCount: 4 });
    expect(verdict.violations).toEqual([]);
    expect(endedByItself).toBe(0);
    expect(verdict.counts.acknowledged).toBeGreaterThan(50);
  },
  240_000,
);
