// A webhook as everybody sees it: the fields by their published names, defaults filled in, secret values masked.
import { DEFAULT_SIGNATURE_PROFILES, type Id, idFromUuid, type SignatureProfile } from "@posthorn/contract";
import type { Condition, ConditionLogic, FilterMap } from "../expressions/dialects.ts";
import { maskHeaders } from "../lib/masking.ts";
import { type AuthSetting, NO_AUTH } from "../security/receiver-auth.ts";
import {
  type BatchSetting,
  type CoalesceSetting,
  type ImportMode,
  type PerEventSetting,
  type RateLimitSetting,
  type TransformSetting,
  WEBHOOK_DEFAULTS,
} from "../storage/configuration.ts";
import type { Format } from "../storage/formats.ts";
import type { ScopeSetting } from "../storage/organisation.ts";
import type { Priority } from "../storage/priority.ts";
import type { PrivacySetting } from "../storage/privacy.ts";
import type { ResponseRuleSetting } from "../storage/response-rules.ts";
import type { RetryPolicySetting } from "../storage/retry-setting.ts";
import type { ConfigurationWarning } from "./transform.ts";
import type { StoredConfiguration } from "./webhook-configuration.ts";
import type { HealthView } from "./webhook-health.ts";
import type { TenantStatisticsRow } from "./statistics.sql.ts";
import type { RotationRow, VersionRow, WebhookRow, WebhookStatus } from "./webhooks.sql.ts";

/** The configured fields; `retryPolicy: null` is the default schedule. */
export interface ConfigurationView {
  readonly name: string | null;
  readonly description: string | null;
  readonly url: string;
  readonly events: readonly string[];
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly filters: readonly string[] | FilterMap;
  readonly conditions: readonly Condition[];
  readonly conditionLogic: ConditionLogic;
  readonly format: Format;
  /** Null: the whole organisation. */
  readonly scope: ScopeSetting | null;
  /** Null: `format` says what bodies are. */
  readonly transform: Required<TransformSetting> | null;
  /** Null: all requests alike. */
  readonly perEvent: Readonly<Record<string, PerEventSetting>> | null;
  /** Null: its receiver may see everything. */
  readonly privacy: PrivacySetting | null;
  readonly timeout: number;
  readonly retryPolicy: RetryPolicySetting | null;
  /** Seconds; null for never. */
  readonly expireAfter: number | null;
  readonly expireWarning: number;
  /** Seconds; null for never. */
  readonly checkAfter: number | null;
  readonly maxInFlight: number;
  /** Null: side by side. */
  readonly orderingKey: string | true | null;
  readonly onPoison: "park" | "skip";
  readonly priority: Priority;
  /** Null: as fast as it takes them. */
  readonly rateLimit: RateLimitSetting | null;
  readonly metadata: Readonly<Record<string, string>>;
  /** Null: any 2xx is a success. */
  readonly successWhen: string | null;
  readonly onResponse: readonly ResponseRuleSetting[];
  /** Its secret member is masked. */
  readonly auth: AuthSetting;
  readonly signature: { readonly profiles: readonly SignatureProfile[] };
  /** Null: any address that the guard lets through. */
  readonly allowedIps: readonly string[] | null;
  /** Null: each event in a request of its own. */
  readonly batchSettings: Required<BatchSetting> | null;
  /** Null: every state is sent. */
  readonly coalesce: CoalesceSetting | null;
  readonly onImport: ImportMode;
}

export interface WebhookView extends ConfigurationView {
  readonly id: Id<"webhook">;
  readonly active: boolean;
  readonly status: WebhookStatus;
  /** Only in the answer that enables it again: the gap. */
  readonly missed?: {
    readonly count: number;
    readonly isMore: boolean;
    readonly from: string;
    readonly to: string;
    readonly replay: {
      readonly webhookId: string;
      readonly which: "missed";
      readonly from: string;
      readonly to: string;
    };
  };
  /** Only while disabled: `owner`, `endpoint_gone` or `health`. */
  readonly disabledReason?: string;
  readonly livemode: boolean;
  readonly version: number;
  readonly createdAt: string;
  readonly updatedAt: string;
  /** Only while two signing secrets are in force. */
  readonly secretRotation?: SecretRotationView;
  readonly statistics?: StatisticsView;
  /** In what is read, not in the answers to changes. */
  readonly health?: HealthView;
  /** In the answers to writes, when there is something to tell. */
  readonly warnings?: readonly ConfigurationWarning[];
}

/** A rotation of the signing secret; its texts are never shown again. */
export interface SecretRotationView {
  readonly startedAt: string;
  /** From then on the old secret signs nothing, switched or not. */
  readonly overlapEndsAt: string;
  /** True once profiles with room for one signature use the new secret. */
  readonly switched: boolean;
}

export interface StatisticsView {
  readonly totalDelivered: number;
  readonly totalFailed: number;
  readonly lastDelivery: string | null;
}

export function webhookView(row: WebhookRow): WebhookView {
  return {
    id: idFromUuid("webhook", row.id),
    ...configurationView(row.configuration),
    active: row.status !== "disabled",
    status: row.status,
    ...(row.disabled_reason === null ? {} : { disabledReason: row.disabled_reason }),
    livemode: row.livemode,
    version: row.version,
    createdAt: row.created_at.toISOString(),
    updatedAt: row.updated_at.toISOString(),
    ...rotationView(row.rotation),
  };
}

/** As it is at a time: a rotation that is over is not shown, whether upkeep has cleared it or not. */
export function webhookViewAt(row: WebhookRow, nowMs: number): WebhookView {
  const isOver = row.rotation ? row.rotation.overlap_ends_ms <= nowMs : false;
  return webhookView(isOver ? { ...row, rotation: null } : row);
}

function rotationView(rotation: RotationRow | null | undefined): { secretRotation?: SecretRotationView } {
  if (!rotation) return {};
  const startedAt = new Date(rotation.started_ms).toISOString();
  const overlapEndsAt = new Date(rotation.overlap_ends_ms).toISOString();
  return { secretRotation: { startedAt, overlapEndsAt, switched: rotation.is_switched } };
}

/** @param row absent for a webhook of which nothing was recorded yet */
export function statisticsView(row: TenantStatisticsRow | undefined): StatisticsView {
  return {
    totalDelivered: row?.total_delivered ?? 0,
    totalFailed: row?.total_failed ?? 0,
    lastDelivery: row?.last_delivery?.toISOString() ?? null,
  };
}

export function versionView(row: VersionRow): Record<string, unknown> {
  return {
    version: row.version,
    createdAt: row.created_at.toISOString(),
    createdBy: row.created_by,
    fromConfigVersion: row.from_config_version,
    toConfigVersion: row.to_config_version,
    configuration: configurationView(row.configuration),
  };
}

/** Changes with every change, of status too: a strong validator for If-Match (RFC 9110, section 8.8.1). */
export function webhookEtag(row: Pick<WebhookRow, "version" | "config_version">): string {
  return `"${row.version}-${row.config_version}"`;
}

function configurationView(stored: StoredConfiguration): ConfigurationView {
  return {
    name: stored.name ?? null,
    description: stored.description ?? null,
    url: stored.url,
    events: stored.events,
    method: stored.method ?? WEBHOOK_DEFAULTS.method,
    headers: maskHeaders(stored.headers ?? {}),
    filters: stored.filters ?? [],
    conditions: stored.conditions ?? [],
    conditionLogic: stored.conditionLogic ?? WEBHOOK_DEFAULTS.conditionLogic,
    format: stored.format ?? WEBHOOK_DEFAULTS.format,
    scope: stored.scope ?? null,
    transform:
      stored.transform === undefined ? null : { contentType: WEBHOOK_DEFAULTS.contentType, ...stored.transform },
    perEvent: stored.perEvent ?? null,
    privacy: stored.privacy ?? null,
    timeout: stored.timeout ?? WEBHOOK_DEFAULTS.timeout,
    retryPolicy: stored.retryPolicy ?? null,
    expireAfter: stored.expireAfter ?? null,
    expireWarning: stored.expireWarning ?? WEBHOOK_DEFAULTS.expireWarning,
    checkAfter: stored.checkAfter ?? null,
    maxInFlight: stored.maxInFlight ?? WEBHOOK_DEFAULTS.maxInFlight,
    orderingKey: stored.orderingKey ?? null,
    onPoison: stored.onPoison ?? WEBHOOK_DEFAULTS.onPoison,
    priority: stored.priority ?? WEBHOOK_DEFAULTS.priority,
    rateLimit: stored.rateLimit ?? null,
    metadata: stored.metadata ?? {},
    successWhen: stored.successWhen ?? null,
    onResponse: stored.onResponse ?? [],
    auth: stored.auth ?? NO_AUTH,
    signature: stored.signature ?? { profiles: DEFAULT_SIGNATURE_PROFILES },
    allowedIps: stored.allowedIps ?? null,
    batchSettings: stored.batchSettings === undefined ? null : { key: null, ...stored.batchSettings },
    coalesce: stored.coalesce ?? null,
    onImport: stored.onImport ?? WEBHOOK_DEFAULTS.onImport,
  };
}
