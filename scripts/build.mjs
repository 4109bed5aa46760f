// Compiles the packages that tsconfig.json refers to and makes the documents a site, when a source has changed since the
// last time.
// Run as a program (npm run build) it always asks the compiler; with --if-stale, as the tests do, only when needed, and
// one after the other.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { StartProblem } from "./install.mjs";
import { lockFolder } from "./lock.mjs";

const LOOK_AGAIN_MS = 200;

const stampOf = (root) => join(root, "node_modules", ".posthorn-build");

/** True unless the last complete build saw exactly these files; 5 ms, where asking the compiler takes 200. */
export function needsBuild(root) {
  if (!packagesOf(root).every((folder) => existsSync(join(folder, "dist", ".tsbuildinfo")))) return true;
  return readText(stampOf(root)) !== fingerprint(root);
}

/** Compiles. Throws StartProblem with the compiler's words. */
export function build(root) {
  const compiler = join(root, "node_modules", "typescript", "bin", "tsc");
  // Taken away first: a build that is interrupted must not look done.
  rmSync(stampOf(root), { force: true });
  const before = fingerprint(root);
  const result = spawnSync(process.execPath, [compiler, "-b", ...(process.stdout.isTTY ? ["--pretty"] : [])], {
    cwd: root,
    encoding: "utf8",
  });
  if (result.status !== 0) {
    throw new StartProblem(
      `The sources do not compile:\n\n${`${result.stdout}${result.stderr}`.trim() || result.error?.message}`,
    );
  }
  makeDocsSite(root);
  writeFileSync(stampOf(root), before);
}

/** The pages that the server serves at /docs: 0.6 s, in a process of its own because this function does not wait. */
function makeDocsSite(root) {
  const result = spawnSync(process.execPath, [join(root, "scripts", "docs-site.mjs")], { cwd: root, encoding: "utf8" });
  if (result.status !== 0) throw new StartProblem(`The documents cannot be made a site:\n\n${result.stderr.trim()}`);
}

function packagesOf(root) {
  return JSON.parse(readText(join(root, "tsconfig.json"))).references.map(({ path }) => join(root, path));
}

/** Names, sizes and times, so that a copied tree stays built: the times of a file may go back (git checkout, rsync), so "newer than" would not do. */
function fingerprint(root) {
  const hash = createHash("sha256");
  const note = (path) => {
    const stat = statSync(path);
    hash.update(`${relative(root, path)}\0${stat.size}\0${stat.mtimeMs}\n`);
  };
  for (const name of ["tsconfig.json", "tsconfig.base.json", "package-lock.json"]) note(join(root, name));
  const noteFilesIn = (folder) => {
    const entries = readdirSync(folder, { recursive: true, withFileTypes: true });
    for (const path of entries
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name))
      .sort())
      note(path);
  };
  for (const folder of packagesOf(root)) {
    for (const name of ["package.json", "tsconfig.json"]) note(join(folder, name));
    noteFilesIn(join(folder, "src"));
  }
  note(join(root, "scripts", "docs-site.mjs"));
  for (const folder of ["docs", "scripts/docs"]) noteFilesIn(join(root, folder));
  return hash.digest("hex");
}

function readText(path) {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

/** Builds what is stale, once, however many processes ask at the same time. */
function buildIfStale(root) {
  while (needsBuild(root)) {
    const lock = lockFolder(root, "building");
    if (lock.holder !== undefined) {
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, LOOK_AGAIN_MS);
      continue;
    }
    try {
      if (needsBuild(root)) build(root);
    } finally {
      lock.release();
    }
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const root = dirname(dirname(fileURLToPath(import.meta.url)));
  try {
    if (process.argv[2] === "--if-stale") buildIfStale(root);
    else build(root);
  } catch (error) {
    if (!(error instanceof StartProblem)) throw error;
    console.error(error.message);
    process.exitCode = 1;
  }
}
