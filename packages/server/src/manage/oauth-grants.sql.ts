// Statements on what programs were allowed to do (OAuth grants), and on the access tokens among the keys. API role under
// row-level security. No statement ever selects a hash.
import type { Executor } from "../storage/pools.ts";

export interface OauthGrantRow {
  tenant_id: string;
  id: string;
  client_id: string;
  granted_by: string;
  created_at: Date;
  revoked_at: Date | null;
  code_expires_at: Date;
  code_used_at: Date | null;
  refresh_expires_at: Date | null;
  scopes: string[];
  code_challenge: string;
  redirect_uri: string;
}

const COLUMNS = `tenant_id, id, client_id, granted_by, created_at, revoked_at, code_expires_at, code_used_at,
  refresh_expires_at, scopes, code_challenge, redirect_uri`;

/** Says which text the rest of this transaction holds: row-level security shows its grant and its key. */
export async function showWhatIsHeld(db: Executor, hash: Uint8Array): Promise<void> {
  await db.query({
    name: "show_what_is_held",
    text: "select set_config('posthorn.key_hash', encode($1, 'hex'), true)",
    values: [hash],
  });
}

/** How a text that somebody holds belongs to a grant. */
export type Holding = "code" | "refresh_token" | "used_refresh_token";

/**
 * The grant of a code or refresh token, before its tenant is known: row-level security shows it to whoever names its
 * hash (`showWhatIsHeld`). By the indexes oauth_grant_code, oauth_grant_refresh and oauth_grant_used_refresh.
 */
export async function selectHeldGrant(
  db: Executor,
  hash: Uint8Array,
): Promise<(OauthGrantRow & { holding: Holding }) | null> {
  const { rows } = await db.query<OauthGrantRow & { holding: Holding }>({
    name: "select_held_oauth_grant",
    text: `select ${COLUMNS}, case when code_hash = $1 then 'code' when refresh_hash = $1 then 'refresh_token'
        else 'used_refresh_token' end as holding
      from oauth_grant where code_hash = $1 or refresh_hash = $1 or used_refresh_hash = $1`,
    values: [hash],
  });
  return rows[0] ?? null;
}

/** Locks one grant for the rest of the transaction, by primary key: a code or token is used once, also when sent twice. */
export async function lockGrant(db: Executor, tenantUuid: string, uuid: string): Promise<OauthGrantRow | null> {
  const { rows } = await db.query<OauthGrantRow>({
    name: "lock_oauth_grant",
    text: `select ${COLUMNS} from oauth_grant where tenant_id = $1 and id = $2 for update`,
    values: [tenantUuid, uuid],
  });
  return rows[0] ?? null;
}

/** The grant whose access token is the key that `showWhatIsHeld` named, by index api_key_hash. */
export async function selectGrantOfToken(
  db: Executor,
  hash: Uint8Array,
): Promise<{ tenant_id: string; id: string } | null> {
  const { rows } = await db.query<{ tenant_id: string; id: string }>({
    name: "select_oauth_grant_of_token",
    text: "select tenant_id, id from api_key where key_hash = $1 and of_oauth_grant",
    values: [hash],
  });
  return rows[0] ?? null;
}

export interface GrantInList extends OauthGrantRow {
  client_name: string | null;
  last_used_at: Date | null;
}

/** A page of grants that were taken up, below an id, newest first, by primary key; `client_id` narrows them. */
export async function selectGrants(
  db: Executor,
  tenantUuid: string,
  filter: { readonly beforeUuid: string; readonly clientUuid: string | null },
  limit: number,
): Promise<GrantInList[]> {
  const { rows } = await db.query<GrantInList>({
    name: "select_oauth_grants",
    text: `select g.tenant_id, g.id, g.client_id, g.granted_by, g.created_at, g.revoked_at, g.code_expires_at,
        g.code_used_at, g.refresh_expires_at, g.scopes, g.code_challenge, g.redirect_uri, c.name as client_name,
        k.last_used_at
      from oauth_grant g
      left join oauth_client c on c.tenant_id = g.tenant_id and c.id = g.client_id
      left join api_key k on k.tenant_id = g.tenant_id and k.id = g.id
      where g.tenant_id = $1 and g.id < $2 and g.code_used_at is not null and ($3::uuid is null or g.client_id = $3)
      order by g.id desc
      limit $4`,
    values: [tenantUuid, filter.beforeUuid, filter.clientUuid, limit],
  });
  return rows;
}

export interface NewGrant {
  readonly tenantUuid: string;
  readonly uuid: string;
  readonly clientUuid: string;
  readonly grantedByUuid: string;
  readonly atMs: number;
  readonly codeExpiresAtMs: number;
  readonly scopes: readonly string[];
  readonly codeHash: Uint8Array;
  readonly codeChallenge: string;
  readonly redirectUri: string;
}

/** Adds a grant that waits for its code to be used. */
export async function insertGrant(db: Executor, grant: NewGrant): Promise<void> {
  await db.query({
    name: "insert_oauth_grant",
    text: `insert into oauth_grant (tenant_id, id, client_id, granted_by, created_at, code_expires_at, scopes, code_hash,
        code_challenge, redirect_uri)
      values ($1, $2, $3, $4, to_timestamp($5::float8 / 1000), to_timestamp($6::float8 / 1000), $7, $8, $9, $10)`,
    values: [
      grant.tenantUuid,
      grant.uuid,
      grant.clientUuid,
      grant.grantedByUuid,
      grant.atMs,
      grant.codeExpiresAtMs,
      grant.scopes,
      grant.codeHash,
      grant.codeChallenge,
      grant.redirectUri,
    ],
  });
}

/** A new refresh token takes the place of the one before, by primary key; the first one uses the code up. */
export async function updateGrantTokens(
  db: Executor,
  tenantUuid: string,
  uuid: string,
  token: { readonly refreshHash: Uint8Array; readonly expiresAtMs: number; readonly atMs: number },
): Promise<void> {
  await db.query({
    name: "update_oauth_grant_tokens",
    text: `update oauth_grant
      set used_refresh_hash = refresh_hash, refresh_hash = $3, refresh_expires_at = to_timestamp($4::float8 / 1000),
        code_used_at = coalesce(code_used_at, to_timestamp($5::float8 / 1000))
      where tenant_id = $1 and id = $2`,
    values: [tenantUuid, uuid, token.refreshHash, token.expiresAtMs, token.atMs],
  });
}

export interface AccessToken {
  readonly tenantUuid: string;
  readonly grantUuid: string;
  readonly grantedByUuid: string;
  readonly atMs: number;
  readonly expiresAtMs: number;
  readonly configVersion: number;
  readonly hash: Uint8Array;
  readonly name: string;
  readonly lastCharacters: string;
  readonly scopes: readonly string[];
}

/**
 * Writes the access token of a grant among the keys, by primary key: mode, company, addresses and limit are those of the
 * key that allowed it, as they are now. No row when that key is no longer usable.
 * @returns false in that case
 */
export async function upsertAccessToken(db: Executor, token: AccessToken): Promise<boolean> {
  const { rows } = await db.query({
    name: "upsert_oauth_access_token",
    text: `insert into api_key (tenant_id, id, created_at, config_version, key_hash, name, last_characters, scopes,
        expires_at, livemode, company_id, allowed_ips, capture_limit_per_second, of_oauth_grant)
      select $1, $2, to_timestamp($4::float8 / 1000), $6, $7, $8, $9, $10, to_timestamp($5::float8 / 1000), k.livemode,
        k.company_id, k.allowed_ips, k.capture_limit_per_second, true
      from api_key k
      where k.tenant_id = $1 and k.id = $3 and k.revoked_at is null
        and (k.expires_at is null or k.expires_at > to_timestamp($4::float8 / 1000))
        and ('admin' = any (k.scopes) or $10::text[] <@ k.scopes)
      on conflict (tenant_id, id) do update
      set config_version = excluded.config_version, key_hash = excluded.key_hash, expires_at = excluded.expires_at,
        last_characters = excluded.last_characters, company_id = excluded.company_id,
        allowed_ips = excluded.allowed_ips, capture_limit_per_second = excluded.capture_limit_per_second
      returning 1`,
    values: [
      token.tenantUuid,
      token.grantUuid,
      token.grantedByUuid,
      token.atMs,
      token.expiresAtMs,
      token.configVersion,
      token.hash,
      token.name,
      token.lastCharacters,
      token.scopes,
    ],
  });
  return rows.length > 0;
}

/** Which grants end: one, those of a program, or those that a key allowed. */
export type EndedGrants =
  | { readonly grantUuid: string }
  | { readonly clientUuid: string }
  | { readonly grantedByUuid: string };

/**
 * Ends grants and their access tokens, by primary key, oauth_grant_client or oauth_grant_granted_by.
 * @returns ids of those that had not ended before
 */
export async function revokeGrants(
  db: Executor,
  tenantUuid: string,
  which: EndedGrants,
  atMs: number,
  configVersion: number,
): Promise<string[]> {
  const { rows } = await db.query<{ id: string }>({
    name: "revoke_oauth_grants",
    text: `with ended as (
        update oauth_grant set revoked_at = to_timestamp($5::float8 / 1000)
        where tenant_id = $1 and revoked_at is null
          and case when $2::uuid is not null then id = $2 when $3::uuid is not null then client_id = $3 else granted_by = $4 end
        returning id
      ),
      tokens as (
        update api_key set revoked_at = to_timestamp($5::float8 / 1000), config_version = $6
        where tenant_id = $1 and id in (select id from ended) and of_oauth_grant
      )
      select id from ended`,
    values: [
      tenantUuid,
      "grantUuid" in which ? which.grantUuid : null,
      "clientUuid" in which ? which.clientUuid : null,
      "grantedByUuid" in which ? which.grantedByUuid : null,
      atMs,
      configVersion,
    ],
  });
  return rows.map((row) => row.id);
}
