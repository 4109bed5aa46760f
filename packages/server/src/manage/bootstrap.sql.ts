// Statements of the first start. Engine role: there is no tenant yet to work as.
import { LOCK_CLASS, LOCKS } from "../storage/advisory-locks.sql.ts";
import type { Executor } from "../storage/pools.ts";

/** Waits until no other node is at it; the lock ends with the transaction. */
export async function lockBootstrap(db: Executor): Promise<void> {
  await db.query({ text: "select pg_advisory_xact_lock($1, $2)", values: [LOCK_CLASS, LOCKS.bootstrap] });
}

export async function hasTenants(db: Executor): Promise<boolean> {
  const { rows } = await db.query<{ found: boolean }>({ text: "select exists (select from tenant) as found" });
  return rows[0]?.found === true;
}

/** Raises the version that every change of configuration carries; the row lock orders the changes. */
export async function raiseConfigVersion(db: Executor): Promise<number> {
  const { rows } = await db.query<{ version: number }>({
    text: "update config_version set version = version + 1 returning version",
  });
  const row = rows[0];
  if (row === undefined) throw new Error("the config_version row is missing: the schema was changed by hand");
  return row.version;
}

export interface FirstTenant {
  readonly tenantUuid: string;
  readonly tenantName: string;
  readonly companyId: string;
  readonly companyName: string;
  readonly configVersion: number;
  readonly createdAtMs: number;
}

export async function insertFirstTenant(db: Executor, first: FirstTenant): Promise<void> {
  await db.query({
    text: "insert into tenant (id, created_at, config_version, name) values ($1, to_timestamp($2::float8 / 1000), $3, $4)",
    values: [first.tenantUuid, first.createdAtMs, first.configVersion, first.tenantName],
  });
  await db.query({
    text: `
      insert into company (tenant_id, id, created_at, config_version, name)
      values ($1, $2, to_timestamp($3::float8 / 1000), $4, $5)`,
    values: [first.tenantUuid, first.companyId, first.createdAtMs, first.configVersion, first.companyName],
  });
}

export interface FirstApiKey {
  readonly tenantUuid: string;
  readonly id: string;
  readonly name: string;
  readonly keyHash: Uint8Array;
  readonly lastCharacters: string;
  readonly livemode: boolean;
  readonly scopes: readonly string[];
  readonly configVersion: number;
  readonly createdAtMs: number;
}

export async function insertFirstApiKey(db: Executor, key: FirstApiKey): Promise<void> {
  await db.query({
    text: `
      insert into api_key (tenant_id, id, created_at, config_version, livemode, key_hash, name, last_characters, scopes)
      values ($1, $2, to_timestamp($3::float8 / 1000), $4, $5, $6, $7, $8, $9)`,
    values: [
      key.tenantUuid,
      key.id,
      key.createdAtMs,
      key.configVersion,
      key.livemode,
      key.keyHash,
      key.name,
      key.lastCharacters,
      key.scopes,
    ],
  });
}

export interface FirstAuditEntry {
  readonly tenantUuid: string;
  readonly id: string;
  readonly atMs: number;
  readonly actor: string;
  readonly action: string;
  readonly objectType: string;
  readonly objectId: string;
  readonly change: Readonly<Record<string, { from: unknown; to: unknown }>>;
}

export async function insertFirstAuditEntry(db: Executor, entry: FirstAuditEntry): Promise<void> {
  await db.query({
    text: `
      insert into audit_entry (tenant_id, id, at, actor, action, object_type, object_id, change)
      values ($1, $2, to_timestamp($3::float8 / 1000), $4, $5, $6, $7, $8)`,
    values: [
      entry.tenantUuid,
      entry.id,
      entry.atMs,
      entry.actor,
      entry.action,
      entry.objectType,
      entry.objectId,
      JSON.stringify(entry.change),
    ],
  });
}
