// Makes the folder ready to run: packages installed, sources compiled. Does nothing, quickly, when it is ready.
// It must never change anything while another process does, nor take the packages away from one that runs from here.
import { accessSync, constants, readFileSync } from "node:fs";
import { join } from "node:path";
import { build, needsBuild } from "./build.mjs";
import { install, needsInstall, readOnly, StartProblem } from "./install.mjs";
import { findRunning, lockFolder, noteRunning } from "./lock.mjs";

/**
 * Installs and builds what is missing, and notes that this process runs from the folder.
 * `dev` adds what the tests need. `say` prints a line. Throws StartProblem.
 */
export async function prepare(root, { dev, say }) {
  if (!isReady(root, dev)) {
    requireWritable(root);
    const lock = takeLock(root);
    try {
      await makeReady(root, dev, say, lock);
      noteRunning(root);
    } finally {
      lock.release();
    }
    return;
  }
  noteRunning(root);
}

function isReady(root, dev) {
  return !needsInstall(root, { dev }) && !needsBuild(root);
}

async function makeReady(root, dev, say, lock) {
  // The one who held the lock a moment ago may have done it all.
  if (isReady(root, dev)) return;
  if (needsInstall(root, { dev })) {
    refuseWhileRunning(root);
    say(`Installing packages from the npm registry (${dev ? "all, for the tests" : "once"}; well under a minute) ...`);
    await install(root, { dev, lock });
  }
  if (needsBuild(root)) {
    say("Building ...");
    build(root);
  }
}

function takeLock(root) {
  const lock = lockFolder(root, "installing or building");
  if (lock.holder === undefined) return lock;
  throw new StartProblem(
    `Another start (pid ${lock.holder.pid}) is just ${lock.holder.doing || "preparing"} in this folder. Let it finish, then try again.`,
  );
}

function refuseWhileRunning(root) {
  const pids = findRunning(root);
  if (pids.length === 0) return;
  throw new StartProblem(
    `Packages have to be installed anew, but Posthorn is running from this folder (pid ${pids.join(", ")}). Stop it first, then start again.`,
  );
}

function requireWritable(root) {
  try {
    accessSync(root, constants.W_OK);
  } catch {
    throw new StartProblem(readOnly(root));
  }
}

/** Throws StartProblem when this Node.js is older than package.json asks for. */
export function requireNode(root) {
  const wanted = JSON.parse(readFileSync(join(root, "package.json"), "utf8")).engines.node.replace(/^>=\s*/, "");
  const [major, minor] = process.versions.node.split(".").map(Number);
  const [wantedMajor, wantedMinor = 0] = wanted.split(".").map(Number);
  if (major > wantedMajor || (major === wantedMajor && minor >= wantedMinor)) return;
  throw new StartProblem(
    `Posthorn needs Node.js ${wanted} or newer; this is ${process.version}. See https://nodejs.org`,
  );
}
