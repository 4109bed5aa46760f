// npm run check: everything that can be checked without running the product, one line a step.
// It changes no file except what the build writes; a step that fails says what to do. Pick steps by name:
// `npm run check -- lint types`.
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const tool = (path) => join(root, "node_modules", path);

/** In this order: the schema is read by what the types step has built. */
const STEPS = [
  {
    name: "format",
    commands: [[tool("@biomejs/biome/bin/biome"), "format", "--reporter=summary", "."]],
    advice: "Run `npm run format`.",
  },
  {
    name: "lint",
    commands: [[tool("oxlint/bin/oxlint"), "--type-aware", "--quiet"]],
    advice:
      "Correct what is named above; a rule that is wrong for us is switched off, with its reason, in .oxlintrc.json.",
  },
  {
    name: "types",
    commands: [
      [tool("typescript/bin/tsc"), "-b"],
      [tool("typescript/bin/tsc"), "-p", "tsconfig.test.json"],
    ],
    advice: "Correct the types named above.",
  },
  {
    name: "docs",
    commands: [
      [join(root, "scripts", "docs-pages.mjs"), "--check"],
      [join(root, "scripts", "docs-site.mjs"), "--check"],
    ],
    advice: "Run `npm run build && node scripts/docs-pages.mjs --write`; correct the links named above by hand.",
  },
  {
    name: "event-map",
    commands: [[join(root, "scripts", "event-map.mjs"), "--check"]],
    advice: "Run `npm run build && node scripts/event-map.mjs --write`.",
  },
  {
    name: "unused",
    commands: [[tool("knip/bin/knip.js"), "--no-progress"]],
    advice: "Remove the files, exports and dependencies named above, or tell knip.json how they are used.",
  },
  {
    name: "layout",
    commands: [[tool("vitest/vitest.mjs"), "run", "packages/server/test/architecture.test.ts"]],
    advice: "See packages/server/test/architecture.test.ts: each rule says where such code belongs.",
  },
  {
    name: "schema",
    commands: [[join(root, "scripts", "schema.mjs"), "--check"]],
    advice: "Run `node scripts/schema.mjs --write` and commit packages/server/schema.sql with the migration.",
  },
];

/** Runs one step; what its programs printed is shown only when one of them failed. */
async function runStep(step) {
  const startedAt = performance.now();
  for (const command of step.commands) {
    const { status, output } = await run(command);
    if (status === 0) continue;
    console.error(`\n${output.trim()}\n`);
    console.error(`✗ ${step.name}: ${step.advice}\n`);
    return false;
  }
  console.log(`✓ ${step.name} (${((performance.now() - startedAt) / 1_000).toFixed(1)} s)`);
  return true;
}

function run(command) {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, command, { cwd: root, stdio: ["ignore", "pipe", "pipe"] });
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

const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => !STEPS.some((step) => step.name === name));
if (unknown.length > 0) {
  console.error(`There is no step ${unknown.join(", ")}; there are ${STEPS.map((step) => step.name).join(", ")}.`);
  process.exit(2);
}
if (!existsSync(tool("knip"))) {
  console.error("The development tools are not installed. Run `npm install` first.");
  process.exit(2);
}
let failed = 0;
for (const step of STEPS) {
  if (wanted.length > 0 && !wanted.includes(step.name)) continue;
  if (!(await runStep(step))) failed += 1;
}
if (failed > 0) process.exitCode = 1;
