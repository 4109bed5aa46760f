// The first start of an installation: one tenant, one company, one administrator's key, all in one transaction.
// It must do nothing, and say nothing, once there is a tenant; and never write the text of a key anywhere.
import { type IdGenerator, idFromUuid, uuidFromBytes } from "@posthorn/contract";
import type pg from "pg";
import type { Clock } from "../lib/clock.ts";
import { hashApiKey, lastCharactersOf, livemodeOfApiKey, mintApiKey } from "../security/api-keys.ts";
import type { Vault } from "../security/vault.ts";
import { type Executor, inTransaction } from "../storage/pools.ts";
import {
  type FirstAuditEntry,
  hasTenants,
  insertFirstApiKey,
  insertFirstAuditEntry,
  insertFirstTenant,
  lockBootstrap,
  raiseConfigVersion,
} from "./bootstrap.sql.ts";

export const FIRST_TENANT_NAME = "default";
export const FIRST_COMPANY_ID = "company_default";
const FIRST_COMPANY_NAME = "Default company";
const FIRST_KEY_NAME = "first administrator";

export interface BootstrapOptions {
  /** Engine role. */
  readonly engine: pg.Pool;
  readonly vault: Pick<Vault, "createTenantKey">;
  readonly clock: Clock;
  readonly ids: IdGenerator;
  /** Fills its argument with random bytes fit for keys. */
  readonly random: (target: Uint8Array) => void;
  /** Who acts, for the audit trail: `node_…`. */
  readonly actor: string;
  /** POSTHORN_BOOTSTRAP_API_KEY, already checked (20 characters or more); undefined: a key is minted. */
  readonly givenApiKey: string | undefined;
}

/** `mintedApiKey` exists here and nowhere else: print it once, or it is lost. Null when the operator gave the key. */
export type BootstrapResult =
  | { readonly outcome: "present" }
  | { readonly outcome: "created"; readonly tenantUuid: string; readonly mintedApiKey: string | null };

/** Makes the first tenant if there is none. Of several nodes that start at once, one makes it. */
export async function bootstrap(options: BootstrapOptions): Promise<BootstrapResult> {
  if (await hasTenants(options.engine)) return { outcome: "present" };
  return inTransaction(options.engine, async (db) => {
    await lockBootstrap(db);
    // Looked at again under the lock: the other node's tenant is committed by now.
    if (await hasTenants(db)) return { outcome: "present" };
    return createFirst(db, options);
  });
}

async function createFirst(db: Executor, options: BootstrapOptions): Promise<BootstrapResult> {
  const { ids, random, givenApiKey } = options;
  const apiKey = givenApiKey ?? mintApiKey(true, random);
  const key = {
    id: uuidFromBytes(ids.next()),
    name: FIRST_KEY_NAME,
    livemode: livemodeOfApiKey(apiKey),
    scopes: ["admin"],
    lastCharacters: lastCharactersOf(apiKey),
  };
  const tenantUuid = uuidFromBytes(ids.next());
  const common = {
    tenantUuid,
    createdAtMs: options.clock.nowMs(),
    configVersion: await raiseConfigVersion(db),
  };
  await insertFirstTenant(db, {
    ...common,
    tenantName: FIRST_TENANT_NAME,
    companyId: FIRST_COMPANY_ID,
    companyName: FIRST_COMPANY_NAME,
  });
  await options.vault.createTenantKey(db, tenantUuid);
  await insertFirstApiKey(db, { ...common, ...key, keyHash: hashApiKey(apiKey) });
  for (const entry of auditEntries(tenantUuid, key)) {
    await insertFirstAuditEntry(db, {
      ...entry,
      tenantUuid,
      id: uuidFromBytes(ids.next()),
      atMs: common.createdAtMs,
      actor: options.actor,
    });
  }
  return { outcome: "created", tenantUuid, mintedApiKey: givenApiKey === undefined ? apiKey : null };
}

type EntrySubject = Pick<FirstAuditEntry, "action" | "objectType" | "objectId" | "change">;

function auditEntries(
  tenantUuid: string,
  key: { id: string; name: string; livemode: boolean; scopes: string[]; lastCharacters: string },
): EntrySubject[] {
  const { id, ...fields } = key;
  return [
    {
      action: "tenant.created",
      objectType: "tenant",
      objectId: idFromUuid("tenant", tenantUuid),
      change: made({ name: FIRST_TENANT_NAME }),
    },
    {
      action: "company.created",
      objectType: "company",
      objectId: FIRST_COMPANY_ID,
      change: made({ name: FIRST_COMPANY_NAME }),
    },
    { action: "api_key.created", objectType: "api_key", objectId: idFromUuid("apiKey", id), change: made(fields) },
  ];
}

function made(fields: Record<string, unknown>): FirstAuditEntry["change"] {
  return Object.fromEntries(Object.entries(fields).map(([name, to]) => [name, { from: null, to }]));
}
