// Statements on the secrets of webhooks. API role under row-level security, inside asTenant; upkeep's as engine.
import type { Executor } from "../storage/pools.ts";

export type SecretPurpose = "signing" | "signing_next" | "signing_previous" | "auth" | "header";

export interface StoredSecretRow {
  id: string;
  purpose: SecretPurpose;
  /** The header's name in lower case; null for other purposes. */
  name: string | null;
  ciphertext: string;
  created_at: Date;
  valid_until_at: Date | null;
}

/** A webhook's secrets, by index secret_place. */
export async function selectSecrets(db: Executor, tenantUuid: string, webhookUuid: string): Promise<StoredSecretRow[]> {
  const { rows } = await db.query<StoredSecretRow>({
    name: "select_secrets",
    text: `select id, purpose, name, ciphertext, created_at, valid_until_at from secret
      where tenant_id = $1 and webhook_id = $2`,
    values: [tenantUuid, webhookUuid],
  });
  return rows;
}

export interface NewSecret {
  readonly tenantUuid: string;
  readonly uuid: string;
  readonly webhookUuid: string;
  readonly at: string;
  readonly configVersion: number;
  readonly purpose: SecretPurpose;
  readonly name: string | null;
  readonly ciphertext: string;
}

/** Adds a secret, encrypted. Its place must be free. */
export async function insertSecret(db: Executor, secret: NewSecret): Promise<void> {
  await db.query({
    name: "insert_secret",
    text: `insert into secret (tenant_id, id, webhook_id, created_at, config_version, purpose, name, ciphertext)
      values ($1, $2, $3, $4, $5, $6, $7, $8)`,
    values: [
      secret.tenantUuid,
      secret.uuid,
      secret.webhookUuid,
      secret.at,
      secret.configVersion,
      secret.purpose,
      secret.name,
      secret.ciphertext,
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

/** Destroys a webhook's secrets, by index secret_place. */
export async function deleteSecrets(db: Executor, tenantUuid: string, webhookUuid: string): Promise<void> {
  await db.query({
    name: "delete_secrets",
    text: "delete from secret where tenant_id = $1 and webhook_id = $2",
    values: [tenantUuid, webhookUuid],
  });
}
