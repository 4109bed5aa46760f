// A Posthorn as the quick start begins it: the command, in a folder, with the embedded database and the key that the page
// names. Pages run beside it, in the same folder. It leaves no process and no file behind.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { newFolder } from "../../../server/test/support/folder.ts";
import { ROOT } from "./blocks.ts";

const COMMAND = join(ROOT, "packages", "cli", "dist", "posthorn.js");
export const API_KEY = "only-for-trying-it-out";

export interface Served {
  readonly folder: string;
  readonly url: string;
  /** For everything that runs beside it. */
  readonly environment: Readonly<Record<string, string>>;
  readonly stop: () => Promise<void>;
}

/** @param receiverPort deliveries may go there */
export async function serve(receiverPort: number): Promise<Served> {
  const folder = newFolder("posthorn-docs-");
  cpSync(join(ROOT, "examples", "webhooks"), join(folder, "examples", "webhooks"), { recursive: true });
  writeFileSync(join(folder, "posthorn"), `#!/bin/sh\nexec "${process.execPath}" "${COMMAND}" "$@"\n`, { mode: 0o755 });
  const inherited = Object.entries(process.env).filter(
    ([name, value]) => value !== undefined && !/^(POSTHORN_|DATABASE_URL$|NODE_OPTIONS$|VITEST)/.test(name),
  ) as [string, string][];
  const environment = {
    ...Object.fromEntries(inherited),
    PATH: `${folder}:${process.env["PATH"] ?? ""}`,
    NO_COLOR: "1",
    POSTHORN_ALLOW_TARGETS: `127.0.0.1:${receiverPort}`,
    POSTHORN_BOOTSTRAP_API_KEY: API_KEY,
  };
  const child = spawn(process.execPath, [COMMAND, "serve", "--port", "0"], {
    cwd: folder,
    env: environment,
    stdio: ["ignore", "pipe", "pipe"],
  });
  const ended = once(child, "close");
  const stop = async (): Promise<void> => {
    if (child.exitCode === null && child.signalCode === null) child.kill("SIGTERM");
    await ended;
    removeData(folder, ".posthorn");
    removeData(folder, "restored");
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    return { folder, url: await addressOf(child), environment, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

function addressOf(child: ChildProcess): Promise<string> {
  let output = "";
  return new Promise((resolve, reject) => {
    const read = (chunk: Buffer): void => {
      output += chunk.toString();
      const address = /serves at (http:\/\/\S+)/.exec(output)?.[1];
      if (address !== undefined) resolve(address);
    };
    child.stdout?.on("data", read);
    child.stderr?.on("data", read);
    child.once("close", () => reject(new Error(`Posthorn did not start:\n${output}`)));
  });
}

/** The part of PostgreSQL that had to lie elsewhere. */
function removeData(folder: string, dataDir: string): void {
  const note = join(folder, dataDir, "postgres-location");
  const elsewhere = existsSync(note) ? readFileSync(note, "utf8").trim() : "";
  if (elsewhere.startsWith("/var/lib/posthorn/")) rmSync(elsewhere, { recursive: true, force: true });
}
