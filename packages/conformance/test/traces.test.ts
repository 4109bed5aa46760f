// Traces from sender to receiver, as OpenTelemetry's own packages read and write them, with a collector that is a real
// HTTP server.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startTestNode, type TestNode } from "../../server/test/support/node.ts";
import { type ReceivedRequest, type Receiver, startReceiver } from "../../server/test/support/receivers/receiver.ts";
import { until } from "../../server/test/support/until.ts";

const TRACE = "4bf92f3577b34da6a3ce929d0e0e4736";
const SPAN = "00f067aa0ba902b7";

interface SpanJson {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly traceState?: string;
  readonly name: string;
  readonly kind: number;
  readonly startTimeUnixNano: string;
  readonly endTimeUnixNano: string;
  readonly attributes: readonly { readonly key: string; readonly value: Record<string, unknown> }[];
  readonly status?: { readonly code: number; readonly message?: string };
}

let receiver: Receiver;
let collector: Receiver;
let node: TestNode;

beforeAll(async () => {
  receiver = await startReceiver({
    answer: (request, index) => (request.path === "/flaky" && index === 0 ? 500 : 200),
  });
  collector = await startReceiver();
  node = await startTestNode({
    otlp: { tracesUrl: `${collector.origin}/v1/traces`, headers: ["x-collector-key", "of-the-collector"] },
  });
});
afterAll(async () => {
  await node?.stop();
  await receiver?.close();
  await collector?.close();
});

const PEER = fileURLToPath(new URL("open-telemetry.mjs", import.meta.url));

/** Never blocking: the node under test beats in this process. */
async function askOpenTelemetry<Answer>(question: object): Promise<Answer> {
  const child = spawn(process.execPath, [PEER], { stdio: ["pipe", "pipe", "inherit"] });
  child.stdin.end(JSON.stringify(question));
  const [answer, [status]] = await Promise.all([text(child.stdout), once(child, "exit")]);
  if (status !== 0) throw new Error(`OpenTelemetry's packages ended with ${status}`);
  return JSON.parse(answer) as Answer;
}

interface ReadContext {
  readonly traceId: string;
  readonly spanId: string;
  readonly traceFlags: number;
  readonly traceState: string | null;
}

/** How OpenTelemetry's propagator reads the headers of a request. */
function read(request: ReceivedRequest | undefined): Promise<ReadContext | null> {
  return askOpenTelemetry({ headers: request?.headers });
}

const spans = (): SpanJson[] =>
  collector.requests.flatMap(({ body }) => JSON.parse(body.toString()).resourceSpans[0].scopeSpans[0].spans);
const attribute = (span: SpanJson | undefined, key: string): unknown =>
  Object.values(span?.attributes.find((each) => each.key === key)?.value ?? {})[0];

async function spansOf(traceId: string, count: number): Promise<SpanJson[]> {
  return until(`${count} spans of ${traceId}`, async () => {
    const found = spans().filter((span) => span.traceId === traceId);
    return found.length >= count ? found : null;
  });
}

test("the sender's trace reaches the receiver, in every attempt and with a span of its own, and is exported", async () => {
  await node.api("POST", "/v1/webhooks/subscribe", { url: `${receiver.origin}/flaky`, events: ["invoice.paid"] });
  await node.api(
    "POST",
    "/v1/events",
    { event: "invoice.paid", data: { secret: "payload-of-mine" } },
    { traceparent: `00-${TRACE}-${SPAN}-01`, tracestate: "vendor=1" },
  );
  const [delivery] = (await node.api("GET", "/v1/deliveries")).body.data;
  await receiver.received(1);
  // What waits for its retry has left memory: the trace is read from the table again.
  await until("the first attempt to be recorded", async () => {
    const [row] = await node.sql<{ count: string }>("select count(*) from attempt");
    return Number(row?.count) === 1;
  });
  await node.api("POST", `/v1/deliveries/${delivery.id}/retry`);
  const requests = await receiver.received(2);
  const contexts = await Promise.all(requests.map((request) => read(request)));
  expect(contexts.map((each) => [each?.traceId, each?.traceFlags, each?.traceState])).toEqual([
    [TRACE, 1, "vendor=1"],
    [TRACE, 1, "vendor=1"],
  ]);
  expect(new Set([SPAN, ...contexts.map((each) => each?.spanId)]).size).toBe(3);

  const exported = await spansOf(TRACE, 4);
  const named = (name: string) => exported.filter((span) => span.name === name);
  const [capture] = named("capture");
  expect(capture).toMatchObject({ parentSpanId: SPAN, traceState: "vendor=1", kind: 2 });
  expect(named("route")[0]?.parentSpanId).toBe(capture?.spanId);
  const attempts = named("deliver");
  expect(attempts.map((span) => span.parentSpanId)).toEqual([capture?.spanId, capture?.spanId]);
  expect(attempts.map((span) => span.spanId).sort()).toEqual(contexts.map((each) => each?.spanId).sort());
  expect(attempts.map((span) => [attribute(span, "http.response.status_code"), span.status?.code])).toEqual([
    [500, 2],
    [200, undefined],
  ]);
  for (const span of exported) {
    expect(BigInt(span.endTimeUnixNano) >= BigInt(span.startTimeUnixNano)).toBe(true);
  }
  const [first] = collector.requests;
  expect([first?.path, first?.headers["content-type"], first?.headers["x-collector-key"]]).toEqual([
    "/v1/traces",
    "application/json",
    "of-the-collector",
  ]);
  expect(collector.requests.map(({ body }) => body.toString()).join()).not.toContain("payload-of-mine");
});

test("a span is written as OpenTelemetry's own serializer writes it", async () => {
  const [ours] = await spansOf(TRACE, 4).then((all) => all.filter((span) => span.status !== undefined));
  const span = ours as SpanJson;
  const theirs = await askOpenTelemetry<SpanJson>({ span });
  const { traceState: _, ...without } = span;
  expect(theirs).toMatchObject(without);
});

test("an event without a sender's trace begins one, and one that its sender does not record is passed on unrecorded", async () => {
  await node.api("POST", "/v1/webhooks/subscribe", { url: `${receiver.origin}/in`, events: ["sale.completed"] });
  const before = receiver.requests.length;
  await node.api("POST", "/v1/events", { event: "sale.completed", data: 1 });
  const [begun] = (await receiver.received(before + 1)).slice(before);
  const context = await read(begun);
  const exported = await spansOf(context?.traceId ?? "", 3);
  expect(exported.find((span) => span.name === "capture")?.parentSpanId).toBe(undefined);

  const unrecorded = "c".repeat(32);
  const batch = { events: [{ event: "sale.completed", data: 2 }] };
  await node.api("POST", "/v1/events/batch", batch, { traceparent: `00-${unrecorded}-${SPAN}-00` });
  const [passed] = (await receiver.received(before + 2)).slice(before + 1);
  expect(await read(passed)).toMatchObject({ traceId: unrecorded, traceFlags: 0 });
  expect(spans().filter((span) => span.traceId === unrecorded)).toEqual([]);
});

test("without a collector a request carries a trace only when its sender began one", async () => {
  const plain = await startTestNode();
  try {
    await plain.api("POST", "/v1/webhooks/subscribe", { url: `${receiver.origin}/plain`, events: ["invoice.paid"] });
    const before = receiver.requests.length;
    await plain.api("POST", "/v1/events", { event: "invoice.paid", data: 1 });
    const [without] = (await receiver.received(before + 1)).slice(before);
    expect(Object.keys((without as ReceivedRequest).headers).filter((name) => name.startsWith("trace"))).toEqual([]);
    const sent = { traceparent: `00-${"d".repeat(32)}-${SPAN}-01` };
    await plain.api("POST", "/v1/events", { event: "invoice.paid", data: 2 }, { ...sent, "Idempotency-Key": "two" });
    const [withOne] = (await receiver.received(before + 2)).slice(before + 1);
    expect((await read(withOne))?.traceId).toBe("d".repeat(32));
    const kept = await plain.sql<{ trace_context: string | null }>(
      "select trace_context from event order by trace_context nulls first",
    );
    expect(kept.map((row) => row.trace_context)).toEqual([null, sent.traceparent]);
  } finally {
    await plain.stop();
  }
});

test("a collector that fails loses spans, which are counted, and holds up nothing", async () => {
  const failing = await startReceiver({ answer: () => 503 });
  const other = await startTestNode({
    metricsToken: "only-for-the-scraper-0001",
    otlp: { tracesUrl: `${failing.origin}/v1/traces`, headers: [] },
  });
  try {
    await other.api("POST", "/v1/webhooks/subscribe", { url: `${receiver.origin}/other`, events: ["invoice.paid"] });
    const before = receiver.requests.length;
    await other.api("POST", "/v1/events", { event: "invoice.paid", data: 1 });
    await receiver.received(before + 1);
    await until("the spans to be counted as dropped", async () => {
      const response = await fetch(`${other.node.url}/metrics`, {
        headers: { authorization: "Bearer only-for-the-scraper-0001" },
      });
      return (await response.text()).includes('posthorn_spans_total{result="dropped",process="1"} 3');
    });
  } finally {
    await other.stop();
    await failing.close();
  }
});
