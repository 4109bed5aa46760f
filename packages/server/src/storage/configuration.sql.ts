// Statements that read configuration for the stages. Engine role; all tenants.
import type { Executor } from "./pools.ts";

export interface WebhookRow {
  tenant_id: string;
  id: string;
  config_version: number;
  version: number;
  lane: number;
  livemode: boolean;
  status: "enabled" | "paused" | "disabled" | "deleted";
  disabled_reason: string | null;
  configuration: unknown;
  /** Null when it has none. */
  secrets: SecretRow[] | null;
}

export interface SecretRow {
  id: string;
  purpose: "signing" | "signing_next" | "signing_previous" | "auth" | "header";
  /** The header's name in lower case; null for other purposes. */
  name: string | null;
  ciphertext: string;
  valid_until_ms: number | null;
}

const WEBHOOK_COLUMNS = `
    w.tenant_id, w.id, w.config_version, w.version, w.lane, w.livemode, w.status, w.disabled_reason, w.configuration,
    s.secrets
  from webhook w
  left join lateral (
    select json_agg(json_build_object(
      'id', s.id, 'purpose', s.purpose, 'name', s.name, 'ciphertext', s.ciphertext,
      'valid_until_ms', extract(epoch from s.valid_until_at)::float8 * 1000
    )) as secrets
    from secret s
    where s.tenant_id = w.tenant_id and s.webhook_id = w.id
  ) s on true`;

/** The one row that every change raises. */
export async function selectConfigVersion(db: Executor): Promise<{ version: number; database_ms: number }> {
  const result = await db.query<{ version: number; database_ms: number }>({
    name: "select_config_version",
    text: "select version, extract(epoch from clock_timestamp())::float8 * 1000 as database_ms from config_version",
  });
  const row = result.rows[0];
  if (row === undefined) throw new Error("the config_version row is missing: the schema was changed by hand");
  return row;
}

/** Webhooks changed after a version, any tenant, by index webhook_config_version; deleted ones included. */
export async function selectWebhooksChangedSince(db: Executor, version: number): Promise<WebhookRow[]> {
  const result = await db.query<WebhookRow>({
    name: "select_webhooks_changed_since",
    text: `select ${WEBHOOK_COLUMNS} where w.config_version > $1 order by w.config_version`,
    values: [version],
  });
  return result.rows;
}

/** All webhooks of one tenant that still exist, by primary key. */
export async function selectWebhooksOfTenant(db: Executor, tenantUuid: string): Promise<WebhookRow[]> {
  const result = await db.query<WebhookRow>({
    name: "select_webhooks_of_tenant",
    text: `select ${WEBHOOK_COLUMNS} where w.tenant_id = $1 and w.status <> 'deleted'`,
    values: [tenantUuid],
  });
  return result.rows;
}

/** One webhook, deleted or not, by primary key. */
export async function selectWebhook(db: Executor, tenantUuid: string, webhookUuid: string): Promise<WebhookRow | null> {
  const result = await db.query<WebhookRow>({
    name: "select_webhook_for_delivery",
    text: `select ${WEBHOOK_COLUMNS} where w.tenant_id = $1 and w.id = $2`,
    values: [tenantUuid, webhookUuid],
  });
  return result.rows[0] ?? null;
}

/** Tenants of which something changed after a version, by index tenant_config_version. */
export async function selectTenantsChangedSince(db: Executor, version: number): Promise<string[]> {
  const result = await db.query<{ id: string }>({
    name: "select_tenants_changed_since",
    text: "select id from tenant where config_version > $1",
    values: [version],
  });
  return result.rows.map((row) => row.id);
}

/** Names and reference paths of the event types that a tenant registered beside the catalogue. */
export async function selectRegisteredTypes(
  db: Executor,
  tenantUuid: string,
): Promise<{ name: string; reference_path: string[] | null }[]> {
  const result = await db.query<{ name: string; reference_path: string[] | null }>({
    name: "select_registered_types",
    text: "select name, reference_path from event_type where tenant_id = $1",
    values: [tenantUuid],
  });
  return result.rows;
}

/** What a tenant names once and its expressions use, by primary key. */
export async function selectDefinitionsOfTenant(
  db: Executor,
  tenantUuid: string,
): Promise<{ kind: "rule" | "code_table"; name: string; body: unknown }[]> {
  const result = await db.query<{ kind: "rule" | "code_table"; name: string; body: unknown }>({
    name: "select_definitions_of_tenant",
    text: "select kind, name, body from definition where tenant_id = $1",
    values: [tenantUuid],
  });
  return result.rows;
}
