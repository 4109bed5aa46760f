// The rows that one change of a webhook consists of, inside the caller's transaction and after it has raised the
// configuration version. Must not decide anything: what changes has been decided by webhooks.ts.
import type { Executor } from "../storage/pools.ts";
import type { Actor } from "./actor.ts";
import type { SecretWrites } from "./webhook-secrets.ts";
import { deleteSecrets, deleteSecretsById, insertSecret, type SecretPurpose } from "./webhook-secrets.sql.ts";
import {
  type ChangedWebhook,
  closeWebhookVersion,
  insertWebhook,
  insertWebhookVersion,
  updateWebhook,
  type WebhookRow,
} from "./webhooks.sql.ts";

/** A webhook with its first version and its secrets. */
export async function storeNewWebhook(
  db: Executor,
  actor: Actor,
  row: WebhookRow,
  lane: number,
  secrets: Omit<SecretWrites, "obsoleteUuids">,
): Promise<void> {
  const { tenantUuid } = actor;
  const at = row.created_at.toISOString();
  const configuration = JSON.stringify(row.configuration);
  const status = row.status === "disabled" ? "disabled" : "enabled";
  const { id: uuid, config_version: configVersion, livemode } = row;
  await insertWebhook(db, { tenantUuid, uuid, at, configVersion, lane, livemode, status, configuration });
  await insertVersionOf(db, actor, row);
  await insertSecrets(db, actor, row, secrets);
}

/** A changed webhook; its new version and its new secrets where there are such. */
export async function storeChange(
  db: Executor,
  actor: Actor,
  row: WebhookRow,
  isNewVersion: boolean,
  secrets: SecretWrites,
): Promise<void> {
  await updateWebhook(db, changedRow(actor, row));
  if (isNewVersion) {
    await closeWebhookVersion(db, actor.tenantUuid, row.id, row.config_version);
    await insertVersionOf(db, actor, row);
  }
  if (secrets.obsoleteUuids.length > 0) await deleteSecretsById(db, actor.tenantUuid, secrets.obsoleteUuids);
  await insertSecrets(db, actor, row, secrets);
}

/** The mark of deletion; versions stay, the secrets do not. */
export async function storeDeletion(db: Executor, actor: Actor, row: WebhookRow): Promise<void> {
  await updateWebhook(db, changedRow(actor, row));
  await closeWebhookVersion(db, actor.tenantUuid, row.id, row.config_version);
  await deleteSecrets(db, actor.tenantUuid, row.id);
}

async function insertVersionOf(db: Executor, actor: Actor, row: WebhookRow): Promise<void> {
  await insertWebhookVersion(db, {
    tenantUuid: actor.tenantUuid,
    webhookUuid: row.id,
    at: row.updated_at.toISOString(),
    fromConfigVersion: row.config_version,
    version: row.version,
    createdBy: actor.keyId,
    configuration: JSON.stringify(row.configuration),
  });
}

async function insertSecrets(
  db: Executor,
  actor: Actor,
  row: WebhookRow,
  { signing, texts }: Omit<SecretWrites, "obsoleteUuids">,
): Promise<void> {
  if (signing !== null) await insertSecretAs(db, actor, row, { ...signing, purpose: "signing", name: null });
  for (const text of texts) await insertSecretAs(db, actor, row, text);
}

/** Adds one secret of a webhook that has just been given its new version numbers. */
export async function insertSecretAs(
  db: Executor,
  actor: Actor,
  row: WebhookRow,
  secret: {
    readonly uuid: string;
    readonly ciphertext: string;
    readonly purpose: SecretPurpose;
    readonly name: string | null;
  },
): Promise<void> {
  await insertSecret(db, {
    tenantUuid: actor.tenantUuid,
    uuid: secret.uuid,
    webhookUuid: row.id,
    at: row.updated_at.toISOString(),
    configVersion: row.config_version,
    purpose: secret.purpose,
    name: secret.name,
    ciphertext: secret.ciphertext,
  });
}

function changedRow(actor: Actor, row: WebhookRow): ChangedWebhook {
  return {
    tenantUuid: actor.tenantUuid,
    uuid: row.id,
    at: row.updated_at.toISOString(),
    configVersion: row.config_version,
    version: row.version,
    status: row.status,
    disabledReason: row.disabled_reason,
    configuration: JSON.stringify(row.configuration),
  };
}
