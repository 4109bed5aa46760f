// What came of a request, for each delivery in it: the attempt as it is recorded, and how the delivery goes on. Pure.
// Rules of a webhook about answers stand here; decide.ts knows statuses and policies only.
import type { SendResult } from "../security/outbound/result.ts";
import { decide, outcomeOf } from "./decide.ts";
import type { Entry } from "./queue.ts";
import type { AttemptReport, DeliveryReport } from "./report.ts";
import type { Sent, Unit } from "./unit.ts";

export function reportOf(unit: Unit, entry: Entry, sent: Sent): DeliveryReport & { readonly attempt: AttemptReport } {
  const { webhook } = unit.prepared;
  const { body, bodyHash, result, endedAtMs } = sent;
  const number = entry.attemptCount + 1;
  const { outcome, code } = outcomeOf(result);
  return {
    entry,
    attempt: {
      number,
      trigger: entry.trigger,
      startedAtMs: unit.startedAtMs,
      endedAtMs,
      webhookVersion: webhook.version,
      url: webhook.url,
      outcome,
      outcomeCode: code,
      bodyLength: body.bytes.length,
      bodyHash,
      warnings: body.warnings,
      result,
    },
    verdict: decide({
      result,
      schedule: webhook,
      place: {
        deliveryId: entry.idBytes,
        policyAttempt: number - entry.policyAttemptBase,
        isRevived: entry.policyAttemptBase > 0,
      },
      endedAtMs,
    }),
  };
}

/** The receiver says that it is gone for good. */
export function isGone(result: SendResult): boolean {
  return outcomeOf(result).outcome === "gone";
}
