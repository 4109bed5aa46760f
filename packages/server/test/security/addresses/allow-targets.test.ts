// POSTHORN_ALLOW_TARGETS: what its entries mean, and that nothing else is let through.
import { describe, expect, test } from "vitest";
import {
  type AllowTargets,
  allowsAddress,
  allowsName,
  NO_ALLOWED_TARGETS,
  parseAllowTargets,
} from "../../../src/security/addresses/allow-targets.ts";

function parse(text: string): AllowTargets {
  const parsed = parseAllowTargets(text);
  if (!parsed.ok) throw new Error(parsed.error);
  return parsed.targets;
}

test("an empty list allows nothing, not even loopback", () => {
  for (const targets of [NO_ALLOWED_TARGETS, parse(""), parse(" , ,")]) {
    expect(allowsAddress(targets, "127.0.0.1", 80)).toBe(false);
    expect(allowsName(targets, "localhost", 80)).toBe(false);
  }
});

describe("names", () => {
  test("host:port lets that name through at that port only", () => {
    const targets = parse("localhost:9000, ERP.Internal:8080");
    expect(allowsName(targets, "localhost", 9000)).toBe(true);
    expect(allowsName(targets, "erp.internal", 8080)).toBe(true);
    expect(allowsName(targets, "localhost", 9001)).toBe(false);
    expect(allowsName(targets, "sub.localhost", 9000)).toBe(false);
  });

  test("a name lets no address through", () => {
    expect(allowsAddress(parse("localhost:9000"), "127.0.0.1", 9000)).toBe(false);
  });
});

describe("addresses", () => {
  test("an address without a port is let through at any port", () => {
    const targets = parse("127.0.0.1,::1");
    expect(allowsAddress(targets, "127.0.0.1", 1)).toBe(true);
    expect(allowsAddress(targets, "::1", 65_535)).toBe(true);
    expect(allowsAddress(targets, "127.0.0.2", 1)).toBe(false);
  });

  test("an address with a port is let through at that port only", () => {
    const targets = parse("127.0.0.1:9000,[::1]:9000");
    expect(allowsAddress(targets, "127.0.0.1", 9000)).toBe(true);
    expect(allowsAddress(targets, "::1", 9000)).toBe(true);
    expect(allowsAddress(targets, "127.0.0.1", 9001)).toBe(false);
    expect(allowsAddress(targets, "::1", 9001)).toBe(false);
  });

  test("a block lets its addresses through and no others", () => {
    const targets = parse("10.1.0.0/16, fd12:3456::/32, 192.168.1.128/25");
    expect(allowsAddress(targets, "10.1.255.255", 443)).toBe(true);
    expect(allowsAddress(targets, "10.2.0.0", 443)).toBe(false);
    expect(allowsAddress(targets, "192.168.1.128", 443)).toBe(true);
    expect(allowsAddress(targets, "192.168.1.127", 443)).toBe(false);
    expect(allowsAddress(targets, "fd12:3456:ffff::1", 443)).toBe(true);
    expect(allowsAddress(targets, "fd12:3457::1", 443)).toBe(false);
  });

  test("an IPv4 entry covers the IPv4-mapped spelling, and the other way round, but no other embedding", () => {
    expect(allowsAddress(parse("10.0.0.1"), "::ffff:10.0.0.1", 443)).toBe(true);
    expect(allowsAddress(parse("::ffff:10.0.0.1"), "10.0.0.1", 443)).toBe(true);
    expect(allowsAddress(parse("10.0.0.1"), "::10.0.0.1", 443)).toBe(false);
    expect(allowsAddress(parse("10.0.0.1"), "64:ff9b::10.0.0.1", 443)).toBe(false);
  });
});

test("lists that allow the same have the same text", () => {
  expect(parse("b:2, a:1 ,b:2").text).toBe(parse("A:1,b:2").text);
});

describe("entries that are refused say how to write them", () => {
  test.each([
    ["localhost", "has no port. Write a name as host:port"],
    ["localhost:", "does not end in a port"],
    ["localhost:0", "does not end in a port"],
    ["localhost:65536", "does not end in a port"],
    ["localhost:080", "does not end in a port"],
    ["*.example.com:443", "has a wildcard"],
    ["http://localhost:9000", "without a scheme"],
    ["10.0.0.1/8", "is not a CIDR block"],
    ["10.0.0.0/8:443", "is not a CIDR block"],
    ["fd00::1.2.3:80", "is not a host:port"],
    ["127.1:80", "is not a host:port"],
    ["0x7f.1:80", "is not a host:port"],
    ["2130706433:80", "is not a host:port"],
    ["[localhost]:80", "is not a host:port"],
    ["a b:80", "is not a host:port"],
    ["-x.example:80", "is not a host:port"],
  ])("%s", (entry, message) => {
    const parsed = parseAllowTargets(`10.0.0.0/8,${entry}`);
    expect(parsed.ok).toBe(false);
    if (parsed.ok) return;
    expect(parsed.error).toContain(message);
    expect(parsed.error).toContain(`"${entry}"`);
  });
});
