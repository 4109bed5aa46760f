// What people build instead: an HTTP server that puts each event into a queue and answers 202, and a worker of the same
// queue, in the same process, that signs the event and posts it. No filters, no history, no breakers, no order. Must use
// each queue with the settings that its own pages recommend for throughput, and must keep it as durable as it comes.
//
// Environment: PEER (bullmq, pgboss, graphile), DATABASE_URL or REDIS_SOCKET, RECEIVER_URL, SECRET. Prints {"port":…}.
import { createHmac, createSecretKey } from "node:crypto";
import { createServer } from "node:http";
import { Pool } from "undici";

const secret = createSecretKey(Buffer.from(process.env.SECRET ?? ""));
const receiver = new URL(process.env.RECEIVER_URL ?? "");
/** As many as the bare loop has. */
const REQUESTS_IN_FLIGHT = 256;
const pool = new Pool(receiver.origin, { connections: REQUESTS_IN_FLIGHT });

/** @param {string} body */
async function deliver(body) {
  const signature = createHmac("sha256", secret).update(body).digest("hex");
  const response = await pool.request({
    path: receiver.pathname,
    method: "POST",
    headers: { "content-type": "application/json", "x-signature": `sha256=${signature}` },
    body,
  });
  await response.body.dump();
  if (response.statusCode >= 300) throw new Error(`the receiver answered ${response.statusCode}`);
}

/** @type {Record<string, () => Promise<(body: string) => Promise<unknown>>>} each resolves with what puts one event in */
const PEERS = {
  // docs.bullmq.io, "Going to production": AOF, noeviction, completed jobs removed; "Concurrency": 100 to 300 for I/O.
  async bullmq() {
    const { Queue, Worker } = await import("bullmq");
    const { Redis } = await import("ioredis");
    const connect = () => new Redis({ path: process.env.REDIS_SOCKET, maxRetriesPerRequest: null });
    const queue = new Queue("deliveries", { connection: connect() });
    const options = { connection: connect(), concurrency: REQUESTS_IN_FLIGHT };
    const worker = new Worker("deliveries", (/** @type {any} */ job) => deliver(job.data), options);
    worker.on("error", (/** @type {unknown} */ error) => console.error(error));
    await worker.waitUntilReady();
    const retries = { attempts: 10, backoff: { type: "exponential", delay: 5_000 } };
    return (body) => queue.add("deliver", body, { ...retries, removeOnComplete: true });
  },

  // A worker takes as many at once as are worked on side by side; half a second is its shortest poll.
  async pgboss() {
    const { default: PgBoss } = await import("pg-boss");
    const boss = new PgBoss({ connectionString: process.env.DATABASE_URL, max: 20 });
    boss.on("error", (/** @type {unknown} */ error) => console.error(error));
    await boss.start();
    await boss.createQueue("deliveries", {
      name: "deliveries",
      policy: "standard",
      retryLimit: 10,
      retryBackoff: true,
    });
    const options = { batchSize: REQUESTS_IN_FLIGHT, pollingIntervalSeconds: 0.5 };
    for (let n = 0; n < 4; n += 1) {
      await boss.work("deliveries", options, async (/** @type {any[]} */ jobs) => {
        await Promise.all(jobs.map((job) => deliver(job.data.body)));
      });
    }
    return (body) => boss.send("deliveries", { body });
  },

  // worker.graphile.org, "Performance": a local queue, and jobs completed in batches.
  async graphile() {
    const { makeWorkerUtils, run } = await import("graphile-worker");
    const connectionString = process.env.DATABASE_URL;
    const preset = {
      worker: {
        connectionString,
        concurrentJobs: REQUESTS_IN_FLIGHT,
        maxPoolSize: 20,
        pollInterval: 2_000,
        localQueue: { size: 500 },
        completeJobBatchDelay: 0,
        failJobBatchDelay: 0,
      },
    };
    const utils = await makeWorkerUtils({ connectionString, maxPoolSize: 20 });
    await utils.migrate();
    const { Logger } = await import("graphile-worker");
    const logger = new Logger(() => (level, message) => {
      if (level === "error" || level === "warning") console.error(message);
    });
    await run({
      preset,
      logger,
      noHandleSignals: true,
      taskList: { deliver: (/** @type {any} */ payload) => deliver(payload.body) },
    });
    return (body) => utils.addJob("deliver", { body }, { maxAttempts: 10 });
  },
};

const put = await /** @type {() => Promise<(body: string) => Promise<unknown>>} */ (PEERS[process.env.PEER ?? ""])();
const ACCEPTED = Buffer.from('{"success":true}');
const server = createServer((incoming, answer) => {
  /** @type {Buffer[]} */
  const chunks = [];
  incoming.on("data", (chunk) => chunks.push(chunk));
  incoming.once("end", () => {
    put(Buffer.concat(chunks).toString("utf8")).then(
      () => answer.writeHead(202, { "content-type": "application/json" }).end(ACCEPTED),
      (error) => {
        console.error(error);
        answer.writeHead(503).end();
      },
    );
  });
});
server.listen(0, "127.0.0.1", () => {
  const address = /** @type {import("node:net").AddressInfo} */ (server.address());
  process.stdout.write(`${JSON.stringify({ port: address.port })}\n`);
});
process.on("SIGTERM", () => process.exit(0));
