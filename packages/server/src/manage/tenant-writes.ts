// A new tenant with what it cannot do without: a company, the key of its secrets, an administrator's key. One change,
// at the first start and by an operator alike; must never store the text of a key.
import { idFromUuid } from "@posthorn/contract";
import type { Vault } from "../security/vault.ts";
import { type ApiKeyView, apiKeyView } from "./api-key-view.ts";
import { newKeyRow, storeNewKey } from "./api-key-writes.ts";
import { type Change, entryBy, madeMembers } from "./change.ts";
import { insertCompany } from "./companies.sql.ts";
import { insertTenant, type TenantRow } from "./tenants.sql.ts";

export interface TenantParts {
  readonly name: string;
  readonly captureLimitPerSecond: number | null;
  readonly retentionDays: number;
  readonly unknownEventTypes: "refused" | "open";
  readonly administratorEmail: string | null;
  readonly timeZone: string;
  readonly company: { readonly id: string; readonly name: string };
  readonly key: {
    readonly name: string;
    readonly text: string;
    readonly livemode: boolean;
    readonly scopes: readonly string[];
  };
}

/** Who makes it, as the tenant's own trail says it. */
export interface TenantMaker {
  readonly actor: string;
  readonly requestId: string | null;
}

/** Writes all rows and their audit entries. Engine role: the tenant is nobody's yet. */
export async function storeNewTenant(
  change: Change,
  vault: Pick<Vault, "createTenantKey">,
  maker: TenantMaker,
  parts: TenantParts,
): Promise<{ readonly tenant: TenantRow; readonly key: ApiKeyView }> {
  const { db, atMs, configVersion } = change;
  const tenant: TenantRow = {
    id: change.newUuid(),
    created_at: new Date(atMs),
    name: parts.name,
    capture_limit_per_second: parts.captureLimitPerSecond,
    retention_class: parts.retentionDays,
    unknown_event_types: parts.unknownEventTypes,
    administrator_email: parts.administratorEmail,
    time_zone: parts.timeZone,
  };
  const tenantUuid = tenant.id;
  await insertTenant(db, { ...parts, uuid: tenantUuid, atMs, configVersion });
  await vault.createTenantKey(db, tenantUuid);
  await insertCompany(db, { ...parts.company, tenantUuid, atMs, configVersion });
  const who = { tenantUuid, keyId: maker.actor, requestId: maker.requestId };
  await change.audit(
    entryBy(who, "tenant.created", "tenant", idFromUuid("tenant", tenantUuid), madeMembers(tenantMembers(tenant))),
    entryBy(who, "company.created", "company", parts.company.id, madeMembers({ name: parts.company.name })),
  );
  const { key } = parts;
  const row = newKeyRow(change, key.text, { name: key.name, scopes: key.scopes }, key.livemode, null);
  await storeNewKey(change, who, row, key.text);
  return { tenant, key: apiKeyView(row, atMs) };
}

/** What the audit trail says of a tenant. */
export function tenantMembers(row: TenantRow): Record<string, unknown> {
  return {
    name: row.name,
    captureLimitPerSecond: row.capture_limit_per_second,
    retentionDays: row.retention_class,
    unknownEventTypes: row.unknown_event_types,
    administratorEmail: row.administrator_email,
    timeZone: row.time_zone,
  };
}
