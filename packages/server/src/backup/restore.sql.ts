// Statements of a restore, on the owner's connection. COPY into a table is refused wherever row-level security binds
// the one who copies, so it is lifted from the owner for the length of the one transaction that loads.
import type { Writable } from "node:stream";
import type pg from "pg";
import { from as copyFrom } from "pg-copy-streams";

export async function begin(client: pg.ClientBase): Promise<void> {
  await client.query("begin");
}

/** Until the transaction ends: the engine's role, or the setting that stands for it. */
export async function becomeEngine(client: pg.ClientBase, withRoles: boolean): Promise<void> {
  await client.query(withRoles ? "set local role posthorn_engine" : "set local posthorn.engine = 'on'");
}

export async function rollback(client: pg.ClientBase): Promise<void> {
  await client.query("rollback");
}

/** Whether a table of ours holds any row. */
export async function holdsRows(client: pg.ClientBase, table: string): Promise<boolean> {
  const { rows } = await client.query<{ found: boolean }>(`select exists (select from ${table}) as found`);
  return rows[0]?.found === true;
}

/** Binds the owner to the table's policies, or lets it past them. Concerns the parent: rows go in through it. */
export async function forceRowSecurity(client: pg.ClientBase, table: string, isForced: boolean): Promise<void> {
  await client.query(`alter table ${table} ${isForced ? "" : "no "}force row level security`);
}

/** The row that the first migration makes; the file brings its own. */
export async function deleteConfigVersion(client: pg.ClientBase): Promise<void> {
  await client.query("delete from config_version");
}

/** Takes the bytes of one section; `rowCount` is known when it has finished. */
export function copyIn(
  client: pg.ClientBase,
  table: string,
  columns: readonly string[],
): Writable & { readonly rowCount: number } {
  return client.query(copyFrom(`copy ${table} (${columns.join(", ")}) from stdin (format binary)`));
}

/** The next number drawn is above every one in the tables and above `last`. Reads what is pending or dead. */
export async function setDeliverySeq(client: pg.ClientBase, last: number): Promise<void> {
  await client.query({
    text: `
      select setval('delivery_seq', greatest(
        $1::bigint, (select max(seq) from delivery), (select max(seq) from fan_out), (select max(seq) from dead_letter)))`,
    values: [last],
  });
}

/** How many locks all transactions of this server can hold together, at the least. */
export async function readLockCapacity(client: pg.ClientBase): Promise<{ perTransaction: number; capacity: number }> {
  const { rows } = await client.query<{ per_transaction: number; connections: number }>(
    `select current_setting('max_locks_per_transaction')::integer as per_transaction,
            current_setting('max_connections')::integer as connections`,
  );
  const { per_transaction: perTransaction = 0, connections = 0 } = rows[0] ?? {};
  return { perTransaction, capacity: perTransaction * connections };
}
