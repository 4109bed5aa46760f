import { isUtf8 } from "node:buffer";
import fc from "fast-check";
import { expect, test } from "vitest";
import { firstInvalidUtf8 } from "../../../src/capture/scan/utf8.ts";

const whole = (bytes: readonly number[]): number => firstInvalidUtf8(Buffer.from(bytes), 0, bytes.length);

test.each([
  ["a lone continuation byte", [0x61, 0x80], 1],
  ["a byte that never occurs", [0xff], 0],
  ["an overlong form of two bytes", [0xc0, 0xaf], 0],
  ["an overlong form of three bytes", [0xe0, 0x80, 0xaf], 1],
  ["an overlong form of four bytes", [0xf0, 0x80, 0x80, 0xaf], 1],
  ["an encoded surrogate", [0xed, 0xa0, 0x80], 1],
  ["a code point above U+10FFFF", [0xf4, 0x90, 0x80, 0x80], 1],
  ["a form of five bytes", [0xf8, 0x88, 0x80, 0x80, 0x80], 0],
  ["a character cut off by another", [0xe2, 0x82, 0x61], 2],
  ["a character cut off by the end", [0x61, 0xe2, 0x82], 3],
])("%s is found", (_, bytes, expected) => {
  expect(whole(bytes)).toBe(expected);
});

test.each([
  ["ASCII", [0x00, 0x7f]],
  ["the edges of two bytes", [0xc2, 0x80, 0xdf, 0xbf]],
  ["the edges of three bytes", [0xe0, 0xa0, 0x80, 0xed, 0x9f, 0xbf, 0xee, 0x80, 0x80, 0xef, 0xbf, 0xbf]],
  ["the edges of four bytes", [0xf0, 0x90, 0x80, 0x80, 0xf4, 0x8f, 0xbf, 0xbf]],
])("%s is well-formed", (_, bytes) => {
  expect(whole(bytes)).toBe(-1);
});

test("only the slice is looked at, and found bytes are counted from the buffer's start", () => {
  const bytes = Buffer.from([0xff, 0x61, 0xc3, 0xa9, 0xff]);
  expect(firstInvalidUtf8(bytes, 1, 4)).toBe(-1);
  expect(firstInvalidUtf8(bytes, 1, 5)).toBe(4);
  expect(firstInvalidUtf8(bytes, 1, 3)).toBe(3);
});

test("agrees with isUtf8, and what stands before the found byte could still have been completed", () => {
  const piece = fc.oneof(
    fc.string({ unit: "binary" }).map((text) => [...Buffer.from(text)]),
    fc.array(fc.constantFrom(0x61, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc2, 0xe0, 0xed, 0xef, 0xf0, 0xf4), {
      maxLength: 4,
    }),
  );
  fc.assert(
    fc.property(fc.array(piece), (pieces) => {
      const bytes = Buffer.from(pieces.flat());
      const position = firstInvalidUtf8(bytes, 0, bytes.length);
      expect(position === -1).toBe(isUtf8(bytes));
      if (position === -1) return;
      // A streaming decoder throws at the byte that cannot be completed, so it must take everything before it.
      const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
      expect(() => decoder.decode(bytes.subarray(0, position), { stream: true })).not.toThrow();
      expect(() =>
        decoder.decode(bytes.subarray(position, position + 1), { stream: position < bytes.length }),
      ).toThrow();
    }),
    { numRuns: 1000 },
  );
});
