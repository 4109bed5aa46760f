// The functions an expression can call. A function given a value it is not made for yields ABSENT, never an error.
// Macros (has, all, exists, …) are not here: they take expressions, not values.
import * as data from "./data-functions.ts";
import * as dates from "./date-functions.ts";
import type { Evaluation } from "./limits.ts";
import * as numbers from "./number-functions.ts";
import { type ExactNumber, numberFromText, toDouble } from "./numbers.ts";
import { isNumber, keysOf, OPERATIONS } from "./operators.ts";
import * as texts from "./text-functions.ts";
import { containsText, countCodePoints, lowerAscii, upperAscii } from "./texts.ts";
import { ABSENT, isList, isObject, type Value } from "./values.ts";

export type CallForm = "function" | "method";

interface Callable {
  /** `function`: name(a, b). `method`: a.name(b). */
  readonly forms: readonly CallForm[];
  /** One call as it is written, for messages. */
  readonly example: string;
}

/** What stands in an expression itself; undefined for what only an event decides. */
export type LiteralValues = readonly (Value | undefined)[];

/** A function of one, of two or of several values, a method's receiver being the first. */
export type ExpressionFunction = Callable &
  (
    | { readonly arity: 1; readonly apply: (value: Value, run: Evaluation) => Value }
    | {
        readonly arity: 2;
        readonly apply: (first: Value, second: Value, run: Evaluation) => Value;
        readonly check?: (literals: LiteralValues) => string | null;
      }
    | {
        /** At least and at most. */
        readonly arity: readonly [number, number];
        readonly apply: (values: readonly Value[], run: Evaluation) => Value;
        /** What is wrong with values that are written out: told when the expression is saved. */
        readonly check?: (literals: LiteralValues) => string | null;
      }
  );

const ANY_FORM: readonly CallForm[] = ["function", "method"];
const FUNCTION: readonly CallForm[] = ["function"];
const METHOD: readonly CallForm[] = ["method"];

/** `matches` is compiled by patterns.ts; its entry here only says how it is called. */
export const MATCHES = { forms: ANY_FORM, arity: 2, example: 'text.matches(r"^INV-\\d+$")' } as const;

const TEXT_FUNCTIONS: readonly [string, ExpressionFunction][] = [
  ["trim", { forms: METHOD, arity: 1, example: "text.trim()", apply: texts.trim }],
  ["lower", { forms: METHOD, arity: 1, example: "text.lower()", apply: texts.lower }],
  ["upper", { forms: METHOD, arity: 1, example: "text.upper()", apply: texts.upper }],
  ["replace", { forms: METHOD, arity: [3, 3], example: 'text.replace("-", "")', apply: texts.replace }],
  ["split", { forms: METHOD, arity: 2, example: 'text.split(",")', apply: texts.split }],
  ["join", { forms: METHOD, arity: [1, 2], example: 'order.tags.join(", ")', apply: texts.join }],
  ["substring", { forms: METHOD, arity: [2, 3], example: "text.substring(0, 3)", apply: texts.substring }],
  ["charAt", { forms: METHOD, arity: 2, example: "text.charAt(0)", apply: texts.charAt }],
  ["truncate", { forms: METHOD, arity: 2, example: "text.truncate(40)", apply: texts.truncate }],
  ["indexOf", { forms: METHOD, arity: 2, example: 'text.indexOf("-")', apply: texts.indexOf }],
  ["lastIndexOf", { forms: METHOD, arity: 2, example: 'text.lastIndexOf("-")', apply: texts.lastIndexOf }],
  ["padStart", { forms: METHOD, arity: [2, 3], example: 'text.padStart(8, "0")', apply: texts.padStart }],
  ["padEnd", { forms: METHOD, arity: [2, 3], example: "text.padEnd(8)", apply: texts.padEnd }],
  ["urlEncode", { forms: FUNCTION, arity: 1, example: "urlEncode(order.number)", apply: texts.urlEncode }],
  ["json", { forms: FUNCTION, arity: 1, example: "json(order.items)", apply: texts.json }],
  ["base64", { forms: FUNCTION, arity: 1, example: "base64(order.number)", apply: texts.base64 }],
  ["sha256", { forms: FUNCTION, arity: 1, example: "sha256(customer.email)", apply: texts.sha256 }],
  ["sha512", { forms: FUNCTION, arity: 1, example: "sha512(customer.email)", apply: texts.sha512 }],
  ["md5", { forms: FUNCTION, arity: 1, example: "md5(customer.email.lower())", apply: texts.md5 }],
];

const NUMBER_FUNCTIONS: readonly [string, ExpressionFunction][] = [
  ["round", { forms: FUNCTION, arity: [1, 2], example: "round(order.total, 2)", apply: numbers.round }],
  ["floor", { forms: FUNCTION, arity: 1, example: "floor(order.total)", apply: numbers.floor }],
  ["ceil", { forms: FUNCTION, arity: 1, example: "ceil(order.total)", apply: numbers.ceil }],
  ["abs", { forms: FUNCTION, arity: 1, example: "abs(order.balance)", apply: numbers.abs }],
  ["fixed", { forms: FUNCTION, arity: 2, example: "fixed(order.total, 2)", apply: numbers.fixed }],
  [
    "formatNumber",
    { forms: FUNCTION, arity: [2, 4], example: 'formatNumber(order.total, 2, ".", ",")', apply: numbers.formatNumber },
  ],
  ["money", { forms: FUNCTION, arity: 2, example: 'money(order.total, "MYR")', apply: numbers.money }],
  ["minorUnits", { forms: FUNCTION, arity: 2, example: 'minorUnits(order.total, "MYR")', apply: numbers.minorUnits }],
  ["sum", { forms: ANY_FORM, arity: 1, example: "sum(order.items.map(i, i.total))", apply: numbers.sum }],
  ["min", { forms: ANY_FORM, arity: 1, example: "min(order.items.map(i, i.price))", apply: numbers.min }],
  ["max", { forms: ANY_FORM, arity: 1, example: "max(order.items.map(i, i.price))", apply: numbers.max }],
];

const zoneAt = (index: number) => (literals: LiteralValues) => dates.zoneProblem(literals[index]);

const DATE_FUNCTIONS: readonly [string, ExpressionFunction][] = [
  [
    "formatDate",
    {
      forms: FUNCTION,
      arity: [2, 3],
      example: 'formatDate(order.date, "dd/MM/yyyy", "Asia/Kuala_Lumpur")',
      apply: dates.formatDate,
      check: (literals) => dates.patternProblem(literals[1]) ?? dates.zoneProblem(literals[2]),
    },
  ],
  [
    "inZone",
    {
      forms: FUNCTION,
      arity: 2,
      example: 'inZone(event.timestamp, "Asia/Tokyo")',
      apply: dates.inZone,
      check: zoneAt(1),
    },
  ],
  [
    "addDays",
    { forms: FUNCTION, arity: [2, 3], example: "addDays(invoice.date, 30)", apply: dates.addDays, check: zoneAt(2) },
  ],
  [
    "addMonths",
    { forms: FUNCTION, arity: [2, 3], example: "addMonths(invoice.date, 1)", apply: dates.addMonths, check: zoneAt(2) },
  ],
  ["addSeconds", { forms: FUNCTION, arity: 2, example: "addSeconds(event.timestamp, 90)", apply: dates.addSeconds }],
  [
    "secondsBetween",
    {
      forms: FUNCTION,
      arity: 2,
      example: "secondsBetween(order.createdAt, order.updatedAt)",
      apply: dates.secondsBetween,
    },
  ],
  [
    "daysBetween",
    { forms: FUNCTION, arity: 2, example: "daysBetween(invoice.date, invoice.dueDate)", apply: dates.daysBetween },
  ],
  ["unixSeconds", { forms: FUNCTION, arity: 1, example: "unixSeconds(event.timestamp)", apply: dates.unixSeconds }],
  [
    "unixMilliseconds",
    { forms: FUNCTION, arity: 1, example: "unixMilliseconds(event.timestamp)", apply: dates.unixMilliseconds },
  ],
  [
    "fromUnixSeconds",
    { forms: FUNCTION, arity: 1, example: "fromUnixSeconds(order.at)", apply: dates.fromUnixSeconds },
  ],
];

const DATA_FUNCTIONS: readonly [string, ExpressionFunction][] = [
  ["default", { forms: FUNCTION, arity: [2, 10], example: 'default(order.note, "none")', apply: data.firstGiven }],
  ["required", { forms: FUNCTION, arity: [1, 2], example: "required(customer.email)", apply: data.required }],
  ["first", { forms: ANY_FORM, arity: 1, example: "first(order.items)", apply: data.first }],
  ["last", { forms: ANY_FORM, arity: 1, example: "last(order.items)", apply: data.last }],
  ["distinct", { forms: ANY_FORM, arity: 1, example: "distinct(order.tags)", apply: data.distinct }],
  ["flatten", { forms: ANY_FORM, arity: 1, example: "flatten(order.groups)", apply: data.flatten }],
  ["pick", { forms: FUNCTION, arity: 2, example: 'pick(customer, ["id", "name"])', apply: data.pick }],
  ["without", { forms: FUNCTION, arity: 2, example: 'without(customer, ["notes"])', apply: data.without }],
  ["merge", { forms: FUNCTION, arity: 2, example: 'merge(order, {"source": "erp"})', apply: data.merge }],
];

export const FUNCTIONS: ReadonlyMap<string, ExpressionFunction> = new Map<string, ExpressionFunction>([
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
  ...TEXT_FUNCTIONS,
  ...NUMBER_FUNCTIONS,
  ...DATE_FUNCTIONS,
  ...DATA_FUNCTIONS,
]);

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
