// Installs the packages that serving (or testing) needs, when they are not there as package-lock.json wants them.
// It must only be called by whoever holds the folder's lock: npm ci removes node_modules before it fills it again.
import { spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";

/** A failure that the person at the keyboard can mend; its message is all that is printed. */
export class StartProblem extends Error {}

/**
 * Compares package-lock.json with what npm noted about the last complete installation (`node_modules/.package-lock.json`,
 * absent when npm was interrupted): 5 ms. Optional packages may be missing, but not be of another version.
 * A complete installation for development is good for serving too.
 */
export function needsInstall(root, { dev }) {
  const wanted = readPackages(join(root, "package-lock.json"));
  const present = readPackages(join(root, "node_modules", ".package-lock.json"));
  if (wanted === undefined)
    throw new StartProblem("package-lock.json is missing or damaged: this is no complete copy of Posthorn.");
  if (present === undefined) return true;
  return Object.entries(wanted).some(([path, entry]) => {
    if (!path.startsWith("node_modules/") && !path.includes("/node_modules/")) return false;
    const found = present[path];
    if (found !== undefined)
      return found.version !== entry.version || found.integrity !== entry.integrity || !existsSync(join(root, path));
    if (entry.optional || entry.devOptional) return false;
    return dev || !entry.dev;
  });
}

/**
 * Runs npm ci. `lock` is told of npm's process, so that an npm that outlives a killed starter still counts as busy.
 * Throws StartProblem with what to do.
 */
export async function install(root, { dev, lock }) {
  const args = [
    "ci",
    dev ? "--include=dev" : "--omit=dev",
    "--ignore-scripts",
    "--no-audit",
    "--no-fund",
    "--loglevel=error",
  ];
  const [program, first] = findNpm();
  const child = spawn(program, [...first, ...args], {
    cwd: root,
    stdio: ["ignore", "pipe", "pipe"],
    shell: process.platform === "win32" && first.length === 0,
  });
  if (child.pid !== undefined) lock.shareWith(child.pid);
  const forward = (signal) => child.kill(signal);
  const signals = ["SIGINT", "SIGTERM", "SIGHUP"];
  for (const signal of signals) process.on(signal, forward);
  const result = await outcomeOf(child);
  for (const signal of signals) process.off(signal, forward);
  if (result.code !== 0) throw new StartProblem(explain(root, result));
}

function outcomeOf(child) {
  let output = "";
  for (const stream of [child.stderr, child.stdout]) stream.on("data", (chunk) => (output += chunk));
  return new Promise((resolve) => {
    child.on("error", (error) => resolve({ error, output }));
    child.on("close", (code, signal) => resolve({ code, signal, output: output.trim() }));
  });
}

/** The npm that started us, if it was one; otherwise the one on the path. */
function findNpm() {
  const path = process.env.npm_execpath ?? "";
  return /^npm(-cli)?\.[cm]?js$/.test(basename(path)) ? [process.execPath, [path]] : ["npm", []];
}

function explain(root, { error, output, code, signal }) {
  if (error?.code === "ENOENT")
    return "npm was not found. Install it (it comes with Node.js from https://nodejs.org) and try again.";
  if (signal || code > 128) return "The installation was interrupted. Start again: it begins anew.";
  const tail = output.split("\n").slice(-12).join("\n");
  if (/EUSAGE|in sync/.test(output)) {
    return `package.json and package-lock.json do not fit together. After changing dependencies run: npm install\n\n${tail}`;
  }
  if (/\b(ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|EHOSTUNREACH)\b/.test(output)) {
    return `The npm registry cannot be reached. Check the network, or the proxy and registry settings of npm (npm config get registry), and try again.`;
  }
  if (/\b(EACCES|EROFS|EPERM)\b/.test(output)) return readOnly(root);
  if (/\bENOSPC\b/.test(output)) return `The disk is full: the packages need about 150 MB in ${root}.`;
  return `Installing the packages failed. npm says:\n\n${tail || error?.message}`;
}

/** What to say when we may not write here. */
export function readOnly(root) {
  return `${root} cannot be written to, and something has to be installed or built there first. Start once as its owner, or give yourself the right to write (chown).`;
}

function readPackages(path) {
  try {
    return JSON.parse(readFileSync(path, "utf8")).packages;
  } catch {
    return undefined;
  }
}
