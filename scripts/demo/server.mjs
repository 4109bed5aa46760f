// A Posthorn of the demo's own: a process with a data directory that is made for it and taken away with it.
// It must leave nothing behind: no process, no file.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const START_LIMIT_MS = 45_000;

/**
 * Starts it and waits until it serves.
 * @returns {Promise<{ url: string, stop: () => Promise<void> }>}
 */
export async function startServer({ root, apiKey, allowTargets, signal }) {
  const folder = mkdtempSync(join(tmpdir(), "posthorn-demo-"));
  // Under root PostgreSQL runs as another user, who has to pass through here.
  chmodSync(folder, 0o711);
  const dataDir = join(folder, "data");
  const inherited = Object.entries(process.env).filter(([name]) => !/^(POSTHORN_|DATABASE_URL$)/.test(name));
  const child = spawn(process.execPath, [join(root, "packages", "cli", "dist", "posthorn.js"), "serve"], {
    env: {
      ...Object.fromEntries(inherited),
      POSTHORN_PORT: "0",
      POSTHORN_DATA_DIR: dataDir,
      POSTHORN_BOOTSTRAP_API_KEY: apiKey,
      POSTHORN_ALLOW_TARGETS: allowTargets,
      POSTHORN_LOG_LEVEL: "error",
    },
    stdio: ["ignore", "pipe", "pipe"],
    // Ctrl-C reaches the demo alone, which then ends this process in order.
    detached: true,
  });
  const ended = once(child, "close");
  const endWithUs = () => child.kill("SIGTERM");
  process.once("exit", endWithUs);

  const stop = async () => {
    if (child.exitCode === null && child.signalCode === null) child.kill("SIGTERM");
    await ended;
    process.off("exit", endWithUs);
    removeData(folder, dataDir);
  };
  try {
    return { url: await addressOf(child, ended, signal), stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

function addressOf(child, ended, signal) {
  let output = "";
  return new Promise((resolve, reject) => {
    const give = (reason) => {
      clearTimeout(timer);
      signal.removeEventListener("abort", aborted);
      reject(reason instanceof Error ? reason : new Error(String(reason)));
    };
    const aborted = () => give(signal.reason);
    const timer = setTimeout(() => give(new Error(`Posthorn did not start in time:\n${output}`)), START_LIMIT_MS);
    signal.addEventListener("abort", aborted);
    const read = (chunk) => {
      output += chunk;
      const address = /serves at (http:\/\/\S+)/.exec(output)?.[1];
      if (address === undefined) return;
      clearTimeout(timer);
      signal.removeEventListener("abort", aborted);
      resolve(address);
    };
    child.stdout.setEncoding("utf8").on("data", read);
    child.stderr.setEncoding("utf8").on("data", read);
    ended.then(() => give(new Error(`Posthorn did not start:\n${output.trim()}`)));
    if (signal.aborted) aborted();
  });
}

/** Also the part of PostgreSQL where it had to lie elsewhere. */
function removeData(folder, dataDir) {
  const note = join(dataDir, "postgres-location");
  const elsewhere = existsSync(note) ? readFileSync(note, "utf8").trim() : "";
  if (elsewhere.startsWith("/var/lib/posthorn/")) rmSync(elsewhere, { recursive: true, force: true });
  rmSync(folder, { recursive: true, force: true });
}
