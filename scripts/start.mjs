// npm start: makes a fresh clone ready (packages, build) and serves, with nothing but Node.js and npm.
// It must not depend on any package, and must say what to do when it cannot go on.
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { StartProblem } from "./install.mjs";
import { prepare, requireNode } from "./prepare.mjs";

const root = dirname(dirname(fileURLToPath(import.meta.url)));

try {
  requireNode(root);
  await prepare(root, { dev: false, say: (line) => console.log(line) });
} catch (error) {
  if (!(error instanceof StartProblem)) throw error;
  console.error(`\n${error.message}\n`);
  process.exit(1);
}

// In this very process: signals and the exit code need no forwarding, and there is one process less.
const program = join(root, "packages", "cli", "dist", "posthorn.js");
process.argv = [process.argv[0], program, "serve", ...process.argv.slice(2)];
await import(pathToFileURL(program).href);
