// The URL check against the known ways of hiding an internal target, and the targets that must pass.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  type AllowTargets,
  NO_ALLOWED_TARGETS,
  parseAllowTargets,
} from "../../../src/security/addresses/allow-targets.ts";
import { classifyAddress } from "../../../src/security/addresses/classify.ts";
import { checkUrl } from "../../../src/security/outbound/check-url.ts";

function allow(text: string): AllowTargets {
  const parsed = parseAllowTargets(text);
  if (!parsed.ok) throw new Error(parsed.error);
  return parsed.targets;
}

function codeOf(url: string, allowTargets: AllowTargets = NO_ALLOWED_TARGETS): string {
  const check = checkUrl(url, allowTargets);
  return check.ok ? "ok" : check.code;
}

function words(text: string): readonly string[] {
  return text.trim().split(/\s+/);
}

/** Hosts that are, once parsed, an address or name of an internal network. */
const INTERNAL_HOSTS: Readonly<Record<string, readonly string[]>> = {
  loopback: words(`
    127.0.0.1 127.0.1 127.1 127.255.255.255 127.0.0.1. 0x7f000001 0x7f.1 0X7F.0.0.1 017700000001
    00000177.0.0.1 0177.0.0.01 2130706433 127.0x1 127.000.000.001 ①②⑦.⓪.⓪.① １２７.0.0.1 127。0。0。1 127．0．0．1
    %31%32%37.0.0.1 127.0.0.%31
  `),
  unspecified: ["0", "0.0.0.0", "000000000000", "0x0", "0.1.2.3", "[::]", "[0:0:0:0:0:0:0:0]"],
  "IPv6 embeddings": words(`
    [::1] [0:0:0:0:0:0:0:1] [0000::0001] [::ffff:7f00:1] [::ffff:127.0.0.1] [::127.0.0.1] [::7f00:1]
    [64:ff9b::7f00:1] [64:ff9b::127.0.0.1] [64:ff9b:1::a9fe:a9fe] [2002:a9fe:a9fe::1] [2002:7f00:1::]
    [::ffff:a9fe:a9fe] [::ffff:0:7f00:1] [2001:0:4136:e378:8000:63bf:80ff:fffe] [2606:4700::5efe:7f00:1]
    [2001:db8::5efe:10.0.0.1]
  `),
  "IPv6 scopes": words(`
    [fe80::1] [fec0::1] [fc00::1] [fd00:ec2::254] [ff02::1] [2001:db8::1] [3fff::1] [5f00::1] [100::1]
    [4000::1] [2001:2::1] [2001:20::1]
  `),
  metadata: words(`
    169.254.169.254 2852039166 0xA9.0xFE.0xA9.0xFE 0251.254.169.254 0xA9FEA9FE 169.254.43518 025177524776
    metadata metadata.google.internal 100.100.100.200 168.63.129.16 192.0.0.192 instance-data.ec2.internal
    169.254.170.2
  `),
  "private and reserved": words(`
    10.0.0.1 10.255.255.255 172.16.0.1 172.31.255.255 192.168.0.1 100.64.0.1 198.18.0.1 198.51.100.1
    203.0.113.1 192.0.2.1 192.88.99.1 224.0.0.1 239.255.255.250 240.0.0.1 255.255.255.255 167772161
    0xc0a80001
  `),
  names: words(`
    localhost LOCALHOST localhost. a.localhost localhost.localdomain kubernetes.default.svc
    api.default.svc.cluster.local postgres printer.local nas.home.arpa erp.internal wiki.corp router.lan
    vault.service.consul intranet host.docker.internal x.onion 1.0.0.127.in-addr.arpa example.com. ⓛocalhost
    loc%61lhost ｌｏｃａｌｈｏｓｔ
  `),
};

describe("internal targets", () => {
  for (const [family, hosts] of Object.entries(INTERNAL_HOSTS)) {
    test.each(hosts)(`${family}: %s is refused over https and http`, (host) => {
      expect(codeOf(`https://${host}/`)).toMatch(/^URL_(ADDRESS|HOST|INVALID)$/);
      expect(codeOf(`http://${host}/`)).toMatch(/^URL_(ADDRESS|HOST|INVALID)$/);
      expect(codeOf(`https://${host}:8443/latest/meta-data/?x=1`)).toMatch(/^URL_(ADDRESS|HOST|INVALID)$/);
    });
  }

  test("no IPv4 address that is not public passes in any spelling", () => {
    const spell = fc.constantFrom<(n: number) => string>(
      (n) => String(n),
      (n) => `0x${n.toString(16)}`,
      (n) => `0${n.toString(8)}`,
      (n) => [24, 16, 8, 0].map((s) => (n >>> s) & 255).join("."),
      (n) => [24, 16, 8, 0].map((s) => `0${((n >>> s) & 255).toString(8)}`).join("."),
      (n) => `0x${(n >>> 24).toString(16)}.${n & 0xffffff}`,
      (n) => `[::ffff:${(n >>> 16).toString(16)}:${(n & 0xffff).toString(16)}]`,
    );
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 0xffffffff }), spell, (value, write) => {
        const bytes = Uint8Array.of(value >>> 24, (value >>> 16) & 255, (value >>> 8) & 255, value & 255);
        const expected = classifyAddress(bytes).kind === "public" ? "ok" : "URL_ADDRESS";
        expect(codeOf(`https://${write(value)}/`), write(value)).toBe(expected);
      }),
    );
  });
});

describe("malformed and deceptive URLs", () => {
  test.each([
    ["", "URL_INVALID"],
    ["example.com", "URL_INVALID"],
    ["//127.0.0.1/", "URL_INVALID"],
    ["/hook", "URL_INVALID"],
    ["https:example.com", "URL_INVALID"],
    ["http:127.0.0.1/", "URL_INVALID"],
    ["https:/example.com", "URL_INVALID"],
    ["https:///example.com", "URL_INVALID"],
    ["https:////127.0.0.1/", "URL_INVALID"],
    ["https://", "URL_INVALID"],
    ["https://?x", "URL_INVALID"],
    ["https://0o177.0.0.1/", "URL_INVALID"],
    ["https://[fe80::1%25eth0]/", "URL_INVALID"],
    ["https://7147006462/", "URL_INVALID"],
    ["https://256.1.1.1/", "URL_INVALID"],
    ["https://1.2.3.4.5/", "URL_INVALID"],
    ["https://[::1", "URL_INVALID"],
    ["https://[::1]x/", "URL_INVALID"],
    ["https://exa%00mple.com/", "URL_INVALID"],
    ["https://example.com%40127.0.0.1/", "URL_INVALID"],
    ["https://example.com:99999/", "URL_INVALID"],
    ["https://example.com:port/", "URL_INVALID"],
    ["https://user:pass@127.0.0.1/", "URL_USERINFO"],
    ["https://user@example.com/", "URL_USERINFO"],
    ["https://@example.com/", "URL_USERINFO"],
    ["https://:@example.com/", "URL_USERINFO"],
    ["https://example.com@127.0.0.1/", "URL_USERINFO"],
    ["https://127.0.0.1#@example.com/", "URL_FRAGMENT"],
    ["https://example.com/#", "URL_FRAGMENT"],
    ["https://example.com/#x", "URL_FRAGMENT"],
    ["https://example.com\\@127.0.0.1/", "URL_CHARACTER"],
    ["https:\\\\127.0.0.1\\", "URL_CHARACTER"],
    ["https://1.1.1.1 &@2.2.2.2# @3.3.3.3/", "URL_CHARACTER"],
    ["https://127.0.\n0.1/", "URL_CHARACTER"],
    ["https://127.0.0.1\r\nX: y/", "URL_CHARACTER"],
    ["https://example.com/\t", "URL_CHARACTER"],
    [" https://example.com/", "URL_CHARACTER"],
    ["https://example.com/\u0000", "URL_CHARACTER"],
    ["https://example.com/\u007f", "URL_CHARACTER"],
    ["https://example.com/\u2028", "URL_CHARACTER"],
    ["\ufeffhttps://example.com/", "URL_CHARACTER"],
    ["file:///etc/passwd", "URL_INVALID"],
    ["file://host/etc/passwd", "URL_SCHEME"],
    ["gopher://127.0.0.1:6379/_FLUSHALL", "URL_SCHEME"],
    ["ldap://127.0.0.1/", "URL_SCHEME"],
    ["ftp://example.com/", "URL_SCHEME"],
    ["ws://example.com/", "URL_SCHEME"],
    ["dict://127.0.0.1:11211/stat", "URL_SCHEME"],
    ["data:text/plain,hi", "URL_INVALID"],
    ["javascript:alert(1)", "URL_INVALID"],
    ["blob:http://127.0.0.1/x", "URL_INVALID"],
    ["unix:/var/run/docker.sock", "URL_INVALID"],
    ["http://unix:/var/run/docker.sock:/info", "URL_HOST"],
    ["https://exa_mple..com/", "URL_HOST"],
    ["https://-example.com/", "URL_HOST"],
    ["https://example-.com/", "URL_HOST"],
    ["https://exa!mple.com/", "URL_HOST"],
    [`https://${"a".repeat(64)}.example.com/`, "URL_HOST"],
    [`https://example.com/${"a".repeat(2030)}`, "URL_TOO_LONG"],
    ["http://example.com/", "URL_SCHEME"],
    ["http://8.8.8.8/", "URL_SCHEME"],
    ["https://example.com:0/", "URL_PORT"],
    ["https://example.com:22/", "URL_PORT"],
    ["https://example.com:25/", "URL_PORT"],
    ["https://example.com:80/", "URL_PORT"],
    ["https://example.com:1023/", "URL_PORT"],
    ["https://example.com:5432/", "URL_PORT"],
    ["https://example.com:6379/", "URL_PORT"],
    ["https://example.com:2375/", "URL_PORT"],
    ["https://8.8.8.8:11211/", "URL_PORT"],
    ["https://127.0.0.1:22/", "URL_ADDRESS"],
  ])("%j is refused as %s", (url, code) => {
    expect(codeOf(url)).toBe(code);
  });
});

describe("targets that must pass", () => {
  test.each([
    "https://example.com",
    "https://example.com/",
    "HTTPS://Example.COM/Hook",
    "https://hooks.example.com:8443/in?a=1&b=%20",
    "https://example.com:1024/",
    "https://example.com:3000/",
    "https://bücher.example/",
    "https://a_b.example.com/",
    "https://127.0.0.1.nip.io/", // only its DNS answer gives it away
    "https://local.example.com/",
    "https://mylocalhost.com/",
    "https://1.1.1.1/",
    "https://8.8.8.8/",
    "https://134744072/",
    "https://100.63.255.254/",
    "https://100.128.0.1/",
    "https://172.32.0.1/",
    "https://192.0.1.1/",
    "https://[2606:4700:4700::1111]/",
    "https://[2001:4860:4860::8888]/",
  ])("%s", (url) => {
    expect(codeOf(url)).toBe("ok");
  });

  test("the parts are those that will be dialled and written", () => {
    expect(checkUrl("https://Hooks.Example.com:8443/a b".replace(" ", "%20"), NO_ALLOWED_TARGETS)).toEqual({
      ok: true,
      url: {
        href: "https://hooks.example.com:8443/a%20b",
        origin: "https://hooks.example.com:8443",
        protocol: "https:",
        hostname: "hooks.example.com",
        port: 8443,
        path: "/a%20b",
        resolution: "guarded",
      },
    });
    expect(checkUrl("https://[2606:4700::1]?q", NO_ALLOWED_TARGETS)).toMatchObject({
      url: { hostname: "2606:4700::1", port: 443, path: "/?q", resolution: "literal" },
    });
  });
});

describe("with POSTHORN_ALLOW_TARGETS", () => {
  const targets = allow("localhost:9000,erp:80,10.0.0.0/8,[::1]:9000,127.0.0.1:9000");

  test.each([
    ["http://localhost:9000/hook", "allowed_name"],
    ["https://localhost:9000/hook", "allowed_name"],
    ["http://erp/", "allowed_name"],
    ["http://10.1.2.3/", "literal"],
    ["http://10.1.2.3:22/", "literal"],
    ["http://[::ffff:10.1.2.3]/", "literal"],
    ["http://[::1]:9000/", "literal"],
    ["http://127.0.0.1:9000/", "literal"],
    ["http://2130706433:9000/", "literal"],
  ])("%s passes", (url, resolution) => {
    expect(checkUrl(url, targets)).toMatchObject({ ok: true, url: { resolution } });
  });

  test.each([
    ["http://localhost:9001/", "URL_HOST"],
    ["http://erp:81/", "URL_HOST"],
    ["http://127.0.0.1:9001/", "URL_ADDRESS"],
    ["http://[::1]/", "URL_ADDRESS"],
    ["http://11.1.2.3/", "URL_SCHEME"],
    ["http://a.localhost:9000/", "URL_HOST"],
    ["http://user@localhost:9000/", "URL_USERINFO"],
    ["gopher://localhost:9000/", "URL_SCHEME"],
    ["http://10.1.2.3:0/", "URL_PORT"],
  ])("%s is still refused", (url, code) => {
    expect(codeOf(url, targets)).toBe(code);
  });

  test.each([
    ["http://localhost:3000/", "add localhost:3000 to POSTHORN_ALLOW_TARGETS"],
    ["http://127.0.0.1:3000/", "add 127.0.0.1:3000 to POSTHORN_ALLOW_TARGETS"],
    ["http://[::1]:3000/", "add [::1]:3000 to POSTHORN_ALLOW_TARGETS"],
    ["http://receiver.example.com/", "add receiver.example.com:80 to POSTHORN_ALLOW_TARGETS"],
    ["https://example.com:5432/", "add example.com:5432 to POSTHORN_ALLOW_TARGETS"],
  ])("the refusal of %s says what to add, and adding it helps", (url, remedy) => {
    const check = checkUrl(url, NO_ALLOWED_TARGETS);
    expect(check.ok ? "" : check.message).toContain(remedy);
    expect(codeOf(url, allow(remedy.split(" ")[1] ?? ""))).toBe("ok");
  });
});

test("no text makes the check throw, and what passes is https to a dotted name or public address", () => {
  const host = fc.oneof(fc.string(), fc.string({ unit: "grapheme" }), fc.domain(), fc.ipV4Extended(), fc.ipV6());
  const url = fc.tuple(fc.constantFrom("https://", "http://", ""), host, fc.string()).map((parts) => parts.join(""));
  fc.assert(
    fc.property(url, (text) => {
      const check = checkUrl(text, NO_ALLOWED_TARGETS);
      if (!check.ok) {
        expect(check.message).not.toBe("");
        return;
      }
      expect(check.url.protocol).toBe("https:");
      expect(check.url.hostname).toMatch(/[.:]/);
      if (check.url.resolution === "literal") expect(classifyAddress(check.url.hostname).kind).toBe("public");
    }),
  );
});
