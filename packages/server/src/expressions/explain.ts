// Why a filter passes or not, in the words of whoever wrote it: its parts that all must hold, each with its result and
// with what it found in the event. For people who look at one event; routing never comes this way.
import { compileExpression } from "./compile.ts";
import { ExpressionFault, ExpressionProblem } from "./errors.ts";
import { JsonText } from "./json-text.ts";
import { Evaluation } from "./limits.ts";
import { type ReadPath, readsOf } from "./reads.ts";
import { memberName, readMember, RULE_ROOT, type Scope } from "./scope.ts";
import { tokenize } from "./tokens.ts";
import { ABSENT, isList, type Value } from "./values.ts";
import { walk } from "./walk.ts";

/** True or false; null when there is no answer, because something that it needs is missing or of another type. */
export type FilterResult = boolean | null;

export interface ExplainedClause {
  readonly source: string;
  readonly result: FilterResult;
  /** What it read: `json` is the value's beginning as JSON text, null where there is no value. */
  readonly reads: readonly { readonly path: string; readonly json: string | null }[];
}

export interface ExplainedFilter {
  readonly source: string;
  readonly result: FilterResult;
  /** One for each part between `&&`; a single one when there is nothing to divide. */
  readonly clauses: readonly ExplainedClause[];
  /** The evaluation was stopped, which counts as not passing. */
  readonly fault?: { readonly code: string; readonly message: string };
}

/** Longer values are cut: they are shown so that somebody recognises them. */
const MAX_SHOWN = 200;

/** Evaluates one filter on one event. A text that is no expression does not pass (it was refused when it was saved). */
export function explainFilter(source: string, scope: Scope): ExplainedFilter {
  const value = valueOf(source, scope);
  const explained = {
    source,
    result: resultOf(value),
    clauses: clausesOf(source).map((each) => explainClause(each, scope)),
  };
  if (!(value instanceof ExpressionFault)) return explained;
  return { ...explained, fault: { code: value.code, message: value.message } };
}

function explainClause(source: string, scope: Scope): ExplainedClause {
  const read = readsOf(source);
  const reads = (read?.paths ?? []).map((path) => {
    const value = read?.walked.has(path) === true ? along(path, scope) : at(path, scope);
    return { path: path.join("."), json: shown(value) };
  });
  return { source, result: resultOf(valueOf(source, scope)), reads };
}

function valueOf(source: string, scope: Scope): Value | ExpressionFault {
  const compiled = compileExpression(source);
  return compiled.ok ? compiled.program.evaluate(scope) : ABSENT;
}

function resultOf(value: Value | ExpressionFault): FilterResult {
  return typeof value === "boolean" ? value : null;
}

/** The parts that `&&` joins at the outermost level; the whole where `||` or `?:` binds more loosely than they do. */
function clausesOf(source: string): string[] {
  const cuts: { start: number; end: number }[] = [];
  let depth = 0;
  try {
    for (const { kind, text, start, end } of tokenize(source)) {
      if (kind !== "symbol") continue;
      if ("([{".includes(text)) depth += 1;
      else if (")]}".includes(text)) depth -= 1;
      else if (depth === 0 && text === "&&") cuts.push({ start, end });
      else if (depth === 0 && (text === "||" || text === "?")) return [source.trim()];
    }
  } catch (error) {
    if (!(error instanceof ExpressionProblem)) throw error;
  }
  const starts = [0, ...cuts.map(({ end }) => end)];
  const ends = [...cuts.map(({ start }) => start), source.length];
  return starts.map((start, index) => source.slice(start, ends[index]).trim());
}

function at([root, ...members]: ReadPath, scope: Scope): Value {
  if (root === RULE_ROOT && members[0] !== undefined) return ruleThen(members, scope);
  return members.reduce<Value>(
    (value, member) => readMember(value, memberName(member), scope.fieldAliases),
    scope.lookup(root),
  );
}

/** What a rule says of the event, and what it found there. */
function ruleThen(members: readonly string[], scope: Scope): Value {
  const value = valueOf(`${RULE_ROOT}${members.map((member) => `[${JSON.stringify(member)}]`).join("")}`, scope);
  return value instanceof ExpressionFault ? ABSENT : value;
}

/** What a path through lists leads to: the one value, or all of them. */
function along(path: ReadPath, scope: Scope): Value {
  const [root, ...members] = path;
  if (root === RULE_ROOT) return at(path, scope);
  try {
    const values = walk(scope.lookup(root), members.map(memberName), false, new Evaluation(scope));
    return isList(values) && values.length === 1 && values[0] !== undefined ? values[0] : values;
  } catch (error) {
    if (!(error instanceof ExpressionFault)) throw error;
    return ABSENT;
  }
}

function shown(value: Value): string | null {
  if (value === ABSENT) return null;
  if (typeof value === "string" && value.length > MAX_SHOWN) return `${JSON.stringify(value.slice(0, MAX_SHOWN))}…`;
  const json = new JsonText(MAX_SHOWN);
  try {
    json.write(value);
    return json.text;
  } catch (error) {
    if (!(error instanceof ExpressionFault)) throw error;
    return `${json.text}…`;
  }
}
