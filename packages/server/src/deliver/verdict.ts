// What came of a request, for each delivery in it: the attempt as it is recorded, and how the delivery goes on. Pure.
// Rules of a webhook about answers stand here; decide.ts knows statuses and policies only.
import type { Webhook } from "../storage/configuration.ts";
import { decide, type Verdict } from "./decide.ts";
import { excerptOf, type Judgement } from "./judge.ts";
import type { Entry } from "./queue.ts";
import type { AttemptPlace } from "./retry-policy.ts";
import type { DeliveryReport } from "./report.ts";
import type { Sent, Unit } from "./unit.ts";

/**
 * What came of a request for each delivery in it, in their order.
 * @param judged of the answer; one for all of them
 */
export function reportsOf(unit: Unit, sent: Sent, judged: Judgement): DeliveryReport[] {
  const place = placeOf(unit);
  return unit.entries.map((entry) => reportOf(unit, entry, sent, judged, place));
}

function reportOf(unit: Unit, entry: Entry, sent: Sent, judged: Judgement, place: AttemptPlace): DeliveryReport {
  const { webhook } = unit.prepared;
  const { batch } = unit;
  const { body, bodyHash, result, endedAtMs } = sent;
  const number = entry.attemptCount + 1;
  return {
    entry,
    attempt: {
      number,
      trigger: entry.trigger,
      startedAtMs: unit.startedAtMs,
      endedAtMs,
      webhookVersion: webhook.version,
      method: body.parts?.method ?? webhook.method,
      url: body.parts?.url ?? webhook.url,
      outcome: judged.outcome,
      outcomeCode: judged.code,
      bodyLength: body.bytes.length,
      bodyHash,
      warnings: judged.warnings === null ? body.warnings : [...(body.warnings ?? []), ...judged.warnings],
      extracted: judged.extracted,
      result: excerptOf(result),
      batchBytes: batch?.idBytes ?? null,
      correctionBytes: entry.event.correctionBytes ?? null,
    },
    verdict: poisonOrNot(webhook, entry, judged, decide({ result, judged, schedule: webhook, place, endedAtMs })),
  };
}

/**
 * An ordered delivery that nobody will take: unless the webhook skips such, it is parked and holds its key. A rule that
 * says *dead letter* in so many words is obeyed.
 */
function poisonOrNot(webhook: Webhook, entry: Entry, judged: Judgement, verdict: Verdict): DeliveryReport["verdict"] {
  if (verdict.kind !== "dead_letter" || entry.orderingKey === null || webhook.orderingKey === null) return verdict;
  if (webhook.onPoison === "skip" || judged.action !== null) return verdict;
  const isPoison = verdict.reason === "attempts_exhausted" || verdict.reason === "rejected_permanently";
  return isPoison ? { kind: "held", reason: "key_parked" } : verdict;
}

/** What an answer means for the webhook as a whole. */
export type Consequence = "endpoint_gone" | "pause" | "disable" | null;

export function consequenceOf({ outcome, action }: Judgement): Consequence {
  if (action === "pause" || action === "disable") return action;
  return action === null && outcome === "gone" ? "endpoint_gone" : null;
}

/** A batch is tried again as one, so its members have one time: that of the first. */
function placeOf({ entries }: Unit): AttemptPlace {
  return {
    deliveryId: entries[0].idBytes,
    policyAttempt: Math.max(...entries.map((each) => each.attemptCount - each.policyAttemptBase)) + 1,
    isRevived: entries.some(({ policyAttemptBase }) => policyAttemptBase > 0),
  };
}
