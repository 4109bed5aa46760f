// Decides on bytes whether an IP address is a public one that a request may go to.
// It must never answer "public" for anything it does not know: what cannot be parsed is refused.
import { type AddressBlock, blockContains, parseAddress, parseBlock } from "./blocks.ts";

/** The verdict on one address; `range` names the special-purpose block, for logs and tests. */
export type AddressClass = { readonly kind: "public" } | { readonly kind: "refused"; readonly range: string };

interface NamedBlock extends AddressBlock {
  readonly range: string;
}

const PUBLIC: AddressClass = { kind: "public" };

// IANA IPv4 Special-Purpose Address Registry, multicast and class E, and the addresses at which
// clouds answer their guests. Blocks that IANA calls globally reachable (AS112, AMT) are refused too:
// no receiver lives there, and a list without exceptions is easier to trust.
const REFUSED_V4: readonly NamedBlock[] = [
  named("0.0.0.0/8", "unspecified"),
  named("10.0.0.0/8", "private"),
  named("100.64.0.0/10", "carrier-grade-nat"), // holds Alibaba's metadata address 100.100.100.200
  named("127.0.0.0/8", "loopback"),
  named("168.63.129.16/32", "azure-host"), // Azure's wire server: public looking, answers every guest
  named("169.254.0.0/16", "link-local"), // metadata of AWS, GCP, Azure, DigitalOcean, …
  named("172.16.0.0/12", "private"),
  named("192.0.0.0/24", "ietf-protocol"), // holds Oracle's metadata address 192.0.0.192
  named("192.0.2.0/24", "documentation"),
  named("192.31.196.0/24", "as112"),
  named("192.52.193.0/24", "amt"),
  named("192.88.99.0/24", "6to4-relay"),
  named("192.168.0.0/16", "private"),
  named("192.175.48.0/24", "as112"),
  named("198.18.0.0/15", "benchmarking"),
  named("198.51.100.0/24", "documentation"),
  named("203.0.113.0/24", "documentation"),
  named("224.0.0.0/4", "multicast"),
  named("240.0.0.0/4", "reserved"), // with 255.255.255.255
];

// The only space IANA hands out as global unicast, and the parts of it that are something else.
const GLOBAL_V6 = named("2000::/3", "global-unicast");
const REFUSED_V6: readonly NamedBlock[] = [
  named("2001::/32", "teredo"),
  named("2001::/23", "ietf-protocol"),
  named("2001:db8::/32", "documentation"),
  named("2002::/16", "6to4"),
  named("3fff::/20", "documentation"),
];

// IPv6 addresses outside 2000::/3 that carry an IPv4 address. The first two are how the same machine
// is reached, so the inner address decides; the others are obsolete or local and only ever a disguise.
const TRANSPARENT_V6: readonly NamedBlock[] = [
  named("::ffff:0:0/96", "ipv4-mapped"),
  named("64:ff9b::/96", "nat64"), // IPv6-only networks with DNS64 reach every IPv4 receiver so
];
const OTHER_V6: readonly NamedBlock[] = [
  named("::/128", "unspecified"),
  named("::1/128", "loopback"),
  named("::/96", "ipv4-compatible"),
  named("::ffff:0:0:0/96", "ipv4-translated"),
  named("64:ff9b:1::/48", "nat64-local"),
  named("100::/64", "discard"),
  named("100:0:0:1::/64", "dummy"),
  named("5f00::/16", "segment-routing"),
  named("fc00::/7", "unique-local"),
  named("fe80::/10", "link-local"),
  named("fec0::/10", "site-local"),
  named("ff00::/8", "multicast"),
];

/**
 * Classifies one IP address given as text or as 4 or 16 bytes.
 * IPv4 is public unless listed as special; IPv6 is refused unless inside 2000::/3 and not carved out
 * there. Embedded IPv4 addresses (mapped, NAT64, ISATAP) must be public themselves.
 */
export function classifyAddress(address: string | Uint8Array): AddressClass {
  const bytes = typeof address === "string" ? parseAddress(address) : address;
  if (bytes?.length === 4) return classifyV4(bytes);
  if (bytes?.length === 16) return classifyV6(bytes);
  return refused("not-an-address");
}

function classifyV4(bytes: Uint8Array): AddressClass {
  const block = find(REFUSED_V4, bytes);
  return block === undefined ? PUBLIC : refused(block.range);
}

function classifyV6(bytes: Uint8Array): AddressClass {
  if (blockContains(GLOBAL_V6, bytes)) return classifyGlobalV6(bytes);
  const transparent = find(TRANSPARENT_V6, bytes);
  if (transparent !== undefined) return classifyInner(transparent.range, bytes.subarray(12, 16));
  return refused(find(OTHER_V6, bytes)?.range ?? "not-global-unicast");
}

function classifyGlobalV6(bytes: Uint8Array): AddressClass {
  const block = find(REFUSED_V6, bytes);
  if (block !== undefined) return refused(describeTunnel(block.range, bytes));
  if (isIsatap(bytes)) return classifyInner("isatap", bytes.subarray(12, 16));
  return PUBLIC;
}

/** Names what a tunnel address leads to; it is refused either way, no receiver is reached through one. */
function describeTunnel(range: string, bytes: Uint8Array): string {
  const inner =
    range === "6to4"
      ? bytes.subarray(2, 6)
      : range === "teredo"
        ? bytes.subarray(12, 16).map((byte) => byte ^ 0xff) // RFC 4380: the client's address, inverted
        : null;
  const verdict = inner === null ? PUBLIC : classifyV4(inner);
  return verdict.kind === "refused" ? `${range}/${verdict.range}` : range;
}

function classifyInner(range: string, inner: Uint8Array): AddressClass {
  const verdict = classifyV4(inner);
  return verdict.kind === "public" ? verdict : refused(`${range}/${verdict.range}`);
}

/** RFC 5214: the interface identifier is [02]00:5efe followed by the IPv4 address. */
function isIsatap(bytes: Uint8Array): boolean {
  return ((bytes[8] ?? 0) & 0xfc) === 0 && bytes[9] === 0 && bytes[10] === 0x5e && bytes[11] === 0xfe;
}

function find(blocks: readonly NamedBlock[], bytes: Uint8Array): NamedBlock | undefined {
  for (const block of blocks) {
    if (blockContains(block, bytes)) return block;
  }
  return undefined;
}

function refused(range: string): AddressClass {
  return { kind: "refused", range };
}

function named(cidr: string, range: string): NamedBlock {
  const block = parseBlock(cidr);
  if (block === null) throw new Error(`Malformed address block in the classification table: ${cidr}`);
  return { ...block, range };
}
