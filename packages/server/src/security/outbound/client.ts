// The one guarded HTTP client: every request that leaves Posthorn for the outside goes through `send`.
// It must never follow a redirect, use a proxy from the environment, decompress, resend, or throw for the network's faults.
import type { Socket, TcpNetConnectOpts } from "node:net";
import { LRUCache } from "lru-cache";
import type { AddressList } from "../addresses/address-list.ts";
import type { AllowTargets } from "../addresses/allow-targets.ts";
import { Attempt, type AttemptContext, type PreparedRequest } from "./attempt.ts";
import { checkUrl, type UrlCheck } from "./check-url.ts";
import { DeadlineWheel } from "./deadline-wheel.ts";
import { connectTcp } from "./dial.ts";
import { IdleConnections } from "./idle-connections.ts";
import { type Inspection, Inspections, refusedInspection } from "./inspect.ts";
import { createCachingResolver, createDnsQuery, querySystem, type ResolveName } from "./resolver.ts";
import type { SendResult } from "./result.ts";
import { createDefaultIdentity, type TlsIdentity } from "./tls-identity.ts";

export interface OutboundRequest {
  /** Checked on every send, the answer is cached. */
  readonly url: string;
  readonly method: string;
  /** Names and values in turn. Framing, `host`, `user-agent` and `accept-encoding` are the client's. */
  readonly headers: readonly string[];
  /** Sent with its Content-Length. */
  readonly body: Uint8Array | null;
  /** One deadline over DNS, connect, TLS, request and response head; `send` settles at most 1 s later. */
  readonly timeoutMs: number;
  /** Ends the attempt with `aborted`; one signal may be shared by any number of requests. */
  readonly signal?: AbortSignal;
  /** A client certificate or private authority; the public roots otherwise. */
  readonly tls?: TlsIdentity;
  /** Only these addresses are dialled, of those that the guard lets through; null or absent: all of those. */
  readonly allowedIps?: AddressList | null;
  /** How much of the response body is kept, up to 64 KiB; 16 KiB when absent. */
  readonly keptBodyBytes?: number;
}

export interface OutboundClientOptions {
  readonly allowTargets: AllowTargets;
  readonly userAgent?: string;
  /** DNS for names that are not in `allowTargets`; answers are cached on top of it. */
  readonly resolve?: ResolveName;
  /** Monotonic milliseconds. */
  readonly nowMs?: () => number;
  /** PEM certificates trusted beside the public roots: for tests, and for installations with an own authority. */
  readonly furtherCas?: readonly string[];
  /** Opens a TCP connection; a parameter so that tests can lead it astray. */
  readonly connectSocket?: (options: TcpNetConnectOpts) => Socket;
  readonly dialTimeoutMs?: number;
  readonly bodyTimeoutMs?: number;
  /** An idle connection closes after this; below the 5 s after which Node servers close theirs. */
  readonly idleMs?: number;
  /** A connection serves no longer than this after it was dialled. */
  readonly maxConnectionAgeMs?: number;
  /** Sockets of this client in all, idle ones included. */
  readonly maxConnections?: number;
}

export interface OutboundClient {
  /** Sends one request. Whatever the network or the receiver does is in the result; a rejection is a bug of ours. */
  send(request: OutboundRequest): Promise<SendResult>;
  /** Goes the way of a request on a connection of its own and closes it without sending one; guarded as `send` is. */
  inspect(request: Pick<OutboundRequest, "url" | "timeoutMs" | "signal" | "tls" | "allowedIps">): Promise<Inspection>;
  /** Ends running requests with `aborted`, closes all connections; resolves when every socket is closed. */
  close(): Promise<void>;
  readonly stats: { readonly openConnections: number; readonly idleConnections: number; readonly running: number };
}

const TICK_MS = 50;
const DEFAULT_KEPT_BODY_BYTES = 16 * 1024;
const MAX_KEPT_BODY_BYTES = 64 * 1024;
const MAX_CACHED_URLS = 10_000;
const MAX_CACHED_SESSIONS = 1000;

/** What the client writes itself; everything else about framing undici refuses or sets. */
const CLIENT_HEADERS: ReadonlySet<string> = new Set([
  "host",
  "connection",
  "content-length",
  "accept-encoding",
  "user-agent",
  "transfer-encoding",
]);

interface CachedCheck {
  readonly check: UrlCheck;
  /** Guard decision and origin: with the id of a TLS identity before it and an address list after it, a pool's key. */
  readonly target: string;
  /** The key under the default identity, joined once. */
  readonly poolKey: string;
}

/**
 * Makes the client. There is no queue in it: a request takes an idle connection of its pool or dials a
 * new one, so no request ever waits behind another webhook's; callers bound what they have in flight.
 */
export function createOutboundClient(options: OutboundClientOptions): OutboundClient {
  const nowMs = options.nowMs ?? (() => performance.now());
  const maxConnections = options.maxConnections ?? 20_000;
  const connectSocket = options.connectSocket ?? connectTcp;
  const identity = createDefaultIdentity(options.furtherCas ?? []);
  const fixedHeaders = ["user-agent", options.userAgent ?? "Posthorn", "accept-encoding", "identity"];
  const wheel = new DeadlineWheel<Attempt>(nowMs(), TICK_MS);
  const idle = new IdleConnections({ maxIdle: maxConnections, maxAgeMs: options.maxConnectionAgeMs ?? 60_000 });
  const inspections = new Inspections();
  const checks = new LRUCache<string, CachedCheck>({ max: MAX_CACHED_URLS });
  // Weak: a signal that nobody holds any more takes its (by then empty) group with it.
  const abortGroups = new WeakMap<AbortSignal, Set<Attempt>>();
  let openConnections = 0;
  let ticker: NodeJS.Timeout | null = null;
  let onAllClosed: (() => void) | null = null;
  let isClosed = false;

  const context: AttemptContext = {
    allowTargets: options.allowTargets,
    nowMs,
    resolvePublic: createCachingResolver(options.resolve ?? createDnsQuery(), nowMs),
    resolveAllowed: createCachingResolver(querySystem, nowMs),
    connectSocket: openSocket,
    sessions: new LRUCache<string, Buffer>({ max: MAX_CACHED_SESSIONS }),
    wheel,
    idle,
    dialTimeoutMs: options.dialTimeoutMs ?? 5000,
    bodyTimeoutMs: options.bodyTimeoutMs ?? 1000,
    idleMs: options.idleMs ?? 4000,
    onConnectionClosed: (connection) => idle.remove(connection),
  };

  /** Counts every socket from its first moment to its last; makes room by closing an idle one. */
  function openSocket(target: TcpNetConnectOpts): Socket | null {
    if (openConnections >= maxConnections && !idle.evict()) return null;
    const socket = connectSocket(target);
    openConnections++;
    socket.once("close", () => {
      openConnections--;
      if (openConnections === 0) onAllClosed?.();
    });
    return socket;
  }

  function check(url: string): CachedCheck {
    const cached = checks.get(url);
    if (cached !== undefined) return cached;
    const verdict = checkUrl(url, options.allowTargets);
    const target = verdict.ok ? `${verdict.url.resolution} ${verdict.url.origin}` : "";
    const fresh = { check: verdict, target, poolKey: `${identity.id} ${target}` };
    checks.set(url, fresh);
    return fresh;
  }

  function run(request: PreparedRequest, signal: AbortSignal | undefined): Promise<SendResult> {
    return new Promise((resolve, reject) => {
      const group = signal === undefined ? null : groupOf(signal);
      const attempt = new Attempt(context, request, { resolve, reject, group });
      group?.add(attempt);
      startTicker();
      attempt.start();
    });
  }

  /** One listener per signal, however many requests share it: a lease's signal may govern thousands. */
  function groupOf(signal: AbortSignal): Set<Attempt> {
    const known = abortGroups.get(signal);
    if (known !== undefined) return known;
    const group = new Set<Attempt>();
    abortGroups.set(signal, group);
    const abortGroup = (): void => {
      for (const attempt of group) attempt.abort();
    };
    signal.addEventListener("abort", abortGroup, { once: true });
    return group;
  }

  function startTicker(): void {
    ticker ??= setInterval(() => {
      wheel.advance(nowMs());
      if (wheel.count > 0 || ticker === null) return;
      clearInterval(ticker);
      ticker = null;
    }, TICK_MS);
  }

  function send(request: OutboundRequest): Promise<SendResult> {
    const { check: verdict, target, poolKey } = check(request.url);
    if (!verdict.ok) return Promise.resolve(notSent({ kind: "blocked", code: verdict.code, message: verdict.message }));
    if (isClosed || request.signal?.aborted === true)
      return Promise.resolve(notSent({ kind: "aborted", phase: "dns" }));
    const ownHeader = findClientHeader(request.headers);
    if (ownHeader !== null) {
      const message = `The request cannot be sent: the header ${ownHeader} is set by the client.`;
      return Promise.resolve(notSent({ kind: "blocked", code: "REQUEST_INVALID", message }));
    }
    const allowedIps = request.allowedIps ?? null;
    const pool = request.tls === undefined ? poolKey : `${request.tls.id} ${target}`;
    const prepared: PreparedRequest = {
      url: verdict.url,
      // A connection that another list let through, or none, is not reused: the pool's key holds the list.
      poolKey: allowedIps === null ? pool : `${pool} only ${allowedIps.text}`,
      allowedIps,
      identity: request.tls ?? identity,
      method: request.method,
      headers: fixedHeaders.concat(request.headers),
      body: request.body,
      timeoutMs: request.timeoutMs,
      keptBodyBytes: Math.min(request.keptBodyBytes ?? DEFAULT_KEPT_BODY_BYTES, MAX_KEPT_BODY_BYTES),
    };
    return run(prepared, request.signal);
  }

  async function inspect(request: Parameters<OutboundClient["inspect"]>[0]): Promise<Inspection> {
    const { check: verdict, target } = check(request.url);
    if (!verdict.ok) {
      return refusedInspection(request.url, { kind: "blocked", code: verdict.code, message: verdict.message });
    }
    const allowedIps = request.allowedIps ?? null;
    // A pool key of its own: no session of deliveries is offered here, none is kept.
    const dialTarget = {
      url: verdict.url,
      identity: request.tls ?? identity,
      poolKey: `inspect ${target}`,
      allowedIps,
    };
    return inspections.run(context, dialTarget, request.timeoutMs, request.signal);
  }

  async function close(): Promise<void> {
    isClosed = true;
    inspections.stop();
    for (const attempt of wheel.entries()) attempt.abort();
    idle.closeAll();
    if (ticker !== null) clearInterval(ticker);
    ticker = null;
    if (openConnections === 0) return;
    await new Promise<void>((resolve) => {
      onAllClosed = resolve;
    });
  }

  return {
    send,
    inspect,
    close,
    get stats() {
      return { openConnections, idleConnections: idle.count, running: wheel.count };
    },
  };
}

function findClientHeader(headers: readonly string[]): string | null {
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i];
    if (name !== undefined && CLIENT_HEADERS.has(name.toLowerCase())) return name;
  }
  return null;
}

type NotSent = { kind: "blocked"; code: string; message: string } | { kind: "aborted"; phase: "dns" };

/** A result before anything was resolved or dialled. */
function notSent(failure: NotSent): SendResult {
  return {
    ...failure,
    address: null,
    reusedConnection: false,
    requestStarted: false,
    timings: { dnsMs: null, connectMs: null, tlsMs: null, firstByteMs: null, totalMs: 0 },
  };
}
