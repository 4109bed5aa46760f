// Which rules and code tables an expression names, and where. Works on the tree alone, as it was written; must find every
// name that evaluation would ask for, because what is in use cannot be deleted.
import { childrenOf, type Node } from "./ast.ts";
import { ExpressionProblem } from "./errors.ts";
import { isLookup, lookupTableOf } from "./lookup.ts";
import { parse } from "./parse.ts";
import { MACRO_NAMES } from "./reads.ts";
import { isRuleRoot } from "./rule-use.ts";
import { RULE_ROOT } from "./scope.ts";

export const DEFINITION_KINDS = ["rule", "code_table"] as const;
export type DefinitionKind = (typeof DEFINITION_KINDS)[number];

export interface DefinitionUse {
  readonly kind: DefinitionKind;
  readonly name: string;
  /** 0-based offset in UTF-16 units. */
  readonly position: number;
}

/** Every use, in the order of the text; none in a text that is no expression. */
export function usesOf(source: string): readonly DefinitionUse[] {
  // Nearly no expression names any, and parsing costs more than looking.
  if (!source.includes(RULE_ROOT) && !source.includes("lookup")) return [];
  try {
    const uses: DefinitionUse[] = [];
    collect(parse(source), new Set(), uses);
    return uses.toSorted((a, b) => a.position - b.position);
  } catch (error) {
    if (error instanceof ExpressionProblem) return [];
    throw error;
  }
}

function collect(node: Node, variables: ReadonlySet<string>, uses: DefinitionUse[]): void {
  const rule = ruleNamedBy(node, variables);
  if (rule !== null) uses.push(rule);
  if (isLookup(node)) {
    const name = lookupTableOf(node);
    if (name !== null) uses.push({ kind: "code_table", name, position: node.start });
  }
  const [variable, ...bodies] = node.kind === "call" && MACRO_NAMES.has(node.name) ? node.args : [];
  if (node.kind !== "call" || node.receiver === undefined || variable?.kind !== "name") {
    for (const child of childrenOf(node)) collect(child, variables, uses);
    return;
  }
  collect(node.receiver, variables, uses);
  const inner = new Set(variables).add(variable.name);
  for (const body of bodies) collect(body, inner, uses);
}

function ruleNamedBy(node: Node, variables: ReadonlySet<string>): DefinitionUse | null {
  if (node.kind !== "member" && node.kind !== "index") return null;
  if (!isRuleRoot(node.object, variables)) return null;
  if (node.kind === "member") return { kind: "rule", name: node.name, position: node.start };
  const { index } = node;
  if (index.kind !== "literal" || typeof index.value !== "string") return null;
  return { kind: "rule", name: index.value, position: node.start };
}
