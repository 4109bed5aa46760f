import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { readPath, readPathText } from "../../../src/lib/json/read-path.ts";
import { valueText } from "../../capture/scan/json-text.ts";

function read(json: string, ...path: string[]): string | null {
  const bytes = Buffer.from(json);
  const range = readPath(bytes, 0, bytes.length, path);
  return range === null ? null : bytes.subarray(range.start, range.end).toString();
}

function readText(json: string, ...path: string[]): string | null {
  const bytes = Buffer.from(json);
  return readPathText(bytes, 0, bytes.length, path);
}

/** The same in terms of JSON.parse: own members of objects, nothing else. */
function reference(value: unknown, path: readonly string[]): { value: unknown } | null {
  let current = value;
  for (const name of path) {
    if (current === null || typeof current !== "object" || Array.isArray(current)) return null;
    if (!Object.hasOwn(current, name)) return null;
    current = (current as Record<string, unknown>)[name];
  }
  return { value: current };
}

describe("readPath", () => {
  test.each([
    ['{"object":{"invoiceNumber":"INV-1"}}', ["object", "invoiceNumber"], '"INV-1"'],
    [' { "a" : { "b" : 2567.50 } } ', ["a", "b"], "2567.50"],
    ['{"a":{"b":1}}', ["a"], '{"b":1}'],
    ['{"a":[1,"]}",{"b":"}"}],"c":true}', ["c"], "true"],
    [" 17 ", [], "17"],
    ['{"a":1,"b":2,"a":3}', ["a"], "3"],
    ['{"a":{"b":1},"a":{"c":2}}', ["a", "c"], "2"],
    ['{"\\u0061":{"\\u00e9":1}}', ["a", "é"], "1"],
    ['{"é":{"😀":1}}', ["é", "😀"], "1"],
    ['{"a\\"b":1}', ['a"b'], "1"],
    ['{"a":"\\\\","b":2}', ["b"], "2"],
    ['{"__proto__":{"x":1}}', ["__proto__", "x"], "1"],
    ['{"":{"":0}}', ["", ""], "0"],
    ['{"\\ud800":1}', ["\ud800"], "1"],
  ])("of %s along %j is %s", (json, path, expected) => {
    expect(read(json, ...path)).toBe(expected);
  });

  test.each([
    ['{"a":1}', ["b"]],
    ['{"ab":1,"":2}', ["a"]],
    ['{"a":1}', ["ab"]],
    ['{"a":1}', ['a":1']],
    ['{"a":1}', ["a", "b"]],
    ['{"a":{"b":1},"a":{"c":2}}', ["a", "b"]],
    ['{"a":{"b":1},"a":null}', ["a", "b"]],
    ['[{"a":1}]', ["0"]],
    ['{"a":[1]}', ["a", "0"]],
    ['"a"', ["a"]],
    ["{}", ["__proto__"]],
    ["{}", ["toString"]],
    ['{"a\\u0062":1}', ["a"]],
    ['{"\ufffd":1}', ["\ud800"]],
  ])("of %s along %j is null", (json, path) => {
    expect(read(json, ...path)).toBeNull();
  });

  test("reads within a slice and looks no further", () => {
    const bytes = Buffer.from('{"event":"a","data":{"b":1},"c":2}');
    const start = bytes.indexOf('{"b"');
    expect(readPath(bytes, start, start + 7, ["b"])).toEqual({ start: start + 5, end: start + 6 });
    expect(readPath(bytes, start, start + 7, ["c"])).toBeNull();
    expect(readPath(bytes, start, start + 7, [])).toEqual({ start, end: start + 7 });
  });

  test("ends even on bytes that were never accepted", () => {
    for (const json of [
      "",
      "{",
      '{"',
      '{"a',
      '{"a":"\\',
      '{"a":[',
      '{"a":[1,{"b',
      '{"a":x',
      '{"b":"\\"',
      "}",
      '{"a"',
    ]) {
      expect(() => read(json, "a", "b")).not.toThrow();
    }
  });

  test("finds what JSON.parse finds, in any JSON and along any path", () => {
    const name = fc.oneof(
      fc.constantFrom("a", "b", "__proto__", "constructor", "", "é"),
      fc.string({ unit: "grapheme" }),
    );
    const named = fc
      .array(fc.tuple(fc.constantFrom('"a"', '"\\u0061"', '"b"', '"\\u00e9"', '"\\u005f_proto__"'), valueText), {
        minLength: 1,
      })
      .map((members) => `{${members.map(([text, value]) => ` ${text} : ${value}`).join(",")}}`);
    const nested = fc
      .array(named, { minLength: 1, maxLength: 4 })
      .map((objects) => `{"a":${objects.join(',"\\u0061":')}}`);
    fc.assert(
      fc.property(fc.oneof(valueText, named, nested), fc.array(name, { maxLength: 3 }), (json, path) => {
        const expected = reference(JSON.parse(json), path);
        const found = read(json, ...path);
        expect(found === null).toBe(expected === null);
        if (found !== null) expect({ value: JSON.parse(found) }).toEqual(expected);
      }),
      { numRuns: 1500 },
    );
  });
});

describe("readPathText", () => {
  test.each([
    ['{"a":"INV-1"}', "INV-1"],
    ['{"a":"\\u00e9\\n\\ud83d\\ude00é"}', "é\n😀é"],
    ['{"a":""}', ""],
    ['{"a":12345678901234567890}', "12345678901234567890"],
    ['{"a":-2567.50e+1}', "-2567.50e+1"],
    ['{"a":0}', "0"],
    ['{"a":true}', null],
    ['{"a":null}', null],
    ['{"a":{}}', null],
    ['{"a":[]}', null],
    ['{"b":1}', null],
  ])("of %s is %j", (json, expected) => {
    expect(readText(json, "a")).toBe(expected);
  });
});
