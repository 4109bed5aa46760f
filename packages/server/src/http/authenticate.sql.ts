// Statements that find out who holds an API key. API role: row-level security shows a key only to whoever names its
// hash, and the tenant only once it is set.
import type { Executor } from "../storage/pools.ts";

export interface KeyRow {
  tenant_id: string;
  id: string;
  expires_at_ms: number | null;
  capture_limit_per_second: number | null;
  livemode: boolean;
  company_id: string | null;
  /** Of a webhook's own read key. */
  webhook_id: string | null;
  scopes: string[];
  allowed_ips: string[] | null;
}

export interface TenantRow {
  capture_limit_per_second: number | null;
  retention_class: number;
  unknown_event_types: "refused" | "open";
}

/** Says which key the rest of this transaction is about. */
export async function setKeyHash(db: Executor, hashHex: string): Promise<void> {
  await db.query({
    name: "set_key_hash",
    text: "select set_config('posthorn.key_hash', $1, true)",
    values: [hashHex],
  });
}

/** Shows the rest of this transaction one tenant. */
export async function setTenant(db: Executor, tenantUuid: string): Promise<void> {
  await db.query({
    name: "set_tenant",
    text: "select set_config('posthorn.tenant_id', $1, true)",
    values: [tenantUuid],
  });
}

/** A key that is not revoked, by index api_key_hash. */
export async function selectKey(db: Executor, hashHex: string): Promise<KeyRow | null> {
  const result = await db.query<KeyRow>({
    name: "select_key_by_hash",
    text: `select tenant_id, id, extract(epoch from expires_at)::float8 * 1000 as expires_at_ms,
        capture_limit_per_second, livemode, company_id, webhook_id, scopes, allowed_ips
      from api_key
      where key_hash = decode($1, 'hex') and revoked_at is null`,
    values: [hashHex],
  });
  return result.rows[0] ?? null;
}

/** What a request needs to know of its tenant, by primary key. */
export async function selectTenant(db: Executor, tenantUuid: string): Promise<TenantRow | null> {
  const result = await db.query<TenantRow>({
    name: "select_tenant_of_key",
    text: "select capture_limit_per_second, retention_class, unknown_event_types from tenant where id = $1",
    values: [tenantUuid],
  });
  return result.rows[0] ?? null;
}

/** True when the tenant has this company, by primary key. */
export async function selectCompanyExists(db: Executor, tenantUuid: string, companyId: string): Promise<boolean> {
  const result = await db.query({
    name: "select_company_exists",
    text: "select 1 from company where tenant_id = $1 and id = $2",
    values: [tenantUuid, companyId],
  });
  return result.rows.length > 0;
}
