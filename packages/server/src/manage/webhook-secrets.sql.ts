// Statements on the secrets of webhooks. API role under row-level security, inside asTenant; upkeep's as engine.
import type { Executor } from "../storage/pools.ts";
import type { ChangeStamp } from "./webhooks.sql.ts";

export type SecretPurpose = "signing" | "signing_next" | "signing_previous" | "auth" | "header";

export interface StoredSecretRow {
  id: string;
  webhook_id: string;
  purpose: SecretPurpose;
  /** The header's name in lower case; null for other purposes. */
  name: string | null;
  ciphertext: string;
  created_at: Date;
  valid_until_at: Date | null;
}

/** The secrets of webhooks, by index secret_place. */
export async function selectSecrets(
  db: Executor,
  tenantUuid: string,
  webhookUuids: readonly string[],
): Promise<StoredSecretRow[]> {
  const { rows } = await db.query<StoredSecretRow>({
    name: "select_secrets",
    text: `select id, webhook_id, purpose, name, ciphertext, created_at, valid_until_at from secret
      where tenant_id = $1 and webhook_id = any ($2::uuid[])`,
    values: [tenantUuid, webhookUuids],
  });
  return rows;
}

export interface NewSecret {
  readonly uuid: string;
  readonly webhookUuid: string;
  readonly purpose: SecretPurpose;
  readonly name: string | null;
  readonly ciphertext: string;
}

/** Adds secrets, encrypted. Their places must be free. */
export async function insertSecrets(db: Executor, stamp: ChangeStamp, secrets: readonly NewSecret[]): Promise<void> {
  await db.query({
    name: "insert_secrets",
    text: `insert into secret (tenant_id, id, webhook_id, created_at, config_version, purpose, name, ciphertext)
      select $1, s.id, s.webhook_id, $2, $3, s.purpose, s.name, s.ciphertext
      from unnest($4::uuid[], $5::uuid[], $6::text[], $7::text[], $8::text[])
        as s (id, webhook_id, purpose, name, ciphertext)`,
    values: [
      stamp.tenantUuid,
      stamp.at,
      stamp.configVersion,
      secrets.map((each) => each.uuid),
      secrets.map((each) => each.webhookUuid),
      secrets.map((each) => each.purpose),
      secrets.map((each) => each.name),
      secrets.map((each) => each.ciphertext),
    ],
  });
}

/** Gives a secret another purpose and another end, by primary key. */
export async function updateSecret(
  db: Executor,
  secret: { tenantUuid: string; uuid: string; purpose: SecretPurpose; validUntilMs: number | null },
): Promise<void> {
  await db.query({
    name: "update_secret",
    text: `update secret set purpose = $3, valid_until_at = to_timestamp($4::float8 / 1000)
      where tenant_id = $1 and id = $2`,
    values: [secret.tenantUuid, secret.uuid, secret.purpose, secret.validUntilMs],
  });
}

/** Destroys some of a tenant's secrets, by primary key. */
export async function deleteSecretsById(db: Executor, tenantUuid: string, uuids: readonly string[]): Promise<void> {
  await db.query({
    name: "delete_secrets_by_id",
    text: "delete from secret where tenant_id = $1 and id = any ($2::uuid[])",
    values: [tenantUuid, uuids],
  });
}

/** Destroys all secrets of webhooks, by index secret_place. */
export async function deleteSecrets(db: Executor, tenantUuid: string, webhookUuids: readonly string[]): Promise<void> {
  await db.query({
    name: "delete_secrets",
    text: "delete from secret where tenant_id = $1 and webhook_id = any ($2::uuid[])",
    values: [tenantUuid, webhookUuids],
  });
}
