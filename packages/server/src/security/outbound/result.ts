// What can come of one outbound request, as a closed union: every network outcome is a value.
// It must never carry the address that a blocked name resolved to (that would make us a port scanner).

/** How far the request had come. `request`: bytes are being written; `response`: waiting for the head. */
export type Phase = "dns" | "connect" | "tls" | "request" | "response";

/** Durations in milliseconds since the phase began; null when the phase was not reached or not needed. */
export interface PhaseTimings {
  readonly dnsMs: number | null;
  readonly connectMs: number | null;
  readonly tlsMs: number | null;
  /** From the moment the request was written to the arrival of the response head. */
  readonly firstByteMs: number | null;
  readonly totalMs: number;
}

/** What is known about the way of the request whatever came of it. */
export interface Trace {
  /** The address and port that was dialled, `1.2.3.4:443` or `[2606::1]:443`; null before dialling. With
   * ADDRESS_NOT_ALLOWED the one that the webhook's own list refused: it had passed the guard. */
  readonly address: string | null;
  /** True when an open connection of an earlier request was used. */
  readonly reusedConnection: boolean;
  /** True when at least a part of the request may have reached the receiver: the outcome there is unknown. */
  readonly requestStarted: boolean;
  readonly timings: PhaseTimings;
}

/** A complete response head arrived in time; it alone decides, whatever became of the body. */
export interface Responded extends Trace {
  readonly kind: "responded";
  /** 200 to 599: interim responses are skipped, anything else is `invalid_response`. */
  readonly status: number;
  /** Name and value in turn, as received in latin-1, at most 100 pairs. */
  readonly headers: readonly string[];
  readonly headersTruncated: boolean;
  /** The first bytes of the body as received: never decompressed. */
  readonly body: Buffer;
  /** Bytes of body read before it ended or reading stopped. */
  readonly bodyReadBytes: number;
  /** True when `body` is not the whole of it: cut at a cap, at the read budget, or by the receiver. */
  readonly bodyTruncated: boolean;
  /** When the receiver's certificate runs out, milliseconds since 1970; null for http. */
  readonly certificateExpiresAtMs: number | null;
}

export type SendResult =
  | Responded
  | (Trace & { readonly kind: "blocked"; readonly code: string; readonly message: string })
  | (Trace & { readonly kind: "timed_out"; readonly phase: Phase })
  | (Trace & { readonly kind: "connection_failed"; readonly phase: Phase; readonly code: string })
  | (Trace & { readonly kind: "tls_failed"; readonly code: string })
  | (Trace & { readonly kind: "invalid_response"; readonly code: string })
  | (Trace & { readonly kind: "aborted"; readonly phase: Phase });

/** The part of a result that names the failure, before the trace is added. */
export type Failure =
  | { readonly kind: "blocked"; readonly code: string; readonly message: string }
  | { readonly kind: "timed_out"; readonly phase: Phase }
  | { readonly kind: "connection_failed"; readonly phase: Phase; readonly code: string }
  | { readonly kind: "tls_failed"; readonly code: string }
  | { readonly kind: "invalid_response"; readonly code: string }
  | { readonly kind: "aborted"; readonly phase: Phase };
