// Paths that walk through lists: `each`, `values`, and what became different since (`changed`, `changedTo`,
// `changedFrom`). Must never let a list that nobody foresaw decide: every value on the way is paid for.
import type { CallNode, Node } from "./ast.ts";
import type { CompileContext } from "./compile-node.ts";
import { ExpressionFault, ExpressionProblem } from "./errors.ts";
import { type Evaluation, MAX_VALUE_DEPTH } from "./limits.ts";
import type { Evaluate } from "./macros.ts";
import { areEqual } from "./operators.ts";
import { compileRuleUse, isRuleRoot } from "./rule-use.ts";
import { type MemberName, memberName, readMember } from "./scope.ts";
import { ABSENT, isList, isObject, type Value } from "./values.ts";
import { keyOfName } from "./words.ts";

type CompileNode = (node: Node, context: CompileContext) => Evaluate;

const EXAMPLES = {
  each: 'each(order.items.sku).exists(sku, sku == "A1")',
  values: 'values(order.items.sku).exists(sku, sku.contains("A"))',
  changed: "changed(order.status)",
  changedTo: 'changedTo(order.status, "shipped")',
  changedFrom: 'changedFrom(order.status, "draft")',
} as const;
type WalkName = keyof typeof EXAMPLES;

export const WALKS: readonly string[] = Object.keys(EXAMPLES);

/** A call whose first argument is a path, and not the value at it. */
export function isWalk(node: Node): node is CallNode & { readonly name: WalkName } {
  return node.kind === "call" && node.receiver === undefined && Object.hasOwn(EXAMPLES, node.name);
}

/** `each` and `values` give what is at a path; the others compare it with what was. */
export function isGathering(node: Node): boolean {
  return isWalk(node) && (node.name === "each" || node.name === "values");
}

/** The closure for such a call. Throws ExpressionProblem. */
export function compileWalk(
  node: CallNode & { readonly name: WalkName },
  context: CompileContext,
  compile: CompileNode,
): Evaluate {
  const { name, args } = node;
  const hasValue = name === "changedTo" || name === "changedFrom";
  const [pathNode, valueNode] = args;
  const path = pathNode === undefined ? null : pathOf(pathNode);
  if (path === null || args.length !== (hasValue ? 2 : 1)) {
    throw wrongCall(node, `“${name}” takes the path of a member: ${EXAMPLES[name]}.`);
  }
  const isRule = isRuleRoot(path.root, context.variables) && path.members.length > 0;
  const isGathered = name === "each" || name === "values";
  if (isRule && !isGathered) {
    throw wrongCall(node, `“${name}” compares members of the object with what they were; a rule was nothing before.`);
  }
  const [first, ...rest] = path.members;
  const root = isRule && first !== undefined ? compileRuleUse(first.exact, context) : compile(path.root, context);
  if (isGathered) {
    const members = isRule ? rest : path.members;
    return (run) => walk(root(run), members, name === "each", run);
  }
  const rootName = path.root.name;
  if (context.variables.has(rootName) || UNCHANGING.has(rootName) || path.members.length === 0) {
    throw wrongCall(node, `“${name}” takes the path of a member of the object: ${EXAMPLES[name]}.`);
  }
  const change = (run: Evaluation): Change | null => changeOf(rootName, root(run), path.members, run);
  if (valueNode === undefined) return (run) => change(run) !== null;
  const wanted = compile(valueNode, context);
  return (run) => {
    const value = wanted(run);
    if (value === ABSENT) return ABSENT;
    const changed = change(run);
    if (changed === null) return false;
    const values = name === "changedTo" ? changed.now : changed.before;
    return values.some((each) => areEqual(each, value, run));
  };
}

/** What no sender says the former values of. */
const UNCHANGING: ReadonlySet<string> = new Set(["event", "context", "previous"]);

function wrongCall(node: CallNode, message: string): ExpressionProblem {
  return new ExpressionProblem("WRONG_CALL", message, node.nameStart);
}

interface Path {
  readonly root: Extract<Node, { kind: "name" }>;
  readonly members: readonly MemberName[];
}

function pathOf(node: Node): Path | null {
  const members: MemberName[] = [];
  let current = node;
  while (current.kind !== "name") {
    if (current.kind === "member") members.unshift(memberName(current.name));
    else if (current.kind !== "index" || current.index.kind !== "literal") return null;
    else if (typeof current.index.value !== "string") return null;
    else members.unshift(memberName(current.index.value));
    current = current.object;
  }
  return { root: current, members };
}

/**
 * All values at the end of a path, lists on the way opened; ABSENT when the path leads nowhere.
 * @param opensEnd whether lists at its end are opened too, as deep as they go
 */
export function walk(root: Value, members: readonly MemberName[], opensEnd: boolean, run: Evaluation): Value {
  let values: readonly Value[] = root === ABSENT ? [] : [root];
  for (const member of members) {
    const next: Value[] = [];
    for (const holder of opened(values, run)) {
      run.spend(1);
      const value = readMember(holder, member, run.scope.fieldAliases);
      if (value !== ABSENT) next.push(value);
    }
    values = next;
  }
  if (values.length === 0) return ABSENT;
  return opensEnd ? opened(values, run) : values;
}

function opened(values: readonly Value[], run: Evaluation): readonly Value[] {
  if (!values.some(isList)) return values;
  const result: Value[] = [];
  const open = (value: Value, depth: number): void => {
    run.spend(1);
    if (!isList(value)) result.push(value);
    else if (depth < MAX_VALUE_DEPTH) for (const element of value) open(element, depth + 1);
    else throw new ExpressionFault("NESTING_TOO_DEEP", `A list is nested more than ${MAX_VALUE_DEPTH} deep.`);
  };
  for (const value of values) open(value, 0);
  return result;
}

interface Change {
  readonly before: readonly Value[];
  readonly now: readonly Value[];
}

/** What was and what is, when the sender gave the former value and it is another one; else null. */
function changeOf(rootName: string, root: Value, members: readonly MemberName[], run: Evaluation): Change | null {
  const previous = run.scope.lookup("previous");
  if (!isObject(previous)) return null;
  const before = formerly(previous, pathInObject(rootName, root, members, run), run);
  if (before === null) return null;
  const now = listOf(walk(root, members, true, run));
  return areEqual(before, now, run) ? null : { before, now };
}

/** `previous_attributes` names members of the object: its own name in front is not part of their path. */
function pathInObject(
  rootName: string,
  root: Value,
  members: readonly MemberName[],
  run: Evaluation,
): readonly MemberName[] {
  if (root === run.scope.lookup("object")) return members;
  if (rootName === "data" && members[0]?.exact === "object") return members.slice(1);
  return [memberName(keyOfName(rootName)), ...members];
}

/** Null when nothing is said of it; nothing at all where its holder was null. */
function formerly(previous: Value, members: readonly MemberName[], run: Evaluation): readonly Value[] | null {
  let holder = previous;
  for (const [index, member] of members.entries()) {
    if (isList(holder)) return listOrNull(walk(holder, members.slice(index), true, run));
    if (!isObject(holder)) return [];
    holder = readMember(holder, member, run.scope.fieldAliases);
    if (holder === ABSENT) return null;
  }
  return opened([holder], run);
}

function listOf(value: Value): readonly Value[] {
  return isList(value) ? value : [];
}

function listOrNull(value: Value): readonly Value[] | null {
  return isList(value) ? value : null;
}
