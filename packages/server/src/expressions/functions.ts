// The functions an expression can call. A function given a value it is not made for yields ABSENT, never an error.
// Macros (has, all, exists, …) are not here: they take expressions, not values.
import type { Evaluation } from "./limits.ts";
import { type ExactNumber, numberFromText, toDouble } from "./numbers.ts";
import { isNumber, keysOf, OPERATIONS } from "./operators.ts";
import { containsText, countCodePoints, lowerAscii, upperAscii } from "./texts.ts";
import { ABSENT, isList, isObject, type Value } from "./values.ts";

export type CallForm = "function" | "method";

interface Callable {
  /** `function`: name(a, b). `method`: a.name(b). */
  readonly forms: readonly CallForm[];
  /** One call as it is written, for messages. */
  readonly example: string;
}

/** A function of one or of two values, a method's receiver being the first. */
export type ExpressionFunction = Callable &
  (
    | { readonly arity: 1; readonly apply: (value: Value, run: Evaluation) => Value }
    | { readonly arity: 2; readonly apply: (first: Value, second: Value, run: Evaluation) => Value }
  );

const ANY_FORM: readonly CallForm[] = ["function", "method"];
const FUNCTION: readonly CallForm[] = ["function"];
const METHOD: readonly CallForm[] = ["method"];

/** `matches` is compiled by patterns.ts; its entry here only says how it is called. */
export const MATCHES = { forms: ANY_FORM, arity: 2, example: 'text.matches(r"^INV-\\d+$")' } as const;

export const FUNCTIONS: ReadonlyMap<string, ExpressionFunction> = new Map([
  ["size", { forms: ANY_FORM, arity: 1, example: "size(order.items)", apply: size }],
  ["contains", { forms: METHOD, arity: 2, example: 'text.contains("part")', apply: contains }],
  ["startsWith", { forms: METHOD, arity: 2, example: 'text.startsWith("INV-")', apply: onTexts(startsWith) }],
  ["endsWith", { forms: METHOD, arity: 2, example: 'text.endsWith(".my")', apply: onTexts(endsWith) }],
  ["lowerAscii", { forms: METHOD, arity: 1, example: "text.lowerAscii()", apply: onText(lowerAscii) }],
  ["upperAscii", { forms: METHOD, arity: 1, example: "text.upperAscii()", apply: onText(upperAscii) }],
  ["string", { forms: FUNCTION, arity: 1, example: "string(order.number)", apply: toText }],
  ["int", { forms: FUNCTION, arity: 1, example: "int(order.quantity)", apply: toInteger }],
  ["double", { forms: FUNCTION, arity: 1, example: "double(order.total)", apply: toNumber }],
  ["bool", { forms: FUNCTION, arity: 1, example: "bool(order.isPaid)", apply: toTruth }],
] satisfies [string, ExpressionFunction][]);

function onText(apply: (text: string, run: Evaluation) => Value) {
  return (value: Value, run: Evaluation): Value => (typeof value === "string" ? apply(value, run) : ABSENT);
}

function onTexts(apply: (text: string, part: string, run: Evaluation) => Value) {
  return (text: Value, part: Value, run: Evaluation): Value =>
    typeof text === "string" && typeof part === "string" ? apply(text, part, run) : ABSENT;
}

const containsPart = onTexts(containsText);

/** A part of a text, or an element of a list. */
function contains(container: Value, part: Value, run: Evaluation): Value {
  return isList(container) ? OPERATIONS.in(part, container, run) : containsPart(container, part, run);
}

/** Code points of a text, elements of a list, members of an object. */
function size(value: Value, run: Evaluation): Value {
  if (typeof value === "string") return countCodePoints(value, run);
  if (isList(value)) return value.length;
  return isObject(value) ? keysOf(value, run).length : ABSENT;
}

function startsWith(text: string, part: string, run: Evaluation): boolean {
  run.spendText(part.length);
  return text.startsWith(part);
}

function endsWith(text: string, part: string, run: Evaluation): boolean {
  run.spendText(part.length);
  return text.endsWith(part);
}

function toText(value: Value): Value {
  if (typeof value === "string") return value;
  if (typeof value === "number" || typeof value === "boolean") return String(value);
  return isNumber(value) ? value.text : ABSENT;
}

const INTEGER = /^-?[0-9]+$/;
const NUMBER = /^[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?$/;

/** Towards zero, as CEL; a text must be a whole number. Keeps all digits of a whole exact number. */
function toInteger(value: Value, run: Evaluation): Value {
  if (typeof value === "string") {
    run.spend(value.length);
    return INTEGER.test(value) ? present(numberFromText(value)) : ABSENT;
  }
  if (typeof value === "number") return present(Math.trunc(value));
  if (!isNumber(value)) return ABSENT;
  run.spend(value.text.length);
  return INTEGER.test(value.text) ? value : present(Math.trunc(toDouble(value)));
}

/** The nearest double of a number or of a text that holds one. */
function toNumber(value: Value, run: Evaluation): Value {
  if (typeof value === "string") {
    run.spend(value.length);
    return NUMBER.test(value) ? present(Number(value)) : ABSENT;
  }
  return isNumber(value) ? present(toDouble(value)) : ABSENT;
}

function present(number: number | ExactNumber): Value {
  return Number.isFinite(toDouble(number)) ? number : ABSENT;
}

const TRUTHS: ReadonlyMap<string, boolean> = new Map([
  ...["true", "True", "TRUE", "t", "1"].map((text) => [text, true] as const),
  ...["false", "False", "FALSE", "f", "0"].map((text) => [text, false] as const),
]);

/** The texts that CEL reads as a truth value. */
function toTruth(value: Value): Value {
  if (typeof value === "boolean") return value;
  return typeof value === "string" ? (TRUTHS.get(value) ?? ABSENT) : ABSENT;
}
