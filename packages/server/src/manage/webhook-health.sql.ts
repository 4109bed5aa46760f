// Reads what the owners of lanes wrote down about endpoints. API role under row-level security, inside asTenant; the
// tenant clause written all the same.
import type { Executor } from "../storage/pools.ts";

export interface HealthRow {
  webhook_id: string;
  status: "healthy" | "degraded" | "failing" | "unreachable";
  score: number;
  since: Date;
  reason: string | null;
  failing_since: Date | null;
  last_success_at: Date | null;
  last_failure_at: Date | null;
  failure_count: number;
  phase: "closed" | "open" | "half_open" | "ramping";
  open_reason: "failing" | "throttled";
  open_until: Date | null;
  certificate_expires_at: Date | null;
}

/** The health of some webhooks, by primary key; those of which nothing is known are left out. */
export async function selectHealth(
  db: Executor,
  tenantUuid: string,
  webhookUuids: readonly string[],
): Promise<HealthRow[]> {
  const { rows } = await db.query<HealthRow>({
    name: "select_webhook_health",
    text: `select webhook_id, status, score, since, reason, failing_since, last_success_at, last_failure_at, failure_count,
        phase, open_reason, open_until, certificate_expires_at
      from webhook_health
      where tenant_id = $1 and webhook_id = any ($2::uuid[])`,
    values: [tenantUuid, webhookUuids],
  });
  return rows;
}
