// Functions on whatever there is: defaults, what is required, lists and objects. None changes what it is given: results
// share parts with the payload.
import { ExpressionFault } from "./errors.ts";
import { ALLOCATION_UNITS, type Evaluation } from "./limits.ts";
import { keysOf, OPERATIONS } from "./operators.ts";
import { ABSENT, isList, isObject, ownMember, setOwnMember, type Value } from "./values.ts";

/** The first of the values that is there and not `null`. */
export function firstGiven(values: readonly Value[]): Value {
  return values.find((value) => value !== ABSENT && value !== null) ?? ABSENT;
}

/** The value; where it is missing, `null` or an empty text, the evaluation ends, and with it the request. */
export function required([value = ABSENT, reason]: readonly Value[]): Value {
  if (value !== ABSENT && value !== null && value !== "") return value;
  const why = typeof reason === "string" ? reason.slice(0, 200) : "a value that is required is missing.";
  throw new ExpressionFault("VALUE_MISSING", why);
}

export function first(list: Value): Value {
  return isList(list) ? (list[0] ?? (list.length > 0 ? null : ABSENT)) : ABSENT;
}

export function last(list: Value): Value {
  return isList(list) ? (list.at(-1) ?? (list.length > 0 ? null : ABSENT)) : ABSENT;
}

/** Each value once, in the order in which it came first. */
export function distinct(list: Value, run: Evaluation): Value {
  if (!isList(list)) return ABSENT;
  run.spend(list.length + ALLOCATION_UNITS);
  const texts = new Set<string>();
  const kept: Value[] = [];
  for (const element of list) {
    if (typeof element === "string") {
      run.spendText(element.length);
      if (texts.has(element)) continue;
      texts.add(element);
      kept.push(element);
    } else if (OPERATIONS.in(element, kept, run) !== true) {
      kept.push(element);
    }
  }
  return kept;
}

/** Lists inside the list are opened, one level. */
export function flatten(list: Value, run: Evaluation): Value {
  if (!isList(list)) return ABSENT;
  let length = 0;
  for (const element of list) length += isList(element) ? element.length : 1;
  run.spend(list.length + length + ALLOCATION_UNITS);
  return list.flatMap((element) => (isList(element) ? element : [element]));
}

/** A member of an object that is made costs some 200 ns: its name is looked up in a table that grows. */
const MEMBER_UNITS = 4;

/** Only these members, in the order of the names; those that are missing are left out. */
export function pick(object: Value, names: Value, run: Evaluation): Value {
  if (!isObject(object) || !isList(names)) return ABSENT;
  run.spend(names.length * MEMBER_UNITS + ALLOCATION_UNITS);
  const picked: Record<string, Value> = {};
  for (const name of names) {
    const value = typeof name === "string" ? ownMember(object, name) : ABSENT;
    if (value !== ABSENT) setOwnMember(picked, name as string, value);
  }
  return picked;
}

/** All members but these. */
export function without(object: Value, names: Value, run: Evaluation): Value {
  if (!isObject(object) || !isList(names)) return ABSENT;
  const keys = keysOf(object, run);
  run.spend((keys.length + names.length) * MEMBER_UNITS + ALLOCATION_UNITS);
  const left = new Set(names);
  const kept: Record<string, Value> = {};
  for (const key of keys as readonly string[]) if (!left.has(key)) setOwnMember(kept, key, ownMember(object, key));
  return kept;
}

/** The members of both; where both have one, that of the second. */
export function merge(one: Value, other: Value, run: Evaluation): Value {
  if (!isObject(one) || !isObject(other)) return ABSENT;
  const merged: Record<string, Value> = {};
  for (const object of [one, other]) {
    const keys = keysOf(object, run) as readonly string[];
    run.spend(keys.length * MEMBER_UNITS + ALLOCATION_UNITS);
    for (const key of keys) setOwnMember(merged, key, ownMember(object, key));
  }
  return merged;
}
