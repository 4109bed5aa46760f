// Every command of the documents, page by page and in order, as a reader types it: shell blocks in a shell, `terminal`
// blocks beside it, YAML applied, JSON read. Only ports are other ones. A command that fails, fails the page.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { until } from "../../../server/test/support/until.ts";
import { type Block, blocksOf, requireTool, writtenPages } from "./blocks.ts";
import { API_KEY, serve, type Served } from "./served.ts";

/** Blocks that are done already when a page begins, each with what does it. */
const DONE_BEFORE: Readonly<Record<string, string>> = {
  "npm start":
    "served.ts starts the same command with the same settings; packages/cli/test/readme.test.ts runs npm start",
};
/** What placeholders of YAML blocks stand for. */
const VALUES = { OAUTH_TOKEN: "token-of-the-crm" };
const LANGUAGES = ["sh", "yaml", "json", "text", "console", "ts", "python", "php", "csharp", "java"];

let served: Served;
let port: number;

beforeAll(async () => {
  for (const tool of ["bash", "curl", "grep", "sed"]) requireTool(tool, tool);
  port = await freePort();
  served = await serve(port);
}, 90_000);
afterAll(() => served?.stop(), 60_000);

const here = (text: string): string =>
  text
    .replaceAll("127.0.0.1:9000", `127.0.0.1:${port}`)
    .replaceAll("--port 9000", `--port ${port}`)
    .replaceAll("http://127.0.0.1:8420", served.url);

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port: found } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return found;
}

interface Shell {
  readonly child: ChildProcess;
  readonly output: () => string;
  readonly ended: Promise<unknown>;
}

function open(script: string): Shell {
  const child = spawn("bash", ["-c", script], {
    cwd: served.folder,
    // Ctrl-C reaches all of a terminal's processes.
    detached: true,
    env: { ...served.environment, POSTHORN_URL: served.url, POSTHORN_API_KEY: API_KEY },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  const read = (chunk: Buffer): void => {
    output += chunk.toString();
  };
  child.stdout.on("data", read);
  child.stderr.on("data", read);
  return { child, output: () => output, ended: once(child, "close") };
}

/** Runs a block in the shell that the blocks before it left behind. */
async function type(block: Block, script: string): Promise<string> {
  const shell = open(
    `set -euo pipefail; [ -f .shell ] && source ./.shell; trap 'export -p > .shell' EXIT\n${here(script)}`,
  );
  await shell.ended;
  const output = shell.output();
  expect(shell.child.exitCode, `${block.place}\n${block.text}\n→\n${output}`).toBe(0);
  expect(output, block.place).not.toMatch(/"success": ?false/);
  return output;
}

/** Ids and times differ each time, and columns are as wide as what stands in them. */
function comparable(text: string): string[] {
  return here(text)
    .replaceAll(/\b([a-z]+)_[0-9A-HJKMNP-TV-Z]{26}\b/g, "$1_…")
    .replaceAll(/\d{4}-\d\d-\d\d[T ][\d:.]+Z/g, "(a time)")
    .split("\n")
    .map((line) => line.trim().replaceAll(/\s+/g, " "))
    .filter((line) => line !== "");
}

/** A `console` block: every line of it is what the commands before it printed, be it part of a line. */
function checkOutput(block: Block, output: string): void {
  const lines = comparable(output);
  const missing = comparable(block.text).filter((shown) => !lines.some((line) => line.includes(shown)));
  expect(missing, `${block.place} shows what was not printed:\n${output}`).toEqual([]);
}

/** @returns what was printed, for a `console` block that follows; `before` is what the block before it printed */
async function runBlock(block: Block, index: number, terminals: Shell[], before: string): Promise<string> {
  switch (block.language) {
    case "sh":
      if (block.note === "terminal") return openTerminal(block, terminals);
      if (Object.keys(DONE_BEFORE).some((line) => block.text.includes(line))) return "";
      return type(block, block.text);
    case "yaml": {
      writeFileSync(join(served.folder, `block-${index}.yaml`), here(block.text));
      const values = Object.entries(VALUES).map(([name, value]) => `${name}=${value}`);
      return type(block, `${values.join(" ")} posthorn apply block-${index}.yaml`);
    }
    case "json": {
      const value = JSON.parse(block.text) as object;
      // An answer is only shown; fields of a webhook have to be known to the server.
      if ("success" in value) return "";
      const webhook = { name: "From a page", url: "https://example.com/in", events: ["invoice.paid"], ...value };
      writeFileSync(join(served.folder, "fields.yaml"), JSON.stringify(webhook));
      return type(block, "posthorn apply fields.yaml --dry-run");
    }
    case "console":
      checkOutput(block, before);
      return "";
    default:
      return "";
  }
}

/** Commands that go on say how to end them when they are ready. */
async function openTerminal(block: Block, terminals: Shell[]): Promise<string> {
  const terminal = open(`exec ${here(block.text)}`);
  terminals.push(terminal);
  await until(`${block.place} to be ready`, async () => {
    if (terminal.child.exitCode !== null) throw new Error(`${block.place}: ${terminal.output()}`);
    return terminal.output().includes("Ctrl-C");
  });
  return "";
}

async function closeTerminals(terminals: readonly Shell[]): Promise<void> {
  for (const { child, ended } of terminals) {
    if (child.exitCode === null && child.pid !== undefined) process.kill(-child.pid, "SIGINT");
    await ended;
  }
}

/** What a page that starts no receiver of its own delivers to. */
async function startReceiver(): Promise<Server> {
  const server = createServer((request, response) => {
    request.resume();
    request.on("end", () => response.writeHead(204).end());
  });
  server.listen(port, "127.0.0.1");
  await once(server, "listening");
  return server;
}

async function deleteWebhooks(): Promise<void> {
  const headers = { authorization: `Bearer ${API_KEY}` };
  const answer = await fetch(`${served.url}/v1/webhooks?limit=200`, { headers });
  const { data } = (await answer.json()) as { data: { id: string }[] };
  for (const { id } of data) await fetch(`${served.url}/v1/webhooks/${id}`, { method: "DELETE", headers });
}

describe("the documents, as a reader follows them", { timeout: 120_000 }, () => {
  test("blocks are in languages that are tested", () => {
    const unknown = writtenPages()
      .flatMap(blocksOf)
      .filter(({ language }) => !LANGUAGES.includes(language))
      .map(({ place, language }) => `${place}: ${language === "" ? "no language" : language}`);
    expect(unknown).toEqual([]);
  });

  const withCommands = writtenPages().filter((page) =>
    blocksOf(page).some(({ language }) => ["sh", "yaml", "json"].includes(language)),
  );
  test.each(withCommands)("docs/%s", async (page) => {
    const blocks = blocksOf(page);
    const terminals: Shell[] = [];
    const hasTerminal = blocks.some(({ note }) => note === "terminal");
    rmSync(join(served.folder, ".shell"), { force: true });
    const receiver = hasTerminal ? null : await startReceiver();
    try {
      let printed = "";
      for (const [index, block] of blocks.entries()) printed = await runBlock(block, index, terminals, printed);
    } finally {
      await closeTerminals(terminals);
      receiver?.close();
      receiver?.closeAllConnections();
      await deleteWebhooks();
    }
  });
});
