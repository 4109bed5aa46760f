// Times as bounds of ids: also those that no id can have.
import { expect, test } from "vitest";
import { highestUuid, lowestUuid, spanOf } from "../../src/lib/id-bounds.ts";

const LOWEST = "00000000-0000-0000-0000-000000000000";
const HIGHEST = "ffffffff-ffff-ffff-ffff-ffffffffffff";

test("a time before 1970 is the lowest bound, one beyond six bytes the highest", () => {
  expect(lowestUuid(-1)).toBe(LOWEST);
  expect(lowestUuid(-6e13)).toBe(LOWEST);
  expect(highestUuid(2 ** 50)).toBe(HIGHEST);
  expect(lowestUuid(1_000)).toBe("00000000-03e8-0000-0000-000000000000");
});

test("until a time before 1970 there is nothing, not everything", () => {
  const { fromUuid, beforeUuid } = spanOf({ fromMs: null, toMs: Date.UTC(1969, 0, 1) }, HIGHEST, Date.UTC(2026, 0, 1));
  expect(beforeUuid < fromUuid).toBe(true);
});
