// Drives real servers through what happens to them: first start, restart, orphans, crashes, foreign and broken data.
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import pg from "pg";
import { afterAll, afterEach, describe, expect, test } from "vitest";
import {
  startEmbeddedPostgres,
  type EmbeddedServer,
  type EmbeddedServerOptions,
} from "../../../src/storage/embedded/start.ts";
import type { EmbeddedServerEvent } from "../../../src/storage/embedded/supervisor.ts";
import { isProcessAlive } from "../../../src/lib/process-identity.ts";
import { findPostmaster } from "../../../src/storage/embedded/postmaster.ts";
import { RUN_DIR_VARIABLE, sharedRuntimeRoot } from "../../support/database.ts";

const silent = { info() {}, warn() {}, error() {} };
const isRoot = process.getuid?.() === 0;
const servers: EmbeddedServer[] = [];
const folders: string[] = [];

afterEach(async () => {
  for (const server of servers.splice(0)) await server.stop();
});
afterAll(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

/** Closed to other users, so that root's server has to live in the state root: the harder case. */
function newPlace(): { dataDir: string; stateRoot: string } {
  const folder = mkdtempSync(join(process.env[RUN_DIR_VARIABLE] ?? "", "embedded-"));
  folders.push(folder);
  const stateRoot = `${folder}-state`;
  folders.push(stateRoot);
  return { dataDir: join(folder, "data"), stateRoot };
}

async function start(options: Partial<EmbeddedServerOptions> & { dataDir: string }): Promise<EmbeddedServer> {
  const server = await startEmbeddedPostgres({ log: silent, runtimeRoot: sharedRuntimeRoot(), ...options });
  servers.push(server);
  return server;
}

async function ask(server: EmbeddedServer, sql: string): Promise<unknown[][]> {
  const client = new pg.Client(server.connection);
  client.on("error", () => {});
  await client.connect();
  try {
    return (await client.query({ text: sql, rowMode: "array" })).rows;
  } finally {
    await client.end();
  }
}

const isRunning = (pid: number) => isProcessAlive({ pid, startedAt: "" });

/** Names, sizes and times of everything below a folder. */
function snapshot(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .sort()
    .map((name) => {
      const stat = statSync(join(folder, name));
      return `${name} ${stat.size} ${stat.isFile() ? stat.mtimeMs : ""}`;
    });
}

describe("a first start", () => {
  test("gives a durable server of UTF-8 and a fixed locale that listens on no network", async () => {
    const server = await start(newPlace());
    expect(server.adopted).toBe(false);
    const settings = ["fsync", "full_page_writes", "synchronous_commit", "data_checksums", "listen_addresses", "jit"];
    const values = await ask(server, `select ${settings.map((name) => `current_setting('${name}')`).join(", ")}`);
    expect(values).toEqual([["on", "on", "on", "on", "", "off"]]);
    expect(
      await ask(
        server,
        "select current_database(), current_user, pg_encoding_to_char(encoding), datlocprovider, datlocale from pg_database where datname = current_database()",
      ),
    ).toEqual([["posthorn", "posthorn", "UTF8", "b", "C.UTF-8"]]);
    expect(server.majorVersion).toBe(18);
  });

  test.runIf(process.platform === "linux")(
    "puts the server out of the reach of Ctrl-C, which goes to our process group",
    async () => {
      const server = await start(newPlace());
      const stat = readFileSync(`/proc/${server.pid()}/stat`, "utf8");
      const [, , processGroup, session] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
      expect([processGroup, session]).toEqual([String(server.pid()), String(server.pid())]);
    },
  );

  test("keeps the password from other users and asks for it", async () => {
    const place = newPlace();
    const server = await start(place);
    const path = join(place.dataDir, "postgres-password");
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(readFileSync(path, "utf8").trim()).toBe(server.connection.password);
    const client = new pg.Client({ ...server.connection, password: "guessed" });
    await expect(client.connect()).rejects.toMatchObject({ code: "28P01" });
    expect(statSync(server.connection.host).mode & 0o777).toBe(0o700);
  });

  test("recovers from a start that was killed in the middle of initdb", async () => {
    const place = newPlace();
    const first = await start(place);
    await first.stop();
    const stateDir = join(first.clusterDir, "..");
    rmSync(first.clusterDir, { recursive: true });
    mkdirSync(join(stateDir, ".initdb-0badcafe"));
    writeFileSync(join(stateDir, ".initdb-0badcafe", "PG_VERSION"), "18\n");
    writeFileSync(join(stateDir, ".initdb-0badcafe.password"), "left over");
    const second = await start(place);
    expect(await ask(second, "select 1")).toEqual([[1]]);
    expect(readdirSync(stateDir).filter((name) => name.startsWith(".initdb"))).toEqual([]);
  });

  test("makes up for a start that was killed before the database was created", async () => {
    const place = newPlace();
    const first = await start(place);
    const client = new pg.Client({ ...first.connection, database: "postgres" });
    await client.connect();
    await client.query("drop database posthorn with (force)");
    await client.end();
    await first.stop();
    expect(await ask(await start(place), "select current_database()")).toEqual([["posthorn"]]);
  });

  test("finds a short path for the socket when the data directory's is too long", async () => {
    const place = newPlace();
    const deep = {
      dataDir: join(place.dataDir, "d".repeat(60), "e".repeat(60)),
      stateRoot: join(place.stateRoot, "f".repeat(100)),
    };
    const server = await start(deep);
    folders.push(server.connection.host);
    expect(Buffer.byteLength(join(server.connection.host, ".s.PGSQL.5432"))).toBeLessThanOrEqual(107);
    expect(statSync(server.connection.host).mode & 0o777).toBe(0o700);
    expect(await ask(server, "select 1")).toEqual([[1]]);
  });

  test("takes a data directory with blanks, commas and quotes in its name", async () => {
    const place = newPlace();
    const server = await start({
      dataDir: join(place.dataDir, `it's, "so" so`),
      stateRoot: join(place.stateRoot, `a, 'b' "c"`),
    });
    expect(await ask(server, "select 1")).toEqual([[1]]);
    await server.leaveRunning();
    servers.pop();
    expect(
      (await start({ dataDir: join(place.dataDir, `it's, "so" so`), stateRoot: join(place.stateRoot, `a, 'b' "c"`) }))
        .adopted,
    ).toBe(true);
  });
});

describe("stop and start again", () => {
  const place = newPlace();

  test("keeps what was committed, and stop waits for the end and may be called again", async () => {
    const first = await start(place);
    await ask(first, "create table if not exists kept as select 42 as answer");
    const pid = first.pid();
    await Promise.all([first.stop(), first.stop()]);
    await first.stop();
    expect(isRunning(pid)).toBe(false);
    expect(await ask(await start(place), "select answer from kept")).toEqual([[42]]);
  });

  test("stop does not wait for a client that holds a transaction open", async () => {
    const server = await start(place);
    const client = new pg.Client(server.connection);
    client.on("error", () => {});
    await client.connect();
    await client.query("begin");
    await server.stop();
    expect(isRunning(server.pid())).toBe(false);
  });

  test("is refused while this data directory's server is run by somebody, and told by whom and where", async () => {
    const server = await start(place);
    const refusal = { code: "DATA_DIR_LOCKED", message: expect.stringContaining(`(pid ${process.pid})`) };
    await expect(start(place)).rejects.toMatchObject(refusal);
    await server.announce("http://127.0.0.1:8420");
    await expect(start(place)).rejects.toMatchObject({
      message: expect.stringContaining("http://127.0.0.1:8420 (pid "),
    });
    expect(await ask(server, "select 1")).toEqual([[1]]);
  });
});

describe("an orphaned server", () => {
  const place = newPlace();

  test("is adopted with everything in it, watched and stopped like one's own", async () => {
    const first = await start(place);
    await ask(first, "create table if not exists kept as select 42 as answer");
    await first.leaveRunning();
    const second = await start(place);
    expect(second.adopted).toBe(true);
    expect(second.pid()).toBe(first.pid());
    expect(await ask(second, "select answer from kept")).toEqual([[42]]);
    await second.stop();
    expect(isRunning(first.pid())).toBe(false);
  });

  test("is restarted instead when the wanted settings differ from its own", async () => {
    const first = await start(place);
    await first.leaveRunning();
    const second = await start({ ...place, settings: { work_mem: "7MB" } });
    expect(second.adopted).toBe(false);
    expect(isRunning(first.pid())).toBe(false);
    expect(await ask(second, "show work_mem")).toEqual([["7MB"]]);
  });

  test("that is adopted and dies is replaced", async () => {
    await (await start(place)).leaveRunning();
    servers.pop();
    const { events, next } = recorder();
    const server = await start({ ...place, onEvent: events });
    expect(server.adopted).toBe(true);
    server.kill();
    await next("restarted");
    expect(await ask(server, "select 1")).toEqual([[1]]);
  });

  test("that is just shutting down is waited for", async () => {
    const first = await start(place);
    await first.leaveRunning();
    process.kill(first.pid(), "SIGINT");
    const second = await start(place);
    expect(second.pid()).not.toBe(first.pid());
    expect(await ask(second, "select 1")).toEqual([[1]]);
  });
});

describe("a server that dies unasked", () => {
  const place = newPlace();

  test("is restarted at the same place, and what was committed is there", async () => {
    const { events, next, seen } = recorder();
    const server = await start({ ...place, onEvent: events });
    await ask(server, "create table if not exists kept as select 42 as answer");
    const killed = server.pid();
    server.kill();
    await next("restarted");
    expect(server.pid()).not.toBe(killed);
    expect(await ask(server, "select answer from kept")).toEqual([[42]]);
    expect(seen.map((event) => event.kind)).toEqual(["exited", "restarted"]);
    expect(seen[0]).toMatchObject({ pid: killed, signal: "SIGKILL" });
  });

  test("is not restarted when stop is called at that moment", async () => {
    const { events, next } = recorder();
    const server = await start({ ...place, onEvent: events });
    server.kill();
    await next("exited");
    await server.stop();
    expect(findPostmaster(server.clusterDir)).toBeUndefined();
    // The next start also clears away the shared memory that a killed server leaves behind.
    expect(await ask(await start(place), "select answer from kept")).toEqual([[42]]);
  });
});

describe("a start that cannot work", () => {
  test("refuses the data of another major version and changes nothing", async () => {
    const place = newPlace();
    const server = await start(place);
    await server.stop();
    writeFileSync(join(server.clusterDir, "PG_VERSION"), "17\n");
    const before = [...snapshot(place.dataDir), ...snapshot(join(server.clusterDir, ".."))];
    await expect(start(place)).rejects.toMatchObject({
      code: "EMBEDDED_OTHER_MAJOR",
      message: expect.stringMatching(/PostgreSQL 17.*PostgreSQL 18.*DATABASE_URL/s),
    });
    expect([...snapshot(place.dataDir), ...snapshot(join(server.clusterDir, ".."))]).toEqual(before);
  });

  test("says what the server said, and leaves no lock behind", async () => {
    const place = newPlace();
    await expect(start({ ...place, settings: { shared_buffers: "-5" } })).rejects.toMatchObject({
      code: "EMBEDDED_START_FAILED",
      message: expect.stringContaining("shared_buffers"),
    });
    expect(await ask(await start(place), "select 1")).toEqual([[1]]);
  });

  test("names the password file when it is missing", async () => {
    const place = newPlace();
    await (await start(place)).stop();
    rmSync(join(place.dataDir, "postgres-password"));
    await expect(start(place)).rejects.toMatchObject({
      code: "EMBEDDED_STATE_MISSING",
      message: expect.stringContaining("postgres-password"),
    });
  });

  test("names the password file when it belongs to another database, and never prints a password", async () => {
    const place = newPlace();
    const server = await start(place);
    await server.stop();
    writeFileSync(join(place.dataDir, "postgres-password"), "not-the-password");
    const failure = await start(place).then(
      () => undefined,
      (error: Error) => error,
    );
    expect(failure).toMatchObject({
      code: "EMBEDDED_START_FAILED",
      message: expect.stringContaining("postgres-password"),
    });
    expect(failure?.message).not.toContain("not-the-password");
    while (findPostmaster(server.clusterDir) !== undefined) await new Promise((resolve) => setTimeout(resolve, 10));
  });

  test("says which folder cannot be used", async () => {
    const place = newPlace();
    writeFileSync(place.dataDir, "a file, not a folder");
    await expect(start({ ...place, dataDir: join(place.dataDir, "below") })).rejects.toMatchObject({
      code: "EMBEDDED_DATA_DIR",
      message: expect.stringContaining("below"),
    });
  });
});

describe.runIf(isRoot)("as root", () => {
  test("the server runs as somebody else, in the state root where the data directory is out of that user's reach", async () => {
    const place = newPlace();
    const server = await start(place);
    expect(statSync(`/proc/${server.pid()}`).uid).not.toBe(0);
    expect(server.clusterDir.startsWith(place.stateRoot)).toBe(true);
    expect(readFileSync(join(place.dataDir, "postgres-location"), "utf8").trim()).toBe(join(server.clusterDir, ".."));
  });

  test("the server lives in the data directory where that user can reach it", async () => {
    const place = newPlace();
    const dataDir = `${place.stateRoot}-reachable`;
    folders.push(dataDir);
    const server = await start({ dataDir, stateRoot: place.stateRoot });
    expect(server.clusterDir).toBe(join(dataDir, "postgres", "data"));
    expect(existsSync(place.stateRoot)).toBe(false);
  });

  test("a data directory that was removed and made anew gets a database of its own", async () => {
    const place = newPlace();
    const first = await start(place);
    await first.stop();
    rmSync(place.dataDir, { recursive: true });
    const second = await start(place);
    expect(second.clusterDir).not.toBe(first.clusterDir);
    expect(existsSync(first.clusterDir)).toBe(true);
    await second.stop();
    expect((await start(place)).clusterDir).toBe(second.clusterDir);
  });

  test("a recorded place that is gone is not replaced by an empty one", async () => {
    const place = newPlace();
    const server = await start(place);
    await server.stop();
    rmSync(join(server.clusterDir, ".."), { recursive: true });
    await expect(start(place)).rejects.toMatchObject({ code: "EMBEDDED_STATE_MISSING" });
  });
});

function recorder() {
  const seen: EmbeddedServerEvent[] = [];
  const waiting: { kind: string; resolve: () => void }[] = [];
  return {
    seen,
    events(event: EmbeddedServerEvent) {
      seen.push(event);
      for (const one of waiting) if (one.kind === event.kind) one.resolve();
    },
    next: (kind: EmbeddedServerEvent["kind"]) => new Promise<void>((resolve) => waiting.push({ kind, resolve })),
  };
}
