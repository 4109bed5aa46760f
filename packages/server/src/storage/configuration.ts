// The configuration that the stages work by: webhooks as immutable snapshots, loaded per tenant on first use and kept
// fresh by polling one version number. Must never answer from a state it could not confirm (guarantee G15).
import { Definitions, NO_DEFINITIONS } from "../expressions/definitions.ts";
import { type FilterSettings, filterSourcesOf } from "../expressions/dialects.ts";
import { type Id, idFromUuid, parseId, type SignatureProfile, uuidFromId } from "@posthorn/contract";
import { LRUCache } from "lru-cache";
import type { Clock } from "../lib/clock.ts";
import { type AuthSetting, NO_AUTH } from "../security/receiver-auth.ts";
import {
  selectConfigVersion,
  selectDefinitionsOfTenant,
  selectRegisteredTypes,
  selectTenantsChangedSince,
  selectWebhook,
  selectWebhooksChangedSince,
  selectWebhooksOfTenant,
  type WebhookRow,
} from "./configuration.sql.ts";
import type { Format, Method } from "./formats.ts";
import { Organisation, type OrganisationEntry, type ScopeSetting } from "./organisation.ts";
import { type OrganisationEntryRow, selectOrganisation, selectOrganisationChangedSince } from "./organisation.sql.ts";
import type { Executor } from "./pools.ts";
import { secretsOfRows, type WebhookSecrets } from "./webhook-secrets.ts";
import type { Priority } from "./priority.ts";
import type { PrivacySetting } from "./privacy.ts";
import type { ResponseRuleSetting } from "./response-rules.ts";
import { Routes } from "./routes.ts";
import { selectRoutesOfTenant } from "./routes.sql.ts";
import type { RetryPolicySetting } from "./retry-setting.ts";

/** At most `limit` requests in any `per`, and `burst` more. */
export interface RateLimitSetting {
  readonly limit: number;
  readonly per: "second" | "minute" | "hour";
  readonly burst: number;
}

/** What a webhook's bodies are made of instead of the envelope. */
export interface TransformSetting {
  /** Any JSON tree, with {{ expressions }} in its texts. */
  readonly template: unknown;
  readonly contentType?: string;
}

/** What of the requests for some event types is another than the webhook says. */
export interface PerEventSetting {
  readonly method?: Method;
  readonly url?: string;
  /** Beside the webhook's own; the same name takes its place. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Either of the two says what the body is, whatever the webhook says. */
  readonly format?: Format;
  readonly transform?: TransformSetting;
}

/** Events in batches, defaults filled in. */
export interface BatchSetting {
  /** False: events go one by one, and the numbers are for imports only (`onImport`). */
  readonly enabled: boolean;
  readonly maxEvents: number;
  /** Seconds that the oldest event waits. */
  readonly maxWaitTime: number;
  /** Event types and patterns: one of them sends its batch at once. */
  readonly flushOnEvent: readonly string[];
  /** An expression: a batch holds events of one value. Absent: all in one. */
  readonly key?: string | null;
  /** What a template is filled for. */
  readonly per: "event" | "batch";
}

/** Only the last state of each key is sent, defaults filled in. */
export interface CoalesceSetting {
  /** An expression; an event for which it has no value goes by itself. */
  readonly key: string;
  /** Seconds without a newer state. */
  readonly window: number;
  /** Seconds after the first state that waits. */
  readonly maxWait: number;
}

/** What becomes of events of an import (`context.source` is `import`). */
export const IMPORT_MODES = ["each", "batch", "digest"] as const;
export type ImportMode = (typeof IMPORT_MODES)[number];

/** One webhook at one moment. A change makes a new object, so anything derived can hang on its identity. */
export interface Webhook {
  readonly tenantId: Id<"tenant">;
  readonly tenantBytes: Uint8Array;
  readonly tenantUuid: string;
  readonly id: Id<"webhook">;
  readonly bytes: Uint8Array;
  readonly uuid: string;
  readonly lane: number;
  readonly livemode: boolean;
  readonly version: number;
  readonly configVersion: number;
  readonly status: "enabled" | "paused" | "disabled" | "deleted";
  readonly disabledReason: string | null;
  readonly url: string;
  readonly method: string;
  readonly events: readonly string[];
  /** Expressions that must all be true, whichever way they were written (expressions/dialects.ts). */
  readonly filters: readonly string[];
  /** Null: the whole organisation. */
  readonly scope: ScopeSetting | null;
  readonly headers: Readonly<Record<string, string>>;
  /** What bodies are made of where there is no template. */
  readonly format: Format;
  /** Null: `format` says what bodies are. */
  readonly transform: TransformSetting | null;
  /** By event type or pattern; null: all requests alike. */
  readonly perEvent: Readonly<Record<string, PerEventSetting>> | null;
  /** Null: its receiver may see everything. */
  readonly privacy: PrivacySetting | null;
  readonly timeoutMs: number;
  readonly maxInFlight: number;
  /** What its deliveries are ordered by: an expression, or true for the key that the sender gives. Null: by nothing. */
  readonly orderingKey: string | true | null;
  /** What becomes of an ordered delivery that nobody will take, and of those behind it. */
  readonly onPoison: "park" | "skip";
  readonly priority: Priority;
  readonly rateLimit: RateLimitSetting | null;
  readonly retryPolicy: RetryPolicySetting | null;
  /** Milliseconds from a delivery's creation after which it is not attempted any more; null for never. */
  readonly expireAfterMs: number | null;
  /** When an answer is a success, as an expression; null: any 2xx. */
  readonly successWhen: string | null;
  /** Asked of every answer, in their order. */
  readonly onResponse: readonly ResponseRuleSetting[];
  /** Null means the default profiles. */
  readonly signatureProfiles: readonly SignatureProfile[] | null;
  readonly auth: AuthSetting;
  /** Addresses and CIDR blocks that may be dialled; null for all that the guard lets through. */
  readonly allowedIps: readonly string[] | null;
  readonly batchSettings: BatchSetting | null;
  readonly coalesce: CoalesceSetting | null;
  readonly onImport: ImportMode;
  readonly secrets: WebhookSecrets;
}

/** What one tenant listens to. Replaced as a whole when one of its webhooks or of its own event types changes. */
export interface TenantConfiguration {
  readonly tenantId: Id<"tenant">;
  readonly webhooks: ReadonlyMap<string, Webhook>;
  /** Types registered beside the catalogue, with the path of their business number. */
  readonly registeredTypes: ReadonlyMap<string, readonly string[] | null>;
  /** Its business rules and code tables. */
  readonly definitions: Definitions;
  /** Who and where: always the same object, kept current in place. */
  readonly organisation: Organisation;
  readonly routes: Routes;
}

export interface ConfigurationOptions {
  readonly db: Executor;
  readonly clock: Clock;
  /** Told after new snapshots are in place, before the version counts as confirmed. */
  readonly onChange: (changed: readonly Webhook[]) => void;
  readonly onPollError: (error: unknown) => void;
  /** Told after each poll that succeeded. */
  readonly onConfirmed?: () => void;
  /** Sets the node's estimate of database time right. */
  readonly onDatabaseTime?: (databaseMs: number, sentMs: number, receivedMs: number) => void;
  readonly pollIntervalMs?: number;
}

/** A node that could not confirm its configuration for this long starts no attempt (G15). */
export const CONFIGURATION_MAX_AGE_MS = 2_000;
/** Seen by everybody well within the two seconds; idle, a node spends 1.3 % of a core on polls, beats and upkeep. */
const POLL_INTERVAL_MS = 700;
const TENANTS_KEPT = 10_000;

export class Configuration {
  readonly #options: ConfigurationOptions;
  readonly #tenants = new LRUCache<string, TenantConfiguration>({ max: TENANTS_KEPT });
  readonly #loading = new Map<string, Promise<TenantConfiguration>>();
  /** Of every tenant that was ever read: deliveries outlive their tenant's place in memory, and are never built by old rules. */
  readonly #definitions = new Map<string, Definitions>();
  #version = 0;
  #confirmedAtMs = Number.NEGATIVE_INFINITY;
  #timer: NodeJS.Timeout | undefined;
  #refreshing: Promise<void> | undefined;
  #refreshAgain: Promise<void> | undefined;
  #stopped = true;

  constructor(options: ConfigurationOptions) {
    this.#options = options;
  }

  /** The configuration that decisions are made under now. */
  get version(): number {
    return this.#version;
  }

  /** True while the configuration was confirmed within the last two seconds. */
  isFresh(): boolean {
    return this.#options.clock.monotonicMs() - this.#confirmedAtMs < CONFIGURATION_MAX_AGE_MS;
  }

  /** How long ago the configuration was confirmed; Infinity before the first time. */
  ageMs(): number {
    return this.#options.clock.monotonicMs() - this.#confirmedAtMs;
  }

  async start(): Promise<void> {
    this.#stopped = false;
    await this.refresh();
    this.#schedule();
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }

  /** Reads what changed. A call made during another read gets a read that began after the call. */
  refresh(): Promise<void> {
    if (this.#refreshing === undefined) {
      this.#refreshing = this.#refreshOnce().finally(() => {
        this.#refreshing = undefined;
      });
      return this.#refreshing;
    }
    this.#refreshAgain ??= this.#refreshing
      .catch(() => undefined)
      .then(() => {
        this.#refreshAgain = undefined;
        return this.refresh();
      });
    return this.#refreshAgain;
  }

  /** The tenant's configuration if it is in memory. */
  tenantNow(tenantId: string): TenantConfiguration | undefined {
    return this.#tenants.get(tenantId);
  }

  /** The tenant's configuration, read on first use. */
  async tenant(tenantId: Id<"tenant">): Promise<TenantConfiguration> {
    const present = this.#tenants.get(tenantId);
    if (present !== undefined) return present;
    const underWay = this.#loading.get(tenantId);
    if (underWay !== undefined) return underWay;
    const loading = this.#loadTenant(tenantId).finally(() => this.#loading.delete(tenantId));
    this.#loading.set(tenantId, loading);
    return loading;
  }

  /** The rules and code tables of a tenant that something of was read before; none of another. */
  definitionsOf(tenantId: Id<"tenant">): Definitions {
    return this.#definitions.get(tenantId) ?? NO_DEFINITIONS;
  }

  /** One webhook as it is now, deleted ones included; null when it never existed. */
  async webhook(tenantId: Id<"tenant">, webhookId: Id<"webhook">): Promise<Webhook | null> {
    const tenant = await this.tenant(tenantId);
    const known = tenant.webhooks.get(webhookId);
    if (known !== undefined) return known;
    const row = await selectWebhook(this.#options.db, uuidFromId("tenant", tenantId), uuidFromId("webhook", webhookId));
    return row === null ? null : webhookOfRow(row);
  }

  #schedule(): void {
    if (this.#stopped) return;
    this.#timer = setTimeout(() => {
      this.refresh()
        .catch((error: unknown) => this.#options.onPollError(error))
        .finally(() => this.#schedule());
    }, this.#options.pollIntervalMs ?? POLL_INTERVAL_MS);
    this.#timer.unref();
  }

  async #refreshOnce(): Promise<void> {
    const { db, clock, onDatabaseTime } = this.#options;
    const sentMs = clock.monotonicMs();
    const { version, database_ms } = await selectConfigVersion(db);
    onDatabaseTime?.(database_ms, sentMs, clock.monotonicMs());
    if (version > this.#version) {
      // At the first read nothing is loaded: there is no snapshot that could be stale.
      const since = this.#version;
      const rows = since === 0 ? [] : await selectWebhooksChangedSince(db, since);
      // A tenant being read now may or may not see this change: it is read again afterwards.
      await Promise.allSettled(this.#loading.values());
      const tenants = since === 0 ? [] : await this.#changedTenants(since);
      const entries = since === 0 ? [] : await selectOrganisationChangedSince(db, since);
      // From here on in one turn: nothing may be routed under the new configuration and the old number.
      const changed = rows.map(webhookOfRow);
      this.#replace(changed);
      for (const tenant of tenants) this.#replaceTenant(tenant);
      for (const row of entries) this.#putEntry(row);
      this.#version = version;
      this.#options.onChange(changed);
    }
    this.#confirmedAtMs = sentMs;
    this.#options.onConfirmed?.();
  }

  #replace(changed: readonly Webhook[]): void {
    const byTenant = new Map<string, Webhook[]>();
    for (const webhook of changed) {
      const list = byTenant.get(webhook.tenantId);
      if (list === undefined) byTenant.set(webhook.tenantId, [webhook]);
      else list.push(webhook);
    }
    for (const [tenantId, list] of byTenant) {
      const present = this.#tenants.peek(tenantId);
      if (present === undefined) continue;
      const webhooks = new Map(present.webhooks);
      for (const webhook of list) webhooks.set(webhook.id, webhook);
      this.#tenants.set(tenantId, { ...present, webhooks });
    }
  }

  /** What hangs on the row of a tenant, of those ever read: what was removed leaves no row of its own. */
  async #changedTenants(since: number): Promise<ChangedTenant[]> {
    const { db } = this.#options;
    const known = (await selectTenantsChangedSince(db, since))
      .map((tenantUuid) => ({ tenantUuid, tenantId: idFromUuid("tenant", tenantUuid) }))
      .filter(({ tenantId }) => this.#definitions.has(tenantId));
    const changed: ChangedTenant[] = [];
    for (const { tenantUuid, tenantId } of known) {
      const definitions = definitionsOfRows(await selectDefinitionsOfTenant(db, tenantUuid));
      const isInMemory = this.#tenants.has(tenantId);
      const registeredTypes = isInMemory ? typesOfRows(await selectRegisteredTypes(db, tenantUuid)) : NO_TYPES;
      const routes = new Routes(isInMemory ? await selectRoutesOfTenant(db, tenantUuid) : []);
      changed.push({ tenantId, definitions, registeredTypes, routes });
    }
    return changed;
  }

  #replaceTenant({ tenantId, definitions, registeredTypes, routes }: ChangedTenant): void {
    this.#definitions.set(tenantId, definitions);
    const present = this.#tenants.peek(tenantId);
    if (present !== undefined) this.#tenants.set(tenantId, { ...present, definitions, registeredTypes, routes });
  }

  #putEntry(row: OrganisationEntryRow): void {
    this.#tenants.peek(idFromUuid("tenant", row.tenant_id))?.organisation.put(entryOfRow(row));
  }

  async #loadTenant(tenantId: Id<"tenant">): Promise<TenantConfiguration> {
    const tenantUuid = uuidFromId("tenant", tenantId);
    const [rows, types, defined, entries, routes] = await Promise.all([
      selectWebhooksOfTenant(this.#options.db, tenantUuid),
      selectRegisteredTypes(this.#options.db, tenantUuid),
      selectDefinitionsOfTenant(this.#options.db, tenantUuid),
      selectOrganisation(this.#options.db, tenantUuid),
      selectRoutesOfTenant(this.#options.db, tenantUuid),
    ]);
    const definitions = definitionsOfRows(defined);
    const configuration: TenantConfiguration = {
      tenantId,
      webhooks: new Map(rows.map((row) => [idFromUuid("webhook", row.id), webhookOfRow(row)])),
      registeredTypes: typesOfRows(types),
      definitions,
      organisation: new Organisation(entries.map(entryOfRow)),
      routes: new Routes(routes),
    };
    this.#definitions.set(tenantId, definitions);
    this.#tenants.set(tenantId, configuration);
    return configuration;
  }
}

type ChangedTenant = Pick<TenantConfiguration, "tenantId" | "definitions" | "registeredTypes" | "routes">;
const NO_TYPES: TenantConfiguration["registeredTypes"] = new Map();

function definitionsOfRows(rows: readonly { kind: "rule" | "code_table"; name: string; body: unknown }[]): Definitions {
  if (rows.length === 0) return NO_DEFINITIONS;
  const ofKind = (kind: string) => rows.filter((row) => row.kind === kind).map(({ name, body }) => [name, body]);
  return new Definitions({
    rules: Object.fromEntries(ofKind("rule")),
    tables: Object.fromEntries(ofKind("code_table")),
  });
}

function typesOfRows(
  rows: readonly { readonly name: string; readonly reference_path: readonly string[] | null }[],
): ReadonlyMap<string, readonly string[] | null> {
  return new Map(rows.map((row) => [row.name, row.reference_path]));
}

function entryOfRow(row: OrganisationEntryRow): OrganisationEntry {
  const { kind, id, is_removed: isRemoved, parent_id: parentId, departments, teams } = row;
  return { kind, id, isRemoved, parentId, departments, teams };
}

interface StoredConfiguration extends FilterSettings {
  readonly url: string;
  readonly events: readonly string[];
  readonly scope?: ScopeSetting;
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly format?: Format;
  readonly transform?: TransformSetting;
  readonly perEvent?: Readonly<Record<string, PerEventSetting>>;
  readonly privacy?: PrivacySetting;
  readonly timeout?: number;
  readonly maxInFlight?: number;
  readonly orderingKey?: string | true;
  readonly onPoison?: "park" | "skip";
  readonly priority?: Priority;
  readonly rateLimit?: RateLimitSetting;
  readonly retryPolicy?: RetryPolicySetting | null;
  /** Seconds. */
  readonly expireAfter?: number;
  readonly successWhen?: string;
  readonly onResponse?: readonly ResponseRuleSetting[];
  readonly signature?: { readonly profiles: readonly SignatureProfile[] };
  readonly auth?: AuthSetting;
  readonly allowedIps?: readonly string[];
  readonly batchSettings?: BatchSetting;
  readonly coalesce?: CoalesceSetting;
  readonly onImport?: ImportMode;
}

/** Fields that a webhook leaves out. Timeout in seconds, as everywhere in the published API. */
export const WEBHOOK_DEFAULTS = {
  method: "POST",
  format: "bigledger",
  contentType: "application/json",
  timeout: 15,
  maxInFlight: 64,
  onImport: "each",
  conditionLogic: "AND",
  onPoison: "park",
  expireWarning: 0.8,
  priority: "normal",
} as const;

/** A snapshot from its row; `configuration` holds the fields as the administrator gave them. */
export function webhookOfRow(row: WebhookRow): Webhook {
  const stored = row.configuration as StoredConfiguration;
  const tenantId = idFromUuid("tenant", row.tenant_id);
  const id = idFromUuid("webhook", row.id);
  return {
    tenantId,
    tenantBytes: parseId("tenant", tenantId) as Uint8Array,
    tenantUuid: row.tenant_id,
    id,
    bytes: parseId("webhook", id) as Uint8Array,
    uuid: row.id,
    lane: row.lane,
    livemode: row.livemode,
    version: row.version,
    configVersion: row.config_version,
    status: row.status,
    disabledReason: row.disabled_reason,
    url: stored.url,
    method: stored.method ?? WEBHOOK_DEFAULTS.method,
    events: stored.events,
    filters: filterSourcesOf(stored).map(({ source }) => source),
    scope: stored.scope ?? null,
    headers: stored.headers ?? {},
    format: stored.format ?? WEBHOOK_DEFAULTS.format,
    transform: stored.transform ?? null,
    perEvent: stored.perEvent ?? null,
    privacy: stored.privacy ?? null,
    timeoutMs: (stored.timeout ?? WEBHOOK_DEFAULTS.timeout) * 1000,
    maxInFlight: stored.maxInFlight ?? WEBHOOK_DEFAULTS.maxInFlight,
    orderingKey: stored.orderingKey ?? null,
    onPoison: stored.onPoison ?? WEBHOOK_DEFAULTS.onPoison,
    priority: stored.priority ?? WEBHOOK_DEFAULTS.priority,
    rateLimit: stored.rateLimit ?? null,
    retryPolicy: stored.retryPolicy ?? null,
    expireAfterMs: stored.expireAfter === undefined ? null : stored.expireAfter * 1_000,
    successWhen: stored.successWhen ?? null,
    onResponse: stored.onResponse ?? [],
    signatureProfiles: stored.signature?.profiles ?? null,
    auth: stored.auth ?? NO_AUTH,
    allowedIps: stored.allowedIps ?? null,
    batchSettings: stored.batchSettings ?? null,
    coalesce: stored.coalesce ?? null,
    onImport: stored.onImport ?? WEBHOOK_DEFAULTS.onImport,
    secrets: secretsOfRows(row.secrets ?? []),
  };
}
