// The functions on texts that CEL's strings extension has too, against two engines' own. Where they count UTF-16 units we
// count code points, as CEL's specification says, so texts here stay within one unit for each.
import { type CelInput, isCelError, isCelList, run } from "@bufbuild/cel";
import { strings } from "@bufbuild/cel/ext";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { compileExpression } from "../../../server/src/expressions/compile.ts";
import { ABSENT, ownMember, type ValueObject } from "../../../server/src/expressions/values.ts";
import { type Answer, celJs, NO_VALUE, REFUSED } from "./oracles.ts";

type Texts = { readonly t: string; readonly p: string; readonly r: string; readonly i: number; readonly j: number };

function ours(source: string, texts: Texts): string {
  const compiled = compileExpression(source);
  if (!compiled.ok) throw new Error(`${source}: ${compiled.error.message}`);
  const roots: ValueObject = texts;
  const value = compiled.program.evaluate({ fieldAliases: {}, lookup: (name) => ownMember(roots, name) });
  return value === ABSENT ? NO_VALUE : JSON.stringify(value);
}

function plain(value: unknown): Answer {
  if (typeof value === "bigint") return Number(value);
  if (isCelList(value)) return [...value].map(plain);
  return value as Answer;
}

function bufbuilds(source: string, { i, j, ...texts }: Texts): string {
  const bindings: Record<string, CelInput> = { ...texts, i: BigInt(i), j: BigInt(j) };
  try {
    const result = run(source, bindings, { funcs: strings });
    return isCelError(result) ? NO_VALUE : JSON.stringify(plain(result));
  } catch {
    return NO_VALUE;
  }
}

function celJss(source: string, texts: Texts): string {
  const outcome = celJs(source, texts);
  if (outcome === REFUSED || outcome === NO_VALUE) return outcome;
  return JSON.stringify(outcome.value);
}

const text = fc.string({ unit: fc.constantFrom("a", "b", " ", "-", "é", "A"), maxLength: 8 });
const texts: fc.Arbitrary<Texts> = fc.record({
  t: text,
  p: fc.string({ unit: fc.constantFrom("a", "b", "-"), minLength: 1, maxLength: 2 }),
  r: text,
  i: fc.integer({ min: -1, max: 9 }),
  j: fc.integer({ min: -1, max: 9 }),
});

describe("the same answers as the engines", () => {
  test.each([
    ["t.trim()"],
    ["t.indexOf(p)"],
    ["t.lastIndexOf(p)"],
    ["t.split(p)"],
    ["t.split(p).join(r)"],
    ["t.split(p).join()"],
    ["t.substring(i)"],
    ["t.substring(i, j)"],
  ])("%s, both", (source) => {
    fc.assert(
      fc.property(texts, (given) => {
        expect(ours(source, given)).toBe(bufbuilds(source, given));
        const theirs = celJss(source, given);
        if (theirs !== REFUSED) expect(ours(source, given)).toBe(theirs);
      }),
    );
  });

  test.each([["t.replace(p, r)"], ["t.charAt(i)"]])("%s, of @bufbuild/cel, which alone has it", (source) => {
    fc.assert(
      fc.property(texts, (given) => {
        expect(ours(source, given)).toBe(bufbuilds(source, given));
      }),
    );
  });
});
