// Statements that read the event types which a tenant registered beside the catalogue. API role, inside asTenant.
import type { Executor } from "../../storage/pools.ts";

export interface EventTypeRow {
  name: string;
  description: string;
  reference_path: string[] | null;
  example: unknown;
}

/** All of the tenant's own event types, by primary key. */
export async function selectEventTypes(db: Executor, tenantUuid: string): Promise<EventTypeRow[]> {
  const { rows } = await db.query<EventTypeRow>({
    name: "select_event_types",
    text: "select name, description, reference_path, example from event_type where tenant_id = $1",
    values: [tenantUuid],
  });
  return rows;
}
