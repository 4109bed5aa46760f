// Statements on companies. API role under row-level security unless it says otherwise; the tenant clause is written all
// the same.
import type { Executor } from "../storage/pools.ts";

export interface CompanyRow {
  id: string;
  created_at: Date;
  name: string;
}

/** One company, by primary key. */
export async function selectCompany(db: Executor, tenantUuid: string, companyId: string): Promise<CompanyRow | null> {
  const { rows } = await db.query<CompanyRow>({
    name: "select_company",
    text: "select id, created_at, name from company where tenant_id = $1 and id = $2",
    values: [tenantUuid, companyId],
  });
  return rows[0] ?? null;
}

/** A page of companies after an id, by id, by primary key. */
export async function selectCompanies(
  db: Executor,
  tenantUuid: string,
  afterId: string,
  limit: number,
): Promise<CompanyRow[]> {
  const { rows } = await db.query<CompanyRow>({
    name: "select_companies",
    text: "select id, created_at, name from company where tenant_id = $1 and id > $2 order by id limit $3",
    values: [tenantUuid, afterId, limit],
  });
  return rows;
}

export interface NewCompany {
  readonly tenantUuid: string;
  readonly id: string;
  readonly name: string;
  readonly atMs: number;
  readonly configVersion: number;
}

/** Adds a company. Either role. */
export async function insertCompany(db: Executor, company: NewCompany): Promise<void> {
  await db.query({
    name: "insert_company",
    text: `insert into company (tenant_id, id, created_at, config_version, name)
      values ($1, $2, to_timestamp($3::float8 / 1000), $4, $5)`,
    values: [company.tenantUuid, company.id, company.atMs, company.configVersion, company.name],
  });
}

/** Gives a company another name, by primary key. */
export async function updateCompany(
  db: Executor,
  tenantUuid: string,
  companyId: string,
  name: string,
  configVersion: number,
): Promise<void> {
  await db.query({
    name: "update_company",
    text: "update company set name = $3, config_version = $4 where tenant_id = $1 and id = $2",
    values: [tenantUuid, companyId, name, configVersion],
  });
}

/** Removes a company, by primary key. */
export async function deleteCompany(db: Executor, tenantUuid: string, companyId: string): Promise<void> {
  await db.query({
    name: "delete_company",
    text: "delete from company where tenant_id = $1 and id = $2",
    values: [tenantUuid, companyId],
  });
}
