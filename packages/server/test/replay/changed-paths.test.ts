// Where two payloads differ, without a value of either.
import { expect, test } from "vitest";
import { changedPaths } from "../../src/replay/changed-paths.ts";

test.each([
  ['{"a":1,"b":{"c":[1,2]}}', '{"a":1,"b":{"c":[1,3]}}', ["/data/b/c/1"]],
  ['{"a":1}', '{"b":1}', ["/data/a", "/data/b"]],
  ['{"a/b":1,"c~d":1}', '{"a/b":2,"c~d":2}', ["/data/a~1b", "/data/c~0d"]],
  ['{"a":[]}', '{"a":{}}', ["/data/a"]],
  ["1", '"1"', ["/data"]],
  ['{"__proto__":1}', "{}", ["/data/__proto__"]],
  // Digits that a double does not hold: that something differs is seen all the same.
  ['{"a":12345678901234567890}', '{"a":12345678901234567891}', ["/data"]],
  ['{"a":1}', '{"a":1}', []],
])("%s and %s", (before, after, expected) => {
  expect(changedPaths(before, after, "/data")).toEqual(expected);
});

test("a payload that is all new names a hundred places", () => {
  const other = JSON.stringify(Object.fromEntries(Array.from({ length: 1_000 }, (_, index) => [`m${index}`, index])));
  expect(changedPaths("{}", other, "/data")).toHaveLength(100);
});
