// What an expression reads, and whether it can ever hold when some of that is never there. For warnings about webhooks
// that are saved; works on the tree alone and must err to the side of silence.
import { childrenOf, type Node } from "./ast.ts";
import { ExpressionProblem } from "./errors.ts";
import { isLookup } from "./lookup.ts";
import { parse } from "./parse.ts";
import { isGathering, isWalk } from "./walk.ts";

/** The names of one way to a value, the root first: `order.items[0].sku` reads `order`, `items`. */
export type ReadPath = readonly [root: string, ...members: string[]];

/** A parsed expression, for asking what it reads. */
export class ExpressionReads {
  /** Every path whose value is used, each once. Of what only `has(…)` looks at the root: the rest may well be missing. */
  readonly paths: readonly ReadPath[];
  /** The same with the whole of what `has(…)` looks at: all that has to be there for the expression to be decided. */
  readonly touched: readonly ReadPath[];
  /** Those of `paths` that go through lists (`each(order.items.sku)`). */
  readonly walked: ReadonlySet<ReadPath>;
  readonly #tree: Node;

  constructor(tree: Node) {
    this.#tree = tree;
    const throughLists = new Set<ReadPath>();
    this.paths = pathsOf(tree, false, throughLists);
    this.touched = pathsOf(tree, true, throughLists);
    this.walked = throughLists;
  }

  /**
   * Whether the value can be `true` for some event in which these paths are absent and all others may hold anything.
   * @param isAbsent asked for paths of this expression only, and whether they go through lists
   */
  canHold(isAbsent: (path: ReadPath, isWalked: boolean) => boolean): boolean {
    return (possible(this.#tree, { isAbsent, variables: NO_VARIABLES }) & TRUE) !== 0;
  }
}

/** What a text reads; null when it is no expression. */
export function readsOf(source: string): ExpressionReads | null {
  try {
    return new ExpressionReads(parse(source));
  } catch (error) {
    if (error instanceof ExpressionProblem) return null;
    throw error;
  }
}

const NO_VARIABLES: ReadonlySet<string> = new Set();
export const MACRO_NAMES: ReadonlySet<string> = new Set(["all", "exists", "exists_one", "filter", "map"]);

/** The path that a node stands for, as far as it is fixed: null for what is computed. */
function pathOf(node: Node, variables: ReadonlySet<string>): ReadPath | null {
  if (node.kind === "name") return variables.has(node.name) ? null : [node.name];
  const step = stepOf(node);
  if (step === null) return null;
  const before = pathOf(step.object, variables);
  return before === null ? null : [...before, step.member];
}

/** `a.b` and `a["b"]`. */
function stepOf(node: Node): { object: Node; member: string } | null {
  if (node.kind === "member") return { object: node.object, member: node.name };
  if (node.kind !== "index" || node.index.kind !== "literal" || typeof node.index.value !== "string") return null;
  return { object: node.object, member: node.index.value };
}

/** The variable and the bodies of a macro call. */
function macroOf(node: Node): { receiver: Node; variable: string; bodies: readonly Node[] } | null {
  if (node.kind !== "call" || !MACRO_NAMES.has(node.name) || node.receiver === undefined) return null;
  const [variable, ...bodies] = node.args;
  return variable?.kind === "name" ? { receiver: node.receiver, variable: variable.name, bodies } : null;
}

function isHas(node: Node): boolean {
  return node.kind === "call" && node.name === "has" && node.receiver === undefined;
}

function pathsOf(tree: Node, isTestRead: boolean, walked: Set<ReadPath>): ReadPath[] {
  const found = new Map<string, ReadPath>();
  collect(tree, NO_VARIABLES, { found, isTestRead, walked });
  return [...found.values()];
}

interface Collection {
  readonly found: Map<string, ReadPath>;
  /** Whether `has(a.b)` counts as reading `a.b`, or `a` alone. */
  readonly isTestRead: boolean;
  readonly walked: Set<ReadPath>;
}

const PREVIOUS: ReadPath = ["previous"];

/** What `has(…)` looks at, whichever way it is written. */
function testedIn(node: Node): Node | undefined {
  const tested = isHas(node) && node.kind === "call" ? node.args[0] : undefined;
  return tested !== undefined && isGathering(tested) && tested.kind === "call" ? tested.args[0] : tested;
}

/** `each(a.b)`: a path of its own kind. Of what is compared with its former value that one is read as well. */
function collectWalk(
  node: Extract<Node, { kind: "call" }>,
  variables: ReadonlySet<string>,
  collection: Collection,
): void {
  const [pathNode, ...values] = node.args;
  const path = pathNode === undefined ? null : pathOf(pathNode, variables);
  if (path !== null) {
    collection.found.set(`each ${JSON.stringify(path)}`, path);
    collection.walked.add(path);
  }
  if (!isGathering(node)) collection.found.set(JSON.stringify(PREVIOUS), PREVIOUS);
  // Of a macro's variable there is only what it goes through.
  if (path === null && pathNode !== undefined) collect(pathNode, variables, collection);
  for (const value of values) collect(value, variables, collection);
}

function collect(node: Node, variables: ReadonlySet<string>, collection: Collection): void {
  const { found, isTestRead } = collection;
  const tested = testedIn(node);
  const whole = pathOf(tested ?? node, variables);
  const path: ReadPath | null = tested === undefined || whole === null || isTestRead ? whole : [whole[0]];
  if (path !== null) {
    found.set(JSON.stringify(path), path);
    return;
  }
  if (isWalk(node)) return collectWalk(node, variables, collection);
  const macro = macroOf(node);
  if (macro === null) {
    for (const child of childrenOf(node)) collect(child, variables, collection);
    return;
  }
  collect(macro.receiver, variables, collection);
  const inner = new Set(variables).add(macro.variable);
  for (const body of macro.bodies) collect(body, inner, collection);
}

// What a node's value may be: a set of these.
const TRUE = 1;
const FALSE = 2;
const OTHER = 4;
const ABSENT = 8;
const ANYTHING = TRUE | FALSE | OTHER | ABSENT;
type Possible = number;

interface Known {
  readonly isAbsent: (path: ReadPath, isWalked: boolean) => boolean;
  readonly variables: ReadonlySet<string>;
}

/** Rules of compile-node.ts and operators.ts on sets of values: what needs an absent operand is absent. */
function possible(node: Node, known: Known): Possible {
  const path = pathOf(node, known.variables);
  if (path !== null) return known.isAbsent(path, false) ? ABSENT : ANYTHING;
  switch (node.kind) {
    case "literal":
      if (typeof node.value === "boolean") return node.value ? TRUE : FALSE;
      return OTHER;
    case "name":
      return ANYTHING;
    case "unary":
      return node.operator === "!" ? negated(possible(node.operand, known)) : computed([node.operand], OTHER, known);
    case "binary": {
      const result = /^[-+*/%]$/.test(node.operator) ? OTHER : TRUE | FALSE;
      return computed([node.left, node.right], result, known);
    }
    case "logic":
      return logic(node.operator === "||" ? TRUE : FALSE, node.operands, known);
    case "choice":
      return choice(node.condition, node.yes, node.no, known);
    case "call":
      return call(node, known);
    case "list":
    case "object":
      return computed(childrenOf(node), OTHER, known);
    case "member":
      return computed([node.object], ANYTHING, known);
    case "index":
      return computed([node.object, node.index], ANYTHING, known);
    default:
      return node satisfies never;
  }
}

/** An operation that has no value when one of its operands has none. */
function computed(operands: readonly Node[], result: Possible, known: Known): Possible {
  const isAbsent = operands.some((operand) => possible(operand, known) === ABSENT);
  return isAbsent ? ABSENT : result | ABSENT;
}

function negated(value: Possible): Possible {
  const swapped = (value & TRUE ? FALSE : 0) | (value & FALSE ? TRUE : 0);
  return swapped | (value & (OTHER | ABSENT) ? ABSENT : 0);
}

/** `||` is decided by one true operand, `&&` by one false; the opposite needs all of them. */
function logic(deciding: Possible, nodes: readonly Node[], known: Known): Possible {
  const opposite = deciding === TRUE ? FALSE : TRUE;
  const operands = nodes.map((node) => possible(node, known));
  let result = operands.some((value) => value & deciding) ? deciding : 0;
  if (operands.every((value) => value & opposite)) result |= opposite;
  if (operands.some((value) => value & (OTHER | ABSENT))) result |= ABSENT;
  return result;
}

function choice(condition: Node, yes: Node, no: Node, known: Known): Possible {
  const value = possible(condition, known);
  const chosen = (value & TRUE ? possible(yes, known) : 0) | (value & FALSE ? possible(no, known) : 0);
  return chosen | (value & (OTHER | ABSENT) ? ABSENT : 0);
}

/** `each` of nothing has no value; what is never there, or never was another, is not changed. */
function ofWalk(node: Extract<Node, { kind: "call" }>, known: Known): Possible {
  const path = node.args[0] === undefined ? null : pathOf(node.args[0], known.variables);
  const isAbsent = path !== null && known.isAbsent(path, true);
  if (isGathering(node)) return isAbsent ? ABSENT : OTHER | ABSENT;
  return isAbsent || known.isAbsent(PREVIOUS, false) ? FALSE : TRUE | FALSE | ABSENT;
}

function call(node: Extract<Node, { kind: "call" }>, known: Known): Possible {
  if (isHas(node)) {
    const tested = testedIn(node);
    const path = tested === undefined ? null : pathOf(tested, known.variables);
    // A member may be there sometimes; a whole root that is never there decides.
    return path !== null && known.isAbsent([path[0]], false) ? FALSE : TRUE | FALSE;
  }
  if (isWalk(node)) return ofWalk(node, known);
  // What it gives instead may be anything.
  if (isLookup(node) && node.args.length > 2) return ANYTHING;
  const macro = macroOf(node);
  if (macro === null && node.name === "default") {
    return node.args.map((value) => possible(value, known)).reduce((all, value) => all | value, 0);
  }
  if (macro === null) {
    return computed(node.receiver === undefined ? node.args : [node.receiver, ...node.args], ANYTHING, known);
  }
  const inner = { ...known, variables: new Set(known.variables).add(macro.variable) };
  // An empty list decides all of them without their bodies.
  if (possible(macro.receiver, known) === ABSENT) return ABSENT;
  if (node.name === "filter" || node.name === "map") return OTHER | ABSENT;
  const turn = macro.bodies.map((body) => possible(body, inner)).reduce((all, value) => all & value, ANYTHING);
  return node.name === "all" || turn & TRUE ? ANYTHING : FALSE | ABSENT;
}
