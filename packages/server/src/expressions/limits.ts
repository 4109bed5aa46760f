// Every bound of the expression language, at save time and while running, and the counter that enforces the latter.
// Running bounds count work, never the clock: the same event must get the same answer on a busy machine.
import { ExpressionFault } from "./errors.ts";
import type { Scope } from "./scope.ts";
import type { Value } from "./values.ts";

/** Characters (UTF-16 units) of source. */
export const MAX_SOURCE_LENGTH = 4096;
/** Literals, names, operators, calls in one expression. */
export const MAX_NODES = 1000;
/** Parentheses, brackets, arguments and signs inside one another. */
export const MAX_NESTING = 50;
/** Macros inside one another: three levels over 100 items are a million turns, two are ten thousand. */
export const MAX_MACRO_NESTING = 2;
/** Characters of one `matches` pattern, and of all literal patterns of an expression together. */
export const MAX_PATTERN_LENGTH = 256;
export const MAX_PATTERNS_LENGTH = 1024;
/**
 * Sum of all counts in `{n}` and `{n,m}` of an expression's patterns. re2js unrolls them while compiling:
 * 36 × `x{1000}` took 164 ms, 250 in all stay under 20 ms.
 */
export const MAX_PATTERN_REPEATS = 250;
/** Instructions of one compiled pattern. */
export const MAX_PATTERN_PROGRAM = 250;
/** Characters of a text that an expression builds. */
export const MAX_BUILT_TEXT = 1 << 20;
/** A template: characters of its JSON text, objects and lists inside one another, expressions in all its texts. */
export const MAX_TEMPLATE_LENGTH = 64 * 1024;
export const MAX_TEMPLATE_DEPTH = 32;
export const MAX_TEMPLATE_EXPRESSIONS = 500;
/** Characters that a template may write: the largest `data` (10 MiB) in other clothes fits. */
export const MAX_RENDERED_LENGTH = 16 * 1024 * 1024;
/** Lists and objects inside one another that `==` looks into and that a built value may have. */
export const MAX_VALUE_DEPTH = 500;

/**
 * Units of work for one evaluation: a unit is some 20 to 50 ns, a whole budget some tens of milliseconds (measured on
 * Node 20 with the hostile cases of poison.test.ts). One node of a macro's body and one element compared cost a unit.
 */
export const MAX_WORK = 1_000_000;
/** Building a list or an object, beyond its parts. */
export const ALLOCATION_UNITS = 8;
/** Characters per unit where the engine handles a text as a whole, and where we look at each. */
const COPIED_PER_UNIT = 16;
const VISITED_PER_UNIT = 4;

/** The state of one evaluation: where names come from, the macros' variables, and the work that is left. */
export class Evaluation {
  readonly scope: Scope;
  /** Values of macro variables, by nesting level. */
  readonly variables: Value[] = [];
  #workLeft: number;

  /** @param work units that it may spend */
  constructor(scope: Scope, work: number = MAX_WORK) {
    this.scope = scope;
    this.#workLeft = work;
  }

  /** Units that are left; below 0 once it was stopped. */
  get workLeft(): number {
    return this.#workLeft;
  }

  /** Counts work; throws an ExpressionFault when the budget is used up. `evaluate` turns it into a result. */
  spend(units: number): void {
    this.#workLeft -= units;
    if (this.#workLeft < 0) {
      throw new ExpressionFault(
        "BUDGET_EXCEEDED",
        "The expression was stopped: it did more work on this event than one evaluation may do. Use shorter lists or texts, or fewer loops inside one another.",
      );
    }
  }

  /** Counts the copying or comparing of a text as a whole. */
  spendText(length: number): void {
    if (length >= COPIED_PER_UNIT) this.spend(Math.floor(length / COPIED_PER_UNIT));
  }

  /** Counts a look at every character of a text. */
  spendCharacters(length: number): void {
    if (length >= VISITED_PER_UNIT) this.spend(Math.floor(length / VISITED_PER_UNIT));
  }
}
