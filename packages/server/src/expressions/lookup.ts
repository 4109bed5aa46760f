// `lookup("tax", code)` and `lookup("tax", code, otherwise)`: what a code table says of a code.
// The table's name must be fixed text: what is in use has to be found by reading, not by running.
import type { CallNode, Node } from "./ast.ts";
import type { CompileContext } from "./compile-node.ts";
import { ExpressionProblem } from "./errors.ts";
import type { Evaluate } from "./macros.ts";
import { ExactNumber } from "./numbers.ts";
import { ABSENT, type Value } from "./values.ts";

export const LOOKUP = "lookup";
const EXAMPLE = 'lookup("tax", order.taxCode) or lookup("tax", order.taxCode, "none")';

export function isLookup(node: Node): node is CallNode {
  return node.kind === "call" && node.name === LOOKUP && node.receiver === undefined;
}

/** The name of the table; null for a call that the compiler refuses. */
export function lookupTableOf({ args: [table] }: CallNode): string | null {
  return table?.kind === "literal" && typeof table.value === "string" ? table.value : null;
}

/** The closure for such a call. Throws ExpressionProblem. */
export function compileLookup(
  node: CallNode,
  context: CompileContext,
  compile: (node: Node, context: CompileContext) => Evaluate,
): Evaluate {
  const name = lookupTableOf(node);
  const [, codeNode, otherwiseNode] = node.args;
  if (node.receiver !== undefined || name === null || codeNode === undefined || node.args.length > 3) {
    const message = `“lookup” takes the name of a code table as a text, and a code: ${EXAMPLE}.`;
    throw new ExpressionProblem("WRONG_CALL", message, node.nameStart);
  }
  const code = compile(codeNode, context);
  const otherwise: Evaluate = otherwiseNode === undefined ? () => ABSENT : compile(otherwiseNode, context);
  return (run) => {
    const key = keyOf(code(run));
    const found = key === null ? undefined : run.scope.definitions?.table(name)?.get(key);
    return found ?? otherwise(run);
  };
}

/** Codes are texts; a number or a truth value is looked up as it is written. */
function keyOf(value: Value): string | null {
  if (typeof value === "string") return value;
  if (typeof value === "number" || typeof value === "boolean") return String(value);
  return value instanceof ExactNumber ? value.text : null;
}
