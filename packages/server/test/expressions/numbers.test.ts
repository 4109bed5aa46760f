import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { compareNumbers, ExactNumber, numberFromText, toDouble } from "../../src/expressions/numbers.ts";
import { bestMs } from "./support.ts";

const digits = (minLength: number, maxLength: number) =>
  fc.string({ unit: fc.constantFrom(..."0123456789"), minLength, maxLength });

const decimalText = fc
  .tuple(
    fc.constantFrom("", "-"),
    digits(1, 25),
    fc.option(digits(1, 25)),
    fc.option(fc.integer({ min: -30, max: 30 })),
  )
  .map(([sign, whole, fraction, power]) => {
    const mantissa = `${sign}${whole.replace(/^0+(?=\d)/, "")}${fraction === null ? "" : `.${fraction}`}`;
    return power === null ? mantissa : `${mantissa}e${power}`;
  });

/** The value times 10^90, exactly: an oracle that knows nothing of doubles. */
function scaled(text: string): bigint {
  const [, sign, whole = "", fraction = "", power = "0"] = /^(-?)(\d+)(?:\.(\d+))?(?:e(-?\d+))?$/.exec(text) ?? [];
  const shift = 90 - fraction.length + Number(power);
  const value = BigInt(whole + fraction) * 10n ** BigInt(shift);
  return sign === "-" ? -value : value;
}

describe("numbers", () => {
  it("compare by their exact decimal value, however they are written", () => {
    fc.assert(
      fc.property(decimalText, decimalText, (left, right) => {
        const difference = scaled(left) - scaled(right);
        const expected = difference < 0n ? -1 : difference > 0n ? 1 : 0;
        expect(Math.sign(compareNumbers(numberFromText(left), numberFromText(right)))).toBe(expected);
      }),
      { numRuns: 2000 },
    );
  });

  it("neighbours in the last of many digits are told apart", () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 10n ** 15n, max: 10n ** 40n }), (value) => {
        const [low, high] = [numberFromText(String(value)), numberFromText(String(value + 1n))];
        expect(compareNumbers(low, high)).toBe(-1);
        expect(compareNumbers(high, low)).toBe(1);
        expect(compareNumbers(low, numberFromText(`${value}.000`))).toBe(0);
      }),
    );
  });

  it("stay plain doubles with up to 15 significant digits", () => {
    fc.assert(
      fc.property(fc.integer({ min: -999_999_999_999_999, max: 999_999_999_999_999 }), fc.nat(20), (value, places) => {
        const number = numberFromText(`${value}e-${places}`);
        expect(number).toBe(Number(`${value}e-${places}`));
      }),
    );
  });

  it.each([
    ["100000000000000000000", 1e20],
    ["1.000000000000000000000", 1],
    ["0.000000000000000000000", 0],
    ["0e99999", 0],
    ["000000000000000000001", 1],
    ["1e2", 100],
  ])("%s is a plain number", (text, value) => {
    expect(numberFromText(text)).toBe(value);
  });

  it.each(["1234567890123456", "0.1234567890123456", "1e400", "-1e400", "1e-400", "5e-324", "1e99999999999999999999"])(
    "%s keeps its text",
    (text) => {
      const number = numberFromText(text);
      expect(number).toBeInstanceOf(ExactNumber);
      expect((number as ExactNumber).text).toBe(text);
    },
  );

  it("beyond the range of a double are still ordered", () => {
    const order = [
      "-1e500",
      "-1e400",
      "-1",
      "-1e-400",
      "0",
      "1e-500",
      "1e-400",
      "1",
      "1e308",
      "1e400",
      "2e400",
      "1e500",
    ].map(numberFromText);
    for (const [i, left] of order.entries()) {
      for (const [j, right] of order.entries())
        expect(Math.sign(compareNumbers(left, right)) === Math.sign(i - j)).toBe(true);
    }
  });

  it("an overflowed payload number is beyond every exact one", () => {
    expect(compareNumbers(Number.POSITIVE_INFINITY, numberFromText("1e400"))).toBe(1);
    expect(compareNumbers(numberFromText("-1e400"), Number.NEGATIVE_INFINITY)).toBe(1);
    expect(compareNumbers(Number.POSITIVE_INFINITY, 1)).toBe(1);
  });

  it("a computed double equals the text that is its shortest form", () => {
    expect(compareNumbers(0.1 + 0.2, numberFromText("0.30000000000000004"))).toBe(0);
    expect(compareNumbers(0.1, numberFromText("0.1000000000000000055511151231257827"))).toBe(-1);
  });

  it("negation keeps the digits", () => {
    const number = numberFromText("12345678901234567891") as ExactNumber;
    expect(number.negated().text).toBe("-12345678901234567891");
    expect(number.negated().negated().text).toBe(number.text);
    expect(toDouble(number)).toBe(12345678901234567891);
  });

  it("a million digits take milliseconds", () => {
    const elapsed = bestMs(() => {
      const [low, high] = [numberFromText(`${"7".repeat(1e6)}1`), numberFromText(`${"7".repeat(1e6)}2`)];
      expect(compareNumbers(low, high)).toBe(-1);
    });
    expect(elapsed).toBeLessThan(200);
  });
});
