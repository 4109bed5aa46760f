// What one attempt's result means for its delivery: pure, total over every result the client can return.
// Must never look at a clock or a webhook's history: what it needs is passed in.
import type { SendResult } from "../security/outbound/result.ts";
import type { ResponseAction } from "../storage/response-rules.ts";
import {
  type AttemptPlace,
  failsFast,
  type NextAttempt,
  nextAttempt,
  parseRetryAfter,
  type RetrySchedule,
} from "./retry-policy.ts";

/** The classified result of an attempt, as it is recorded. */
export type Outcome =
  | "delivered"
  /** A status that is not 2xx: redirects too, which are never followed. */
  | "rejected"
  /** The webhook's own rules say that this answer is no success, whatever its status. */
  | "rejected_by_rule"
  /** 429 or 503: the receiver asks for patience. */
  | "throttled"
  /** 410: the endpoint says that it is gone for good. */
  | "gone"
  | "timed_out"
  | "connection_failed"
  | "tls_failed"
  /** The address guard refused; nothing was sent. */
  | "blocked"
  | "invalid_response"
  /** We stopped it ourselves (shutdown); what the receiver did is unknown. */
  | "interrupted";

export type DeadLetterReason =
  | "attempts_exhausted"
  | "endpoint_gone"
  | "webhook_disabled"
  | "rejected_permanently"
  | "expired";

export type Verdict =
  | { readonly kind: "delivered" }
  | { readonly kind: "retry"; readonly nextAttemptAtMs: number }
  | { readonly kind: "dead_letter"; readonly reason: DeadLetterReason };

/** Until then the webhook is paused on every node: a configuration that is older than 2 s starts no attempt. */
const PAUSE_TAKES_HOLD_MS = 3_000;

/** What judging an answer leaves to decide about; judge.ts makes it. */
export interface Judged {
  readonly outcome: Outcome;
  /** What a rule of the webhook wants; null: what the outcome means. */
  readonly action: ResponseAction | null;
  /** Of `retry`: how long to wait instead of the policy's pause. */
  readonly afterMs: number | null;
}

export interface DecisionInput {
  readonly result: SendResult;
  /** How the answer is judged, by the webhook's rules or by its status. */
  readonly judged: Judged;
  /** The webhook's. */
  readonly schedule: RetrySchedule;
  /** The attempt that ended. */
  readonly place: AttemptPlace;
  /** When the attempt ended: estimated database time. */
  readonly endedAtMs: number;
}

/** Status and failure kinds to outcomes. 2xx alone is success (Standard Webhooks; published contract). */
export function outcomeOf(result: SendResult): { outcome: Outcome; code: string | null } {
  switch (result.kind) {
    case "responded":
      if (result.status >= 200 && result.status <= 299) return { outcome: "delivered", code: null };
      if (result.status === 410) return { outcome: "gone", code: null };
      if (result.status === 429 || result.status === 503) return { outcome: "throttled", code: null };
      return { outcome: "rejected", code: null };
    case "timed_out":
      return { outcome: "timed_out", code: `TIMED_OUT_${result.phase.toUpperCase()}` };
    case "connection_failed":
      return { outcome: "connection_failed", code: result.code };
    case "tls_failed":
      return { outcome: "tls_failed", code: result.code };
    case "blocked":
      return { outcome: "blocked", code: result.code };
    case "invalid_response":
      return { outcome: "invalid_response", code: result.code };
    case "aborted":
      return { outcome: "interrupted", code: null };
    default: {
      const unreachable: never = result;
      throw new Error(`unknown result ${JSON.stringify(unreachable)}`);
    }
  }
}

/**
 * Decides what happens next. `Retry-After` is a minimum on top of the policy; an interrupted attempt is due at once,
 * even when it was the last one of its policy, because nobody knows whether it arrived.
 */
export function decide({ result, judged, schedule, place, endedAtMs }: DecisionInput): Verdict {
  const { outcome, action, afterMs } = judged;
  switch (action) {
    case "delivered":
      return { kind: "delivered" };
    case "dead_letter":
      return { kind: "dead_letter", reason: "rejected_permanently" };
    case "disable":
      return { kind: "dead_letter", reason: "webhook_disabled" };
    // The status holds it until somebody resumes the webhook: it is not given up meanwhile.
    case "pause":
      return { kind: "retry", nextAttemptAtMs: endedAtMs + PAUSE_TAKES_HOLD_MS };
    case "retry":
      return nextVerdict(nextAttempt(schedule, place, endedAtMs, { ...patienceOf(result, endedAtMs), afterMs }));
    case null:
      break;
    default:
      return action satisfies never;
  }
  if (outcome === "delivered") return { kind: "delivered" };
  if (outcome === "gone") return { kind: "dead_letter", reason: "endpoint_gone" };
  if (outcome === "interrupted") return { kind: "retry", nextAttemptAtMs: endedAtMs };
  if (result.kind === "responded" && failsFast(schedule.retryPolicy, result.status)) {
    return { kind: "dead_letter", reason: "rejected_permanently" };
  }
  return nextVerdict(nextAttempt(schedule, place, endedAtMs, patienceOf(result, endedAtMs)));
}

function patienceOf(result: SendResult, endedAtMs: number): { patienceMs: number } {
  return { patienceMs: result.kind === "responded" ? retryAfterMs(result.headers, endedAtMs) : 0 };
}

function nextVerdict(next: NextAttempt): Verdict {
  switch (next.kind) {
    case "at":
      return { kind: "retry", nextAttemptAtMs: next.ms };
    case "none":
      return { kind: "dead_letter", reason: next.reason };
    default:
      return next satisfies never;
  }
}

function retryAfterMs(headers: readonly string[], nowMs: number): number {
  for (let i = 0; i + 1 < headers.length; i += 2) {
    if (headers[i]?.toLowerCase() === "retry-after") return parseRetryAfter(headers[i + 1], nowMs) ?? 0;
  }
  return 0;
}
