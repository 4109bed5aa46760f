// npm test: installs and builds what is missing, runs the tests, and ends with one plain line: N passed, N failed.
// Arguments go to vitest: npm test -- packages/server/test/lib/process-lock.test.ts
// A few files that failed are run once more, alone: what then passes is counted as passed and named, so that a test that
// only fails on a busy machine is seen and mended without holding back what is right. It must never hide its name.
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
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

const MOST_FILES_AGAIN = 4;

const folder = mkdtempSync(join(tmpdir(), "posthorn-report-"));
let running;
// Ctrl-C reaches vitest as well; it cleans up and then ends, and so do we.
let isInterrupted = false;
process.on("SIGINT", () => {
  isInterrupted = true;
});
process.on("SIGTERM", () => {
  isInterrupted = true;
  running?.kill("SIGTERM");
});

const counts = await runVitest(process.argv.slice(2), "report.json");
if (
  !isInterrupted &&
  counts.failed > 0 &&
  counts.failedFiles.length > 0 &&
  counts.failedFiles.length <= MOST_FILES_AGAIN
) {
  console.log(`\n${counts.failedFiles.length} file(s) failed; each once more, alone:`);
  const again = await runVitest([...counts.failedFiles, "--maxWorkers=1", "--no-file-parallelism"], "again.json");
  if (again.failed === 0) {
    console.log("Passed only when run alone, which is a fault of the test or of what it tests:");
    for (const name of counts.failedNames) console.log(`  ${name}`);
    counts.passed += counts.failed;
    counts.failed = 0;
  }
}
rmSync(folder, { recursive: true, force: true });
finish(counts);

function runVitest(args, reportName) {
  const report = join(folder, reportName);
  const command = [join(root, "node_modules", "vitest", "vitest.mjs"), "run", "--reporter=default", "--reporter=json"];
  running = spawn(process.execPath, [...command, `--outputFile.json=${report}`, ...args], {
    cwd: root,
    stdio: "inherit",
  });
  return new Promise((resolve) => {
    running.on("exit", (code) => {
      const read = readCounts(report);
      // vitest may fail for what is no test: an unhandled rejection, a teardown.
      if (code !== 0 && read.failed === 0) read.failed = 1;
      resolve(read);
    });
  });
}

/** A file that could not even be loaded counts as one failure. */
function readCounts(path) {
  try {
    const { numPassedTests, numFailedTests, testResults } = JSON.parse(readFileSync(path, "utf8"));
    const failedFiles = testResults.filter((file) => file.status === "failed");
    const unloaded = failedFiles.filter((file) => file.assertionResults.length === 0);
    const failedNames = failedFiles.flatMap(({ name, assertionResults }) => {
      const failures = assertionResults.filter((each) => each.status === "failed").map((each) => each.fullName);
      return failures.length === 0 ? [name] : failures.map((failure) => `${relative(root, name)}: ${failure}`);
    });
    return {
      passed: numPassedTests,
      failed: numFailedTests + unloaded.length,
      failedFiles: failedFiles.map((file) => file.name),
      failedNames,
    };
  } catch {
    return { passed: 0, failed: 1, failedFiles: [], failedNames: [] };
  }
}

function finish({ passed, failed }) {
  console.log(`${passed} passed, ${failed} failed`);
  process.exit(failed === 0 ? 0 : 1);
}
