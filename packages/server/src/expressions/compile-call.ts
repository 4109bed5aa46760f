// Calls to closures: functions, `has` and the macros, with messages for every way to call them wrongly.
// An unknown function is refused here, when the expression is saved; it must never wait for an event.
import { type CallNode, countNodes, type Node } from "./ast.ts";
import type { CompileContext } from "./compile-node.ts";
import { ExpressionProblem } from "./errors.ts";
import { type CallForm, type ExpressionFunction, FUNCTIONS, MATCHES } from "./functions.ts";
import { compileLookup, LOOKUP } from "./lookup.ts";
import { MAX_MACRO_NESTING } from "./limits.ts";
import { elementsOf, type Evaluate, type Macro, MACROS } from "./macros.ts";
import { nearestNames } from "@posthorn/contract";
import { matchesComputed } from "./patterns.ts";
import { ABSENT } from "./values.ts";
import { compileWalk, isGathering, isWalk, WALKS } from "./walk.ts";

type CompileNode = (node: Node, context: CompileContext) => Evaluate;

const HAS_EXAMPLE = "has(order.note)";
const NAMES: readonly string[] = ["has", "matches", LOOKUP, ...WALKS, ...MACROS.keys(), ...FUNCTIONS.keys()];

/** The closure for a call. Throws ExpressionProblem. */
export function compileCall(node: CallNode, context: CompileContext, compile: CompileNode): Evaluate {
  if (node.name === "has") return compileHas(node, context, compile);
  if (node.name === LOOKUP) return compileLookup(node, context, compile);
  if (isWalk(node)) return compileWalk(node, context, compile);
  const macro = MACROS.get(node.name);
  if (macro !== undefined) return compileMacro(node, macro, context, compile);
  if (node.name === "matches") return compileMatches(node, context, compile);
  const callee = FUNCTIONS.get(node.name);
  if (callee === undefined) throw unknownFunction(node);
  return compileFunction(node, callee, context, compile);
}

function compileFunction(
  node: CallNode,
  callee: ExpressionFunction,
  context: CompileContext,
  compile: CompileNode,
): Evaluate {
  if (typeof callee.arity !== "number") return compileMany(node, callee, callee.apply, context, compile);
  const [firstNode, secondNode] = valuesOf(node, { ...callee, arity: callee.arity });
  if ("check" in callee) refuseLiterals(node, [firstNode, secondNode], callee.check);
  const first = compile(firstNode, context);
  if (callee.arity === 1) return (run) => callee.apply(first(run), run);
  const second = compile(secondNode, context);
  return (run) => callee.apply(first(run), second(run), run);
}

function compileMany(
  node: CallNode,
  { forms, arity, example, check }: SeveralValues,
  apply: SeveralValues["apply"],
  context: CompileContext,
  compile: CompileNode,
): Evaluate {
  const nodes = node.receiver === undefined ? node.args : [node.receiver, ...node.args];
  const form: CallForm = node.receiver === undefined ? "function" : "method";
  const [least, most] = arity;
  if (!forms.includes(form) || nodes.length < least || nodes.length > most) {
    throw wrongCall(node, `“${node.name}” is called like this: ${example}.`);
  }
  refuseLiterals(node, nodes, check);
  const values = nodes.map((each) => compile(each, context));
  return (run) =>
    apply(
      values.map((value) => value(run)),
      run,
    );
}

type SeveralValues = Extract<ExpressionFunction, { arity: readonly [number, number] }>;

/** What can be told of a call without an event. */
function refuseLiterals(node: CallNode, values: readonly Node[], check: SeveralValues["check"]): void {
  const literals = values.map((value) => (value.kind === "literal" ? value.value : undefined));
  const problem = check?.(literals) ?? null;
  if (problem !== null) throw wrongCall(node, problem);
}

function compileMatches(node: CallNode, context: CompileContext, compile: CompileNode): Evaluate {
  const [textNode, patternNode] = valuesOf(node, MATCHES);
  const text = compile(textNode, context);
  if (patternNode.kind === "literal" && typeof patternNode.value === "string") {
    const test = context.patterns.forLiteral(patternNode.value, patternNode.start);
    return (run) => test(text(run), run);
  }
  const pattern = compile(patternNode, context);
  const test = matchesComputed();
  return (run) => test(text(run), pattern(run), run);
}

/** The receiver and the arguments of a call, once their number and the form of the call are right. */
function valuesOf(
  node: CallNode,
  callee: { readonly forms: readonly CallForm[]; readonly arity: number; readonly example: string },
): readonly [Node, Node] {
  const values = node.receiver === undefined ? node.args : [node.receiver, ...node.args];
  const form: CallForm = node.receiver === undefined ? "function" : "method";
  const [first, second] = values;
  if (!callee.forms.includes(form) || values.length !== callee.arity || first === undefined) {
    throw wrongCall(node, `“${node.name}” is called like this: ${callee.example}.`);
  }
  // With one value nobody reads the second.
  return [first, second ?? first];
}

/** `has(path)`: whether the path leads to a value, `null` included. Any missing step on the way makes it false. */
function compileHas(node: CallNode, context: CompileContext, compile: CompileNode): Evaluate {
  const [path] = node.args;
  if (node.receiver !== undefined || path === undefined || node.args.length !== 1) {
    throw wrongCall(node, `“has” is called like this: ${HAS_EXAMPLE}.`);
  }
  if (path.kind !== "member" && path.kind !== "index" && path.kind !== "name" && !isGathering(path)) {
    throw new ExpressionProblem("WRONG_CALL", `“has” needs the path of a member: ${HAS_EXAMPLE}.`, path.start);
  }
  const value = compile(path, context);
  return (run) => value(run) !== ABSENT;
}

function compileMacro(node: CallNode, macro: Macro, context: CompileContext, compile: CompileNode): Evaluate {
  const [variable, condition, result] = node.args;
  if (node.receiver === undefined || condition === undefined || !macro.bodies.includes(node.args.length - 1)) {
    throw wrongCall(node, `“${node.name}” is called like this: ${macro.example}.`);
  }
  if (variable?.kind !== "name") {
    throw new ExpressionProblem(
      "WRONG_CALL",
      `“${node.name}” needs a name for the element first: ${macro.example}.`,
      node.nameStart,
    );
  }
  const inner = innerContext(node, variable.name, context);
  const range = compile(node.receiver, context);
  const body = {
    slot: context.macroNesting,
    cost: countNodes(condition) + (result === undefined ? 0 : countNodes(result)),
    evaluate: compile(condition, inner),
    result: result === undefined ? undefined : compile(result, inner),
  };
  return (run) => {
    const elements = elementsOf(range(run), run);
    return elements === undefined ? ABSENT : macro.run(elements, body, run);
  };
}

function innerContext(node: CallNode, variable: string, context: CompileContext): CompileContext {
  if (context.macroNesting >= MAX_MACRO_NESTING) {
    throw new ExpressionProblem(
      "MACROS_TOO_DEEP",
      `“${node.name}” stands inside ${MAX_MACRO_NESTING} others of its kind; that is one too many.`,
      node.nameStart,
    );
  }
  const variables = new Map(context.variables).set(variable, context.macroNesting);
  return { ...context, variables, macroNesting: context.macroNesting + 1 };
}

function wrongCall(node: CallNode, message: string): ExpressionProblem {
  return new ExpressionProblem("WRONG_CALL", message, node.nameStart);
}

function unknownFunction(node: CallNode): ExpressionProblem {
  const nearest = nearestNames(node.name, NAMES, 1)[0];
  return new ExpressionProblem(
    "UNKNOWN_FUNCTION",
    `There is no function “${node.name}”.`,
    node.nameStart,
    nearest === undefined ? `The functions are ${NAMES.join(", ")}.` : `Did you mean “${nearest}”?`,
  );
}
