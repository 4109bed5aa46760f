// Timestamps as senders give them and receivers get them.
import { expect, test } from "vitest";
import { normaliseTimestamp } from "../src/envelope.ts";

test("UTC is kept as written, other offsets are converted", () => {
  expect(normaliseTimestamp("2026-11-23T08:00:00.123456Z")).toBe("2026-11-23T08:00:00.123456Z");
  expect(normaliseTimestamp("2026-11-23T08:00:00+08:00")).toBe("2026-11-23T00:00:00.000Z");
});

test("what an offset moves out of the four-digit years is no time", () => {
  expect(normaliseTimestamp("9999-12-31T23:59:59-00:01")).toBeNull();
  expect(normaliseTimestamp("0000-01-01T00:00:00+00:01")).toBeNull();
  expect(normaliseTimestamp("9999-12-31T23:59:59Z")).toBe("9999-12-31T23:59:59Z");
});
