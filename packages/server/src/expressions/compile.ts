// The door of the expression language: source text in, a program that can be evaluated against events out.
// A text that is no expression is a result, never an exception; so is an evaluation that had to be stopped.
import { buildsValues } from "./ast.ts";
import { compileNode } from "./compile-node.ts";
import { type ExpressionError, ExpressionFault, ExpressionProblem } from "./errors.ts";
import { Evaluation } from "./limits.ts";
import type { Evaluate } from "./macros.ts";
import { spendValue } from "./operators.ts";
import { parse } from "./parse.ts";
import { LiteralPatterns } from "./patterns.ts";
import type { Scope } from "./scope.ts";
import type { Value } from "./values.ts";

/** A compiled expression. It keeps no state between evaluations and may be shared by all events of a tenant. */
export class Program {
  readonly source: string;
  /** The root names that it reads, without macro variables: what it can depend on. */
  readonly roots: ReadonlySet<string>;
  readonly #evaluate: Evaluate;

  constructor(source: string, roots: ReadonlySet<string>, evaluate: Evaluate) {
    this.source = source;
    this.roots = roots;
    this.#evaluate = evaluate;
  }

  /**
   * The value, ABSENT where the expression has none, or an ExpressionFault when the evaluation was stopped
   * (`BUDGET_EXCEEDED`, `TEXT_TOO_LONG`, `NESTING_TOO_DEEP`, `PATTERN_TOO_LARGE`) or met a fault of our own or of
   * the scope (`EVALUATION_FAILED`, with its cause). Never throws. The value may share parts with the payload and
   * with the program: read it, never change it.
   */
  evaluate(scope: Scope): Value | ExpressionFault {
    return this.evaluateIn(new Evaluation(scope));
  }

  /** The same inside an evaluation that several programs share, and with it one budget. Never throws. */
  evaluateIn(run: Evaluation): Value | ExpressionFault {
    try {
      return this.#evaluate(run);
    } catch (error) {
      return error instanceof ExpressionFault
        ? error
        : new ExpressionFault("EVALUATION_FAILED", "The expression could not be evaluated.", error);
    }
  }

  /**
   * Whether a filter passes: only when the value is exactly `true`. A stopped evaluation does not pass; a caller who
   * must tell that apart asks `evaluate`, which gives the fault. Never throws.
   */
  test(scope: Scope): boolean {
    return this.evaluate(scope) === true;
  }
}

function payingForResult(evaluate: Evaluate): Evaluate {
  return (run) => {
    const value = evaluate(run);
    if (typeof value === "object") spendValue(value, run);
    return value;
  };
}

export type Compilation =
  | { readonly ok: true; readonly program: Program }
  | { readonly ok: false; readonly error: ExpressionError };

/**
 * Compiles an expression. All limits on its text are enforced here (limits.ts); names are not, because which ones
 * exist depends on the event: an unknown name is ABSENT when it is read.
 * @param patterns the limits on literal patterns, for expressions that share them (the fields of a template)
 *
 * @example
 * const compiled = compileExpression('order.total > 100 && order.status != "draft"');
 * if (compiled.ok) compiled.program.test(eventScope(input));
 */
export function compileExpression(source: string, patterns = new LiteralPatterns()): Compilation {
  try {
    const roots = new Set<string>();
    const context = { roots, patterns, variables: new Map<string, number>(), macroNesting: 0 };
    const tree = parse(source);
    const evaluate = compileNode(tree, context);
    return { ok: true, program: new Program(source, roots, buildsValues(tree) ? payingForResult(evaluate) : evaluate) };
  } catch (error) {
    if (error instanceof ExpressionProblem) return { ok: false, error: error.error };
    throw error;
  }
}
