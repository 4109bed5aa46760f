// Macros over lists and objects: all, exists, exists_one, filter, map. They run an expression once per element.
// Every turn is paid for before it runs, whatever its body turns out to do.
import type { Evaluation } from "./limits.ts";
import { keysOf } from "./operators.ts";
import { ABSENT, isList, isObject, type Value, type ValueList } from "./values.ts";

export type Evaluate = (run: Evaluation) => Value;

/** The body of a macro as compiled: `slot` is where its variable lives, `cost` the nodes that one turn evaluates. */
export interface MacroBody {
  readonly slot: number;
  readonly cost: number;
  readonly evaluate: Evaluate;
  /** The last expression of `map(x, condition, result)`. */
  readonly result: Evaluate | undefined;
}

export interface Macro {
  /** How many expressions may follow the variable. */
  readonly bodies: readonly number[];
  readonly example: string;
  readonly run: (elements: ValueList, body: MacroBody, run: Evaluation) => Value;
}

/** What a macro goes through: a list's elements, an object's keys; undefined when the value is neither. */
export function elementsOf(value: Value, run: Evaluation): ValueList | undefined {
  if (isList(value)) return value;
  return isObject(value) ? keysOf(value, run) : undefined;
}

function turn(element: Value, { slot, cost, evaluate }: MacroBody, run: Evaluation): Value {
  run.spend(cost + 1);
  run.variables[slot] = element;
  return evaluate(run);
}

/** `&&` over the elements: one false decides, else one absent leaves it absent. */
function all(elements: ValueList, body: MacroBody, run: Evaluation): Value {
  let result: Value = true;
  for (const element of elements) {
    const holds = turn(element, body, run);
    if (holds === false) return false;
    if (holds !== true) result = ABSENT;
  }
  return result;
}

/** `||` over the elements: one true decides, else one absent leaves it absent. */
function exists(elements: ValueList, body: MacroBody, run: Evaluation): Value {
  let result: Value = false;
  for (const element of elements) {
    const holds = turn(element, body, run);
    if (holds === true) return true;
    if (holds !== false) result = ABSENT;
  }
  return result;
}

/** Counts as a filter does: only what is exactly true. */
function existsOne(elements: ValueList, body: MacroBody, run: Evaluation): Value {
  let count = 0;
  for (const element of elements) if (turn(element, body, run) === true) count += 1;
  return count === 1;
}

/** Keeps what is exactly true, as a webhook's filter does: a line without the field is left out, not an error. */
function filter(elements: ValueList, body: MacroBody, run: Evaluation): Value {
  return elements.filter((element) => turn(element, body, run) === true);
}

/** The results in order; one absent result makes the list absent, as an absent element does in `[…]`. */
function map(elements: ValueList, body: MacroBody, run: Evaluation): Value {
  const results: Value[] = [];
  for (const element of elements) {
    const value = turn(element, body, run);
    if (body.result !== undefined && value !== true) continue;
    const kept = body.result === undefined ? value : body.result(run);
    if (kept === ABSENT) return ABSENT;
    results.push(kept);
  }
  return results;
}

export const MACROS: ReadonlyMap<string, Macro> = new Map([
  ["all", { bodies: [1], example: "order.items.all(item, item.quantity > 0)", run: all }],
  ["exists", { bodies: [1], example: 'order.items.exists(item, item.sku == "A1")', run: exists }],
  ["exists_one", { bodies: [1], example: 'order.items.exists_one(item, item.sku == "A1")', run: existsOne }],
  ["filter", { bodies: [1], example: "order.items.filter(item, item.quantity > 0)", run: filter }],
  ["map", { bodies: [1, 2], example: "order.items.map(item, item.sku)", run: map }],
]);
