import fc from "fast-check";
import { expect, test } from "vitest";
import { nearestName } from "../../../src/capture/scan/member-names.ts";

const names = ["event", "data", "id", "timestamp", "context", "orderingKey"];

test.each([
  ["evnt", "event"],
  ["events", "event"],
  ["EVENT", "event"],
  ["Data", "data"],
  ["dta", "data"],
  ["time_stamp", "timestamp"],
  ["timestmap", "timestamp"],
  ["ordering-key", "orderingKey"],
  ["orderKey", null],
  ["payload", null],
  ["type", null],
  ["di", null],
  ["", null],
  ["__proto__", null],
])("the known name nearest to %j is %j", (name, expected) => {
  expect(nearestName(name, names)).toBe(expected);
});

test("a known name is nearest to itself", () => {
  fc.assert(fc.property(fc.constantFrom(...names), (name) => nearestName(name, names) === name));
});
