// The rows that one change of a webhook consists of, inside the caller's transaction and after it has raised the
// configuration version. Must not decide anything: what changes has been decided by webhooks.ts.
import type { Executor } from "../storage/pools.ts";
import type { Actor } from "./actor.ts";
import type { SecretView } from "./webhook-secret.ts";
import {
  type ChangedWebhook,
  closeWebhookVersion,
  deleteSecrets,
  insertSecret,
  insertWebhook,
  insertWebhookVersion,
  updateWebhook,
  type WebhookRow,
} from "./webhooks.sql.ts";

/** A signing secret, encrypted and ready to be stored. */
export interface PreparedSecret {
  readonly uuid: string;
  readonly ciphertext: string;
  readonly view: SecretView;
}

/** A webhook with its first version and its secret. */
export async function storeNewWebhook(
  db: Executor,
  actor: Actor,
  row: WebhookRow,
  lane: number,
  secret: PreparedSecret,
): Promise<void> {
  const { tenantUuid } = actor;
  const at = row.created_at.toISOString();
  const configuration = JSON.stringify(row.configuration);
  const status = row.status === "disabled" ? "disabled" : "enabled";
  const { id: uuid, config_version: configVersion, livemode } = row;
  await insertWebhook(db, { tenantUuid, uuid, at, configVersion, lane, livemode, status, configuration });
  await insertVersionOf(db, actor, row);
  await insertSecretOf(db, actor, row, secret);
}

/** A changed webhook; its new version and its new secret where there are such. */
export async function storeChange(
  db: Executor,
  actor: Actor,
  row: WebhookRow,
  isNewVersion: boolean,
  secret: PreparedSecret | null,
): Promise<void> {
  await updateWebhook(db, changedRow(actor, row));
  if (isNewVersion) {
    await closeWebhookVersion(db, actor.tenantUuid, row.id, row.config_version);
    await insertVersionOf(db, actor, row);
  }
  if (secret !== null) {
    await deleteSecrets(db, actor.tenantUuid, row.id);
    await insertSecretOf(db, actor, row, secret);
  }
}

/** The mark of deletion; versions stay, the secret does not. */
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

async function insertSecretOf(db: Executor, actor: Actor, row: WebhookRow, secret: PreparedSecret): Promise<void> {
  await insertSecret(db, {
    tenantUuid: actor.tenantUuid,
    uuid: secret.uuid,
    webhookUuid: row.id,
    at: row.updated_at.toISOString(),
    configVersion: row.config_version,
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
