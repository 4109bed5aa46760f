import fc from "fast-check";
import { expect, test } from "vitest";
import { unescapedString } from "../../../src/lib/json/unescaped-string.ts";
import { stringText } from "../../capture/scan/json-text.ts";

test("any string of JSON is decoded as JSON.parse decodes it, wherever it stands", () => {
  fc.assert(
    fc.property(stringText, fc.string({ unit: "grapheme" }), (text, before) => {
      const bytes = Buffer.from(`${before}${text}\\"`);
      const start = Buffer.byteLength(before);
      expect(unescapedString(bytes, start, start + Buffer.byteLength(text))).toBe(JSON.parse(text));
    }),
    { numRuns: 1000 },
  );
});
