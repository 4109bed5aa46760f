// Expression text to tokens. Every token knows its place, so that every message can point at it.
// It never decides grammar; it refuses only characters and literals that no grammar could use.
import { ExpressionProblem } from "./errors.ts";
import { MAX_SOURCE_LENGTH } from "./limits.ts";
import { type ExactNumber, numberFromText } from "./numbers.ts";
import { readText } from "./text-literal.ts";

/** `start` and `end` are 0-based offsets in UTF-16 units. */
interface Place {
  readonly start: number;
  readonly end: number;
}

export type Token = Place &
  (
    | { readonly kind: "name"; readonly text: string }
    | { readonly kind: "symbol"; readonly text: string }
    | { readonly kind: "number"; readonly text: string; readonly value: number | ExactNumber }
    | { readonly kind: "text"; readonly text: string; readonly value: string }
    | { readonly kind: "end"; readonly text: "" }
  );

const SPACE = /(?:[ \t\n\r\f]|\/\/[^\n]*)+/y;
const NAME = /[\p{ID_Start}_]\p{ID_Continue}*/uy;
const HEX = /0[xX][0-9a-fA-F]+/y;
const DECIMAL = /(?:[0-9]+(?:\.[0-9]+)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?/y;
const AFTER_NUMBER = /[\p{ID_Continue}.]/uy;
const TEXT_START = /([rR][bB]?|[bB][rR]?|)("""|'''|"|')/y;
const SYMBOL = /&&|\|\||[=!<>]=|[()[\]{}.,:?!<>+\-*/%]/y;

/** The tokens of a source, always closed by one `end` token. Throws ExpressionProblem. */
export function tokenize(source: string): Token[] {
  if (source.length > MAX_SOURCE_LENGTH) {
    throw new ExpressionProblem(
      "EXPRESSION_TOO_LONG",
      `The expression has ${source.length} characters; at most ${MAX_SOURCE_LENGTH} are allowed.`,
      MAX_SOURCE_LENGTH,
    );
  }
  const tokens: Token[] = [];
  let offset = skipSpace(source, 0);
  while (offset < source.length) {
    const token = readToken(source, offset);
    tokens.push(token);
    offset = skipSpace(source, token.end);
  }
  tokens.push({ kind: "end", text: "", start: source.length, end: source.length });
  return tokens;
}

/**
 * Where an expression ends that is embedded in a text: the offset of the `}}` that is neither inside one of its texts
 * nor closes one of its objects, or -1. Throws ExpressionProblem for what is no token.
 */
export function findClosingBraces(source: string, start: number): number {
  let depth = 0;
  let offset = skipSpace(source, start);
  while (offset < source.length) {
    if (depth === 0 && source.startsWith("}}", offset)) return offset;
    const token = readToken(source, offset);
    if (token.kind === "symbol" && token.text === "{") depth += 1;
    if (token.kind === "symbol" && token.text === "}") depth = Math.max(0, depth - 1);
    offset = skipSpace(source, token.end);
  }
  return -1;
}

function skipSpace(source: string, offset: number): number {
  return offset + (match(SPACE, source, offset)?.length ?? 0);
}

function match(pattern: RegExp, source: string, offset: number): string | undefined {
  pattern.lastIndex = offset;
  return pattern.exec(source)?.[0];
}

function readToken(source: string, start: number): Token {
  return readQuoted(source, start) ?? readNumber(source, start) ?? readName(source, start) ?? readSymbol(source, start);
}

function readQuoted(source: string, start: number): Token | undefined {
  TEXT_START.lastIndex = start;
  const [opening, prefix = "", quote = ""] = TEXT_START.exec(source) ?? [];
  if (opening === undefined) return undefined;
  if (/b/i.test(prefix)) {
    throw new ExpressionProblem(
      "BYTES_NOT_SUPPORTED",
      'Byte texts (b"…") are not part of this language: payloads are JSON, which has no bytes.',
      start,
      "Leave out the b.",
    );
  }
  const { value, end } = readText(source, start + opening.length, quote, prefix !== "", start);
  return { kind: "text", text: source.slice(start, end), value, start, end };
}

function readNumber(source: string, start: number): Token | undefined {
  const hex = match(HEX, source, start);
  const digits = hex ?? match(DECIMAL, source, start);
  if (digits === undefined) return undefined;
  // CEL marks unsigned integers by u. Numbers are compared by value here, so it means nothing and is accepted.
  const unsigned = /^[0-9a-fx]+$/i.test(digits) && /[uU]/.test(source.charAt(start + digits.length));
  const end = start + digits.length + (unsigned ? 1 : 0);
  refuseTail(source, start, end);
  const value = numberFromText(hex === undefined ? digits : BigInt(hex).toString());
  if (!Number.isFinite(typeof value === "number" ? value : value.value)) {
    throw new ExpressionProblem("INVALID_NUMBER", `The number ${digits.slice(0, 30)} is too large.`, start);
  }
  return { kind: "number", text: source.slice(start, end), value, start, end };
}

function refuseTail(source: string, start: number, end: number): void {
  if (match(AFTER_NUMBER, source, end) === undefined) return;
  const tail = /^[\p{ID_Continue}.]+/u.exec(source.slice(end))?.[0] ?? "";
  throw new ExpressionProblem(
    "INVALID_NUMBER",
    `“${source.slice(start, end + tail.length).slice(0, 30)}” is not a number.`,
    start,
    /^[_\d]+$/.test(tail) ? "Write digits without separators, as in 10000." : 'A text needs quotes, as in "5kg".',
  );
}

function readName(source: string, start: number): Token | undefined {
  const text = match(NAME, source, start);
  return text === undefined ? undefined : { kind: "name", text, start, end: start + text.length };
}

function readSymbol(source: string, start: number): Token {
  const text = match(SYMBOL, source, start);
  if (text !== undefined) return { kind: "symbol", text, start, end: start + text.length };
  const character = String.fromCodePoint(source.codePointAt(start) ?? 0);
  throw new ExpressionProblem(
    "UNEXPECTED_CHARACTER",
    `“${character}” has no meaning here.`,
    start,
    HINTS.find(([characters]) => characters.includes(character))?.[1],
  );
}

const HINTS: readonly (readonly [string, string])[] = [
  ["=", "Write == to compare."],
  ["&", "Write && for “and”."],
  ["|", "Write || for “or”."],
  ["“”„‘’‚«»", "Use straight quotes: \" or '."],
  ["$@", "Names stand alone, as in order.total."],
  [";", "An expression is one condition; join several with &&."],
  ["–—−", "Use the minus sign of the keyboard: -."],
  ["×", "Write * to multiply."],
  ["≥", "Write >=."],
  ["≤", "Write <=."],
  ["≠", "Write !=."],
  ["\u00a0\u2007\u202f\u200b\u3000\ufeff", "This is a special blank; replace it by an ordinary one."],
  ["`", 'Use straight quotes for a text; a member with an unusual name is read by order["unusual name"].'],
];
