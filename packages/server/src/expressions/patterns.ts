// `matches`: RE2 patterns by re2js, in linear time. JavaScript's own RegExp must never see a pattern or a text of a
// tenant: (a+)+$ on 29 characters keeps it busy for eight seconds.
import { RE2JS } from "re2js";
import { ExpressionFault, ExpressionProblem } from "./errors.ts";
import {
  type Evaluation,
  MAX_PATTERN_LENGTH,
  MAX_PATTERN_PROGRAM,
  MAX_PATTERN_REPEATS,
  MAX_PATTERNS_LENGTH,
} from "./limits.ts";
import { ABSENT, type Value } from "./values.ts";

/**
 * Linear still means text × pattern: hostile pairs (`[ab]*a[ab]{200}c`) were measured at 50 to 120 ns per character
 * and instruction, ordinary ones at 0.1 to 2 ns. The charge lets the former use the whole budget in about 60 ms.
 */
const UNITS_PER_STEP = 2;
/** Steps after which a pattern's cached states are dropped; re2js keeps up to 8 MB of them per pattern. */
const STEPS_UNTIL_RESET = 1_000_000;
/** Patterns taken from the payload that one `matches` keeps compiled. */
const KEPT_PATTERNS = 4;
/** Units for compiling, per character and per repeat; 20 characters took 0.1 ms, 250 repeats 20 ms. */
const UNITS_PER_COMPILED_CHARACTER = 500;

/** A compiled pattern that counts what it costs. */
class Pattern {
  readonly #engine: RE2JS;
  readonly #size: number;
  #stepsUntilReset = STEPS_UNTIL_RESET;

  constructor(engine: RE2JS) {
    this.#engine = engine;
    this.#size = engine.programSize();
  }

  /** True when the pattern is found anywhere in the text (CEL: not anchored). */
  isFoundIn(text: string, run: Evaluation): boolean {
    const steps = (text.length + 1) * this.#size;
    run.spend(steps * UNITS_PER_STEP);
    const found = this.#engine.test(text);
    this.#stepsUntilReset -= steps;
    if (this.#stepsUntilReset < 0) {
      this.#engine.reset();
      this.#stepsUntilReset = STEPS_UNTIL_RESET;
    }
    return found;
  }
}

type Compiled = { kind: "pattern"; pattern: Pattern } | { kind: "invalid"; reason: string } | { kind: "too_large" };

/** Compiles a text of at most MAX_PATTERN_LENGTH characters and MAX_PATTERN_REPEATS repeats. */
function compile(source: string): Compiled {
  let engine: RE2JS;
  try {
    engine = RE2JS.compile(source);
  } catch (error) {
    return { kind: "invalid", reason: error instanceof Error ? error.message : String(error) };
  }
  return engine.programSize() > MAX_PATTERN_PROGRAM
    ? { kind: "too_large" }
    : { kind: "pattern", pattern: new Pattern(engine) };
}

/** Sum of the counts that re2js would unroll, counted before it does. */
function countRepeats(source: string): number {
  let sum = 0;
  for (const [, least = "0", most] of source.matchAll(/\{(\d+)(?:,(\d*))?\}/g))
    sum += Math.max(Number(least), Number(most ?? 0));
  return sum;
}

/** The patterns that stand in one expression, compiled when it is saved, within limits that they share. */
export class LiteralPatterns {
  #charactersLeft = MAX_PATTERNS_LENGTH;
  #repeatsLeft = MAX_PATTERN_REPEATS;

  /** The test for a literal pattern. Throws ExpressionProblem pointing at `position`. */
  forLiteral(source: string, position: number): (text: Value, run: Evaluation) => Value {
    this.#charactersLeft -= source.length;
    this.#repeatsLeft -= countRepeats(source);
    const isTooLong = source.length > MAX_PATTERN_LENGTH || this.#charactersLeft < 0 || this.#repeatsLeft < 0;
    const compiled: Compiled = isTooLong ? { kind: "too_large" } : compile(source);
    if (compiled.kind === "too_large") throw tooLarge(position);
    if (compiled.kind === "invalid") throw invalid(compiled.reason, position);
    const { pattern } = compiled;
    return (text, run) => (typeof text === "string" ? pattern.isFoundIn(text, run) : ABSENT);
  }
}

function tooLarge(position: number): ExpressionProblem {
  return new ExpressionProblem(
    "PATTERN_TOO_LARGE",
    `The pattern is too large: ${MAX_PATTERN_LENGTH} characters, ${MAX_PATTERN_REPEATS} repeats in {…} and ${MAX_PATTERNS_LENGTH} characters in all patterns together are allowed.`,
    position,
  );
}

function invalid(reason: string, position: number): ExpressionProblem {
  return new ExpressionProblem(
    "INVALID_PATTERN",
    `The pattern cannot be read: ${reason.replace(/^error parsing regexp: /, "")}.`,
    position,
    'Patterns are RE2: without look-around (?=…) and back references \\1; in r"…" a backslash stands for itself.',
  );
}

/** The test for a pattern that is computed from the event: one that cannot be read makes the call ABSENT. */
export function matchesComputed(): (text: Value, source: Value, run: Evaluation) => Value {
  const kept = new Map<string, Compiled>();
  return (text, source, run) => {
    if (typeof text !== "string" || typeof source !== "string") return ABSENT;
    const repeats = source.length > MAX_PATTERN_LENGTH ? Number.POSITIVE_INFINITY : countRepeats(source);
    if (repeats > MAX_PATTERN_REPEATS) throw tooLargeNow();
    // Charged for a kept pattern too: what an evaluation may do must not depend on the events before it.
    run.spend((source.length + repeats) * UNITS_PER_COMPILED_CHARACTER);
    const compiled = kept.get(source) ?? compile(source);
    kept.delete(source);
    kept.set(source, compiled);
    if (kept.size > KEPT_PATTERNS) kept.delete(kept.keys().next().value ?? "");
    if (compiled.kind === "too_large") throw tooLargeNow();
    return compiled.kind === "invalid" ? ABSENT : compiled.pattern.isFoundIn(text, run);
  };
}

function tooLargeNow(): ExpressionFault {
  return new ExpressionFault("PATTERN_TOO_LARGE", "A pattern taken from the event is too large.");
}
