// The statements that the start of an embedded server needs. Nothing about Posthorn's own tables.
import type { ClientBase } from "pg";

/** Does this database exist? */
export async function databaseExists(client: ClientBase, name: string): Promise<boolean> {
  const { rowCount } = await client.query("select 1 from pg_database where datname = $1", [name]);
  return rowCount === 1;
}

/** DDL takes no parameters: the name is quoted by the driver. */
export async function createDatabase(client: ClientBase, name: string): Promise<void> {
  await client.query(`create database ${client.escapeIdentifier(name)}`);
}
