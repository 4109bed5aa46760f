// What is taken from a request's trace headers, and what requests to receivers carry. Pure.
import fc from "fast-check";
import { expect, test } from "vitest";
import { isRecorded, keptTraceContext, spanIdOf, traceContextOf, traceHeaders } from "../../src/lib/trace-context.ts";

const TRACE = "4bf92f3577b34da6a3ce929d0e0e4736";
const SPAN = "00f067aa0ba902b7";
const EVENT = Buffer.from("019400000000700080000000000000ff", "hex");

test("a valid traceparent is kept with its tracestate, and read again as it was", () => {
  const kept = keptTraceContext(`00-${TRACE}-${SPAN}-01`, "vendor=1,other=2");
  expect(kept).toBe(`00-${TRACE}-${SPAN}-01 vendor=1,other=2`);
  expect(traceContextOf(kept, EVENT)).toEqual({
    traceId: TRACE,
    parentSpanId: SPAN,
    flags: "01",
    state: "vendor=1,other=2",
  });
  expect(keptTraceContext(`cc-${TRACE}-${SPAN}-00-what-comes-later`, undefined)).toBe(`00-${TRACE}-${SPAN}-00`);
  expect(isRecorded(traceContextOf(`00-${TRACE}-${SPAN}-00`, EVENT))).toBe(false);
});

test.each([
  ["nothing", undefined],
  ["twice", [`00-${TRACE}-${SPAN}-01`]],
  ["joined", `00-${TRACE}-${SPAN}-01, 00-${TRACE}-${SPAN}-01`],
  ["upper case", `00-${TRACE.toUpperCase()}-${SPAN}-01`],
  ["no trace", `00-${"0".repeat(32)}-${SPAN}-01`],
  ["no span", `00-${TRACE}-${"0".repeat(16)}-01`],
  ["the version that is none", `ff-${TRACE}-${SPAN}-01`],
  ["more than version 00 has", `00-${TRACE}-${SPAN}-01-x`],
])("a broken traceparent is ignored: %s", (_, parent) => {
  expect(keptTraceContext(parent, "vendor=1")).toBe(null);
});

test("a tracestate that could not be carried on is left out, not the trace", () => {
  for (const state of ["x".repeat(513), "größe=1", "a\r\nb: c", ""]) {
    expect(keptTraceContext(`00-${TRACE}-${SPAN}-01`, state)).toBe(`00-${TRACE}-${SPAN}-01`);
  }
});

test("span ids of one delivery's attempts differ, are never zero, and are the same whenever they are asked for", () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 16, maxLength: 16 }), fc.nat(32_767), fc.nat(32_767), (bytes, one, two) => {
      // As every UUID has it.
      bytes[8] = ((bytes[8] as number) & 0x3f) | 0x80;
      const span = spanIdOf(bytes, one);
      expect(span).toMatch(/^[0-9a-f]{16}$/);
      expect(span).not.toBe("0".repeat(16));
      expect(spanIdOf(bytes, two) === span).toBe(one === two);
    }),
  );
});

test("an event without a sender's trace names its own", () => {
  const context = traceContextOf(null, EVENT);
  expect(context).toEqual({ traceId: EVENT.toString("hex"), parentSpanId: null, flags: "01", state: null });
  expect(traceHeaders(context, EVENT, 1)).toEqual(["traceparent", `00-${EVENT.toString("hex")}-80000000000000fe-01`]);
});
