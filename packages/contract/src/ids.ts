// Ids as everybody sees them: a prefix that says what it is, and a UUIDv7 in 26 Crockford characters.
// Pure functions and one generator; must never contain a dot (the signed content is `id.timestamp.body`).

/** What an id stands for, by its prefix. */
export const ID_PREFIXES = {
  tenant: "ten",
  company: "company",
  apiKey: "key",
  event: "evt",
  webhook: "webhook",
  delivery: "dlv",
  attempt: "att",
  batch: "batch",
  replay: "replay",
  correction: "correction",
  snapshot: "snapshot",
  secret: "sec",
  audit: "aud",
  node: "node",
  request: "req",
  oauthClient: "client",
  oauthGrant: "grant",
} as const;

export type IdKind = keyof typeof ID_PREFIXES;
/** `evt_01JD…`: a prefix, an underscore and 26 Crockford characters. */
export type Id<Kind extends IdKind = IdKind> = string & { readonly __kind: Kind };

const ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const BODY_LENGTH = 26;
const DECODE = new Int8Array(128).fill(-1);
for (let i = 0; i < 32; i += 1) {
  DECODE[ALPHABET.charCodeAt(i)] = i;
  DECODE[ALPHABET.toLowerCase().charCodeAt(i)] = i;
}

/** A sender's own event id: what receivers see as `webhook-id`, so no dot and nothing that needs quoting. */
export const SENDER_ID_PATTERN = /^[A-Za-z0-9_-]{1,64}$/;

/**
 * Writes 16 bytes as an id.
 * @param kind what the id stands for
 * @param bytes at least 16 bytes from `offset`
 */
export function formatId<Kind extends IdKind>(kind: Kind, bytes: Uint8Array, offset = 0): Id<Kind> {
  let text = `${ID_PREFIXES[kind]}_`;
  // 128 bits in 26 groups of five, most significant first: the first group holds the top three bits only.
  let buffer = 0;
  let bits = 2;
  for (let i = 0; i < 16; i += 1) {
    buffer = ((buffer << 8) | (bytes[offset + i] as number)) & 0xffff;
    bits += 8;
    while (bits >= 5) {
      bits -= 5;
      text += ALPHABET[(buffer >>> bits) & 31];
    }
  }
  return text as Id<Kind>;
}

/**
 * Reads an id into 16 bytes.
 * @returns false when the text is not an id of this kind (wrong prefix, length, character or more than 128 bits)
 */
export function parseIdInto(kind: IdKind, text: string, target: Uint8Array, offset = 0): boolean {
  const prefix = ID_PREFIXES[kind];
  const start = prefix.length + 1;
  if (text.length !== start + BODY_LENGTH || !text.startsWith(prefix) || text.charCodeAt(prefix.length) !== 95) {
    return false;
  }
  const first = decodeCharacter(text.charCodeAt(start));
  if (first < 0 || first > 7) return false;
  let buffer = first;
  let bits = 3;
  let at = offset;
  for (let i = start + 1; i < text.length; i += 1) {
    const value = decodeCharacter(text.charCodeAt(i));
    if (value < 0) return false;
    buffer = ((buffer << 5) | value) & 0x1fff;
    bits += 5;
    if (bits >= 8) {
      bits -= 8;
      target[at] = (buffer >>> bits) & 0xff;
      at += 1;
    }
  }
  return true;
}

function decodeCharacter(code: number): number {
  return code < 128 ? (DECODE[code] as number) : -1;
}

/** The id's 16 bytes, or null when the text is not an id of this kind. */
export function parseId(kind: IdKind, text: string): Uint8Array | null {
  const bytes = new Uint8Array(16);
  return parseIdInto(kind, text, bytes) ? bytes : null;
}

/** True when `text` is a well-formed id of this kind. */
export function isId<Kind extends IdKind>(kind: Kind, text: string): text is Id<Kind> {
  return parseIdInto(kind, text, new Uint8Array(16));
}

/** The id of a UUID in its usual spelling (`018f…-…`), as PostgreSQL prints it. */
export function idFromUuid<Kind extends IdKind>(kind: Kind, uuid: string): Id<Kind> {
  const bytes = new Uint8Array(16);
  let at = 0;
  for (let i = 0; i < uuid.length && at < 16; i += 2) {
    if (uuid.charCodeAt(i) === 45) i += 1;
    bytes[at] = Number.parseInt(uuid.slice(i, i + 2), 16);
    at += 1;
  }
  return formatId(kind, bytes);
}

/** The UUID, in its usual spelling, of an id that was minted or parsed before; throws on anything else. */
export function uuidFromId(kind: IdKind, id: string): string {
  const bytes = parseId(kind, id);
  if (bytes === null) throw new TypeError(`not a ${kind} id: ${id.slice(0, 80)}`);
  return uuidFromBytes(bytes);
}

const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));

/** 16 bytes in the usual UUID spelling. */
export function uuidFromBytes(bytes: Uint8Array, offset = 0): string {
  let text = "";
  for (let i = 0; i < 16; i += 1) {
    if (i === 4 || i === 6 || i === 8 || i === 10) text += "-";
    text += HEX[bytes[offset + i] as number];
  }
  return text;
}

/** When the id was minted: the 48 bits of milliseconds that a UUIDv7 starts with (RFC 9562, section 5.7). */
export function millisecondsOfId(kind: IdKind, id: string): number {
  const bytes = parseId(kind, id);
  if (bytes === null) throw new TypeError(`not a ${kind} id: ${id.slice(0, 80)}`);
  return millisecondsOfBytes(bytes);
}

/** The milliseconds that a UUIDv7's 16 bytes start with. */
export function millisecondsOfBytes(bytes: Uint8Array, offset = 0): number {
  let value = 0;
  for (let i = 0; i < 6; i += 1) value = value * 256 + (bytes[offset + i] as number);
  return value;
}

/**
 * Mints UUIDv7 bytes that never go backwards within one generator (RFC 9562, section 6.2, method 1):
 * 48 bits of milliseconds, a 32-bit counter reseeded with 31 random bits each millisecond, 42 random bits.
 */
export class IdGenerator {
  readonly #nowMs: () => number;
  readonly #random: (target: Uint8Array) => void;
  readonly #pool = new Uint8Array(4096);
  #poolAt = this.#pool.length;
  #lastMs = 0;
  #counter = 0;

  /**
   * @param nowMs milliseconds since 1970, the node's estimate of database time
   * @param random fills its argument with random bytes
   */
  constructor(nowMs: () => number, random: (target: Uint8Array) => void) {
    this.#nowMs = nowMs;
    this.#random = random;
  }

  /** Sixteen new bytes; with `atMs` the id carries that time instead of now (a delivery carries its event's). */
  next(atMs?: number): Uint8Array {
    const bytes = new Uint8Array(16);
    this.nextInto(bytes, 0, atMs);
    return bytes;
  }

  /** Writes sixteen new bytes at `offset`. */
  nextInto(bytes: Uint8Array, offset: number, atMs?: number): void {
    const pool = this.#pool;
    if (this.#poolAt + 10 > pool.length) {
      this.#random(pool);
      this.#poolAt = 0;
    }
    const at = this.#poolAt;
    this.#poolAt += 10;
    const nowMs = Math.floor(this.#nowMs());
    if (nowMs > this.#lastMs) {
      this.#lastMs = nowMs;
      this.#counter =
        (((pool[at + 6] as number) & 0x7f) << 24) |
        ((pool[at + 7] as number) << 16) |
        ((pool[at + 8] as number) << 8) |
        (pool[at + 9] as number);
    } else {
      this.#counter = (this.#counter + 1) >>> 0;
      // Two thousand million ids in one millisecond, or a clock that was set back for long: borrow a millisecond.
      if (this.#counter === 0) this.#lastMs += 1;
    }
    const ms = atMs ?? this.#lastMs;
    const counter = this.#counter;
    bytes[offset] = Math.floor(ms / 0x10000000000) & 0xff;
    bytes[offset + 1] = Math.floor(ms / 0x100000000) & 0xff;
    bytes[offset + 2] = (ms / 0x1000000) & 0xff;
    bytes[offset + 3] = (ms / 0x10000) & 0xff;
    bytes[offset + 4] = (ms / 0x100) & 0xff;
    bytes[offset + 5] = ms & 0xff;
    bytes[offset + 6] = 0x70 | (counter >>> 28);
    bytes[offset + 7] = (counter >>> 20) & 0xff;
    bytes[offset + 8] = 0x80 | ((counter >>> 14) & 0x3f);
    bytes[offset + 9] = (counter >>> 6) & 0xff;
    bytes[offset + 10] = ((counter & 0x3f) << 2) | ((pool[at] as number) & 3);
    for (let i = 1; i <= 5; i += 1) bytes[offset + 10 + i] = pool[at + i] as number;
  }
}
