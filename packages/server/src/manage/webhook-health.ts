// The health of a webhook's endpoint as everybody sees it. Pure: rows in, published names out.
import type { HealthRow } from "./webhook-health.sql.ts";

export interface HealthView {
  /** `unknown`: nothing was sent yet. */
  readonly status: "unknown" | HealthRow["status"];
  /** 0 to 100: about the share of its latest attempts that succeeded; null while unknown. */
  readonly score: number | null;
  readonly since: string | null;
  /** A sentence; null while it is healthy. */
  readonly reason: string | null;
  /** `open`: its deliveries are held. `half_open`: one at a time. `ramping`: more and more. */
  readonly breaker: HealthRow["phase"];
  /** While its deliveries are held: when one of them is tried. */
  readonly nextProbeAt: string | null;
  /** The first failure since the last success. */
  readonly failingSince: string | null;
  readonly lastSuccessAt: string | null;
  readonly lastFailureAt: string | null;
  /** When it is disabled, if nothing succeeds before and failures go on. */
  readonly disablesAt: string | null;
  /** The receiver's certificate, as seen in handshakes. */
  readonly certificateExpiresAt: string | null;
}

const DISABLE_AFTER_MS = 120 * 3_600_000;

/** @param row absent for a webhook to which nothing was sent yet */
export function healthView(row: HealthRow | undefined, nowMs: number): HealthView {
  if (row === undefined) {
    return {
      status: "unknown",
      score: null,
      since: null,
      reason: null,
      breaker: "closed",
      nextProbeAt: null,
      failingSince: null,
      lastSuccessAt: null,
      lastFailureAt: null,
      disablesAt: null,
      certificateExpiresAt: null,
    };
  }
  const isAtRest = row.phase === "open" && row.open_until !== null && row.open_until.getTime() > nowMs;
  return {
    status: row.status,
    score: row.score,
    since: row.since.toISOString(),
    reason: row.reason,
    // The time of the first probe has come: that is what half open means, whether one has gone already or not.
    breaker: row.phase === "open" && !isAtRest ? "half_open" : row.phase,
    nextProbeAt: isAtRest ? (row.open_until?.toISOString() ?? null) : null,
    failingSince: row.failing_since?.toISOString() ?? null,
    lastSuccessAt: row.last_success_at?.toISOString() ?? null,
    lastFailureAt: row.last_failure_at?.toISOString() ?? null,
    disablesAt:
      row.failing_since === null ? null : new Date(row.failing_since.getTime() + DISABLE_AFTER_MS).toISOString(),
    certificateExpiresAt: row.certificate_expires_at?.toISOString() ?? null,
  };
}
