// Which headers a user may add to requests, and in which grammar: the guard against header injection.
// It must never let through a name that frames the message, forges a proxy's word or ours, or any CR or LF.

/** The answer on a whole set of headers; `field` is the name as given. */
export type HeaderCheck =
  | { readonly ok: true }
  | { readonly ok: false; readonly field: string; readonly code: HeaderErrorCode; readonly message: string };

export type HeaderErrorCode =
  | "HEADER_NAME"
  | "HEADER_VALUE"
  | "HEADER_RESERVED"
  | "HEADER_DUPLICATE"
  | "HEADERS_TOO_MANY"
  | "HEADERS_TOO_LARGE";

const MAX_HEADERS = 32;
const MAX_TOTAL_BYTES = 8 * 1024;
const NAME = /^[!#$%&'*+.^_`|~0-9a-z-]{1,64}$/i; // RFC 9110 token
// Node lets latin-1 and tabs pass; receivers disagree on both, so printable ASCII it is.
const VALUE = /^[\x20-\x7e]{0,4096}$/;

const RESERVED_NAMES: ReadonlySet<string> = new Set([
  // hop by hop and framing (RFC 9110 section 7.6.1, RFC 9112)
  "connection",
  "content-length",
  "expect",
  "host",
  "http2-settings",
  "keep-alive",
  "te",
  "trailer",
  "trailers",
  "transfer-encoding",
  "upgrade",
  // what we say about the message
  "accept-encoding",
  "content-encoding",
  "content-type",
  "cookie",
  "set-cookie",
  "traceparent",
  "tracestate",
  "user-agent",
  "x-signature",
  // what proxies say about the way
  "forwarded",
  "via",
  "x-real-ip",
  "true-client-ip",
  "cf-connecting-ip",
]);

const RESERVED_PREFIXES: readonly string[] = [
  "proxy-",
  "sec-",
  "webhook-",
  "x-bigledger-",
  "x-posthorn-",
  "x-forwarded-",
  // clouds trust these between their own machines
  "x-amz-",
  "x-amzn-",
  "x-azure-",
  "x-envoy-",
  "x-fd-",
  "x-gfe",
  "x-goog-",
  "x-google",
  "x-ms-",
];

/** True when only Posthorn itself sets this header; case does not matter. */
export function isReservedHeader(name: string): boolean {
  const lower = name.toLowerCase();
  return RESERVED_NAMES.has(lower) || RESERVED_PREFIXES.some((prefix) => lower.startsWith(prefix));
}

/**
 * Checks the headers a user wants on every request: at most 32, 8 KiB in all, token names of up to
 * 64 characters that are not reserved, values of up to 4,096 printable ASCII characters.
 */
export function checkCustomHeaders(headers: Readonly<Record<string, string>>): HeaderCheck {
  const entries = Object.entries(headers);
  if (entries.length > MAX_HEADERS) {
    return refuse("", "HEADERS_TOO_MANY", `There are ${entries.length} headers. Use at most ${MAX_HEADERS}.`);
  }
  const seen = new Set<string>();
  let totalBytes = 0;
  for (const [name, value] of entries) {
    const check = checkCustomHeader(name, value);
    if (!check.ok) return check;
    if (seen.has(name.toLowerCase())) {
      return refuse(name, "HEADER_DUPLICATE", `The header ${name} is given twice; case makes no difference.`);
    }
    seen.add(name.toLowerCase());
    totalBytes += name.length + value.length + 4; // ": " and CRLF
  }
  if (totalBytes > MAX_TOTAL_BYTES) {
    return refuse("", "HEADERS_TOO_LARGE", `The headers take ${totalBytes} bytes. Use at most ${MAX_TOTAL_BYTES}.`);
  }
  return { ok: true };
}

/** Checks one header; also used on values that a template has just rendered. */
export function checkCustomHeader(name: string, value: string): HeaderCheck {
  if (!NAME.test(name)) {
    return refuse(name, "HEADER_NAME", "A header name is 1 to 64 letters, digits and !#$%&'*+.^_`|~- characters.");
  }
  if (isReservedHeader(name)) {
    return refuse(name, "HEADER_RESERVED", `The header ${name} is set by Posthorn and cannot be changed.`);
  }
  if (typeof value !== "string" || !VALUE.test(value)) {
    return refuse(name, "HEADER_VALUE", `The value of ${name} must be at most 4,096 printable ASCII characters.`);
  }
  return { ok: true };
}

function refuse(field: string, code: HeaderErrorCode, message: string): HeaderCheck {
  return { ok: false, field, code, message };
}
