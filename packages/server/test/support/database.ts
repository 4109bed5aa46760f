// A PostgreSQL for the tests: one server per vitest run, one database per caller, cloned from a migrated template.
// It must never touch a database that no test made, and never disturb another run on this machine.
//
// The server is our own embedded one, started by whoever needs it first and stopped by global-setup.ts; with
// POSTHORN_TEST_DATABASE_URL it is that one (its user must be allowed to make databases and roles).
import { randomBytes } from "node:crypto";
import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import pg from "pg";
import { acquireProcessLock } from "../../src/lib/process-lock.ts";
import { startEmbeddedPostgres } from "../../src/storage/embedded/start.ts";
import { migrate } from "../../src/storage/migrate.ts";

/** What pg's Client and Pool, `migrate` and `openPools` take. */
export type TestConnection = {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly database: string;
  readonly ssl: false;
};

export type TestDatabase = {
  readonly connection: TestConnection;
  readonly databaseName: string;
  /** Removes the database, cutting off whoever is still connected. */
  drop(): Promise<void>;
};

export const RUN_DIR_VARIABLE = "POSTHORN_TEST_RUN_DIR";
export const SERVER_FILE = "server.json";

/**
 * A database of your own, about 40 ms; migrated, unless `migrated: false` asks for an empty one.
 * Make one per test file (or test) and drop it in `afterAll`; what is left over goes with the run.
 */
export async function createTestDatabase(options: { migrated?: boolean } = {}): Promise<TestDatabase> {
  const server = await sharedServer();
  const name = `${server.prefix}${randomBytes(6).toString("hex")}`;
  const from = (options.migrated ?? true) ? `template ${server.template} strategy file_copy` : "template template0";
  await administer(server.connection, `create database ${name} ${from}`);
  return {
    connection: { ...server.connection, database: name },
    databaseName: name,
    drop: () => administer(server.connection, `drop database if exists ${name} with (force)`),
  };
}

type SharedServer = { readonly connection: TestConnection; readonly prefix: string; readonly template: string };

let shared: Promise<SharedServer> | undefined;

/** Every test file has a process of its own: the run's folder is where they meet. */
function sharedServer(): Promise<SharedServer> {
  const runDir = process.env[RUN_DIR_VARIABLE];
  if (runDir === undefined)
    throw new Error("global-setup.ts has not run: start the tests with the root's vitest.config.ts");
  shared ??= findOrStart(runDir);
  return shared;
}

async function findOrStart(runDir: string): Promise<SharedServer> {
  for (;;) {
    const found = readServerFile(runDir);
    if (found !== undefined) return found;
    const result = await acquireProcessLock(join(runDir, "start.lock"));
    if (result.outcome === "held") {
      await delay(25);
      continue;
    }
    try {
      return readServerFile(runDir) ?? (await startServer(runDir));
    } finally {
      await result.lock.release();
    }
  }
}

export function readServerFile(runDir: string): SharedServer | undefined {
  const path = join(runDir, SERVER_FILE);
  return existsSync(path) ? (JSON.parse(readFileSync(path, "utf8")) as SharedServer) : undefined;
}

async function startServer(runDir: string): Promise<SharedServer> {
  const prefix = `posthorn_test_${runDir.slice(runDir.lastIndexOf("-") + 1)}_`;
  const template = `${prefix}template`;
  const url = process.env.POSTHORN_TEST_DATABASE_URL;
  const connection = url === undefined || url === "" ? await startEmbedded(runDir) : connectionFromUrl(url);
  await administer(connection, `create database ${template} template template0 encoding 'UTF8'`);
  await migrate({ ...connection, database: template });
  const server = { connection, prefix, template };
  const draft = join(runDir, `${SERVER_FILE}.draft`);
  writeFileSync(draft, JSON.stringify(server), { mode: 0o600 });
  renameSync(draft, join(runDir, SERVER_FILE));
  return server;
}

/** Left running on purpose: this process is one test file of many. Durable as in production, but see global-setup.ts. */
async function startEmbedded(runDir: string): Promise<TestConnection> {
  const silent = { info() {}, warn() {}, error() {} };
  const server = await startEmbeddedPostgres({
    dataDir: join(runDir, "posthorn"),
    stateRoot: join(runDir, "state"),
    runtimeRoot: sharedRuntimeRoot(),
    log: silent,
    settings: { max_connections: "300" },
  });
  await server.leaveRunning();
  return { ...server.connection, database: "postgres" };
}

/** One copy of the binaries (60 MB) for all runs of this user; 0.3 s saved each time. */
export function sharedRuntimeRoot(): string {
  return join(tmpdir(), `posthorn-test-${process.getuid?.() ?? "user"}`, "runtime");
}

/** For a socket, give its folder as `?host=/run/postgresql`. */
function connectionFromUrl(text: string): TestConnection {
  const url = new URL(text);
  return {
    host: url.searchParams.get("host") ?? url.hostname,
    port: url.port === "" ? 5432 : Number(url.port),
    user: decodeURIComponent(url.username),
    password: decodeURIComponent(url.password),
    database: decodeURIComponent(url.pathname.slice(1)) || "postgres",
    ssl: false,
  };
}

/** Names are ours and plain, so they need no quoting; DDL takes no parameters. */
export async function administer(connection: TestConnection, sql: string): Promise<void> {
  const client = new pg.Client(connection);
  await client.connect();
  try {
    await client.query(sql);
  } finally {
    await client.end();
  }
}

/** One statement past every policy, on a connection of its own. */
export async function askDatabase<Row extends pg.QueryResultRow>(
  connection: TestConnection,
  sql: string,
): Promise<Row[]> {
  const client = new pg.Client(connection);
  await client.connect();
  try {
    return (await client.query<Row>(sql)).rows;
  } finally {
    await client.end();
  }
}
