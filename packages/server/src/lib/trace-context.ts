// W3C trace context: what a request says about its trace, kept with the event as one text, and what the requests to
// receivers say. Pure. Ids are derived, never drawn: an event without a sender's trace has its own id as trace id, and an
// attempt's span id comes from its delivery and number, so that nothing has to be stored to know them again.

/** Of one event: where its trace comes from, or that it begins here. */
export interface TraceContext {
  /** 32 hex digits. */
  readonly traceId: string;
  /** The span of the sender, 16 hex digits; null when the trace begins here. */
  readonly parentSpanId: string | null;
  /** Two hex digits; the lowest bit says that the trace is recorded. */
  readonly flags: string;
  readonly state: string | null;
}

const PARENT = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;
const NO_TRACE = "0".repeat(32);
const NO_SPAN = "0".repeat(16);
/** More than the 512 characters that everybody must be able to carry is left out. */
const STATE = /^[\x20-\x7e]{1,512}$/;

/**
 * As kept with an event: `traceparent`, a blank, `tracestate`. Null when there is no valid `traceparent`: a broken one is
 * ignored, as the standard wants it.
 */
export function keptTraceContext(parent: unknown, state: unknown): string | null {
  if (typeof parent !== "string") return null;
  const match = PARENT.exec(parent);
  if (match === null) return null;
  const [, version, traceId, spanId, flags, more] = match;
  // Of a version to come only the beginning is understood; version 00 has nothing after the flags.
  if (version === "ff" || traceId === NO_TRACE || spanId === NO_SPAN || (version === "00" && more !== undefined)) {
    return null;
  }
  const kept = `00-${traceId}-${spanId}-${flags}`;
  return typeof state === "string" && STATE.test(state) ? `${kept} ${state}` : kept;
}

/** The trace of an event by what is kept of it; `eventBytes` names the trace when nothing is. */
export function traceContextOf(kept: string | null, eventBytes: Uint8Array): TraceContext {
  if (kept === null) return { traceId: hex(eventBytes), parentSpanId: null, flags: "01", state: null };
  return {
    traceId: kept.slice(3, 35),
    parentSpanId: kept.slice(36, 52),
    flags: kept.slice(53, 55),
    state: kept.length > 56 ? kept.slice(56) : null,
  };
}

export function isRecorded({ flags }: TraceContext): boolean {
  return (Number.parseInt(flags, 16) & 1) === 1;
}

/**
 * The span of something that has an id of its own: the random half of a UUIDv7, whose variant bits are never all zero,
 * with a number worked in for what happens several times.
 */
export function spanIdOf(idBytes: Uint8Array, number = 0): string {
  const span = Buffer.from(idBytes.subarray(8, 16));
  span.writeUInt32BE((span.readUInt32BE(4) ^ number) >>> 0, 4);
  return span.toString("hex");
}

/** Headers of the request of one attempt, name and value in turn. */
export function traceHeaders(context: TraceContext, deliveryBytes: Uint8Array, number: number): string[] {
  const headers = ["traceparent", `00-${context.traceId}-${spanIdOf(deliveryBytes, number)}-${context.flags}`];
  if (context.state !== null) headers.push("tracestate", context.state);
  return headers;
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}
