// Who may do what: tenants, companies, API keys, and the trail of what was changed.
import { type CallOptions, pathOf, type Transport } from "../http/transport.ts";
import type { Listing } from "../listing.ts";
import type {
  ApiKey,
  ApiKeyChange,
  AuditEntry,
  AuditQuery,
  Company,
  MintedApiKey,
  NewApiKey,
  NewCompany,
  NewOauthClient,
  OauthClient,
  OauthGrant,
  CreatedTenant,
  NewReadKey,
  NewTenant,
  Tenant,
  TenantChange,
  TenantSettings,
} from "../types/access.ts";
import { change, list, read } from "./read.ts";

export interface KeyQuery {
  readonly status?: ApiKey["status"];
  /** Keys on one page, 1 to 200. */
  readonly limit?: number;
}

/** Tenants of the installation; all but `current` needs a key with the scope `operator`. */
export class Tenants {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  /** Makes a tenant with a company and an administrator's key, whose text is shown this once. */
  async create(tenant: NewTenant, options?: CallOptions): Promise<CreatedTenant> {
    return (await change(this.#transport, "POST", "/tenants", tenant, options)).data as CreatedTenant;
  }

  get(id: string, options?: CallOptions): Promise<Tenant> {
    return read(this.#transport, pathOf`/tenants/${id}`, options);
  }

  list(query?: { readonly name?: string; readonly limit?: number }, options?: CallOptions): Listing<Tenant> {
    return list(this.#transport, "/tenants", query, options);
  }

  /** Replaces the fields given; the rest stay. */
  async update(id: string, fields: TenantChange, options?: CallOptions): Promise<Tenant> {
    return (await change(this.#transport, "PATCH", pathOf`/tenants/${id}`, fields, options)).data as Tenant;
  }

  /** The tenant of this client's key; its administrator may ask. */
  current(options?: CallOptions): Promise<Tenant> {
    return read(this.#transport, "/tenants/current", options);
  }

  /** Changes the settings of the tenant of this client's key. */
  async updateCurrent(fields: TenantSettings, options?: CallOptions): Promise<Tenant> {
    return (await change(this.#transport, "PATCH", "/tenants/current", fields, options)).data as Tenant;
  }
}

/** The companies of the tenant: what `companyId` may name. */
export class Companies {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  async create(company: NewCompany, options?: CallOptions): Promise<Company> {
    return (await change(this.#transport, "POST", "/companies", company, options)).data as Company;
  }

  get(id: string, options?: CallOptions): Promise<Company> {
    return read(this.#transport, pathOf`/companies/${id}`, options);
  }

  list(query?: { readonly limit?: number }, options?: CallOptions): Listing<Company> {
    return list(this.#transport, "/companies", query, options);
  }

  async update(id: string, fields: { readonly name: string }, options?: CallOptions): Promise<Company> {
    return (await change(this.#transport, "PATCH", pathOf`/companies/${id}`, fields, options)).data as Company;
  }

  async delete(id: string, options?: CallOptions): Promise<void> {
    await change(this.#transport, "DELETE", pathOf`/companies/${id}`, undefined, options);
  }
}

export class ApiKeys {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  /** Makes a key; its text is in the answer and never shown again. */
  async create(key: NewApiKey, options?: CallOptions): Promise<MintedApiKey> {
    return (await change(this.#transport, "POST", "/api-keys", key, options)).data as MintedApiKey;
  }

  get(id: string, options?: CallOptions): Promise<ApiKey> {
    return read(this.#transport, pathOf`/api-keys/${id}`, options);
  }

  list(query?: KeyQuery, options?: CallOptions): Listing<ApiKey> {
    return list(this.#transport, "/api-keys", query, options);
  }

  /** Replaces the fields given; the rest stay, and `null` restores a default. */
  async update(id: string, fields: ApiKeyChange, options?: CallOptions): Promise<ApiKey> {
    return (await change(this.#transport, "PATCH", pathOf`/api-keys/${id}`, fields, options)).data as ApiKey;
  }

  /** Ends a key at once and for good; it stays in the list. */
  async revoke(id: string, options?: CallOptions): Promise<ApiKey> {
    return (await change(this.#transport, "DELETE", pathOf`/api-keys/${id}`, undefined, options)).data as ApiKey;
  }
}

/** Programs of third parties that may ask for access to the tenant (OAuth 2.0, Authorization Code with PKCE). */
export class OauthClients {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  async create(client: NewOauthClient, options?: CallOptions): Promise<OauthClient> {
    return (await change(this.#transport, "POST", "/oauth-clients", client, options)).data as OauthClient;
  }

  get(id: string, options?: CallOptions): Promise<OauthClient> {
    return read(this.#transport, pathOf`/oauth-clients/${id}`, options);
  }

  list(query?: { readonly limit?: number }, options?: CallOptions): Listing<OauthClient> {
    return list(this.#transport, "/oauth-clients", query, options);
  }

  /** Removes a program; its tokens end at once. */
  async delete(id: string, options?: CallOptions): Promise<void> {
    await change(this.#transport, "DELETE", pathOf`/oauth-clients/${id}`, undefined, options);
  }
}

/** What programs were allowed to do. */
export class OauthGrants {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  list(query?: { readonly clientId?: string; readonly limit?: number }, options?: CallOptions): Listing<OauthGrant> {
    return list(this.#transport, "/oauth-grants", query, options);
  }

  /** Ends what a program was allowed to do; its tokens end at once. */
  async revoke(id: string, options?: CallOptions): Promise<void> {
    await change(this.#transport, "DELETE", pathOf`/oauth-grants/${id}`, undefined, options);
  }
}

/** Keys that read one webhook, its events and its deliveries: for its receiver, to look for what it missed. */
export class ReadKeys {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  /** Makes a key; its text is in the answer and never shown again. */
  async create(webhookId: string, key: NewReadKey = {}, options?: CallOptions): Promise<MintedApiKey> {
    const path = pathOf`/webhooks/${webhookId}/read-keys`;
    return (await change(this.#transport, "POST", path, key, options)).data as MintedApiKey;
  }

  list(webhookId: string, query?: KeyQuery, options?: CallOptions): Listing<ApiKey> {
    return list(this.#transport, pathOf`/webhooks/${webhookId}/read-keys`, query, options);
  }

  get(webhookId: string, id: string, options?: CallOptions): Promise<ApiKey> {
    return read(this.#transport, pathOf`/webhooks/${webhookId}/read-keys/${id}`, options);
  }

  /** Ends a key at once and for good; it stays in the list. */
  async revoke(webhookId: string, id: string, options?: CallOptions): Promise<ApiKey> {
    const path = pathOf`/webhooks/${webhookId}/read-keys/${id}`;
    return (await change(this.#transport, "DELETE", path, undefined, options)).data as ApiKey;
  }
}

/** Who changed what. */
export class Audit {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  /** Lists entries, newest first. */
  list(query?: AuditQuery, options?: CallOptions): Listing<AuditEntry> {
    return list(this.#transport, "/audit", query, options);
  }
}
