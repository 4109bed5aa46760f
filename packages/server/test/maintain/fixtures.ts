// Databases with pools, in both modes of access, and rows to keep up. For the tests of this folder.
import pg from "pg";
import { lowestUuidAt } from "../../src/maintain/days.ts";
import { migrate } from "../../src/storage/migrate.ts";
import { openPools, type Pools } from "../../src/storage/pools.ts";
import { createTestDatabase } from "../support/database.ts";

export interface PooledDatabase {
  readonly pools: Pools;
  /** A superuser's connection: sees all rows. */
  readonly admin: pg.Client;
  close(): Promise<void>;
}

/** A migrated database; with `withRoles: false` its owner is a login that may neither make roles nor become them. */
export async function createPooledDatabase(options: { withRoles?: boolean } = {}): Promise<PooledDatabase> {
  const withRoles = options.withRoles ?? true;
  const database = await createTestDatabase({ migrated: withRoles });
  const admin = new pg.Client(database.connection);
  await admin.connect();
  const login = `${database.databaseName}_owner`;
  let connection: pg.ClientConfig = database.connection;
  if (!withRoles) {
    await admin.query(`create role ${login} login password 'small'`);
    await admin.query(`alter database ${database.databaseName} owner to ${login}`);
    connection = { ...connection, user: login, password: "small" };
    await migrate(connection);
  }
  const pools = openPools({ connection, withRoles, onIdleError: () => {} });
  return {
    pools,
    admin,
    async close() {
      await pools.end();
      if (!withRoles) {
        await admin.query(`reassign owned by ${login} to current_user; drop owned by ${login}; drop role ${login}`);
      }
      await admin.end();
      await database.drop();
    },
  };
}

let counter = 0;

/** A UUID of that time which no other call returns. */
export function uuidAt(timeMs: number): string {
  counter += 1;
  return `${lowestUuidAt(timeMs).slice(0, 14)}7000-8000-${counter.toString(16).padStart(12, "0")}`;
}

export async function insertTenant(admin: pg.Client, retentionClass = 90): Promise<string> {
  const id = uuidAt(0);
  await admin.query(
    "insert into tenant (id, created_at, config_version, retention_class, name) values ($1, now(), 1, $2, $3)",
    [id, retentionClass, `tenant ${id}`],
  );
  return id;
}

export interface DeliveryFixture {
  readonly tenantId: string;
  readonly eventMs: number;
  /** The delivery's own time; the event's unless it is a replay. */
  readonly ownMs?: number;
  readonly retentionClass?: number;
}

/** A pending delivery; returns its id. */
export async function insertDelivery(admin: pg.Client, fixture: DeliveryFixture): Promise<string> {
  const id = uuidAt(fixture.ownMs ?? fixture.eventMs);
  await admin.query(
    `insert into delivery (tenant_id, id, event_id, webhook_id, seq, due_at, webhook_version, retention_class, lane, replayed)
     values ($1, $2, $3, $4, nextval('delivery_seq'), now(), 1, $5, 3, $6)`,
    [
      fixture.tenantId,
      id,
      uuidAt(fixture.eventMs),
      uuidAt(0),
      fixture.retentionClass ?? 90,
      fixture.ownMs !== undefined,
    ],
  );
  return id;
}
