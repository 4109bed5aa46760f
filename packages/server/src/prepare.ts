// Brings a database to where a node can start on it: the right master key, the schema, the first tenant. In this order,
// so that a wrong key changes nothing. Must never go on after a refusal.
import { randomFillSync } from "node:crypto";
import { formatId, IdGenerator } from "@posthorn/contract";
import { DatabaseClock } from "./lib/clock.ts";
import { bootstrap } from "./manage/bootstrap.ts";
import { findMasterKey, type MasterKey } from "./security/master-key.ts";
import { checkMasterKey, createVault } from "./security/vault.ts";
import { hasTenantKeys } from "./security/vault.sql.ts";
import { migrate, readSchemaState } from "./storage/migrate.ts";
import { type ConnectionConfig, openPools } from "./storage/pools.ts";

export interface PrepareOptions {
  /** The owner's connection. */
  readonly connection: ConnectionConfig;
  /** POSTHORN_MASTER_KEY. */
  readonly givenMasterKey: string | undefined;
  /** Where the embedded mode keeps its master key; undefined with DATABASE_URL. */
  readonly dataDir: string | undefined;
  /** POSTHORN_BOOTSTRAP_API_KEY. */
  readonly givenApiKey: string | undefined;
  /** POSTHORN_ADMINISTRATOR_EMAIL, checked. */
  readonly administratorEmail?: string | undefined;
}

export type Prepared =
  | {
      readonly outcome: "ready";
      readonly masterKey: MasterKey;
      readonly withRoles: boolean;
      /** Names of the migrations applied by this call. */
      readonly applied: readonly string[];
      /** The first administrator's key if it was made now: it exists nowhere else. */
      readonly mintedApiKey: string | null;
      readonly isFirstStart: boolean;
    }
  | { readonly outcome: "refused"; readonly code: string; readonly message: string };

/** Checks, migrates and bootstraps. Safe when several nodes do it at once. */
export async function prepareDatabase(options: PrepareOptions): Promise<Prepared> {
  const before = await readSchemaState(options.connection);
  const key = await findKey(options, before.withRoles);
  if (key.outcome === "refused") return key;
  const { applied } = await migrate(options.connection);
  const { withRoles } = await readSchemaState(options.connection);
  const pools = openPools({ connection: options.connection, withRoles, onIdleError: () => {} });
  try {
    const clock = new DatabaseClock();
    const random = (target: Uint8Array): void => void randomFillSync(target);
    const ids = new IdGenerator(() => clock.nowMs(), random);
    const vault = createVault({ engine: pools.engine, masterKey: key.masterKey, clock, ids, random });
    const first = await bootstrap({
      engine: pools.engine,
      vault,
      clock,
      ids,
      random,
      actor: formatId("node", ids.next()),
      givenApiKey: options.givenApiKey,
      administratorEmail: options.administratorEmail ?? null,
    });
    return {
      outcome: "ready",
      masterKey: key.masterKey,
      withRoles,
      applied,
      mintedApiKey: first.outcome === "created" ? first.mintedApiKey : null,
      isFirstStart: first.outcome === "created",
    };
  } finally {
    await pools.end();
  }
}

type FoundKey =
  | { readonly outcome: "found"; readonly masterKey: MasterKey }
  | Extract<Prepared, { outcome: "refused" }>;

/** The master key, held against what the database's secrets were encrypted with before anything is changed. */
async function findKey(options: PrepareOptions, withRoles: boolean): Promise<FoundKey> {
  const { hasKeys, check, end } = await keyQuestions(options.connection, withRoles);
  try {
    const found = await findMasterKey({
      given: options.givenMasterKey,
      dataDir: options.dataDir,
      hasTenantKeys: hasKeys,
      random: (target) => void randomFillSync(target),
    });
    if (!found.ok) return { outcome: "refused", code: found.code, message: found.message };
    const checked = await check(found.key);
    if (!checked.ok) return { outcome: "refused", code: checked.code, message: checked.message };
    return { outcome: "found", masterKey: found.key };
  } finally {
    await end();
  }
}

/** Questions about the keys in the database; a database without our schema has none. */
async function keyQuestions(connection: ConnectionConfig, withRoles: boolean) {
  const pools = openPools({ connection, withRoles, onIdleError: () => {} });
  const whereThereIsATable = async <Answer>(ask: () => Promise<Answer>, otherwise: Answer): Promise<Answer> => {
    try {
      return await ask();
    } catch (error) {
      // 42P01: no such table, because nothing was migrated yet.
      if ((error as { code?: string }).code === "42P01") return otherwise;
      throw error;
    }
  };
  return {
    hasKeys: () => whereThereIsATable(() => hasTenantKeys(pools.engine), false),
    check: (masterKey: MasterKey) =>
      whereThereIsATable(() => checkMasterKey(pools.engine, masterKey), { ok: true as const }),
    end: () => pools.end(),
  };
}
