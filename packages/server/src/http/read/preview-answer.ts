// What would follow an answer, in a preview: judged and decided by the very parts that deliver uses. Pure.
import { decide } from "../../deliver/decide.ts";
import { judge } from "../../deliver/judge.ts";
import { attemptWarning } from "../../manage/response-fields.ts";
import type { ConfigurationWarning } from "../../manage/transform.ts";
import type { SendResult } from "../../security/outbound/result.ts";
import type { Webhook } from "../../storage/configuration.ts";

export interface GivenAnswer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly body?: unknown;
}

export interface PreviewedAnswer {
  readonly answer: Readonly<Record<string, unknown>>;
  readonly warnings: readonly ConfigurationWarning[];
}

/** @param deliveryId of a delivery that exists nowhere: this would be its first attempt */
export function previewAnswer(
  webhook: Webhook,
  given: GivenAnswer,
  deliveryId: Uint8Array,
  nowMs: number,
): PreviewedAnswer {
  const result = resultOf(given);
  const judged = judge(webhook, result);
  const place = { deliveryId, policyAttempt: 1, isRevived: false };
  const verdict = decide({ result, judged, schedule: webhook, place, endedAtMs: nowMs });
  const becomes = { pause: "paused", disable: "disabled" } as const;
  const isGone = judged.action === null && judged.outcome === "gone";
  return {
    answer: {
      outcome: judged.outcome,
      decidedBy: judged.code,
      verdict: verdict.kind,
      nextAttemptAt: verdict.kind === "retry" ? new Date(verdict.nextAttemptAtMs).toISOString() : null,
      reason: verdict.kind === "dead_letter" ? verdict.reason : null,
      webhookBecomes:
        judged.action === "pause" || judged.action === "disable" ? becomes[judged.action] : isGone ? "disabled" : null,
      extracted: judged.extracted ?? {},
    },
    warnings: (judged.warnings ?? []).map(attemptWarning),
  };
}

function resultOf({ status, headers = {}, body }: GivenAnswer): SendResult {
  const text = typeof body === "string" ? body : body === undefined ? "" : JSON.stringify(body);
  return {
    kind: "responded",
    status,
    headers: Object.entries(headers).flat(),
    headersTruncated: false,
    body: Buffer.from(text, "utf8"),
    bodyReadBytes: text.length,
    bodyTruncated: false,
    certificateExpiresAtMs: null,
    address: null,
    reusedConnection: false,
    requestStarted: true,
    timings: { dnsMs: null, connectMs: null, tlsMs: null, firstByteMs: null, totalMs: 0 },
  };
}
