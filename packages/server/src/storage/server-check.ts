// Decides, before anything is written, whether a PostgreSQL server can keep Posthorn's promises.
// It must only read, and must say for every refusal what to do; never a password.
import pg from "pg";
import {
  type ConnectionProblemCode,
  type ConnectionTarget,
  explainConnectionError,
  invalidUrl,
  quote,
} from "./connection-problems.ts";
import { findPooler, type PoolerFinding } from "./pooler-check.ts";
import { readServerFacts, type ServerFacts } from "./server-check.sql.ts";

export type ServerProblemCode =
  | ConnectionProblemCode
  | "DATABASE_VERSION"
  | "DATABASE_NOT_DURABLE"
  | "DATABASE_READ_ONLY"
  | "DATABASE_ENCODING"
  | "DATABASE_RIGHTS"
  /** A pooler that shares server connections (transaction or statement mode). */
  | "DATABASE_POOLER"
  /** A pooler that does not pass settings on. */
  | "DATABASE_POOLER_SETTINGS";

export type ServerCheck =
  | {
      readonly ok: true;
      /** As a number: 150004 is 15.4. */
      readonly version: number;
      readonly majorVersion: number;
      /** False: row-level security stands on settings instead of roles. */
      readonly canCreateRoles: boolean;
      readonly schemaName: string;
      /** A pooler in session mode stands between. */
      readonly isPooled: boolean;
      /** What works but deserves a line in the log. */
      readonly warnings: readonly string[];
    }
  | { readonly ok: false; readonly code: ServerProblemCode; readonly message: string };

type Refusal = Extract<ServerCheck, { ok: false }>;

const OLDEST_MAJOR = 15;
const NEWEST_MAJOR = 18;
const CONNECT_LIMIT_MS = 10_000;

/**
 * Looks at the server behind `connection` (what pg's Client takes: fields or `connectionString`) with a handful of
 * short connections. Outcomes are values; it throws only for a defect of ours.
 */
export async function checkServer(connection: pg.ClientConfig): Promise<ServerCheck> {
  const settings: pg.ClientConfig = {
    connectionTimeoutMillis: CONNECT_LIMIT_MS,
    query_timeout: CONNECT_LIMIT_MS,
    application_name: "posthorn check",
    ...connection,
  };
  const client = makeClient(settings);
  if (client === undefined) return { ok: false, ...invalidUrl() };
  const target: ConnectionTarget = {
    host: client.host,
    port: client.port,
    user: client.user ?? "",
    database: client.database ?? "",
  };
  try {
    const facts = await readFacts(client);
    const refusal = refuse(facts);
    if (refusal !== undefined) return refusal;
    return conclude(facts, await findPooler(settings));
  } catch (error) {
    return { ok: false, ...explainConnectionError(error, target) };
  }
}

function makeClient(settings: pg.ClientConfig): pg.Client | undefined {
  try {
    return new pg.Client(settings);
  } catch {
    return undefined;
  }
}

async function readFacts(client: pg.Client): Promise<ServerFacts> {
  client.on("error", () => {});
  try {
    await client.connect();
    return await readServerFacts(client);
  } finally {
    await client.end().catch(() => {});
  }
}

const no = (code: ServerProblemCode, message: string): Refusal => ({ ok: false, code, message });

function refuse(facts: ServerFacts): Refusal | undefined {
  return (
    refuseVersion(facts) ?? refuseReadOnly(facts) ?? refuseUnsafe(facts) ?? refuseEncoding(facts) ?? refuseRights(facts)
  );
}

function refuseVersion({ version }: ServerFacts): Refusal | undefined {
  const major = Math.floor(version / 10_000);
  if (major >= OLDEST_MAJOR && major <= NEWEST_MAJOR) return undefined;
  const wanted = `Posthorn works with PostgreSQL ${OLDEST_MAJOR} to ${NEWEST_MAJOR}`;
  return no(
    "DATABASE_VERSION",
    major < OLDEST_MAJOR
      ? `This server is PostgreSQL ${major}; ${wanted}. Upgrade it, or leave DATABASE_URL out to use the one that comes with Posthorn.`
      : `This server is PostgreSQL ${major}, which this Posthorn has not been tested with; ${wanted}. Use a newer Posthorn.`,
  );
}

function refuseReadOnly({ isStandby, isReadOnly, userName }: ServerFacts): Refusal | undefined {
  if (isStandby)
    return no(
      "DATABASE_READ_ONLY",
      "This server is a standby, which takes no writes. Point DATABASE_URL at the primary.",
    );
  if (!isReadOnly) return undefined;
  return no(
    "DATABASE_READ_ONLY",
    "Transactions are read-only here: default_transaction_read_only is on. Turn it off, for this login with: " +
      `alter role ${quote(userName)} set default_transaction_read_only = off;`,
  );
}

/** A 202 promises that the event survives a power failure; without these two PostgreSQL itself does not. */
function refuseUnsafe({ fsync, fullPageWrites }: ServerFacts): Refusal | undefined {
  const off = [...(fsync === "on" ? [] : ["fsync"]), ...(fullPageWrites === "on" ? [] : ["full_page_writes"])];
  if (off.length === 0) return undefined;
  return no(
    "DATABASE_NOT_DURABLE",
    `This server runs with ${off.join(" and ")} off: after a power failure, acknowledged events would be lost or the database ` +
      `broken. As a superuser: ${off.map((name) => `alter system set ${name} = on;`).join(" ")} select pg_reload_conf();`,
  );
}

function refuseEncoding({ encoding, databaseName }: ServerFacts): Refusal | undefined {
  if (encoding === "UTF8") return undefined;
  return no(
    "DATABASE_ENCODING",
    `The database ${databaseName} is encoded in ${encoding}, which cannot hold every name and payload. ` +
      "Make one for Posthorn: create database posthorn encoding 'UTF8' template template0;",
  );
}

function refuseRights(facts: ServerFacts): Refusal | undefined {
  const user = quote(facts.userName);
  if (facts.schemaName === null) {
    return no(
      "DATABASE_RIGHTS",
      `No schema on the search path of ${facts.userName} exists or may be used in ${facts.databaseName}. As its owner: ` +
        `create schema posthorn authorization ${user}; alter role ${user} in database ${quote(facts.databaseName)} set search_path = posthorn;`,
    );
  }
  const schema = quote(facts.schemaName);
  if (!facts.canUseSchema || !facts.canCreateInSchema) {
    return no(
      "DATABASE_RIGHTS",
      `The user ${facts.userName} may not make tables in the schema ${facts.schemaName} of ${facts.databaseName}. ` +
        `As the owner of the database: grant usage, create on schema ${schema} to ${user};`,
    );
  }
  if (facts.foreignOwner === null) return undefined;
  return no(
    "DATABASE_RIGHTS",
    `Posthorn's tables here belong to ${facts.foreignOwner}, and ${facts.userName} may not act for that role. Connect as ` +
      `${facts.foreignOwner}, or: grant ${quote(facts.foreignOwner)} to ${user};`,
  );
}

function conclude(facts: ServerFacts, finding: PoolerFinding): ServerCheck {
  switch (finding.kind) {
    case "shared":
      return no(
        "DATABASE_POOLER",
        "A connection pooler in transaction (or statement) mode stands before this database: statements of one connection " +
          "reach different servers, which breaks locks, roles and notifications. Point DATABASE_URL at PostgreSQL itself.",
      );
    case "no_startup_settings":
      return no(
        "DATABASE_POOLER_SETTINGS",
        "A connection pooler before this database does not pass on the settings that a connection is opened with (options=-c …), " +
          "and Posthorn's roles and time limits depend on them. Point DATABASE_URL at PostgreSQL itself.",
      );
    case "dedicated":
      return {
        ok: true,
        version: facts.version,
        majorVersion: Math.floor(facts.version / 10_000),
        canCreateRoles: facts.canCreateRoles,
        schemaName: facts.schemaName ?? "",
        isPooled: finding.isPooled,
        warnings: warningsOf(facts),
      };
    default:
      return finding satisfies never;
  }
}

/** Captures set synchronous_commit themselves, so a default of off harms nothing of ours: it is worth a word, no more. */
function warningsOf({ synchronousCommit }: ServerFacts): string[] {
  if (synchronousCommit !== "off" && synchronousCommit !== "local") return [];
  return [
    `synchronous_commit is ${synchronousCommit} by default here; Posthorn sets it to on for every event that it acknowledges.`,
  ];
}
