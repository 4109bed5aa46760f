// What a receiver answered, as text where it is text: an excerpt may end in the middle of a character.
const UTF8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
/** A UTF-8 character has up to four bytes, so at most three are left over. */
const LONGEST_REST = 3;

export interface BodyExcerpt {
  readonly body: string;
  readonly bodyEncoding: "utf8" | "base64";
}

export function bodyExcerpt(bytes: Uint8Array, isTruncated: boolean): BodyExcerpt {
  for (let rest = 0; rest <= (isTruncated ? LONGEST_REST : 0) && rest <= bytes.length; rest += 1) {
    try {
      return { body: UTF8.decode(bytes.subarray(0, bytes.length - rest)), bodyEncoding: "utf8" };
    } catch {
      // Not text up to here; perhaps it is one character shorter.
    }
  }
  return { body: Buffer.from(bytes).toString("base64"), bodyEncoding: "base64" };
}
