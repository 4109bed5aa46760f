// Wires the way of spans to a collector: a guarded client of its own, which reaches that one target and nothing else.
import { hostname } from "node:os";
import { SpanExporter } from "../observe/span-exporter.ts";
import { Tracing } from "../observe/tracing.ts";
import { NO_ALLOWED_TARGETS, parseAllowTargets } from "../security/addresses/allow-targets.ts";
import { createOutboundClient } from "../security/outbound/client.ts";
import type { NodeOptions } from "./node-options.ts";

export interface TracingParts {
  readonly tracing: Tracing;
  readonly exporter: SpanExporter;
  /** Sends what waits, for a moment, and closes the connection. */
  stop(): Promise<void>;
}

/** Null when no collector is set: then nothing is made, kept or asked. */
export function startTracing(options: NodeOptions, nowMs: () => number): TracingParts | null {
  const { otlp, log, version } = options;
  if (otlp === undefined) return null;
  const { hostname: host, port, protocol } = new URL(otlp.tracesUrl);
  // The operator names the collector, so it may be private; everything else stays out of reach.
  const allowed = parseAllowTargets(`${host}:${port || (protocol === "https:" ? 443 : 80)}`);
  const client = createOutboundClient({ allowTargets: allowed.ok ? allowed.targets : NO_ALLOWED_TARGETS, nowMs });
  const exporter = new SpanExporter({
    url: otlp.tracesUrl,
    headers: otlp.headers,
    sender: client,
    log,
    resource: { "service.name": "posthorn", "service.version": version, "host.name": hostname() },
    version,
  });
  return {
    tracing: new Tracing((span) => exporter.add(span)),
    exporter,
    async stop() {
      await exporter.stop();
      await client.close();
    },
  };
}
