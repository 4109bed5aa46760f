// An administrator's key made past the API, for whoever runs the installation. Writes the key and its audit entry; must
// never store or log the key's text.
import { type Id, type IdGenerator, idFromUuid } from "@posthorn/contract";
import type pg from "pg";
import type { Clock } from "../lib/clock.ts";
import { highestUuid } from "../lib/id-bounds.ts";
import { mintApiKey } from "../security/api-keys.ts";
import { inTransaction } from "../storage/pools.ts";
import { newKeyRow, storeNewKey } from "./api-key-writes.ts";
import { changeIn } from "./change.ts";
import { selectTenant, selectTenantByName, selectTenants } from "./tenants.sql.ts";
import { raiseConfigVersion } from "./webhooks.sql.ts";

export interface RecoverKeyOptions {
  /** Engine role. */
  readonly engine: pg.Pool;
  readonly clock: Clock;
  readonly ids: IdGenerator;
  readonly random: (target: Uint8Array) => void;
  readonly tenant: { readonly name: string } | { readonly uuid: string };
  readonly keyName: string;
  readonly livemode: boolean;
  readonly scopes: readonly string[];
}

export interface RecoveredKey {
  /** The key's text, stored nowhere. */
  readonly apiKey: string;
  readonly keyId: Id<"apiKey">;
  readonly tenantId: Id<"tenant">;
  readonly tenantName: string;
}

export type KeyRecovery =
  | ({ readonly outcome: "recovered" } & RecoveredKey)
  /** `names`: some tenants that there are, the newest first. */
  | { readonly outcome: "no_tenant"; readonly names: readonly string[] };

const NAMES_TOLD = 10;

export async function storeRecoveredKey(options: RecoverKeyOptions): Promise<KeyRecovery> {
  const { engine, tenant: wanted } = options;
  const tenant =
    "uuid" in wanted ? await selectTenant(engine, wanted.uuid) : await selectTenantByName(engine, wanted.name);
  if (tenant === null) {
    const others = await selectTenants(
      engine,
      { beforeUuid: highestUuid(options.clock.nowMs()), name: null },
      NAMES_TOLD,
    );
    return { outcome: "no_tenant", names: others.map((other) => other.name) };
  }
  const apiKey = mintApiKey(options.livemode, options.random);
  const fields = { name: options.keyName, scopes: options.scopes };
  const keyUuid = await inTransaction(engine, async (db) => {
    const change = changeIn(db, await raiseConfigVersion(db), { ...options, newId: () => options.ids.next() });
    const row = newKeyRow(change, apiKey, fields, options.livemode, null);
    await storeNewKey(change, { tenantUuid: tenant.id, keyId: "operator", requestId: null }, row, apiKey);
    return row.id;
  });
  return {
    outcome: "recovered",
    apiKey,
    keyId: idFromUuid("apiKey", keyUuid),
    tenantId: idFromUuid("tenant", tenant.id),
    tenantName: tenant.name,
  };
}
