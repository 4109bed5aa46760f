// Payload bytes to values. Members are data: `__proto__`, `constructor` and the like are keys as any other.
// It must read exactly what JSON.parse reads; only numbers may come out with more digits.
import { EXACT_DIGITS, ExactNumber, numberFromText } from "./numbers.ts";
import { setOwnMember, type Value } from "./values.ts";

/**
 * Parses JSON. With `exactNumbers` off it is JSON.parse. With it on, numbers that a double cannot hold (more than 15
 * significant digits, or out of range) become ExactNumbers, which costs about five times as much: the capture
 * scanner tells whether a payload has such a number. Bytes are UTF-8 and were checked before.
 * Throws the SyntaxError of JSON.parse when the text is not JSON.
 */
export function parsePayload(payload: Uint8Array | string, options: { exactNumbers: boolean }): Value {
  const text = typeof payload === "string" ? payload : decode(payload);
  // In both cases JSON.parse judges the text, so that the reader below only ever sees valid JSON.
  const value: Value = JSON.parse(text);
  return options.exactNumbers && LONG_NUMBER.test(text) ? readExactly(text, numberFromText) : value;
}

/**
 * Parses JSON for templates, which write numbers as they were written: a number whose text is not the one that
 * JavaScript would give it (`1.10`, `1e2`, `-0`, more digits than a double has) becomes an ExactNumber with its text.
 * Throws the SyntaxError of JSON.parse when the text is not JSON.
 */
export function parseKeepingTexts(payload: Uint8Array | string): Value {
  const text = typeof payload === "string" ? payload : decode(payload);
  const value: Value = JSON.parse(text);
  return OWN_NUMBER_TEXT.test(text) ? readExactly(text, numberWithText) : value;
}

function decode(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("utf8");
}

/** What could be a number that a double does not hold, or a text that looks like one; it may only err to that side. */
const LONG_NUMBER = new RegExp(`[0-9](?:\\.?[0-9]){${EXACT_DIGITS}}|[0-9][eE]`);

/**
 * What could be a number that JavaScript writes in another way: those above, a fraction that ends in 0, a negative
 * zero, less than 10^-6. It may only err to that side; texts with times in milliseconds do.
 */
const OWN_NUMBER_TEXT = new RegExp(`${LONG_NUMBER.source}|\\.[0-9]*0(?![0-9])|-0(?![.0-9])|0\\.0{6}`);

function numberWithText(text: string): number | ExactNumber {
  const value = Number(text);
  return String(value) === text ? value : new ExactNumber(text);
}

/** A list or object that is being filled; `key` is the member that the next value belongs to. */
interface Open {
  readonly list: Value[] | undefined;
  readonly object: Record<string, Value> | undefined;
  key: string;
}

const SPACE_AND_COLON = /[ \t\n\r]*:/y;
const NUMBER_OR_WORD = /[-+.\w]+/y;

/** Reads valid JSON with a stack of its own: payloads may be nested deeper than calls can be. */
function readExactly(text: string, numberOf: (text: string) => number | ExactNumber): Value {
  const root: Value[] = [];
  let open: Open = { list: root, object: undefined, key: "" };
  const outer: Open[] = [];
  let offset = 0;
  while (offset < text.length) {
    const character = text[offset];
    if (character === "[" || character === "{") {
      const inner = openedBy(character);
      put(open, inner.list ?? inner.object ?? null);
      outer.push(open);
      open = inner;
      offset += 1;
    } else if (character === "]" || character === "}") {
      open = outer.pop() ?? open;
      offset += 1;
    } else if (character === '"') {
      const end = endOfText(text, offset);
      const value = JSON.parse(text.slice(offset, end));
      const colonEnd = endOf(SPACE_AND_COLON, text, end);
      if (colonEnd === undefined) put(open, value);
      else open.key = value;
      offset = colonEnd ?? end;
    } else {
      // What is left is a number or a word, or a comma or blank, which mean nothing here.
      const end = endOf(NUMBER_OR_WORD, text, offset);
      if (end !== undefined) put(open, readScalar(text.slice(offset, end), numberOf));
      offset = end ?? offset + 1;
    }
  }
  return root[0] ?? null;
}

function openedBy(bracket: "[" | "{"): Open {
  return bracket === "[" ? { list: [], object: undefined, key: "" } : { list: undefined, object: {}, key: "" };
}

/** The offset behind a JSON text. By hand, because a pattern runs out of stack on a text of some megabytes. */
function endOfText(text: string, start: number): number {
  let index = start + 1;
  while (text[index] !== '"') index += text[index] === "\\" ? 2 : 1;
  return index + 1;
}

function endOf(pattern: RegExp, text: string, offset: number): number | undefined {
  pattern.lastIndex = offset;
  return pattern.test(text) ? pattern.lastIndex : undefined;
}

function put({ list, object, key }: Open, value: Value): void {
  if (list !== undefined) list.push(value);
  else if (object !== undefined) setOwnMember(object, key, value);
}

function readScalar(token: string, numberOf: (text: string) => number | ExactNumber): Value {
  if (token === "null") return null;
  if (token === "true" || token === "false") return token === "true";
  return numberOf(token);
}
