// Patterns over event types, as a webhook's `events` holds them: an exact name, `invoice.*` or `*`.
// Pure functions over names; must never know where the names come from (a tenant registers its own types too).
import { nearestNames } from "@posthorn/contract";
import { isOperationalType } from "../lib/operational-types.ts";

/** Longest event type or pattern, in characters. */
export const EVENT_TYPE_MAX_LENGTH = 128;

const EVENT_TYPE = /^[A-Za-z0-9_]+(?:\.[A-Za-z0-9_]+)*$/;
const SUGGESTION_COUNT = 3;

/** What became of a pattern that somebody wrote. */
export type PatternCheck =
  /** `names`: the known types that it matches now; `*` and `a.*` also match what is registered later. */
  | { readonly kind: "valid"; readonly names: readonly string[] }
  /** Not a pattern at all; `problem` is one sentence for the person who wrote it. */
  | { readonly kind: "malformed"; readonly problem: string }
  /** Well written, but matches nothing known; `nearest` holds patterns that would. */
  | { readonly kind: "unknown"; readonly nearest: readonly string[] };

/** True for dotted names of letters, digits and underscores, up to 128 characters. */
export function isEventTypeName(text: string): boolean {
  return text.length <= EVENT_TYPE_MAX_LENGTH && EVENT_TYPE.test(text);
}

/**
 * True when the event type falls under the pattern. A trailing `.*` matches any depth
 * (`member.*` matches `member.tier.changed`) but not the bare prefix; `*` is every business event, and those that
 * Posthorn raises about its own work are asked for by name: otherwise a webhook that fails would also be owed the news
 * of its failing. Both sides are taken to be well formed.
 */
export function matchesPattern(pattern: string, type: string): boolean {
  if (pattern === "*") return !isOperationalType(type);
  if (!pattern.endsWith(".*")) return pattern === type;
  return type.startsWith(pattern.slice(0, -1));
}

/**
 * Judges a pattern against the event types that exist for its owner.
 * @param knownNames the catalogue's names, and those that the tenant registered
 */
export function checkPattern(pattern: string, knownNames: Iterable<string>): PatternCheck {
  const problem = malformedBecause(pattern);
  if (problem !== null) return { kind: "malformed", problem };
  const known = [...knownNames];
  const names = known.filter((name) => matchesPattern(pattern, name));
  // `*` is right even for a tenant that knows no type yet.
  if (names.length > 0 || pattern === "*") return { kind: "valid", names };
  return { kind: "unknown", nearest: nearestPatterns(pattern, known) };
}

function malformedBecause(pattern: string): string | null {
  if (pattern === "") return "An event pattern must not be empty.";
  if (pattern.length > EVENT_TYPE_MAX_LENGTH) {
    return `An event pattern has at most ${EVENT_TYPE_MAX_LENGTH} characters.`;
  }
  if (pattern === "*") return null;
  const name = pattern.endsWith(".*") ? pattern.slice(0, -2) : pattern;
  if (EVENT_TYPE.test(name)) return null;
  if (name.includes("*")) return "The star stands alone (*) or at the end, after a full stop (invoice.*).";
  return "An event pattern is an event type such as invoice.paid, a resource such as invoice.*, or *.";
}

function nearestPatterns(pattern: string, known: readonly string[]): string[] {
  const prefixes = new Set(known.flatMap(prefixPatternsOf));
  if (pattern.endsWith(".*")) return nearestNames(pattern, prefixes, SUGGESTION_COUNT);
  // Somebody who wrote `invoice` most likely meant all of its events.
  const wholeResource = `${pattern}.*`;
  const rest = nearestNames(pattern, known, SUGGESTION_COUNT);
  return prefixes.has(wholeResource) ? [wholeResource, ...rest].slice(0, SUGGESTION_COUNT) : rest;
}

/** `member.tier.changed` → `member.*`, `member.tier.*`. */
function prefixPatternsOf(name: string): string[] {
  const segments = name.split(".");
  return segments.slice(1).map((_, index) => `${segments.slice(0, index + 1).join(".")}.*`);
}
