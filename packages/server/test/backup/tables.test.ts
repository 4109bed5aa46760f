// Every table has its place in a backup: a migration that makes one must say what becomes of its rows.
import { afterAll, beforeAll, expect, test } from "vitest";
import { TABLES } from "../../src/backup/tables.ts";
import { HISTORY_TABLES } from "../../src/maintain/days.ts";
import { migrate } from "../../src/storage/migrate.ts";
import { listTables } from "../../src/storage/schema-dump.sql.ts";
import { type Database, emptyDatabase } from "./support.ts";

let database: Database;
beforeAll(async () => {
  database = await emptyDatabase();
  await migrate(database.connection);
});
afterAll(() => database.close());

test("a backup knows every table of the schema, and no other", async () => {
  const tables = (await listTables(database.admin)).filter((table) => table.parent === null).map((table) => table.name);
  expect(Object.keys(TABLES).toSorted(), "say in src/backup/tables.ts what a backup does with it").toEqual(
    tables.toSorted(),
  );
});

test("history, and nothing else, is copied by day", () => {
  const byDay = Object.keys(TABLES).filter((table) => TABLES[table]?.kind === "history");
  expect(byDay.toSorted()).toEqual([...HISTORY_TABLES].toSorted());
});

test("the engine sees every row of every table that is copied, or the file would lack them", async () => {
  const { rows } = await database.admin.query<{ name: string }>(`
    select c.relname as name from pg_class c
    where c.relnamespace = current_schema()::regnamespace and c.relrowsecurity and c.relispartition = false
      and not exists (
        select from pg_policies p
        where p.tablename = c.relname and 'posthorn_engine' = any (p.roles) and p.qual = 'true' and p.cmd = 'ALL')`);
  expect(rows).toEqual([]);
});
