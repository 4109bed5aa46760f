import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ExactNumber } from "../../src/expressions/numbers.ts";
import { parsePayload } from "../../src/expressions/payload.ts";
import { isObject, type Value } from "../../src/expressions/values.ts";

const exactly = (text: string): Value => parsePayload(text, { exactNumbers: true });

/** What JSON.parse would have made of it: every number a double. */
function withDoubles(value: Value): unknown {
  if (value instanceof ExactNumber) return value.value;
  if (Array.isArray(value)) return value.map(withDoubles);
  if (!isObject(value)) return value;
  const copy: Record<string, unknown> = {};
  for (const [key, member] of Object.entries(value)) {
    Object.defineProperty(copy, key, {
      value: withDoubles(member),
      enumerable: true,
      configurable: true,
      writable: true,
    });
  }
  return copy;
}

/** Makes the exact reader run: it is skipped for payloads without long numbers. */
const forced = (text: string): string => `[${text},12345678901234567891]`;

describe("parsePayload", () => {
  it("reads what JSON.parse reads", () => {
    const spaced = fc
      .tuple(fc.jsonValue({ maxDepth: 4 }), fc.constantFrom(undefined, 1, "\t"))
      .map(([value, space]) => JSON.stringify(value, null, space));
    fc.assert(
      fc.property(spaced, (text) => {
        expect(withDoubles(exactly(forced(text)))).toEqual(JSON.parse(forced(text)));
        expect(parsePayload(Buffer.from(text), { exactNumbers: false })).toEqual(JSON.parse(text));
      }),
      { numRuns: 500 },
    );
  });

  it.each([
    [String.raw`{"a\"b":"\\","c":"\\\"","\u0061":" : ","e:":[]}`],
    [String.raw`["\ud83d\ude00", "\ud800", "", "[{", "}]", "1234567890123456789"]`],
    [' \n{ "a" : { } , "b" : [ ] , "c" : [ true , false , null ] } '],
    ["-0"],
    ["[-1.5e-3, 2E+2]"],
    ['{"a":1,"b":2,"a":3}'],
  ])("reads %s as JSON.parse does", (text) => {
    expect(withDoubles(exactly(forced(text)))).toEqual(JSON.parse(forced(text)));
    expect(JSON.stringify(withDoubles(exactly(forced(text))))).toBe(JSON.stringify(JSON.parse(forced(text))));
  });

  it("keeps long numbers with their text and all others as doubles", () => {
    const value = exactly('{"id":12345678901234567891,"rate":0.1234567890123456789,"total":2567.50,"big":1e400}');
    expect(value).toMatchObject({ total: 2567.5 });
    const { id, rate, big } = value as Record<string, ExactNumber>;
    expect([id?.text, rate?.text, big?.text]).toEqual(["12345678901234567891", "0.1234567890123456789", "1e400"]);
  });

  it("reads a scalar payload and bytes with an offset", () => {
    expect((exactly("12345678901234567891") as ExactNumber).text).toBe("12345678901234567891");
    const bytes = new TextEncoder().encode('xx{"a":"é"}').subarray(2);
    expect(parsePayload(bytes, { exactNumbers: true })).toEqual({ a: "é" });
  });

  it.each(["", "{", '{"a":1234567890123456789', "[1234567890123456789,]", "NaN", "01234567890123456789", "\ufeff{}"])(
    "throws the SyntaxError of JSON.parse for %j",
    (text) => {
      expect(() => exactly(text)).toThrow(SyntaxError);
    },
  );

  it.each([
    '{"__proto__":{"polluted":1},"n":12345678901234567891}',
    '{"a":{"b":{"__proto__":{"polluted":1}}},"n":12345678901234567891}',
    String.raw`{"\u005f_proto__":{"polluted":1},"n":12345678901234567891}`,
    '{"constructor":{"prototype":{"polluted":1}},"n":12345678901234567891}',
    '{"__proto__":null,"__proto__":{"polluted":1},"n":12345678901234567891}',
  ])("%s changes no prototype", (text) => {
    const value = exactly(text);
    expect(withDoubles(value)).toEqual(JSON.parse(text));
    expect(Object.getPrototypeOf(value)).toBe(Object.prototype);
    expect(({} as Record<string, unknown>)["polluted"]).toBeUndefined();
  });

  it("reads 100,000 levels and texts of megabytes", () => {
    const deep = exactly(`${"[".repeat(100_000)}12345678901234567891${"]".repeat(100_000)}`);
    expect(Array.isArray(deep)).toBe(true);
    const escapes = exactly(JSON.stringify({ text: '\n"'.repeat(2e6), n: 1 }).replace(":1}", ":12345678901234567891}"));
    expect((escapes as Record<string, string>)["text"]).toHaveLength(4e6);
  });
});
