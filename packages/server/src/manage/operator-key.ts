// The key by which commands beside a running embedded server work for its operator: made at each start, in force until
// the stop. Must never be logged, and never be taken from another machine, whoever got hold of the file.
import { type IdGenerator, idFromUuid } from "@posthorn/contract";
import type pg from "pg";
import type { Clock } from "../lib/clock.ts";
import { hashApiKey, lastCharactersOf, mintApiKey } from "../security/api-keys.ts";
import { inTransaction } from "../storage/pools.ts";
import { changeIn, madeMembers } from "./change.ts";
import { hasOperatorKey, revokeOperatorKeys, upsertOperatorKey } from "./operator-key.sql.ts";
import { selectFirstTenant } from "./tenants.sql.ts";
import { raiseConfigVersion } from "./webhooks.sql.ts";

export interface OperatorKeyOptions {
  /** Engine role. */
  readonly engine: pg.Pool;
  readonly clock: Clock;
  readonly ids: IdGenerator;
}

const NAME = "operator.key of the running server";
const SCOPES = ["admin", "operator"];
const ACTOR = "operator";

/**
 * Makes the key, for the first tenant and in live mode. The one of an earlier start, if it was killed, means nothing
 * from here on.
 * @param random fills its argument with random bytes fit for keys
 * @param allowedIps from where it may be used
 * @returns its text, which is stored nowhere
 */
export async function issueOperatorKey(
  options: OperatorKeyOptions,
  random: (target: Uint8Array) => void,
  allowedIps: readonly string[],
): Promise<string> {
  const text = mintApiKey(true, random);
  await inTransaction(options.engine, async (db) => {
    const change = changeIn(db, await raiseConfigVersion(db), { ...options, newId: () => options.ids.next() });
    const tenant = await selectFirstTenant(db);
    if (tenant === null) throw new Error("there is no tenant: the database was not prepared");
    const lastCharacters = lastCharactersOf(text);
    const uuid = await upsertOperatorKey(db, {
      tenantUuid: tenant.id,
      uuid: change.newUuid(),
      atMs: change.atMs,
      configVersion: change.configVersion,
      keyHash: hashApiKey(text),
      name: NAME,
      lastCharacters,
      scopes: SCOPES,
      allowedIps,
    });
    await change.audit({
      tenantUuid: tenant.id,
      actor: ACTOR,
      action: "operator_key.issued",
      objectType: "api_key",
      objectId: idFromUuid("apiKey", uuid),
      requestId: null,
      change: madeMembers({ lastCharacters, scopes: SCOPES, allowedIps }),
    });
  });
  return text;
}

/** Ends the key. Also at the start on a database of one's own: a restored copy of an embedded one may hold such a key. */
export async function endOperatorKeys(options: OperatorKeyOptions): Promise<void> {
  if (!(await hasOperatorKey(options.engine))) return;
  await inTransaction(options.engine, async (db) => {
    const change = changeIn(db, await raiseConfigVersion(db), { ...options, newId: () => options.ids.next() });
    for (const ended of await revokeOperatorKeys(db, change.atMs, change.configVersion)) {
      await change.audit({
        tenantUuid: ended.tenant_id,
        actor: ACTOR,
        action: "operator_key.revoked",
        objectType: "api_key",
        objectId: idFromUuid("apiKey", ended.id),
        requestId: null,
        change: { revokedAt: { from: null, to: new Date(change.atMs).toISOString() } },
      });
    }
  });
}
