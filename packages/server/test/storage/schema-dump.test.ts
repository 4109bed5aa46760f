// Proves that the checked-in schema is what the migrations make, and that the text notices what matters.
import { readFile } from "node:fs/promises";
import pg from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ensurePartitions } from "../../src/maintain/partitions.ts";
import { dumpSchema } from "../../src/storage/schema-dump.ts";
import { createTestDatabase, type TestDatabase } from "../support/database.ts";

let database: TestDatabase;
let client: pg.Client;
let before: string;
beforeAll(async () => {
  database = await createTestDatabase();
  client = new pg.Client(database.connection);
  await client.connect();
  before = await dumpSchema(database.connection);
});
afterAll(async () => {
  await client.end();
  await database.drop();
});

test("schema.sql is what the migrations make (else: node scripts/schema.mjs --write)", async () => {
  expect(before).toBe(await readFile(new URL("../../schema.sql", import.meta.url), "utf8"));
});

test("the day's partitions do not show", async () => {
  const pool = new pg.Pool(database.connection);
  await ensurePartitions(pool, Date.UTC(2026, 10, 23), [7]);
  await pool.end();
  expect(await dumpSchema(database.connection)).toBe(before);
});

test.each([
  ["a column", "alter table tenant add column note text", "alter table tenant drop column note"],
  ["a default", "alter table node alter alive set default true", "alter table node alter alive drop default"],
  ["not null", "alter table event alter data drop not null", "alter table event alter data set not null"],
  ["a check", "alter table lane add constraint odd check (epoch >= 0)", "alter table lane drop constraint odd"],
  ["an index", "create index extra on webhook (lane)", "drop index extra"],
  ["a storage option", "alter table delivery set (fillfactor = 70)", "alter table delivery set (fillfactor = 80)"],
  ["a policy", "create policy extra on event using (false)", "drop policy extra on event"],
  ["row-level security", "alter table event no force row level security", "alter table event force row level security"],
  ["a grant", "grant truncate on event to posthorn_api", "revoke truncate on event from posthorn_api"],
  ["a sequence's cache", "alter sequence delivery_seq cache 10", "alter sequence delivery_seq cache 1"],
  [
    "a partition of another kind",
    "drop table event_key_3",
    "create table event_key_3 partition of event_key for values with (modulus 16, remainder 3)",
  ],
  ["a function", "create function extra() returns int language sql return 1", "drop function extra"],
])("a change of %s shows", async (_, change, back) => {
  await client.query(change);
  expect(await dumpSchema(database.connection)).not.toBe(before);
  await client.query(back);
  expect(await dumpSchema(database.connection)).toBe(before);
});
