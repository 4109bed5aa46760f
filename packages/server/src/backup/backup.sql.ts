// Statements of a backup. The holder's connection is the owner's and only keeps the snapshot; rows are read by the
// engine's role, because under forced row-level security an owner who is no superuser sees none.
import type { Readable } from "node:stream";
import type pg from "pg";
import { to as copyTo } from "pg-copy-streams";
import { DAY_MS, lowestUuidAt } from "../maintain/days.ts";
import { LOCK_CLASS, LOCKS } from "../storage/advisory-locks.sql.ts";

/** Limits that a login or a database sets would end a long copy in the middle. Those that this server knows. */
export async function liftTimeLimits(client: pg.ClientBase): Promise<void> {
  await client.query(`
    select set_config(name, '0', false) from pg_settings
    where name in ('statement_timeout', 'lock_timeout', 'idle_in_transaction_session_timeout', 'idle_session_timeout',
      'transaction_timeout')`);
}

/** No day of history is dropped while this session lives; waits for a drop that is under way. */
export async function holdRetention(client: pg.ClientBase): Promise<void> {
  await client.query("select pg_advisory_lock_shared($1, $2)", [LOCK_CLASS, LOCKS.retention]);
}

/** Begins a transaction whose view of the database others can share, until it ends. */
export async function openSnapshot(client: pg.ClientBase): Promise<{ snapshot: string; atMs: number }> {
  await client.query("begin isolation level repeatable read read only");
  const { rows } = await client.query<{ snapshot: string; at_ms: number }>(
    "select pg_export_snapshot() as snapshot, extract(epoch from now())::float8 * 1000 as at_ms",
  );
  return { snapshot: rows[0]?.snapshot ?? "", atMs: rows[0]?.at_ms ?? 0 };
}

/** Begins a transaction with that view. `snapshot` comes from the server and is hexadecimal figures and dashes. */
export async function joinSnapshot(client: pg.ClientBase, snapshot: string): Promise<void> {
  await client.query("begin isolation level repeatable read read only");
  await client.query(`set transaction snapshot '${snapshot.replaceAll("'", "")}'`);
}

export async function commit(client: pg.ClientBase): Promise<void> {
  await client.query("commit");
}

/** The greatest number drawn so far. Owner: the roles may draw from the sequence and not look at it. */
export async function readDeliverySeq(client: pg.ClientBase): Promise<number> {
  const { rows } = await client.query<{ value: string }>("select last_value::text as value from delivery_seq");
  return Number(rows[0]?.value ?? 1);
}

export interface Slice {
  readonly retentionClass: number;
  readonly dayMs: number;
}

/** Literals, not parameters: the planner then opens, and locks, the partition of that day alone. */
function whereDay({ retentionClass, dayMs }: Slice): string {
  return `where retention_class = ${retentionClass} and id >= '${lowestUuidAt(dayMs)}' and id < '${lowestUuidAt(dayMs + DAY_MS)}'`;
}

/** Whether a day of history has any row. */
export async function hasRowsOfDay(client: pg.ClientBase, table: string, slice: Slice): Promise<boolean> {
  const { rows } = await client.query<{ found: boolean }>(
    `select exists (select from ${table} ${whereDay(slice)}) as found`,
  );
  return rows[0]?.found === true;
}

/**
 * The rows of a table, or of a day of it, as `COPY` writes them; `rowCount` is known once a later statement is answered.
 * @param table one of ours; `columns` as the catalogue has them
 */
export function copyOut(
  client: pg.ClientBase,
  table: string,
  columns: readonly string[],
  slice: Slice | null,
): Readable & { rowCount: number } {
  const where = slice === null ? "" : whereDay(slice);
  return client.query(copyTo(`copy (select ${columns.join(", ")} from ${table} ${where}) to stdout (format binary)`));
}
