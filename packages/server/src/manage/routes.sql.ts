// Statements on routes. API role under row-level security, inside asTenant; the tenant clause is written all the same.
import type { Executor } from "../storage/pools.ts";
import type { RouteBody } from "../storage/routes.ts";

export interface RouteVersionRow {
  created_at: Date;
  from_config_version: number;
  to_config_version: number | null;
  version: number;
  name: string;
  created_by: string;
  body: RouteBody;
}

/** Whose routes, of which mode. */
export interface RoutePlace {
  readonly tenantUuid: string;
  readonly livemode: boolean;
}

const COLUMNS = "created_at, from_config_version, to_config_version, version, name, created_by, body";

/** The version in force, by index route_current. */
export async function selectRoute(
  db: Executor,
  { tenantUuid, livemode }: RoutePlace,
  name: string,
): Promise<RouteVersionRow | null> {
  const { rows } = await db.query<RouteVersionRow>({
    name: "select_route",
    text: `select ${COLUMNS} from route
      where tenant_id = $1 and livemode = $2 and name = $3 and to_config_version is null`,
    values: [tenantUuid, livemode, name],
  });
  return rows[0] ?? null;
}

/** Versions in force after a name, by name; by index route_current. */
export async function selectRoutes(
  db: Executor,
  { tenantUuid, livemode }: RoutePlace,
  afterName: string,
  limit: number,
): Promise<RouteVersionRow[]> {
  const { rows } = await db.query<RouteVersionRow>({
    name: "select_routes",
    text: `select ${COLUMNS} from route
      where tenant_id = $1 and livemode = $2 and name > $3 collate "C" and to_config_version is null
      order by name collate "C"
      limit $4`,
    values: [tenantUuid, livemode, afterName, limit],
  });
  return rows;
}

/** Versions below a number, newest first, of a deleted one too; by primary key. */
export async function selectRouteVersions(
  db: Executor,
  { tenantUuid, livemode }: RoutePlace,
  name: string,
  beforeVersion: number,
  limit: number,
): Promise<RouteVersionRow[]> {
  const { rows } = await db.query<RouteVersionRow>({
    name: "select_route_versions",
    text: `select ${COLUMNS} from route
      where tenant_id = $1 and livemode = $2 and name = $3 and version < $4
      order by version desc
      limit $5`,
    values: [tenantUuid, livemode, name, beforeVersion, limit],
  });
  return rows;
}

/** How many are in force, by index route_current. */
export async function countRoutes(db: Executor, { tenantUuid, livemode }: RoutePlace): Promise<number> {
  const { rows } = await db.query<{ count: number }>({
    name: "count_routes",
    text: "select count(*) as count from route where tenant_id = $1 and livemode = $2 and to_config_version is null",
    values: [tenantUuid, livemode],
  });
  return rows[0]?.count ?? 0;
}

/** Ends the version in force, by index route_current. */
export async function closeRoute(
  db: Executor,
  { tenantUuid, livemode }: RoutePlace,
  name: string,
  configVersion: number,
): Promise<void> {
  await db.query({
    name: "close_route",
    text: `update route set to_config_version = $4
      where tenant_id = $1 and livemode = $2 and name = $3 and to_config_version is null`,
    values: [tenantUuid, livemode, name, configVersion],
  });
}

export interface NewRoute {
  readonly name: string;
  readonly createdBy: string;
  readonly atMs: number;
  readonly configVersion: number;
  readonly body: RouteBody;
}

/** Adds the next version; numbers go on where a deleted one had come to. */
export async function insertRoute(
  db: Executor,
  { tenantUuid, livemode }: RoutePlace,
  { name, createdBy, atMs, configVersion, body }: NewRoute,
): Promise<RouteVersionRow> {
  const { rows } = await db.query<RouteVersionRow>({
    name: "insert_route",
    text: `insert into route (tenant_id, livemode, name, created_at, from_config_version, version, created_by, body)
      select $1, $2, $3, to_timestamp($4::float8 / 1000), $5,
        1 + coalesce((select max(version) from route where tenant_id = $1 and livemode = $2 and name = $3), 0), $6, $7
      returning ${COLUMNS}`,
    values: [tenantUuid, livemode, name, atMs, configVersion, createdBy, JSON.stringify(body)],
  });
  return rows[0] as RouteVersionRow;
}

/** Webhooks by id or name, of one mode, that exist; by primary key. */
export async function selectWebhooksCalled(
  db: Executor,
  { tenantUuid, livemode }: RoutePlace,
  uuids: readonly string[],
  names: readonly string[],
): Promise<{ id: string; name: string | null }[]> {
  const { rows } = await db.query<{ id: string; name: string | null }>({
    name: "select_webhooks_called",
    text: `select id, configuration ->> 'name' as name from webhook
      where tenant_id = $1 and livemode = $2 and status <> 'deleted'
        and (id = any ($3::uuid[]) or configuration ->> 'name' = any ($4::text[]))`,
    values: [tenantUuid, livemode, uuids, names],
  });
  return rows;
}
