// The other two ways to write a filter, as expressions: a map of paths, and conditions with AND, OR and groups.
// What they mean is decided by the expressions alone: nothing here may look at an event.
import { nearestNames } from "@posthorn/contract";
import type { Node } from "./ast.ts";
import { ExpressionProblem } from "./errors.ts";
import { EXACT_DIGITS } from "./numbers.ts";
import { parse } from "./parse.ts";
import { isReservedWord } from "./words.ts";

/** A value that a payload's value is compared with. */
export type PlainValue = string | number | boolean | null;

/** What is accepted at a path: one value, any of some, or a range. */
export type MapEntry =
  | PlainValue
  | readonly PlainValue[]
  | { readonly min?: string | number | undefined; readonly max?: string | number | undefined };
export type FilterMap = Readonly<Record<string, MapEntry>>;

export const CONDITION_OPERATORS = [
  "eq",
  "neq",
  "gt",
  "gte",
  "lt",
  "lte",
  "in",
  "nin",
  "contains",
  "notContains",
  "startsWith",
  "endsWith",
  "exists",
  "changed",
  "changedTo",
  "changedFrom",
] as const;
export type ConditionOperator = (typeof CONDITION_OPERATORS)[number];
export const CONDITION_LOGICS = ["AND", "OR"] as const;
export type ConditionLogic = (typeof CONDITION_LOGICS)[number];

/** A comparison (`field`, `operator`, `value`), or a group (`conditions`, `conditionLogic`): never both. */
export interface Condition {
  readonly field?: string | undefined;
  readonly operator?: ConditionOperator | undefined;
  readonly value?: PlainValue | readonly PlainValue[] | undefined;
  readonly conditions?: readonly Condition[] | undefined;
  readonly conditionLogic?: ConditionLogic | undefined;
}

/** Everything in a webhook that says which events pass. */
export interface FilterSettings {
  readonly filters?: readonly string[] | FilterMap | null | undefined;
  readonly conditions?: readonly Condition[] | null | undefined;
  readonly conditionLogic?: ConditionLogic | null | undefined;
}

/** One expression, and the field that it was written in. */
export interface FilterSource {
  readonly field: string;
  readonly source: string;
}

export interface DialectProblem {
  readonly field: string;
  readonly message: string;
  /** Of the text in the field, where it is a place in it. */
  readonly position?: number;
}

/** Values in one list, conditions in all groups together, groups inside one another (the outermost list counts). */
export const MAX_LISTED_VALUES = 100;
export const MAX_CONDITIONS = 100;
export const MAX_CONDITION_DEPTH = 4;
export const MAX_FIELD_LENGTH = 200;
export const MAX_VALUE_LENGTH = 500;

export type Translation =
  | { readonly ok: true; readonly sources: readonly FilterSource[] }
  | { readonly ok: false; readonly problems: readonly DialectProblem[] };

/** The expressions that must all be true, in the order of the fields; or everything that is wrong with them. */
export function translateFilters({ filters, conditions, conditionLogic }: FilterSettings): Translation {
  const problems: DialectProblem[] = [];
  const sources = [
    ...(isExpressionList(filters) ? filters.map((source, index) => ({ field: `filters[${index}]`, source })) : []),
    ...(filters === null || filters === undefined || isExpressionList(filters) ? [] : ofMap(filters, problems)),
    ...ofConditions(conditions ?? [], conditionLogic ?? "AND", problems),
  ];
  return problems.length === 0 ? { ok: true, sources } : { ok: false, problems };
}

/** The same for settings that were checked when they were saved: an expression that is never true stands for a fault. */
export function filterSourcesOf(settings: FilterSettings): readonly FilterSource[] {
  const translation = translateFilters(settings);
  return translation.ok ? translation.sources : [{ field: "filters", source: "false" }];
}

function isExpressionList(filters: FilterSettings["filters"]): filters is readonly string[] {
  return Array.isArray(filters);
}

function ofMap(map: FilterMap, problems: DialectProblem[]): FilterSource[] {
  return Object.entries(map).flatMap(([key, entry]) => {
    const field = `filters.${key}`;
    const path = pathText(key, field, problems);
    if (path === null) return [];
    return [{ field, source: `each(${path}).exists(v, ${accepts(entry, field, problems)})` }];
  });
}

function accepts(entry: MapEntry, field: string, problems: DialectProblem[]): string {
  if (isListed(entry)) return `v in ${literal(entry, field, problems)}`;
  if (typeof entry !== "object" || entry === null) return `v == ${literal(entry, field, problems)}`;
  const bounds = [
    ...(entry.min === undefined ? [] : [`v >= ${literal(entry.min, `${field}.min`, problems)}`]),
    ...(entry.max === undefined ? [] : [`v <= ${literal(entry.max, `${field}.max`, problems)}`]),
  ];
  if (bounds.length === 0) problems.push({ field, message: "A range needs min, max or both." });
  return bounds.join(" && ");
}

function ofConditions(
  conditions: readonly Condition[],
  logic: ConditionLogic,
  problems: DialectProblem[],
): FilterSource[] {
  const counter = { left: MAX_CONDITIONS };
  const parts = conditions.map((condition, index) => {
    const field = `conditions[${index}]`;
    return { field, source: ofCondition(condition, field, 1, counter, problems) };
  });
  if (counter.left < 0) {
    problems.push({ field: "conditions", message: `At most ${MAX_CONDITIONS} conditions, those in groups included.` });
  }
  if (logic === "AND" || parts.length <= 1) return parts;
  return [{ field: "conditions", source: parts.map(({ source }) => source).join(" || ") }];
}

function ofCondition(
  condition: Condition,
  field: string,
  depth: number,
  counter: { left: number },
  problems: DialectProblem[],
): string {
  counter.left -= 1;
  if (condition.conditions === undefined) return ofComparison(condition, field, problems);
  for (const name of ["field", "operator", "value"] as const) {
    if (condition[name] !== undefined) {
      problems.push({ field: `${field}.${name}`, message: "A group has `conditions` and `conditionLogic` alone." });
    }
  }
  if (condition.conditions.length === 0) {
    problems.push({ field: `${field}.conditions`, message: "A group needs at least one condition." });
  }
  if (depth >= MAX_CONDITION_DEPTH) {
    const message = `Groups stand at most ${MAX_CONDITION_DEPTH - 1} deep inside one another.`;
    problems.push({ field: `${field}.conditions`, message });
    return "false";
  }
  const parts = condition.conditions.map((each, index) =>
    ofCondition(each, `${field}.conditions[${index}]`, depth + 1, counter, problems),
  );
  return `(${parts.join(condition.conditionLogic === "OR" ? " || " : " && ")})`;
}

/** What a value may be, by the operator; `flag`: true unless given. */
const TAKES: Readonly<Record<ConditionOperator, "plain" | "ordered" | "text" | "list" | "flag">> = {
  eq: "plain",
  neq: "plain",
  gt: "ordered",
  gte: "ordered",
  lt: "ordered",
  lte: "ordered",
  in: "list",
  nin: "list",
  contains: "plain",
  notContains: "plain",
  startsWith: "text",
  endsWith: "text",
  exists: "flag",
  changed: "flag",
  changedTo: "plain",
  changedFrom: "plain",
};

const TAKEN = {
  plain: "a text, a number, true, false or null",
  ordered: "a number or a text",
  text: "a text",
  list: "a list of at least one value",
  flag: "true or false, or nothing",
} as const;

function ofComparison(condition: Condition, field: string, problems: DialectProblem[]): string {
  const { operator, value } = condition;
  if (condition.conditionLogic !== undefined) {
    problems.push({ field: `${field}.conditionLogic`, message: "It belongs to a group, beside `conditions`." });
  }
  if (condition.field === undefined) {
    problems.push({ field: `${field}.field`, message: "This is required (a path such as invoice.total)." });
  }
  if (operator === undefined) {
    const message = `This is required: ${CONDITION_OPERATORS.join(", ")}.`;
    problems.push({ field: `${field}.operator`, message });
  }
  if (condition.field === undefined || operator === undefined) return "false";
  const path = pathText(condition.field, `${field}.field`, problems);
  const kind = TAKES[operator];
  if (!isOfKind(value, kind)) {
    problems.push({ field: `${field}.value`, message: `\`${operator}\` takes ${TAKEN[kind]}.` });
    return "false";
  }
  if (path === null) return "false";
  const wanted = value === undefined ? "" : literal(value, `${field}.value`, problems);
  switch (operator) {
    case "eq":
      return `each(${path}).exists(v, v == ${wanted})`;
    case "neq":
      return `!each(${path}).exists(v, v == ${wanted})`;
    case "gt":
      return `each(${path}).exists(v, v > ${wanted})`;
    case "gte":
      return `each(${path}).exists(v, v >= ${wanted})`;
    case "lt":
      return `each(${path}).exists(v, v < ${wanted})`;
    case "lte":
      return `each(${path}).exists(v, v <= ${wanted})`;
    case "in":
      return `each(${path}).exists(v, v in ${wanted})`;
    case "nin":
      return `!each(${path}).exists(v, v in ${wanted})`;
    case "contains":
      return `values(${path}).exists(v, v.contains(${wanted}))`;
    case "notContains":
      return `!values(${path}).exists(v, v.contains(${wanted}))`;
    case "startsWith":
      return `each(${path}).exists(v, v.startsWith(${wanted}))`;
    case "endsWith":
      return `each(${path}).exists(v, v.endsWith(${wanted}))`;
    case "exists":
      return `${value === false ? "!" : ""}has(each(${path}))`;
    case "changed":
      return `${value === false ? "!" : ""}changed(${path})`;
    case "changedTo":
      return `changedTo(${path}, ${wanted})`;
    case "changedFrom":
      return `changedFrom(${path}, ${wanted})`;
    default:
      return operator satisfies never;
  }
}

function isOfKind(value: Condition["value"], kind: (typeof TAKES)[ConditionOperator]): boolean {
  switch (kind) {
    case "plain":
      return value !== undefined && !isListed(value);
    case "ordered":
      return typeof value === "number" || typeof value === "string";
    case "text":
      return typeof value === "string";
    case "list":
      return isListed(value) && value.length > 0;
    case "flag":
      return value === undefined || typeof value === "boolean";
    default:
      return kind satisfies never;
  }
}

function isListed(value: unknown): value is readonly PlainValue[] {
  return Array.isArray(value);
}

/** As an expression writes it. A number that JSON has rounded already is refused: nobody can tell what was meant. */
function literal(value: PlainValue | readonly PlainValue[], field: string, problems: DialectProblem[]): string {
  if (isListed(value)) return `[${value.map((each) => literal(each, field, problems)).join(", ")}]`;
  if (typeof value === "number" && !keepsDigits(value)) {
    const message =
      "A number of more than 15 digits loses some of them here. Write an expression, as in filters: [invoice.number == 12345678901234567890].";
    problems.push({ field, message });
  }
  return JSON.stringify(value);
}

/** A number that may be another one than was written has more digits than a double keeps for certain. */
function keepsDigits(value: number): boolean {
  return Number.isSafeInteger(value) || value.toExponential().replace(/e.*|\D/g, "").length <= EXACT_DIGITS;
}

const PLAIN_NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;

/** A path as expressions write it; null, and a problem, for anything else. */
function pathText(written: string, field: string, problems: DialectProblem[]): string | null {
  // Resources are called what they are called: `return.total` means the resource although CEL keeps the word.
  const root = /^\w+/.exec(written.trim())?.[0] ?? "";
  const text = isReservedWord(root) ? written.trim().replace(root, `${root}_`) : written;
  try {
    const path = textOf(parse(text));
    if (path !== null) return path;
  } catch (error) {
    if (!(error instanceof ExpressionProblem)) throw error;
  }
  const message = `“${written.slice(0, 60)}” is no path. Write names with full stops between them, as in invoice.items.sku, and an unusual name in brackets: invoice["unusual name"].`;
  problems.push({ field, message });
  return null;
}

function textOf(node: Node): string | null {
  if (node.kind === "name") return node.name;
  const member = node.kind === "member" ? node.name : node.kind === "index" ? indexOf(node.index) : null;
  if (member === null || (node.kind !== "member" && node.kind !== "index")) return null;
  const before = textOf(node.object);
  if (before === null) return null;
  return PLAIN_NAME.test(member) ? `${before}.${member}` : `${before}[${JSON.stringify(member)}]`;
}

function indexOf(index: Node): string | null {
  return index.kind === "literal" && typeof index.value === "string" ? index.value : null;
}

/** For a message about an operator that there is none of. */
export function unknownOperator(written: unknown): string {
  const nearest = typeof written === "string" ? nearestNames(written, CONDITION_OPERATORS, 1)[0] : undefined;
  const suggestion = nearest === undefined ? "" : `Did you mean ${nearest}? `;
  return `${suggestion}The operators are ${CONDITION_OPERATORS.join(", ")}.`;
}
