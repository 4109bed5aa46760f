// Tenants: an operator makes, reads and changes all of them, an administrator reads and changes his own in part.
// Must never show one tenant to another: whatever crosses tenants asks for an operator before it comes here.
import { type Id, idFromUuid } from "@posthorn/contract";
import type pg from "pg";
import { mintApiKey } from "../security/api-keys.ts";
import type { Vault } from "../security/vault.ts";
import { asTenant, type Executor, inTransaction } from "../storage/pools.ts";
import type { Actor } from "./actor.ts";
import type { ApiKeyView } from "./api-key-view.ts";
import { type Change, changeConfiguration, changedMembers, type ChangeOptions, madeMembers, undo } from "./change.ts";
import { type CompanyView, companyView } from "./companies.ts";
import { storeNewTenant, tenantMembers, type TenantParts } from "./tenant-writes.ts";
import {
  selectTenant,
  selectTenantByName,
  selectTenants,
  type TenantRow,
  updateOwnTenant,
  updateTenant,
} from "./tenants.sql.ts";

export interface TenantsOptions extends ChangeOptions {
  /** API role, under row-level security: for a tenant's own settings. */
  readonly api: pg.Pool;
  /** Engine role: for operators, who are above tenants. */
  readonly engine: pg.Pool;
  readonly random: (target: Uint8Array) => void;
  readonly vault: Pick<Vault, "createTenantKey">;
  /** Makes the partitions of a retention class. Called before a tenant gets it: an event without one is refused. */
  readonly preparePartitions: (retentionDays: number) => Promise<void>;
}

export interface TenantView {
  readonly id: Id<"tenant">;
  readonly name: string;
  readonly captureLimitPerSecond: number | null;
  readonly retentionDays: number;
  readonly unknownEventTypes: "refused" | "open";
  readonly administratorEmail: string | null;
  readonly timeZone: string;
  readonly createdAt: string;
}

/** `null` restores the default. */
export interface TenantFields {
  readonly name?: string | undefined;
  readonly captureLimitPerSecond?: number | null | undefined;
  readonly retentionDays?: number | null | undefined;
  readonly unknownEventTypes?: "refused" | "open" | null | undefined;
  readonly administratorEmail?: string | null | undefined;
  readonly timeZone?: string | null | undefined;
}

export type OwnTenantFields = Omit<TenantFields, "name" | "captureLimitPerSecond">;

export interface NewTenantFields extends TenantFields {
  readonly name: string;
  readonly company?: { readonly id?: string | undefined; readonly name?: string | undefined } | undefined;
}

export type TenantMade =
  | {
      readonly kind: "made";
      readonly tenant: TenantView;
      readonly company: CompanyView;
      readonly key: ApiKeyView;
      /** Of the administrator's key, shown this once. */
      readonly keyText: string;
    }
  | { readonly kind: "name_taken" };

export type TenantChanged =
  | { readonly kind: "changed"; readonly tenant: TenantView }
  | { readonly kind: "absent" }
  | { readonly kind: "name_taken" };

export const DEFAULT_RETENTION_DAYS = 90;
export const DEFAULT_UNKNOWN_EVENT_TYPES = "refused";
export const DEFAULT_TIME_ZONE = "UTC";
export const FIRST_COMPANY = { id: "company_default", name: "Default company" } as const;
/** The actor in a tenant's own trail, which shows it no key of another tenant. */
const OPERATOR = "operator";

export class Tenants {
  readonly #options: TenantsOptions;

  constructor(options: TenantsOptions) {
    this.#options = options;
  }

  /** A tenant with its first company and its first administrator's key, which is live. */
  async create(actor: Actor, fields: NewTenantFields): Promise<TenantMade> {
    const retentionDays = fields.retentionDays ?? DEFAULT_RETENTION_DAYS;
    await this.#options.preparePartitions(retentionDays);
    const keyText = mintApiKey(true, this.#options.random);
    const company = { id: fields.company?.id ?? FIRST_COMPANY.id, name: fields.company?.name ?? FIRST_COMPANY.name };
    const parts: TenantParts = {
      name: fields.name,
      captureLimitPerSecond: fields.captureLimitPerSecond ?? null,
      retentionDays,
      unknownEventTypes: fields.unknownEventTypes ?? DEFAULT_UNKNOWN_EVENT_TYPES,
      administratorEmail: fields.administratorEmail ?? null,
      timeZone: fields.timeZone ?? DEFAULT_TIME_ZONE,
      company,
      key: { name: "first administrator", text: keyText, livemode: true, scopes: ["admin"] },
    };
    return this.#asOperator(async (change): Promise<TenantMade> => {
      // Under the lock of the version, so nobody takes the name in between.
      if ((await selectTenantByName(change.db, fields.name)) !== null) undo<TenantMade>({ kind: "name_taken" });
      const maker = { actor: OPERATOR, requestId: actor.requestId };
      const { tenant, key } = await storeNewTenant(change, this.#options.vault, maker, parts);
      await auditForOperator(change, actor, "tenant.created", tenant.id, madeMembers(tenantMembers(tenant)));
      const madeCompany = companyView({ ...company, created_at: tenant.created_at });
      return { kind: "made", tenant: tenantView(tenant), company: madeCompany, key, keyText };
    });
  }

  /** An operator's change of any tenant. */
  async change(actor: Actor, tenantUuid: string, fields: TenantFields): Promise<TenantChanged> {
    if (typeof fields.retentionDays === "number") await this.#options.preparePartitions(fields.retentionDays);
    return this.#asOperator(async (change): Promise<TenantChanged> => {
      const before = await selectTenant(change.db, tenantUuid);
      if (before === null) return undo<TenantChanged>({ kind: "absent" });
      const after = changedRow(before, fields);
      const namesake = await selectTenantByName(change.db, after.name);
      if (namesake !== null && namesake.id !== before.id) undo<TenantChanged>({ kind: "name_taken" });
      const members = changedMembers(tenantMembers(before), tenantMembers(after));
      if (Object.keys(members).length === 0) undo<TenantChanged>({ kind: "changed", tenant: tenantView(after) });
      await updateTenant(change.db, after, change.configVersion);
      const isOwn = tenantUuid === actor.tenantUuid;
      await auditIn(change, tenantUuid, isOwn ? actor.keyId : OPERATOR, actor.requestId, tenantUuid, members);
      if (!isOwn) await auditForOperator(change, actor, "tenant.updated", tenantUuid, members);
      return { kind: "changed", tenant: tenantView(after) };
    });
  }

  /** An administrator's change of his own tenant. */
  async changeOwn(actor: Actor, fields: OwnTenantFields): Promise<TenantChanged> {
    const { tenantUuid } = actor;
    if (typeof fields.retentionDays === "number") await this.#options.preparePartitions(fields.retentionDays);
    const transaction = <Result>(run: (db: Executor) => Promise<Result>): Promise<Result> =>
      asTenant(this.#options.api, tenantUuid, run);
    return changeConfiguration(this.#options, transaction, async (change): Promise<TenantChanged> => {
      const before = await selectTenant(change.db, tenantUuid);
      if (before === null) return undo<TenantChanged>({ kind: "absent" });
      const after = changedRow(before, fields);
      const members = changedMembers(tenantMembers(before), tenantMembers(after));
      if (Object.keys(members).length === 0) undo<TenantChanged>({ kind: "changed", tenant: tenantView(after) });
      await updateOwnTenant(change.db, after, change.configVersion);
      await auditIn(change, tenantUuid, actor.keyId, actor.requestId, tenantUuid, members);
      return { kind: "changed", tenant: tenantView(after) };
    });
  }

  /** Any tenant, for an operator. */
  async get(tenantUuid: string): Promise<TenantView | null> {
    const row = await selectTenant(this.#options.engine, tenantUuid);
    return row === null ? null : tenantView(row);
  }

  /** All tenants below an id, newest first, for an operator. */
  async list(filter: { beforeUuid: string; name: string | null }, limit: number): Promise<TenantView[]> {
    return (await selectTenants(this.#options.engine, filter, limit)).map(tenantView);
  }

  /** The caller's own tenant. */
  async own(actor: Actor): Promise<TenantView | null> {
    const row = await asTenant(this.#options.api, actor.tenantUuid, (db) => selectTenant(db, actor.tenantUuid));
    return row === null ? null : tenantView(row);
  }

  #asOperator<Outcome>(work: (change: Change) => Promise<Outcome>): Promise<Outcome> {
    return changeConfiguration(this.#options, (run) => inTransaction(this.#options.engine, run), work);
  }
}

function tenantView(row: TenantRow): TenantView {
  return {
    id: idFromUuid("tenant", row.id),
    name: row.name,
    captureLimitPerSecond: row.capture_limit_per_second,
    retentionDays: row.retention_class,
    unknownEventTypes: row.unknown_event_types,
    administratorEmail: row.administrator_email,
    timeZone: row.time_zone,
    createdAt: row.created_at.toISOString(),
  };
}

function changedRow(before: TenantRow, fields: TenantFields): TenantRow {
  const { captureLimitPerSecond, retentionDays, unknownEventTypes, administratorEmail, timeZone } = fields;
  return {
    ...before,
    name: fields.name ?? before.name,
    capture_limit_per_second:
      captureLimitPerSecond === undefined ? before.capture_limit_per_second : captureLimitPerSecond,
    retention_class: retentionDays === undefined ? before.retention_class : (retentionDays ?? DEFAULT_RETENTION_DAYS),
    unknown_event_types:
      unknownEventTypes === undefined ? before.unknown_event_types : (unknownEventTypes ?? DEFAULT_UNKNOWN_EVENT_TYPES),
    administrator_email: administratorEmail === undefined ? before.administrator_email : administratorEmail,
    time_zone: timeZone === undefined ? before.time_zone : (timeZone ?? DEFAULT_TIME_ZONE),
  };
}

async function auditIn(
  change: Change,
  trailOf: string,
  actor: string,
  requestId: string,
  tenantUuid: string,
  members: Readonly<Record<string, unknown>>,
  action = "tenant.updated",
): Promise<void> {
  await change.audit({
    tenantUuid: trailOf,
    actor,
    action,
    objectType: "tenant",
    objectId: idFromUuid("tenant", tenantUuid),
    requestId,
    change: members,
  });
}

/** The operator's own tenant learns which of its keys did it. */
async function auditForOperator(
  change: Change,
  actor: Actor,
  action: string,
  tenantUuid: string,
  members: Readonly<Record<string, unknown>>,
): Promise<void> {
  await auditIn(change, actor.tenantUuid, actor.keyId, actor.requestId, tenantUuid, members, action);
}
