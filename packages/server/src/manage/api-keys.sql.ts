// Statements on API keys. API role under row-level security unless it says otherwise; the tenant clause is written all
// the same. No statement ever selects a key's hash.
import type { Executor } from "../storage/pools.ts";

export interface ApiKeyRow {
  id: string;
  created_at: Date;
  expires_at: Date | null;
  revoked_at: Date | null;
  last_used_at: Date | null;
  webhook_id: string | null;
  capture_limit_per_second: number | null;
  livemode: boolean;
  name: string;
  last_characters: string;
  company_id: string | null;
  scopes: string[];
  allowed_ips: string[] | null;
  of_operator_file: boolean;
  /** An access token (OAuth). */
  of_oauth_grant: boolean;
}

const COLUMNS = `id, created_at, expires_at, revoked_at, last_used_at, webhook_id, capture_limit_per_second, livemode,
  name, last_characters, company_id, scopes, allowed_ips, of_operator_file, of_oauth_grant`;

/** One key, by primary key; a sandbox caller finds sandbox keys only. */
export async function selectApiKey(
  db: Executor,
  tenantUuid: string,
  keyUuid: string,
  onlySandbox: boolean,
): Promise<ApiKeyRow | null> {
  const { rows } = await db.query<ApiKeyRow>({
    name: "select_api_key",
    text: `select ${COLUMNS} from api_key
      where tenant_id = $1 and id = $2 and not (livemode and $3)`,
    values: [tenantUuid, keyUuid, onlySandbox],
  });
  return rows[0] ?? null;
}

export interface ApiKeyFilter {
  readonly beforeUuid: string;
  readonly onlySandbox: boolean;
  /** A webhook's own read keys; null: keys of all kinds. */
  readonly webhookUuid: string | null;
  readonly status: "active" | "expired" | "revoked" | null;
  /** Decides what has expired. */
  readonly nowMs: number;
}

/** A page of keys below an id, newest first, by primary key; access tokens (OAuth) have a list of their own. */
export async function selectApiKeys(
  db: Executor,
  tenantUuid: string,
  filter: ApiKeyFilter,
  limit: number,
): Promise<ApiKeyRow[]> {
  const { rows } = await db.query<ApiKeyRow>({
    name: "select_api_keys",
    text: `select ${COLUMNS} from api_key
      where tenant_id = $1 and id < $2 and not (livemode and $3) and not of_oauth_grant and ($4::uuid is null or webhook_id = $4)
        and ($5::text is null or $5 = case
          when revoked_at is not null then 'revoked'
          when expires_at <= to_timestamp($6::float8 / 1000) then 'expired'
          else 'active' end)
      order by id desc
      limit $7`,
    values: [tenantUuid, filter.beforeUuid, filter.onlySandbox, filter.webhookUuid, filter.status, filter.nowMs, limit],
  });
  return rows;
}

export interface NewApiKey {
  readonly tenantUuid: string;
  readonly uuid: string;
  readonly atMs: number;
  readonly configVersion: number;
  readonly keyHash: Uint8Array;
  readonly name: string;
  readonly lastCharacters: string;
  readonly livemode: boolean;
  readonly scopes: readonly string[];
  readonly webhookUuid: string | null;
  readonly companyId: string | null;
  readonly allowedIps: readonly string[] | null;
  readonly expiresAtMs: number | null;
  readonly captureLimitPerSecond: number | null;
}

/** Adds a key. Either role. */
export async function insertApiKey(db: Executor, key: NewApiKey): Promise<void> {
  await db.query({
    name: "insert_api_key",
    text: `insert into api_key (tenant_id, id, created_at, config_version, key_hash, name, last_characters, livemode,
        scopes, webhook_id, company_id, allowed_ips, expires_at, capture_limit_per_second)
      values ($1, $2, to_timestamp($3::float8 / 1000), $4, $5, $6, $7, $8, $9, $10, $11, $12,
        to_timestamp($13::float8 / 1000), $14)`,
    values: [
      key.tenantUuid,
      key.uuid,
      key.atMs,
      key.configVersion,
      key.keyHash,
      key.name,
      key.lastCharacters,
      key.livemode,
      key.scopes,
      key.webhookUuid,
      key.companyId,
      key.allowedIps,
      key.expiresAtMs,
      key.captureLimitPerSecond,
    ],
  });
}

export interface ChangedApiKey {
  readonly tenantUuid: string;
  readonly uuid: string;
  readonly configVersion: number;
  readonly name: string;
  readonly scopes: readonly string[];
  readonly companyId: string | null;
  readonly allowedIps: readonly string[] | null;
  readonly expiresAt: Date | null;
  readonly captureLimitPerSecond: number | null;
  readonly revokedAt: Date | null;
}

/** Writes what can change of a key, by primary key. */
export async function updateApiKey(db: Executor, key: ChangedApiKey): Promise<void> {
  await db.query({
    name: "update_api_key",
    text: `update api_key
      set config_version = $3, name = $4, scopes = $5, company_id = $6, allowed_ips = $7, expires_at = $8,
        capture_limit_per_second = $9, revoked_at = $10
      where tenant_id = $1 and id = $2`,
    values: [
      key.tenantUuid,
      key.uuid,
      key.configVersion,
      key.name,
      key.scopes,
      key.companyId,
      key.allowedIps,
      key.expiresAt,
      key.captureLimitPerSecond,
      key.revokedAt,
    ],
  });
}

/**
 * True when a tenant has an administrator's key, other than the one named, that nothing but a revocation ends: not
 * revoked, no expiry, bound to no company, not the one in the operator's file. Read under the lock of the configuration version. A tenant
 * has a handful of keys: by primary key, the tenant's.
 * @param inLiveMode whether only live keys count
 */
export async function hasLastingAdministrator(
  db: Executor,
  tenantUuid: string,
  exceptUuid: string,
  inLiveMode: boolean,
): Promise<boolean> {
  const { rows } = await db.query({
    name: "select_lasting_administrator",
    text: `select 1 from api_key
      where tenant_id = $1 and id <> $2 and revoked_at is null and expires_at is null and webhook_id is null
        and company_id is null and not of_operator_file and 'admin' = any (scopes) and (livemode or not $3)
      limit 1`,
    values: [tenantUuid, exceptUuid, inLiveMode],
  });
  return rows.length > 0;
}

/** Revokes the read keys of webhooks that are deleted, by index api_key_webhook; gives their ids back. */
export async function revokeReadKeys(
  db: Executor,
  tenantUuid: string,
  webhookUuids: readonly string[],
  configVersion: number,
  at: string,
): Promise<{ id: string; webhook_id: string }[]> {
  const { rows } = await db.query<{ id: string; webhook_id: string }>({
    name: "revoke_read_keys",
    text: `update api_key set revoked_at = $4, config_version = $3
      where tenant_id = $1 and webhook_id = any ($2::uuid[]) and revoked_at is null
      returning id, webhook_id`,
    values: [tenantUuid, webhookUuids, configVersion, at],
  });
  return rows;
}

/** Ids of usable keys that are bound to a company, up to `limit`, by primary key, the tenant's. */
export async function selectKeysOfCompany(
  db: Executor,
  tenantUuid: string,
  companyId: string,
  limit: number,
): Promise<string[]> {
  const { rows } = await db.query<{ id: string }>({
    name: "select_keys_of_company",
    text: `select id from api_key
      where tenant_id = $1 and company_id = $2 and revoked_at is null
      order by id
      limit $3`,
    values: [tenantUuid, companyId, limit],
  });
  return rows.map((row) => row.id);
}

/**
 * Writes down when keys were last used; never back. Engine role, all tenants, by primary key. Locks the rows in one
 * order, so that two nodes that write at the same moment wait for each other instead of deadlocking. Raises no version:
 * nobody decides anything by it.
 */
export async function updateLastUsed(
  db: Executor,
  uses: readonly { readonly tenantUuid: string; readonly keyUuid: string; readonly usedAtMs: number }[],
): Promise<void> {
  await db.query({
    name: "update_api_keys_last_used",
    text: `with used as (
        select k.tenant_id, k.id, to_timestamp(u.used_at_ms / 1000) as used_at
        from unnest($1::uuid[], $2::uuid[], $3::float8[]) as u (tenant_id, id, used_at_ms)
        join api_key k on k.tenant_id = u.tenant_id and k.id = u.id
        order by k.tenant_id, k.id
        for update of k
      )
      update api_key k set last_used_at = used.used_at
      from used
      where k.tenant_id = used.tenant_id and k.id = used.id
        and (k.last_used_at is null or k.last_used_at < used.used_at)`,
    values: [uses.map((use) => use.tenantUuid), uses.map((use) => use.keyUuid), uses.map((use) => use.usedAtMs)],
  });
}
