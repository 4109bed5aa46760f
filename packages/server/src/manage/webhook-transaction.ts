// Making, changing and deleting webhooks inside a transaction that has raised the configuration version. Everything is
// decided first and written at the end, together. Must not check fields (that is done before) nor encrypt anything.
import { idFromUuid } from "@posthorn/contract";
import { laneOf } from "../lib/lane.ts";
import { MASK } from "../lib/masking.ts";
import type { Actor } from "./actor.ts";
import { revokeReadKeys } from "./api-keys.sql.ts";
import { type Change, entryBy, type NewAuditEntry } from "./change.ts";
import { changesBetween, shownMember, statusAfter } from "./webhook-change.ts";
import { applyFields } from "./webhook-configuration.ts";
import type { WebhookChange, WebhookCreation } from "./webhook-fields.ts";
import { type PreparedSecrets, secretWrites } from "./webhook-secrets.ts";
import type { StoredSecretRow } from "./webhook-secrets.sql.ts";
import { WebhookWrites } from "./webhook-writes.ts";
import type { WebhookRow } from "./webhooks.sql.ts";

/** Changes of any number of webhooks under one configuration version. Nothing is written before `store`. */
export class WebhookChanges {
  readonly #change: Change;
  readonly #actor: Actor;
  readonly #writes: WebhookWrites;
  readonly #entries: NewAuditEntry[] = [];
  readonly #removed: WebhookRow[] = [];

  constructor(change: Change, actor: Actor) {
    this.#change = change;
    this.#actor = actor;
    this.#writes = new WebhookWrites(actor, change.configVersion, change.atMs);
  }

  /** Makes a webhook; gives its row back. */
  create(fields: WebhookCreation, secrets: PreparedSecrets): WebhookRow {
    const { atMs, configVersion } = this.#change;
    const uuid = this.#change.newUuid();
    const row: WebhookRow = {
      id: uuid,
      created_at: new Date(atMs),
      updated_at: new Date(atMs),
      config_version: configVersion,
      version: 1,
      livemode: this.#actor.livemode,
      status: fields.active === false ? "disabled" : "enabled",
      disabled_reason: fields.active === false ? "owner" : null,
      configuration: applyFields({}, fields),
    };
    this.#writes.create(row, laneOf(Buffer.from(uuid.replaceAll("-", ""), "hex")), secrets);
    const members = changesBetween({}, row.configuration);
    this.#audit("webhook.created", row, { ...members, status: { from: null, to: row.status } });
    return row;
  }

  /**
   * Replaces the fields given.
   * @param secrets those of the fields; the others keep what is stored
   * @param stored the webhook's secrets, read in this transaction
   * @returns the row now, or null when nothing differs: then nothing is written
   */
  async change(
    before: WebhookRow,
    fields: WebhookChange,
    secrets: PreparedSecrets,
    stored: readonly StoredSecretRow[],
  ): Promise<WebhookRow | null> {
    const { atMs, configVersion } = this.#change;
    const configuration = applyFields(before.configuration, fields);
    const after: WebhookRow = { ...before, ...statusAfter(before, fields.active), configuration };
    const members = changesBetween(before.configuration, configuration);
    const writes = await secretWrites(secrets, stored, configuration, atMs);
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
    after.config_version = configVersion;
    after.updated_at = new Date(atMs);
    this.#writes.change(after, isNewVersion, writes);
    if (after.status === "disabled" && before.status !== "disabled") this.#writes.tellDisabled(after);
    members["configVersion"] = { from: before.config_version, to: configVersion };
    this.#audit("webhook.updated", after, members);
    return after;
  }

  /** Deletes: it hears nothing more, its secrets are destroyed, its versions and history stay. */
  remove(before: WebhookRow): void {
    const { configVersion, atMs } = this.#change;
    const after: WebhookRow = { ...before, status: "deleted", disabled_reason: null, config_version: configVersion };
    after.updated_at = new Date(atMs);
    this.#writes.remove(after);
    this.#removed.push(before);
  }

  /** Writes everything, with its entries in the trail. */
  async store(): Promise<void> {
    await this.#writes.store(this.#change.db);
    if (this.#removed.length > 0) await this.#revokeReadKeys();
    if (this.#entries.length > 0) await this.#change.audit(...this.#entries);
  }

  async #revokeReadKeys(): Promise<void> {
    const { db, configVersion, atMs } = this.#change;
    const uuids = this.#removed.map((row) => row.id);
    const at = new Date(atMs).toISOString();
    const revoked = await revokeReadKeys(db, this.#actor.tenantUuid, uuids, configVersion, at);
    for (const before of this.#removed) {
      const keys = revoked.filter((key) => key.webhook_id === before.id).map((key) => idFromUuid("apiKey", key.id));
      this.#audit("webhook.deleted", before, {
        status: { from: before.status, to: "deleted" },
        ...(keys.length === 0 ? {} : { readKeys: { from: keys, to: [] } }),
        configVersion: { from: before.config_version, to: configVersion },
      });
    }
  }

  #audit(action: string, row: WebhookRow, change: Readonly<Record<string, unknown>>): void {
    this.#entries.push(entryBy(this.#actor, action, "webhook", idFromUuid("webhook", row.id), change));
  }
}
