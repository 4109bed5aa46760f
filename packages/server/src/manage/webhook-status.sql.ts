// The statement that pauses and resumes a webhook. API role, inside asTenant, the tenant clause written all the same.
import type { Executor } from "../storage/pools.ts";

/** Sets the status of a webhook that is enabled or paused, by primary key. The caller holds the configuration version. */
export async function updateStatus(
  db: Executor,
  webhook: { tenantUuid: string; uuid: string; status: "enabled" | "paused"; configVersion: number; at: string },
): Promise<void> {
  await db.query({
    name: "update_webhook_status",
    text: `update webhook set status = $3, config_version = $4, updated_at = $5
      where tenant_id = $1 and id = $2 and status in ('enabled', 'paused')`,
    values: [webhook.tenantUuid, webhook.uuid, webhook.status, webhook.configVersion, webhook.at],
  });
}
