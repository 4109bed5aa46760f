// The first start of an installation: one tenant, one company, one administrator's key, all in one transaction.
// It must do nothing, and say nothing, once there is a tenant; and never write the text of a key anywhere.
import type { IdGenerator } from "@posthorn/contract";
import type pg from "pg";
import type { Clock } from "../lib/clock.ts";
import { livemodeOfApiKey, mintApiKey } from "../security/api-keys.ts";
import type { Vault } from "../security/vault.ts";
import { type Executor, inTransaction } from "../storage/pools.ts";
import { hasTenants, lockBootstrap } from "./bootstrap.sql.ts";
import { changeIn } from "./change.ts";
import { storeNewTenant } from "./tenant-writes.ts";
import { DEFAULT_RETENTION_DAYS, DEFAULT_TIME_ZONE, DEFAULT_UNKNOWN_EVENT_TYPES, FIRST_COMPANY } from "./tenants.ts";
import { raiseConfigVersion } from "./webhooks.sql.ts";

const FIRST_TENANT_NAME = "default";
const FIRST_KEY_NAME = "first administrator";
/** Everything in its tenant, and the other tenants of the installation. */
const FIRST_KEY_SCOPES = ["admin", "operator"];

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
  /** POSTHORN_ADMINISTRATOR_EMAIL, already checked. */
  readonly administratorEmail?: string | null;
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
  const { ids, random, givenApiKey, clock } = options;
  const text = givenApiKey ?? mintApiKey(true, random);
  const change = changeIn(db, await raiseConfigVersion(db), { clock, newId: () => ids.next() });
  const { tenant } = await storeNewTenant(
    change,
    options.vault,
    { actor: options.actor, requestId: null },
    {
      name: FIRST_TENANT_NAME,
      captureLimitPerSecond: null,
      retentionDays: DEFAULT_RETENTION_DAYS,
      unknownEventTypes: DEFAULT_UNKNOWN_EVENT_TYPES,
      administratorEmail: options.administratorEmail ?? null,
      timeZone: DEFAULT_TIME_ZONE,
      company: FIRST_COMPANY,
      key: { name: FIRST_KEY_NAME, text, livemode: livemodeOfApiKey(text), scopes: FIRST_KEY_SCOPES },
    },
  );
  return { outcome: "created", tenantUuid: tenant.id, mintedApiKey: givenApiKey === undefined ? text : null };
}
