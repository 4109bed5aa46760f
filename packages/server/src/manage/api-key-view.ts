// An API key as administrators see it. Its text is shown once, by whoever made it, and is never part of this.
import { type Id, idFromUuid } from "@posthorn/contract";
import type { ApiKeyRow } from "./api-keys.sql.ts";

export interface ApiKeyView {
  readonly id: Id<"apiKey">;
  readonly name: string;
  readonly status: "active" | "expired" | "revoked";
  readonly scopes: readonly string[];
  readonly livemode: boolean;
  readonly companyId: string | null;
  /** Of a webhook's own read key. */
  readonly webhookId: Id<"webhook"> | null;
  readonly allowedIps: readonly string[] | null;
  readonly captureLimitPerSecond: number | null;
  readonly lastCharacters: string;
  readonly createdAt: string;
  readonly expiresAt: string | null;
  /** To the minute. */
  readonly lastUsedAt: string | null;
  readonly revokedAt: string | null;
}

export function apiKeyView(row: ApiKeyRow, nowMs: number): ApiKeyView {
  return {
    id: idFromUuid("apiKey", row.id),
    name: row.name,
    status: statusOf(row, nowMs),
    scopes: row.scopes,
    livemode: row.livemode,
    companyId: row.company_id,
    webhookId: row.webhook_id === null ? null : idFromUuid("webhook", row.webhook_id),
    allowedIps: row.allowed_ips,
    captureLimitPerSecond: row.capture_limit_per_second,
    lastCharacters: row.last_characters,
    createdAt: row.created_at.toISOString(),
    expiresAt: row.expires_at?.toISOString() ?? null,
    lastUsedAt: row.last_used_at?.toISOString() ?? null,
    revokedAt: row.revoked_at?.toISOString() ?? null,
  };
}

/** What the audit trail says of a key: everything that decides what it may do. */
export function auditedMembers(row: ApiKeyRow): Record<string, unknown> {
  return {
    name: row.name,
    scopes: row.scopes,
    livemode: row.livemode,
    companyId: row.company_id,
    ...(row.webhook_id === null ? {} : { webhookId: idFromUuid("webhook", row.webhook_id) }),
    allowedIps: row.allowed_ips,
    captureLimitPerSecond: row.capture_limit_per_second,
    lastCharacters: row.last_characters,
    expiresAt: row.expires_at?.toISOString() ?? null,
    revokedAt: row.revoked_at?.toISOString() ?? null,
  };
}

function statusOf(row: ApiKeyRow, nowMs: number): ApiKeyView["status"] {
  if (row.revoked_at !== null) return "revoked";
  return row.expires_at !== null && row.expires_at.getTime() <= nowMs ? "expired" : "active";
}
