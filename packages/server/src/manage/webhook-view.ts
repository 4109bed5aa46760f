// A webhook as everybody sees it: the fields by their published names, defaults filled in, secret values masked.
import { type Id, idFromUuid } from "@posthorn/contract";
import { maskHeaders } from "../lib/masking.ts";
import { type RetryPolicySetting, WEBHOOK_DEFAULTS } from "../storage/configuration.ts";
import type { StoredConfiguration } from "./webhook-configuration.ts";
import type { StatisticsRow, VersionRow, WebhookRow, WebhookStatus } from "./webhooks.sql.ts";

/** The configured fields; `retryPolicy: null` is the default schedule. */
export interface ConfigurationView {
  readonly name: string | null;
  readonly description: string | null;
  readonly url: string;
  readonly events: readonly string[];
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly filters: readonly string[];
  readonly timeout: number;
  readonly retryPolicy: RetryPolicySetting | null;
  readonly maxInFlight: number;
}

export interface WebhookView extends ConfigurationView {
  readonly id: Id<"webhook">;
  readonly active: boolean;
  readonly status: WebhookStatus;
  /** Only while disabled: `owner`, `endpoint_gone` or `health`. */
  readonly disabledReason?: string;
  readonly livemode: boolean;
  readonly version: number;
  readonly createdAt: string;
  readonly updatedAt: string;
  readonly statistics?: StatisticsView;
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
  };
}

export function statisticsView(row: StatisticsRow): StatisticsView {
  return {
    totalDelivered: row.total_delivered,
    totalFailed: row.total_failed,
    lastDelivery: row.last_delivery?.toISOString() ?? null,
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
    timeout: stored.timeout ?? WEBHOOK_DEFAULTS.timeout,
    retryPolicy: stored.retryPolicy ?? null,
    maxInFlight: stored.maxInFlight ?? WEBHOOK_DEFAULTS.maxInFlight,
  };
}
