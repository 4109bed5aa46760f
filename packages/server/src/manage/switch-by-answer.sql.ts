// The statements by which the program itself switches a webhook off, or pauses it. Engine role.
import type { Executor } from "../storage/pools.ts";

/** Disables an enabled or paused webhook, by primary key. False: it was off or deleted already. */
export async function disableWebhook(
  db: Executor,
  webhook: {
    tenantUuid: string;
    webhookUuid: string;
    reason: "endpoint_gone" | "response_rule" | "health";
    configVersion: number;
    atMs: number;
  },
): Promise<boolean> {
  const result = await db.query({
    name: "disable_webhook",
    text: `
update webhook
set status = 'disabled', disabled_reason = $3, disabled_at = to_timestamp($5::float8 / 1000),
  updated_at = to_timestamp($5::float8 / 1000), config_version = $4
where tenant_id = $1 and id = $2 and status in ('enabled', 'paused')`,
    values: [webhook.tenantUuid, webhook.webhookUuid, webhook.reason, webhook.configVersion, webhook.atMs],
  });
  return result.rowCount === 1;
}

/** Pauses an enabled webhook, by primary key. False: it was paused, off or deleted already. */
export async function pauseWebhook(
  db: Executor,
  webhook: { tenantUuid: string; webhookUuid: string; configVersion: number; atMs: number },
): Promise<boolean> {
  const result = await db.query({
    name: "pause_webhook_by_answer",
    text: `
update webhook
set status = 'paused', updated_at = to_timestamp($4::float8 / 1000), config_version = $3
where tenant_id = $1 and id = $2 and status = 'enabled'`,
    values: [webhook.tenantUuid, webhook.webhookUuid, webhook.configVersion, webhook.atMs],
  });
  return result.rowCount === 1;
}
