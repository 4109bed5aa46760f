// Tenants, companies, API keys and the audit trail as the API shows them.
import type { Time } from "./event.ts";

export type RetentionDays = 7 | 30 | 90 | 400 | 3650;

export interface Tenant {
  readonly id: string;
  readonly name: string;
  /** Events a second; null for no limit. */
  readonly captureLimitPerSecond: number | null;
  /** How long new events and their history are kept. */
  readonly retentionDays: RetentionDays;
  /** Whether types that the catalogue does not have are refused, or taken. */
  readonly unknownEventTypes: "refused" | "open";
  /** Who gets the digests of operational events unless others are chosen. */
  readonly administratorEmail: string | null;
  /** On which clock digests say times. */
  readonly timeZone: string;
  readonly createdAt: string;
}

/** What an administrator may change of the own tenant; `null` restores the default. */
export interface TenantSettings {
  readonly retentionDays?: RetentionDays | null;
  readonly unknownEventTypes?: "refused" | "open" | null;
  readonly administratorEmail?: string | null;
  readonly timeZone?: string | null;
}

export interface NewTenant extends TenantSettings {
  readonly name: string;
  readonly captureLimitPerSecond?: number | null;
  readonly company?: { readonly id?: string; readonly name?: string };
}

export type TenantChange = Partial<Omit<NewTenant, "company">>;

/** A tenant that was just made, with its first company and its first administrator's key. */
export interface CreatedTenant extends Tenant {
  readonly company: Company;
  readonly apiKey: MintedApiKey;
}

export interface Company {
  readonly id: string;
  readonly name: string;
  readonly createdAt: string;
}

export interface NewCompany {
  readonly name: string;
  /** As the platform calls it, `company_…`; one is made unless given. */
  readonly id?: string;
}

export interface ApiKey {
  readonly id: string;
  readonly name: string;
  readonly status: "active" | "expired" | "revoked";
  readonly scopes: readonly string[];
  readonly livemode: boolean;
  readonly companyId: string | null;
  /** Of a webhook's own read key. */
  readonly webhookId: string | null;
  readonly allowedIps: readonly string[] | null;
  readonly captureLimitPerSecond: number | null;
  readonly lastCharacters: string;
  readonly createdAt: string;
  readonly expiresAt: string | null;
  /** To the minute. */
  readonly lastUsedAt: string | null;
  readonly revokedAt: string | null;
}

/** A key that was just made; `key` is shown only this once. */
export interface MintedApiKey extends ApiKey {
  readonly key: string;
}

export interface NewApiKey {
  readonly name: string;
  readonly scopes: readonly string[];
  /** The mode of the key that asks unless given; a sandbox key makes sandbox keys only. */
  readonly livemode?: boolean;
  readonly companyId?: string | null;
  readonly allowedIps?: readonly string[] | null;
  readonly captureLimitPerSecond?: number | null;
  readonly expiresAt?: Time | null;
}

export type ApiKeyChange = Partial<Omit<NewApiKey, "livemode">>;

/** A key that reads one webhook, its events and its deliveries. */
export interface NewReadKey {
  readonly name?: string;
  readonly allowedIps?: readonly string[] | null;
  readonly expiresAt?: Time | null;
}

/** A program that may ask for access; `id` is its `client_id`. */
export interface OauthClient {
  readonly id: string;
  readonly name: string;
  readonly redirectUris: readonly string[];
  /** The most that it may ask for. */
  readonly scopes: readonly string[];
  readonly createdAt: string;
}

export type NewOauthClient = Pick<OauthClient, "name" | "redirectUris" | "scopes">;

/** What somebody allowed a program to do. */
export interface OauthGrant {
  readonly id: string;
  readonly clientId: string;
  /** Null when the program was removed. */
  readonly clientName: string | null;
  /** The key with which it was allowed. */
  readonly grantedBy: string;
  readonly scopes: readonly string[];
  readonly status: "active" | "expired" | "revoked";
  readonly createdAt: string;
  /** To the minute. */
  readonly lastUsedAt: string | null;
  readonly revokedAt: string | null;
}

export interface AuditEntry {
  readonly id: string;
  readonly at: string;
  /** The key that did it, a node that did it by itself, or `operator`. */
  readonly actor: string;
  readonly action: string;
  readonly objectType: string;
  readonly objectId: string;
  readonly requestId: string | null;
  /** `{ field: { from, to } }`; secrets are masked. */
  readonly change: Readonly<Record<string, unknown>>;
}

export interface AuditQuery {
  readonly objectType?: string;
  readonly objectId?: string;
  readonly actor?: string;
  readonly action?: string;
  readonly from?: Time;
  readonly to?: Time;
  /** Entries on one page, 1 to 200. */
  readonly limit?: number;
}
