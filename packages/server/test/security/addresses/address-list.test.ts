// Proves that a list of addresses matches what it says, in any spelling, and nothing when it cannot be read.
import { describe, expect, test } from "vitest";
import { ipMatcher } from "../../../src/http/allowed-ips.ts";
import { listHolds, parseAddressEntry, parseAddressList } from "../../../src/security/addresses/address-list.ts";

const holds = (entries: readonly string[], address: string): boolean => {
  const list = parseAddressList(entries);
  return list !== null && listHolds(list, address);
};

describe("a list of addresses", () => {
  const inside: [string, string][] = [
    ["203.0.113.7", "203.0.113.7"],
    ["203.0.113.0/24", "203.0.113.255"],
    ["203.0.113.0/25", "203.0.113.127"],
    ["0.0.0.0/0", "198.51.100.1"],
    ["2001:db8::/32", "2001:db8:ffff::1"],
    ["2001:db8::1", "2001:0DB8:0:0::0:1"],
    ["::/0", "2606:4700::1111"],
    ["203.0.113.7", "::ffff:203.0.113.7"],
    ["203.0.113.0/24", "::ffff:cb00:7107"],
    ["::ffff:203.0.113.0/120", "203.0.113.9"],
    ["::ffff:203.0.113.7", "203.0.113.7"],
    ["fe80::/10", "fe80::1%eth0"],
  ];
  test.each(inside)("%s holds %s", (entry, address) => expect(holds([entry], address)).toBe(true));

  const outside: [string, string][] = [
    ["203.0.113.7", "203.0.113.8"],
    ["203.0.113.0/25", "203.0.113.128"],
    ["0.0.0.0/0", "2001:db8::1"],
    ["::/0", "203.0.113.7"],
    // ipaddr.js 2.5 takes these two for the IPv4 address inside.
    ["8.8.8.8", "::8.8.8.8"],
    ["::8.8.8.8", "8.8.8.8"],
    ["2001:db8::/32", "2001:db9::"],
    ["203.0.113.7", "not an address"],
    ["203.0.113.7", ""],
  ];
  test.each(outside)("%s does not hold %s", (entry, address) => expect(holds([entry], address)).toBe(false));

  test("of several entries any one counts; an empty list holds nobody; null is no list", () => {
    expect(holds(["198.51.100.1", "2001:db8::/32"], "2001:db8::5")).toBe(true);
    expect(holds([], "203.0.113.7")).toBe(false);
    expect(parseAddressList(null)).toBeNull();
  });

  const malformed = [
    "10.0.0.1/8",
    "10.0.0.0/33",
    "::1/129",
    "10.0.0",
    "127.1",
    "0x7f.0.0.1",
    "010.0.0.1",
    "fe80::1%eth0",
  ];
  test.each([...malformed, "example.com", "*", "", " 10.0.0.1", "10.0.0.0/", "10.0.0.0/8/8"])(
    "%j is no entry, and allows nobody",
    (entry) => {
      expect(parseAddressEntry(entry)).toBeNull();
      expect(holds([entry], "10.0.0.1")).toBe(false);
    },
  );

  test("an API key's list is the same list", () => {
    const matches = ipMatcher(["203.0.113.0/24", "nonsense"]);
    expect([matches("::ffff:203.0.113.9"), matches("203.0.114.9"), matches("nonsense")]).toEqual([true, false, false]);
  });
});
