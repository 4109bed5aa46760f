import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Evaluation } from "../../src/expressions/limits.ts";
import { compareTexts, containsText, countCodePoints } from "../../src/expressions/texts.ts";
import { scopeOf } from "./support.ts";

const run = (): Evaluation => new Evaluation(scopeOf({}));

describe("texts", () => {
  it("compare by code points", () => {
    const text = fc.string({
      unit: fc.constantFrom("a", "b", "\ud7ff", "\ue000", "\uffff", "😀", "\u{10000}", "\u{10ffff}"),
      maxLength: 6,
    });
    const byCodePoints = (left: string, right: string): number => {
      const [l, r] = [[...left], [...right]].map((characters) => characters.map((c) => c.codePointAt(0) ?? 0)) as [
        number[],
        number[],
      ];
      const index = l.findIndex((point, at) => point !== r[at]);
      if (index >= 0 && index < r.length) return Math.sign((l[index] ?? 0) - (r[index] ?? 0));
      return Math.sign(l.length - r.length);
    };
    fc.assert(
      fc.property(text, text, (left, right) => {
        expect(Math.sign(compareTexts(left, right, run()))).toBe(byCodePoints(left, right));
      }),
      { numRuns: 1000 },
    );
  });

  it("the linear search finds what the engine's own finds", () => {
    const letters = fc.string({ unit: fc.constantFrom("a", "b"), maxLength: 9 });
    fc.assert(
      fc.property(letters, letters, fc.nat(5), (seed, part, copies) => {
        // Long enough for the linear search: text × part is beyond the limit of the other.
        const text = `${"ab".repeat(1e6)}${seed}`;
        const long = `${part.repeat(copies)}${part}c`;
        expect(containsText(text, long, run())).toBe(false);
        expect(containsText(`${text}${long}`, long, run())).toBe(true);
        expect(containsText(text, `${part}${seed}`, run())).toBe(text.includes(`${part}${seed}`));
      }),
      { numRuns: 15 },
    );
  });

  it("small texts are searched exactly too", () => {
    fc.assert(
      fc.property(fc.string(), fc.string({ maxLength: 3 }), (text, part) => {
        expect(containsText(text, part, run())).toBe(text.includes(part));
      }),
    );
  });

  it("size counts code points, a lone surrogate as one", () => {
    expect(countCodePoints("a😀\ud800b", run())).toBe(4);
  });
});
