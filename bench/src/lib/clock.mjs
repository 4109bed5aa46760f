// One clock for all processes of a measurement: the machine's monotonic clock, in milliseconds with a fraction.
// Must never be the wall clock: a step of it between two processes would turn into latency.

/** `performance.now()` and `process.hrtime()` read the same clock; only the first is cheap, only the second is shared. */
const PROCESS_OFFSET_MS = Number(process.hrtime.bigint()) / 1e6 - performance.now();

/** @returns {number} milliseconds since the machine started, equal in every process of this machine */
export function machineClockMs() {
  return performance.now() + PROCESS_OFFSET_MS;
}
