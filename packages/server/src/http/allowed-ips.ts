// The IP allow-list that an API key can carry. Fails closed: an entry that cannot be read allows nobody.
import ipaddr from "ipaddr.js";

/** Decides whether an address may use the key. */
export type IpMatcher = (address: string) => boolean;

type Range = readonly [ipaddr.IPv4 | ipaddr.IPv6, number];

/**
 * @param allowed addresses (`203.0.113.7`) and CIDR ranges (`2001:db8::/32`); an empty list allows nobody
 */
export function ipMatcher(allowed: readonly string[]): IpMatcher {
  const ranges = allowed.map(parseRange).filter((range) => range !== null);
  return (text) => {
    if (!ipaddr.isValid(text)) return false;
    // A socket that listens on :: shows IPv4 peers as ::ffff:203.0.113.7.
    const address = ipaddr.process(text);
    return ranges.some(
      ([network, bits]) => address.kind() === network.kind() && address.match([network, bits] as never),
    );
  };
}

function parseRange(text: string): Range | null {
  try {
    if (text.includes("/")) return ipaddr.parseCIDR(text);
    const address = ipaddr.process(text);
    return [address, address.kind() === "ipv4" ? 32 : 128];
  } catch {
    return null;
  }
}
