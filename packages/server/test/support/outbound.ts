// A guarded client with short deadlines for tests, and the parts it is made of.
// It must never widen what production allows except by the allow-list that the test names.
import { type AllowTargets, parseAllowTargets } from "../../src/security/addresses/allow-targets.ts";
import {
  createOutboundClient,
  type OutboundClient,
  type OutboundClientOptions,
  type OutboundRequest,
} from "../../src/security/outbound/client.ts";
import type { ResolveName } from "../../src/security/outbound/resolver.ts";

/** Parses an allow-list that is known to be right. */
export function allowTargets(text: string): AllowTargets {
  const parsed = parseAllowTargets(text);
  if (!parsed.ok) throw new Error(parsed.error);
  return parsed.targets;
}

/** A client that lets `allow` through and resolves no public name unless told how. */
export function createTestClient(allow: string, options: Partial<OutboundClientOptions> = {}): OutboundClient {
  return createOutboundClient({
    allowTargets: allowTargets(allow),
    resolve: refuseToResolve,
    bodyTimeoutMs: 200,
    ...options,
  });
}

/** A small POST with a deadline that only a broken client or a very slow machine meets. */
export function postTo(url: string, options: Partial<OutboundRequest> = {}): OutboundRequest {
  return { url, method: "POST", headers: [], body: Buffer.from("{}"), timeoutMs: 10_000, ...options };
}

/** The deadline of requests that are meant to meet it. */
export const SHORT_TIMEOUT_MS = 300;

/** Answers every name with these addresses. */
export function resolveTo(...addresses: readonly string[]): ResolveName {
  return async () => addresses.map((address) => ({ address, ttlSeconds: 60 }));
}

const refuseToResolve: ResolveName = async (hostname) => {
  throw Object.assign(new Error(`The test resolves no names: ${hostname}`), { code: "ENOTFOUND" });
};
