// The IP allow-list that an API key can carry. Fails closed: an entry that cannot be read allows nobody.
import { listHolds, parseAddressList } from "../security/addresses/address-list.ts";

/** Decides whether an address may use the key. */
export type IpMatcher = (address: string) => boolean;

/**
 * @param allowed addresses (`203.0.113.7`) and CIDR ranges (`2001:db8::/32`); an empty list allows nobody. A socket that
 *   listens on :: shows IPv4 peers as ::ffff:203.0.113.7, which is the same address here
 */
export function ipMatcher(allowed: readonly string[]): IpMatcher {
  const list = parseAddressList(allowed);
  return (address) => list !== null && listHolds(list, address);
}
