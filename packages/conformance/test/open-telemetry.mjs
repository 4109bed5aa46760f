// OpenTelemetry's own packages, asked by tests in a process of its own: the test runner's resolution leads to their ES
// modules, which name files without their endings. In: { headers } or { span } on standard input; out: what they make of it.
import { createRequire } from "node:module";
import { text } from "node:stream/consumers";

const load = createRequire(import.meta.url);
const { ROOT_CONTEXT, SpanKind, SpanStatusCode, trace } = load("@opentelemetry/api");
const { W3CTraceContextPropagator } = load("@opentelemetry/core");
const { JsonTraceSerializer } = load("@opentelemetry/otlp-transformer");

/** How the propagator reads headers. */
function read(headers) {
  const getter = { get: (carrier, key) => carrier[key], keys: (carrier) => Object.keys(carrier) };
  const found = trace.getSpanContext(new W3CTraceContextPropagator().extract(ROOT_CONTEXT, headers, getter));
  if (found === undefined) return null;
  const { traceId, spanId, traceFlags, traceState } = found;
  return { traceId, spanId, traceFlags, traceState: traceState?.serialize() ?? null };
}

/** A failed client span with the values of ours, as the serializer writes it. */
function write(span) {
  const time = (nanos) => [Number(BigInt(nanos) / 1_000_000_000n), Number(BigInt(nanos) % 1_000_000_000n)];
  const bytes = JsonTraceSerializer.serializeRequest([
    {
      name: span.name,
      kind: SpanKind.CLIENT,
      spanContext: () => ({ traceId: span.traceId, spanId: span.spanId, traceFlags: 1 }),
      parentSpanContext: { traceId: span.traceId, spanId: span.parentSpanId, traceFlags: 1 },
      startTime: time(span.startTimeUnixNano),
      endTime: time(span.endTimeUnixNano),
      duration: [0, 0],
      ended: true,
      status: { code: SpanStatusCode.ERROR, message: span.status.message },
      attributes: Object.fromEntries(span.attributes.map(({ key, value }) => [key, Object.values(value)[0]])),
      links: [],
      events: [],
      resource: { attributes: {} },
      instrumentationScope: { name: "posthorn" },
      droppedAttributesCount: 0,
      droppedEventsCount: 0,
      droppedLinksCount: 0,
    },
  ]);
  return JSON.parse(Buffer.from(bytes).toString()).resourceSpans[0].scopeSpans[0].spans[0];
}

const asked = JSON.parse(await text(process.stdin));
console.log(JSON.stringify(asked.headers === undefined ? write(asked.span) : read(asked.headers)));
