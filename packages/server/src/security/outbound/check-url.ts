// Decides whether a URL may be a target at all: asked when a webhook is saved and before each attempt.
// It must never resolve a name, and its messages never name an address that the URL itself does not show.
import { isIP } from "node:net";
import { type AllowTargets, allowsAddress, allowsName } from "../addresses/allow-targets.ts";
import { classifyAddress } from "../addresses/classify.ts";
import { isInternalName, isOpenPort, isPublicName } from "./host-rules.ts";

/** A URL that passed, in the parts that dialling and writing the request need. */
export interface CheckedUrl {
  readonly href: string;
  readonly origin: string;
  readonly protocol: "https:" | "http:";
  /** Lower case, punycode, IPv6 without brackets. */
  readonly hostname: string;
  readonly port: number;
  /** Path and query, as written in the request line. */
  readonly path: string;
  /** How the host becomes an address, and with it which guard its address must pass. */
  readonly resolution: Resolution;
}

/** `literal`: the host is an address, checked here. `guarded`: DNS, every answer checked. `allowed_name`: listed by the operator, system resolver. */
export type Resolution = "literal" | "guarded" | "allowed_name";

export type UrlCheck =
  | { readonly ok: true; readonly url: CheckedUrl }
  | { readonly ok: false; readonly code: UrlErrorCode; readonly message: string };

export type UrlErrorCode =
  | "URL_TOO_LONG"
  | "URL_CHARACTER"
  | "URL_INVALID"
  | "URL_SCHEME"
  | "URL_USERINFO"
  | "URL_FRAGMENT"
  | "URL_PORT"
  | "URL_HOST"
  | "URL_ADDRESS";

const MAX_URL_LENGTH = 2048;

// WHATWG parsing drops tabs and newlines and reads `\` as `/`: refused before it can change the meaning.
// oxlint-disable-next-line no-control-regex -- control characters are what is looked for
const FORBIDDEN = /[\u0000-\u0020\u007f-\u00a0\u2028\u2029\ufeff\\]/;

// `https:example.com`, `https:/x` and `https:////x` all parse as https://…; we accept one spelling.
const ABSOLUTE = /^([a-z][a-z0-9+.-]*):\/\/[^/?#]/i;

/**
 * Checks one URL text. https anywhere public; http and private addresses only where
 * POSTHORN_ALLOW_TARGETS names the target. A refusal carries a stable code and says what to do.
 */
export function checkUrl(text: string, allowTargets: AllowTargets): UrlCheck {
  if (text.length > MAX_URL_LENGTH) {
    return refuse("URL_TOO_LONG", `The URL has ${text.length} characters. Use at most ${MAX_URL_LENGTH}.`);
  }
  if (FORBIDDEN.test(text)) {
    return refuse("URL_CHARACTER", "The URL contains a blank, a control character or a backslash. Percent-encode it.");
  }
  const scheme = ABSOLUTE.exec(text)?.[1]?.toLowerCase();
  if (scheme === undefined)
    return refuse("URL_INVALID", "Write the URL in full, for example https://example.com/hook.");
  if (scheme !== "https" && scheme !== "http") {
    return refuse("URL_SCHEME", `Requests go to https:// URLs only, not ${scheme}://.`);
  }
  if (!URL.canParse(text)) return refuse("URL_INVALID", "The URL cannot be parsed. Check its host and port.");
  return checkParsed(new URL(text), text, allowTargets);
}

function checkParsed(parsed: URL, text: string, allowTargets: AllowTargets): UrlCheck {
  if (parsed.username !== "" || parsed.password !== "" || hasUserinfo(text)) {
    return refuse("URL_USERINFO", "Remove the user name and password from the URL; use the webhook's auth setting.");
  }
  if (text.includes("#")) return refuse("URL_FRAGMENT", "Remove the # part of the URL; it is never sent to a server.");
  const protocol = parsed.protocol === "https:" ? "https:" : "http:";
  const port = parsed.port === "" ? (protocol === "https:" ? 443 : 80) : Number(parsed.port);
  const hostname = parsed.hostname.startsWith("[") ? parsed.hostname.slice(1, -1) : parsed.hostname;
  const verdict = checkTarget(protocol, hostname, port, allowTargets);
  if (!("resolution" in verdict)) return verdict;
  const path = parsed.pathname + parsed.search;
  return {
    ok: true,
    url: { href: parsed.href, origin: parsed.origin, protocol, hostname, port, path, resolution: verdict.resolution },
  };
}

type TargetCheck = { readonly resolution: Resolution } | Extract<UrlCheck, { ok: false }>;

function checkTarget(protocol: "https:" | "http:", hostname: string, port: number, allow: AllowTargets): TargetCheck {
  const literal = isIP(hostname) !== 0;
  // Port 0 passes URL parsing and dials nothing; it is refused for every target.
  if (port === 0) return refuse("URL_PORT", "Port 0 cannot be reached. Name the port that the receiver listens on.");
  if (literal && allowsAddress(allow, hostname, port)) return { resolution: "literal" };
  if (!literal && allowsName(allow, hostname, port)) return { resolution: "allowed_name" };
  return literal ? checkLiteral(protocol, hostname, port) : checkName(protocol, hostname, port);
}

function checkLiteral(protocol: string, hostname: string, port: number): TargetCheck {
  const verdict = classifyAddress(hostname);
  if (verdict.kind === "refused") {
    return refuse(
      "URL_ADDRESS",
      `${hostname} is not a public address (${verdict.range}). For a receiver on this machine or network, add ${hostPort(hostname, port)} to POSTHORN_ALLOW_TARGETS.`,
    );
  }
  return checkProtocolAndPort(protocol, hostname, port) ?? { resolution: "literal" };
}

function checkName(protocol: string, hostname: string, port: number): TargetCheck {
  if (hostname.endsWith(".")) return refuse("URL_HOST", "Remove the dot at the end of the host name.");
  if (isInternalName(hostname) || !hostname.includes(".")) {
    return refuse(
      "URL_HOST",
      `${hostname} is a name of an internal network. For a receiver on this machine or network, add ${hostPort(hostname, port)} to POSTHORN_ALLOW_TARGETS.`,
    );
  }
  if (!isPublicName(hostname)) return refuse("URL_HOST", `${hostname} is not a valid host name.`);
  return checkProtocolAndPort(protocol, hostname, port) ?? { resolution: "guarded" };
}

function checkProtocolAndPort(
  protocol: string,
  hostname: string,
  port: number,
): Extract<UrlCheck, { ok: false }> | null {
  const remedy = `add ${hostPort(hostname, port)} to POSTHORN_ALLOW_TARGETS`;
  if (protocol === "http:") {
    return refuse("URL_SCHEME", `Use https://. To send unencrypted requests to a development receiver, ${remedy}.`);
  }
  if (!isOpenPort(port)) {
    return refuse("URL_PORT", `Port ${port} is not open to webhooks. Use 443 or a port above 1023, or ${remedy}.`);
  }
  return null;
}

/** `https://@host/` parses to an empty user name; the text still tries to look like another host. */
function hasUserinfo(text: string): boolean {
  const start = text.indexOf("//") + 2;
  const end = text.slice(start).search(/[/?#]/);
  return text.slice(start, end === -1 ? undefined : start + end).includes("@");
}

function hostPort(hostname: string, port: number): string {
  return hostname.includes(":") ? `[${hostname}]:${port}` : `${hostname}:${port}`;
}

function refuse(code: UrlErrorCode, message: string): Extract<UrlCheck, { ok: false }> {
  return { ok: false, code, message };
}
