// Names to addresses: c-ares for public names, the system resolver for names the operator listed, a cache on top.
// It must never judge addresses (the dialler does, at every dial) and never wait on libuv's four threads for public names.
import { lookup, Resolver } from "node:dns/promises";
import { LRUCache } from "lru-cache";

/** One answer; `ttlSeconds` as the name server gave it. */
export interface ResolvedAddress {
  readonly address: string;
  readonly ttlSeconds: number;
}

/** Asks for all addresses of a name. Resolves to an empty list when there is none; rejects with a DNS error code. */
export type ResolveName = (hostname: string) => Promise<readonly ResolvedAddress[]>;

/** What the cache answers: every address, or the code of the failure. */
export type Resolution =
  | { readonly ok: true; readonly addresses: readonly string[] }
  | { readonly ok: false; readonly code: string };

const MIN_TTL_SECONDS = 5;
const MAX_TTL_SECONDS = 60;
const NEGATIVE_TTL_SECONDS = 5;
const MAX_CACHED_NAMES = 10_000;
const MAX_ANSWERS = 64;

/**
 * A and AAAA by c-ares: 2 s a try, 2 tries, no /etc/hosts, no search domains.
 * `servers` (`ip` or `ip:port`) replace those of the operating system.
 */
export function createDnsQuery(servers: readonly string[] = []): ResolveName {
  const resolver = new Resolver({ timeout: 2000, tries: 2 });
  if (servers.length > 0) resolver.setServers(servers);
  return async (hostname) => {
    const [v4, v6] = await Promise.allSettled([
      resolver.resolve4(hostname, { ttl: true }),
      resolver.resolve6(hostname, { ttl: true }),
    ]);
    if (v4.status === "rejected" && v6.status === "rejected") throw worseOf(v4.reason, v6.reason);
    const answers = [...(v4.status === "fulfilled" ? v4.value : []), ...(v6.status === "fulfilled" ? v6.value : [])];
    return answers.map(({ address, ttl }) => ({ address, ttlSeconds: ttl }));
  };
}

/** The operating system's answer, /etc/hosts included: only for names in POSTHORN_ALLOW_TARGETS. */
export const querySystem: ResolveName = async (hostname) => {
  const answers = await lookup(hostname, { all: true, order: "ipv4first" });
  return answers.map(({ address }) => ({ address, ttlSeconds: 0 }));
};

/**
 * Puts a cache before a query: answers live for their TTL clamped to 5 to 60 s, failures for 5 s,
 * and callers that ask for the same name at once share one query. Never rejects.
 */
export function createCachingResolver(
  query: ResolveName,
  nowMs: () => number,
): (hostname: string) => Promise<Resolution> {
  const cache = new LRUCache<string, { resolution: Resolution; expiresAtMs: number }>({ max: MAX_CACHED_NAMES });
  const running = new Map<string, Promise<Resolution>>();

  async function ask(hostname: string): Promise<Resolution> {
    const { resolution, ttlSeconds } = await settle(query, hostname);
    cache.set(hostname, { resolution, expiresAtMs: nowMs() + ttlSeconds * 1000 });
    running.delete(hostname);
    return resolution;
  }

  return (hostname) => {
    const cached = cache.get(hostname);
    if (cached !== undefined && cached.expiresAtMs > nowMs()) return Promise.resolve(cached.resolution);
    const pending = running.get(hostname);
    if (pending !== undefined) return pending;
    const asked = ask(hostname);
    running.set(hostname, asked);
    return asked;
  };
}

async function settle(query: ResolveName, hostname: string): Promise<{ resolution: Resolution; ttlSeconds: number }> {
  try {
    const answers = await query(hostname);
    if (answers.length === 0) return failed("ENODATA");
    // Refused as a whole rather than cut: an address that is not looked at is an address not checked.
    if (answers.length > MAX_ANSWERS) return failed("TOO_MANY_ANSWERS");
    const ttlSeconds = Math.min(...answers.map((answer) => answer.ttlSeconds));
    const addresses = answers.map((answer) => answer.address);
    return {
      resolution: { ok: true, addresses },
      ttlSeconds: Math.min(Math.max(ttlSeconds, MIN_TTL_SECONDS), MAX_TTL_SECONDS),
    };
  } catch (error) {
    return failed(errorCode(error, "EDNS"));
  }
}

function failed(code: string): { resolution: Resolution; ttlSeconds: number } {
  return { resolution: { ok: false, code }, ttlSeconds: NEGATIVE_TTL_SECONDS };
}

/** Of two failures the one that says more: "no such record" only if nothing else went wrong. */
function worseOf(first: unknown, second: unknown): unknown {
  const empty = new Set(["ENODATA", "ENOTFOUND"]);
  return empty.has(errorCode(first, "")) ? second : first;
}

/** The `code` of a Node error, or the fallback. */
export function errorCode(error: unknown, fallback: string): string {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  return typeof code === "string" && code !== "" ? code : fallback;
}
