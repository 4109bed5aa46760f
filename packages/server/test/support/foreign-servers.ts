// Servers that are not ours, for tests: PostgreSQL from Debian's packages, and pgbouncer. Unix sockets only.
// It must never leave a process or a folder behind, and never touch the machine's own clusters.
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { chownSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import pg from "pg";
import { chooseOsUser } from "../../src/storage/embedded/os-user.ts";
import { RUN_DIR_VARIABLE, type TestConnection } from "./database.ts";

/** CI installs it (apt-get install postgresql-15); tests that need it name it when it is missing. */
export const POSTGRES_15 = "/usr/lib/postgresql/15/bin";
export const PGBOUNCER = ["/usr/sbin/pgbouncer", "/usr/bin/pgbouncer"].find((path) => existsSync(path));

export type ForeignServer = { readonly connection: TestConnection; stop(): Promise<void> };

/** A new cluster with trust authentication, running with `settings`; `prepare` may add files to it first. */
export async function startPostgres(
  bin: string,
  settings: Record<string, string> = {},
  prepare: (clusterDir: string) => void = () => {},
): Promise<ForeignServer> {
  const folder = newFolder("pg-");
  const clusterDir = join(folder, "data");
  const initdb = spawnSync(
    join(bin, "initdb"),
    ["-D", clusterDir, "-U", "owner", "-A", "trust", "-E", "UTF8", "--locale=C", "-N"],
    {
      ...asServerUser(),
      cwd: folder,
      encoding: "utf8",
    },
  );
  if (initdb.status !== 0) throw new Error(initdb.stderr);
  prepare(clusterDir);
  const options = Object.entries({ listen_addresses: "", unix_socket_directories: folder, ...settings });
  const args = ["-D", clusterDir, ...options.flatMap(([name, value]) => ["-c", `${name}=${value}`])];
  const child = spawn(join(bin, "postgres"), args, { ...asServerUser(), cwd: folder, stdio: "ignore" });
  const connection = {
    host: folder,
    port: 5432,
    user: "owner",
    password: "",
    database: "postgres",
    ssl: false,
  } as const;
  await untilReady(connection, child);
  return { connection, stop: () => stop(child, "SIGINT", folder) };
}

/** pgbouncer before `server`, with one user; `extra` are lines of its [pgbouncer] section. */
export async function startPgbouncer(server: TestConnection, extra: readonly string[]): Promise<ForeignServer> {
  const folder = newFolder("bouncer-");
  const config = join(folder, "pgbouncer.ini");
  writeFileSync(join(folder, "users.txt"), `"${server.user}" "${server.password}"\n`);
  writeFileSync(
    config,
    [
      "[databases]",
      `* = host=${server.host} port=${server.port}`,
      "[pgbouncer]",
      "listen_addr =",
      "listen_port = 6432",
      `unix_socket_dir = ${folder}`,
      "auth_type = trust",
      `auth_file = ${join(folder, "users.txt")}`,
      `logfile = ${join(folder, "log")}`,
      ...extra,
    ].join("\n"),
  );
  const child = spawn(PGBOUNCER ?? "pgbouncer", ["-q", config], { ...asServerUser(), cwd: folder, stdio: "ignore" });
  const connection = { ...server, host: folder, port: 6432 };
  await untilReady(connection, child);
  return { connection, stop: () => stop(child, "SIGTERM", folder) };
}

function newFolder(prefix: string): string {
  const folder = mkdtempSync(join(process.env[RUN_DIR_VARIABLE] ?? "", prefix));
  const user = chooseOsUser();
  if (user !== undefined) chownSync(folder, user.uid, user.gid);
  mkdirSync(folder, { recursive: true });
  return folder;
}

/** Neither program runs as root. */
function asServerUser(): { uid?: number; gid?: number } {
  const user = chooseOsUser();
  return user === undefined ? {} : { uid: user.uid, gid: user.gid };
}

async function untilReady(connection: TestConnection, child: ChildProcess): Promise<void> {
  for (;;) {
    if (child.exitCode !== null) throw new Error(`${child.spawnfile} ended with ${child.exitCode}`);
    const client = new pg.Client(connection);
    client.on("error", () => {});
    try {
      await client.connect();
      return;
    } catch {
      await delay(20);
    } finally {
      await client.end().catch(() => {});
    }
  }
}

async function stop(child: ChildProcess, signal: NodeJS.Signals, folder: string): Promise<void> {
  if (child.exitCode === null) {
    child.kill(signal);
    await once(child, "exit");
  }
  rmSync(folder, { recursive: true, force: true });
}
