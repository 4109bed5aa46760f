// Creating, changing, deleting and reading webhooks. Every change is one transaction that raises the configuration
// version first, and is answered only after this node has read it; must never return a secret that was stored before.
import { type ErrorDetail, idFromUuid, uuidFromBytes } from "@posthorn/contract";
import type pg from "pg";
import type { Clock } from "../lib/clock.ts";
import { laneOf } from "../lib/lane.ts";
import { MASK } from "../lib/masking.ts";
import { asTenant, type Executor } from "../storage/pools.ts";
import type { Actor } from "./actor.ts";
import { insertAuditEntry } from "./audit.sql.ts";
import { changesBetween, matchesEtag, statusAfter } from "./webhook-change.ts";
import { applyFields, type ConfigurationRules, checkFields, unknownMasks } from "./webhook-configuration.ts";
import type { WebhookChange, WebhookCreation } from "./webhook-fields.ts";
import { generateSecret, type SecretView, shownSecret } from "./webhook-secret.ts";
import { statisticsView, versionView, type WebhookView, webhookEtag, webhookView } from "./webhook-view.ts";
import { type PreparedSecret, storeChange, storeDeletion, storeNewWebhook } from "./webhook-writes.ts";
import {
  raiseConfigVersion,
  selectRegisteredTypeNames,
  selectStatistics,
  selectVersions,
  selectWebhook,
  selectWebhooks,
  type WebhookRow,
} from "./webhooks.sql.ts";

/** A secret's place, which its encryption is bound to, and its text. */
export interface SecretToEncrypt {
  readonly tenantUuid: string;
  readonly table: string;
  readonly column: string;
  readonly rowId: string;
  readonly plaintext: string;
}

export interface WebhooksOptions {
  /** API role, under row-level security. */
  readonly api: pg.Pool;
  readonly clock: Clock;
  /** Sixteen bytes of a new UUIDv7. */
  readonly newId: () => Uint8Array;
  readonly random: (target: Uint8Array) => void;
  readonly rules: ConfigurationRules;
  readonly encryptSecret: (secret: SecretToEncrypt) => Promise<string>;
  /** Makes this node read the change; the answer waits for it (guarantee G15). */
  readonly onConfigurationChanged: (version: number) => Promise<void>;
}

export type Written =
  | {
      readonly kind: "written";
      readonly webhook: WebhookView;
      readonly etag: string;
      readonly secret: SecretView | null;
    }
  | { readonly kind: "invalid"; readonly details: readonly ErrorDetail[] }
  | { readonly kind: "absent" }
  /** `If-Match` named another state; `etag` is the one now. */
  | { readonly kind: "stale"; readonly etag: string };

export type Deleted = Exclude<Written, { kind: "written" | "invalid" }> | { readonly kind: "deleted" };

export interface Found {
  readonly webhook: WebhookView;
  readonly etag: string;
}

/** Rolls the change back and hands its outcome out of the transaction: nothing changed, so nobody need hear of it. */
class NoChange extends Error {
  readonly outcome: Written | Deleted;

  constructor(outcome: Written | Deleted) {
    super("no change");
    this.outcome = outcome;
  }
}

export class Webhooks {
  readonly #options: WebhooksOptions;

  constructor(options: WebhooksOptions) {
    this.#options = options;
  }

  /** Makes a webhook; `secret` in the outcome is its signing secret, shown this once. */
  async create(actor: Actor, fields: WebhookCreation): Promise<Written> {
    const details = [...(await this.#check(actor, fields)), ...unknownMasks(fields, {})];
    if (details.length > 0) return { kind: "invalid", details };
    const bytes = this.#options.newId();
    const secret = await this.#prepareSecret(actor, fields.secret ?? null);
    return this.#change<Written>(actor, async (db, configVersion, atMs) => {
      const row: WebhookRow = {
        id: uuidFromBytes(bytes),
        created_at: new Date(atMs),
        updated_at: new Date(atMs),
        config_version: configVersion,
        version: 1,
        livemode: actor.livemode,
        status: fields.active === false ? "disabled" : "enabled",
        disabled_reason: fields.active === false ? "owner" : null,
        configuration: applyFields({}, fields),
      };
      await storeNewWebhook(db, actor, row, laneOf(bytes), secret);
      const change = changesBetween({}, row.configuration);
      await this.#audit(db, actor, "webhook.created", row, atMs, { ...change, status: { from: null, to: row.status } });
      const webhook = { ...webhookView(row), statistics: { totalDelivered: 0, totalFailed: 0, lastDelivery: null } };
      return { kind: "written", webhook, etag: webhookEtag(row), secret: secret.view };
    });
  }

  /** Replaces the fields given. `ifMatch` is the header as sent; undefined accepts any state. */
  async change(
    actor: Actor,
    webhookUuid: string,
    fields: WebhookChange,
    ifMatch: string | undefined,
  ): Promise<Written> {
    const details = await this.#check(actor, fields);
    if (details.length > 0) return { kind: "invalid", details };
    const secret = fields.secret === undefined ? null : await this.#prepareSecret(actor, fields.secret);
    return this.#change<Written>(actor, async (db, configVersion, atMs) => {
      const before = await this.#current(db, actor, webhookUuid, ifMatch);
      const masks = unknownMasks(fields, before.configuration);
      if (masks.length > 0) throw new NoChange({ kind: "invalid", details: masks });
      const configuration = applyFields(before.configuration, fields);
      const after: WebhookRow = { ...before, ...statusAfter(before, fields.active), configuration };
      const change = changesBetween(before.configuration, configuration);
      if (secret !== null) change["secret"] = { from: MASK, to: MASK };
      const isNewVersion = Object.keys(change).length > 0;
      if (after.status !== before.status) change["status"] = { from: before.status, to: after.status };
      if (Object.keys(change).length === 0) throw new NoChange(unchanged(before));
      after.version += isNewVersion ? 1 : 0;
      after.config_version = configVersion;
      after.updated_at = new Date(atMs);
      await storeChange(db, actor, after, isNewVersion, secret);
      change["configVersion"] = { from: before.config_version, to: configVersion };
      await this.#audit(db, actor, "webhook.updated", after, atMs, change);
      return { kind: "written", webhook: webhookView(after), etag: webhookEtag(after), secret: secret?.view ?? null };
    });
  }

  /** Deletes: it hears nothing more, its secrets are destroyed, its versions and history stay. */
  async remove(actor: Actor, webhookUuid: string, ifMatch: string | undefined): Promise<Deleted> {
    return this.#change<Deleted>(actor, async (db, configVersion, atMs) => {
      const before = await this.#current(db, actor, webhookUuid, ifMatch);
      const after: WebhookRow = { ...before, status: "deleted", disabled_reason: null, config_version: configVersion };
      after.updated_at = new Date(atMs);
      await storeDeletion(db, actor, after);
      const change = {
        status: { from: before.status, to: "deleted" },
        configVersion: { from: before.config_version, to: configVersion },
      };
      await this.#audit(db, actor, "webhook.deleted", after, atMs, change);
      return { kind: "deleted" };
    });
  }

  /** One webhook with its figures, or null. */
  async get(actor: Actor, webhookUuid: string): Promise<Found | null> {
    return asTenant(this.#options.api, actor.tenantUuid, async (db) => {
      const row = await selectWebhook(db, actor.tenantUuid, actor.livemode, webhookUuid);
      if (row === null) return null;
      const statistics = statisticsView(await selectStatistics(db, actor.tenantUuid, webhookUuid));
      return { webhook: { ...webhookView(row), statistics }, etag: webhookEtag(row) };
    });
  }

  /** Webhooks below an id, newest first, without figures. */
  async list(
    actor: Actor,
    filter: { beforeUuid: string; status: string | null; name: string | null },
    limit: number,
  ): Promise<WebhookView[]> {
    const rows = await asTenant(this.#options.api, actor.tenantUuid, (db) =>
      selectWebhooks(db, actor.tenantUuid, actor.livemode, filter, limit),
    );
    return rows.map(webhookView);
  }

  /** Versions below a number, newest first; null when there is no such webhook. */
  async versions(
    actor: Actor,
    webhookUuid: string,
    beforeVersion: number,
    limit: number,
  ): Promise<Record<string, unknown>[] | null> {
    return asTenant(this.#options.api, actor.tenantUuid, async (db) => {
      if ((await selectWebhook(db, actor.tenantUuid, actor.livemode, webhookUuid)) === null) return null;
      return (await selectVersions(db, actor.tenantUuid, webhookUuid, beforeVersion, limit)).map(versionView);
    });
  }

  async #check(actor: Actor, fields: WebhookChange): Promise<ErrorDetail[]> {
    const registeredTypes =
      fields.events === undefined
        ? []
        : await asTenant(this.#options.api, actor.tenantUuid, (db) => selectRegisteredTypeNames(db, actor.tenantUuid));
    const tenant = { registeredTypes, unknownTypesAllowed: actor.unknownEventTypes === "open" };
    return checkFields(fields, this.#options.rules, tenant);
  }

  /** Encrypted before the transaction begins: the tenant's key may have to be made, and the version row is locked. */
  async #prepareSecret(actor: Actor, given: string | null): Promise<PreparedSecret> {
    const plaintext = given ?? generateSecret(this.#options.random);
    const uuid = uuidFromBytes(this.#options.newId());
    const place = { tenantUuid: actor.tenantUuid, table: "secret", column: "ciphertext", rowId: uuid };
    const ciphertext = await this.#options.encryptSecret({ ...place, plaintext });
    return { uuid, ciphertext, view: shownSecret(plaintext) };
  }

  async #change<Outcome extends Written | Deleted>(
    actor: Actor,
    work: (db: Executor, configVersion: number, atMs: number) => Promise<Outcome>,
  ): Promise<Outcome> {
    let committed = 0;
    try {
      const outcome = await asTenant(this.#options.api, actor.tenantUuid, async (db) => {
        committed = await raiseConfigVersion(db);
        // Under the lock, so that times and versions run in the same order.
        return work(db, committed, this.#options.clock.nowMs());
      });
      // A node that cannot read the change now starts no attempt until it can, so the answer stands either way.
      await this.#options.onConfigurationChanged(committed).catch(() => undefined);
      return outcome;
    } catch (error) {
      if (error instanceof NoChange) return error.outcome as Outcome;
      throw error;
    }
  }

  async #current(db: Executor, actor: Actor, webhookUuid: string, ifMatch: string | undefined): Promise<WebhookRow> {
    const row = await selectWebhook(db, actor.tenantUuid, actor.livemode, webhookUuid);
    if (row === null) throw new NoChange({ kind: "absent" });
    const etag = webhookEtag(row);
    if (!matchesEtag(ifMatch, etag)) throw new NoChange({ kind: "stale", etag });
    return row;
  }

  async #audit(
    db: Executor,
    actor: Actor,
    action: string,
    row: WebhookRow,
    atMs: number,
    change: Readonly<Record<string, unknown>>,
  ): Promise<void> {
    await insertAuditEntry(db, {
      tenantUuid: actor.tenantUuid,
      entryUuid: uuidFromBytes(this.#options.newId()),
      atMs,
      actor: actor.keyId,
      action,
      objectType: "webhook",
      objectId: idFromUuid("webhook", row.id),
      requestId: actor.requestId,
      change,
    });
  }
}

function unchanged(row: WebhookRow): Written {
  return { kind: "written", webhook: webhookView(row), etag: webhookEtag(row), secret: null };
}
