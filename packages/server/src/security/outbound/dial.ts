// Opens one connection: resolve, check every answer, dial the checked address, check the peer, then TLS.
// It must never write a byte to an address that was not checked, nor accept an unverified certificate.
import { connect as netConnect, isIP, type Socket, type TcpNetConnectOpts } from "node:net";
import { connect as tlsConnect, type TLSSocket } from "node:tls";
import { type AddressList, listHolds } from "../addresses/address-list.ts";
import { type AllowTargets, allowsAddress } from "../addresses/allow-targets.ts";
import { parseAddress, unmapAddress } from "../addresses/blocks.ts";
import { classifyAddress } from "../addresses/classify.ts";
import type { CheckedUrl } from "./check-url.ts";
import { classifyTlsError } from "./failures.ts";
import { inspectTls, type SeenTls } from "./inspect-tls.ts";
import { errorCode, type Resolution } from "./resolver.ts";
import type { Failure } from "./result.ts";
import type { TlsIdentity } from "./tls-identity.ts";

/** What dialling needs from the client; all of it a parameter. */
export interface DialContext {
  readonly allowTargets: AllowTargets;
  readonly nowMs: () => number;
  /** DNS for guarded names. */
  readonly resolvePublic: (hostname: string) => Promise<Resolution>;
  /** The system resolver for names that the operator listed. */
  readonly resolveAllowed: (hostname: string) => Promise<Resolution>;
  /** Starts a TCP connection; null when the client has as many sockets as it may. */
  readonly connectSocket: (options: TcpNetConnectOpts) => Socket | null;
  readonly sessions: SessionCache;
}

/** TLS sessions by pool key, so that one identity's session is never offered under another. */
export interface SessionCache {
  get(key: string): Buffer | undefined;
  set(key: string, session: Buffer): unknown;
}

/** Where to, and under which conditions. */
export interface DialTarget {
  readonly url: CheckedUrl;
  readonly identity: TlsIdentity;
  /** TLS sessions are kept under it. */
  readonly poolKey: string;
  /** Narrows what the guard lets through, and never widens it. */
  readonly allowedIps: AddressList | null;
}

export interface Dialled {
  readonly kind: "dialled";
  readonly socket: Socket;
  readonly certificateExpiresAtMs: number | null;
}

const MAX_ADDRESSES_TRIED = 4;
/** Characters of an address list in a message. */
const MAX_LIST_SHOWN = 200;
/** How long an address may take to connect while there is another one to try. */
const NEXT_ADDRESS_AFTER_MS = 1000;

export const connectTcp = (options: TcpNetConnectOpts): Socket => netConnect(options);

/** One dialling in progress. The owner reads `phase` and the timings, and may `cancel` at any time. */
export class Dial {
  phase: "dns" | "connect" | "tls" = "dns";
  /** `ip:port` of the latest address tried, or of one that the webhook's own list refused. */
  address: string | null = null;
  dnsMs: number | null = null;
  connectMs: number | null = null;
  tlsMs: number | null = null;

  readonly #context: DialContext;
  readonly #url: CheckedUrl;
  readonly #identity: TlsIdentity;
  readonly #sessionKey: string;
  readonly #allowedIps: AddressList | null;
  readonly #onConnecting: () => void;
  #socket: Socket | null = null;
  #isCancelled = false;

  /** `onConnecting` is called when the addresses are known and checked, before the first is dialled. */
  constructor(context: DialContext, target: DialTarget, onConnecting: () => void) {
    this.#context = context;
    this.#url = target.url;
    this.#identity = target.identity;
    this.#sessionKey = target.poolKey;
    this.#allowedIps = target.allowedIps;
    this.#onConnecting = onConnecting;
  }

  /** Never rejects. After `cancel` the answer means nothing and holds no socket. */
  async run(): Promise<Dialled | Failure> {
    const resolved = await this.#resolve();
    if ("kind" in resolved) return resolved;
    this.phase = "connect";
    this.#onConnecting();
    const connected = await this.#connectAny(resolved.addresses);
    if ("kind" in connected) return connected;
    if (this.#url.protocol === "http:")
      return { kind: "dialled", socket: connected.socket, certificateExpiresAtMs: null };
    return this.#secure(connected.socket);
  }

  /**
   * The same way for whoever wants to see it: resolves, checks, connects, looks at the certificates, closes. Nothing of a
   * request is written, and what the guard refuses is not dialled. `failure` is null when a delivery would get through.
   */
  async inspect(): Promise<Omit<SeenTls, "failure"> & { readonly failure: Failure | null }> {
    const nothing = { chain: [], protocol: null };
    const resolved = await this.#resolve();
    if ("kind" in resolved) return { ...nothing, failure: resolved };
    this.phase = "connect";
    this.#onConnecting();
    const connected = await this.#connectAny(resolved.addresses);
    if ("kind" in connected) return { ...nothing, failure: connected };
    if (this.#url.protocol === "http:") {
      connected.socket.destroy();
      return { ...nothing, failure: null };
    }
    this.phase = "tls";
    const startedAtMs = this.#context.nowMs();
    const seen = await inspectTls(connected.socket, this.#url.hostname, this.#identity);
    this.tlsMs = this.#context.nowMs() - startedAtMs;
    return seen;
  }

  /** Closes what is open. Harmless at any time before the socket was handed over. */
  cancel(): void {
    this.#isCancelled = true;
    this.#socket?.destroy();
  }

  async #resolve(): Promise<{ addresses: readonly string[] } | Failure> {
    const { hostname, port, resolution } = this.#url;
    if (resolution === "literal") return this.#narrow([hostname]);
    const startedAtMs = this.#context.nowMs();
    const resolve = resolution === "guarded" ? this.#context.resolvePublic : this.#context.resolveAllowed;
    const answer = await resolve(hostname);
    this.dnsMs = this.#context.nowMs() - startedAtMs;
    if (!answer.ok) return failedOrTimedOut("dns", answer.code);
    // One bad answer among good ones is an attack or a mistake; either way nothing is dialled.
    if (resolution === "guarded" && !answer.addresses.every((address) => this.#isAllowed(address, port))) {
      return blockedName(hostname, port);
    }
    return this.#narrow(answer.addresses);
  }

  /** Leaves the addresses that the webhook's own list holds: all of them passed the guard before. */
  #narrow(addresses: readonly string[]): { addresses: readonly string[] } | Failure {
    const list = this.#allowedIps;
    const [seen] = addresses;
    if (list === null || seen === undefined) return { addresses: orderAddresses(addresses) };
    const allowed = addresses.filter((address) => listHolds(list, address));
    if (allowed.length > 0) return { addresses: orderAddresses(allowed) };
    this.address = withPort(seen, this.#url.port);
    return notInList(addresses, list);
  }

  #isAllowed(address: string, port: number): boolean {
    return classifyAddress(address).kind === "public" || allowsAddress(this.#context.allowTargets, address, port);
  }

  async #connectAny(addresses: readonly string[]): Promise<{ socket: Socket } | Failure> {
    const startedAtMs = this.#context.nowMs();
    let failure: Failure = { kind: "connection_failed", phase: "connect", code: "ENODATA" };
    for (const [index, address] of addresses.entries()) {
      const limitMs = index < addresses.length - 1 ? NEXT_ADDRESS_AFTER_MS : null;
      const connected = await this.#connectOne(address, limitMs);
      this.connectMs = this.#context.nowMs() - startedAtMs;
      if ("socket" in connected || connected.kind === "blocked" || this.#isCancelled) return connected;
      failure = connected;
    }
    return failure;
  }

  async #connectOne(address: string, limitMs: number | null): Promise<{ socket: Socket } | Failure> {
    const { hostname, port } = this.#url;
    if (this.#isCancelled) return { kind: "connection_failed", phase: "connect", code: "CANCELLED" };
    this.address = withPort(address, port);
    const socket = this.#context.connectSocket({ host: address, port, noDelay: true, autoSelectFamily: false });
    if (socket === null) return { kind: "connection_failed", phase: "connect", code: "TOO_MANY_CONNECTIONS" };
    this.#socket = socket;
    const code = await whenConnected(socket, limitMs);
    if (code !== null) return failedOrTimedOut("connect", code);
    if (this.#isCancelled) socket.destroy();
    if (isSameAddress(socket.remoteAddress, address)) return { socket };
    socket.destroy();
    if (socket.remoteAddress === undefined) return { kind: "connection_failed", phase: "connect", code: "CLOSED" };
    return blockedName(hostname, port);
  }

  async #secure(socket: Socket): Promise<Dialled | Failure> {
    this.phase = "tls";
    const startedAtMs = this.#context.nowMs();
    const session = this.#context.sessions.get(this.#sessionKey);
    const { hostname } = this.#url;
    const secured = tlsConnect({
      socket,
      host: hostname, // what the certificate must be valid for
      servername: isIP(hostname) === 0 ? hostname : "", // RFC 6066: no addresses in SNI
      secureContext: this.#identity.context,
      rejectUnauthorized: true,
      ALPNProtocols: ["http/1.1"],
      ...(session !== undefined && { session }),
    });
    this.#socket = secured;
    secured.on("session", (fresh) => this.#context.sessions.set(this.#sessionKey, fresh));
    const failure = await secureConnected(secured);
    this.tlsMs = this.#context.nowMs() - startedAtMs;
    if (failure !== null || this.#isCancelled) {
      secured.destroy();
      return failure ?? { kind: "connection_failed", phase: "tls", code: "CANCELLED" };
    }
    return { kind: "dialled", socket: secured, certificateExpiresAtMs: certificateExpiry(secured) };
  }
}

/** c-ares and the kernel have limits of their own; reaching one is a timeout like reaching ours. */
function failedOrTimedOut(phase: "dns" | "connect", code: string): Failure {
  const isTimeout = code === "ETIMEOUT" || code === "ETIMEDOUT";
  return isTimeout ? { kind: "timed_out", phase } : { kind: "connection_failed", phase, code };
}

/** Resolves to null once connected, else to the error code; the socket is destroyed then. */
function whenConnected(socket: Socket, limitMs: number | null): Promise<string | null> {
  return new Promise((resolve) => {
    const finish = (code: string | null): void => {
      if (timer !== null) clearTimeout(timer);
      if (code !== null) socket.destroy();
      resolve(code);
    };
    const timer = limitMs === null ? null : setTimeout(finish, limitMs, "ETIMEDOUT");
    socket.once("connect", () => finish(null));
    // Stays for the life of the socket: an error between two owners must not end the process.
    socket.on("error", (error) => finish(errorCode(error, "UNKNOWN")));
    socket.once("close", () => finish("CLOSED"));
  });
}

/** Resolves to null once the handshake is done and the certificate verified. */
function secureConnected(socket: TLSSocket): Promise<Failure | null> {
  return new Promise((resolve) => {
    socket.once("secureConnect", () => {
      resolve(socket.authorized ? null : { kind: "tls_failed", code: "UNAUTHORIZED" });
    });
    socket.on("error", (error) => resolve(classifyTlsError(error)));
    socket.once("close", () => resolve({ kind: "connection_failed", phase: "tls", code: "CLOSED" }));
  });
}

function certificateExpiry(socket: TLSSocket): number | null {
  // Absent on a resumed TLS 1.2 session, whose certificate was seen when the session began.
  const validTo = socket.getPeerX509Certificate()?.validTo;
  const expiresAtMs = validTo === undefined ? Number.NaN : Date.parse(validTo);
  return Number.isNaN(expiresAtMs) ? null : expiresAtMs;
}

/** IPv4 first (a broken IPv6 route is the commoner fault), each once, a few at most. */
function orderAddresses(addresses: readonly string[]): readonly string[] {
  const unique = [...new Set(addresses)];
  const ordered = [...unique.filter((a) => !a.includes(":")), ...unique.filter((a) => a.includes(":"))];
  return ordered.slice(0, MAX_ADDRESSES_TRIED);
}

function withPort(address: string, port: number): string {
  return address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;
}

function isSameAddress(remote: string | undefined, dialled: string): boolean {
  const left = remote === undefined ? null : parseAddress(remote);
  const right = parseAddress(dialled);
  if (left === null || right === null) return false;
  return Buffer.compare(unmapAddress(left), unmapAddress(right)) === 0;
}

/** Addresses may be named here: they passed the guard, so they are public or the operator's own choice. */
function notInList(seen: readonly string[], list: AddressList): Failure {
  const addresses = seen.slice(0, MAX_ADDRESSES_TRIED).join(", ");
  const allowed = list.text.length > MAX_LIST_SHOWN ? `${list.text.slice(0, MAX_LIST_SHOWN)}…` : list.text;
  return {
    kind: "blocked",
    code: "ADDRESS_NOT_ALLOWED",
    message: `The receiver is at ${addresses}; allowedIps has ${allowed}. Nothing was sent. Add the address to allowedIps, or find out why the name leads elsewhere.`,
  };
}

function blockedName(hostname: string, port: number): Failure {
  return {
    kind: "blocked",
    code: "ADDRESS_BLOCKED",
    message: `${hostname} leads to an address that webhooks may not reach. Point it to public addresses only; for a receiver on this machine or network, add ${hostname}:${port} to POSTHORN_ALLOW_TARGETS.`,
  };
}
