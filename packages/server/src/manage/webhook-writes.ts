// The rows that changes of webhooks consist of, collected and then written in a handful of statements, however many
// webhooks there are: all other changes wait meanwhile. Must not decide anything: what changes has been decided.
import { insertWebhookNotices, type WebhookNotice } from "../storage/notices.sql.ts";
import type { Executor } from "../storage/pools.ts";
import type { Actor } from "./actor.ts";
import type { PreparedSecret, PreparedText, SecretWrites } from "./webhook-secrets.ts";
import { deleteSecrets, deleteSecretsById, insertSecrets, type NewSecret } from "./webhook-secrets.sql.ts";
import {
  type ChangedWebhook,
  type ChangeStamp,
  closeWebhookVersions,
  insertWebhooks,
  insertWebhookVersions,
  type NewWebhook,
  type NewWebhookVersion,
  updateWebhooks,
  type WebhookRow,
} from "./webhooks.sql.ts";

/** Everything of one configuration version; a webhook stands in it once. */
export class WebhookWrites {
  readonly #actor: Actor;
  readonly #stamp: ChangeStamp;
  readonly #created: NewWebhook[] = [];
  readonly #changed: ChangedWebhook[] = [];
  /** Webhooks whose version in force ends. */
  readonly #closed: string[] = [];
  readonly #versions: NewWebhookVersion[] = [];
  readonly #obsoleteSecrets: string[] = [];
  readonly #deleted: string[] = [];
  readonly #secrets: NewSecret[] = [];
  readonly #notices: WebhookNotice[] = [];
  readonly #atMs: number;

  /** @param atMs of the change: what every row of it says */
  constructor(actor: Actor, configVersion: number, atMs: number) {
    this.#actor = actor;
    this.#atMs = atMs;
    this.#stamp = { tenantUuid: actor.tenantUuid, at: new Date(atMs).toISOString(), configVersion };
  }

  /** A webhook with its first version and its secrets. */
  create(row: WebhookRow, lane: number, secrets: Omit<SecretWrites, "obsoleteUuids">): void {
    const status = row.status === "disabled" ? "disabled" : "enabled";
    const configuration = JSON.stringify(row.configuration);
    this.#created.push({ uuid: row.id, lane, livemode: row.livemode, status, configuration });
    this.#versions.push({ webhookUuid: row.id, version: row.version, configuration });
    this.#addSecrets(row, secrets);
  }

  /** A changed webhook; its new version and its new secrets where there are such. */
  change(row: WebhookRow, isNewVersion: boolean, secrets: SecretWrites): void {
    const configuration = this.#changeRow(row);
    if (isNewVersion) {
      this.#closed.push(row.id);
      this.#versions.push({ webhookUuid: row.id, version: row.version, configuration });
    }
    this.#obsoleteSecrets.push(...secrets.obsoleteUuids);
    this.#addSecrets(row, secrets);
  }

  /** People hear that it was switched off, also those who did not do it. */
  tellDisabled(row: WebhookRow): void {
    const { tenantUuid } = this.#actor;
    const detail = { disabledReason: row.disabled_reason };
    const { id: webhookUuid, livemode } = row;
    const atMs = this.#atMs;
    this.#notices.push({ tenantUuid, webhookUuid, livemode, type: "webhook.disabled", atMs, detail });
  }

  /** The mark of deletion; versions stay, the secrets do not. */
  remove(row: WebhookRow): void {
    this.#changeRow(row);
    this.#closed.push(row.id);
    this.#deleted.push(row.id);
  }

  /** Writes all of it. Secrets go before others take their places. */
  async store(db: Executor): Promise<void> {
    const { tenantUuid, configVersion } = this.#stamp;
    if (this.#created.length > 0) await insertWebhooks(db, this.#stamp, this.#created);
    if (this.#changed.length > 0) await updateWebhooks(db, this.#stamp, this.#changed);
    if (this.#closed.length > 0) await closeWebhookVersions(db, tenantUuid, this.#closed, configVersion);
    if (this.#versions.length > 0) await insertWebhookVersions(db, this.#stamp, this.#actor.keyId, this.#versions);
    if (this.#obsoleteSecrets.length > 0) await deleteSecretsById(db, tenantUuid, this.#obsoleteSecrets);
    if (this.#deleted.length > 0) await deleteSecrets(db, tenantUuid, this.#deleted);
    if (this.#secrets.length > 0) await insertSecrets(db, this.#stamp, this.#secrets);
    if (this.#notices.length > 0) await insertWebhookNotices(db, this.#notices);
  }

  #changeRow(row: WebhookRow): string {
    const configuration = JSON.stringify(row.configuration);
    const { id: uuid, version, status, disabled_reason: disabledReason } = row;
    this.#changed.push({ uuid, version, status, disabledReason, configuration });
    return configuration;
  }

  #addSecrets(row: WebhookRow, { signing, texts }: Omit<SecretWrites, "obsoleteUuids">): void {
    if (signing !== null) this.#secrets.push(secretRow(row, { ...signing, purpose: "signing", name: null }));
    for (const text of texts) this.#secrets.push(secretRow(row, text));
  }
}

/** What waits beside the signing secret of a webhook until the overlap of a rotation ends. */
export async function insertNextSecret(
  db: Executor,
  actor: Actor,
  row: WebhookRow,
  secret: PreparedSecret,
): Promise<void> {
  const { tenantUuid } = actor;
  const stamp = { tenantUuid, at: row.updated_at.toISOString(), configVersion: row.config_version };
  await insertSecrets(db, stamp, [secretRow(row, { ...secret, purpose: "signing_next", name: null })]);
}

function secretRow(
  row: WebhookRow,
  secret: Pick<PreparedText, "uuid" | "ciphertext"> & Pick<NewSecret, "purpose" | "name">,
): NewSecret {
  const { uuid, ciphertext, purpose, name } = secret;
  return { uuid, ciphertext, purpose, name, webhookUuid: row.id };
}
