// When a process that ended unasked is started again: pure. At first almost at once; one that ends again and again waits
// twice as long each time, so that a fault that is there to stay does not eat the machine.

const FIRST_MS = 100;
const LONGEST_MS = 10_000;
/** Whoever ran so long is well. */
const WELL_AFTER_MS = 60_000;

/**
 * @param previousMs what this function answered for the process before; undefined for the first
 * @param ranMs how long the process ran
 */
export function restartDelayMs(previousMs: number | undefined, ranMs: number): number {
  if (previousMs === undefined || ranMs >= WELL_AFTER_MS) return FIRST_MS;
  return Math.min(LONGEST_MS, previousMs * 2);
}
