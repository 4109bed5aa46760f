// Statements of the migrator: its lock, its table, and what it asks about the state of a database.
import type pg from "pg";
import { LOCK_CLASS, LOCKS } from "./advisory-locks.sql.ts";

export interface AppliedMigration {
  readonly name: string;
  readonly checksum: string;
}

/** The server's version as a number: 150004 is 15.4. */
export async function readServerVersion(client: pg.Client): Promise<number> {
  const { rows } = await client.query<{ version: number }>(
    "select current_setting('server_version_num')::integer as version",
  );
  return rows[0]?.version ?? 0;
}

/** Waits, for as long as it takes, until no other session migrates this database. The lock ends with the session. */
export async function lockMigrations(client: pg.Client): Promise<void> {
  // A statement_timeout of the login or the database would end the wait, or a long migration, in the middle.
  await client.query("set statement_timeout = 0; set lock_timeout = 0; set idle_in_transaction_session_timeout = 0");
  await client.query("select pg_advisory_lock($1, $2)", [LOCK_CLASS, LOCKS.migrate]);
}

/** Call under the lock: `if not exists` alone does not stop two sessions from colliding in the catalogue. */
export async function createMigrationTable(client: pg.Client): Promise<void> {
  await client.query(`
    create table if not exists schema_migration (
      name       text        not null primary key,
      checksum   text        not null,
      applied_at timestamptz not null default now()
    )`);
}

/** False on a database that was never migrated. */
export async function hasMigrationTable(client: pg.Client): Promise<boolean> {
  const { rows } = await client.query<{ found: boolean }>(
    "select to_regclass(format('%I.schema_migration', current_schema())) is not null as found",
  );
  return rows[0]?.found === true;
}

export async function listAppliedMigrations(client: pg.Client): Promise<AppliedMigration[]> {
  const { rows } = await client.query<AppliedMigration>("select name, checksum from schema_migration order by name");
  return rows;
}

/**
 * Runs one file and its record in one transaction: either both happened or neither.
 * @param lockTimeoutMs how long it may stand in the queue for a lock, with everybody who comes later behind it
 */
export async function applyMigration(
  client: pg.Client,
  migration: AppliedMigration,
  sql: string,
  lockTimeoutMs: number,
): Promise<void> {
  await client.query("begin");
  try {
    await client.query("select set_config('lock_timeout', $1, true)", [`${lockTimeoutMs}ms`]);
    await client.query(sql);
    await client.query("insert into schema_migration (name, checksum) values ($1, $2)", [
      migration.name,
      migration.checksum,
    ]);
    await client.query("commit");
  } catch (error) {
    await client.query("rollback");
    throw error;
  }
}

/** True when the policies of this database name the engine's role, not its setting. */
export async function policiesNameRoles(client: pg.Client): Promise<boolean> {
  const { rows } = await client.query<{ found: boolean }>(
    `select exists (
       select from pg_policies
       where schemaname = current_schema() and tablename = 'delivery' and 'posthorn_engine' = any (roles)
     ) as found`,
  );
  return rows[0]?.found === true;
}
