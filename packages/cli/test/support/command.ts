// The compiled command as a child process: what it printed, and how it ended. It sees none of this process's settings.
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../../../../", import.meta.url));
export const COMMAND = `${ROOT}packages/cli/dist/posthorn.js`;

export interface Ended {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
  /** Standard output as JSON. */
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers freely
  readonly json: () => any;
}

/** Compiles what has changed; after `npm test` has done it, this takes a moment. Test files may ask at the same time. */
export function ensureBuilt(): void {
  const result = spawnSync(process.execPath, [`${ROOT}scripts/build.mjs`, "--if-stale"], {
    cwd: ROOT,
    encoding: "utf8",
  });
  if (result.status !== 0) throw new Error(result.stderr);
}

/** Runs the command to its end. */
export async function posthorn(
  args: readonly string[],
  options: { readonly env?: Readonly<Record<string, string>>; readonly input?: string | Buffer } = {},
): Promise<Ended> {
  const child = spawnPosthorn(args, options.env);
  child.stdin.end(options.input ?? "");
  const [out, err] = [collect(child.stdout), collect(child.stderr)];
  const [code] = (await once(child, "close")) as [number | null];
  return { code, out: out(), err: err(), json: () => JSON.parse(out()) as unknown };
}

/** Starts the command and leaves it running. */
export function spawnPosthorn(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const inherited = Object.entries(process.env).filter(
    ([name]) => !/^(POSTHORN_|DATABASE_URL$|NO_COLOR$|FORCE_COLOR$|COLUMNS$|WEBHOOK_SECRET$)/.test(name),
  );
  return spawn(process.execPath, [COMMAND, ...args], {
    env: { ...Object.fromEntries(inherited), ...env },
    stdio: ["pipe", "pipe", "pipe"],
  });
}

function collect(stream: NodeJS.ReadableStream): () => string {
  const chunks: Buffer[] = [];
  stream.on("data", (chunk: Buffer) => chunks.push(chunk));
  return () => Buffer.concat(chunks).toString("utf8");
}
