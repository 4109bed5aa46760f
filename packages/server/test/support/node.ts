// A whole node in this process for tests: database of its own, real receiver sockets, a key, helpers to publish.
import { randomBytes } from "node:crypto";
import { pino } from "pino";
import pg from "pg";
import { type RunningNode, startNode } from "../../src/compose.ts";
import type { NodeOptions } from "../../src/compose/node-options.ts";
import { prepareDatabase } from "../../src/prepare.ts";
import { parseAllowTargets } from "../../src/security/addresses/allow-targets.ts";
import { createTestDatabase, type TestDatabase } from "./database.ts";

export const TEST_API_KEY = "test-administrator-key-0001";

export interface TestNode {
  readonly node: RunningNode;
  readonly database: TestDatabase;
  /** What it was started with. */
  readonly options: NodeOptions;
  /** Superuser queries, past every policy. */
  readonly sql: <Row extends pg.QueryResultRow>(text: string, values?: unknown[]) => Promise<Row[]>;
  /** Calls the API; `body` is sent as JSON unless it is a string or Buffer. */
  readonly api: (method: string, path: string, body?: unknown, headers?: Record<string, string>) => Promise<ApiAnswer>;
  /** Another node on the same database. */
  readonly startAnother: (options?: Partial<NodeOptions>) => Promise<RunningNode>;
  readonly stop: () => Promise<void>;
}

export interface ApiAnswer {
  readonly status: number;
  readonly headers: Headers;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers freely
  readonly body: any;
}

/** Starts a node on a new database. Receivers on loopback are allowed. */
export async function startTestNode(options: Partial<NodeOptions> = {}): Promise<TestNode> {
  const database = await createTestDatabase();
  const masterKey = randomBytes(32).toString("base64");
  const prepared = await prepareDatabase({
    connection: database.connection,
    givenMasterKey: masterKey,
    dataDir: undefined,
    givenApiKey: TEST_API_KEY,
  });
  if (prepared.outcome === "refused") throw new Error(prepared.message);
  const allow = parseAllowTargets("127.0.0.1");
  if (!allow.ok) throw new Error(allow.error);
  const base: NodeOptions = {
    connection: database.connection,
    withRoles: prepared.withRoles,
    masterKey: prepared.masterKey,
    allowTargets: allow.targets,
    host: "127.0.0.1",
    port: 0,
    soleNode: true,
    version: "test",
    log: pino({ level: process.env.POSTHORN_TEST_LOG ?? "silent" }),
    ...options,
  };
  const node = await startNode(base);
  const others: RunningNode[] = [];
  const pool = new pg.Pool({ ...database.connection, max: 2 });
  pool.on("error", () => {});
  return {
    node,
    database,
    options: base,
    sql: async (text, values = []) => (await pool.query(text, values)).rows as never,
    api: (method, path, body, headers) => callApi(node.url, method, path, body, headers),
    startAnother: async (changes = {}) => {
      const other = await startNode({ ...base, soleNode: false, ...changes });
      others.push(other);
      return other;
    },
    stop: async () => {
      for (const other of others) await other.stop();
      await node.stop();
      await pool.end();
      await database.drop();
    },
  };
}

/** One call of a node's API. */
export async function callApi(
  url: string,
  method: string,
  path: string,
  body?: unknown,
  headers: Record<string, string> = {},
): Promise<ApiAnswer> {
  const isRaw = typeof body === "string" || body instanceof Uint8Array;
  const response = await fetch(url + path, {
    method,
    headers: {
      authorization: `Bearer ${TEST_API_KEY}`,
      ...(body === undefined ? {} : { "content-type": "application/json" }),
      ...headers,
    },
    ...(body === undefined ? {} : { body: (isRaw ? body : JSON.stringify(body)) as never }),
  });
  const text = await response.text();
  return { status: response.status, headers: response.headers, body: text === "" ? null : JSON.parse(text) };
}
