// A list of addresses and CIDR blocks that somebody allows: of a webhook's receivers, or of an API key's users.
// Must fail closed: an address or entry that cannot be read matches nothing.
import { type AddressBlock, blockContains, parseAddress, parseBlock, unmapAddress } from "./blocks.ts";

/** A list that was read. Two lists with the same text allow the same addresses. */
export interface AddressList {
  readonly text: string;
  readonly blocks: readonly AddressBlock[];
}

/**
 * Reads a list; what cannot be read allows nobody.
 * @param entries `203.0.113.7`, `2001:db8::/32`, `::ffff:203.0.113.7` (the same as without `::ffff:`); null stands for
 *   no list at all
 */
export function parseAddressList(entries: readonly string[] | null): AddressList | null {
  if (entries === null) return null;
  const blocks = entries.map(parseAddressEntry).filter((block) => block !== null);
  return { text: entries.join(", "), blocks };
}

/** One address or block; IPv4-mapped ones become IPv4. Null when it is neither, or has bits beyond its prefix. */
export function parseAddressEntry(entry: string): AddressBlock | null {
  if (entry.includes("/")) {
    const block = parseBlock(entry);
    return block === null ? null : unmapBlock(block);
  }
  const bytes = parseAddress(entry);
  if (bytes === null) return null;
  const plain = unmapAddress(bytes);
  return { bytes: plain, prefixBits: plain.length * 8 };
}

/** True when the list holds the address, in whichever spelling. A zone (`fe80::1%eth0`) is left out of account. */
export function listHolds(list: AddressList, address: string): boolean {
  const zone = address.indexOf("%");
  const bytes = parseAddress(zone === -1 ? address : address.slice(0, zone));
  if (bytes === null) return false;
  const plain = unmapAddress(bytes);
  return list.blocks.some((block) => blockContains(block, plain));
}

/** IPv4-mapped blocks are kept as IPv4, as addresses are unmapped before they are compared. */
export function unmapBlock(block: AddressBlock): AddressBlock {
  const plain = unmapAddress(block.bytes);
  return plain === block.bytes || block.prefixBits < 96 ? block : { bytes: plain, prefixBits: block.prefixBits - 96 };
}
