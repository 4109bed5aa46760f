// What a span is, and a list of them as OTLP over HTTP wants it in JSON. Pure. Must never carry a payload, a secret, or a
// URL's path or query.

export interface Span {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId: string | null;
  readonly state: string | null;
  readonly name: string;
  readonly kind: "internal" | "server" | "client";
  /** Milliseconds since 1970, with fractions. */
  readonly startMs: number;
  readonly endMs: number;
  readonly attributes: Readonly<Record<string, string | number | null>>;
  /** What went wrong; null when nothing did. */
  readonly error: string | null;
}

/** The numbers of OTLP's SpanKind and StatusCode. */
const KINDS = { internal: 1, server: 2, client: 3 } as const;
const STATUS_ERROR = 2;

/** @param resource what all of these spans come from */
export function otlpJson(spans: readonly Span[], resource: Readonly<Record<string, string>>, version: string): string {
  return JSON.stringify({
    resourceSpans: [
      {
        resource: { attributes: attributesOf(resource) },
        scopeSpans: [{ scope: { name: "posthorn", version }, spans: spans.map(spanOf) }],
      },
    ],
  });
}

function spanOf(span: Span) {
  return {
    traceId: span.traceId,
    spanId: span.spanId,
    ...(span.parentSpanId === null ? {} : { parentSpanId: span.parentSpanId }),
    ...(span.state === null ? {} : { traceState: span.state }),
    name: span.name,
    kind: KINDS[span.kind],
    startTimeUnixNano: nanoseconds(span.startMs),
    endTimeUnixNano: nanoseconds(Math.max(span.startMs, span.endMs)),
    attributes: attributesOf(span.attributes),
    ...(span.error === null ? {} : { status: { code: STATUS_ERROR, message: span.error } }),
  };
}

function attributesOf(attributes: Readonly<Record<string, string | number | null>>) {
  return Object.entries(attributes).flatMap(([key, value]) => (value === null ? [] : [{ key, value: valueOf(value) }]));
}

function valueOf(value: string | number): Record<string, string | number> {
  if (typeof value === "string") return { stringValue: value };
  return Number.isInteger(value) ? { intValue: value } : { doubleValue: value };
}

/** Whole nanoseconds as text: no number of JavaScript holds as many. */
function nanoseconds(ms: number): string {
  const whole = Math.floor(ms);
  return `${BigInt(whole) * 1_000_000n + BigInt(Math.round((ms - whole) * 1e6))}`;
}
