// What a tenant names once and its expressions use by name: business rules (`rule.large_order`) and code tables
// (`lookup("tax", code)`). Rules are compiled once for each set of definitions, when they are first asked for.
// Must never let a rule see more than the event: no macro variable of its user, no other rule.
import { countNodes, type Node } from "./ast.ts";
import { compileNode } from "./compile-node.ts";
import { ExpressionProblem } from "./errors.ts";
import type { Evaluate } from "./macros.ts";
import { parse } from "./parse.ts";
import { LiteralPatterns } from "./patterns.ts";
import { ExpressionReads, type ReadPath } from "./reads.ts";
import { RULE_ROOT, type ScopeDefinitions } from "./scope.ts";
import { isObject, type Value } from "./values.ts";

/** A rule as it is stored; times are ISO 8601. */
export interface RuleBody {
  readonly expression: string;
  /** From then on; before it the rule is false. */
  readonly validFrom?: string | undefined;
  /** Until then, and not then. */
  readonly validUntil?: string | undefined;
}

export type CodeValue = string | number | boolean;

/** A code table as it is stored. */
export interface CodeTableBody {
  readonly entries: Readonly<Record<string, CodeValue>>;
}

/** Plain data, so that another thread can have it. */
export interface DefinitionsSource {
  readonly rules: Readonly<Record<string, RuleBody>>;
  readonly tables: Readonly<Record<string, CodeTableBody>>;
}

interface CompiledRule {
  readonly evaluate: Evaluate;
  readonly reads: readonly ReadPath[];
}

/** All definitions of one tenant at one moment. */
export class Definitions implements ScopeDefinitions {
  readonly source: DefinitionsSource;
  readonly #rules = new Map<string, CompiledRule | null>();
  readonly #tables = new Map<string, ReadonlyMap<string, CodeValue>>();

  constructor(source: DefinitionsSource) {
    this.source = source;
  }

  rule(name: string): Evaluate | undefined {
    return this.#compiled(name)?.evaluate;
  }

  table(name: string): ReadonlyMap<string, CodeValue> | undefined {
    const known = this.#tables.get(name);
    if (known !== undefined || !Object.hasOwn(this.source.tables, name)) return known;
    const table = new Map(Object.entries(this.source.tables[name]?.entries ?? {}));
    this.#tables.set(name, table);
    return table;
  }

  /** What a path looks at in an event: in the place of a rule's name, what the rule looks at. */
  readsOf(path: ReadPath): readonly ReadPath[] {
    const [root, name] = path;
    return root === RULE_ROOT && name !== undefined ? (this.#compiled(name)?.reads ?? [path]) : [path];
  }

  #compiled(name: string): CompiledRule | null {
    const known = this.#rules.get(name);
    if (known !== undefined || !Object.hasOwn(this.source.rules, name)) return known ?? null;
    const compiled = compileRule(this.source.rules[name] as RuleBody);
    this.#rules.set(name, compiled);
    return compiled;
  }
}

/** Of a tenant that has none. */
export const NO_DEFINITIONS = new Definitions({ rules: {}, tables: {} });

/** Null when it is no expression: it was checked when it was saved, so only another version of the program says so. */
function compileRule(body: RuleBody): CompiledRule | null {
  try {
    const tree = parse(body.expression);
    const evaluate = compileNode(tree, {
      roots: new Set<string>(),
      patterns: new LiteralPatterns(),
      variables: new Map<string, number>(),
      macroNesting: 0,
    });
    return { evaluate: withinDates(body, paid(tree, evaluate)), reads: new ExpressionReads(tree).touched };
  } catch (error) {
    if (error instanceof ExpressionProblem) return null;
    throw error;
  }
}

/** An expression may use a rule hundreds of times, so each time counts as what the rule costs. */
function paid(tree: Node, evaluate: Evaluate): Evaluate {
  const cost = countNodes(tree);
  return (run) => {
    run.spend(cost);
    return evaluate(run);
  };
}

/** Dates are held against the event's own time, so that a replay a year later decides as the first delivery did. */
function withinDates({ validFrom, validUntil }: RuleBody, evaluate: Evaluate): Evaluate {
  if (validFrom === undefined && validUntil === undefined) return evaluate;
  const fromMs = validFrom === undefined ? Number.NEGATIVE_INFINITY : Date.parse(validFrom);
  const untilMs = validUntil === undefined ? Number.POSITIVE_INFINITY : Date.parse(validUntil);
  return (run) => {
    const atMs = timeOf(run.scope.lookup("event"));
    return atMs >= fromMs && atMs < untilMs ? evaluate(run) : false;
  };
}

/** NaN, which no date holds for, where there is no one event: a template that is filled for a whole batch. */
function timeOf(event: Value): number {
  const timestamp = isObject(event) ? event["timestamp"] : undefined;
  return typeof timestamp === "string" ? Date.parse(timestamp) : Number.NaN;
}
