// Numbers that a double cannot hold exactly, and comparison by value between any two numbers.
// Comparison must never depend on how a number was written: 1e2, 100 and 100.0 are one value.

/** A double keeps every decimal of up to 15 significant digits (IEEE 754 binary64, DBL_DIG). */
export const EXACT_DIGITS = 15;

/** Below this a double has fewer digits than that. */
const SMALLEST_NORMAL = 2 ** -1022;

interface Decimal {
  readonly sign: -1 | 0 | 1;
  /** Without leading and trailing zeros; empty for zero. */
  readonly digits: string;
  /** The value is 0.digits × 10^exponent. */
  readonly exponent: number;
}

/** A number with its source text, for one that has more significant digits than a double keeps. */
export class ExactNumber {
  readonly text: string;
  /** The nearest double; arithmetic uses it. */
  readonly value: number;
  #decimal: Decimal | undefined;

  constructor(text: string) {
    this.text = text;
    this.value = Number(text);
  }

  get decimal(): Decimal {
    this.#decimal ??= toDecimal(this.text);
    return this.#decimal;
  }

  negated(): ExactNumber {
    return new ExactNumber(this.text.startsWith("-") ? this.text.slice(1) : `-${this.text}`);
  }
}

const DECIMAL_SHAPE = /^([+-]?)(\d*)(?:\.(\d*))?(?:[eE]([+-]?\d+))?$/;

function toDecimal(text: string): Decimal {
  const [, sign = "", whole = "", fraction = "", power = "0"] = DECIMAL_SHAPE.exec(text) ?? [];
  const padded = whole + fraction;
  const leadingZeros = countLeadingZeros(padded);
  const digits = padded.slice(leadingZeros, lastNonZero(padded) + 1);
  if (digits === "") return { sign: 0, digits, exponent: 0 };
  return { sign: sign === "-" ? -1 : 1, digits, exponent: whole.length - leadingZeros + Number(power) };
}

function countLeadingZeros(digits: string): number {
  let index = 0;
  while (digits.charCodeAt(index) === 48) index += 1;
  return index;
}

function lastNonZero(digits: string): number {
  let index = digits.length - 1;
  while (index >= 0 && digits.charCodeAt(index) === 48) index -= 1;
  return index;
}

/**
 * A decimal number text to a value: a plain number where a double tells it apart from every other number of up to
 * 15 significant digits, an ExactNumber otherwise (more digits, or outside the range of a double).
 * The text must be a well-formed decimal number, as JSON or an expression writes it.
 */
export function numberFromText(text: string): number | ExactNumber {
  const value = Number(text);
  const isInRange = Number.isFinite(value) && Math.abs(value) >= SMALLEST_NORMAL;
  if (isInRange && text.length <= EXACT_DIGITS) return value;
  const { digits } = toDecimal(text);
  return digits === "" || (isInRange && digits.length <= EXACT_DIGITS) ? value : new ExactNumber(text);
}

/** The double nearest to a number. */
export function toDouble(number: number | ExactNumber): number {
  return typeof number === "number" ? number : number.value;
}

/** Negative, zero or positive as `left` is less than, equal to or greater than `right`, by exact value. */
export function compareNumbers(left: number | ExactNumber, right: number | ExactNumber): number {
  const leftDouble = toDouble(left);
  const rightDouble = toDouble(right);
  // Rounding to a double keeps the order, so unequal doubles decide it.
  if (leftDouble < rightDouble) return -1;
  if (leftDouble > rightDouble) return 1;
  if (typeof left === "number" && typeof right === "number") return 0;
  return compareDecimals(decimalOf(left), decimalOf(right));
}

function decimalOf(number: number | ExactNumber): Decimal {
  if (typeof number !== "number") return number.decimal;
  // Only an overflowing payload number is infinite: it lies beyond every number that has its digits.
  if (!Number.isFinite(number)) return { sign: number > 0 ? 1 : -1, digits: "1", exponent: Number.POSITIVE_INFINITY };
  return toDecimal(String(number));
}

function compareDecimals(left: Decimal, right: Decimal): number {
  if (left.sign !== right.sign) return left.sign - right.sign;
  return left.sign * compareMagnitudes(left, right);
}

function compareMagnitudes(left: Decimal, right: Decimal): number {
  if (left.exponent !== right.exponent) return left.exponent < right.exponent ? -1 : 1;
  // Both are 0.digits times the same power of ten, so text order is value order.
  if (left.digits === right.digits) return 0;
  return left.digits < right.digits ? -1 : 1;
}
