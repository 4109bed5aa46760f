// Proves the tests' own database: separate, migrated, gone when dropped.
import pg from "pg";
import { afterAll, describe, expect, test } from "vitest";
import { createTestDatabase, type TestConnection } from "./database.ts";

const made: { drop(): Promise<void> }[] = [];
afterAll(() => Promise.all(made.map((database) => database.drop())));

async function create(options?: { migrated?: boolean }) {
  const database = await createTestDatabase(options);
  made.push(database);
  return database;
}

async function ask(connection: TestConnection, sql: string): Promise<Record<string, unknown>[]> {
  const client = new pg.Client(connection);
  await client.connect();
  try {
    return (await client.query(sql)).rows;
  } finally {
    await client.end();
  }
}

const HAS_TABLES = "select to_regclass('event') is not null as migrated";

describe("a test database", () => {
  test("holds Posthorn's tables", async () => {
    expect(await ask((await create()).connection, HAS_TABLES)).toEqual([{ migrated: true }]);
  });

  test("is empty when asked to be", async () => {
    expect(await ask((await create({ migrated: false })).connection, HAS_TABLES)).toEqual([{ migrated: false }]);
  });

  test("is seen by nobody else, also when several are made at once", async () => {
    const databases = await Promise.all([create(), create(), create()]);
    await ask(databases[0]!.connection, "create table only_here (id int)");
    const seen = await Promise.all(
      databases.map((one) => ask(one.connection, "select to_regclass('only_here')::text as t")),
    );
    expect(seen.map((rows) => rows[0]?.["t"])).toEqual(["only_here", null, null]);
  });

  test("is gone after drop, even while somebody is connected", async () => {
    const database = await create();
    const client = new pg.Client(database.connection);
    client.on("error", () => {});
    await client.connect();
    await database.drop();
    await expect(ask(database.connection, "select 1")).rejects.toMatchObject({ code: "3D000" });
  });

  test("is as durable as production, so that the whole node accepts it", async () => {
    expect(await ask((await create()).connection, "show fsync")).toEqual([{ fsync: "on" }]);
  });
});
