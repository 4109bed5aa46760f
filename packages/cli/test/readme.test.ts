// The README's "Start in 60 seconds", word for word: its blocks run in a copy of this tree, only ports and the data
// directory are other ones. What it shows as answers is compared with the answers. Leaves nothing running.
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync } from "node:fs";
import { type AddressInfo, connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { findPostmaster } from "../../server/src/storage/embedded/postmaster.ts";
import { newFolder } from "../../server/test/support/folder.ts";
import { until } from "../../server/test/support/until.ts";

const ROOT = fileURLToPath(new URL("../../../", import.meta.url));
const README = readFileSync(join(ROOT, "README.md"), "utf8");
const SECTION = /^## Start in 60 seconds\n([\s\S]*?)^## /m.exec(README)?.[1] ?? "";

/** Fenced blocks of one language, in order. */
const blocks = (language: string): string[] =>
  [...SECTION.matchAll(/^```(\w+)\n([\s\S]*?)^```$/gm)].filter((found) => found[1] === language).map((f) => f[2] ?? "");

const hasTools = ["bash", "curl"].every((tool) => spawnSync(tool, ["--version"]).status === 0);

interface Terminal {
  readonly child: ChildProcess;
  readonly output: () => string;
  readonly ended: Promise<unknown>;
}

const folder = realpathSync(mkdtempSync(join(tmpdir(), "posthorn-readme-")));
const tree = join(folder, "tree");
const data = newFolder("posthorn-readme-");
const dataDir = join(data, "data");
const terminals: Terminal[] = [];

beforeAll(() => {
  mkdirSync(tree);
  const isOurs = (path: string): boolean => !["node_modules", "test", "results"].includes(basename(path));
  for (const name of ["package.json", "package-lock.json", ".npmrc", "tsconfig.json", "tsconfig.base.json"]) {
    cpSync(join(ROOT, name), join(tree, name), { preserveTimestamps: true });
  }
  for (const name of ["scripts", "packages", "bench", "catalogue", "docs"]) {
    cpSync(join(ROOT, name), join(tree, name), { recursive: true, preserveTimestamps: true, filter: isOurs });
  }
  // Links cost nothing: the packages are only read.
  const modules = (option: string): boolean => spawnSync("cp", [option, join(ROOT, "node_modules"), tree]).status === 0;
  if (!modules("-al")) {
    rmSync(join(tree, "node_modules"), { recursive: true, force: true });
    modules("-a");
  }
  rmSync(join(tree, "node_modules", ".posthorn-build"), { force: true });
}, 60_000);

afterAll(async () => {
  for (const { child, ended } of terminals) {
    if (child.exitCode === null && child.signalCode === null) signalAll(child, "SIGKILL");
    await ended;
  }
  const clusterDir = join(dataDir, "postgres", "data");
  for (let left = findPostmaster(clusterDir); left !== undefined; left = findPostmaster(clusterDir)) {
    process.kill(left.pid, "SIGQUIT");
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  for (const each of [folder, data]) rmSync(each, { recursive: true, force: true });
});

/** A terminal of its own, so that a signal reaches all of its processes, as Ctrl-C does. */
function open(commands: string): Terminal {
  const env = Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !name.startsWith("POSTHORN_") && name !== "DATABASE_URL"),
  );
  const child = spawn("bash", ["-c", commands], {
    cwd: tree,
    detached: true,
    env: { ...env, POSTHORN_PORT: "0", POSTHORN_DATA_DIR: dataDir },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  const read = (chunk: Buffer): void => {
    output += chunk.toString();
  };
  child.stdout.on("data", read);
  child.stderr.on("data", read);
  const terminal = { child, output: () => output, ended: once(child, "close") };
  terminals.push(terminal);
  return terminal;
}

function signalAll(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.pid !== undefined) process.kill(-child.pid, signal);
}

/** What a command printed as JSON. */
async function answerOf(commands: string): Promise<unknown> {
  const terminal = open(commands);
  await terminal.ended;
  return JSON.parse(comparable(terminal.output()));
}

/** Ids and times differ each time; everything else has to be as it is shown. */
function comparable(text: string): string {
  return text
    .replaceAll(/\b([a-z]+)_[0-9A-HJKMNP-TV-Z]{26}\b/g, "$1_…")
    .replaceAll(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, "(a time)");
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

function isListening(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.once("connect", () => resolve(true)).once("error", () => resolve(false));
    socket.once("connect", () => socket.destroy());
  });
}

// The build and a first start, on a machine that does other things as well.
describe.runIf(hasTools)("the README's 60 seconds", { timeout: 90_000 }, () => {
  test("hold what they promise, command by command", async () => {
    const [start, receive, subscribe, publish, look, ...others] = blocks("sh");
    const [published, found] = blocks("json");
    const [received] = blocks("text");
    expect(others).toEqual([]);
    const receiverPort = await freePort();
    const here = (text = ""): string => text.replaceAll("127.0.0.1:9000", `127.0.0.1:${receiverPort}`);

    const posthorn = open(here(start));
    const receiver = open((receive ?? "").replace("listen(9000,", `listen(${receiverPort},`));
    const origin = await until(
      "Posthorn to serve",
      async () => {
        if (posthorn.child.exitCode !== null) throw new Error(posthorn.output());
        return /serves at http:\/\/(\S+)/.exec(posthorn.output())?.[1];
      },
      60_000,
    );
    await until("the receiver to listen", () => isListening(receiverPort));
    const there = (text?: string): string => here(text).replaceAll("127.0.0.1:8420", origin);

    expect(await answerOf(there(subscribe))).toMatchObject({ success: true, data: { status: "enabled" } });
    expect(await answerOf(there(publish))).toEqual(JSON.parse(comparable(published ?? "")));
    await until("the request to be printed", async () => receiver.output().includes("\n"));
    expect(comparable(receiver.output())).toBe(comparable(received ?? ""));
    const delivered = await until("the delivery to be recorded", async () => {
      const answer = await answerOf(there(look));
      return JSON.stringify(answer).includes('"state":"delivered"') && answer;
    });
    expect(delivered).toEqual(JSON.parse(comparable(found ?? "")));

    signalAll(posthorn.child, "SIGINT");
    await posthorn.ended;
    expect(posthorn.output()).toContain("finishing what runs");
    expect(findPostmaster(join(dataDir, "postgres", "data"))).toBeUndefined();
  });
});
