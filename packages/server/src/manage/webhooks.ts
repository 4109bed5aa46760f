// Creating, changing, deleting and reading webhooks. Every change is one transaction that raises the configuration
// version first, and is answered only after this node has read it; must never return a secret that was stored before.
import { timingSafeEqual } from "node:crypto";
import { type ErrorDetail, uuidFromBytes } from "@posthorn/contract";
import type pg from "pg";
import type { Clock } from "../lib/clock.ts";
import { MASK } from "../lib/masking.ts";
import { asTenant, type Executor } from "../storage/pools.ts";
import type { Actor } from "./actor.ts";
import { type Change, changeConfiguration, undo } from "./change.ts";
import { goneDefinitions, readDefinitionNames, usesIn } from "./definition-uses.ts";
import { matchesEtag } from "./webhook-change.ts";
import {
  type ConfigurationRules,
  checkFields,
  checkWithStored,
  type StoredConfiguration,
} from "./webhook-configuration.ts";
import type { WebhookChange, WebhookCreation } from "./webhook-fields.ts";
import { selectStatistics } from "./statistics.sql.ts";
import { healthView } from "./webhook-health.ts";
import { selectHealth } from "./webhook-health.sql.ts";
import { generateSecret, type SecretView, shownSecret } from "./webhook-secret.ts";
import { WebhookChanges } from "./webhook-transaction.ts";
import {
  statisticsView,
  versionView,
  type WebhookView,
  webhookEtag,
  webhookView,
  webhookViewAt,
} from "./webhook-view.ts";
import { type PreparedSecret, type PreparedSecrets, secretTextsOf } from "./webhook-secrets.ts";
import { selectSecrets } from "./webhook-secrets.sql.ts";
import {
  selectRegisteredTypeNames,
  selectVersions,
  selectWebhook,
  selectWebhooks,
  type WebhookListFilter,
  type WebhookRow,
} from "./webhooks.sql.ts";

/** Where a secret lies: its encryption is bound to it. */
export interface SecretLocation {
  readonly tenantUuid: string;
  readonly table: string;
  readonly column: string;
  readonly rowId: string;
}

export interface WebhooksOptions {
  /** API role, under row-level security. */
  readonly api: pg.Pool;
  readonly clock: Clock;
  /** Sixteen bytes of a new UUIDv7. */
  readonly newId: () => Uint8Array;
  readonly random: (target: Uint8Array) => void;
  readonly rules: ConfigurationRules;
  readonly encryptSecret: (secret: SecretLocation & { readonly plaintext: string }) => Promise<string>;
  /** To see whether a secret that is given is the one stored. Null when the ciphertext does not open. */
  readonly decryptSecret: (secret: SecretLocation & { readonly ciphertext: string }) => Promise<string | null>;
  /** Makes this node read the change; the answer waits for it (guarantee G15). */
  readonly onConfigurationChanged: (version: number) => Promise<void>;
}

export type Written =
  | {
      readonly kind: "written";
      readonly webhook: WebhookView;
      readonly etag: string;
      readonly secret: SecretView | null;
      /** It was disabled since then, and is not any more (milliseconds since 1970). */
      readonly disabledSinceMs?: number;
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

export class Webhooks {
  readonly #options: WebhooksOptions;

  constructor(options: WebhooksOptions) {
    this.#options = options;
  }

  /** Makes a webhook; `secret` in the outcome is its signing secret, shown this once. */
  async create(actor: Actor, fields: WebhookCreation): Promise<Written> {
    const details = [...(await this.check(actor, fields)), ...checkWithStored(fields, {})];
    if (details.length > 0) return { kind: "invalid", details };
    const secrets = await this.prepareSecrets(actor, { secret: null, ...fields });
    return this.inOneChange<Written>(actor, async (change) => {
      await refuseGone(change.db, actor, fields);
      const changes = new WebhookChanges(change, actor);
      const row = changes.create(fields, secrets);
      await changes.store();
      const statistics = { totalDelivered: 0, totalFailed: 0, lastDelivery: null };
      const health = healthView(undefined, change.atMs);
      const webhook = { ...webhookView(row), statistics, health, ...this.#warningsOf(row) };
      return { kind: "written", webhook, etag: webhookEtag(row), secret: secrets.signing?.view ?? null };
    });
  }

  /** Replaces the fields given. `ifMatch` is the header as sent; undefined accepts any state. */
  async change(actor: Actor, webhookUuid: string, given: WebhookChange, ifMatch: string | undefined): Promise<Written> {
    const { secret: givenSecret, ...others } = given;
    // The mask sent back: as it is.
    const fields = givenSecret === undefined || givenSecret === MASK ? others : given;
    const details = await this.check(actor, fields);
    if (details.length > 0) return { kind: "invalid", details };
    const secrets = await this.prepareSecrets(actor, fields);
    return this.inOneChange<Written>(actor, async (change) => {
      const before = await this.#current(change.db, actor, webhookUuid, ifMatch);
      const conflicts = checkWithStored(fields, before.configuration);
      if (conflicts.length > 0) return undo<Written>({ kind: "invalid", details: conflicts });
      await refuseGone(change.db, actor, fields);
      const changes = new WebhookChanges(change, actor);
      const stored = await selectSecrets(change.db, actor.tenantUuid, [webhookUuid]);
      const after = await changes.change(before, fields, secrets, stored);
      if (after === null) return undo<Written>(this.#unchanged(before));
      await changes.store();
      const secret = secrets.signing?.view ?? null;
      const webhook = { ...webhookView(after), ...this.#warningsOf(after) };
      const isEnabled = before.status === "disabled" && after.status === "enabled";
      const since = isEnabled ? (before.disabled_at ?? null) : null;
      return {
        kind: "written",
        webhook,
        etag: webhookEtag(after),
        secret,
        ...(since === null ? {} : { disabledSinceMs: since.getTime() }),
      };
    });
  }

  /** Deletes: it hears nothing more, its secrets are destroyed, its versions and history stay. */
  async remove(actor: Actor, webhookUuid: string, ifMatch: string | undefined): Promise<Deleted> {
    return this.inOneChange<Deleted>(actor, async (change) => {
      const changes = new WebhookChanges(change, actor);
      changes.remove(await this.#current(change.db, actor, webhookUuid, ifMatch));
      await changes.store();
      return { kind: "deleted" };
    });
  }

  /** One webhook with its figures, or null. */
  async get(actor: Actor, webhookUuid: string): Promise<Found | null> {
    return asTenant(this.#options.api, actor.tenantUuid, async (db) => {
      const row = await selectWebhook(db, actor.tenantUuid, actor.livemode, webhookUuid);
      if (row === null) return null;
      const statistics = statisticsView((await selectStatistics(db, actor.tenantUuid, [webhookUuid]))[0]);
      const nowMs = this.#options.clock.nowMs();
      const health = healthView((await selectHealth(db, actor.tenantUuid, [webhookUuid]))[0], nowMs);
      return { webhook: { ...webhookViewAt(row, nowMs), statistics, health }, etag: webhookEtag(row) };
    });
  }

  /** What a webhook says now; null when there is no such webhook. */
  async configurationOf(
    actor: Actor,
    webhookUuid: string,
  ): Promise<{ readonly configuration: StoredConfiguration; readonly status: string } | null> {
    return asTenant(this.#options.api, actor.tenantUuid, (db) =>
      selectWebhook(db, actor.tenantUuid, actor.livemode, webhookUuid),
    );
  }

  /** Webhooks below an id with their figures, newest first. */
  async list(actor: Actor, filter: WebhookListFilter, limit: number): Promise<WebhookView[]> {
    const { tenantUuid, livemode } = actor;
    return asTenant(this.#options.api, tenantUuid, async (db) => {
      const rows = await selectWebhooks(db, tenantUuid, livemode, filter, limit);
      const ids = rows.map((row) => row.id);
      const figures = new Map((await selectStatistics(db, tenantUuid, ids)).map((row) => [row.webhook_id, row]));
      const healths = new Map((await selectHealth(db, tenantUuid, ids)).map((row) => [row.webhook_id, row]));
      const nowMs = this.#options.clock.nowMs();
      return rows.map((row) => ({
        ...webhookViewAt(row, nowMs),
        statistics: statisticsView(figures.get(row.id)),
        health: healthView(healths.get(row.id), nowMs),
      }));
    });
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

  /** Everything wrong with the fields given, in the order of the fields. */
  async check(actor: Actor, fields: WebhookChange): Promise<ErrorDetail[]> {
    return fields.events === undefined && usesIn(fields).length === 0
      ? checkFields(fields, this.#options.rules, NOTHING_OF_TENANT)
      : (await this.checker(actor))(fields);
  }

  /** The same for many webhooks: what the tenant adds to the rules is read once. */
  async checker(actor: Actor): Promise<(fields: WebhookChange) => ErrorDetail[]> {
    const { api, rules } = this.#options;
    const unknownTypesAllowed = actor.unknownEventTypes === "open";
    const tenant = await asTenant(api, actor.tenantUuid, async (db) => ({
      registeredTypes: await selectRegisteredTypeNames(db, actor.tenantUuid),
      unknownTypesAllowed,
      definitions: await readDefinitionNames(db, actor.tenantUuid),
    }));
    return (fields) => checkFields(fields, rules, tenant);
  }

  /**
   * The secrets of fields, encrypted. Before the transaction begins: the tenant's key may have to be made, and the
   * version row is locked. `secret: null` makes a new signing secret.
   */
  async prepareSecrets(actor: Actor, fields: WebhookChange): Promise<PreparedSecrets> {
    const texts = secretTextsOf(fields).map(async (text) => ({
      ...text,
      ...(await this.#encrypt(actor, text.plaintext)),
    }));
    return {
      signing: fields.secret === undefined ? null : await this.prepareSigning(actor, fields.secret),
      texts: await Promise.all(texts),
      holds: this.holder(actor),
    };
  }

  /** Whether a stored secret of the actor's tenant holds a text. Compared in constant time but for the length. */
  holder(actor: Actor): PreparedSecrets["holds"] {
    return async ({ id, ciphertext }, plaintext) => {
      const opened = await this.#options.decryptSecret({ ...secretPlace(actor, id), ciphertext });
      const [a, b] = [Buffer.from(opened ?? "", "utf8"), Buffer.from(plaintext, "utf8")];
      return opened !== null && a.length === b.length && timingSafeEqual(a, b);
    };
  }

  /** A signing secret, encrypted: the one given, or a new one. */
  async prepareSigning(actor: Actor, given: string | null): Promise<PreparedSecret> {
    const plaintext = given ?? generateSecret(this.#options.random);
    return { ...(await this.#encrypt(actor, plaintext)), view: shownSecret(plaintext), wasGiven: given !== null };
  }

  async #encrypt(actor: Actor, plaintext: string): Promise<{ uuid: string; ciphertext: string }> {
    const uuid = uuidFromBytes(this.#options.newId());
    return { uuid, ciphertext: await this.#options.encryptSecret({ ...secretPlace(actor, uuid), plaintext }) };
  }

  /** Runs changes of webhooks in one transaction, under one new configuration version. */
  async inOneChange<Outcome>(actor: Actor, work: (change: Change) => Promise<Outcome>): Promise<Outcome> {
    return changeConfiguration(this.#options, (then) => asTenant(this.#options.api, actor.tenantUuid, then), work);
  }

  #unchanged(row: WebhookRow): Written {
    const webhook = { ...webhookView(row), ...this.#warningsOf(row) };
    return { kind: "written", webhook, etag: webhookEtag(row), secret: null };
  }

  /** Told with every write, so that it is read by whoever can mend it; nothing when there is nothing to tell. */
  #warningsOf({ configuration }: WebhookRow): Pick<WebhookView, "warnings"> {
    const warnings = this.#options.rules.warningsOf(configuration);
    return warnings.length === 0 ? {} : { warnings };
  }

  async #current(db: Executor, actor: Actor, webhookUuid: string, ifMatch: string | undefined): Promise<WebhookRow> {
    const row = await selectWebhook(db, actor.tenantUuid, actor.livemode, webhookUuid);
    if (row === null) return undo<Written>({ kind: "absent" });
    const etag = webhookEtag(row);
    if (!matchesEtag(ifMatch, etag)) return undo<Written>({ kind: "stale", etag });
    return row;
  }
}

/** Under the lock of the change: a rule that was there when the fields were checked may have been deleted since. */
async function refuseGone(db: Executor, actor: Actor, fields: WebhookChange): Promise<void> {
  const details = await goneDefinitions(db, actor.tenantUuid, fields);
  if (details.length > 0) undo<Written>({ kind: "invalid", details });
}

const NOTHING_OF_TENANT = {
  registeredTypes: [],
  unknownTypesAllowed: false,
  definitions: { rule: new Set<string>(), code_table: new Set<string>() },
};

function secretPlace(actor: Actor, rowId: string): SecretLocation {
  return { tenantUuid: actor.tenantUuid, table: "secret", column: "ciphertext", rowId };
}
