// Statements by which the organisation is followed through the platform's events. Engine role.
import type { Executor } from "../../storage/pools.ts";

export interface FollowedEventRow {
  type: string;
  id: string;
  sent_timestamp: string | null;
  livemode: boolean;
  data: Buffer;
}

/** Tenants that have an organisation, by index organisation_entry_current. */
export async function selectTenantsWithOrganisation(db: Executor): Promise<string[]> {
  const { rows } = await db.query<{ tenant_id: string }>({
    name: "select_tenants_with_organisation",
    text: `select t.id as tenant_id from tenant t
      where exists (select from organisation_entry e where e.tenant_id = t.id and e.valid_to is null)`,
  });
  return rows.map((row) => row.tenant_id);
}

/** The latest live events of some types of one tenant, oldest first, by index event_type_time. */
export async function selectFollowedEvents(
  db: Executor,
  tenantUuid: string,
  types: readonly string[],
  fromUuid: string,
  limit: number,
): Promise<FollowedEventRow[]> {
  const { rows } = await db.query<FollowedEventRow>({
    name: "select_followed_events",
    text: `select type, id, sent_timestamp, livemode, data from event
      where tenant_id = $1 and type = any ($2) and id >= $3 and livemode and erased_at is null
      order by id desc limit $4`,
    values: [tenantUuid, types, fromUuid, limit],
  });
  return rows.toReversed();
}
