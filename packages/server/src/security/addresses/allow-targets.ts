// POSTHORN_ALLOW_TARGETS: the operator's list of targets that the address guard lets through.
// It must stay exact: no wildcards, nothing implied, and empty means that even loopback is refused.
import { unmapBlock } from "./address-list.ts";
import { type AddressBlock, blockContains, parseAddress, parseBlock, unmapAddress } from "./blocks.ts";

/** The parsed list. `text` is its normal form; two lists with the same text allow the same targets. */
export interface AllowTargets {
  readonly text: string;
  /** `host:port` entries, lower case; such a name is resolved by the system resolver. */
  readonly names: ReadonlySet<string>;
  readonly blocks: readonly AllowedBlock[];
}

/** Addresses let through; `port` null means any port. */
export interface AllowedBlock extends AddressBlock {
  readonly port: number | null;
}

export type ParsedAllowTargets =
  | { readonly ok: true; readonly targets: AllowTargets }
  | { readonly ok: false; readonly error: string };

/** Nothing is allowed beyond public addresses over https. */
export const NO_ALLOWED_TARGETS: AllowTargets = { text: "", names: new Set(), blocks: [] };

const HOST_NAME = /^(?=.{1,253}$)[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)*$/;

/**
 * Reads a comma list of `host:port`, IP, `IP:port`, `[IPv6]:port` and CIDR entries; blanks around
 * entries and empty entries are ignored. The error names the entry and says how to write it.
 */
export function parseAllowTargets(text: string): ParsedAllowTargets {
  const names = new Set<string>();
  const blocks: AllowedBlock[] = [];
  const entries: string[] = [];
  for (const raw of text.split(",")) {
    const entry = raw.trim().toLowerCase();
    if (entry === "") continue;
    const parsed = parseEntry(entry);
    if (typeof parsed === "string") return { ok: false, error: `POSTHORN_ALLOW_TARGETS: "${raw.trim()}" ${parsed}` };
    if ("name" in parsed) names.add(parsed.name);
    else blocks.push(parsed);
    entries.push(entry);
  }
  return { ok: true, targets: { text: [...new Set(entries)].sort().join(","), names, blocks } };
}

/** True when a `host:port` entry names exactly this host and port. */
export function allowsName(targets: AllowTargets, hostname: string, port: number): boolean {
  return targets.names.size > 0 && targets.names.has(`${hostname}:${port}`);
}

/** True when an IP or CIDR entry covers this address at this port, also in its IPv4-mapped spelling. */
export function allowsAddress(targets: AllowTargets, address: string | Uint8Array, port: number): boolean {
  if (targets.blocks.length === 0) return false;
  const bytes = typeof address === "string" ? parseAddress(address) : address;
  if (bytes === null) return false;
  const plain = unmapAddress(bytes);
  return targets.blocks.some((block) => (block.port === null || block.port === port) && blockContains(block, plain));
}

/** The entry as a name or block, or the end of a sentence that says what is wrong with it. */
function parseEntry(entry: string): { name: string } | AllowedBlock | string {
  if (entry.includes("/")) return parseCidrEntry(entry);
  const whole = parseAddress(entry);
  if (whole !== null) return addressBlock(whole, null);
  const colon = entry.lastIndexOf(":");
  if (colon === -1) return "has no port. Write a name as host:port, for example localhost:9000.";
  const host = entry.slice(0, colon);
  const port = parsePort(entry.slice(colon + 1));
  if (port === null) return "does not end in a port between 1 and 65535.";
  const address = parseAddress(host.startsWith("[") && host.endsWith("]") ? host.slice(1, -1) : host);
  if (address !== null) return parseAddressEntry(address, host, port);
  if (host.includes("*")) return "has a wildcard. Name each host, or give its addresses as a CIDR block.";
  // A name whose last label is a number would be read as an IPv4 address by every URL parser.
  if (!HOST_NAME.test(host) || /(^|\.)(\d+|0x[0-9a-f]*)$/.test(host))
    return "is not a host:port, an IP address or a CIDR block.";
  return { name: `${host}:${port}` };
}

function parseCidrEntry(entry: string): AllowedBlock | string {
  const block = parseBlock(entry);
  if (block === null) {
    return "is not a CIDR block. Write the network address and its length, for example 10.0.0.0/8, without a scheme or port.";
  }
  return { ...unmapBlock(block), port: null };
}

function parseAddressEntry(address: Uint8Array, host: string, port: number): AllowedBlock | string {
  if (address.length === 16 && !host.startsWith("[")) return "needs brackets around the IPv6 address: [address]:port.";
  return addressBlock(address, port);
}

function addressBlock(bytes: Uint8Array, port: number | null): AllowedBlock {
  return { ...unmapBlock({ bytes, prefixBits: bytes.length * 8 }), port };
}

function parsePort(text: string): number | null {
  if (!/^[1-9]\d{0,4}$/.test(text)) return null;
  const port = Number(text);
  return port <= 65_535 ? port : null;
}
