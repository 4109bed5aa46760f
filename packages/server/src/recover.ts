// What `posthorn keys recover` does: a new administrator's key for a tenant that has lost its own, straight in the
// database. Whoever can do this rules the installation anyway; it says so in the tenant's trail.
import { randomFillSync } from "node:crypto";
import { IdGenerator, parseId, uuidFromBytes } from "@posthorn/contract";
import { DatabaseClock } from "./lib/clock.ts";
import type { Settings } from "./lib/settings.ts";
import { type RecoveredKey, storeRecoveredKey } from "./manage/recover-key.ts";
import { reachDatabase } from "./reach-database.ts";
import type { ServeRefusal } from "./obtain-database.ts";
import { readSchemaState } from "./storage/migrate.ts";
import { type ConnectionConfig, openPools } from "./storage/pools.ts";

export interface RecoverOptions {
  /** Where the database is: DATABASE_URL or the data directory, whose server may run or not. */
  readonly settings: Settings;
  /** Name or id (`ten_…`). */
  readonly tenant: string;
  /** What the key is called; it also says when it was made. */
  readonly keyName?: string;
  /** Sandbox instead of live. */
  readonly sandbox?: boolean;
  /** Gives it the scope `operator` beside `admin`. */
  readonly asOperator?: boolean;
}

/** `apiKey` exists here and nowhere else: print it once, or it is lost. */
export type RecoverResult = ({ readonly outcome: "recovered" } & RecoveredKey) | ServeRefusal;

const DEFAULT_NAME = "recovered administrator";

/** Makes the key; a running server takes it at once. Refusals change nothing. */
export async function recoverAdministrator(options: RecoverOptions): Promise<RecoverResult> {
  const database = await reachDatabase(options.settings);
  if (database.outcome === "refused") return database;
  try {
    const { migrated, withRoles } = await readSchemaState(database.connection);
    if (!migrated) {
      const message = "The database is not up to date with this program. Run `posthorn migrate` or start the server.";
      return { outcome: "refused", code: "SCHEMA_NOT_MIGRATED", message };
    }
    return await recoverIn(database.connection, withRoles, options);
  } finally {
    await database.stop();
  }
}

async function recoverIn(
  connection: ConnectionConfig,
  withRoles: boolean,
  options: RecoverOptions,
): Promise<RecoverResult> {
  const pools = openPools({ connection, withRoles, onIdleError: () => {} });
  const clock = new DatabaseClock();
  const random = (target: Uint8Array): void => void randomFillSync(target);
  const tenantId = parseId("tenant", options.tenant);
  try {
    const recovered = await storeRecoveredKey({
      engine: pools.engine,
      clock,
      ids: new IdGenerator(() => clock.nowMs(), random),
      random,
      tenant: tenantId === null ? { name: options.tenant } : { uuid: uuidFromBytes(tenantId) },
      keyName: options.keyName ?? DEFAULT_NAME,
      livemode: options.sandbox !== true,
      scopes: options.asOperator === true ? ["admin", "operator"] : ["admin"],
    });
    if (recovered.outcome === "recovered") return recovered;
    const known = recovered.names.map((name) => JSON.stringify(name)).join(", ");
    const message = `There is no tenant ${JSON.stringify(options.tenant)}. ${known === "" ? "There is none at all: start the server once." : `There is ${known}.`}`;
    return { outcome: "refused", code: "TENANT_NOT_FOUND", message };
  } finally {
    await pools.end();
  }
}
