// Who holds the API key of a request. Keys are looked up by their SHA-256 and remembered for as long as the
// configuration is confirmed unchanged; must never keep a key's text, nor say why a key was not accepted.
import { hash } from "node:crypto";
import { idFromUuid } from "@posthorn/contract";
import { LRUCache } from "lru-cache";
import type pg from "pg";
import type { Clock } from "../lib/clock.ts";
import { inspectApiKey } from "../security/api-keys.ts";
import { asTenant, inTransaction } from "../storage/pools.ts";
import { type IpMatcher, ipMatcher } from "./allowed-ips.ts";
import { type Failure, failure } from "./answer.ts";
import { selectCompanyExists, selectKey, selectTenant, setKeyHash, setTenant } from "./authenticate.sql.ts";
import type { Principal } from "./principal.ts";

export type Authentication =
  | { readonly ok: true; readonly principal: Principal }
  | { readonly ok: false; readonly failure: Failure };

/** What a request says about itself. */
export interface Credentials {
  readonly authorization: string | undefined;
  /** `X-Company-Id`. */
  readonly companyId: string | undefined;
  readonly ip: string;
}

export interface AuthenticatorOptions {
  /** API role, under row-level security. */
  readonly api: pg.Pool;
  readonly clock: Clock;
  /** Revoking or changing a key raises the version; not fresh means that this node could not confirm it for 2 s. */
  readonly configuration: { readonly version: number; isFresh(): boolean };
  /** Told of every request that a key was let in for; on the hot path. */
  readonly onUse?: (principal: Principal) => void;
}

interface KnownKey {
  readonly loadedAtMs: number;
  readonly expiresAtMs: number | null;
  readonly isAllowedIp: IpMatcher | null;
  /** The company that the key is bound to. */
  readonly boundCompanyId: string | null;
  /** Without `X-Company-Id`. */
  readonly principal: Principal;
  /** By `X-Company-Id`, filled on first use. */
  readonly byCompany: Map<string, Principal>;
}

/** Remembered for a moment only, so that a wrong key does not ask the database with each request. */
interface UnknownKey {
  readonly loadedAtMs: number;
  readonly principal: null;
}

/** Without confirmation: fresh means confirmed within 2 s, so 3 s more make the 5 s that a revoked key may live. */
const UNCONFIRMED_MAX_AGE_MS = 3_000;
const UNKNOWN_MAX_AGE_MS = 1_000;
const KEYS_KEPT = 20_000;
const COMPANIES_KEPT_PER_KEY = 1_000;
const BEARER = /^Bearer +([\x21-\x7e]{20,512})$/i;

const REFUSED: Authentication = {
  ok: false,
  failure: { ...failure("UNAUTHORIZED"), headers: { "www-authenticate": 'Bearer realm="posthorn"' } },
};

export class Authenticator {
  readonly #options: AuthenticatorOptions;
  readonly #keys = new LRUCache<string, KnownKey | UnknownKey>({ max: KEYS_KEPT });
  readonly #loading = new Map<string, Promise<KnownKey | UnknownKey>>();
  #version = -1;
  #freshAtMs = Number.NEGATIVE_INFINITY;

  constructor(options: AuthenticatorOptions) {
    this.#options = options;
  }

  /** The answer from memory, or undefined when the database has to be asked. */
  authenticateNow(credentials: Credentials): Authentication | undefined {
    const keyHash = keyHashOf(credentials.authorization);
    if (keyHash === null) return REFUSED;
    const entry = this.#remembered(keyHash);
    return entry === undefined ? undefined : this.#noted(this.#judge(entry, credentials));
  }

  /** The answer, asking the database where memory does not have it. Throws what the database throws. */
  async authenticate(credentials: Credentials): Promise<Authentication> {
    const keyHash = keyHashOf(credentials.authorization);
    if (keyHash === null) return REFUSED;
    let entry = this.#remembered(keyHash);
    if (entry === undefined) {
      // Its checksum tells a mistyped key without the database. A key that is remembered was never mistyped.
      if (inspectApiKey(keyOf(credentials.authorization) as string) === "mistyped") return REFUSED;
      entry = await this.#load(keyHash);
    }
    const judged =
      this.#judge(entry, credentials) ?? (await this.#judgeCompany(entry as KnownKey, credentials.companyId as string));
    return this.#noted(judged);
  }

  #noted<Judged extends Authentication | undefined>(judged: Judged): Judged {
    if (judged?.ok === true) this.#options.onUse?.(judged.principal);
    return judged;
  }

  #remembered(keyHash: string): KnownKey | UnknownKey | undefined {
    const { configuration, clock } = this.#options;
    const nowMs = clock.monotonicMs();
    if (configuration.version !== this.#version) {
      this.#keys.clear();
      this.#version = configuration.version;
    }
    if (configuration.isFresh()) this.#freshAtMs = nowMs;
    const entry = this.#keys.get(keyHash);
    if (entry === undefined) return undefined;
    const ageMs = nowMs - (entry.principal === null ? entry.loadedAtMs : Math.max(entry.loadedAtMs, this.#freshAtMs));
    return ageMs > (entry.principal === null ? UNKNOWN_MAX_AGE_MS : UNCONFIRMED_MAX_AGE_MS) ? undefined : entry;
  }

  /** @returns undefined when only the database knows whether the company exists */
  #judge(entry: KnownKey | UnknownKey, credentials: Credentials): Authentication | undefined {
    if (entry.principal === null) return REFUSED;
    if (entry.expiresAtMs !== null && this.#options.clock.nowMs() >= entry.expiresAtMs) return REFUSED;
    if (entry.isAllowedIp !== null && !entry.isAllowedIp(credentials.ip)) return addressRefused(credentials.ip);
    const { companyId } = credentials;
    if (companyId === undefined) return { ok: true, principal: entry.principal };
    if (entry.boundCompanyId !== null && companyId !== entry.boundCompanyId) return companyRefused(companyId);
    const principal = entry.byCompany.get(companyId);
    return principal === undefined ? undefined : { ok: true, principal };
  }

  async #judgeCompany(entry: KnownKey, companyId: string): Promise<Authentication> {
    const { tenantUuid } = entry.principal;
    const exists = await asTenant(this.#options.api, tenantUuid, (db) =>
      selectCompanyExists(db, tenantUuid, companyId),
    );
    if (!exists) return companyRefused(companyId);
    const principal = { ...entry.principal, companyId };
    if (entry.byCompany.size >= COMPANIES_KEPT_PER_KEY) entry.byCompany.clear();
    entry.byCompany.set(companyId, principal);
    return { ok: true, principal };
  }

  /** Fifty requests with one new key are one look-up. */
  #load(keyHash: string): Promise<KnownKey | UnknownKey> {
    const underWay = this.#loading.get(keyHash);
    if (underWay !== undefined) return underWay;
    const loading = this.#read(keyHash).finally(() => this.#loading.delete(keyHash));
    this.#loading.set(keyHash, loading);
    return loading;
  }

  async #read(keyHash: string): Promise<KnownKey | UnknownKey> {
    const versionBefore = this.#options.configuration.version;
    const loadedAtMs = this.#options.clock.monotonicMs();
    const entry = await inTransaction<KnownKey | UnknownKey>(this.#options.api, async (db) => {
      await setKeyHash(db, keyHash);
      const key = await selectKey(db, keyHash);
      if (key === null) return { loadedAtMs, principal: null };
      await setTenant(db, key.tenant_id);
      const tenant = await selectTenant(db, key.tenant_id);
      if (tenant === null) return { loadedAtMs, principal: null };
      return {
        loadedAtMs,
        expiresAtMs: key.expires_at_ms,
        isAllowedIp: key.allowed_ips === null ? null : ipMatcher(key.allowed_ips),
        boundCompanyId: key.company_id,
        byCompany: new Map(),
        principal: {
          tenantId: idFromUuid("tenant", key.tenant_id),
          tenantUuid: key.tenant_id,
          keyId: idFromUuid("apiKey", key.id),
          livemode: key.livemode,
          companyId: key.company_id,
          scopes: key.scopes,
          webhookUuid: key.webhook_id,
          captureLimitPerSecond: key.capture_limit_per_second,
          tenantCaptureLimitPerSecond: tenant.capture_limit_per_second,
          retentionClass: tenant.retention_class,
          unknownEventTypes: tenant.unknown_event_types,
        },
      };
    });
    // Read under one version and remembered under the next, it could outlive a revocation.
    if (this.#options.configuration.version === versionBefore && this.#version === versionBefore) {
      this.#keys.set(keyHash, entry);
    }
    return entry;
  }
}

function keyOf(authorization: string | undefined): string | undefined {
  return authorization === undefined ? undefined : BEARER.exec(authorization)?.[1];
}

function keyHashOf(authorization: string | undefined): string | null {
  const key = keyOf(authorization);
  return key === undefined ? null : hash("sha256", key, "hex");
}

function addressRefused(ip: string): Authentication {
  const detail = { message: `This key may not be used from ${ip}.`, code: "ADDRESS_NOT_ALLOWED" };
  return {
    ok: false,
    failure: failure("FORBIDDEN", `${detail.message} Add the address to the key's allow-list.`, [detail]),
  };
}

function companyRefused(companyId: string): Authentication {
  const shown = companyId.slice(0, 80);
  const message = `This key reaches no company "${shown}". Leave X-Company-Id out, or name one from GET /v1/companies.`;
  const detail = { field: "X-Company-Id", message, code: "UNKNOWN_COMPANY" };
  return { ok: false, failure: failure("FORBIDDEN", message, [detail]) };
}
