// What no ordinary route takes, whatever its schema.
import { describe, expect, test } from "vitest";
import { refusedParams, refusedTexts } from "../../src/http/input-texts.ts";

const nested = (levels: number): unknown => JSON.parse("[".repeat(levels) + "]".repeat(levels));

describe("values", () => {
  test("pass when they are ordinary, an emoji and a line break among them", () => {
    expect(refusedTexts({ name: "Überweisung 💶\n", list: [1, null, true, { a: "b" }] })).toBeNull();
  });

  test.each([
    ["a NUL", { name: "a\0b" }, "name"],
    ["half a pair", { list: [{ name: "\ud83d" }] }, "list[0].name"],
    ["the other half", { name: "\udcb6x" }, "name"],
    ["a NUL in a name", { headers: { "x\0y": "1" } }, "headers"],
    ["a NUL alone", "\0", undefined],
  ])("with %s are refused by the name of the field", (_what, value, field) => {
    const refusal = refusedTexts(value);
    expect(refusal).toMatchObject({ code: "VALIDATION_ERROR" });
    expect(refusal?.details?.[0]?.field).toBe(field);
    // The refusal itself has to be writable.
    expect(JSON.stringify(refusal)).not.toMatch(/\\u0000|\\ud83d/);
  });

  test("may nest 64 levels and no more, however many there are", () => {
    expect(refusedTexts(nested(64))).toBeNull();
    expect(refusedTexts(nested(65))).toMatchObject({ code: "JSON_TOO_DEEP" });
    expect(refusedTexts(nested(100_000))).toMatchObject({ code: "JSON_TOO_DEEP" });
  });
});

test("a path parameter with a NUL names nothing", () => {
  expect(refusedParams({ id: "evt_1" })).toBeNull();
  expect(refusedParams({ id: "evt\0" })).toMatchObject({ code: "NOT_FOUND" });
});
