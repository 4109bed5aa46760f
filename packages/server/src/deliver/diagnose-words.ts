// What is wrong with a receiver, in a sentence, and the one thing to do about it. Pure: failures in, words out.
// Must never name an address that the guard refused, nor quote what a receiver sent.
import type { Failure, SendResult } from "../security/outbound/result.ts";

export interface Finding {
  /** What was seen. */
  readonly message: string;
  /** What to do, in one sentence. */
  readonly nextStep: string;
}

const CERTIFICATE: Readonly<Record<string, Finding>> = {
  CERT_HAS_EXPIRED: {
    message: "The receiver's certificate has expired.",
    nextStep: "Renew the certificate on the receiver's server; nothing has to be changed here.",
  },
  CERT_NOT_YET_VALID: {
    message: "The receiver's certificate is not valid yet.",
    nextStep: "Check the clock of the receiver's server, or wait until the certificate begins.",
  },
  ERR_TLS_CERT_ALTNAME_INVALID: {
    message: "The receiver's certificate is for another name than the one in the URL.",
    nextStep: "Use a name of the certificate in the webhook's URL, or have a certificate issued for this one.",
  },
  DEPTH_ZERO_SELF_SIGNED_CERT: {
    message: "The receiver's certificate is self-signed: no authority that is trusted publicly has issued it.",
    nextStep: "Install a certificate of a public authority on the receiver's server (Let's Encrypt gives them away).",
  },
  SELF_SIGNED_CERT_IN_CHAIN: {
    message: "The receiver's certificate was issued by an authority that is not trusted publicly.",
    nextStep: "Install a certificate of a public authority on the receiver's server.",
  },
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: {
    message: "The receiver sends its certificate without the intermediate one, so it leads to no authority.",
    nextStep: "Configure the full chain on the receiver's server (often a file named fullchain.pem).",
  },
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: {
    message: "The chain of the receiver's certificate leads to no authority that is trusted publicly.",
    nextStep: "Configure the full chain on the receiver's server, of a public authority.",
  },
};

const CONNECTION: Readonly<Record<string, Finding>> = {
  ECONNREFUSED: {
    message: "The connection was refused: nothing listens at this address and port.",
    nextStep: "Start the receiver, or correct the port in the webhook's URL.",
  },
  ECONNRESET: {
    message: "The receiver closed the connection at once.",
    nextStep: "Look into the receiver's (or its proxy's) log for why it drops connections.",
  },
  EHOSTUNREACH: {
    message: "No way leads to the receiver's address.",
    nextStep: "Check the receiver's network and firewall.",
  },
  ENETUNREACH: {
    message: "No way leads to the receiver's network.",
    nextStep: "Check that the name has an address of a kind (IPv4, IPv6) that this machine can reach.",
  },
};

const PHASES = {
  dns: "looking up the name",
  connect: "connecting",
  tls: "agreeing on TLS",
  request: "sending the request",
  response: "waiting for the answer",
} as const;

const DNS_GONE: Finding = {
  message: "The name in the URL does not exist.",
  nextStep: "Correct the host in the webhook's URL, or create its DNS record.",
};

/** Why nothing came back. */
export function findingOf(failure: Failure): Finding {
  switch (failure.kind) {
    case "blocked":
      return blocked(failure);
    case "timed_out":
      return {
        message: `Time ran out while ${PHASES[failure.phase]}.`,
        nextStep:
          failure.phase === "response"
            ? "Have the receiver answer first and work afterwards, or raise the webhook's timeout (30 s at most)."
            : failure.phase === "dns"
              ? "Check the name servers of the receiver's domain."
              : "Check that the receiver runs, and that its firewall lets our addresses through.",
      };
    case "connection_failed":
      if (failure.phase === "dns") {
        if (failure.code === "ENOTFOUND" || failure.code === "ENODATA") return DNS_GONE;
        const message = `The name could not be looked up: ${failure.code}.`;
        return { message, nextStep: "Check the name servers of the receiver's domain, then try again." };
      }
      return (
        CONNECTION[failure.code] ?? {
          message: `The connection failed while ${PHASES[failure.phase]}: ${failure.code}.`,
          nextStep: "Look into the receiver's (or its proxy's) log for connections that it ended.",
        }
      );
    case "tls_failed":
      return (
        CERTIFICATE[failure.code] ?? {
          message: `No safe connection could be made: ${failure.code}.`,
          nextStep: "Check the receiver's TLS settings: TLS 1.2 or 1.3, a valid certificate, its full chain.",
        }
      );
    case "invalid_response":
      return {
        message: `What came back is not an HTTP/1.1 response: ${failure.code}.`,
        nextStep: "Check that the port in the webhook's URL is the one of the receiver's HTTP server.",
      };
    case "aborted":
      return { message: "This node is shutting down.", nextStep: "Ask again." };
    default:
      return failure satisfies never;
  }
}

function blocked({ code, message }: { readonly code: string; readonly message: string }): Finding {
  if (code === "ADDRESS_BLOCKED" || code === "URL_ADDRESS") {
    return {
      message: "The host leads to an address that webhooks may not reach (private, local or reserved).",
      nextStep:
        "Use a public address; an operator can let a target inside the own network through with POSTHORN_ALLOW_TARGETS.",
    };
  }
  if (code === "ADDRESS_NOT_ALLOWED") {
    return { message, nextStep: "Add the receiver's address to the webhook's allowedIps, or take the list away." };
  }
  return { message, nextStep: "Correct the webhook's URL." };
}

/** What an answer means; null when it is a success. */
export function findingOfStatus(status: number): Finding | null {
  if (status >= 200 && status <= 299) return null;
  const message = `The receiver answered ${status}.`;
  if (status === 401 || status === 403 || status === 407) {
    return {
      message,
      nextStep: "Check the webhook's auth, and the secret that the receiver verifies signatures with.",
    };
  }
  if (status === 404 || status === 405) {
    return {
      message,
      nextStep: "Correct the path (or method) of the webhook: the receiver runs but does not know it.",
    };
  }
  if (status === 410) {
    return { message, nextStep: "The endpoint is gone for good: set another URL, then enable the webhook." };
  }
  if (status === 429) {
    return { message, nextStep: "The receiver wants fewer requests: set the webhook's rateLimit to what it allows." };
  }
  if (status >= 300 && status <= 399) {
    return {
      message,
      nextStep: "Redirects are not followed: put the address that it leads to into the webhook's URL.",
    };
  }
  if (status >= 400 && status <= 499) {
    return { message, nextStep: "The receiver refuses this payload: compare what it expects with the request shown." };
  }
  return { message, nextStep: "Look into the receiver's log: it took the request and failed." };
}

/** A sentence for why an attempt did not succeed, as health shows it. */
export function reasonOf(result: SendResult): string {
  return result.kind === "responded" ? `The receiver answered ${result.status}.` : findingOf(result).message;
}
