// Custom headers: the grammar, the limits and the names that only Posthorn sets.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { checkCustomHeader, checkCustomHeaders, isReservedHeader } from "../../../src/security/outbound/headers.ts";

function codeOf(headers: Record<string, string>): string {
  const check = checkCustomHeaders(headers);
  return check.ok ? "ok" : `${check.code} ${check.field}`;
}

test.each([
  "X-Api-Key",
  "Authorization",
  "x-tenant",
  "Accept",
  "Idempotency-Key",
  "X-Hub-Signature-256",
  "a",
  "!#$%&'*+.^_`|~",
])("%s may be set", (name) => {
  expect(codeOf({ [name]: "value" })).toBe("ok");
});

const RESERVED = `
    Host connection Content-Length Transfer-Encoding TE Trailer Upgrade Expect Keep-Alive Proxy-Authorization
    Proxy-Connection Cookie Set-Cookie User-Agent Accept-Encoding Forwarded Content-Type Content-Encoding
    X-Forwarded-For X-Forwarded-Host Via X-Real-IP webhook-id Webhook-Signature X-BigLedger-Event X-Signature
    X-Amz-Date x-amzn-trace-id X-Goog-Api-Key X-Google-Real-Ip X-Azure-FDID X-FD-HealthProbe traceparent
    Sec-Fetch-Site X-GFE-Cost
`;

test.each(RESERVED.trim().split(/\s+/))("%s is reserved in any case", (name) => {
  for (const spelling of [name, name.toLowerCase(), name.toUpperCase()]) {
    expect(codeOf({ [spelling]: "value" })).toBe(`HEADER_RESERVED ${spelling}`);
    expect(isReservedHeader(spelling)).toBe(true);
  }
});

test.each(["", " ", "a b", "a:b", "a\r", "a\nb", "a\u0000", "é", "x".repeat(65), "(x)", "x/y"])(
  "the name %j is refused",
  (name) => {
    expect(codeOf({ [name]: "value" })).toBe(`HEADER_NAME ${name}`);
  },
);

test.each(["a\r\nb: c", "a\n", "a\r", "\u0000", "☃", "café", "a\tb", "\u007f", "x".repeat(4097)])(
  "the value %j is refused",
  (value) => {
    expect(codeOf({ "x-a": value })).toBe("HEADER_VALUE x-a");
  },
);

describe("limits", () => {
  const many = (count: number): Record<string, string> =>
    Object.fromEntries(Array.from({ length: count }, (_, i) => [`x-${i}`, "v"]));

  test("32 headers pass, 33 do not", () => {
    expect(codeOf(many(32))).toBe("ok");
    expect(codeOf(many(33))).toBe("HEADERS_TOO_MANY ");
  });

  test("8 KiB in all pass, a byte more does not", () => {
    const rest = 8192 - 4096 - 2 * (3 + 4);
    expect(codeOf({ "x-a": "v".repeat(4096), "x-b": "v".repeat(rest) })).toBe("ok");
    expect(codeOf({ "x-a": "v".repeat(4096), "x-b": "v".repeat(rest), "": "" })).toContain("HEADER_NAME");
    expect(codeOf({ "x-a": "v".repeat(4096), "x-b": "v".repeat(rest + 1) })).toBe("HEADERS_TOO_LARGE ");
  });

  test("two spellings of one name are a duplicate", () => {
    expect(codeOf({ "X-A": "1", "x-a": "2" })).toBe("HEADER_DUPLICATE x-a");
  });
});

test("a header called __proto__ is a header like any other", () => {
  expect(codeOf(JSON.parse('{"__proto__":"x"}') as Record<string, string>)).toBe("ok");
});

test("nothing that passes can end a line or start another header", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), fc.string({ unit: "binary" }), (name, value) => {
      if (!checkCustomHeader(name, value).ok) return;
      expect(name).toMatch(/^[^\s:]+$/);
      expect(value).toMatch(/^[ -~]*$/);
    }),
  );
});
