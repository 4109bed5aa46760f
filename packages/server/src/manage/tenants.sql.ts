// Statements on tenants. Those that cross tenants run as the engine; those on the caller's own run as the API role,
// which sees one tenant and may change only what is the tenant's own.
import type { Executor } from "../storage/pools.ts";

export interface TenantRow {
  id: string;
  created_at: Date;
  capture_limit_per_second: number | null;
  retention_class: number;
  unknown_event_types: "refused" | "open";
  administrator_email: string | null;
  time_zone: string;
  name: string;
}

const COLUMNS = `id, created_at, capture_limit_per_second, retention_class, unknown_event_types, administrator_email,
  time_zone, name`;

/** One tenant, by primary key. Either role. */
export async function selectTenant(db: Executor, tenantUuid: string): Promise<TenantRow | null> {
  const { rows } = await db.query<TenantRow>({
    name: "select_tenant",
    text: `select ${COLUMNS} from tenant where id = $1`,
    values: [tenantUuid],
  });
  return rows[0] ?? null;
}

/** The tenant of a name, by its unique index. Engine role. */
export async function selectTenantByName(db: Executor, name: string): Promise<TenantRow | null> {
  const { rows } = await db.query<TenantRow>({
    name: "select_tenant_by_name",
    text: `select ${COLUMNS} from tenant where name = $1`,
    values: [name],
  });
  return rows[0] ?? null;
}

/** The tenant of the first start: ids begin with their time. By primary key. Engine role. */
export async function selectFirstTenant(db: Executor): Promise<TenantRow | null> {
  const { rows } = await db.query<TenantRow>({
    name: "select_first_tenant",
    text: `select ${COLUMNS} from tenant order by id limit 1`,
  });
  return rows[0] ?? null;
}

/** A page of tenants below an id, newest first, by primary key. Engine role. */
export async function selectTenants(
  db: Executor,
  filter: { readonly beforeUuid: string; readonly name: string | null },
  limit: number,
): Promise<TenantRow[]> {
  const { rows } = await db.query<TenantRow>({
    name: "select_tenants",
    text: `select ${COLUMNS} from tenant
      where id < $1 and ($2::text is null or name = $2)
      order by id desc
      limit $3`,
    values: [filter.beforeUuid, filter.name, limit],
  });
  return rows;
}

export interface NewTenant {
  readonly uuid: string;
  readonly atMs: number;
  readonly configVersion: number;
  readonly name: string;
  readonly captureLimitPerSecond: number | null;
  readonly retentionDays: number;
  readonly unknownEventTypes: "refused" | "open";
  readonly administratorEmail: string | null;
  readonly timeZone: string;
}

/** Adds a tenant. Engine role. */
export async function insertTenant(db: Executor, tenant: NewTenant): Promise<void> {
  await db.query({
    name: "insert_tenant",
    text: `insert into tenant (id, created_at, config_version, name, capture_limit_per_second, retention_class,
        unknown_event_types, administrator_email, time_zone)
      values ($1, to_timestamp($2::float8 / 1000), $3, $4, $5, $6, $7, $8, $9)`,
    values: [
      tenant.uuid,
      tenant.atMs,
      tenant.configVersion,
      tenant.name,
      tenant.captureLimitPerSecond,
      tenant.retentionDays,
      tenant.unknownEventTypes,
      tenant.administratorEmail,
      tenant.timeZone,
    ],
  });
}

/** Writes all that an operator may change, by primary key. Engine role. */
export async function updateTenant(db: Executor, row: TenantRow, configVersion: number): Promise<void> {
  await db.query({
    name: "update_tenant",
    text: `update tenant
      set config_version = $2, name = $3, capture_limit_per_second = $4, retention_class = $5, unknown_event_types = $6,
        administrator_email = $7, time_zone = $8
      where id = $1`,
    values: [
      row.id,
      configVersion,
      row.name,
      row.capture_limit_per_second,
      row.retention_class,
      row.unknown_event_types,
      row.administrator_email,
      row.time_zone,
    ],
  });
}

/** Writes what a tenant may change of itself, by primary key. API role, which is granted these columns and no others. */
export async function updateOwnTenant(db: Executor, row: TenantRow, configVersion: number): Promise<void> {
  await db.query({
    name: "update_own_tenant",
    text: `update tenant
      set config_version = $2, retention_class = $3, unknown_event_types = $4, administrator_email = $5, time_zone = $6
      where id = $1`,
    values: [
      row.id,
      configVersion,
      row.retention_class,
      row.unknown_event_types,
      row.administrator_email,
      row.time_zone,
    ],
  });
}

/** Says that something of the tenant was changed that leaves no row of its own to find. By primary key. API role. */
export async function touchTenant(db: Executor, tenantUuid: string, configVersion: number): Promise<void> {
  await db.query({
    name: "touch_tenant",
    text: "update tenant set config_version = $2 where id = $1",
    values: [tenantUuid, configVersion],
  });
}
