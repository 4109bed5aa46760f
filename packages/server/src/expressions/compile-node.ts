// Tree to closures: names, members, literals, operators and the logic that absorbs what is absent.
// A closure must never throw anything but an ExpressionFault, and must not keep anything from one evaluation to the next.
import type { BinaryOperator, CallNode, Node } from "./ast.ts";
import { compileCall } from "./compile-call.ts";
import { ExpressionProblem } from "./errors.ts";
import { ALLOCATION_UNITS, type Evaluation } from "./limits.ts";
import type { Evaluate } from "./macros.ts";
import { ExactNumber } from "./numbers.ts";
import { elementAt, negate, OPERATIONS, type Operation } from "./operators.ts";
import type { LiteralPatterns } from "./patterns.ts";
import { compileRuleUse, isRuleRoot } from "./rule-use.ts";
import { memberName, readMember } from "./scope.ts";
import { ABSENT, setOwnMember, type Value } from "./values.ts";

/** What compiling one expression collects, and the macro variables that are visible at this place. */
export interface CompileContext {
  readonly roots: Set<string>;
  readonly patterns: LiteralPatterns;
  /** Slot of each visible macro variable; an inner one hides an outer one, and both hide roots. */
  readonly variables: ReadonlyMap<string, number>;
  readonly macroNesting: number;
}

/** The closure for a tree. Throws ExpressionProblem. */
export function compileNode(node: Node, context: CompileContext): Evaluate {
  const constant = constantOf(node);
  if (constant !== undefined) return () => constant;
  switch (node.kind) {
    case "literal":
      return () => node.value;
    case "name":
      return compileName(node.name, context);
    case "member":
      return compileMember(node.object, node.name, context);
    case "index":
      return compileIndex(node.object, node.index, context);
    case "call":
      return compileCall(node satisfies CallNode, context, compileNode);
    case "list":
      return compileList(node.elements, context);
    case "object":
      return compileObject(node.entries, context);
    case "unary":
      return compileUnary(node.operator, compileNode(node.operand, context));
    case "binary":
      return compileBinary(node.operator, compileNode(node.left, context), compileNode(node.right, context));
    case "logic":
      return compileLogic(node.operator === "||", node.operands, context);
    case "choice":
      return compileChoice(node.condition, node.yes, node.no, context);
  }
}

/** The value of a literal, of a signed number and of a list of those; so `x in [...]` builds no list each time. */
function constantOf(node: Node): Value | undefined {
  if (node.kind === "literal") return node.value;
  if (node.kind === "unary" && node.operator === "-" && node.operand.kind === "literal")
    return negate(node.operand.value);
  if (node.kind !== "list") return undefined;
  const elements: Value[] = [];
  for (const element of node.elements) {
    const value = constantOf(element);
    if (value === undefined || value === ABSENT) return undefined;
    elements.push(value);
  }
  return elements;
}

function compileName(name: string, { roots, variables }: CompileContext): Evaluate {
  const slot = variables.get(name);
  if (slot !== undefined) return (run) => run.variables[slot] ?? null;
  roots.add(name);
  return (run) => run.scope.lookup(name);
}

function compileMember(objectNode: Node, name: string, context: CompileContext): Evaluate {
  if (isRuleRoot(objectNode, context.variables)) return compileRuleUse(name, context);
  const object = compileNode(objectNode, context);
  const member = memberName(name);
  return (run) => readMember(object(run), member, run.scope.fieldAliases);
}

function compileIndex(containerNode: Node, indexNode: Node, context: CompileContext): Evaluate {
  if (indexNode.kind === "literal" && typeof indexNode.value === "string") {
    return compileMember(containerNode, indexNode.value, context);
  }
  const container = compileNode(containerNode, context);
  const index = compileNode(indexNode, context);
  return (run) => elementAt(container(run), index(run), run);
}

function compileList(nodes: readonly Node[], context: CompileContext): Evaluate {
  const elements = nodes.map((node) => compileNode(node, context));
  return (run) => {
    run.spend(ALLOCATION_UNITS);
    const list: Value[] = [];
    for (const element of elements) {
      const value = element(run);
      if (value === ABSENT) return ABSENT;
      list.push(value);
    }
    return list;
  };
}

function compileObject(nodes: readonly (readonly [key: Node, value: Node])[], context: CompileContext): Evaluate {
  refuseBadKeys(nodes.map(([key]) => key));
  const entries = nodes.map(([key, value]) => [compileNode(key, context), compileNode(value, context)] as const);
  return (run) => {
    run.spend(ALLOCATION_UNITS);
    const object: Record<string, Value> = {};
    for (const [keyOf, valueOf] of entries) {
      const key = keyOf(run);
      const value = valueOf(run);
      if (typeof key !== "string" || Object.hasOwn(object, key) || value === ABSENT) return ABSENT;
      setOwnMember(object, key, value);
    }
    return object;
  };
}

function refuseBadKeys(keys: readonly Node[]): void {
  const seen = new Set<Value>();
  for (const key of keys) {
    if (key.kind !== "literal") continue;
    if (typeof key.value !== "string") {
      throw new ExpressionProblem(
        "INVALID_KEY",
        "The key of an object must be a text.",
        key.start,
        'Put the key in quotes: {"a": 1}.',
      );
    }
    if (seen.has(key.value))
      throw new ExpressionProblem("DUPLICATE_KEY", "This key stands twice in one object.", key.start);
    seen.add(key.value);
  }
}

function compileUnary(operator: "!" | "-", operand: Evaluate): Evaluate {
  if (operator === "-") return (run) => negateAndPay(operand(run), run);
  return (run) => {
    const value = operand(run);
    return typeof value === "boolean" ? !value : ABSENT;
  };
}

function negateAndPay(value: Value, run: Evaluation): Value {
  // A payload may hold a number of a million digits, and a macro may negate it at every turn.
  if (value instanceof ExactNumber) run.spend(value.text.length);
  return negate(value);
}

/**
 * The comparisons that nearly every filter consists of decide plain numbers on the spot; everything else, and every
 * other operator, goes through the table (measured: docs/decisions/0001-expression-parser.md).
 */
function compileBinary(operator: BinaryOperator, left: Evaluate, right: Evaluate): Evaluate {
  const operation = OPERATIONS[operator];
  switch (operator) {
    case ">":
      return onNumbers(left, right, operation, (a, b) => a > b);
    case ">=":
      return onNumbers(left, right, operation, (a, b) => a >= b);
    case "<":
      return onNumbers(left, right, operation, (a, b) => a < b);
    case "<=":
      return onNumbers(left, right, operation, (a, b) => a <= b);
    default:
      return (run) => operation(left(run), right(run), run);
  }
}

function onNumbers(
  left: Evaluate,
  right: Evaluate,
  otherwise: Operation,
  compare: (a: number, b: number) => boolean,
): Evaluate {
  return (run: Evaluation) => {
    const a = left(run);
    const b = right(run);
    return typeof a === "number" && typeof b === "number" ? compare(a, b) : otherwise(a, b, run);
  };
}

/** `||` (decided by true) and `&&` (decided by false): what decides wins over absent operands on either side. */
function compileLogic(deciding: boolean, nodes: readonly Node[], context: CompileContext): Evaluate {
  const operands = nodes.map((node) => compileNode(node, context));
  return (run) => {
    let result: Value = !deciding;
    for (const operand of operands) {
      const value = operand(run);
      if (value === deciding) return deciding;
      if (value !== !deciding) result = ABSENT;
    }
    return result;
  };
}

function compileChoice(conditionNode: Node, yesNode: Node, noNode: Node, context: CompileContext): Evaluate {
  const condition = compileNode(conditionNode, context);
  const yes = compileNode(yesNode, context);
  const no = compileNode(noNode, context);
  return (run) => {
    const value = condition(run);
    if (value === true) return yes(run);
    return value === false ? no(run) : ABSENT;
  };
}
