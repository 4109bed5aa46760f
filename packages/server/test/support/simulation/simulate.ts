// All simulations, over so many seeds from one on. What breaks is named with its seed, so that it can be repeated.
import { simulateLanes } from "./lanes.ts";
import { simulateOwed } from "./owed.ts";
import { simulateTurns } from "./turns.ts";

export interface Simulated {
  readonly name: string;
  readonly figures: Readonly<Record<string, number>>;
  readonly violations: readonly { readonly seed: number; readonly rule: string; readonly detail: string }[];
}

interface Outcome {
  readonly violations: readonly { readonly rule: string; readonly detail: string }[];
  readonly figures: Readonly<Record<string, number>>;
}

const SIMULATIONS: readonly { readonly name: string; readonly run: (seed: number) => Outcome | Promise<Outcome> }[] = [
  { name: "lanes", run: (seed) => simulateLanes(seed) },
  { name: "turns", run: (seed) => simulateTurns(seed) },
  { name: "owed", run: (seed) => simulateOwed(seed) },
];

/** Runs every simulation with each of these seeds. */
export async function simulate(firstSeed: number, count: number): Promise<Simulated[]> {
  const all: Simulated[] = [];
  for (const { name, run } of SIMULATIONS) {
    const figures: Record<string, number> = {};
    const violations: { seed: number; rule: string; detail: string }[] = [];
    for (let seed = firstSeed; seed < firstSeed + count; seed += 1) {
      const outcome = await run(seed);
      for (const [key, value] of Object.entries(outcome.figures)) figures[key] = (figures[key] ?? 0) + value;
      violations.push(...outcome.violations.map((violation) => ({ seed, ...violation })));
    }
    all.push({ name, figures, violations });
  }
  return all;
}
