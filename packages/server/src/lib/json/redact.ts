// Takes members out of JSON that the scanner has accepted, or masks their values, straight in the bytes. Everything else
// stays byte for byte as it was. Must find a member however its name is written: other case style, escapes, repeated.
import { endOfString, endOfValue, skipBlank } from "./read-path.ts";
import { unescapedString } from "./unescaped-string.ts";

export type Redaction = "drop" | "mask";

/** Where something is redacted: by path, lists are walked through, or by name wherever it stands. Plain data. */
export interface RedactionRules {
  readonly paths: readonly (readonly [path: string, how: Redaction])[];
  readonly names: readonly (readonly [name: string, how: Redaction])[];
}

interface Place {
  how: Redaction | null;
  readonly members: Map<string, Place>;
}

interface Edit {
  readonly start: number;
  readonly end: number;
  readonly by: string;
}

const QUOTE = 0x22;
const COMMA = 0x2c;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const OPEN_BRACE = 0x7b;

/** What stands in the place of a masked text; of anything else it is `null`: a number would be taken for one. */
const MASKED_TEXT = '"***"';
const MASKED = "null";

/** `unit_cost`, `unitCost` and `UnitCost` are one name. */
function nameKey(name: string): string {
  const known = nameKeys.get(name);
  if (known !== undefined) return known;
  const key = name.replaceAll("_", "").toLowerCase();
  // Names come from payloads: what they can make us keep is bounded.
  if (nameKeys.size >= MAX_NAME_KEYS) nameKeys.clear();
  if (name.length <= LONGEST_KEPT_NAME) nameKeys.set(name, key);
  return key;
}

/** The names of an event are the names of the next one: looking them up costs a third. */
const nameKeys = new Map<string, string>();
const MAX_NAME_KEYS = 5_000;
const LONGEST_KEPT_NAME = 64;

/** Compiled rules; one redactor serves any number of events. */
export class Redactor {
  readonly #root: Place = { how: null, members: new Map() };
  readonly #names: ReadonlyMap<string, Redaction>;

  constructor({ paths, names }: RedactionRules) {
    for (const [path, how] of paths) {
      let place = this.#root;
      for (const step of path.split(".").map(nameKey)) {
        let inner = place.members.get(step);
        if (inner === undefined) {
          inner = { how: null, members: new Map() };
          place.members.set(step, inner);
        }
        place = inner;
      }
      place.how = stronger(place.how, how);
    }
    const named = new Map<string, Redaction>();
    for (const [name, how] of names) named.set(nameKey(name), stronger(named.get(nameKey(name)) ?? null, how));
    this.#names = named;
  }

  /**
   * The payload without what the rules name.
   * @param within members of the payload in which paths begin, beside the payload itself: `object`
   * @param found told of each redacted member
   * @returns the same buffer where there was nothing to do
   */
  redact(bytes: Buffer, within: readonly string[], found?: (path: string) => void): Buffer {
    const start = skipBlank(bytes, 0);
    if (start >= bytes.length) return bytes;
    const roots = new Map(within.map((name) => [nameKey(name), this.#root]));
    const walk = new Walk(bytes, this.#names, found);
    walk.value(start, this.#root, roots, "");
    return walk.edited();
  }
}

/** Of two rules for one place, dropping wins. */
function stronger(one: Redaction | null, other: Redaction): Redaction {
  return one === "drop" ? one : other;
}

const NO_ROOTS: ReadonlyMap<string, Place> = new Map();

/** One pass over one payload. Depth is bounded by the scanner. */
class Walk {
  readonly #bytes: Buffer;
  readonly #names: ReadonlyMap<string, Redaction>;
  readonly #found: ((path: string) => void) | undefined;
  /** In order, never overlapping. */
  readonly #edits: Edit[] = [];

  constructor(bytes: Buffer, names: ReadonlyMap<string, Redaction>, found: ((path: string) => void) | undefined) {
    this.#bytes = bytes;
    this.#names = names;
    this.#found = found;
  }

  edited(): Buffer {
    if (this.#edits.length === 0) return this.#bytes;
    const parts: Buffer[] = [];
    let at = 0;
    for (const { start, end, by } of this.#edits) {
      parts.push(this.#bytes.subarray(at, start));
      if (by !== "") parts.push(Buffer.from(by, "latin1"));
      at = end;
    }
    parts.push(this.#bytes.subarray(at));
    return Buffer.concat(parts);
  }

  /** Walks the value at `start` and returns its end. */
  value(start: number, place: Place | null, roots: ReadonlyMap<string, Place>, path: string): number {
    const first = this.#bytes[start];
    if (first === OPEN_BRACE) return this.#object(start, place, roots, path);
    if (first !== OPEN_BRACKET) return endOfValue(this.#bytes, start);
    return this.#elements(start, (at) => this.value(at, place, NO_ROOTS, path));
  }

  #elements(start: number, each: (at: number) => number): number {
    let at = skipBlank(this.#bytes, start + 1);
    while (this.#bytes[at] !== CLOSE_BRACKET && at < this.#bytes.length) {
      at = skipBlank(this.#bytes, each(at));
      if (this.#bytes[at] === COMMA) at = skipBlank(this.#bytes, at + 1);
    }
    return at + 1;
  }

  #object(start: number, place: Place | null, roots: ReadonlyMap<string, Place>, path: string): number {
    const bytes = this.#bytes;
    let at = skipBlank(bytes, start + 1);
    /** Where the last member that stays ends; -1 while none does. */
    let keptEnd = -1;
    let keptEdits = this.#edits.length;
    while (bytes[at] === QUOTE) {
      const nameEnd = endOfString(bytes, at);
      const name = unescapedString(bytes, at, nameEnd);
      const valueStart = skipBlank(bytes, skipBlank(bytes, nameEnd) + 1);
      const inner = innerPlace(place, name);
      const key = nameKey(name);
      const how = inner?.how ?? this.#names.get(key) ?? null;
      const innerPath = this.#found === undefined || path === "" ? name : `${path}.${name}`;
      const valueEnd =
        how === null
          ? this.value(valueStart, roots.get(key) ?? inner, NO_ROOTS, roots.has(key) ? "" : innerPath)
          : endOfValue(bytes, valueStart);
      const behind = skipBlank(bytes, valueEnd);
      const isLast = bytes[behind] !== COMMA;
      const next = isLast ? behind : skipBlank(bytes, behind + 1);
      if (how !== null) this.#found?.(innerPath);
      if (how === "mask") this.#mask(valueStart, valueEnd);
      if (how === "drop" && isLast) {
        // The comma before it goes as well, and with it whatever was dropped since.
        this.#edits.length = keptEdits;
        this.#edits.push({ start: keptEnd === -1 ? skipBlank(bytes, start + 1) : keptEnd, end: valueEnd, by: "" });
      } else if (how === "drop") {
        this.#edits.push({ start: at, end: next, by: "" });
      } else {
        keptEnd = valueEnd;
        keptEdits = this.#edits.length;
      }
      at = next;
    }
    return at + 1;
  }

  /** Lists and objects keep their form: what is masked are the values in them. */
  #mask(start: number, end: number): void {
    const bytes = this.#bytes;
    const first = bytes[start];
    if (first === OPEN_BRACKET) {
      this.#elements(start, (at) => {
        const valueEnd = endOfValue(bytes, at);
        this.#mask(at, valueEnd);
        return valueEnd;
      });
    } else if (first === OPEN_BRACE) {
      let at = skipBlank(bytes, start + 1);
      while (bytes[at] === QUOTE) {
        const valueStart = skipBlank(bytes, skipBlank(bytes, endOfString(bytes, at)) + 1);
        const valueEnd = endOfValue(bytes, valueStart);
        this.#mask(valueStart, valueEnd);
        at = skipBlank(bytes, valueEnd);
        if (bytes[at] === COMMA) at = skipBlank(bytes, at + 1);
      }
    } else {
      this.#edits.push({ start, end, by: first === QUOTE ? MASKED_TEXT : MASKED });
    }
  }
}

/** Old values may stand under a path as their name: `address.city`. */
function innerPlace(place: Place | null, name: string): Place | null {
  if (place === null) return null;
  const direct = place.members.get(nameKey(name));
  if (direct !== undefined || !name.includes(".")) return direct ?? null;
  let inner: Place | undefined = place;
  for (const step of name.split(".")) {
    inner = inner?.members.get(nameKey(step));
    if (inner?.how) return inner;
  }
  return inner ?? null;
}
