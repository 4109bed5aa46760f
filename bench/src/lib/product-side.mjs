// Posthorn as the other side of a measurement: the real program, started and configured the way a user would.
// Must never reach into it: everything goes through its command line, its environment and its published API.
import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { request } from "undici";
import { startServer } from "./children.mjs";
import { EVENT_TYPE } from "./event-body.mjs";

const POSTHORN = fileURLToPath(new URL("../../../packages/cli/dist/posthorn.js", import.meta.url));
const START_TIMEOUT_MS = 30_000;
const POLL_INTERVAL_MS = 50;

/** Ten webhooks on one type. All ten filters are evaluated for each event; only the first is true of it. */
const FILTERS = {
  matching: "object.total > 1000",
  "too-large": "object.total > 5000",
  "too-small": "object.total <= 1000",
  "other-currency": 'object.currency == "SGD"',
  "other-status": 'object.status != "paid"',
  "other-branch": 'object.branch.code == "PG-01"',
  "other-tier": 'object.customer.tier == "gold"',
  "still-open": "object.balance > 0",
  "other-customer": 'object.customer.name.startsWith("Syarikat")',
  "two-conditions": 'object.total > 1000 && object.branch.city == "Penang"',
};
/** For capture alone: as many webhooks, none of them for this type. */
const OTHER_TYPE = "customer.created";

/** @returns {boolean} whether there is anything to measure */
export function productIsBuilt() {
  return existsSync(POSTHORN);
}

/**
 * @param {object} options for experiments
 * @param {string[]} options.serveArguments more of them for `serve`
 * @param {string[]} options.nodeArguments of the Node process
 * @param {Record<string, unknown>} options.webhookFields merged into every webhook
 * @returns {import("./sides.mjs").Side}
 */
export function productSide({ serveArguments, nodeArguments, webhookFields }) {
  return {
    name: "product",
    async start({ databaseUrl, receiverPort, secret, deliveries, directory }) {
      const port = await freePort();
      const apiKey = `blg_live_sk_${randomBytes(24).toString("hex")}`;
      const server = await startPosthorn({ port, apiKey, databaseUrl, directory, nodeArguments, serveArguments });
      const origin = `http://127.0.0.1:${port}`;
      for (const [name, filter] of Object.entries(FILTERS)) {
        await subscribe(origin, apiKey, {
          name,
          url: `http://127.0.0.1:${receiverPort}/webhook/${name}`,
          events: [deliveries ? EVENT_TYPE : OTHER_TYPE],
          filters: [filter],
          secret,
          ...webhookFields,
        });
      }
      return { pid: server.pid, port, apiKey, log: server.log, stop: server.stop };
    },
  };
}

/**
 * Starts the program and waits until it is ready.
 * @param {{ port: number, apiKey: string, databaseUrl: string, directory: string, masterKey?: string, nodeArguments?: string[], serveArguments?: string[] }} options
 */
export async function startPosthorn({
  port,
  apiKey,
  databaseUrl,
  directory,
  masterKey = randomBytes(32).toString("base64"),
  nodeArguments = [],
  serveArguments = [],
}) {
  const server = startServer(
    [...nodeArguments, POSTHORN, "serve", ...serveArguments],
    {
      DATABASE_URL: databaseUrl,
      POSTHORN_MASTER_KEY: masterKey,
      POSTHORN_BOOTSTRAP_API_KEY: apiKey,
      POSTHORN_ALLOW_TARGETS: "127.0.0.1",
      POSTHORN_PORT: String(port),
      POSTHORN_DATA_DIR: join(directory, "posthorn"),
    },
    directory,
  );
  await untilReady(`http://127.0.0.1:${port}`, server);
  return server;
}

/** @param {string} origin @param {ReturnType<typeof startServer>} server */
async function untilReady(origin, server) {
  const deadline = performance.now() + START_TIMEOUT_MS;
  for (;;) {
    if (server.child.exitCode !== null) throw new Error(`posthorn ended: ${server.log()}`);
    const status = await request(`${origin}/readyz`).then(
      async (response) => {
        await response.body.dump();
        return response.statusCode;
      },
      () => 0,
    );
    if (status === 200) return;
    if (performance.now() > deadline) throw new Error(`posthorn was not ready in time: ${server.log()}`);
    await new Promise((resolve) => setTimeout(resolve, POLL_INTERVAL_MS));
  }
}

/** @param {string} origin @param {string} apiKey @param {Record<string, unknown>} webhook */
export async function subscribe(origin, apiKey, webhook) {
  const response = await request(`${origin}/v1/webhooks/subscribe`, {
    method: "POST",
    headers: { authorization: `Bearer ${apiKey}`, "content-type": "application/json" },
    body: JSON.stringify(webhook),
  });
  const body = await response.body.text();
  if (response.statusCode !== 201)
    throw new Error(`webhook ${webhook.name} was refused: ${response.statusCode} ${body}`);
  return JSON.parse(body).data;
}

/** @returns {Promise<number>} a port that was free a moment ago */
export function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
      server.close(() => resolve(port));
    });
  });
}
