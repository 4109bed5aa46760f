// Statements on the key in the operator's file: one row, written anew at each start. Engine role.
import type { Executor } from "../storage/pools.ts";

export interface OperatorKey {
  readonly tenantUuid: string;
  readonly uuid: string;
  readonly atMs: number;
  readonly configVersion: number;
  readonly keyHash: Uint8Array;
  readonly name: string;
  readonly lastCharacters: string;
  readonly scopes: readonly string[];
  readonly allowedIps: readonly string[];
}

/** Writes the row, over an earlier one, by index api_key_operator_file; gives the id back that it has. */
export async function upsertOperatorKey(db: Executor, key: OperatorKey): Promise<string> {
  const { rows } = await db.query<{ id: string }>({
    name: "upsert_operator_key",
    text: `insert into api_key (tenant_id, id, created_at, config_version, key_hash, name, last_characters, livemode,
        scopes, allowed_ips, of_operator_file)
      values ($1, $2, to_timestamp($3::float8 / 1000), $4, $5, $6, $7, true, $8, $9, true)
      on conflict (tenant_id) where of_operator_file do update
        set created_at = excluded.created_at, config_version = excluded.config_version, key_hash = excluded.key_hash,
          last_characters = excluded.last_characters, scopes = excluded.scopes, allowed_ips = excluded.allowed_ips,
          name = excluded.name, expires_at = null, revoked_at = null, last_used_at = null
      returning id`,
    values: [
      key.tenantUuid,
      key.uuid,
      key.atMs,
      key.configVersion,
      key.keyHash,
      key.name,
      key.lastCharacters,
      key.scopes,
      key.allowedIps,
    ],
  });
  const id = rows[0]?.id;
  if (id === undefined) throw new Error("the operator's key was not stored");
  return id;
}

/** Whether such a key is in force, in any tenant; by index api_key_operator_file. */
export async function hasOperatorKey(db: Executor): Promise<boolean> {
  const { rows } = await db.query<{ found: boolean }>({
    text: "select exists (select from api_key where of_operator_file and revoked_at is null) as found",
  });
  return rows[0]?.found === true;
}

/** Ends every such key; by index api_key_operator_file. */
export async function revokeOperatorKeys(
  db: Executor,
  atMs: number,
  configVersion: number,
): Promise<{ tenant_id: string; id: string }[]> {
  const { rows } = await db.query<{ tenant_id: string; id: string }>({
    text: `update api_key set revoked_at = to_timestamp($1::float8 / 1000), config_version = $2
      where of_operator_file and revoked_at is null
      returning tenant_id, id`,
    values: [atMs, configVersion],
  });
  return rows;
}
