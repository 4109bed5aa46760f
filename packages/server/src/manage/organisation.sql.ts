// Statements on who and where. Either role; the tenant clause is written all the same.
import type { OrganisationKind } from "../storage/organisation.ts";
import type { Executor } from "../storage/pools.ts";

/** What one of them is now. */
export interface OrganisationRow {
  as_of: Date;
  is_removed: boolean;
  kind: OrganisationKind;
  id: string;
  name: string | null;
  parent_id: string | null;
  departments: string[];
  teams: string[];
}

const COLUMNS = "as_of, is_removed, kind, id, name, parent_id, departments, teams";

/** What these are now, gone ones included, by index organisation_entry_current. */
export async function selectOrganisationEntries(
  db: Executor,
  tenantUuid: string,
  keys: readonly Pick<OrganisationRow, "kind" | "id">[],
): Promise<OrganisationRow[]> {
  const { rows } = await db.query<OrganisationRow>({
    name: "select_organisation_entries",
    text: `select ${COLUMNS} from organisation_entry
      where tenant_id = $1 and (kind, id) in (select * from unnest($2::text[], $3::text[])) and valid_to is null`,
    values: [tenantUuid, keys.map(({ kind }) => kind), keys.map(({ id }) => id)],
  });
  return rows;
}

/** Entries of one kind after an id, by id, gone ones left out; by index organisation_entry_current. */
export async function selectOrganisationPage(
  db: Executor,
  tenantUuid: string,
  kind: OrganisationKind,
  afterId: string,
  limit: number,
): Promise<OrganisationRow[]> {
  const { rows } = await db.query<OrganisationRow>({
    name: "select_organisation_page",
    text: `select ${COLUMNS} from organisation_entry
      where tenant_id = $1 and kind = $2 and id > $3 and valid_to is null and not is_removed
      order by id limit $4`,
    values: [tenantUuid, kind, afterId, limit],
  });
  return rows;
}

/** Ends what these were, and says what they are from a configuration version on; one statement each. */
export async function replaceOrganisationEntries(
  db: Executor,
  tenantUuid: string,
  configVersion: number,
  rows: readonly OrganisationRow[],
): Promise<void> {
  await db.query({
    name: "close_organisation_entries",
    text: `update organisation_entry set valid_to = $2
      where tenant_id = $1 and (kind, id) in (select * from unnest($3::text[], $4::text[])) and valid_to is null`,
    values: [tenantUuid, configVersion, rows.map(({ kind }) => kind), rows.map(({ id }) => id)],
  });
  await db.query({
    name: "insert_organisation_entries",
    text: `insert into organisation_entry (tenant_id, valid_from, ${COLUMNS})
      select $1, $2, ${COLUMNS}
      from json_to_recordset($3) as g (as_of timestamptz, is_removed boolean, kind text, id text, name text, parent_id text,
        departments text[], teams text[])`,
    values: [tenantUuid, configVersion, JSON.stringify(rows)],
  });
}

/** It is still so at a later time. */
export async function confirmOrganisationEntries(
  db: Executor,
  tenantUuid: string,
  rows: readonly Pick<OrganisationRow, "as_of" | "kind" | "id">[],
): Promise<void> {
  await db.query({
    name: "confirm_organisation_entries",
    text: `update organisation_entry e set as_of = g.as_of
      from unnest($2::timestamptz[], $3::text[], $4::text[]) as g (as_of, kind, id)
      where e.tenant_id = $1 and e.kind = g.kind and e.id = g.id and e.valid_to is null and e.as_of < g.as_of`,
    values: [tenantUuid, rows.map(({ as_of: at }) => at), rows.map(({ kind }) => kind), rows.map(({ id }) => id)],
  });
}
