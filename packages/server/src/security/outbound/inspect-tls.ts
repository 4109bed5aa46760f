// One TLS handshake to look at the receiver's certificates: unlike a delivery's, it also ends with an answer when they
// cannot be trusted. Must never write a byte of a request: the connection is closed as soon as they are seen.
import { isIP, type Socket } from "node:net";
import { connect as tlsConnect, type DetailedPeerCertificate } from "node:tls";
import { classifyTlsError } from "./failures.ts";
import type { Failure } from "./result.ts";
import type { TlsIdentity } from "./tls-identity.ts";

/** One certificate of the chain, the receiver's own first. */
export interface SeenCertificate {
  readonly subject: string;
  readonly issuer: string;
  /** Names that it is valid for; of the first one only. */
  readonly names: readonly string[];
  readonly validFromMs: number;
  readonly expiresAtMs: number;
}

export interface SeenTls {
  readonly chain: readonly SeenCertificate[];
  /** `TLSv1.3`, or null when no handshake was completed. */
  readonly protocol: string | null;
  /** Why a delivery would refuse the connection; null when it would not. */
  readonly failure: Failure | null;
}

const LONGEST_CHAIN = 10;
const MAX_NAMES = 20;

/** Resolves when the handshake has ended, one way or the other; the socket is closed then. */
export function inspectTls(socket: Socket, hostname: string, identity: TlsIdentity): Promise<SeenTls> {
  return new Promise((resolve) => {
    const secured = tlsConnect({
      socket,
      host: hostname,
      servername: isIP(hostname) === 0 ? hostname : "",
      secureContext: identity.context,
      // To see what is wrong with them. Nothing is sent on this connection.
      rejectUnauthorized: false,
      ALPNProtocols: ["http/1.1"],
    });
    const finish = (seen: SeenTls): void => {
      resolve(seen);
      secured.destroy();
    };
    secured.once("secureConnect", () => {
      const error = secured.authorizationError as unknown;
      finish({
        chain: chainOf(secured.getPeerCertificate(true)),
        protocol: secured.getProtocol(),
        failure: secured.authorized ? null : { kind: "tls_failed", code: codeOf(error) },
      });
    });
    secured.on("error", (error) => finish({ chain: [], protocol: null, failure: classifyTlsError(error) }));
    secured.once("close", () => {
      const failure: Failure = { kind: "connection_failed", phase: "tls", code: "CLOSED" };
      finish({ chain: [], protocol: null, failure });
    });
  });
}

/** Node gives the code as a text, or an error that has one. */
function codeOf(error: unknown): string {
  if (typeof error === "string") return error;
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === "string" ? code : "UNAUTHORIZED";
}

function chainOf(peer: DetailedPeerCertificate): SeenCertificate[] {
  const chain: SeenCertificate[] = [];
  const seen = new Set<string>();
  for (let at: DetailedPeerCertificate | undefined = peer; at?.subject !== undefined; at = at.issuerCertificate) {
    // A root is its own issuer.
    if (seen.has(at.fingerprint256) || chain.length === LONGEST_CHAIN) break;
    seen.add(at.fingerprint256);
    chain.push({
      subject: nameOf(at.subject),
      issuer: nameOf(at.issuer),
      names: chain.length === 0 ? namesOf(at.subjectaltname) : [],
      validFromMs: Date.parse(at.valid_from),
      expiresAtMs: Date.parse(at.valid_to),
    });
  }
  return chain;
}

function nameOf(name: DetailedPeerCertificate["subject"] | undefined): string {
  if (name === undefined) return "";
  const text = name.CN ?? name.O ?? name.OU ?? "";
  return String(Array.isArray(text) ? text[0] : text).slice(0, 200);
}

function namesOf(alternatives: string | undefined): string[] {
  return (alternatives ?? "")
    .split(", ")
    .map((each) => each.slice(each.indexOf(":") + 1))
    .filter((each) => each !== "")
    .slice(0, MAX_NAMES);
}
