// Templates against a naive model over random trees and payloads: what is rendered is what the model says, always one
// JSON document, with no payload's text outside of its own JSON text.
import fc from "fast-check";
import { expect, test } from "vitest";
import { parseKeepingTexts } from "../../src/expressions/payload.ts";
import { compileTemplate } from "../../src/expressions/template.ts";
import { scopeOf } from "./support.ts";

const KEYS = ["a", "b", "c", "d"] as const;
/** What the model understands: one root, or one member of it. */
const path = fc.tuple(fc.constantFrom(...KEYS), fc.option(fc.constantFrom(...KEYS), { nil: undefined }));
type Path = readonly [string, string | undefined];

/** A template's leaf, with the model beside it. */
type Leaf = { readonly parts: readonly (string | Path)[] };
// A brace before a hole would belong to it: `{` and `{{ a }}` are read as `{{` and `{ a`, which is refused.
const plainText = fc.string({ unit: "grapheme" }).filter((text) => !/\{\{|\{$|\p{Cs}|\0/u.test(text));
const leaf: fc.Arbitrary<Leaf> = fc
  .array(fc.oneof(plainText, path as fc.Arbitrary<Path>), { maxLength: 4 })
  .map((parts) => ({ parts }));

type Tree = Leaf | number | boolean | null | Tree[] | { readonly members: readonly (readonly [string, Tree])[] };
const key = fc.oneof(plainText, fc.constantFrom("__proto__", "constructor", "toJSON"));
const { tree } = fc.letrec<{ tree: Tree }>((tie) => ({
  tree: fc.oneof(
    { maxDepth: 4 },
    leaf,
    fc.integer(),
    fc.boolean(),
    fc.constant(null),
    fc.array(tie("tree"), { maxLength: 3 }),
    fc
      .uniqueArray(fc.tuple(key, tie("tree")), { maxLength: 3, selector: ([name]) => name })
      .map((members) => ({ members })),
  ),
}));

/** JSON text of a payload value: built as text, so that numbers can be written in any way. */
const numberText = fc
  .tuple(
    fc.constantFrom("", "-"),
    fc.nat(),
    fc.constantFrom("", ".0", ".10", ".5", ".0000001"),
    fc.constantFrom("", "e2", "E-7", "e+400"),
  )
  .map((parts) => parts.join(""));
const { json } = fc.letrec<{ json: string }>((tie) => ({
  json: fc.oneof(
    { maxDepth: 3 },
    numberText,
    fc.string({ unit: "binary" }).map((text) => JSON.stringify(text)),
    fc.constantFrom("true", "false", "null", '"{{ a }}"', '"\\"},{"', '"\\ud800"'),
    fc.array(tie("json"), { maxLength: 3 }).map((items) => `[${items.join(",")}]`),
    fc
      .uniqueArray(fc.tuple(fc.constantFrom(...KEYS), tie("json")), { maxLength: 3, selector: ([name]) => name })
      .map((members) => `{${members.map(([name, value]) => `"${name}":${value}`).join(",")}}`),
  ),
}));
const payload = fc.tuple(json, json).map(([a, b]) => ({ a, b }));
type Payload = { readonly a: string; readonly b: string };

/** The model: text of a value in the payload's own JSON text, undefined when missing. */
function valueText([root, member]: Path, roots: Payload): string | undefined {
  const whole = root === "a" ? roots.a : root === "b" ? roots.b : undefined;
  if (whole === undefined || member === undefined) return whole;
  return membersOf(whole)?.get(member);
}

/** Splits the text of an object that the arbitrary above wrote: no blanks, no member twice. */
function membersOf(text: string): Map<string, string> | undefined {
  if (!text.startsWith("{")) return undefined;
  const members = new Map<string, string>();
  let depth = 0;
  let isQuoted = false;
  let start = 1;
  for (let index = 1; index < text.length; index += 1) {
    const character = text[index];
    if (isQuoted && character === "\\") index += 1;
    else if (character === '"') isQuoted = !isQuoted;
    else if (isQuoted) continue;
    else if (character === "{" || character === "[") depth += 1;
    else if (depth === 0 && (character === "," || character === "}")) {
      const member = text.slice(start, index);
      if (member !== "") members.set(member[1] as string, member.slice(4));
      start = index + 1;
    } else if (character === "}" || character === "]") depth -= 1;
  }
  return members;
}

function sourceOf(node: Tree): unknown {
  if (Array.isArray(node)) return node.map(sourceOf);
  if (typeof node !== "object" || node === null) return node;
  if ("members" in node) {
    return JSON.parse(
      `{${node.members.map(([name, value]) => `${JSON.stringify(name)}:${JSON.stringify(sourceOf(value))}`).join(",")}}`,
    );
  }
  return node.parts
    .map((part) =>
      typeof part === "string" ? part : `{{ ${part[1] === undefined ? part[0] : `${part[0]}.${part[1]}`} }}`,
    )
    .join("");
}

/** What the rendered text means, numbers by their text. */
type Meaning = unknown;
const meaningOf = (text: string): Meaning => plain(parseKeepingTexts(text));
function plain(value: unknown): Meaning {
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value === "number") return { number: String(value) };
  if (typeof value !== "object" || value === null) return value;
  if ("decimal" in Object.getPrototypeOf(value)) return { number: (value as { text: string }).text };
  return Object.entries(value).map(([name, member]) => [name, plain(member)]);
}

function expected(node: Tree, roots: Payload): Meaning {
  if (Array.isArray(node)) return node.map((each) => expected(each, roots));
  if (typeof node === "number") return { number: String(node) };
  if (typeof node !== "object" || node === null) return node;
  if ("members" in node) {
    // JSON.parse puts keys that are whole numbers first.
    const order = Object.keys(sourceOf(node) as object);
    const byName = new Map(node.members);
    return order.map((name) => [name, expected(byName.get(name) as Tree, roots)]);
  }
  const parts = node.parts.filter((part) => part !== "");
  const [only] = parts;
  if (parts.length === 1 && typeof only === "object") return meaningOf(valueText(only, roots) ?? "null");
  return parts.map((part) => (typeof part === "string" ? part : inText(valueText(part, roots)))).join("");
}

function inText(text: string | undefined): string {
  if (text === undefined || text === "null") return "";
  if (text.startsWith('"')) return JSON.parse(text) as string;
  // Lists and objects as JSON: only escapes may be written in another way.
  return /^[[{]/.test(text) ? escapesOf(text) : text;
}

const escapesOf = (text: string): string =>
  text.replaceAll(/"(?:[^"\\]|\\.)*"/g, (quoted) => JSON.stringify(JSON.parse(quoted)));

test("rendering is what the model says, for any tree and payload", () => {
  fc.assert(
    fc.property(tree, payload, (node, roots) => {
      const compiled = compileTemplate(sourceOf(node));
      if (!compiled.ok) throw new Error(JSON.stringify(compiled.errors));
      const scope = scopeOf(parseKeepingTexts(`{"a":${roots.a},"b":${roots.b}}`) as never);
      const rendering = compiled.template.render(scope);
      if (!rendering.ok) throw new Error(rendering.code);
      expect(meaningOf(rendering.json)).toEqual(expected(node, roots));
      const missing = new Set(rendering.missing.map(({ expression }) => expression));
      for (const hole of compiled.template.holes) {
        const [root, member] = hole.program.source.trim().split(".") as [string, string | undefined];
        expect(missing.has(hole.program.source.trim())).toBe(valueText([root, member], roots) === undefined);
      }
    }),
    { numRuns: 1_000 },
  );
});

test("any JSON value is either refused or rendered as one JSON document", () => {
  fc.assert(
    fc.property(fc.jsonValue(), payload, (source, roots) => {
      const compiled = compileTemplate(source);
      if (!compiled.ok) return;
      const rendering = compiled.template.render(
        scopeOf(parseKeepingTexts(`{"a":${roots.a},"b":${roots.b}}`) as never),
      );
      if (rendering.ok) JSON.parse(rendering.json);
    }),
    { numRuns: 1_000 },
  );
});

test("a text of braces, quotes and expressions is either refused or rendered as one JSON document", () => {
  const piece = fc.constantFrom(
    "{{",
    "}}",
    "{",
    "}",
    '"',
    "'",
    '"""',
    "\\",
    "a",
    ".",
    " ",
    "+",
    "//",
    "\n",
    "r",
    "[0]",
    "b",
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 20 }), payload, (pieces, roots) => {
      const compiled = compileTemplate({ x: pieces.join("") });
      if (!compiled.ok) {
        expect(compiled.errors[0]?.path).toBe("x");
        return;
      }
      const rendering = compiled.template.render(
        scopeOf(parseKeepingTexts(`{"a":${roots.a},"b":${roots.b}}`) as never),
      );
      if (rendering.ok) JSON.parse(rendering.json);
    }),
    { numRuns: 2_000 },
  );
});
