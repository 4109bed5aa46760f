// npm run fuzz [-- --seconds 120] [--seed n] [--examples n]: the public fuzzer Schemathesis over openapi.json, against a
// node of its own on loopback. Exits with 1 on a 5xx, an undocumented status, an answer that breaks its schema, or a
// request that should have been refused; with 2 when the machine lacks something.
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { startNode } from "../packages/conformance/fuzz/node.mjs";
import { prepareDocument } from "../packages/conformance/fuzz/prepare-document.mjs";
import { Lacking, schemathesis } from "../packages/conformance/fuzz/python.mjs";
import { neverSucceeded, summaryOf } from "../packages/conformance/fuzz/summary.mjs";
import { StartProblem } from "./install.mjs";
import { prepare, requireNode } from "./prepare.mjs";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const { values } = parseArgs({
  options: {
    seconds: { type: "string", default: "120" },
    seed: { type: "string", default: "20261123" },
    examples: { type: "string", default: "20" },
  },
});

let program;
try {
  requireNode(root);
  await prepare(root, { dev: true, say: (line) => console.log(line) });
  program = schemathesis(root);
} catch (error) {
  if (!(error instanceof StartProblem) && !(error instanceof Lacking)) throw error;
  console.error(`\n${error.message}\n`);
  process.exit(2);
}

const ARGUMENTS = [
  "--phases=examples,coverage,fuzzing,stateful",
  `--max-examples=${values.examples}`,
  `--max-time=${values.seconds}`,
  `--seed=${values.seed}`,
  "--continue-on-failure",
  "--request-timeout=30",
  "--suppress-health-check=all",
  "--generation-database=none",
  "--no-color",
];

const MOST_UNREACHED = 0.2;
const folder = mkdtempSync(join(tmpdir(), "posthorn-fuzz-report-"));
const node = await startNode(root);
console.log(`Fuzzing ${node.url} for ${values.seconds} s, seed ${values.seed}`);
let failed = false;
try {
  const { document, keyId } = await prepareDocument(node);
  const file = join(folder, "openapi.json");
  const report = join(folder, "report.ndjson");
  writeFileSync(file, JSON.stringify(document));
  const { status, output } = await run(program, keyId, [
    `--config-file=${join(root, "packages", "conformance", "fuzz", "schemathesis.toml")}`,
    "run",
    file,
    `--url=${node.url}/v1`,
    `--header=Authorization: Bearer ${node.apiKey}`,
    "--report=ndjson",
    `--report-ndjson-path=${report}`,
    ...ARGUMENTS,
  ]);
  if (status !== 0) console.log(output);
  const summary = summaryOf(report);
  printTable(summary.byOperation, document);
  const complaints = node.complaints();
  for (const line of complaints.slice(0, 5)) console.log(line.slice(0, 500));
  const operationCount = Object.values(document.paths).flatMap((item) => Object.keys(item)).length;
  // A run that met little but refusals proves nothing. Some operations want what random requests seldom bring about (a
  // parked key, a snapshot under way); which, depends on the machine's speed, so they are named and only many of them fail.
  const unreached = neverSucceeded(summary.byOperation, document);
  if (unreached.length > 0) console.log(`\nNever succeeded: ${unreached.join(", ")}`);
  failed = status !== 0 || complaints.length > 0 || unreached.length > operationCount * MOST_UNREACHED;
  console.log(
    `\n${failed ? "FAILED" : "Passed"}: ${summary.requests} requests to ${operationCount} operations, ${summary.failures} failed checks, ${complaints.length} errors in the log. Seed ${values.seed}.`,
  );
} finally {
  await node.stop();
  rmSync(folder, { recursive: true, force: true });
}
process.exitCode = failed ? 1 : 0;

function run(command, keyId, args) {
  return new Promise((resolve, reject) => {
    const env = {
      ...process.env,
      SCHEMATHESIS_HOOKS: join(root, "packages", "conformance", "fuzz", "hooks.py"),
      POSTHORN_FUZZ_KEY_ID: keyId,
      PYTHONDONTWRITEBYTECODE: "1",
    };
    const child = spawn(command, args, { cwd: folder, env, stdio: ["ignore", "pipe", "pipe"] });
    let output = "";
    const keep = (chunk) => {
      output += chunk;
    };
    child.stdout.setEncoding("utf8").on("data", keep);
    child.stderr.setEncoding("utf8").on("data", keep);
    child.once("error", reject);
    child.once("close", (status, signal) => resolve({ status: status ?? signal, output }));
  });
}

/** Operations of the document by status; methods that it does not have are left out. */
function printTable(byOperation, document) {
  const isListed = ([name]) => {
    const [method, path] = name.split(" ");
    return document.paths[path]?.[method.toLowerCase()] !== undefined;
  };
  const listed = [...byOperation].filter(isListed).sort(([a], [b]) => (a < b ? -1 : 1));
  const width = Math.max(...listed.map(([name]) => name.length));
  for (const [name, counts] of listed) {
    const cells = [...counts].sort(([a], [b]) => (a < b ? -1 : 1)).map(([status, count]) => `${status}: ${count}`);
    console.log(`${name.padEnd(width)}  ${cells.join(", ")}`);
  }
}
