// The bare loop as one side of a measurement. Must never do anything the product's side does not have to do as well.
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { startServer } from "./children.mjs";

const BARE_LOOP = fileURLToPath(new URL("../bare-loop.mjs", import.meta.url));
const START_TIMEOUT_MS = 15_000;

/** @type {import("./sides.mjs").Side} */
export const bareSide = {
  name: "bare",
  async start({ databaseUrl, receiverPort, secret, deliveries, directory }) {
    const server = startServer(
      [BARE_LOOP],
      {
        DATABASE_URL: databaseUrl,
        RECEIVER_URL: deliveries ? `http://127.0.0.1:${receiverPort}/webhook/matching` : "",
        BARE_SECRET: secret,
      },
      directory,
    );
    const port = await readPort(server);
    return { pid: server.pid, port, apiKey: "none", log: server.log, stop: server.stop };
  },
};

/** @param {ReturnType<typeof startServer>} server @returns {Promise<number>} */
async function readPort({ child, log }) {
  const lines = /** @type {import("node:stream").Readable} */ (child.stdout);
  const failed = once(child, "exit").then(([code]) => {
    throw new Error(`the bare loop ended with ${code}: ${log()}`);
  });
  const [line] = await Promise.race([
    once(lines, "data", { signal: AbortSignal.timeout(START_TIMEOUT_MS) }),
    /** @type {Promise<never>} */ (failed),
  ]);
  failed.catch(() => {});
  return JSON.parse(String(line)).port;
}
