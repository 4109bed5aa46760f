// `npm run bench:peers`: Posthorn beside a worker on BullMQ, pg-boss and graphile-worker, in turn, with the same sender, the
// same receiver and the same checks as `npm run bench`. Installs what it needs: the packages into this folder, Redis by apt
// where there is none. Must print no figure of a run that lost or repeated an event.
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { bareSide } from "../src/lib/bare-side.mjs";
import { startInstrument, startServer, stopAllChildren } from "../src/lib/children.mjs";
import { describeMachine, machineLine } from "../src/lib/machine.mjs";
import { measure } from "../src/lib/measure.mjs";
import { startPostgres } from "../src/lib/postgres.mjs";
import { cpuSeconds } from "../src/lib/proc.mjs";
import { productSide } from "../src/lib/product-side.mjs";
import { median } from "../src/lib/samples.mjs";
import { SCENARIOS } from "../src/lib/scenarios.mjs";

const HERE = dirname(fileURLToPath(import.meta.url));
const RECEIVER = join(HERE, "../src/receiver.mjs");
const PEER = join(HERE, "peer.mjs");
const HELP = `npm run bench:peers -- [options]
  --rounds N       of each side (3)
  --seconds S      length of one measurement (8)
  --warm-up S      load before it that is not counted (5)
  --scenarios A,B  end-to-end,latency
  --sides A,B      product,bullmq,pgboss,graphile (bare too, where asked for)
`;
const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "3" },
    seconds: { type: "string", default: "8" },
    "warm-up": { type: "string", default: "5" },
    scenarios: { type: "string", default: "end-to-end,latency" },
    sides: { type: "string", default: "product,bullmq,pgboss,graphile" },
    help: { type: "boolean", default: false },
  },
});
if (values.help) {
  process.stdout.write(HELP);
  process.exit(0);
}
for (const signal of /** @type {const} */ (["SIGINT", "SIGTERM", "SIGHUP"])) {
  // Ends whatever the run waits for; its error brings main to its clean-up.
  process.on(signal, () => void stopAllChildren());
}
process.exitCode = await main();

async function main() {
  install();
  const names = values.sides.split(",");
  const scenarios = SCENARIOS.filter(({ name }) => values.scenarios.split(",").includes(name));
  const postgres = await startPostgres(undefined);
  /** @type {Awaited<ReturnType<typeof startRedis>> | undefined} */
  let redis;
  try {
    const machine = await describeMachine(postgres);
    say(machineLine(machine));
    const directory = join(postgres.directory, "redis");
    if (names.includes("bullmq")) redis = await startRedis(directory);
    const sides = names.map((name) => sideOf(name, redis));
    const receiver = await startInstrument(RECEIVER);
    const warmUpMs = Number(values["warm-up"]) * 1_000;
    const bench = { postgres, receiver, warmUpMs, measureMs: Number(values.seconds) * 1_000 };
    /** @type {any[]} */
    const measured = [];
    for (const scenario of scenarios) {
      for (let round = 1; round <= Number(values.rounds); round += 1) {
        for (const side of round % 2 === 1 ? sides : [...sides].reverse()) {
          const redisBefore = redis === undefined ? 0 : (cpuSeconds(redis.pid) ?? 0);
          try {
            const one = await measure(bench, side, scenario);
            const redisSeconds = redis === undefined ? 0 : (cpuSeconds(redis.pid) ?? 0) - redisBefore;
            const redisUs =
              side.name === /** @type {string} */ ("bullmq") ? (redisSeconds * 1e6) / one.acknowledgedCount : 0;
            measured.push({ ...one, redisUs });
            say(`${round}/${values.rounds} ${scenario.name}, ${line(side.name, { ...one, redisUs })}`);
          } catch (error) {
            // One that does not keep up says so, and the others are measured all the same.
            say(`${round}/${values.rounds} ${scenario.name}, ${side.name}: no figure. ${String(error).slice(0, 300)}`);
          }
        }
      }
    }
    say("");
    for (const scenario of scenarios) summarise(scenario.name, names, measured);
    await mkdir(join(HERE, "../results"), { recursive: true });
    await writeFile(join(HERE, "../results/peers.json"), `${JSON.stringify({ machine, measured }, null, 1)}\n`);
    return 0;
  } finally {
    await stopAllChildren();
    await redis?.stop();
    await postgres.stop();
  }
}

function install() {
  if (!existsSync(join(HERE, "node_modules/bullmq"))) {
    say("Installing the packages of the peers into bench/peers ...");
    const args = ["install", "--no-audit", "--no-fund", "--no-package-lock", "--workspaces=false"];
    execFileSync("npm", args, { cwd: HERE, stdio: "inherit" });
  }
  if (!values.sides.includes("bullmq") || isThere("redis-server")) return;
  say("Installing redis-server by apt ...");
  execFileSync("apt-get", ["install", "-y", "redis-server"], { stdio: "inherit" });
}

/** @param {string} program */
function isThere(program) {
  try {
    execFileSync(program, ["--version"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

/** With an append-only file that is flushed every second: what BullMQ recommends, and up to a second that a crash may take. @param {string} directory */
async function startRedis(directory) {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const socket = join(directory, "redis.sock");
  const settings = {
    port: "0",
    unixsocket: socket,
    dir: directory,
    appendonly: "yes",
    appendfsync: "everysec",
    save: "",
  };
  const args = Object.entries({ ...settings, "maxmemory-policy": "noeviction" }).flatMap(([name, value]) => [
    `--${name}`,
    value,
  ]);
  const child = spawn("redis-server", args, { stdio: "ignore" });
  for (let tries = 0; !existsSync(socket); tries += 1) {
    if (tries > 200 || child.exitCode !== null) throw new Error("redis-server did not start");
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  const stop = async () => {
    const ended = once(child, "exit");
    child.kill("SIGTERM");
    await ended;
  };
  return { pid: child.pid ?? 0, socket, stop };
}

/** @param {string} name @param {{ socket: string } | undefined} redis @returns {import("../src/lib/sides.mjs").Side} */
function sideOf(name, redis) {
  if (name === "product")
    return productSide({ serveArguments: [], nodeArguments: ["--max-semi-space-size=32"], webhookFields: {} });
  if (name === "bare") return bareSide;
  return {
    name: /** @type {any} */ (name),
    async start({ databaseUrl, receiverPort, secret, directory }) {
      const environment = {
        PEER: name,
        DATABASE_URL: databaseUrl,
        REDIS_SOCKET: redis?.socket ?? "",
        RECEIVER_URL: `http://127.0.0.1:${receiverPort}/webhook/matching`,
        SECRET: secret,
      };
      const server = startServer(["--max-semi-space-size=32", PEER], environment, directory);
      const stdout = /** @type {import("node:stream").Readable} */ (server.child.stdout);
      const [text] = await Promise.race([
        once(stdout, "data", { signal: AbortSignal.timeout(30_000) }),
        once(server.child, "exit").then(() => {
          throw new Error(`${name} ended: ${server.log()}`);
        }),
      ]);
      return {
        pid: server.pid,
        port: JSON.parse(String(text)).port,
        apiKey: "none",
        log: server.log,
        stop: server.stop,
      };
    },
  };
}

/** @param {string} scenario @param {string[]} names @param {any[]} measured */
function summarise(scenario, names, measured) {
  const of = (/** @type {string} */ name) => measured.filter((one) => one.scenario === scenario && one.side === name);
  const product = median(of("product").map((one) => one.eventsPerSecond));
  for (const name of names) {
    const ones = of(name);
    if (ones.length === 0) continue;
    const middle = (/** @type {(one: any) => number} */ read) => median(ones.map(read));
    const one = {
      eventsPerSecond: middle((each) => each.eventsPerSecond),
      acknowledgeMs: { p50: middle((each) => each.acknowledgeMs.p50), p99: middle((each) => each.acknowledgeMs.p99) },
      receiveMs: { p50: middle((each) => each.receiveMs.p50), p99: middle((each) => each.receiveMs.p99) },
      nodeCpuUsPerEvent: middle((each) => each.nodeCpuUsPerEvent),
      postgresCpuUsPerEvent: middle((each) => each.postgresCpuUsPerEvent),
      redisUs: middle((each) => each.redisUs),
      othersCpuShare: middle((each) => each.othersCpuShare),
    };
    const times = name === "product" ? "" : `; Posthorn ${(product / one.eventsPerSecond).toFixed(2)} times as many`;
    say(`median of ${ones.length}, ${scenario}, ${line(name, one)}${times}`);
  }
}

/** @param {string} name @param {any} one */
function line(
  name,
  { eventsPerSecond, acknowledgeMs, receiveMs, nodeCpuUsPerEvent, postgresCpuUsPerEvent, redisUs, othersCpuShare },
) {
  const round = (/** @type {number | null} */ n) => Math.round(n ?? Number.NaN);
  const store = redisUs > 0 ? `${round(redisUs)} (Redis)` : `${round(postgresCpuUsPerEvent)} (PostgreSQL)`;
  return (
    `${name}: ${round(eventsPerSecond)} events/s, ack p50 ${round(acknowledgeMs.p50)} p99 ${round(acknowledgeMs.p99)} ms, ` +
    `received p50 ${round(receiveMs.p50)} p99 ${round(receiveMs.p99)} ms, CPU ${round(nodeCpuUsPerEvent)} (Node) + ${store} µs an event, ` +
    `others used ${round(othersCpuShare * 100)} %`
  );
}

/** @param {string} text */
function say(text) {
  process.stdout.write(`${text}\n`);
}
