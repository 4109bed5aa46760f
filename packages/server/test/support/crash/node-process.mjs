// A node in a process of its own, to be killed: prepares the database and starts what was built, as `serve` does.
// It ends with its supervisor (its standard input closes), and must never outlive it.
//
// argv[2] is JSON: { dist, connection, apiKey, masterKey, soleNode, lease?, breaker?, logLevel }. Prints { ready: { id, url } }
// among the lines of its log. A line on standard input, { "crashAt": name, "countdown": n }, arms a failpoint.
import { createInterface } from "node:readline";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const options = JSON.parse(process.argv[2]);
const built = (path) => import(pathToFileURL(join(options.dist, path)).href);

let armed = null;
// The wall clock of this process: a line { "wallClockOffByMs": n } sets it wrong.
let offByMs = 0;
const wallClock = Date.now;
Date.now = () => wallClock() + offByMs;
createInterface({ input: process.stdin })
  .on("line", (line) => {
    const order = JSON.parse(line);
    if (order.wallClockOffByMs === undefined) armed = order;
    else offByMs = order.wallClockOffByMs;
  })
  .on("close", () => process.exit(1));

const [{ startNode }, { prepareDatabase }, { parseAllowTargets }, { createLog }] = await Promise.all(
  ["compose.js", "prepare.js", "security/addresses/allow-targets.js", "lib/log.js"].map(built),
);
const prepared = await prepareDatabase({
  connection: options.connection,
  givenMasterKey: options.masterKey,
  dataDir: undefined,
  givenApiKey: options.apiKey,
});
if (prepared.outcome === "refused") throw new Error(prepared.message);
const node = await startNode({
  connection: options.connection,
  withRoles: prepared.withRoles,
  masterKey: prepared.masterKey,
  allowTargets: parseAllowTargets("127.0.0.1").targets,
  host: "127.0.0.1",
  port: 0,
  soleNode: options.soleNode,
  version: "crash",
  log: createLog(options.logLevel),
  ...(options.lease === undefined ? {} : { lease: options.lease }),
  ...(options.breaker === undefined ? {} : { breaker: options.breaker }),
  failpoint(name) {
    if (armed?.crashAt !== name) return;
    armed.countdown -= 1;
    if (armed.countdown <= 0) process.kill(process.pid, "SIGKILL");
  },
});
process.once("SIGTERM", () => void node.stop().then(() => process.exit(0)));
process.stdout.write(`${JSON.stringify({ ready: { id: node.id, url: node.url } })}\n`);
