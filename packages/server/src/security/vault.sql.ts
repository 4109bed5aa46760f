// Statements on the tenants' wrapped keys.
import type { Executor } from "../storage/pools.ts";

export interface TenantKeyRow {
  readonly id: string;
  readonly wrapped_key: string;
}

/** The key that new secrets of a tenant are encrypted with. */
export async function selectCurrentTenantKey(db: Executor, tenantUuid: string): Promise<TenantKeyRow | null> {
  const { rows } = await db.query<TenantKeyRow>({
    name: "select_current_tenant_key",
    text: `
      select id, wrapped_key from tenant_key
      where tenant_id = $1 and retired_at is null
      order by created_at desc, id desc
      limit 1`,
    values: [tenantUuid],
  });
  return rows[0] ?? null;
}

/** The key that a ciphertext names, retired or not. */
export async function selectTenantKey(db: Executor, tenantUuid: string, id: string): Promise<TenantKeyRow | null> {
  const { rows } = await db.query<TenantKeyRow>({
    name: "select_tenant_key",
    text: "select id, wrapped_key from tenant_key where tenant_id = $1 and id = $2",
    values: [tenantUuid, id],
  });
  return rows[0] ?? null;
}

export async function insertTenantKey(
  db: Executor,
  key: { tenantUuid: string; id: string; createdAtMs: number; wrappedKey: string },
): Promise<void> {
  await db.query({
    text: `
      insert into tenant_key (tenant_id, id, created_at, wrapped_key)
      values ($1, $2, to_timestamp($3::float8 / 1000), $4)`,
    values: [key.tenantUuid, key.id, key.createdAtMs, key.wrappedKey],
  });
}

/** Whether something in this database depends on a master key. */
export async function hasTenantKeys(engine: Executor): Promise<boolean> {
  const { rows } = await engine.query<{ found: boolean }>({
    text: "select exists (select from tenant_key) as found",
  });
  return rows[0]?.found === true;
}

/** One key for each master key that wraps any. Reads the whole table, which has a row or two a tenant. */
export async function selectKeyPerMasterKey(engine: Executor): Promise<(TenantKeyRow & { tenant_id: string })[]> {
  const { rows } = await engine.query<TenantKeyRow & { tenant_id: string }>({
    text: `
      select distinct on (split_part(wrapped_key, '.', 2)) tenant_id, id, wrapped_key
      from tenant_key
      order by split_part(wrapped_key, '.', 2), created_at desc`,
  });
  return rows;
}
