// `npm run bench`: measures the bare loop and Posthorn in turn, on one PostgreSQL that it starts itself, and writes
// figures, chart and the block in bench/README.md. Must never leave a process behind or print a figure it has not checked.
import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { bareSide } from "./lib/bare-side.mjs";
import { drawChart } from "./lib/chart.mjs";
import { startInstrument, stopAllChildren } from "./lib/children.mjs";
import { describeMachine, machineLine, waitForQuiet } from "./lib/machine.mjs";
import { measure } from "./lib/measure.mjs";
import { startPostgres } from "./lib/postgres.mjs";
import { productIsBuilt, productSide } from "./lib/product-side.mjs";
import { disturbanceNote, resultsTable, writeResultsBlock } from "./lib/report.mjs";
import { SCENARIOS } from "./lib/scenarios.mjs";
import { summarise } from "./lib/summary.mjs";

const BENCH_DIRECTORY = dirname(dirname(fileURLToPath(import.meta.url)));
const RECEIVER = fileURLToPath(new URL("./receiver.mjs", import.meta.url));
/** The run of this name is the published one: its chart and table go into the README. */
const PUBLISHED_NAME = "end-to-end";

const HELP = `npm run bench -- [options]
  --rounds N          pairs of measurements per scenario (5)
  --seconds S         length of one measurement (8)
  --warm-up S         load before it that is not counted (3)
  --only SIDE         bare or product
  --scenarios A,B     ${SCENARIOS.map(({ name }) => name).join(", ")}
  --name NAME         results/NAME.json and .svg; "${PUBLISHED_NAME}" (default) also fills the README
  --quiet-wait S      wait so long for an idle machine before each measurement (10)
  --serve-args "…"    more arguments for posthorn serve, e.g. "--processes 2"
  --node-args="…"     options of the Node process that serves, e.g. "--cpu-prof --cpu-prof-dir=/tmp/profiles"
  --webhook JSON      fields added to every webhook, e.g. {"maxInFlight":256}
  --data-dir DIR      where PostgreSQL keeps its data (the system's temporary directory)
`;

const options = readOptions();
const abort = new AbortController();
for (const signal of /** @type {const} */ (["SIGINT", "SIGTERM", "SIGHUP"])) {
  process.on(signal, () => {
    abort.abort(new Error(`stopped by ${signal}`));
    // Ends whatever the current measurement waits for; its error brings us to the clean-up below.
    void stopAllChildren();
  });
}
process.exitCode = await main();

function readOptions() {
  const { values } = parseArgs({
    options: {
      rounds: { type: "string", default: "5" },
      seconds: { type: "string", default: "8" },
      "warm-up": { type: "string", default: "3" },
      only: { type: "string" },
      scenarios: { type: "string" },
      name: { type: "string", default: PUBLISHED_NAME },
      "quiet-wait": { type: "string", default: "10" },
      "serve-args": { type: "string", default: "" },
      "node-args": { type: "string", default: "" },
      webhook: { type: "string", default: "{}" },
      "data-dir": { type: "string" },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) {
    process.stdout.write(HELP);
    process.exit(0);
  }
  const names = values.scenarios?.split(",");
  const unknown = names?.find((name) => !SCENARIOS.some((scenario) => scenario.name === name));
  if (unknown !== undefined) throw new Error(`no scenario is called ${unknown}\n${HELP}`);
  if (!/^[a-z0-9-]+$/.test(values.name)) throw new Error("--name takes lower-case letters, digits and hyphens");
  return {
    rounds: positive(values.rounds),
    measureMs: positive(values.seconds) * 1000,
    warmUpMs: positive(values["warm-up"]) * 1000,
    only: values.only,
    scenarios: SCENARIOS.filter(({ name, byDefault }) => names?.includes(name) ?? byDefault),
    name: values.name,
    quietWaitMs: Number(values["quiet-wait"]) * 1000,
    serveArguments: words(values["serve-args"]),
    nodeArguments: words(values["node-args"]),
    webhookFields: JSON.parse(values.webhook),
    dataDirectory: values["data-dir"],
  };
}

/** @param {string} text */
function words(text) {
  return text.split(" ").filter((part) => part !== "");
}

/** @param {string} text */
function positive(text) {
  const value = Number(text);
  if (!(value > 0)) throw new Error(`${text} is not a positive number`);
  return value;
}

function chosenSides() {
  const sides = [];
  if (options.only !== "product") sides.push(bareSide);
  if (options.only !== "bare") {
    if (productIsBuilt()) sides.push(productSide(options));
    else say("Posthorn is not built (npm run build): measuring the bare loop alone.");
  }
  return sides;
}

/** @returns {Promise<number>} exit code */
async function main() {
  const sides = chosenSides();
  if (sides.length === 0) return 1;
  const postgres = await startPostgres(options.dataDirectory);
  try {
    const startedAt = new Date().toISOString();
    const machine = await describeMachine(postgres);
    say(machineLine(machine));
    const receiver = await startInstrument(RECEIVER);
    const bench = { postgres, receiver, warmUpMs: options.warmUpMs, measureMs: options.measureMs };
    const { measurements, failures } = await measureAll(bench, sides);
    const summary = summarise(options.scenarios, measurements);
    if (measurements.length > 0) await publish({ startedAt, machine, options, summary, failures, measurements });
    for (const failure of failures) say(`FAILED ${failure}`);
    return failures.length === 0 ? 0 : 1;
  } catch (error) {
    if (!abort.signal.aborted) throw error;
    say(String(abort.signal.reason?.message));
    return 130;
  } finally {
    await stopAllChildren();
    await postgres.stop();
  }
}

/** @param {import("./lib/measure.mjs").Bench} bench @param {import("./lib/sides.mjs").Side[]} sides */
async function measureAll(bench, sides) {
  /** @type {(import("./lib/measure.mjs").Measurement & { round: number })[]} */
  const measurements = [];
  /** @type {string[]} */
  const failures = [];
  for (let round = 1; round <= options.rounds; round += 1) {
    // A B, then B A: what drifts over time then falls on both sides alike.
    const order = round % 2 === 1 ? sides : [...sides].reverse();
    for (const scenario of options.scenarios) {
      for (const side of order) {
        await waitForQuiet(options.quietWaitMs);
        abort.signal.throwIfAborted();
        const measured = await measure(bench, side, scenario).catch((/** @type {Error} */ error) => error);
        abort.signal.throwIfAborted();
        if (measured instanceof Error) {
          failures.push(measured.message);
          say(`${round}/${options.rounds} FAILED ${measured.message}`);
        } else {
          measurements.push({ ...measured, round });
          say(`${round}/${options.rounds} ${progressLine(measured)}`);
        }
      }
    }
  }
  return { measurements, failures };
}

/** @param {import("./lib/measure.mjs").Measurement} one */
function progressLine(one) {
  const others = one.othersCpuShare === null ? "?" : Math.round(one.othersCpuShare * 100);
  const received = one.receiveMs.p50 === null ? "" : `, received p50 ${one.receiveMs.p50} p95 ${one.receiveMs.p95} ms`;
  return `${one.scenario} ${one.side}: ${Math.round(one.eventsPerSecond)}/s, ack p50 ${one.acknowledgeMs.p50} p99 ${one.acknowledgeMs.p99} ms${received}, CPU ${Math.round(one.nodeCpuUsPerEvent ?? 0)}+${Math.round(one.postgresCpuUsPerEvent ?? 0)} µs (others use ${others} %)`;
}

/** @param {{ startedAt: string, machine: Awaited<ReturnType<typeof describeMachine>>, summary: ReturnType<typeof summarise>, failures: string[], [key: string]: unknown }} results */
async function publish(results) {
  const directory = join(BENCH_DIRECTORY, "results");
  await mkdir(directory, { recursive: true });
  await writeFile(join(directory, `${options.name}.json`), `${JSON.stringify(results, null, 1)}\n`);
  await writeFile(join(directory, `${options.name}.svg`), drawChart(results.summary, machineLine(results.machine)));
  const table = resultsTable(results.summary);
  say(table);
  if (options.name !== PUBLISHED_NAME) return;
  const facts = `${results.startedAt.slice(0, 10)}, ${machineLine(results.machine)} ${options.rounds} rounds of ${options.measureMs / 1000} s after ${options.warmUpMs / 1000} s of warm-up; in brackets the least and the greatest.`;
  const warnings = [disturbanceNote(results.summary)].filter((note) => note !== null);
  if (results.failures.length > 0) {
    warnings.push(`${results.failures.length} measurements failed their checks and are not in the table.`);
  }
  const chart = "![Throughput, latency and CPU of Posthorn beside the bare loop](results/end-to-end.svg)";
  await writeResultsBlock(join(BENCH_DIRECTORY, "README.md"), [facts, ...warnings, table, chart].join("\n\n"));
}

/** @param {string} line */
function say(line) {
  process.stdout.write(`${line}\n`);
}
