// The address classifier against the special-purpose registries, in every spelling an attacker may choose.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseAddress, parseBlock } from "../../../src/security/addresses/blocks.ts";
import { classifyAddress } from "../../../src/security/addresses/classify.ts";

const SPECIAL_V4: readonly [string, string, string][] = [
  ["0.0.0.0", "0.255.255.255", "unspecified"],
  ["10.0.0.0", "10.255.255.255", "private"],
  ["100.64.0.0", "100.127.255.255", "carrier-grade-nat"],
  ["127.0.0.0", "127.255.255.255", "loopback"],
  ["168.63.129.16", "168.63.129.16", "azure-host"],
  ["169.254.0.0", "169.254.255.255", "link-local"],
  ["172.16.0.0", "172.31.255.255", "private"],
  ["192.0.0.0", "192.0.0.255", "ietf-protocol"],
  ["192.0.2.0", "192.0.2.255", "documentation"],
  ["192.31.196.0", "192.31.196.255", "as112"],
  ["192.52.193.0", "192.52.193.255", "amt"],
  ["192.88.99.0", "192.88.99.255", "6to4-relay"],
  ["192.168.0.0", "192.168.255.255", "private"],
  ["192.175.48.0", "192.175.48.255", "as112"],
  ["198.18.0.0", "198.19.255.255", "benchmarking"],
  ["198.51.100.0", "198.51.100.255", "documentation"],
  ["203.0.113.0", "203.0.113.255", "documentation"],
  ["224.0.0.0", "239.255.255.255", "multicast"],
  ["240.0.0.0", "255.255.255.255", "reserved"],
];

function toNumber(address: string): number {
  return address.split(".").reduce((sum, part) => sum * 256 + Number(part), 0);
}

function toText(value: number): string {
  return [24, 16, 8, 0].map((shift) => (value >>> shift) & 255).join(".");
}

function isSpecial(value: number): boolean {
  return SPECIAL_V4.some(([first, last]) => value >= toNumber(first) && value <= toNumber(last));
}

function hexPair(value: number): string {
  return `${(value >>> 16).toString(16)}:${(value & 0xffff).toString(16)}`;
}

describe("IPv4", () => {
  test.each(SPECIAL_V4)("%s to %s is refused as %s", (first, last, range) => {
    expect(classifyAddress(first)).toEqual({ kind: "refused", range });
    expect(classifyAddress(last)).toEqual({ kind: "refused", range });
  });

  test("the neighbours of every refused block are public unless they belong to another one", () => {
    for (const [first, last] of SPECIAL_V4) {
      for (const neighbour of [toNumber(first) - 1, toNumber(last) + 1]) {
        if (neighbour < 0 || neighbour > 0xffffffff || isSpecial(neighbour)) continue;
        expect(classifyAddress(toText(neighbour)), toText(neighbour)).toEqual({ kind: "public" });
      }
    }
  });

  test.each(["1.1.1.1", "8.8.8.8", "100.63.255.254", "100.128.0.1", "172.32.0.1", "192.0.1.1", "168.63.129.17"])(
    "%s is public",
    (address) => {
      expect(classifyAddress(address)).toEqual({ kind: "public" });
    },
  );

  test("any address is public exactly when no special block holds it", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 0xffffffff }), (value) => {
        expect(classifyAddress(toText(value)).kind).toBe(isSpecial(value) ? "refused" : "public");
      }),
    );
  });
});

describe("IPv6", () => {
  test.each([
    ["::", "unspecified"],
    ["::1", "loopback"],
    ["0:0:0:0:0:0:0:1", "loopback"],
    ["fe80::1", "link-local"],
    ["fec0::1", "site-local"],
    ["fc00::1", "unique-local"],
    ["fd00:ec2::254", "unique-local"],
    ["fd20:ce::254", "unique-local"],
    ["ff02::1", "multicast"],
    ["100::1", "discard"],
    ["100:0:0:1::1", "dummy"],
    ["5f00::1", "segment-routing"],
    ["2001:db8::1", "documentation"],
    ["3fff::1", "documentation"],
    ["2001:2::1", "ietf-protocol"],
    ["2001:20::1", "ietf-protocol"],
    ["2001:1ff:ffff::1", "ietf-protocol"],
    ["1::1", "not-global-unicast"],
    ["4000::1", "not-global-unicast"],
    ["::127.0.0.1", "ipv4-compatible"],
    ["::7f00:1", "ipv4-compatible"],
    ["::a9fe:a9fe", "ipv4-compatible"],
    ["::8.8.8.8", "ipv4-compatible"],
    ["::ffff:0:7f00:1", "ipv4-translated"],
    ["::ffff:0:808:808", "ipv4-translated"],
    ["::ffff:127.0.0.1", "ipv4-mapped/loopback"],
    ["::ffff:7f00:1", "ipv4-mapped/loopback"],
    ["::ffff:a9fe:a9fe", "ipv4-mapped/link-local"],
    ["64:ff9b::7f00:1", "nat64/loopback"],
    ["64:ff9b::10.0.0.1", "nat64/private"],
    ["64:ff9b:1::a9fe:a9fe", "nat64-local"],
    ["64:ff9b:1::808:808", "nat64-local"],
    ["2002:a9fe:a9fe::1", "6to4/link-local"],
    ["2002:7f00:1::", "6to4/loopback"],
    ["2002:808:808::1", "6to4"],
    ["2001:0:4136:e378:8000:63bf:5601:5601", "teredo/link-local"],
    ["2001:0:4136:e378:8000:63bf:f7f7:f7f7", "teredo"],
    ["2606:4700::5efe:a00:1", "isatap/private"],
    ["2606:4700::200:5efe:127.0.0.1", "isatap/loopback"],
  ])("%s is refused as %s", (address, range) => {
    expect(classifyAddress(address)).toEqual({ kind: "refused", range });
  });

  test.each([
    "2606:4700:4700::1111",
    "2001:4860:4860::8888",
    "2001:200::1",
    "2a00:1450::1",
    "3ffe::1",
    "2003::1",
    "64:ff9b::808:808",
    "::ffff:8.8.8.8",
    "2606:4700::5efe:808:808",
  ])("%s is public", (address) => {
    expect(classifyAddress(address)).toEqual({ kind: "public" });
  });

  test("no special IPv4 address becomes public inside any embedding", () => {
    const special = fc
      .constantFrom(...SPECIAL_V4)
      .chain(([first, last]) => fc.integer({ min: toNumber(first), max: toNumber(last) }));
    const embed = fc.constantFrom<(value: number) => string>(
      (v) => `::${hexPair(v)}`,
      (v) => `::ffff:${hexPair(v)}`,
      (v) => `::ffff:0:${hexPair(v)}`,
      (v) => `64:ff9b::${hexPair(v)}`,
      (v) => `64:ff9b:1::${hexPair(v)}`,
      (v) => `2002:${hexPair(v)}::1`,
      (v) => `2001:0:1:1:0:1:${hexPair(~v >>> 0)}`,
      (v) => `2a00:1450::5efe:${hexPair(v)}`,
    );
    fc.assert(
      fc.property(special, embed, (value, spell) => {
        expect(classifyAddress(spell(value)).kind, spell(value)).toBe("refused");
      }),
    );
  });

  test("outside 2000::/3 only mapped and NAT64 addresses can be public", () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 16, maxLength: 16 }), (bytes) => {
        if (((bytes[0] ?? 0) & 0xe0) === 0x20) return;
        expect(classifyAddress(bytes).kind).toBe("refused");
      }),
    );
  });
});

describe("what is not an address", () => {
  test.each([
    "",
    "localhost",
    "127.1",
    "0x7f000001",
    "2130706433",
    "0177.0.0.1",
    "1.2.3.4.5",
    "1.2.3",
    "[::1]",
    "fe80::1%eth0",
    "1.1.1.1 ",
    "::1::",
    "١.١.١.١",
  ])("%j is refused", (text) => {
    expect(classifyAddress(text)).toEqual({ kind: "refused", range: "not-an-address" });
  });

  test("bytes of any other length are refused", () => {
    expect(classifyAddress(new Uint8Array(0)).kind).toBe("refused");
    expect(classifyAddress(Uint8Array.of(8, 8, 8)).kind).toBe("refused");
    expect(classifyAddress(new Uint8Array(17).fill(0x20)).kind).toBe("refused");
  });
});

describe("blocks", () => {
  test("an address has one set of bytes however it is written", () => {
    expect(parseAddress("::ffff:1.2.3.4")).toEqual(parseAddress("0:0:0:0:0:FFFF:0102:0304"));
  });

  test("the bytes are those that the platform's own URL parser sees", () => {
    const group = fc.integer({ min: 0, max: 0xffff }).map((value) => value.toString(16));
    const text = fc.oneof(
      fc.ipV6(),
      fc.tuple(fc.constantFrom("::", "::ffff:", "64:ff9b::", "1:2:3:4:5:6:"), fc.ipV4()).map((parts) => parts.join("")),
      fc.array(group, { minLength: 8, maxLength: 8 }).map((groups) => groups.join(":")),
    );
    fc.assert(
      fc.property(text, (address) => {
        const canonical = new URL(`http://[${address}]/`).hostname.slice(1, -1);
        expect(parseAddress(address), address).toEqual(parseAddress(canonical));
        const bytes = [...(parseAddress(address) ?? [])];
        const groups = bytes.flatMap((byte, i) =>
          i % 2 === 0 ? [(byte * 256 + (bytes[i + 1] ?? 0)).toString(16)] : [],
        );
        expect(new URL(`http://[${groups.join(":")}]/`).hostname.slice(1, -1)).toBe(canonical);
      }),
    );
  });

  test.each([
    "10.0.0.1/8",
    "10.0.0.0/33",
    "10.0.0.0/",
    "10.0.0.0/-1",
    "10.0.0.0/8/8",
    "fd00::1/8",
    "fd00::/129",
    "x/8",
  ])("%s is not a block", (text) => {
    expect(parseBlock(text)).toBeNull();
  });
});
