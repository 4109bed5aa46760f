// The questions that are put to a PostgreSQL server before Posthorn trusts it. All of them only read.
import type { ClientBase } from "pg";

export type ServerFacts = {
  /** As a number: 150004 is 15.4. */
  readonly version: number;
  readonly fsync: string;
  readonly fullPageWrites: string;
  readonly synchronousCommit: string;
  readonly encoding: string;
  /** A standby, or a session, role or database set to read only. */
  readonly isStandby: boolean;
  readonly isReadOnly: boolean;
  readonly userName: string;
  readonly databaseName: string;
  /** Null when the search path names no schema that exists. */
  readonly schemaName: string | null;
  readonly canUseSchema: boolean;
  readonly canCreateInSchema: boolean;
  readonly canCreateRoles: boolean;
  /** The owner of Posthorn's tables, when they are there and this login may not act as that owner. */
  readonly foreignOwner: string | null;
};

/** One round trip, one snapshot; every name is of PostgreSQL 15. */
export async function readServerFacts(client: ClientBase): Promise<ServerFacts> {
  const { rows } = await client.query<ServerFacts>(`
    select current_setting('server_version_num')::integer         as "version",
           current_setting('fsync')                               as "fsync",
           current_setting('full_page_writes')                    as "fullPageWrites",
           current_setting('synchronous_commit')                  as "synchronousCommit",
           current_setting('server_encoding')                     as "encoding",
           pg_is_in_recovery()                                    as "isStandby",
           current_setting('transaction_read_only') = 'on'        as "isReadOnly",
           current_user::text                                     as "userName",
           current_database()::text                               as "databaseName",
           current_schema()::text                                 as "schemaName",
           coalesce(has_schema_privilege(current_schema(), 'usage'), false)  as "canUseSchema",
           coalesce(has_schema_privilege(current_schema(), 'create'), false) as "canCreateInSchema",
           (select r.rolsuper or r.rolcreaterole from pg_roles r where r.rolname = current_user) as "canCreateRoles",
           (select o.rolname::text
              from pg_class c join pg_roles o on o.oid = c.relowner
             where c.oid = to_regclass(quote_ident(current_schema()) || '.schema_migration')
               and not pg_has_role(current_user, c.relowner, 'usage'))       as "foreignOwner"`);
  const [facts] = rows;
  if (facts === undefined) throw new Error("the server answered no row");
  return facts;
}

/** Which server process answers now; behind a pooler it may differ from one transaction to the next. */
export async function readBackendPid(client: ClientBase): Promise<number> {
  const { rows } = await client.query<{ pid: number }>("select pg_backend_pid() as pid");
  return rows[0]?.pid ?? 0;
}

/** Opens a transaction and says which server process it is pinned to. */
export async function beginPinned(client: ClientBase): Promise<number> {
  await client.query("begin read only");
  return readBackendPid(client);
}

export async function rollback(client: ClientBase): Promise<void> {
  await client.query("rollback");
}

/** The setting that a connection was opened with; null when it did not arrive. */
export async function readProbe(client: ClientBase): Promise<string | null> {
  const { rows } = await client.query<{ probe: string | null }>(
    "select current_setting('posthorn.probe', true) as probe",
  );
  return rows[0]?.probe ?? null;
}
