// The statement that reads routes for the stages. Engine role, or API role inside asTenant.
import type { Executor } from "./pools.ts";
import type { RouteBody } from "./routes.ts";

export interface RouteRow {
  livemode: boolean;
  name: string;
  body: RouteBody;
}

/** The routes of a tenant that are in force, of both modes, by index route_current. */
export async function selectRoutesOfTenant(db: Executor, tenantUuid: string): Promise<RouteRow[]> {
  const { rows } = await db.query<RouteRow>({
    name: "select_routes_of_tenant",
    text: "select livemode, name, body from route where tenant_id = $1 and to_config_version is null order by name",
    values: [tenantUuid],
  });
  return rows;
}
