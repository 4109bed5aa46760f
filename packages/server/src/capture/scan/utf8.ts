// Tells whether a slice is well-formed UTF-8, and if not, where it stops being so.
// Never decodes: Buffer.toString would quietly put U+FFFD in place of what the sender got wrong.
import { isUtf8 } from "node:buffer";

/**
 * Offset of the first byte that no well-formed UTF-8 text could have there, `end` if the text breaks off inside a
 * character, or -1 if all is well (RFC 3629, section 4; Unicode table 3-7).
 */
export function firstInvalidUtf8(bytes: Buffer, start: number, end: number): number {
  const slice = start === 0 && end === bytes.length ? bytes : bytes.subarray(start, end);
  // The native check is vectorised (over 10 GB/s); only a text that fails it is looked at byte by byte.
  return isUtf8(slice) ? -1 : start + firstInvalidIn(slice);
}

function firstInvalidIn(slice: Buffer): number {
  let position = 0;
  while (position < slice.length) {
    const lead = slice[position] as number;
    const length = sequenceLength(lead);
    if (length === 0) return position;
    for (let offset = 1; offset < length; offset++) {
      const byte = slice[position + offset];
      if (byte === undefined) return slice.length;
      if (!mayFollow(lead, offset, byte)) return position + offset;
    }
    position += length;
  }
  return position;
}

function sequenceLength(lead: number): number {
  if (lead < 0x80) return 1;
  if (lead < 0xc2) return 0; // A continuation byte, or the lead of an overlong form of two bytes.
  if (lead < 0xe0) return 2;
  if (lead < 0xf0) return 3;
  return lead < 0xf5 ? 4 : 0;
}

function mayFollow(lead: number, offset: number, byte: number): boolean {
  if (byte < 0x80 || byte > 0xbf) return false;
  if (offset > 1) return true;
  if (lead === 0xe0) return byte >= 0xa0; // Overlong below.
  if (lead === 0xed) return byte <= 0x9f; // Surrogates above.
  if (lead === 0xf0) return byte >= 0x90; // Overlong below.
  return lead !== 0xf4 || byte <= 0x8f; // Above U+10FFFF.
}
