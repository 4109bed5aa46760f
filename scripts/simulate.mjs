// npm run simulate [-- --schedules 100000] [--seed n] [--processes n]: the state machines that decide who may send, what
// and when, through seeded schedules of faults. A seed that breaks a promise is printed, and --seed n --schedules 1
// repeats it. Exits with 1 when one was broken.
import { spawn } from "node:child_process";
import { availableParallelism } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { StartProblem } from "./install.mjs";
import { prepare, requireNode } from "./prepare.mjs";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const { values } = parseArgs({
  options: {
    schedules: { type: "string", default: "100000" },
    seed: { type: "string", default: "1" },
    processes: { type: "string", default: String(Math.min(4, availableParallelism())) },
    /** Internal: this process is one of several, and reports as JSON. */
    part: { type: "boolean", default: false },
  },
});
const schedules = Number(values.schedules);
const firstSeed = Number(values.seed);

if (values.part) {
  const { defaultServerConditions, runnerImport } = await import("vite");
  const conditions = ["source", ...defaultServerConditions];
  const { module } = await runnerImport(join(root, "packages/server/test/support/simulation/simulate.ts"), {
    root,
    configFile: false,
    logLevel: "error",
    resolve: { conditions },
    ssr: { resolve: { conditions } },
  });
  process.stdout.write(JSON.stringify(await module.simulate(firstSeed, schedules)));
} else {
  try {
    requireNode(root);
    await prepare(root, { dev: true, say: (line) => console.log(line) });
  } catch (error) {
    if (!(error instanceof StartProblem)) throw error;
    console.error(`\n${error.message}\n`);
    process.exit(1);
  }
  const count = Math.max(1, Math.min(Number(values.processes), schedules));
  const begunAtMs = performance.now();
  const share = Math.ceil(schedules / count);
  const parts = await Promise.all(
    Array.from({ length: count }, async (_, at) => {
      const left = Math.min(share, schedules - at * share);
      return left <= 0 ? [] : runPart(firstSeed + at * share, left);
    }),
  );
  let broken = 0;
  for (const name of new Set(parts.flat().map((each) => each.name))) {
    const of = parts.flat().filter((each) => each.name === name);
    const counts = {};
    for (const { figures } of of) for (const [key, n] of Object.entries(figures)) counts[key] = (counts[key] ?? 0) + n;
    const found = of.flatMap((each) => each.violations);
    broken += found.length;
    const told = Object.entries(counts).map(([key, n]) => `${n} ${key}`);
    console.log(`${name.padEnd(10)} ${schedules} schedules: ${told.join(", ")}; ${found.length} broken`);
    for (const { seed, rule, detail } of found.slice(0, 20)) console.log(`  seed ${seed}: ${rule}: ${detail}`);
  }
  console.log(`${((performance.now() - begunAtMs) / 1_000).toFixed(1)} s, seeds from ${firstSeed}`);
  process.exit(broken === 0 ? 0 : 1);
}

function runPart(seed, length) {
  const args = [fileURLToPath(import.meta.url), "--part", "--seed", String(seed), "--schedules", String(length)];
  const child = spawn(process.execPath, args, { cwd: root, stdio: ["ignore", "pipe", "inherit"] });
  let output = "";
  child.stdout.on("data", (chunk) => (output += chunk));
  return new Promise((resolve, reject) => {
    child.once("close", (code) =>
      code === 0 ? resolve(JSON.parse(output)) : reject(new Error(`a part ended (${code})`)),
    );
  });
}
