// Addresses and address blocks as bytes: the one parser that every address rule stands on.
// It must never guess: what is not a plain dotted-quad or RFC 4291 text is no address at all.
import { isIP } from "node:net";

/** A CIDR block: 4 or 16 bytes of network and how many leading bits count. */
export interface AddressBlock {
  readonly bytes: Uint8Array;
  readonly prefixBits: number;
}

/**
 * The bytes of an IP address (4 or 16), or null when the text is not exactly one: `isIP` refuses
 * `127.1`, octal and hexadecimal spellings. Zone ids (`fe80::1%eth0`) are refused here, they only mean
 * something on one machine. Own code because ipaddr.js 2.5.0 reads the IPv4-compatible `::8.8.8.8` as
 * the IPv4-mapped `::ffff:8.8.8.8`: it would classify another address than the kernel dials.
 */
export function parseAddress(text: string): Uint8Array | null {
  if (text.includes("%")) return null;
  const family = isIP(text);
  if (family === 4) return Uint8Array.from(text.split("."), Number);
  return family === 6 ? parseV6(text) : null;
}

/** `text` is known to be valid: at most one `::`, groups of up to four hex digits, IPv4 only at the end. */
function parseV6(text: string): Uint8Array {
  const [before = "", after] = text.split("::");
  const head = groupBytes(before);
  const tail = groupBytes(after ?? "");
  const bytes = new Uint8Array(16);
  bytes.set(head, 0);
  bytes.set(tail, 16 - tail.length);
  return bytes;
}

function groupBytes(groups: string): number[] {
  if (groups === "") return [];
  return groups.split(":").flatMap((group) => {
    if (group.includes(".")) return group.split(".").map(Number);
    const value = Number.parseInt(group, 16);
    return [value >> 8, value & 0xff];
  });
}

/** Reads `10.0.0.0/8` or `fd00::/8`; null when malformed or when bits are set outside the prefix. */
export function parseBlock(text: string): AddressBlock | null {
  const slash = text.indexOf("/");
  if (slash === -1) return null;
  const bytes = parseAddress(text.slice(0, slash));
  const bitsText = text.slice(slash + 1);
  if (bytes === null || !/^\d{1,3}$/.test(bitsText)) return null;
  const prefixBits = Number(bitsText);
  if (prefixBits > bytes.length * 8) return null;
  const block = { bytes, prefixBits };
  return hasHostBits(block) ? null : block;
}

/** True when the address is of the same family and shares the block's leading bits. */
export function blockContains(block: AddressBlock, address: Uint8Array): boolean {
  if (block.bytes.length !== address.length) return false;
  const wholeBytes = block.prefixBits >> 3;
  for (let i = 0; i < wholeBytes; i++) {
    if (block.bytes[i] !== address[i]) return false;
  }
  const restBits = block.prefixBits & 7;
  if (restBits === 0) return true;
  const mask = (0xff << (8 - restBits)) & 0xff;
  return ((block.bytes[wholeBytes] ?? 0) & mask) === ((address[wholeBytes] ?? 0) & mask);
}

/** The IPv4 bytes inside an IPv4-mapped address (::ffff:a.b.c.d), or the address itself. */
export function unmapAddress(address: Uint8Array): Uint8Array {
  return address.length === 16 && blockContains(MAPPED, address) ? address.subarray(12, 16) : address;
}

const MAPPED: AddressBlock = {
  bytes: Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 0, 0),
  prefixBits: 96,
};

function hasHostBits(block: AddressBlock): boolean {
  const { bytes, prefixBits } = block;
  for (let bit = prefixBits; bit < bytes.length * 8; bit++) {
    if (((bytes[bit >> 3] ?? 0) >> (7 - (bit & 7))) & 1) return true;
  }
  return false;
}
