// Reads the inside of a quoted text: CEL's escapes, raw texts and triple quotes.
// It never guesses: an escape that CEL does not know is refused at its own place.
import { ExpressionProblem } from "./errors.ts";

/** Escapes of one character (CEL language definition, "String and Bytes Values"). */
const SIMPLE: ReadonlyMap<string, string> = new Map([
  ["a", "\x07"],
  ["b", "\b"],
  ["f", "\f"],
  ["n", "\n"],
  ["r", "\r"],
  ["t", "\t"],
  ["v", "\v"],
  ...["\\", "?", '"', "'", "`"].map((character) => [character, character] as const),
]);

const CODE = /x([0-9a-fA-F]{2})|X([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})/y;
const OCTAL = /[0-3][0-7]{2}/y;

/**
 * Reads from `offset`, the place behind the opening quote, to the closing one.
 * Answers the text and the offset behind the closing quote. Throws ExpressionProblem, pointing at `start`, where the
 * literal begins, when it is not closed.
 */
export function readText(
  source: string,
  offset: number,
  quote: string,
  raw: boolean,
  start: number,
): { value: string; end: number } {
  let value = "";
  let index = offset;
  while (index < source.length) {
    if (source.startsWith(quote, index)) return { value, end: index + quote.length };
    const character = source.charAt(index);
    if (quote.length === 1 && (character === "\n" || character === "\r")) break;
    if (character === "\\" && !raw) {
      const escape = readEscape(source, index);
      value += escape.value;
      index = escape.end;
    } else {
      value += character;
      index += 1;
    }
  }
  throw new ExpressionProblem(
    "UNTERMINATED_TEXT",
    `The text that begins here is not closed: a ${quote} is missing.`,
    start,
    quote.length === 1 ? 'A text over several lines stands in three quotes: """…""".' : undefined,
  );
}

function readEscape(source: string, backslash: number): { value: string; end: number } {
  const letter = source.charAt(backslash + 1);
  const simple = SIMPLE.get(letter);
  if (simple !== undefined) return { value: simple, end: backslash + 2 };
  CODE.lastIndex = OCTAL.lastIndex = backslash + 1;
  const coded = CODE.exec(source);
  if (coded !== null) {
    const digits = coded.slice(1).find((group) => group !== undefined) ?? "";
    return { value: fromCodePoint(Number.parseInt(digits, 16), backslash), end: CODE.lastIndex };
  }
  const octal = OCTAL.exec(source);
  if (octal !== null) return { value: String.fromCharCode(Number.parseInt(octal[0], 8)), end: OCTAL.lastIndex };
  throw new ExpressionProblem(
    "INVALID_ESCAPE",
    `\\${letter} is not an escape that a text may hold.`,
    backslash,
    'Write \\\\ for a backslash, or put r in front of the quote: r"^INV-\\d+$".',
  );
}

function fromCodePoint(code: number, backslash: number): string {
  if (code <= 0x10ffff && (code < 0xd800 || code > 0xdfff)) return String.fromCodePoint(code);
  throw new ExpressionProblem(
    "INVALID_ESCAPE",
    "This escape is not a Unicode character.",
    backslash,
    "A character beyond U+FFFF is written as itself or with eight digits: \\U0001F600.",
  );
}
