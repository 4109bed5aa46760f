// Statements that read who and where for the stages. Engine role; all tenants.
import type { OrganisationKind } from "./organisation.ts";
import type { Executor } from "./pools.ts";

export interface OrganisationEntryRow {
  tenant_id: string;
  kind: OrganisationKind;
  id: string;
  is_removed: boolean;
  parent_id: string | null;
  departments: string[];
  teams: string[];
}

const COLUMNS = "tenant_id, kind, id, is_removed, parent_id, departments, teams";

/** What is known of one tenant now, by index organisation_entry_current. */
export async function selectOrganisation(db: Executor, tenantUuid: string): Promise<OrganisationEntryRow[]> {
  const { rows } = await db.query<OrganisationEntryRow>({
    name: "select_organisation",
    text: `select ${COLUMNS} from organisation_entry where tenant_id = $1 and valid_to is null and not is_removed`,
    values: [tenantUuid],
  });
  return rows;
}

/** What changed after a version, any tenant, by index organisation_entry_changed; gone ones included. */
export async function selectOrganisationChangedSince(db: Executor, version: number): Promise<OrganisationEntryRow[]> {
  const { rows } = await db.query<OrganisationEntryRow>({
    name: "select_organisation_changed_since",
    text: `select ${COLUMNS} from organisation_entry where valid_from > $1 and valid_to is null`,
    values: [version],
  });
  return rows;
}
