// The grammar as such, asked through `scanEvent`: JSON.parse is the judge of what is JSON.
import { isUtf8 } from "node:buffer";
import fc from "fast-check";
import { expect, test } from "vitest";
import { scanEvent } from "../../../src/capture/scan/scan-event.ts";
import { depthOf, eventText, mutated, parsed, valueText } from "./json-text.ts";

test("any value is a syntax error exactly when JSON.parse throws", () => {
  fc.assert(
    fc.property(fc.oneof(valueText, fc.json(), fc.string({ unit: "binary" })), (text) =>
      expectParity(Buffer.from(text)),
    ),
    { numRuns: 1000 },
  );
});

test("any value with small accidents is a syntax error exactly when JSON.parse throws", () => {
  fc.assert(fc.property(mutated(valueText), expectParity), { numRuns: 2000 });
});

test("any event with small accidents is a syntax error exactly when JSON.parse throws", () => {
  fc.assert(fc.property(mutated(eventText), expectParity), { numRuns: 2000 });
});

test.each([
  ["alone", "", ""],
  ["before a value", "", "1"],
  ["after a value", "1", ""],
  ["in a string", '"', '"'],
  ["after a backslash", '"\\', '"'],
  ["after \\u", '"\\u', '000"'],
  ["as the last digit of \\u", '"\\u000', '"'],
  ["before a member", "{", '"a":1}'],
  ["before a colon", '{"a"', ":1}"],
  ["between two elements", "[1", "1]"],
  ["in a number", "1", "1"],
  ["after a minus", "-", ""],
  ["after a leading zero", "0", "1"],
  ["after a decimal point", "1.", ""],
  ["after an exponent's letter", "1e", "1"],
  ["in a literal", "tru", ""],
  ["at the end of an array", "[1", ""],
  ["at the end of an object", '{"a":1', ""],
])("each of the 256 bytes %s is taken or refused as JSON.parse does it", (_, before, after) => {
  for (let byte = 0; byte < 256; byte++) {
    expectParity(Buffer.concat([Buffer.from(before), Buffer.of(byte), Buffer.from(after)]));
  }
});

test("a slice is judged without a look at what follows it", () => {
  const body = fc.oneof(
    mutated(eventText),
    eventText.map((text) => Buffer.from(text)),
  );
  fc.assert(
    fc.property(body, fc.double({ min: 0, max: 1, noNaN: true }), (bytes, at) => {
      const cut = Math.floor(at * bytes.length);
      expect(scanEvent(bytes, 0, cut)).toEqual(scanEvent(Buffer.from(bytes.subarray(0, cut))));
    }),
    { numRuns: 2000 },
  );
});

test("any bytes are a syntax error exactly when JSON.parse throws", () => {
  const grammar = fc.constantFrom(...Buffer.from('{}[]",:\\-+.eE01 \nutrfalsn'));
  fc.assert(
    fc.property(
      fc.array(grammar, { maxLength: 12 }).map((bytes) => Buffer.from(bytes)),
      expectParity,
    ),
    {
      numRuns: 2000,
    },
  );
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes)),
      expectParity,
    ),
  );
});

/** The scanner's verdict on whole bytes agrees with JSON.parse, and a 422 has a reason that the parsed value shows. */
function expectParity(bytes: Buffer): void {
  const result = scanEvent(bytes);
  const { isAccepted, value } = parsed(bytes);
  const code = result.kind === "refused" ? result.code : null;
  if (isAccepted && depthOf(bytes) > 64) {
    expect(code).toBe("JSON_TOO_DEEP");
    return;
  }
  expect(result.kind === "event" || result.status === 422).toBe(isAccepted);
  expect(code === "INVALID_UTF8").toBe(!isUtf8(bytes));
  if (result.kind === "event") {
    expect(problemsOf(value)).toEqual(new Set());
    return;
  }
  expect(result.position).toBeGreaterThanOrEqual(0);
  expect(result.position).toBeLessThanOrEqual(bytes.length);
  if (result.status === 400) return;
  const isRepeated = result.details.some((detail) => detail.code === "DUPLICATE_MEMBER");
  if (!isRepeated) expect(new Set(result.details.map((detail) => detail.code))).toEqual(problemsOf(value));
}

/** The rules for an event, told once more over the parsed value; repeated members cannot be seen there. */
function problemsOf(value: unknown): Set<string> {
  if (value === null || typeof value !== "object" || Array.isArray(value)) return new Set(["NOT_AN_OBJECT"]);
  const problems = new Set<string>();
  const kinds: Record<string, string> = { event: "string", id: "string", timestamp: "string", orderingKey: "string" };
  for (const [name, member] of Object.entries(value)) {
    if (name === "data") continue;
    if (name === "context") {
      if (member === null || typeof member !== "object" || Array.isArray(member)) problems.add("WRONG_TYPE");
    } else if (!Object.hasOwn(kinds, name)) problems.add("UNKNOWN_MEMBER");
    else if (typeof member !== "string") problems.add("WRONG_TYPE");
  }
  for (const name of ["event", "data"]) if (!Object.hasOwn(value, name)) problems.add("MISSING_MEMBER");
  return problems;
}
