// Compares packages/server/schema.sql with what the migrations make, or writes it anew.
// Uses a temporary PostgreSQL of its own, or POSTHORN_TEST_DATABASE_URL; needs a build (npm run build).
import { chmod, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const server = join(root, "packages", "server");
const schemaPath = join(server, "schema.sql");
const built = (path) => import(pathToFileURL(join(server, "dist", path)).href);

/** The schema that the migrations make now. */
async function readSchema() {
  const { migrate } = await built("storage/migrate.js");
  const { dumpSchema } = await built("storage/schema-dump.js");
  return withEmptyDatabase(async (connection) => {
    await migrate(connection);
    return dumpSchema(connection);
  });
}

async function withEmptyDatabase(work) {
  const url = process.env.POSTHORN_TEST_DATABASE_URL;
  if (url) return withDatabaseAt(url, work);
  const { startEmbeddedPostgres } = await built("storage/embedded/start.js");
  const dataDir = await mkdtemp(join(tmpdir(), "posthorn-schema-"));
  // As root, PostgreSQL runs as another user, who has to pass through.
  await chmod(dataDir, 0o711);
  const quiet = { debug() {}, info() {}, warn() {}, error() {} };
  const stateRoot = join(dataDir, "state");
  try {
    const embedded = await startEmbeddedPostgres({ dataDir, stateRoot, log: quiet, settings: { fsync: "off" } });
    try {
      return await work(embedded.connection);
    } finally {
      await embedded.stop();
    }
  } finally {
    await rm(dataDir, { recursive: true, force: true });
  }
}

/** A database of its own on the server named, dropped afterwards. */
async function withDatabaseAt(url, work) {
  const pg = createRequire(join(server, "package.json"))("pg");
  const { parse } = createRequire(createRequire(join(server, "package.json")).resolve("pg"))("pg-connection-string");
  const connection = parse(url);
  const database = `posthorn_schema_${process.pid}`;
  const admin = new pg.Client(connection);
  await admin.connect();
  try {
    await admin.query(`create database ${database} template template0`);
    return await work({ ...connection, database });
  } finally {
    await admin.query(`drop database if exists ${database} with (force)`);
    await admin.end();
  }
}

/** The first line in which two texts differ, for a message. */
function firstDifference(expected, actual) {
  const [expectedLines, actualLines] = [expected.split("\n"), actual.split("\n")];
  const index = actualLines.findIndex((line, at) => line !== expectedLines[at]);
  const at = index === -1 ? actualLines.length : index;
  return `line ${at + 1}\n  schema.sql: ${expectedLines[at] ?? "(ends)"}\n  migrations: ${actualLines[at] ?? "(end)"}`;
}

const mode = process.argv[2];
if (mode !== "--write" && mode !== "--check") {
  console.error("Usage: node scripts/schema.mjs --write | --check");
  process.exit(2);
}
const actual = await readSchema();
const expected = await readFile(schemaPath, "utf8").catch(() => "");
if (mode === "--write") {
  await writeFile(schemaPath, actual);
  console.log(
    actual === expected ? "packages/server/schema.sql was up to date." : "packages/server/schema.sql written.",
  );
} else if (actual !== expected) {
  console.error(
    `packages/server/schema.sql is not what the migrations make: ${firstDifference(expected, actual)}\n` +
      "Run `node scripts/schema.mjs --write` and read the difference.",
  );
  process.exitCode = 1;
} else {
  console.log("packages/server/schema.sql is what the migrations make.");
}
