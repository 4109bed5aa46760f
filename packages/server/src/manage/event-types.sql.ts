// Statements on the event types that a tenant registers beside the catalogue. API role under row-level security, inside
// asTenant; the tenant clause is written all the same.
import type { Executor } from "../storage/pools.ts";

export interface RegisteredTypeRow {
  created_at: Date;
  name: string;
  description: string;
  reference_path: string[] | null;
  example: unknown;
}

const COLUMNS = "created_at, name, description, reference_path, example";

/** One registered type, by primary key. */
export async function selectRegisteredType(
  db: Executor,
  tenantUuid: string,
  name: string,
): Promise<RegisteredTypeRow | null> {
  const { rows } = await db.query<RegisteredTypeRow>({
    name: "select_registered_type",
    text: `select ${COLUMNS} from event_type where tenant_id = $1 and name = $2`,
    values: [tenantUuid, name],
  });
  return rows[0] ?? null;
}

/** How many types the tenant has registered, by primary key. */
export async function countRegisteredTypes(db: Executor, tenantUuid: string): Promise<number> {
  const { rows } = await db.query<{ count: number }>({
    name: "count_registered_types",
    text: "select count(*) as count from event_type where tenant_id = $1",
    values: [tenantUuid],
  });
  return rows[0]?.count ?? 0;
}

/** Adds a type, or writes it anew, by primary key. */
export async function upsertRegisteredType(
  db: Executor,
  tenantUuid: string,
  row: RegisteredTypeRow,
  configVersion: number,
): Promise<void> {
  await db.query({
    name: "upsert_registered_type",
    text: `insert into event_type (tenant_id, created_at, config_version, name, description, reference_path, example)
      values ($1, $2, $3, $4, $5, $6, $7)
      on conflict (tenant_id, name) do update
        set config_version = excluded.config_version, description = excluded.description,
          reference_path = excluded.reference_path, example = excluded.example`,
    values: [
      tenantUuid,
      row.created_at,
      configVersion,
      row.name,
      row.description,
      row.reference_path,
      row.example === null ? null : JSON.stringify(row.example),
    ],
  });
}

/** Removes a type, by primary key. */
export async function deleteRegisteredType(db: Executor, tenantUuid: string, name: string): Promise<void> {
  await db.query({
    name: "delete_registered_type",
    text: "delete from event_type where tenant_id = $1 and name = $2",
    values: [tenantUuid, name],
  });
}

/** Ids of webhooks that name a type exactly, up to `limit`, newest first. Reads the tenant's webhooks, by primary key. */
export async function selectWebhooksNaming(
  db: Executor,
  tenantUuid: string,
  name: string,
  limit: number,
): Promise<string[]> {
  const { rows } = await db.query<{ id: string }>({
    name: "select_webhooks_naming",
    text: `select id from webhook
      where tenant_id = $1 and status <> 'deleted'
        and exists (select from json_array_elements_text(configuration -> 'events') as named (text) where text = $2)
      order by id desc
      limit $3`,
    values: [tenantUuid, name, limit],
  });
  return rows.map((row) => row.id);
}
