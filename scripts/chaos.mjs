// npm run chaos -- --minutes 5 [--seed n] [--nodes n] [--senders n] [--fail-rate 0.2]: the long form of the crash proof.
// Kills nodes and PostgreSQL, pauses, cuts connections under load, and ends with a table. --rolling only replaces nodes in
// order, one after the other, where nothing may fail and nothing may be repeated. --faults [F1 F7] runs the named
// tests of every fault instead, and ends with a table of them. --zoo makes 20,000 attempts at bad certificates; --zoo
// --serve starts the receivers that misbehave, to be tried by hand. Exits with 1 when a promise was broken.
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { proveFaults } from "./chaos-faults.mjs";
import { StartProblem } from "./install.mjs";
import { prepare, requireNode } from "./prepare.mjs";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    minutes: { type: "string", default: "5" },
    seed: { type: "string", default: String(Date.now() % 1_000_000) },
    nodes: { type: "string", default: "2" },
    senders: { type: "string", default: "8" },
    "fail-rate": { type: "string", default: "0" },
    rolling: { type: "boolean", default: false },
    faults: { type: "boolean", default: false },
    zoo: { type: "boolean", default: false },
    serve: { type: "boolean", default: false },
    verbose: { type: "boolean", default: false },
  },
});

try {
  requireNode(root);
  await prepare(root, { dev: true, say: (line) => console.log(line) });
} catch (error) {
  if (!(error instanceof StartProblem)) throw error;
  console.error(`\n${error.message}\n`);
  process.exit(1);
}

if (values.faults) {
  const unproven = await proveFaults(root, positionals);
  process.exit(unproven === 0 ? 0 : 1);
}

// The harness is TypeScript and runs from source, as in the tests; the nodes that it starts run what was built.
// Not before the packages are installed.
const { defaultServerConditions, runnerImport } = await import("vite");
const conditions = ["source", ...defaultServerConditions];
const load = async (path) => {
  const settings = {
    root,
    configFile: false,
    logLevel: "error",
    resolve: { conditions },
    ssr: { resolve: { conditions } },
  };
  return (await runnerImport(join(root, "packages/server/test/support", path), settings)).module;
};

if (values.zoo && values.serve) {
  const { startZooProgram } = await load("receivers/zoo-program.ts");
  const stop = await startZooProgram((line) => console.log(line));
  await new Promise((resolve) => ["SIGINT", "SIGTERM"].forEach((signal) => process.once(signal, resolve)));
  await stop();
  process.exit(0);
}
if (values.zoo) {
  const { attemptBadCertificates } = await load("receivers/bad-certificates.ts");
  const figures = await attemptBadCertificates(20_000);
  for (const [name, value] of Object.entries(figures)) console.log(`${name.padEnd(14)} ${Math.round(value * 10) / 10}`);
  const isFlat = figures.heapGrowthMb < 20 && figures.openSockets === 0;
  process.exit(isFlat && figures.otherwise + figures.requestBytes === 0 ? 0 : 1);
}

const minutes = Number(values.minutes);
if (values.rolling) process.exit(await rollingRestart());

const module = await load("crash/chaos.ts");
const options = {
  seed: Number(values.seed),
  durationMs: minutes * 60_000,
  nodeCount: Number(values.nodes),
  senderCount: Number(values.senders),
  failRate: Number(values["fail-rate"]),
};
/** Of deliveries that ended, so many have to end delivered. */
const DELIVERED_SHARE = 0.999;
console.log(
  `Chaos for ${minutes} min, seed ${options.seed}, ${options.nodeCount} node(s), ${options.senderCount + 1} senders`,
);
const begunAtMs = performance.now();
const stamp = () => `${((performance.now() - begunAtMs) / 1_000).toFixed(1).padStart(7)} s`;
const say = values.verbose ? (line) => console.log(`${stamp()}  ${line}`) : () => {};
const { verdict, ledgerPath, settledMs, endedByItself } = await module.runChaos({ ...options, say });

const { counts, faults, explained, violations } = verdict;
console.log();
for (const [fault, count] of Object.entries(faults)) row(`fault: ${fault.replaceAll("_", " ")}`, count);
row("operations", counts.invoked);
row("acknowledged", counts.acknowledged);
row("stored", counts.stored);
row("deliveries ended", counts.deliveries);
const share = counts.deliveries === 0 ? 1 : counts.delivered / counts.deliveries;
row("  of them delivered, in %", (share * 100).toFixed(3));
row("requests received", counts.requests);
row("repeated requests", counts.duplicates);
for (const [fault, count] of Object.entries(explained)) row(`  explained by ${fault.replaceAll("_", " ")}`, count);
row("settled after the last fault, in ms", Math.round(settledMs));
row("nodes that ended by themselves", endedByItself);
row("violations", violations.length);
row("lost", counts.lost);
if (violations.length > 0) {
  console.log();
  for (const { rule, detail } of violations.slice(0, 40)) console.log(`${rule}: ${detail}`);
  console.log(`\nThe ledger of this run: ${ledgerPath}`);
}
if (share < DELIVERED_SHARE) console.log(`\nLess than ${DELIVERED_SHARE * 100} % of what ended was delivered.`);
process.exit(violations.length + endedByItself === 0 && share >= DELIVERED_SHARE ? 0 : 1);

function row(name, value) {
  console.log(`${name.padEnd(44)}${String(value).padStart(10)}`);
}

/** @returns the exit code */
async function rollingRestart() {
  const { rollForMinutes } = await load("crash/rolling.ts");
  const [nodeCount, senderCount] = [Number(values.nodes), Number(values.senders)];
  console.log(`Rolling restart for ${minutes} min, ${nodeCount} node(s), ${senderCount} senders with the SDK`);
  const note = values.verbose ? (line) => console.log(line) : () => {};
  const report = await rollForMinutes({ minutes, nodeCount, senderCount, say: note });
  const { counts: sums, violations: found } = report.verdict;
  console.log();
  row("nodes replaced", report.replacedCount);
  row("longest from SIGTERM to the end, in ms", Math.round(report.longestStopMs));
  row("exit codes other than 0", report.badExits.length);
  row("published", sums.invoked);
  row("failed publishes", report.failedPublishes.length);
  row("requests received", sums.requests);
  row("repeated requests", sums.duplicates);
  row("violations", found.length);
  for (const { rule, detail } of found.slice(0, 40)) console.log(`${rule}: ${detail}`);
  for (const message of report.failedPublishes.slice(0, 10)) console.log(message);
  const isKept = found.length + report.failedPublishes.length + report.badExits.length === 0;
  return isKept && report.longestStopMs <= 20_000 ? 0 : 1;
}
