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
  /** Since when, while it is disabled. */
  disabled_at?: Date | null;
  configuration: StoredConfiguration;
  /** A rotation of its signing secret, perhaps one whose overlap is over already; absent or null: none. */
  rotation?: RotationRow | null;
}

export interface RotationRow {
  started_ms: number;
  overlap_ends_ms: number;
  is_switched: boolean;
}

const COLUMNS = `id, created_at, updated_at, config_version, version, livemode, status, disabled_reason, disabled_at, configuration,
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

/** What all rows of one change have in common. */
export interface ChangeStamp {
  readonly tenantUuid: string;
  readonly at: string;
  readonly configVersion: number;
}

export interface NewWebhook {
  readonly uuid: string;
  readonly lane: number;
  readonly livemode: boolean;
  readonly status: "enabled" | "disabled";
  readonly configuration: string;
}

/** Adds webhooks in their first version. */
export async function insertWebhooks(db: Executor, stamp: ChangeStamp, webhooks: readonly NewWebhook[]): Promise<void> {
  await db.query({
    name: "insert_webhooks",
    text: `insert into webhook (tenant_id, id, created_at, updated_at, disabled_at, config_version, version, lane,
        livemode, status, disabled_reason, configuration)
      select $1, w.id, $2, $2, case when w.status = 'disabled' then $2::timestamptz end, $3, 1, w.lane, w.livemode,
        w.status, case when w.status = 'disabled' then 'owner' end, w.configuration::json
      from unnest($4::uuid[], $5::int2[], $6::bool[], $7::text[], $8::text[])
        as w (id, lane, livemode, status, configuration)`,
    values: [
      stamp.tenantUuid,
      stamp.at,
      stamp.configVersion,
      webhooks.map((each) => each.uuid),
      webhooks.map((each) => each.lane),
      webhooks.map((each) => each.livemode),
      webhooks.map((each) => each.status),
      webhooks.map((each) => each.configuration),
    ],
  });
}

export interface ChangedWebhook {
  readonly uuid: string;
  readonly version: number;
  readonly status: WebhookStatus;
  readonly disabledReason: string | null;
  readonly configuration: string;
}

/** Writes webhooks' new states, by primary key. When one was disabled or deleted is kept while it stays so. */
export async function updateWebhooks(
  db: Executor,
  stamp: ChangeStamp,
  webhooks: readonly ChangedWebhook[],
): Promise<void> {
  await db.query({
    name: "update_webhooks",
    text: `update webhook
      set updated_at = $2, config_version = $3, version = w.version, status = w.status,
        disabled_reason = w.disabled_reason, configuration = w.configuration::json,
        disabled_at = case when w.status = 'disabled' then coalesce(disabled_at, $2::timestamptz) end,
        deleted_at = case when w.status = 'deleted' then $2::timestamptz end
      from unnest($4::uuid[], $5::int4[], $6::text[], $7::text[], $8::text[])
        as w (id, version, status, disabled_reason, configuration)
      where webhook.tenant_id = $1 and webhook.id = w.id`,
    values: [
      stamp.tenantUuid,
      stamp.at,
      stamp.configVersion,
      webhooks.map((each) => each.uuid),
      webhooks.map((each) => each.version),
      webhooks.map((each) => each.status),
      webhooks.map((each) => each.disabledReason),
      webhooks.map((each) => each.configuration),
    ],
  });
}

/** Ends the versions in force of webhooks at a configuration version, exclusive. By primary key. */
export async function closeWebhookVersions(
  db: Executor,
  tenantUuid: string,
  webhookUuids: readonly string[],
  configVersion: number,
): Promise<void> {
  await db.query({
    name: "close_webhook_versions",
    text: `update webhook_version set to_config_version = $3
      where tenant_id = $1 and webhook_id = any ($2::uuid[]) and to_config_version is null`,
    values: [tenantUuid, webhookUuids, configVersion],
  });
}

export interface NewWebhookVersion {
  readonly webhookUuid: string;
  readonly version: number;
  readonly configuration: string;
}

/** Adds immutable versions. */
export async function insertWebhookVersions(
  db: Executor,
  stamp: ChangeStamp,
  createdBy: string,
  versions: readonly NewWebhookVersion[],
): Promise<void> {
  await db.query({
    name: "insert_webhook_versions",
    text: `insert into webhook_version (tenant_id, webhook_id, created_at, from_config_version, version, created_by,
        configuration)
      select $1, v.webhook_id, $2, $3, v.version, $4, v.configuration::json
      from unnest($5::uuid[], $6::int4[], $7::text[]) as v (webhook_id, version, configuration)`,
    values: [
      stamp.tenantUuid,
      stamp.at,
      stamp.configVersion,
      createdBy,
      versions.map((each) => each.webhookUuid),
      versions.map((each) => each.version),
      versions.map((each) => each.configuration),
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
