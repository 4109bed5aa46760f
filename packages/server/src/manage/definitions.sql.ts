// Statements on definitions: rules and code tables. API role under row-level security, inside asTenant; the tenant clause is
// written all the same.
import type { DefinitionKind } from "../expressions/uses.ts";
import type { Executor } from "../storage/pools.ts";

export interface DefinitionRow {
  created_at: Date;
  updated_at: Date;
  config_version: number;
  version: number;
  kind: DefinitionKind;
  name: string;
  body: Readonly<Record<string, unknown>>;
}

export interface DefinitionVersionRow {
  created_at: Date;
  from_config_version: number;
  to_config_version: number | null;
  version: number;
  created_by: string;
  body: Readonly<Record<string, unknown>>;
}

const COLUMNS = "created_at, updated_at, config_version, version, kind, name, body";

/** One definition, by primary key. */
export async function selectDefinition(
  db: Executor,
  tenantUuid: string,
  kind: DefinitionKind,
  name: string,
): Promise<DefinitionRow | null> {
  const { rows } = await db.query<DefinitionRow>({
    name: "select_definition",
    text: `select ${COLUMNS} from definition where tenant_id = $1 and kind = $2 and name = $3`,
    values: [tenantUuid, kind, name],
  });
  return rows[0] ?? null;
}

/** Definitions of one kind after a name, by name, by primary key. */
export async function selectDefinitions(
  db: Executor,
  tenantUuid: string,
  kind: DefinitionKind,
  afterName: string,
  limit: number,
): Promise<DefinitionRow[]> {
  const { rows } = await db.query<DefinitionRow>({
    name: "select_definitions",
    text: `select ${COLUMNS} from definition
      where tenant_id = $1 and kind = $2 and name > $3 collate "C"
      order by name collate "C"
      limit $4`,
    values: [tenantUuid, kind, afterName, limit],
  });
  return rows;
}

/** Kinds and names of all of them, by primary key. */
export async function selectDefinitionNames(
  db: Executor,
  tenantUuid: string,
): Promise<{ kind: DefinitionKind; name: string }[]> {
  const { rows } = await db.query<{ kind: DefinitionKind; name: string }>({
    name: "select_definition_names",
    text: "select kind, name from definition where tenant_id = $1",
    values: [tenantUuid],
  });
  return rows;
}

/** The number of the latest version that a name ever had, 0 for none, by primary key. */
export async function selectLatestVersion(
  db: Executor,
  tenantUuid: string,
  kind: DefinitionKind,
  name: string,
): Promise<number> {
  const { rows } = await db.query<{ version: number }>({
    name: "select_latest_definition_version",
    text: `select coalesce(max(version), 0) as version from definition_version
      where tenant_id = $1 and kind = $2 and name = $3`,
    values: [tenantUuid, kind, name],
  });
  return rows[0]?.version ?? 0;
}

/** Writes a definition with its new version, and closes the version before it, by primary key. */
export async function writeDefinition(
  db: Executor,
  tenantUuid: string,
  row: DefinitionRow,
  createdBy: string,
): Promise<void> {
  await closeDefinitionVersion(db, tenantUuid, row.kind, row.name, row.config_version);
  await db.query({
    name: "write_definition",
    text: `with version as (
        insert into definition_version (tenant_id, created_at, from_config_version, version, kind, name, created_by, body)
        values ($1, $3, $4, $5, $6, $7, $8, $9)
      )
      insert into definition (tenant_id, created_at, updated_at, config_version, version, kind, name, body)
      values ($1, $2, $3, $4, $5, $6, $7, $9)
      on conflict (tenant_id, kind, name) do update
        set updated_at = excluded.updated_at, config_version = excluded.config_version, version = excluded.version,
          body = excluded.body`,
    values: [
      tenantUuid,
      row.created_at,
      row.updated_at,
      row.config_version,
      row.version,
      row.kind,
      row.name,
      createdBy,
      JSON.stringify(row.body),
    ],
  });
}

/** Ends the version in force, by primary key. */
export async function closeDefinitionVersion(
  db: Executor,
  tenantUuid: string,
  kind: DefinitionKind,
  name: string,
  configVersion: number,
): Promise<void> {
  await db.query({
    name: "close_definition_version",
    text: `update definition_version set to_config_version = $4
      where tenant_id = $1 and kind = $2 and name = $3 and to_config_version is null`,
    values: [tenantUuid, kind, name, configVersion],
  });
}

/** Removes a definition, by primary key; its versions stay. */
export async function deleteDefinition(
  db: Executor,
  tenantUuid: string,
  kind: DefinitionKind,
  name: string,
): Promise<void> {
  await db.query({
    name: "delete_definition",
    text: "delete from definition where tenant_id = $1 and kind = $2 and name = $3",
    values: [tenantUuid, kind, name],
  });
}

/** Versions below a number, newest first, by primary key; of removed ones too. */
export async function selectDefinitionVersions(
  db: Executor,
  tenantUuid: string,
  kind: DefinitionKind,
  name: string,
  beforeVersion: number,
  limit: number,
): Promise<DefinitionVersionRow[]> {
  const { rows } = await db.query<DefinitionVersionRow>({
    name: "select_definition_versions",
    text: `select created_at, from_config_version, to_config_version, version, created_by, body
      from definition_version
      where tenant_id = $1 and kind = $2 and name = $3 and version < $4
      order by version desc
      limit $5`,
    values: [tenantUuid, kind, name, beforeVersion, limit],
  });
  return rows;
}

/** Webhooks of both modes whose configuration holds a text somewhere. Reads the tenant's webhooks, by primary key. */
export async function selectWebhooksHolding(
  db: Executor,
  tenantUuid: string,
  text: string,
): Promise<{ id: string; livemode: boolean; configuration: unknown }[]> {
  const { rows } = await db.query<{ id: string; livemode: boolean; configuration: unknown }>({
    name: "select_webhooks_holding",
    text: `select id, livemode, configuration from webhook
      where tenant_id = $1 and status <> 'deleted' and strpos(configuration::text, $2) > 0
      order by id`,
    values: [tenantUuid, text],
  });
  return rows;
}
