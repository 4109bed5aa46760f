// One wide line for each attempt, for a log at debug level: everything that tells how it went, and nothing that could be
// a secret. Never the path or query of a URL, a header or a body.
import { formatId } from "@posthorn/contract";
import type { AttemptReport, DeliveryReport } from "./report.ts";

/** @param nodeId which node made it */
export function attemptLine(report: DeliveryReport & { readonly attempt: AttemptReport }, nodeId: string) {
  const { entry, attempt, verdict } = report;
  const { webhook } = entry.queue;
  const { result } = attempt;
  const { dnsMs, connectMs, tlsMs, firstByteMs } = result.timings;
  return {
    delivery: formatId("delivery", entry.idBytes),
    event: entry.event.publicId,
    eventType: entry.event.type,
    tenant: webhook.tenantId,
    webhook: webhook.id,
    webhookVersion: attempt.webhookVersion,
    attempt: attempt.number,
    trigger: attempt.trigger,
    outcome: attempt.outcome,
    outcomeCode: attempt.outcomeCode,
    status: result.kind === "responded" ? result.status : null,
    verdict: verdict.kind,
    reason: "reason" in verdict ? verdict.reason : null,
    nextAttemptAt: verdict.kind === "retry" ? new Date(verdict.nextAttemptAtMs).toISOString() : null,
    durationMs: Math.max(0, Math.round(attempt.endedAtMs - attempt.startedAtMs)),
    dnsMs: rounded(dnsMs),
    connectMs: rounded(connectMs),
    tlsMs: rounded(tlsMs),
    firstByteMs: rounded(firstByteMs),
    reusedConnection: result.reusedConnection,
    host: URL.canParse(attempt.url) ? new URL(attempt.url).host : null,
    address: result.address,
    bodyLength: attempt.bodyLength,
    lane: webhook.lane,
    node: nodeId,
  };
}

function rounded(ms: number | null): number | null {
  return ms === null ? null : Math.round(ms * 10) / 10;
}
