// What the tests of the scanner share: JSON written in every way the grammar allows, and the independent judges.
// Never uses the scanner itself: JSON.parse and isUtf8 decide what is right.
import { isUtf8 } from "node:buffer";
import fc from "fast-check";

const space = fc.stringMatching(/^[ \t\r\n]{0,2}$/);
const hex4 = fc.stringMatching(/^[0-9a-fA-F]{4}$/);
/** One character inside a string, plain or escaped, lone surrogate escapes and U+0000 included. */
const stringPiece = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.string({ unit: "grapheme", maxLength: 6 }).map((text) => JSON.stringify(text).slice(1, -1)),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom('\\"', "\\\\", "\\/", "\\b", "\\f", "\\n", "\\r", "\\t", "\\u0000", "\u007f"),
  },
  { weight: 1, arbitrary: hex4.map((digits) => `\\u${digits}`) },
);
export const stringText = fc.array(stringPiece, { maxLength: 4 }).map((pieces) => `"${pieces.join("")}"`);

const numberText = fc.stringMatching(/^-?(0|[1-9][0-9]{0,20})(\.[0-9]{1,20})?([eE][+-]?[0-9]{1,3})?$/);
const nameText = fc.oneof(
  stringText,
  fc.constantFrom('"a"', '"b"', '"\\u0061"', '"__proto__"', '"\\u005f_proto__"', '"constructor"', '""', '"é"'),
);

// A type, not an interface: `letrec` asks for one with an implicit index signature.
type Texts = { value: string; array: string; object: string };

/** The source of any JSON value: odd whitespace, every escape, repeated member names. */
export const valueText: fc.Arbitrary<string> = fc.letrec<Texts>((tie) => ({
  value: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    fc.constantFrom("true", "false", "null", "[]", "{}", "[ ]", "{\n}"),
    numberText,
    stringText,
    tie("array"),
    tie("object"),
  ),
  array: fc
    .array(fc.tuple(space, tie("value"), space), { maxLength: 5 })
    .map((items) => `[${items.map((item) => item.join("")).join(",")}]`),
  object: fc
    .array(fc.tuple(space, nameText, space, fc.constant(":"), space, tie("value"), space), { maxLength: 5 })
    .map((members) => `{${members.map((member) => member.join("")).join(",")}}`),
})).value;

/** The source of an acceptable event, its members in any order and with whitespace anywhere. */
export const eventText: fc.Arbitrary<string> = fc
  .record(
    {
      event: stringText,
      data: valueText,
      id: stringText,
      timestamp: stringText,
      orderingKey: stringText,
      context: fc.tuple(nameText, valueText).map(([name, value]) => `{${name}:${value}}`),
    },
    { requiredKeys: ["event", "data"] },
  )
  .chain((members) =>
    fc.tuple(
      fc.shuffledSubarray(Object.entries(members), { minLength: Object.keys(members).length }),
      fc.array(space, { minLength: 5, maxLength: 5 }),
    ),
  )
  .map(([members, [a, b, c, d, e]]) => {
    const text = members.map(([name, value]) => `${a}"${name}"${b}:${c}${value}${d}`).join(",");
    return `${e}{${text}}${e}`;
  });

/** Bytes that mean something to a JSON parser or to a UTF-8 decoder. */
const tellingByte = fc.oneof(
  fc.constantFrom(...Buffer.from('{}[]",:\\-+.eEu0129 \n\t\r\0tfn/')),
  fc.constantFrom(0x00, 0x1f, 0x7f, 0x80, 0xbf, 0xc0, 0xc3, 0xe2, 0xed, 0xef, 0xf0, 0xf4, 0xff),
  fc.integer({ min: 0, max: 255 }),
);
const edit = fc.record({
  kind: fc.constantFrom("replace", "insert", "delete", "repeat"),
  at: fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
  byte: tellingByte,
});

/** A text's bytes after one to three small accidents. */
export function mutated(text: fc.Arbitrary<string>): fc.Arbitrary<Buffer> {
  return fc.tuple(text, fc.array(edit, { minLength: 1, maxLength: 3 })).map(([source, edits]) => {
    let bytes = Buffer.from(source);
    for (const { kind, at, byte } of edits) {
      const position = Math.floor(at * bytes.length);
      const head = bytes.subarray(0, position);
      const inserted = kind === "repeat" ? bytes.subarray(position, position + 4) : Buffer.of(byte);
      const tail = bytes.subarray(kind === "replace" || kind === "delete" ? position + 1 : position);
      bytes = Buffer.concat(kind === "delete" ? [head, tail] : [head, inserted, tail]);
    }
    return bytes;
  });
}

/** What JSON.parse makes of the bytes; `isAccepted` is false for anything that is not well-formed UTF-8. */
export function parsed(bytes: Buffer): { isAccepted: boolean; value: unknown } {
  try {
    return isUtf8(bytes)
      ? { isAccepted: true, value: JSON.parse(bytes.toString()) }
      : { isAccepted: false, value: null };
  } catch {
    return { isAccepted: false, value: null };
  }
}

/** Levels of nesting of valid JSON, found by taking strings out and counting brackets. */
export function depthOf(bytes: Buffer): number {
  let open = 0;
  let deepest = 0;
  for (const character of bytes.toString().replaceAll(/"(?:[^"\\]|\\.)*"/g, "")) {
    if (character === "{" || character === "[") deepest = Math.max(deepest, ++open);
    if (character === "}" || character === "]") open--;
  }
  return deepest;
}
