// The bodies to publish, as described for the reference and as the scanner takes them: the same members, the same kinds.
import { describe, expect, test } from "vitest";
import { scanBatch } from "../../../src/capture/scan/scan-batch.ts";
import { scanEvent } from "../../../src/capture/scan/scan-event.ts";
import { batchToPublish, eventToPublish } from "../../../src/http/schemas/event.ts";

const bytes = (value: unknown): Buffer => Buffer.from(JSON.stringify(value));
const scan = (event: unknown) => scanEvent(bytes(event));
const WHOLE = {
  event: "invoice.paid",
  data: { object: {} },
  id: "own-1",
  timestamp: "2026-11-23T08:00:00Z",
  context: { source: "web" },
};

describe("an event", () => {
  test("has the members that are described", () => {
    expect(Object.keys(eventToPublish.shape).sort()).toEqual(Object.keys(WHOLE).sort());
    expect(eventToPublish.safeParse(WHOLE).success).toBe(true);
    expect(scan(WHOLE).kind).toBe("event");
  });

  test.each(Object.keys(WHOLE))("without %s is taken or refused by both", (member) => {
    const { [member as keyof typeof WHOLE]: _left, ...rest } = WHOLE;
    // What is absent cannot be told from undefined by a schema of anything; the scanner can.
    if (member !== "data") expect(eventToPublish.safeParse(rest).success).toBe(scan(rest).kind === "event");
  });

  test.each([
    { ...WHOLE, event: 1 },
    { ...WHOLE, id: null },
    { ...WHOLE, context: [] },
    { ...WHOLE, timestamp: 1 },
    { ...WHOLE, more: 1 },
    [],
    null,
  ])("%j is refused by both", (event) => {
    expect(eventToPublish.safeParse(event).success).toBe(false);
    expect(scan(event).kind).toBe("refused");
  });
});

test("a batch has one member, with 1 to 1,000 events", () => {
  const sizes = [0, 1, 1_000, 1_001];
  const batches = sizes.map((length) => ({ events: Array.from({ length }, () => WHOLE) }));
  expect(batches.map((batch) => batchToPublish.safeParse(batch).success)).toEqual([false, true, true, false]);
  expect(batches.map((batch) => scanBatch(bytes(batch)).kind)).toEqual(["refused", "batch", "batch", "refused"]);
});
