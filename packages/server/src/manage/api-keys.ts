// Making, changing, revoking and reading API keys. A key hands on only what it may do itself, and a tenant keeps one
// lasting administrator; must never store or return the text of a key beyond the answer that made it.
import { type ErrorDetail, idFromUuid } from "@posthorn/contract";
import type pg from "pg";
import { mintApiKey } from "../security/api-keys.ts";
import { asTenant } from "../storage/pools.ts";
import type { Actor } from "./actor.ts";
import { type ApiKeyView, apiKeyView, auditedMembers } from "./api-key-view.ts";
import {
  type ApiKeyChange,
  type ApiKeyFields,
  changedKeyRow,
  newKeyRow,
  storeChangedKey,
  storeNewKey,
} from "./api-key-writes.ts";
import {
  type ApiKeyFilter,
  type ApiKeyRow,
  hasLastingAdministrator,
  selectApiKey,
  selectApiKeys,
} from "./api-keys.sql.ts";
import { type Change, changeConfiguration, changedMembers, type ChangeOptions, undo } from "./change.ts";
import { selectCompany } from "./companies.sql.ts";
import type { KeyActor } from "./key-actor.ts";
import { beyondBounds, boundsOfActor, inheritingBounds, type OutOfBounds } from "./key-bounds.ts";
import { endGrantsOfKey } from "./oauth-grants.ts";
import { selectWebhook } from "./webhooks.sql.ts";

export interface ApiKeysOptions extends ChangeOptions {
  /** API role, under row-level security. */
  readonly api: pg.Pool;
  /** Fills its argument with random bytes fit for keys. */
  readonly random: (target: Uint8Array) => void;
}

export type KeyRefusal =
  | { readonly kind: "invalid"; readonly details: readonly ErrorDetail[] }
  /** The caller's own key does not have this scope. */
  | { readonly kind: "scope_missing"; readonly scope: string }
  /** A sandbox key asked for a live one. */
  | { readonly kind: "live_key_needed" }
  /** The caller's own key is bound to a company or to addresses, and this key would not be. */
  | OutOfBounds
  | { readonly kind: "absent" };

/** `text` is the key itself, shown this once. */
export type KeyMade = { readonly kind: "made"; readonly key: ApiKeyView; readonly text: string } | KeyRefusal;

export type KeyChanged =
  | { readonly kind: "changed"; readonly key: ApiKeyView }
  | KeyRefusal
  | { readonly kind: "last_administrator" }
  /** A revoked key is not changed any more. */
  | { readonly kind: "revoked" };

const READ_KEY_SCOPES = ["read:events", "read:webhooks"];

export class ApiKeys {
  readonly #options: ApiKeysOptions;

  constructor(options: ApiKeysOptions) {
    this.#options = options;
  }

  /** @param livemode the new key's mode; undefined: the caller's */
  async create(actor: KeyActor, fields: ApiKeyFields, livemode: boolean | undefined): Promise<KeyMade> {
    if (livemode === true && !actor.livemode) return { kind: "live_key_needed" };
    const missing = fields.scopes.find((scope) => !actor.holds(scope));
    if (missing !== undefined) return { kind: "scope_missing", scope: missing };
    return this.#make(actor, fields, livemode ?? actor.livemode, null);
  }

  /** A key that reads one webhook, its events and its deliveries, in the webhook's mode. */
  async createReadKey(
    actor: KeyActor,
    webhookUuid: string,
    fields: Pick<ApiKeyFields, "allowedIps" | "expiresAtMs"> & { readonly name?: string | undefined },
  ): Promise<KeyMade> {
    const name = fields.name ?? `reads ${idFromUuid("webhook", webhookUuid)}`;
    return this.#make(actor, { ...fields, name, scopes: READ_KEY_SCOPES }, actor.livemode, webhookUuid);
  }

  /** Replaces the fields given; `null` restores the default. */
  async change(actor: KeyActor, keyUuid: string, fields: ApiKeyChange): Promise<KeyChanged> {
    return this.#changeKey(actor, keyUuid, "api_key.updated", async (before, change) => {
      if (before.revoked_at !== null) undo<KeyChanged>({ kind: "revoked" });
      const missing = fields.scopes?.find((scope) => !actor.holds(scope));
      if (missing !== undefined) undo<KeyChanged>({ kind: "scope_missing", scope: missing });
      const details = [...readKeyProblems(before, fields), ...(await this.#problems(actor, fields, change))];
      if (details.length > 0) undo<KeyChanged>({ kind: "invalid", details });
      const after = changedKeyRow(before, fields);
      const refusal = beyondBounds(after, await boundsOfActor(change.db, actor));
      if (refusal !== null) undo<KeyChanged>(refusal);
      return after;
    });
  }

  /**
   * Ends a key at once and for good, with what it allowed other programs to do; the row stays. A revoked key stays as it was. Whatever the caller's key is bound
   * to: a key that leaked is ended from where the administrator happens to be.
   */
  async revoke(actor: KeyActor, keyUuid: string): Promise<KeyChanged> {
    return this.#changeKey(actor, keyUuid, "api_key.revoked", async (before, change) => {
      if (before.revoked_at !== null) return before;
      await endGrantsOfKey(change, actor, keyUuid);
      return { ...before, revoked_at: new Date(change.atMs) };
    });
  }

  async get(actor: Actor, keyUuid: string): Promise<ApiKeyView | null> {
    const row = await asTenant(this.#options.api, actor.tenantUuid, (db) =>
      selectApiKey(db, actor.tenantUuid, keyUuid, !actor.livemode),
    );
    return row === null || row.of_oauth_grant ? null : apiKeyView(row, this.#options.clock.nowMs());
  }

  /** Keys below an id, newest first; null when a webhook is named that there is not. A sandbox key sees its like only. */
  async list(
    actor: Actor,
    filter: Pick<ApiKeyFilter, "beforeUuid" | "webhookUuid" | "status">,
    limit: number,
  ): Promise<ApiKeyView[] | null> {
    const { tenantUuid, livemode } = actor;
    const nowMs = this.#options.clock.nowMs();
    return asTenant(this.#options.api, tenantUuid, async (db) => {
      const { webhookUuid } = filter;
      if (webhookUuid !== null && (await selectWebhook(db, tenantUuid, livemode, webhookUuid)) === null) return null;
      const rows = await selectApiKeys(db, tenantUuid, { ...filter, onlySandbox: !livemode, nowMs }, limit);
      return rows.map((row) => apiKeyView(row, nowMs));
    });
  }

  async #make(actor: KeyActor, fields: ApiKeyFields, livemode: boolean, webhookUuid: string | null): Promise<KeyMade> {
    const { tenantUuid } = actor;
    const text = mintApiKey(livemode, this.#options.random);
    return this.#inTenant(actor, async (change): Promise<KeyMade> => {
      if (webhookUuid !== null && (await selectWebhook(change.db, tenantUuid, livemode, webhookUuid)) === null) {
        undo<KeyMade>({ kind: "absent" });
      }
      const details = await this.#problems(actor, fields, change);
      if (details.length > 0) undo<KeyMade>({ kind: "invalid", details });
      const bounds = await boundsOfActor(change.db, actor);
      const row = inheritingBounds(newKeyRow(change, text, fields, livemode, webhookUuid), bounds);
      const refusal = beyondBounds(row, bounds);
      if (refusal !== null) undo<KeyMade>(refusal);
      await storeNewKey(change, actor, row, text);
      return { kind: "made", key: apiKeyView(row, change.atMs), text };
    });
  }

  async #changeKey(
    actor: KeyActor,
    keyUuid: string,
    action: string,
    decide: (before: ApiKeyRow, change: Change) => Promise<ApiKeyRow>,
  ): Promise<KeyChanged> {
    const { tenantUuid } = actor;
    return this.#inTenant(actor, async (change): Promise<KeyChanged> => {
      const before = await selectApiKey(change.db, tenantUuid, keyUuid, !actor.livemode);
      // An access token is changed and ended through its grant.
      if (before === null || before.of_oauth_grant) return undo<KeyChanged>({ kind: "absent" });
      // Who could not have made a key may not weaken it either: an administrator does not rule the operator's keys.
      const missing = before.scopes.find((scope) => !actor.holds(scope));
      if (missing !== undefined) undo<KeyChanged>({ kind: "scope_missing", scope: missing });
      const after = await decide(before, change);
      const members = changedMembers(auditedMembers(before), auditedMembers(after));
      const key = apiKeyView(after, change.atMs);
      if (Object.keys(members).length === 0) undo<KeyChanged>({ kind: "changed", key });
      if (isLasting(before) && !isLasting(after)) {
        const others = await hasLastingAdministrator(change.db, tenantUuid, before.id, before.livemode);
        if (!others) undo<KeyChanged>({ kind: "last_administrator" });
      }
      await storeChangedKey(change, actor, after, action, members);
      return { kind: "changed", key };
    });
  }

  async #problems(actor: Actor, fields: ApiKeyChange, change: Change): Promise<ErrorDetail[]> {
    const details: ErrorDetail[] = [];
    const { companyId, expiresAtMs } = fields;
    if (companyId && (await selectCompany(change.db, actor.tenantUuid, companyId)) === null) {
      const message = "There is no such company. Name one from GET /v1/companies, or make it first.";
      details.push({ field: "companyId", message, code: "UNKNOWN_COMPANY" });
    }
    if (typeof expiresAtMs === "number" && expiresAtMs <= change.atMs) {
      const message = "This is in the past. To end a key now, DELETE it.";
      details.push({ field: "expiresAt", message, code: "INVALID_VALUE" });
    }
    return details;
  }

  #inTenant<Outcome>(actor: Actor, work: (change: Change) => Promise<Outcome>): Promise<Outcome> {
    return changeConfiguration(this.#options, (run) => asTenant(this.#options.api, actor.tenantUuid, run), work);
  }
}

/** Nothing but a revocation ends it: what a tenant must keep one of. */
function isLasting(row: ApiKeyRow): boolean {
  const isAdministrator = row.scopes.includes("admin") && row.webhook_id === null && !row.of_operator_file;
  return isAdministrator && row.company_id === null && row.revoked_at === null && row.expires_at === null;
}

/** What a webhook's own read key may do is fixed. */
function readKeyProblems(before: ApiKeyRow, fields: ApiKeyChange): ErrorDetail[] {
  if (before.webhook_id === null) return [];
  return (["scopes", "companyId", "captureLimitPerSecond"] as const)
    .filter((field) => fields[field] !== undefined)
    .map((field) => ({
      field,
      message: "This is a webhook's own read key: what it may do is fixed. Make an ordinary key instead.",
      code: "INVALID_VALUE",
    }));
}
