// Making, changing and deleting a webhook inside a transaction that others may share, after it has raised the
// configuration version. Must not check fields (that is done before the transaction) nor encrypt anything.
import { idFromUuid } from "@posthorn/contract";
import { laneOf } from "../lib/lane.ts";
import { MASK } from "../lib/masking.ts";
import type { Actor } from "./actor.ts";
import { revokeReadKeys } from "./api-keys.sql.ts";
import type { Change } from "./change.ts";
import { changesBetween, shownMember, statusAfter } from "./webhook-change.ts";
import { applyFields } from "./webhook-configuration.ts";
import type { WebhookChange, WebhookCreation } from "./webhook-fields.ts";
import { type PreparedSecrets, secretWrites } from "./webhook-secrets.ts";
import { selectSecrets } from "./webhook-secrets.sql.ts";
import { storeChange, storeDeletion, storeNewWebhook } from "./webhook-writes.ts";
import type { WebhookRow } from "./webhooks.sql.ts";

/** Makes a webhook; gives its row back. */
export async function createWebhook(
  change: Change,
  actor: Actor,
  fields: WebhookCreation,
  secrets: PreparedSecrets,
): Promise<WebhookRow> {
  const uuid = change.newUuid();
  const row: WebhookRow = {
    id: uuid,
    created_at: new Date(change.atMs),
    updated_at: new Date(change.atMs),
    config_version: change.configVersion,
    version: 1,
    livemode: actor.livemode,
    status: fields.active === false ? "disabled" : "enabled",
    disabled_reason: fields.active === false ? "owner" : null,
    configuration: applyFields({}, fields),
  };
  await storeNewWebhook(change.db, actor, row, laneOf(Buffer.from(uuid.replaceAll("-", ""), "hex")), secrets);
  const members = changesBetween({}, row.configuration);
  await audit(change, actor, "webhook.created", row, { ...members, status: { from: null, to: row.status } });
  return row;
}

/**
 * Replaces the fields given.
 * @param secrets those of the fields; the others keep what is stored
 * @returns the row now, or null when nothing differs: then nothing was written
 */
export async function changeWebhook(
  change: Change,
  actor: Actor,
  before: WebhookRow,
  fields: WebhookChange,
  secrets: PreparedSecrets,
): Promise<WebhookRow | null> {
  const configuration = applyFields(before.configuration, fields);
  const after: WebhookRow = { ...before, ...statusAfter(before, fields.active), configuration };
  const members = changesBetween(before.configuration, configuration);
  const stored = await selectSecrets(change.db, actor.tenantUuid, before.id);
  const writes = await secretWrites(secrets, stored, configuration, change.atMs);
  if (writes.signing !== null) {
    members["secret"] = { from: MASK, to: MASK };
    after.rotation = null;
  }
  for (const member of ["auth", "headers"] as const) {
    const purpose = member === "auth" ? "auth" : "header";
    if (writes.texts.some((text) => text.purpose === purpose)) {
      members[member] ??= { from: shownMember(member, before.configuration), to: shownMember(member, configuration) };
    }
  }
  const isNewVersion = Object.keys(members).length > 0;
  if (after.status !== before.status) members["status"] = { from: before.status, to: after.status };
  if (Object.keys(members).length === 0) return null;
  after.version += isNewVersion ? 1 : 0;
  after.config_version = change.configVersion;
  after.updated_at = new Date(change.atMs);
  await storeChange(change.db, actor, after, isNewVersion, writes);
  members["configVersion"] = { from: before.config_version, to: change.configVersion };
  await audit(change, actor, "webhook.updated", after, members);
  return after;
}

/** Deletes: it hears nothing more, its secrets are destroyed, its versions and history stay. */
export async function removeWebhook(change: Change, actor: Actor, before: WebhookRow): Promise<void> {
  const { configVersion, atMs } = change;
  const after: WebhookRow = { ...before, status: "deleted", disabled_reason: null, config_version: configVersion };
  after.updated_at = new Date(atMs);
  await storeDeletion(change.db, actor, after);
  const at = after.updated_at.toISOString();
  const readKeys = await revokeReadKeys(change.db, actor.tenantUuid, before.id, configVersion, at);
  await audit(change, actor, "webhook.deleted", after, {
    status: { from: before.status, to: "deleted" },
    ...(readKeys.length === 0 ? {} : { readKeys: { from: readKeys.map((uuid) => idFromUuid("apiKey", uuid)), to: [] } }),
    configVersion: { from: before.config_version, to: configVersion },
  });
}

async function audit(
  change: Change,
  actor: Actor,
  action: string,
  row: WebhookRow,
  members: Readonly<Record<string, unknown>>,
): Promise<void> {
  await change.audit({
    tenantUuid: actor.tenantUuid,
    actor: actor.keyId,
    action,
    objectType: "webhook",
    objectId: idFromUuid("webhook", row.id),
    requestId: actor.requestId,
    change: members,
  });
}
