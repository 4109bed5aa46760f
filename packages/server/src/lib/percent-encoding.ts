// Percent-encoding of texts that end up in a URL, a form or a header. Pure. Must never throw on a payload's text, and
// must leave nothing standing that could mean something in the place where it is written.

/** Characters that stay as they are, by their code; the rest becomes `%XX` for each byte of its UTF-8 form. */
export type KeptCharacters = readonly boolean[];

function kept(pattern: RegExp): KeptCharacters {
  return Array.from({ length: 128 }, (_, code) => pattern.test(String.fromCharCode(code)));
}

/** Inside a segment of a path or a value of a query: what RFC 3986, section 2.3, calls unreserved. */
export const IN_URL = kept(/[A-Za-z0-9._~-]/);
/** Inside a name or value of `application/x-www-form-urlencoded` (WHATWG URL, section 5.2); a blank becomes `+`. */
const IN_FORM = kept(/[A-Za-z0-9*._-]/);
/** Inside a header's value: printable ASCII; `%` is encoded so that it can be read back. */
export const IN_HEADER = kept(/[\x20-\x24\x26-\x7e]/);

/** Inside a header of a CloudEvent (HTTP binding, section 3.1.3.2). */
export const IN_CLOUD_EVENT = kept(/[\x21\x23\x24\x26-\x7e]/);

/** Half a surrogate pair becomes U+FFFD, as everywhere where a text becomes bytes. */
export function percentEncoded(text: string, keep: KeptCharacters): string {
  let isClean = true;
  for (let index = 0; index < text.length && isClean; index += 1) isClean = keep[text.charCodeAt(index)] === true;
  if (isClean) return text;
  let encoded = "";
  for (const byte of Buffer.from(text, "utf8")) {
    encoded += keep[byte] === true ? String.fromCharCode(byte) : ESCAPES[byte];
  }
  return encoded;
}

/** A name or value of a form. */
export function formEncoded(text: string): string {
  const encoded = percentEncoded(text, IN_FORM);
  return encoded === text ? text : encoded.replaceAll("%20", "+");
}

const ESCAPES: readonly string[] = Array.from(
  { length: 256 },
  (_, byte) => `%${byte.toString(16).toUpperCase().padStart(2, "0")}`,
);
