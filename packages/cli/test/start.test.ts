// npm start as a person meets it: a copy of this tree, real processes, everything that may happen to them.
// It never starts from the tree itself, and what it starts is gone afterwards.
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { findPostmaster } from "../../server/src/storage/embedded/postmaster.ts";

const ROOT = fileURLToPath(new URL("../../../", import.meta.url));
const isRoot = process.getuid?.() === 0;
// Closed to others, so that as root PostgreSQL's user cannot reach the tree: the harder case.
const folder = realpathSync(mkdtempSync(join(tmpdir(), "posthorn-start-")));
const tree = join(folder, "tree");
const children: ChildProcess[] = [];
const dataDirs = new Set<string>();

beforeAll(() => {
  mkdirSync(tree);
  for (const name of [
    "package.json",
    "package-lock.json",
    "tsconfig.json",
    "tsconfig.base.json",
    "scripts",
    "packages",
    "bench",
    "catalogue",
    "docs",
  ]) {
    if (!existsSync(join(ROOT, name))) continue;
    const isOurs = (path: string) => !["node_modules", "test"].includes(basename(path));
    cpSync(join(ROOT, name), join(tree, name), { recursive: true, preserveTimestamps: true, filter: isOurs });
  }
  // Links cost nothing; they are read only, and what is built goes elsewhere.
  const modules = (option: string) => spawnSync("cp", [option, join(ROOT, "node_modules"), tree]).status === 0;
  if (!modules("-al")) {
    rmSync(join(tree, "node_modules"), { recursive: true, force: true });
    modules("-a");
  }
  rmSync(join(tree, "node_modules", ".posthorn-build"), { force: true });
  const build = spawnSync(process.execPath, ["scripts/build.mjs"], { cwd: tree, encoding: "utf8" });
  if (build.status !== 0) throw new Error(build.stderr);
}, 120_000);

afterEach(async () => {
  for (const child of children.splice(0)) {
    if (child.exitCode !== null || child.signalCode !== null) continue;
    child.kill("SIGKILL");
    await once(child, "exit");
  }
});

afterAll(async () => {
  for (const dataDir of dataDirs) {
    const stateDir = stateDirOf(dataDir);
    for (
      let postmaster = findPostmaster(join(stateDir, "data"));
      postmaster !== undefined;
      postmaster = findPostmaster(join(stateDir, "data"))
    ) {
      process.kill(postmaster.pid, "SIGQUIT");
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    if (stateDir.startsWith("/var/lib/posthorn/")) rmSync(stateDir, { recursive: true, force: true });
  }
  rmSync(folder, { recursive: true, force: true });
});

/** Where PostgreSQL's part lies: inside, or where the note says. */
function stateDirOf(dataDir: string): string {
  const note = join(dataDir, "postgres-location");
  return existsSync(note) ? readFileSync(note, "utf8").trim() : join(dataDir, "postgres");
}

type Started = {
  readonly child: ChildProcess;
  readonly output: () => string;
  /** The address once it serves; rejects with the output when it ends instead. */
  readonly url: Promise<string>;
  /** The exit code, or the signal's name. */
  readonly ended: Promise<number | string>;
};

function start(dataDir: string, options: { env?: NodeJS.ProcessEnv; uid?: number; script?: string } = {}): Started {
  dataDirs.add(dataDir);
  const { POSTHORN_MASTER_KEY: _key, DATABASE_URL: _url, ...environment } = process.env;
  const child = spawn(process.execPath, [options.script ?? "scripts/start.mjs", "--port", "0", "--data-dir", dataDir], {
    cwd: tree,
    env: { ...environment, ...options.env },
    stdio: ["ignore", "pipe", "pipe"],
    ...(options.uid === undefined ? {} : { uid: options.uid, gid: options.uid }),
  });
  children.push(child);
  let output = "";
  const ended = once(child, "close").then(([code, signal]: (number | string | null)[]) => code ?? signal ?? "unknown");
  const url = new Promise<string>((resolve, reject) => {
    const read = (chunk: Buffer) => {
      output += chunk.toString();
      const found = /serves at (http:\S+)/.exec(output)?.[1];
      if (found !== undefined) resolve(found);
    };
    child.stdout.on("data", read);
    child.stderr.on("data", read);
    void ended.then((how) => reject(new Error(`ended with ${how}:\n${output}`)));
  });
  url.catch(() => {});
  return { child, output: () => output, url, ended };
}

async function end(started: Started): Promise<number | string> {
  started.child.kill("SIGINT");
  return started.ended;
}

/** Something that speaks HTTP is there. */
const answers = async (url: string) => (await fetch(`${url}/healthz`)).status < 500;

// Disks that are slow to sync make a first start slow.
const PATIENT = { timeout: 90_000 };

describe("npm start", PATIENT, () => {
  const dataDir = join(folder, "data");

  test("serves, shows the first key once, and ends with everything it started", async () => {
    const first = start(dataDir);
    expect(await answers(await first.url)).toBe(true);
    expect(await end(first)).toBe(0);
    expect(first.output()).toMatch(/first API key[\s\S]*blg_live_/);
    expect(findPostmaster(join(stateDirOf(dataDir), "data"))).toBeUndefined();
  });

  test("shows no key again, and says who is there when it is started a second time at once", async () => {
    const first = start(dataDir);
    await first.url;
    const second = start(dataDir);
    expect(await second.ended).toBe(1);
    expect(second.output()).toContain(`(pid ${first.child.pid})`);
    expect(await answers(await first.url)).toBe(true);
    expect(await end(first)).toBe(0);
    expect(first.output()).not.toContain("blg_live_");
  });

  test("goes on with the database that a killed one left running, and on what kill -9 of both left", async () => {
    const first = start(dataDir);
    await first.url;
    const postmaster = () => findPostmaster(join(stateDirOf(dataDir), "data"))?.pid;
    const orphan = postmaster();
    first.child.kill("SIGKILL");
    expect(await first.ended).toBe("SIGKILL");
    const second = start(dataDir);
    expect(await answers(await second.url)).toBe(true);
    expect(postmaster()).toBe(orphan);
    process.kill(orphan ?? 0, "SIGKILL");
    second.child.kill("SIGKILL");
    await second.ended;
    // Only now is all of its output certain to be here: the address comes in a piece of its own.
    expect(second.output()).toContain("still running");
    const third = start(dataDir);
    expect(await answers(await third.url)).toBe(true);
    expect(await end(third)).toBe(0);
  });

  test("ends at once at a second signal, and its database ends by itself", async () => {
    const first = start(dataDir);
    await first.url;
    first.child.kill("SIGTERM");
    first.child.kill("SIGINT");
    expect([130, 143]).toContain(await first.ended);
    while (findPostmaster(join(stateDirOf(dataDir), "data")) !== undefined) await delay(20);
    const second = start(dataDir);
    await second.url;
    expect(second.output()).not.toContain("still running");
    expect(await end(second)).toBe(0);
  });

  test("refuses the wrong master key and the database of another PostgreSQL major version, and changes nothing", async () => {
    const other = start(dataDir, { env: { POSTHORN_MASTER_KEY: Buffer.alloc(32, 7).toString("base64") } });
    expect(await other.ended).toBe(1);
    expect(other.output()).toMatch(/master key/i);
    expect(findPostmaster(join(stateDirOf(dataDir), "data"))).toBeUndefined();
    const version = join(stateDirOf(dataDir), "data", "PG_VERSION");
    writeFileSync(version, "17\n");
    const refused = start(dataDir);
    expect(await refused.ended).toBe(1);
    expect(refused.output()).toMatch(/EMBEDDED_OTHER_MAJOR.*PostgreSQL 17.*PostgreSQL 18/);
    writeFileSync(version, "18\n");
    const right = start(dataDir);
    expect(await answers(await right.url)).toBe(true);
    expect(await end(right)).toBe(0);
  });

  test("says what to do when DATABASE_URL leads nowhere", async () => {
    const refused = start(dataDir, { env: { DATABASE_URL: "postgres://someone:hidden@127.0.0.1:1/posthorn" } });
    expect(await refused.ended).toBe(1);
    expect(refused.output()).toMatch(/DATABASE_UNREACHABLE.*127\.0\.0\.1:1.*nothing listens/);
    expect(refused.output()).not.toContain("hidden");
  });
});

describe.runIf(isRoot)("npm start for an ordinary user", PATIENT, () => {
  // `games` (5) is a user of every Debian that owns nothing and may log in nowhere.
  const UID = 5;

  test("serves from a tree that is only readable, with everything in the user's data directory", async () => {
    chmodSync(folder, 0o755);
    const home = join(folder, "home");
    mkdirSync(home);
    chownSync(home, UID, UID);
    const dataDir = join(home, "data");
    const started = start(dataDir, { uid: UID, env: { HOME: home } });
    expect(await answers(await started.url)).toBe(true);
    expect(stateDirOf(dataDir)).toBe(join(dataDir, "postgres"));
    expect(await end(started)).toBe(0);
  });

  test("says what to do when something has to be built in a tree that is only readable", async () => {
    const stamp = join(tree, "node_modules", ".posthorn-build");
    const kept = readFileSync(stamp);
    rmSync(stamp);
    const refused = start(join(folder, "home", "other"), { uid: UID });
    expect(await refused.ended).toBe(1);
    expect(refused.output()).toContain("cannot be written to");
    writeFileSync(stamp, kept);
  });
});

describe("the starter", PATIENT, () => {
  test("installs what the build needs, although it leaves out what only the tests need", () => {
    const { packages } = JSON.parse(readFileSync(join(ROOT, "package-lock.json"), "utf8")) as {
      packages: Record<string, { dev?: boolean; devOptional?: boolean } | undefined>;
    };
    for (const name of ["typescript", "@types/node", "@types/pg"]) {
      const entry = packages[`node_modules/${name}`];
      expect([name, entry === undefined || entry.dev === true || entry.devOptional === true]).toEqual([name, false]);
    }
  });

  test("stands back while another one installs or builds", async () => {
    const stamp = join(tree, "node_modules", ".posthorn-build");
    rmSync(stamp);
    const mark = join(tree, ".posthorn-start", "lock", `${process.pid}..x`);
    mkdirSync(join(tree, ".posthorn-start", "lock"), { recursive: true });
    writeFileSync(mark, "installing or building");
    const second = start(join(folder, "data"));
    expect(await second.ended).toBe(1);
    expect(second.output()).toContain(`pid ${process.pid}`);
    rmSync(join(tree, ".posthorn-start"), { recursive: true });
    // A lock left by a dead process is none.
    mkdirSync(join(tree, ".posthorn-start", "lock"), { recursive: true });
    writeFileSync(join(tree, ".posthorn-start", "lock", "999999999..x"), "installing or building");
    const third = start(join(folder, "data"));
    await third.url;
    expect(third.output()).toContain("Building");
    expect(await end(third)).toBe(0);
  });

  test("does not install anew under a Posthorn that runs from the folder", async () => {
    const running = start(join(folder, "data"));
    await running.url;
    const lock = join(tree, "package-lock.json");
    const kept = readFileSync(lock, "utf8");
    writeFileSync(lock, kept.replace(/("node_modules\/pg": \{\s*"version": ")[^"]+/, "$10.0.0"));
    const second = start(join(folder, "data"));
    expect(await second.ended).toBe(1);
    expect(second.output()).toContain(`(pid ${running.child.pid})`);
    writeFileSync(lock, kept);
    expect(await answers(await running.url)).toBe(true);
    expect(await end(running)).toBe(0);
  });

  test("asks for a newer Node.js by version", () => {
    const manifest = join(tree, "package.json");
    const kept = readFileSync(manifest, "utf8");
    writeFileSync(manifest, kept.replace(/"node": ">=[^"]+"/, '"node": ">=99.1"'));
    const result = spawnSync(process.execPath, ["scripts/start.mjs"], { cwd: tree, encoding: "utf8" });
    writeFileSync(manifest, kept);
    expect(result.status).toBe(1);
    expect(result.stderr).toContain(`Posthorn needs Node.js 99.1 or newer; this is ${process.version}`);
  });

  test("says so when the registry cannot be reached", () => {
    const lone = join(folder, "lone");
    cpSync(tree, lone, {
      recursive: true,
      filter: (path) => !path.includes("node_modules") && !path.includes(".posthorn-start"),
    });
    const env = {
      ...process.env,
      npm_config_registry: "http://127.0.0.1:1",
      npm_config_fetch_retries: "0",
      npm_config_cache: join(folder, "cache"),
    };
    const result = spawnSync(process.execPath, ["scripts/start.mjs"], { cwd: lone, env, encoding: "utf8" });
    expect(result.status).toBe(1);
    expect(result.stderr).toContain("The npm registry cannot be reached");
    rmSync(lone, { recursive: true });
  });
});
