// The statement of apply: the webhooks that a file is about. API role under row-level security, inside asTenant.
import type { Executor } from "../storage/pools.ts";
import type { WebhookRow } from "./webhooks.sql.ts";

/**
 * Webhooks of the mode by name, or all of them, oldest first, not deleted. Reads the tenant's webhooks by primary key:
 * apply is rare, and an index on names would cost every change.
 * @param names null for all
 */
export async function selectWebhooksByName(
  db: Executor,
  tenantUuid: string,
  livemode: boolean,
  names: readonly string[] | null,
): Promise<WebhookRow[]> {
  const { rows } = await db.query<WebhookRow>({
    name: "select_webhooks_by_name",
    text: `select id, created_at, updated_at, config_version, version, livemode, status, disabled_reason, configuration
      from webhook
      where tenant_id = $1 and livemode = $2 and status <> 'deleted'
        and ($3::text[] is null or configuration ->> 'name' = any($3))
      order by id`,
    values: [tenantUuid, livemode, names],
  });
  return rows;
}
