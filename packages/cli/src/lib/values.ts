// Values that people write on the command line: counts, durations, times. A mistake is an error of usage that shows
// what was expected.
import { InvalidArgumentError } from "commander";

const UNITS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3_600, d: 86_400 };

/** `90s`, `15m`, `2h`, `7d` in seconds; a bare number is seconds. */
export function parseSeconds(text: string): number {
  const match = /^(\d{1,9})([smhd]?)$/.exec(text);
  if (match === null) throw new InvalidArgumentError("Expected a duration such as 90s, 15m, 2h or 7d.");
  return Number(match[1]) * (UNITS[match[2] || "s"] ?? 1);
}

/** `500ms`, `2s`, `1m` in milliseconds; a bare number is seconds. */
export function parseMilliseconds(text: string): number {
  const match = /^(\d{1,7})ms$/.exec(text);
  if (match !== null) return Number(match[1]);
  if (/^\d{1,5}(\.\d{1,3})?[sm]?$/.test(text)) {
    return Math.round(Number.parseFloat(text) * (text.endsWith("m") ? 60_000 : 1_000));
  }
  throw new InvalidArgumentError("Expected a duration such as 500ms, 2s or 1m.");
}

/** A share from 0 to 1: `0.3`; `30%` means the same. */
export function parseShare(text: string): number {
  const match = /^(\d{1,3}(?:\.\d{1,6})?)(%?)$/.exec(text);
  const share = match === null ? Number.NaN : Number(match[1]) / (match[2] === "%" ? 100 : 1);
  if (!(share >= 0 && share <= 1)) throw new InvalidArgumentError("Expected a share from 0 to 1, such as 0.3 or 30%.");
  return share;
}

/** A time as ISO 8601: `2026-11-23T08:00:00Z`, `2026-11-23` (its beginning, UTC), or `2h` for two hours ago. */
export function timeParser(nowMs: () => number): (text: string) => string {
  return (text) => {
    if (/^\d{1,9}[smhd]$/.test(text)) return new Date(nowMs() - parseSeconds(text) * 1_000).toISOString();
    const isDay = /^\d{4}-\d{2}-\d{2}$/.test(text);
    const isTime = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?(Z|[+-]\d{2}:\d{2})$/.test(text);
    const atMs = isDay || isTime ? Date.parse(text) : Number.NaN;
    if (Number.isNaN(atMs)) {
      throw new InvalidArgumentError(
        "Expected a time such as 2026-11-23T08:00:00Z, 2026-11-23, or 2h for two hours ago.",
      );
    }
    return new Date(atMs).toISOString();
  };
}

/** A whole number within bounds. */
export function countParser(least: number, most: number): (text: string) => number {
  return (text) => {
    const count = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
    if (!(count >= least && count <= most)) {
      throw new InvalidArgumentError(`Expected a whole number from ${least} to ${most}.`);
    }
    return count;
  };
}

/** For options that may come several times, or as a comma list. */
export function collect(text: string, before: readonly string[] = []): string[] {
  return [
    ...before,
    ...text
      .split(",")
      .map((part) => part.trim())
      .filter((part) => part !== ""),
  ];
}

/** A time as people read it: UTC, to the second. */
export function shownTime(time: string | null | undefined): string {
  return time === null || time === undefined ? "" : time.replace("T", " ").replace(/\.\d+Z$/, "Z");
}
