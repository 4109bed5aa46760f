// Puts the check before real servers: our own 18, Debian's 15, and pgbouncer in each of its modes.
import { existsSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { checkServer } from "../../src/storage/server-check.ts";
import { administer, createTestDatabase, type TestConnection, type TestDatabase } from "../support/database.ts";
import {
  type ForeignServer,
  PGBOUNCER,
  POSTGRES_15,
  startPgbouncer,
  startPostgres,
} from "../support/foreign-servers.ts";

let database: TestDatabase;
const users: string[] = [];
const PASSWORD = "a-secret-with-%40-and-'quotes'";

beforeAll(async () => {
  database = await createTestDatabase({ migrated: false });
});

afterAll(async () => {
  const { connection, drop } = database;
  await drop();
  for (const user of users) await administer({ ...connection, database: "postgres" }, `drop role ${user}`);
});

/** A login of this test's own; `setup` runs as the superuser, with USER standing for its name. */
async function loginWith(options: string, ...setup: string[]): Promise<TestConnection> {
  const user = `${database.databaseName}_u${users.length}`;
  await administer(
    database.connection,
    `create role ${user} login password '${PASSWORD.replaceAll("'", "''")}' ${options}`,
  );
  users.push(user);
  for (const sql of setup) await administer(database.connection, sql.replaceAll("USER", user));
  return { ...database.connection, user, password: PASSWORD };
}

describe("a server that can keep Posthorn's promises", () => {
  test("passes, as the owner of everything", async () => {
    expect(await checkServer(database.connection)).toEqual({
      ok: true,
      version: expect.any(Number),
      majorVersion: expect.any(Number),
      canCreateRoles: true,
      schemaName: "public",
      isPooled: false,
      warnings: [],
    });
  });

  test("passes with no more rights than it takes, and says that roles cannot be made", async () => {
    const login = await loginWith("", "create schema authorization USER");
    expect(await checkServer(login)).toMatchObject({ ok: true, canCreateRoles: false, schemaName: login.user });
    await administer(database.connection, `drop owned by ${login.user}`);
  });

  test("passes as a connection string", async () => {
    const { host, user, password, database: name } = database.connection;
    const connectionString = `postgres://${user}:${password}@localhost:${database.connection.port}/${name}?host=${encodeURIComponent(host)}`;
    expect(await checkServer({ connectionString })).toMatchObject({ ok: true });
  });

  test("is told about a synchronous_commit that only our own setting makes up for", async () => {
    const login = await loginWith("superuser", "alter role USER set synchronous_commit = off");
    expect(await checkServer(login)).toMatchObject({
      ok: true,
      warnings: [expect.stringContaining("synchronous_commit")],
    });
  });

  test("is left without a connection or a transaction of ours", async () => {
    await checkServer(database.connection);
    const client = new pg.Client(database.connection);
    await client.connect();
    // A backend goes a moment after its connection.
    const sql =
      "select count(*)::int as count from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()";
    for (let count = 1; count > 0; ) count = (await client.query<{ count: number }>(sql)).rows[0]?.count ?? 0;
    await client.end();
  });
});

describe("missing rights", () => {
  test("to make tables are refused with the grant to run, and running it helps", async () => {
    const login = await loginWith("");
    const check = await checkServer(login);
    expect(check).toMatchObject({ ok: false, code: "DATABASE_RIGHTS" });
    const grant = /grant .*;/.exec(check.ok ? "" : check.message)?.[0] ?? "";
    expect(grant).toBe(`grant usage, create on schema public to ${login.user};`);
    await administer(database.connection, grant);
    expect(await checkServer(login)).toMatchObject({ ok: true });
    await administer(database.connection, `drop owned by ${login.user}`);
  });

  test("are found where the search path leads nowhere", async () => {
    const login = await loginWith("", "alter role USER set search_path = nowhere");
    expect(await checkServer(login)).toMatchObject({
      ok: false,
      code: "DATABASE_RIGHTS",
      message: expect.stringContaining("create schema posthorn"),
    });
  });

  test("on tables that another login made are refused with its name", async () => {
    const owner = await loginWith(
      "",
      "create schema USER authorization USER",
      "create table USER.schema_migration ()",
      "alter table USER.schema_migration owner to USER",
    );
    const other = await loginWith(
      "",
      `grant usage, create on schema ${owner.user} to USER`,
      `alter role USER set search_path = ${owner.user}`,
    );
    expect(await checkServer(other)).toMatchObject({
      ok: false,
      code: "DATABASE_RIGHTS",
      message: expect.stringContaining(`grant ${owner.user} to ${other.user};`),
    });
    await administer(database.connection, `grant ${owner.user} to ${other.user}`);
    expect(await checkServer(other)).toMatchObject({ ok: true });
    await administer(database.connection, `drop owned by ${owner.user}, ${other.user}`);
  });
});

describe("a database that will not do", () => {
  test("for being read-only is refused with the setting to change", async () => {
    const login = await loginWith("", "alter role USER set default_transaction_read_only = on");
    expect(await checkServer(login)).toMatchObject({
      ok: false,
      code: "DATABASE_READ_ONLY",
      message: expect.stringContaining(`alter role ${login.user} set default_transaction_read_only = off;`),
    });
  });

  test("for its encoding is refused", async () => {
    const name = `${database.databaseName}_latin1`;
    await administer(
      database.connection,
      `create database ${name} template template0 encoding 'LATIN1' locale_provider libc locale 'C'`,
    );
    const check = await checkServer({ ...database.connection, database: name });
    await administer(database.connection, `drop database ${name}`);
    expect(check).toMatchObject({ ok: false, code: "DATABASE_ENCODING", message: expect.stringContaining("LATIN1") });
  });
});

describe("a connection that fails", () => {
  const answer = async (connection: pg.ClientConfig) => {
    const check = await checkServer(connection);
    expect(JSON.stringify(check)).not.toContain("secret");
    return check;
  };

  test("for the password says so", async () => {
    const login = await loginWith("");
    expect(await answer({ ...login, password: "another-secret" })).toMatchObject({
      ok: false,
      code: "DATABASE_AUTH_FAILED",
    });
    expect(await answer({ ...login, password: "" })).toMatchObject({ ok: false, code: "DATABASE_AUTH_FAILED" });
  });

  test("for the user's name says so", async () => {
    expect(await answer({ ...database.connection, user: "nobody_known" })).toMatchObject({
      ok: false,
      code: "DATABASE_AUTH_FAILED",
    });
  });

  test("for a login without the right to log in says so", async () => {
    const login = await loginWith("", "alter role USER nologin");
    expect(await answer(login)).toMatchObject({
      ok: false,
      code: "DATABASE_AUTH_FAILED",
      message: expect.stringContaining("log in"),
    });
  });

  test("for a missing database says how to make it", async () => {
    expect(await answer({ ...database.connection, database: "Not There" })).toMatchObject({
      ok: false,
      code: "DATABASE_MISSING",
      message: expect.stringContaining(
        `create database "Not There" owner ${database.connection.user} encoding 'UTF8' template template0;`,
      ),
    });
  });

  test("for a limit on connections says so", async () => {
    const login = await loginWith("connection limit 0");
    expect(await answer(login)).toMatchObject({ ok: false, code: "DATABASE_BUSY" });
  });

  test("because nothing listens says where it looked", async () => {
    const port = await closedPort();
    expect(await answer({ host: "127.0.0.1", port, user: "u", password: "secret", database: "d" })).toMatchObject({
      ok: false,
      code: "DATABASE_UNREACHABLE",
      message: expect.stringContaining(`127.0.0.1:${port}`),
    });
    expect(await answer({ host: "/nowhere", user: "u", password: "secret", database: "d" })).toMatchObject({
      ok: false,
      code: "DATABASE_UNREACHABLE",
      message: expect.stringContaining("/nowhere/.s.PGSQL.5432"),
    });
  });

  test("because the host has no address says so", async () => {
    expect(await answer({ host: "posthorn.invalid", user: "u", password: "secret", database: "d" })).toMatchObject({
      ok: false,
      code: "DATABASE_UNREACHABLE",
      message: expect.stringContaining("posthorn.invalid:5432"),
    });
  });

  test("because something else listens, or nobody answers, is told apart from neither", async () => {
    const silent = await listen(() => {});
    const rude = await listen((socket) => socket.destroy());
    for (const port of [silent.port, rude.port]) {
      const connection = {
        host: "127.0.0.1",
        port,
        user: "u",
        password: "secret",
        database: "d",
        connectionTimeoutMillis: 300,
      };
      expect(await answer(connection)).toMatchObject({ ok: false, code: "DATABASE_UNREACHABLE" });
    }
    silent.close();
    rude.close();
  });

  test("because the server speaks no TLS says so", async () => {
    const plain = await listen((socket) => socket.once("data", () => socket.write("N")));
    const connection = { host: "127.0.0.1", port: plain.port, user: "u", password: "secret", database: "d", ssl: true };
    expect(await answer(connection)).toMatchObject({ ok: false, code: "DATABASE_TLS" });
    plain.close();
  });

  test("because the connection string is none says how one looks, and does not repeat it", async () => {
    expect(await answer({ connectionString: "postgres://u:my/secret@localhost/d" })).toMatchObject({
      ok: false,
      code: "DATABASE_URL_INVALID",
      message: expect.stringContaining("postgres://user:password@host:5432/database"),
    });
  });
});

const with15 = existsSync(POSTGRES_15) ? describe : describe.skip;
with15("PostgreSQL 15 (skipped without Debian's postgresql-15)", () => {
  test("passes", async () => {
    const server = await startPostgres(POSTGRES_15);
    const check = await checkServer(server.connection);
    await server.stop();
    expect(check).toMatchObject({ ok: true, majorVersion: 15, canCreateRoles: true });
  });

  test("is refused while it would lose data in a power failure, with the statements that mend it", async () => {
    const server = await startPostgres(POSTGRES_15, {}, (clusterDir) => {
      writeFileSync(join(clusterDir, "postgresql.conf"), "fsync = off\nfull_page_writes = off\n");
    });
    const check = await checkServer(server.connection);
    expect(check).toMatchObject({ ok: false, code: "DATABASE_NOT_DURABLE" });
    const statements = /superuser: (.*)$/.exec(check.ok ? "" : check.message)?.[1] ?? "";
    for (const sql of statements.split(";").filter((one) => one.trim() !== ""))
      await administer(server.connection, sql);
    // The reload is a signal, so the settings follow in a moment.
    let after = await checkServer(server.connection);
    while (!after.ok && after.code === "DATABASE_NOT_DURABLE") after = await checkServer(server.connection);
    await server.stop();
    expect(after).toMatchObject({ ok: true });
  });

  test("is refused as a standby", async () => {
    const server = await startPostgres(POSTGRES_15, {}, (clusterDir) =>
      writeFileSync(join(clusterDir, "standby.signal"), ""),
    );
    const check = await checkServer(server.connection);
    await server.stop();
    expect(check).toMatchObject({ ok: false, code: "DATABASE_READ_ONLY", message: expect.stringContaining("primary") });
  });
});

const withPgbouncer = PGBOUNCER === undefined ? describe.skip : describe;
withPgbouncer("behind pgbouncer (skipped without Debian's pgbouncer)", () => {
  const check = async (...lines: string[]) => {
    const pooler: ForeignServer = await startPgbouncer(database.connection, lines);
    try {
      return await checkServer({ ...pooler.connection, database: database.databaseName });
    } finally {
      await pooler.stop();
    }
  };

  test.each([
    ["with many server connections", []],
    ["that hands them out in turn", ["server_round_robin = 1", "min_pool_size = 8"]],
    ["with a single one", ["default_pool_size = 1"]],
    ["even when startup settings are passed over", ["ignore_startup_parameters = options"]],
  ])("transaction mode is refused, %s", async (_name, lines) => {
    expect(await check("pool_mode = transaction", ...lines)).toMatchObject({ ok: false, code: "DATABASE_POOLER" });
  });

  test("statement mode is refused", async () => {
    expect(await check("pool_mode = statement")).toMatchObject({ ok: false, code: "DATABASE_POOLER" });
  });

  test("session mode is refused only because settings do not get through", async () => {
    expect(await check("pool_mode = session")).toMatchObject({ ok: false, code: "DATABASE_POOLER_SETTINGS" });
    expect(await check("pool_mode = session", "ignore_startup_parameters = options")).toMatchObject({
      ok: false,
      code: "DATABASE_POOLER_SETTINGS",
    });
  });
});

async function listen(handler: (socket: import("node:net").Socket) => void) {
  const server = createServer((socket) => {
    socket.on("error", () => {});
    handler(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  return { port: typeof address === "object" && address !== null ? address.port : 0, close: () => server.close() };
}

async function closedPort(): Promise<number> {
  const server = await listen(() => {});
  server.close();
  return server.port;
}
