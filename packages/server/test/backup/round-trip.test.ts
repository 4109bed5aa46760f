// A backup restored is the same installation: every row of every table, the schema with its policies, and the numbers
// to come; in both modes of access, between server versions, and from a database that is being written to.
import { existsSync } from "node:fs";
import { Readable } from "node:stream";
import pg from "pg";
import { afterEach, describe, expect, test } from "vitest";
import { restore } from "../../src/backup/restore.ts";
import { migrate } from "../../src/storage/migrate.ts";
import { dumpSchema } from "../../src/storage/schema-dump.ts";
import { POSTGRES_15, startPostgres } from "../support/foreign-servers.ts";
import {
  backUpToBuffer,
  columnsOf,
  contentsOf,
  type Database,
  emptyDatabase,
  fillAsFirstRelease,
  fillLaterTables,
  migrateToFirst,
  newMasterKey,
} from "./support.ts";

const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function empty(options: { withRoles?: boolean } = {}): Promise<Database> {
  const database = await emptyDatabase(options);
  cleanups.push(() => database.close());
  return database;
}

async function foreign(): Promise<Database> {
  const server = await startPostgres(POSTGRES_15);
  const admin = new pg.Client(server.connection);
  admin.on("error", () => {});
  await admin.connect();
  const close = async () => {
    await admin.end();
    await server.stop();
  };
  cleanups.push(close);
  return { connection: server.connection, admin, close };
}

async function filled(database: Database, withRoles = true) {
  const masterKey = newMasterKey();
  await migrateToFirst(database.connection);
  await fillAsFirstRelease(database, masterKey, "http://127.0.0.1:9/hear", withRoles);
  await migrate(database.connection);
  await fillLaterTables(database.admin);
  return masterKey;
}

const nextSeq = async (admin: pg.Client) =>
  Number((await admin.query<{ n: string }>("select nextval('delivery_seq') as n")).rows[0]?.n);

async function expectSame(source: Database, target: Database): Promise<void> {
  const columns = await columnsOf(source.admin);
  const before = await contentsOf(source.admin, columns);
  expect(Object.entries(before).filter(([, { rowCount }]) => rowCount === 0)).toEqual([]);
  expect(await contentsOf(target.admin, columns)).toEqual(before);
  expect(await dumpSchema(target.connection)).toBe(await dumpSchema(source.connection));
  expect(await nextSeq(target.admin)).toBeGreaterThanOrEqual(await nextSeq(source.admin));
}

describe("every row of every table comes back", () => {
  for (const withRoles of [true, false]) {
    test(withRoles ? "with roles" : "as an owner who sees no row without the engine's setting", async () => {
      const [source, target] = [await empty({ withRoles }), await empty({ withRoles })];
      const masterKey = await filled(source, withRoles);
      const file = await backUpToBuffer(source.connection);
      const summary = await restore({
        connection: target.connection,
        input: { stream: Readable.from([file]) },
        masterKey,
      });
      expect(summary).toMatchObject({ program: "test", migratedForward: [], rowCounts: { event: 9, tenant: 2 } });
      await expectSame(source, target);
    });
  }

  test("from an owner with roles to one without, and no row is open to others there", async () => {
    const [source, target] = [await empty(), await empty({ withRoles: false })];
    const masterKey = await filled(source);
    const file = await backUpToBuffer(source.connection);
    await restore({ connection: target.connection, input: { stream: Readable.from([file]) }, masterKey });
    const columns = await columnsOf(source.admin);
    expect(await contentsOf(target.admin, columns)).toEqual(await contentsOf(source.admin, columns));
    const owner = new pg.Client(target.connection);
    await owner.connect();
    expect((await owner.query("select count(*)::int as n from event")).rows).toEqual([{ n: 0 }]);
    await owner.end();
  });

  test.skipIf(!existsSync(POSTGRES_15))("from PostgreSQL 15 to 18 and back", async () => {
    const [old, newer, oldAgain] = [await foreign(), await empty(), await foreign()];
    const masterKey = await filled(old);
    const up = await backUpToBuffer(old.connection);
    await restore({ connection: newer.connection, input: { stream: Readable.from([up]) }, masterKey });
    await expectSame(old, newer);
    const down = await backUpToBuffer(newer.connection);
    await restore({ connection: oldAgain.connection, input: { stream: Readable.from([down]) }, masterKey });
    await expectSame(newer, oldAgain);
  });
});
