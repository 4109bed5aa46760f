// Proves the migrator: once however many start, in order, whole files or nothing, and never on a foreign schema.
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { migrate, readSchemaState } from "../../src/storage/migrate.ts";
import { createTestDatabase, type TestDatabase } from "../support/database.ts";

let database: TestDatabase;
let dir: string;
const cleanups: (() => Promise<unknown>)[] = [];

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "posthorn-migrations-"));
});
afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) await cleanup();
});
afterAll(() => rm(dir, { recursive: true }));

async function emptyDatabase(): Promise<pg.ClientConfig> {
  database = await createTestDatabase({ migrated: false });
  cleanups.push(database.drop);
  return database.connection;
}

async function filesWith(contents: Record<string, string>): Promise<string> {
  const folder = await mkdtemp(join(dir, "files-"));
  for (const [name, sql] of Object.entries(contents)) await writeFile(join(folder, name), sql);
  return folder;
}

async function ask(connection: pg.ClientConfig, sql: string): Promise<Record<string, unknown>[]> {
  const client = new pg.Client(connection);
  await client.connect();
  try {
    return (await client.query(sql)).rows;
  } finally {
    await client.end();
  }
}

const ONE = "create table one (id int);";
const TWO = "create table two (id int);\ninsert into one values (1);";

test("of ten processes that start at once one migrates and nine find it done", async () => {
  const connection = await emptyDatabase();
  const folder = await filesWith({ "0001_one.sql": ONE, "0002_two.sql": TWO });
  const results = await Promise.all(Array.from({ length: 10 }, () => migrate(connection, folder)));
  const applied = results.map((result) => result.applied).filter((names) => names.length > 0);
  expect(applied).toEqual([["0001_one", "0002_two"]]);
  expect(await ask(connection, "select count(*)::int as n from one")).toEqual([{ n: 1 }]);
});

test("the files that ship make the schema of this program, and say whether it has roles", async () => {
  const connection = await emptyDatabase();
  expect(await readSchemaState(connection)).toEqual({ migrated: false, withRoles: false });
  expect((await migrate(connection)).applied[0]).toBe("0001_first");
  expect(await readSchemaState(connection)).toEqual({ migrated: true, withRoles: true });
  expect((await migrate(connection)).applied).toEqual([]);
});

test("a login that may not make roles gets the schema with settings in their place", async () => {
  const connection = await emptyDatabase();
  const login = `${database.databaseName}_small`;
  await ask(
    connection,
    `create role ${login} login password 'small'; alter database ${connection.database} owner to ${login}`,
  );
  cleanups.unshift(() =>
    ask(
      connection,
      `drop owned by ${login} cascade; alter database ${connection.database} owner to current_user; drop role ${login}`,
    ),
  );
  const small = { ...connection, user: login, password: "small" };
  await migrate(small);
  expect(await readSchemaState(small)).toEqual({ migrated: true, withRoles: false });
});

test("only what is missing is applied", async () => {
  const connection = await emptyDatabase();
  await migrate(connection, await filesWith({ "0001_one.sql": ONE }));
  const both = await filesWith({ "0001_one.sql": ONE.replaceAll("\n", "\r\n"), "0002_two.sql": TWO });
  expect(await readSchemaState(connection, both)).toMatchObject({ migrated: false });
  expect(await migrate(connection, both)).toEqual({ applied: ["0002_two"] });
});

test("a table that somebody reads for long is asked for again and again, and others get their turn between", async () => {
  const connection = await emptyDatabase();
  const before = await filesWith({ "0001_one.sql": ONE });
  await migrate(connection, before);
  const reader = new pg.Client(connection);
  await reader.connect();
  await reader.query("begin; select from one");
  const folder = await filesWith({ "0001_one.sql": ONE, "0002_more.sql": "alter table one add column more int;" });
  let pauses = 0;
  const pause = async () => {
    pauses += 1;
    // Would wait behind the migration for the reader's end.
    await ask(connection, "set statement_timeout = '2s'; insert into one values (1)");
    if (pauses === 2) await reader.query("commit");
  };
  try {
    const { applied } = await migrate(connection, folder, { timeoutMs: 50, tries: 5, pause });
    expect([applied, pauses]).toEqual([["0002_more"], 2]);
    await reader.query("begin; select from one");
    const third = { "0003_most.sql": "alter table one add column most int;" };
    const all = await filesWith({
      "0001_one.sql": ONE,
      "0002_more.sql": "alter table one add column more int;",
      ...third,
    });
    const impatient = migrate(connection, all, { timeoutMs: 50, tries: 2, pause: async () => {} });
    await expect(impatient).rejects.toMatchObject({ code: "MIGRATION_FAILED" });
  } finally {
    await reader.end();
  }
});

test("a file that fails leaves nothing behind, and what came before it stays", async () => {
  const connection = await emptyDatabase();
  const folder = await filesWith({ "0001_one.sql": ONE, "0002_two.sql": `${TWO} select 1 / 0;` });
  await expect(migrate(connection, folder)).rejects.toMatchObject({
    code: "MIGRATION_FAILED",
    message: expect.stringContaining("0002_two failed and was rolled back: division by zero") as string,
  });
  expect(await ask(connection, "select to_regclass('two')::text as two, name from schema_migration")).toEqual([
    { two: null, name: "0001_one" },
  ]);
});

test("a database that a newer program has migrated is refused and left alone", async () => {
  const connection = await emptyDatabase();
  await migrate(connection, await filesWith({ "0001_one.sql": ONE, "0002_two.sql": TWO }));
  await expect(migrate(connection, await filesWith({ "0001_one.sql": ONE }))).rejects.toMatchObject({
    code: "SCHEMA_NEWER",
    message: expect.stringContaining("0002_two") as string,
  });
});

test("a file that was edited after it had been applied is refused", async () => {
  const connection = await emptyDatabase();
  await migrate(connection, await filesWith({ "0001_one.sql": ONE }));
  const edited = await filesWith({ "0001_one.sql": `${ONE} -- better` });
  await expect(migrate(connection, edited)).rejects.toMatchObject({ code: "MIGRATION_CHANGED" });
});

test("a gap in the numbers is refused before the database is touched", async () => {
  const folder = await filesWith({ "0001_one.sql": ONE, "0003_three.sql": TWO });
  await expect(migrate({ port: 1 }, folder)).rejects.toMatchObject({ code: "MIGRATION_FILES" });
});
