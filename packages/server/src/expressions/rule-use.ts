// `rule.large_order` in an expression. Asked for when it runs, so that a changed rule needs no new program of those who use
// it. A rule must see the event alone, and must leave its user's macro variables as they were.
import type { Node } from "./ast.ts";
import type { CompileContext } from "./compile-node.ts";
import type { Evaluate } from "./macros.ts";
import { memberName, readMember, RULE_ROOT } from "./scope.ts";

/** Whether a node is `rule`, and not a macro's variable of that name. */
export function isRuleRoot(node: Node, variables: { has(name: string): boolean }): boolean {
  return node.kind === "name" && node.name === RULE_ROOT && !variables.has(RULE_ROOT);
}

/** The closure for a rule's name. Where there is no such rule it is a member of the event as any other. */
export function compileRuleUse(name: string, { roots, macroNesting }: CompileContext): Evaluate {
  roots.add(RULE_ROOT);
  const member = memberName(name);
  return (run) => {
    const rule = run.scope.definitions?.rule(name);
    if (rule === undefined) return readMember(run.scope.lookup(RULE_ROOT), member, run.scope.fieldAliases);
    if (macroNesting === 0) return rule(run);
    const kept = run.variables.slice(0, macroNesting);
    const value = rule(run);
    run.variables.splice(0, macroNesting, ...kept);
    return value;
  };
}
