// What the operators mean on values. An operator that is not defined for its operands yields ABSENT, never an error.
// Nothing here short-circuits: && || ! and ?: belong to the compiler.
import type { BinaryOperator } from "./ast.ts";
import { ExpressionFault } from "./errors.ts";
import { ALLOCATION_UNITS, type Evaluation, MAX_VALUE_DEPTH } from "./limits.ts";
import { compareNumbers, ExactNumber, toDouble } from "./numbers.ts";
import { memberName, memberOf } from "./scope.ts";
import { compareTexts, equalTexts, joinTexts } from "./texts.ts";
import { ABSENT, isList, isObject, ownMember, type Value, type ValueList, type ValueObject } from "./values.ts";

export type Operation = (left: Value, right: Value, run: Evaluation) => Value;

export function isNumber(value: Value): value is number | ExactNumber {
  return typeof value === "number" || value instanceof ExactNumber;
}

/**
 * Deep equality of two present values. Values of different types are unequal (CEL's heterogeneous equality);
 * numbers compare by value, objects by their members in any order, exact keys only.
 */
export function areEqual(left: Value, right: Value, run: Evaluation, depth = 0): boolean {
  if (typeof left === "string" && typeof right === "string") return equalTexts(left, right, run);
  if (typeof left !== "object" && typeof right !== "object") return left === right;
  if (isNumber(left)) return isNumber(right) && orderOfNumbers(left, right, run) === 0;
  if (left === null || right === null) return left === right;
  refuseDepth(depth);
  if (isList(left)) return isList(right) && areEqualLists(left, right, run, depth);
  return isObject(left) && isObject(right) && areEqualObjects(left, right, run, depth);
}

function areEqualLists(left: ValueList, right: ValueList, run: Evaluation, depth: number): boolean {
  if (left.length !== right.length) return false;
  for (let index = 0; index < left.length; index += 1) {
    run.spend(1);
    if (!areEqual(left[index] ?? null, right[index] ?? null, run, depth + 1)) return false;
  }
  return true;
}

function areEqualObjects(left: ValueObject, right: ValueObject, run: Evaluation, depth: number): boolean {
  const keys = keysOf(left, run);
  if (keys.length !== keysOf(right, run).length) return false;
  for (const key of keys) {
    const other = ownMember(right, key);
    if (other === ABSENT || !areEqual(ownMember(left, key), other, run, depth + 1)) return false;
  }
  return true;
}

/** Units per key: finding a member of an object with very many takes some 100 ns. */
const KEY_UNITS = 5;

/** The object's own keys, paid for together with one look at each. */
export function keysOf(object: ValueObject, run: Evaluation): string[] {
  const keys = Object.keys(object);
  run.spend(keys.length * KEY_UNITS);
  return keys;
}

/**
 * Pays for every part of a value as often as it occurs. An expression can build a list whose parts are shared
 * (`[x, x]`, twenty times over): small in memory, endless once somebody writes it out as JSON.
 */
export function spendValue(value: Value, run: Evaluation, depth = 0): void {
  if (typeof value === "string") return run.spendText(value.length);
  if (typeof value !== "object" || value === null) return;
  refuseDepth(depth);
  if (isList(value)) {
    run.spend(value.length);
    for (const element of value) spendValue(element, run, depth + 1);
  } else if (isObject(value)) {
    for (const key of keysOf(value, run)) spendValue(ownMember(value, key), run, depth + 1);
  }
}

function refuseDepth(depth: number): void {
  if (depth < MAX_VALUE_DEPTH) return;
  throw new ExpressionFault("NESTING_TOO_DEEP", `A value is nested more than ${MAX_VALUE_DEPTH} deep.`);
}

function equal(left: Value, right: Value, run: Evaluation): Value {
  if (left === ABSENT || right === ABSENT) return ABSENT;
  return areEqual(left, right, run);
}

function unequal(left: Value, right: Value, run: Evaluation): Value {
  if (left === ABSENT || right === ABSENT) return ABSENT;
  return !areEqual(left, right, run);
}

function orderOfNumbers(left: number | ExactNumber, right: number | ExactNumber, run: Evaluation): number {
  if (left instanceof ExactNumber && right instanceof ExactNumber) run.spendText(left.text.length + right.text.length);
  return compareNumbers(left, right);
}

/** Order of two values of one ordered type, undefined where there is none. */
function orderOf(left: Value, right: Value, run: Evaluation): number | undefined {
  if (isNumber(left)) return isNumber(right) ? orderOfNumbers(left, right, run) : undefined;
  if (typeof left === "string") return typeof right === "string" ? compareTexts(left, right, run) : undefined;
  if (typeof left === "boolean" && typeof right === "boolean") return Number(left) - Number(right);
  return undefined;
}

function ordering(holds: (order: number) => boolean): Operation {
  return (left, right, run) => {
    const order = orderOf(left, right, run);
    return order === undefined ? ABSENT : holds(order);
  };
}

/**
 * Arithmetic on doubles. A result that JSON cannot hold (division by zero, overflow) is ABSENT: a filter on it does
 * not pass, and no receiver is sent an infinity.
 */
function arithmetic(compute: (left: number, right: number) => number): Operation {
  return (left, right) =>
    isNumber(left) && isNumber(right) ? finite(compute(toDouble(left), toDouble(right))) : ABSENT;
}

function finite(value: number): Value {
  return Number.isFinite(value) ? value : ABSENT;
}

const addNumbers = arithmetic((left, right) => left + right);

function add(left: Value, right: Value, run: Evaluation): Value {
  if (typeof left === "string") return typeof right === "string" ? joinTexts(left, right, run) : ABSENT;
  if (!isList(left)) return addNumbers(left, right, run);
  if (!isList(right)) return ABSENT;
  run.spend(ALLOCATION_UNITS + left.length + right.length);
  return [...left, ...right];
}

/** `-value`; an exact number keeps its digits. */
export function negate(value: Value): Value {
  if (value instanceof ExactNumber) return value.negated();
  return typeof value === "number" ? -value : ABSENT;
}

/** Whether a list has an equal element, or an object a member of that name (in any of its spellings). */
function isIn(value: Value, container: Value, run: Evaluation): Value {
  if (value === ABSENT) return ABSENT;
  if (isList(container)) {
    for (const element of container) {
      run.spend(1);
      if (areEqual(value, element, run)) return true;
    }
    return false;
  }
  if (!isObject(container)) return ABSENT;
  return typeof value === "string" && computedMember(container, value, run) !== ABSENT;
}

/** `container[index]`: an element by its 0-based number, a member by its name. */
export function elementAt(container: Value, index: Value, run: Evaluation): Value {
  if (isList(container)) return isNumber(index) ? (container[positionOf(index)] ?? ABSENT) : ABSENT;
  return isObject(container) && typeof index === "string" ? computedMember(container, index, run) : ABSENT;
}

/** Templates keep the text of a number (`1.0`), and it is the same place as 1. No place at all is -1. */
function positionOf(index: number | ExactNumber): number {
  if (typeof index === "number") return index;
  return compareNumbers(index, index.value) === 0 ? index.value : -1;
}

/** Units for the spellings of a name that only the event knows; they took 2 µs. */
const SPELLING_UNITS = 100;

function computedMember(object: ValueObject, key: string, run: Evaluation): Value {
  const exact = ownMember(object, key);
  if (exact !== ABSENT) return exact;
  run.spend(SPELLING_UNITS);
  return memberOf(object, memberName(key), run.scope.fieldAliases);
}

export const OPERATIONS: Readonly<Record<BinaryOperator, Operation>> = {
  "+": add,
  "-": arithmetic((left, right) => left - right),
  "*": arithmetic((left, right) => left * right),
  "/": arithmetic((left, right) => left / right),
  "%": arithmetic((left, right) => left % right),
  "==": equal,
  "!=": unequal,
  "<": ordering((order) => order < 0),
  "<=": ordering((order) => order <= 0),
  ">": ordering((order) => order > 0),
  ">=": ordering((order) => order >= 0),
  in: isIn,
};
