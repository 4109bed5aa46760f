import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { eventScope } from "../../src/expressions/event-scope.ts";
import { ExpressionFault } from "../../src/expressions/errors.ts";
import { parsePayload } from "../../src/expressions/payload.ts";
import { payloadPartFor, readPayloadPart } from "../../src/expressions/payload-part.ts";
import { type ReadPath, readsOf } from "../../src/expressions/reads.ts";
import type { Value } from "../../src/expressions/values.ts";
import { programOf } from "./support.ts";

const ALIASES = { created_date: "createdAt", tier: "customerTier" };

function partOf(...sources: string[]) {
  return payloadPartFor(
    sources.flatMap((source): readonly ReadPath[] => readsOf(source)?.touched ?? []),
    ALIASES,
  );
}

function scopeOver(data: Value) {
  return eventScope({
    event: { id: "evt_1", type: "invoice.paid", timestamp: "2026-10-02T01:15:00.000Z", livemode: true },
    data,
    context: null,
    resource: { name: "invoice", aliases: ["bill"], fieldAliases: ALIASES },
  });
}

/** An expression over all of a payload, and over no more of it than it reads. */
function bothWays(source: string, json: string, exactNumbers = true) {
  const bytes = Buffer.from(json);
  const part = partOf(source);
  const whole = programOf(source).evaluate(scopeOver(parsePayload(bytes, { exactNumbers })));
  if (part === null) return { whole, inPart: whole };
  const inPart = programOf(source).evaluate(scopeOver(readPayloadPart(bytes, part, { exactNumbers })));
  return { whole, inPart };
}

describe("the part of a payload that filters read", () => {
  it("has the members that are named, and skips the rest", () => {
    const part = partOf("object.total > 1000", 'invoice.branch.code == "KL"', "has(object.note)");
    const json =
      ' { "other" : [1, {"total": 2}], "object": {"total": 5, "x": "}", "branch": {"code":"KL","city":"x"}, "note": {"a":[1]} } } ';
    expect(part === null ? null : readPayloadPart(Buffer.from(json), part, { exactNumbers: false })).toEqual({
      object: { total: 5, branch: { code: "KL" }, note: { a: [1] } },
    });
  });

  it("is the whole payload where an expression reads all of it", () => {
    for (const source of ["data == object", "invoice != null", "has(data)", "data[event.type] == 1"]) {
      expect([source, partOf(source)]).toEqual([source, null]);
    }
    const manyKeys = Array.from({ length: 60 }, (_, index) => `object.m${index} == 1`);
    expect(partOf(...manyKeys)).toBeNull();
  });

  it("needs nothing of the payload for what reads the event or its context alone", () => {
    expect(partOf('event.type == "a"', "context.companyId == 'c'")).toEqual({ keys: [], inner: [] });
  });

  // Seen red: without aliases in keysOf, with the first of two members of one name, without `object` as a meaning of a
  // resource's name.
  it("gives every expression the value that the whole payload gives it", () => {
    const names = [
      "object",
      "invoice",
      "total",
      "branch",
      "createdAt",
      "created_at",
      "customerTier",
      "__proto__",
      "items",
    ];
    const json = fc
      .letrec<{ value: unknown; members: [string, unknown][] }>((tie) => ({
        value: fc.oneof(
          { maxDepth: 4, withCrossShrink: true },
          fc.constantFrom('"KL"', "1", "1000000000000.0001", "-0", "1e400", "null", "true", '"\\u0061\\"}"', "[1,{}]"),
          tie("members").map(
            (members) => `{${members.map(([name, value]) => `${name}:${String(value)}`).join(" , ")}}`,
          ),
        ),
        members: fc.array(
          fc.tuple(
            fc.constantFrom(...names.map((name) => JSON.stringify(name)), '"t\\u006ftal"', '"\\u00e9"'),
            tie("value"),
          ),
          { maxLength: 5 },
        ) as fc.Arbitrary<[string, unknown][]>,
      }))
      .value.map(String);
    const paths = fc
      .tuple(
        fc.constantFrom("data", "object", "previous", "invoice", "bill", "branch", "items"),
        fc.array(fc.constantFrom("object", "total", "branch", "created_date", "created_at", "tier", "items"), {
          maxLength: 3,
        }),
      )
      .map(([root, members]) => [root, ...members].join("."));
    const expressions = fc.oneof(
      paths,
      fc.tuple(paths, paths).map(([left, right]) => `${left} == ${right}`),
      paths.map((path) => `has(${path}.total)`),
      paths.map((path) => `${path}.exists(x, x == object.total)`),
      paths.map((path) => `${path}[0]`),
    );
    fc.assert(
      fc.property(expressions, json, fc.boolean(), (source, text, exact) => {
        const { whole, inPart } = bothWays(source, `{"object":${text},"branch":${text}}`, exact);
        if (whole instanceof ExpressionFault) expect(inPart).toBeInstanceOf(ExpressionFault);
        else expect(inPart).toEqual(whole);
      }),
      { numRuns: 2_000 },
    );
  });
});
