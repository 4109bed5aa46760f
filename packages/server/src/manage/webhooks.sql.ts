// Statements that read and change webhooks. API role under row-level security, inside asTenant; the tenant clause is
// written all the same.
import type { Executor } from "../storage/pools.ts";
import type { StoredConfiguration } from "./webhook-configuration.ts";

export type WebhookStatus = "enabled" | "paused" | "disabled" | "deleted";

export interface WebhookRow {
  id: string;
  created_at: Date;
  updated_at: Date;
  config_version: number;
  version: number;
  livemode: boolean;
  status: WebhookStatus;
  disabled_reason: string | null;
  configuration: StoredConfiguration;
  /** A rotation of its signing secret, perhaps one whose overlap is over already; absent or null: none. */
  rotation?: RotationRow | null;
}

export interface RotationRow {
  started_ms: number;
  overlap_ends_ms: number;
  is_switched: boolean;
}

const COLUMNS = `id, created_at, updated_at, config_version, version, livemode, status, disabled_reason, configuration,
  (select json_build_object('started_ms', extract(epoch from max(s.created_at))::float8 * 1000,
      'overlap_ends_ms', extract(epoch from max(s.valid_until_at))::float8 * 1000,
      'is_switched', bool_or(s.purpose = 'signing_previous'))
    from secret s
    where s.tenant_id = webhook.tenant_id and s.webhook_id = webhook.id
      and s.purpose in ('signing', 'signing_next', 'signing_previous')
    having count(*) = 2) as rotation`;

/** Raises the one configuration version. First in every change: its row lock orders the changes. */
export async function raiseConfigVersion(db: Executor): Promise<number> {
  const { rows } = await db.query<{ version: number }>({
    name: "raise_config_version",
    text: "update config_version set version = version + 1 where only_row returning version",
  });
  const version = rows[0]?.version;
  if (version === undefined) throw new Error("the config_version row is missing: the schema was changed by hand");
  return version;
}

/** One webhook of the mode, not deleted, by primary key. */
export async function selectWebhook(
  db: Executor,
  tenantUuid: string,
  livemode: boolean,
  webhookUuid: string,
): Promise<WebhookRow | null> {
  const { rows } = await db.query<WebhookRow>({
    name: "select_webhook",
    text: `select ${COLUMNS} from webhook
      where tenant_id = $1 and id = $2 and livemode = $3 and status <> 'deleted'`,
    values: [tenantUuid, webhookUuid, livemode],
  });
  return rows[0] ?? null;
}

export interface WebhookListFilter {
  readonly beforeUuid: string;
  readonly status: string | null;
  readonly name: string | null;
  /** Only this one: what a webhook's own read key sees. */
  readonly webhookUuid: string | null;
}

/** A page of webhooks below `beforeUuid`, newest first, by primary key. */
export async function selectWebhooks(
  db: Executor,
  tenantUuid: string,
  livemode: boolean,
  filter: WebhookListFilter,
  limit: number,
): Promise<WebhookRow[]> {
  const { rows } = await db.query<WebhookRow>({
    name: "select_webhooks",
    text: `select ${COLUMNS} from webhook
      where tenant_id = $1 and livemode = $2 and status <> 'deleted' and id < $3
        and ($4::text is null or status = $4)
        and ($5::text is null or configuration ->> 'name' = $5)
        and ($7::uuid is null or id = $7)
      order by id desc
      limit $6`,
    values: [tenantUuid, livemode, filter.beforeUuid, filter.status, filter.name, limit, filter.webhookUuid],
  });
  return rows;
}

export interface NewWebhook {
  readonly tenantUuid: string;
  readonly uuid: string;
  readonly at: string;
  readonly configVersion: number;
  readonly lane: number;
  readonly livemode: boolean;
  readonly status: "enabled" | "disabled";
  readonly configuration: string;
}

/** Adds a webhook in its first version. */
export async function insertWebhook(db: Executor, webhook: NewWebhook): Promise<void> {
  await db.query({
    name: "insert_webhook",
    text: `insert into webhook (tenant_id, id, created_at, updated_at, disabled_at, config_version, version, lane,
        livemode, status, disabled_reason, configuration)
      values ($1, $2, $3, $3, case when $7 = 'disabled' then $3::timestamptz end, $4, 1, $5, $6, $7,
        case when $7 = 'disabled' then 'owner' end, $8)`,
    values: [
      webhook.tenantUuid,
      webhook.uuid,
      webhook.at,
      webhook.configVersion,
      webhook.lane,
      webhook.livemode,
      webhook.status,
      webhook.configuration,
    ],
  });
}

export interface ChangedWebhook {
  readonly tenantUuid: string;
  readonly uuid: string;
  readonly at: string;
  readonly configVersion: number;
  readonly version: number;
  readonly status: WebhookStatus;
  readonly disabledReason: string | null;
  readonly configuration: string;
}

/** Writes a webhook's new state, by primary key. When it was disabled or deleted is kept while it stays so. */
export async function updateWebhook(db: Executor, webhook: ChangedWebhook): Promise<void> {
  await db.query({
    name: "update_webhook",
    text: `update webhook
      set updated_at = $3, config_version = $4, version = $5, status = $6, disabled_reason = $7, configuration = $8,
        disabled_at = case when $6 = 'disabled' then coalesce(disabled_at, $3::timestamptz) end,
        deleted_at = case when $6 = 'deleted' then $3::timestamptz end
      where tenant_id = $1 and id = $2`,
    values: [
      webhook.tenantUuid,
      webhook.uuid,
      webhook.at,
      webhook.configVersion,
      webhook.version,
      webhook.status,
      webhook.disabledReason,
      webhook.configuration,
    ],
  });
}

/** Ends the version in force at a configuration version, exclusive. By primary key, all versions of one webhook. */
export async function closeWebhookVersion(
  db: Executor,
  tenantUuid: string,
  webhookUuid: string,
  configVersion: number,
): Promise<void> {
  await db.query({
    name: "close_webhook_version",
    text: `update webhook_version set to_config_version = $3
      where tenant_id = $1 and webhook_id = $2 and to_config_version is null`,
    values: [tenantUuid, webhookUuid, configVersion],
  });
}

export interface NewWebhookVersion {
  readonly tenantUuid: string;
  readonly webhookUuid: string;
  readonly at: string;
  readonly fromConfigVersion: number;
  readonly version: number;
  readonly createdBy: string;
  readonly configuration: string;
}

/** Adds an immutable version. */
export async function insertWebhookVersion(db: Executor, version: NewWebhookVersion): Promise<void> {
  await db.query({
    name: "insert_webhook_version",
    text: `insert into webhook_version (tenant_id, webhook_id, created_at, from_config_version, version, created_by,
        configuration)
      values ($1, $2, $3, $4, $5, $6, $7)`,
    values: [
      version.tenantUuid,
      version.webhookUuid,
      version.at,
      version.fromConfigVersion,
      version.version,
      version.createdBy,
      version.configuration,
    ],
  });
}

export interface VersionRow {
  version: number;
  created_at: Date;
  created_by: string;
  from_config_version: number;
  to_config_version: number | null;
  configuration: StoredConfiguration;
}

/** A page of versions below `beforeVersion`, newest first, by primary key. */
export async function selectVersions(
  db: Executor,
  tenantUuid: string,
  webhookUuid: string,
  beforeVersion: number,
  limit: number,
): Promise<VersionRow[]> {
  const { rows } = await db.query<VersionRow>({
    name: "select_webhook_versions",
    text: `select version, created_at, created_by, from_config_version, to_config_version, configuration
      from webhook_version
      where tenant_id = $1 and webhook_id = $2 and version < $3
      order by version desc
      limit $4`,
    values: [tenantUuid, webhookUuid, beforeVersion, limit],
  });
  return rows;
}

/** Names of the event types that the tenant registered, by primary key. */
export async function selectRegisteredTypeNames(db: Executor, tenantUuid: string): Promise<string[]> {
  const { rows } = await db.query<{ name: string }>({
    name: "select_registered_type_names",
    text: "select name from event_type where tenant_id = $1",
    values: [tenantUuid],
  });
  return rows.map((row) => row.name);
}
