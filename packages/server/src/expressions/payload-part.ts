// The part of a payload that expressions read, straight from its bytes: what nobody reads is skipped, not parsed. Ten
// filters on an event of 711 bytes need eight of its members.
// Must leave every expression that the part was made for with the value that the whole payload would give it.
import { endOfString, endOfValue, isNamed, skipBlank } from "../lib/json/read-path.ts";
import { unescapedString } from "../lib/json/unescaped-string.ts";
import { numberFromText } from "./numbers.ts";
import { parsePayload } from "./payload.ts";
import type { ReadPath } from "./reads.ts";
import type { FieldAliases } from "./scope.ts";
import { otherSpelling } from "./spelling.ts";
import { setOwnMember, type Value } from "./values.ts";
import { keyOfName } from "./words.ts";

/** What is read of an object: keys, and beside each what is read of its value; null there for all of it. */
export interface PayloadPart {
  readonly keys: string[];
  readonly inner: (PayloadPart | null)[];
}

const QUOTE = 0x22;
const COMMA = 0x2c;
const MINUS = 0x2d;
const NINE = 0x39;
const OPEN_BRACKET = 0x5b;
const LOWER_F = 0x66;
const LOWER_T = 0x74;
const OPEN_BRACE = 0x7b;

/** A deeper path is read with all that stands above its end. */
const MAX_STEPS = 16;
/** Each member is compared with each key: beyond this it is cheaper to parse. */
const MAX_KEYS = 48;

/**
 * What expressions need of a payload to read these paths. It may be too much: which of its meanings a root name has
 * (event-scope.ts) depends on the payload, so all of them are in it.
 * @returns null when they need the whole of it
 */
export function payloadPartFor(paths: Iterable<ReadPath>, aliases: FieldAliases): PayloadPart | null {
  const part: PayloadPart = { keys: [], inner: [] };
  for (const [root, ...members] of paths) {
    if (root === "event" || root === "context") continue;
    const steps = members.slice(0, MAX_STEPS).map((name) => keysOf(name, aliases));
    if (root === "previous") {
      add(part, [keysOf("previous_attributes", aliases), ...steps]);
      continue;
    }
    const isObject = root !== "data";
    // `data`, `object` or the resource itself, with all that is in it.
    if (steps.length === 0) return null;
    add(part, steps);
    if (!isObject) continue;
    add(part, [["object"], ...steps]);
    if (root === "object") continue;
    const nested = keysOf(keyOfName(root), aliases);
    add(part, [nested, ...steps]);
    add(part, [["object"], nested, ...steps]);
  }
  return isSmall(part) ? part : null;
}

function isSmall({ keys, inner }: PayloadPart): boolean {
  return keys.length <= MAX_KEYS && inner.every((each) => each === null || isSmall(each));
}

/** Every key under which a member may be found (scope.ts). */
function keysOf(name: string, aliases: FieldAliases): string[] {
  const keys = new Set<string>();
  const addSpellings = (key: string): void => {
    keys.add(key);
    const other = otherSpelling(key);
    if (other !== undefined) keys.add(other);
  };
  addSpellings(name);
  for (const key of Array.from(keys)) if (Object.hasOwn(aliases, key)) addSpellings(aliases[key] as string);
  return [...keys];
}

function add(part: PayloadPart, steps: readonly (readonly string[])[]): void {
  const [keys, ...rest] = steps;
  if (keys === undefined) return;
  for (const key of keys) {
    let index = part.keys.indexOf(key);
    if (index === -1) {
      index = part.keys.push(key) - 1;
      part.inner.push({ keys: [], inner: [] });
    }
    if (rest.length === 0) part.inner[index] = null;
    const inner = part.inner[index] as PayloadPart | null;
    if (inner !== null) add(inner, rest);
  }
}

/**
 * Reads a part of a payload that the capture scanner has accepted. Of objects on the way only the members of the part
 * are there; a value on the way that is no object is there as it is, with all that is in it.
 */
export function readPayloadPart(
  payload: Uint8Array,
  part: PayloadPart,
  options: { readonly exactNumbers: boolean },
): Value {
  const bytes = Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength);
  const reader = new PartReader(bytes, options.exactNumbers);
  return reader.read(skipBlank(bytes, 0), part);
}

class PartReader {
  readonly #bytes: Buffer;
  readonly #exactNumbers: boolean;
  /** Behind the value that was read last. */
  #end = 0;

  constructor(bytes: Buffer, exactNumbers: boolean) {
    this.#bytes = bytes;
    this.#exactNumbers = exactNumbers;
  }

  read(start: number, part: PayloadPart | null): Value {
    if (part !== null && this.#bytes[start] === OPEN_BRACE) return this.#readMembers(start, part);
    this.#end = endOfValue(this.#bytes, start);
    return this.#readWhole(start, this.#end);
  }

  #readMembers(start: number, part: PayloadPart): Value {
    const bytes = this.#bytes;
    const object: Record<string, Value> = {};
    let position = skipBlank(bytes, start + 1);
    while (bytes[position] === QUOTE) {
      const nameEnd = endOfString(bytes, position);
      const valueStart = skipBlank(bytes, skipBlank(bytes, nameEnd) + 1);
      const index = keyAt(bytes, position, nameEnd, part.keys);
      let valueEnd: number;
      if (index === -1) {
        valueEnd = endOfValue(bytes, valueStart);
      } else {
        // Of members with one name the last counts, as everywhere.
        setOwnMember(
          object,
          part.keys[index] as string,
          this.read(valueStart, part.inner[index] as PayloadPart | null),
        );
        valueEnd = this.#end;
      }
      const commaAt = skipBlank(bytes, valueEnd);
      position = bytes[commaAt] === COMMA ? skipBlank(bytes, commaAt + 1) : commaAt;
    }
    this.#end = position + 1;
    return object;
  }

  #readWhole(start: number, end: number): Value {
    const bytes = this.#bytes;
    const first = bytes[start] as number;
    if (first === QUOTE) return unescapedString(bytes, start, end);
    if (first === MINUS || first <= NINE) {
      const text = bytes.toString("latin1", start, end);
      return this.#exactNumbers ? numberFromText(text) : Number(text);
    }
    if (first === OPEN_BRACE || first === OPEN_BRACKET) {
      return parsePayload(bytes.subarray(start, end), { exactNumbers: this.#exactNumbers });
    }
    return first === LOWER_T ? true : first === LOWER_F ? false : null;
  }
}

/** Which of the keys a member's name says; -1 for none. */
function keyAt(bytes: Buffer, start: number, end: number, keys: readonly string[]): number {
  for (let index = 0; index < keys.length; index += 1) {
    if (isNamed(bytes, start, end, keys[index] as string)) return index;
  }
  return -1;
}
