// API keys: how they are made, told apart from typing mistakes, and kept. Only their hash is ever stored.
// Form: blg_live_sk_ or blg_test_sk_, 30 random base62 characters (178 bits), 6 characters of their CRC-32 in base62,
// as GitHub's tokens do it: scanners recognise a leaked key, and a mistyped one is refused without a look-up.
import { createHash } from "node:crypto";
import { crc32 } from "node:zlib";

const PREFIXES = { live: "blg_live_sk_", test: "blg_test_sk_" } as const;
const ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const RANDOM_LENGTH = 30;
const CHECKSUM_LENGTH = 6;
const LAST_CHARACTERS = 4;
const OAUTH_PREFIXES = {
  accessToken: "blg_oauth_at_",
  refreshToken: "blg_oauth_rt_",
  code: "blg_oauth_code_",
} as const;
const MINTED = new RegExp(
  `^blg_(?:(?:live|test)_sk|oauth_at)_([0-9A-Za-z]{${RANDOM_LENGTH}})([0-9A-Za-z]{${CHECKSUM_LENGTH}})$`,
);
/** What an operator may choose as the first key: long enough, and nothing that a header cannot carry. */
const CHOSEN = /^[\x21-\x7e]{20,512}$/;

/**
 * Makes a new key.
 * @param random fills its argument with random bytes fit for keys
 */
export function mintApiKey(livemode: boolean, random: (target: Uint8Array) => void): string {
  const secret = randomCharacters(RANDOM_LENGTH, random);
  return `${livemode ? PREFIXES.live : PREFIXES.test}${secret}${checksumOf(secret)}`;
}

/** What OAuth hands out, in the same form as keys; an access token is a key that ends by itself. */
export type OauthTextKind = keyof typeof OAUTH_PREFIXES;

/** Makes a new code or token. */
export function mintOauthText(kind: OauthTextKind, random: (target: Uint8Array) => void): string {
  const secret = randomCharacters(RANDOM_LENGTH, random);
  return `${OAUTH_PREFIXES[kind]}${secret}${checksumOf(secret)}`;
}

/** The mode that a key works in: the prefix says so for test keys, everything else is live. */
export function livemodeOfApiKey(key: string): boolean {
  return !key.startsWith(PREFIXES.test);
}

/** SHA-256 of the key's text: with 178 random bits nothing slower is needed (OWASP ASVS 6.5.2). */
export function hashApiKey(key: string): Buffer {
  return createHash("sha256").update(key, "utf8").digest();
}

/** What is shown of a key after its first day, so that a person can tell it from others. */
export function lastCharactersOf(key: string): string {
  return key.slice(-LAST_CHARACTERS);
}

/**
 * What a key's text alone says: `minted` with a checksum that holds; `mistyped`, of that form and with a checksum that
 * does not; `chosen` by an operator, without one; `malformed`: no key can look like this.
 */
export function inspectApiKey(key: string): "minted" | "mistyped" | "chosen" | "malformed" {
  const [, secret, checksum] = MINTED.exec(key) ?? [];
  if (secret !== undefined) return checksumOf(secret) === checksum ? "minted" : "mistyped";
  return CHOSEN.test(key) ? "chosen" : "malformed";
}

function checksumOf(secret: string): string {
  let value = crc32(secret);
  let text = "";
  for (let index = 0; index < CHECKSUM_LENGTH; index += 1) {
    text = (ALPHABET[value % ALPHABET.length] as string) + text;
    value = Math.floor(value / ALPHABET.length);
  }
  return text;
}

/** Bytes of 248 and above are thrown away: 256 is no multiple of 62, and the first letters would come more often. */
function randomCharacters(length: number, random: (target: Uint8Array) => void): string {
  const fair = 256 - (256 % ALPHABET.length);
  const bytes = new Uint8Array(length * 2);
  let text = "";
  while (text.length < length) {
    random(bytes);
    for (const byte of bytes) {
      if (byte < fair && text.length < length) text += ALPHABET[byte % ALPHABET.length];
    }
  }
  return text;
}
