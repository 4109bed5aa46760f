// npm test: installs and builds what is missing, runs the tests, and ends with one plain line: N passed, N failed.
// Arguments go to vitest: npm test -- packages/server/test/lib/process-lock.test.ts
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { StartProblem } from "./install.mjs";
import { prepare, requireNode } from "./prepare.mjs";

const root = dirname(dirname(fileURLToPath(import.meta.url)));

try {
  requireNode(root);
  await prepare(root, { dev: true, say: (line) => console.log(line) });
} catch (error) {
  if (!(error instanceof StartProblem)) throw error;
  console.error(`\n${error.message}\n`);
  finish({ passed: 0, failed: 1 });
}

const folder = mkdtempSync(join(tmpdir(), "posthorn-report-"));
const report = join(folder, "report.json");
const vitest = spawn(
  process.execPath,
  [
    join(root, "node_modules", "vitest", "vitest.mjs"),
    "run",
    "--reporter=default",
    "--reporter=json",
    `--outputFile.json=${report}`,
    ...process.argv.slice(2),
  ],
  { cwd: root, stdio: "inherit" },
);
// Ctrl-C reaches vitest as well; it cleans up and then ends, and so do we.
process.on("SIGINT", () => {});
process.on("SIGTERM", () => vitest.kill("SIGTERM"));
vitest.on("exit", (code) => {
  const counts = readCounts(report);
  rmSync(folder, { recursive: true, force: true });
  // vitest may fail for what is no test: an unhandled rejection, a teardown.
  if (code !== 0 && counts.failed === 0) counts.failed = 1;
  finish(counts);
});

/** A file that could not even be loaded counts as one failure. */
function readCounts(path) {
  try {
    const { numPassedTests, numFailedTests, testResults } = JSON.parse(readFileSync(path, "utf8"));
    const unloaded = testResults.filter((file) => file.status === "failed" && file.assertionResults.length === 0);
    return { passed: numPassedTests, failed: numFailedTests + unloaded.length };
  } catch {
    return { passed: 0, failed: 1 };
  }
}

function finish({ passed, failed }) {
  console.log(`${passed} passed, ${failed} failed`);
  process.exit(failed === 0 ? 0 : 1);
}
