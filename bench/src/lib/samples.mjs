// A growing list of numbers kept as doubles, and the percentiles of one. Must never round a sample on the way in.

export class Samples {
  /** @param {number} [capacity] */
  constructor(capacity = 65_536) {
    this.values = new Float64Array(capacity);
    this.count = 0;
  }

  /** @param {number} value */
  push(value) {
    if (this.count === this.values.length) {
      const grown = new Float64Array(this.values.length * 2);
      grown.set(this.values);
      this.values = grown;
    }
    this.values[this.count] = value;
    this.count += 1;
  }

  /** @param {number} index */
  at(index) {
    return this.values[index] ?? Number.NaN;
  }
}

/**
 * @typedef {object} Percentiles milliseconds, or null without a sample
 * @property {number | null} p50
 * @property {number | null} p95
 * @property {number | null} p99
 * @property {number | null} max
 */

/** @param {Samples} samples @returns {Percentiles} */
export function percentiles(samples) {
  const sorted = samples.values.slice(0, samples.count).sort();
  return { p50: rank(sorted, 0.5), p95: rank(sorted, 0.95), p99: rank(sorted, 0.99), max: rank(sorted, 1) };
}

/** Nearest rank: the smallest sample that at least `share` of all samples do not exceed. @param {Float64Array} sorted @param {number} share */
function rank(sorted, share) {
  if (sorted.length === 0) return null;
  const value = sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? 0;
  return Math.round(value * 1000) / 1000;
}

/** @param {number[]} values @returns {number} the middle one, or the mean of the two in the middle */
export function median(values) {
  if (values.length === 0) return Number.NaN;
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}
