// A built node on loopback with a fresh embedded database, and a receiver, for the length of one fuzzing.
// It must leave nothing behind: neither process nor folder.
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";

const START_TIMEOUT_MS = 60_000;

/** @returns {Promise<{ url: string, apiKey: string, receiver: string, complaints: () => string[], stop: () => Promise<void> }>} */
export async function startNode(root) {
  const dataDir = mkdtempSync(join(tmpdir(), "posthorn-fuzz-"));
  chmodSync(dataDir, 0o755);
  const receiver = createServer((request, response) => {
    request.resume();
    response.statusCode = request.url === "/broken" ? 500 : 200;
    request.once("end", () => response.end("heard"));
  });
  await new Promise((resolve) => receiver.listen(0, "127.0.0.1", resolve));
  const apiKey = `fuzz-${randomBytes(24).toString("hex")}`;
  const program = join(root, "packages", "cli", "dist", "posthorn.js");
  const child = spawn(process.execPath, [program, "serve", "--port", "0", "--data-dir", dataDir], {
    env: {
      PATH: process.env.PATH,
      POSTHORN_BOOTSTRAP_API_KEY: apiKey,
      POSTHORN_ALLOW_TARGETS: "127.0.0.1",
      POSTHORN_LOG_LEVEL: "error",
    },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let said = "";
  const keep = (chunk) => {
    said += chunk;
  };
  child.stdout.setEncoding("utf8").on("data", keep);
  child.stderr.setEncoding("utf8").on("data", keep);
  const ended = new Promise((resolve) => child.once("exit", resolve));
  const stop = async () => {
    child.kill("SIGTERM");
    await ended;
    receiver.closeAllConnections();
    await new Promise((resolve) => receiver.close(resolve));
    rmSync(dataDir, { recursive: true, force: true });
  };
  const url = await serving(child, () => said);
  if (url === null) {
    await stop();
    throw new Error(`The node did not start:\n${said}`);
  }
  // Lines of the log are JSON; level 50 is an error, 60 fatal.
  const complaints = () => said.split("\n").filter((line) => /"level":(50|60)/.test(line));
  return { url, apiKey, receiver: `http://127.0.0.1:${receiver.address().port}`, complaints, stop };
}

function serving(child, said) {
  return new Promise((resolve) => {
    const giveUp = setTimeout(() => resolve(null), START_TIMEOUT_MS);
    const look = () => {
      const url = /serves at (http:\/\/[\w.:]+)/.exec(said())?.[1];
      if (url !== undefined) finish(url);
    };
    const finish = (url) => {
      clearTimeout(giveUp);
      child.stdout.off("data", look);
      resolve(url);
    };
    child.stdout.on("data", look);
    child.once("exit", () => finish(null));
  });
}
