// Who is busy in this folder: at most one process that installs or builds, and any number that run what was built.
// It must never let an installation pull the modules away from under a running server.
//
// The same scheme as packages/server/src/lib/process-lock.ts, which says why it is safe; written again here because
// nothing is compiled yet when it is needed.
import { mkdirSync, readdirSync, readFileSync, renameSync, rmdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { randomUUID } from "node:crypto";

const folderOf = (root) => join(root, ".posthorn-start");

/** Takes the right to change the folder: `{ shareWith(pid), release() }`, or `{ holder: { pid, doing } }` when somebody has it. */
export function lockFolder(root, doing) {
  const path = join(folderOf(root), "lock");
  const mark = markOf(process.pid);
  const draft = `${path}.${mark}`;
  mkdirSync(draft, { recursive: true });
  writeFileSync(join(draft, mark), doing);
  try {
    for (;;) {
      if (moveIntoPlace(draft, path)) return holding(path, mark, doing);
      const [living] = livingMarks(path);
      if (living !== undefined) return { holder: { pid: pidOf(living), doing: readText(join(path, living)) } };
    }
  } finally {
    rmSync(draft, { recursive: true, force: true });
  }
}

/** Every mark in the lock's folder holds it: ours, and that of a helper which may outlive us. */
function holding(path, mark, doing) {
  const marks = [mark];
  return {
    shareWith(pid) {
      marks.push(markOf(pid));
      writeFileSync(join(path, marks.at(-1)), doing);
    },
    release() {
      for (const one of marks) leave(path, one);
    },
  };
}

/** Notes that this process runs from the folder until it ends. A read-only folder needs no note: nobody installs there. */
export function noteRunning(root) {
  const path = join(folderOf(root), "running");
  const mark = markOf(process.pid);
  try {
    mkdirSync(path, { recursive: true });
    writeFileSync(join(path, mark), "");
    process.once("exit", () => leave(path, mark));
  } catch (error) {
    if (error.code !== "EACCES" && error.code !== "EROFS" && error.code !== "EPERM") throw error;
  }
}

/** The pids of the processes that run from the folder. */
export function findRunning(root) {
  return livingMarks(join(folderOf(root), "running")).map(pidOf);
}

function leave(path, mark) {
  try {
    rmSync(join(path, mark), { force: true });
    rmdirSync(path);
  } catch {
    // Others are still in there, or the folder is gone: either is fine.
  }
}

function moveIntoPlace(draft, path) {
  try {
    if (process.platform === "win32") rmdirSync(path);
  } catch {
    // Not there, or not empty: the rename tells.
  }
  try {
    renameSync(draft, path);
    return true;
  } catch (error) {
    if (error.code === "ENOTEMPTY" || error.code === "EEXIST") return false;
    if (process.platform === "win32" && error.code === "EPERM") return false;
    throw error;
  }
}

/** Removes the marks of the dead on the way. */
function livingMarks(path) {
  let marks;
  try {
    marks = readdirSync(path);
  } catch {
    return [];
  }
  return marks.filter((mark) => {
    if (isAlive(mark)) return true;
    rmSync(join(path, mark), { force: true });
    return false;
  });
}

function markOf(pid) {
  return `${pid}.${startOf(pid) ?? ""}.${randomUUID()}`;
}

function pidOf(mark) {
  return Number(mark.split(".")[0]);
}

function isAlive(mark) {
  const [pid, start] = mark.split(".");
  try {
    process.kill(Number(pid), 0);
  } catch (error) {
    if (error.code !== "EPERM") return false;
  }
  const now = startOf(pid);
  return now === undefined || (now !== "dead" && (start === "" || now === start));
}

/** Boot and clock tick of a process's start, by proc(5); undefined where there is no /proc. */
function startOf(pid) {
  const stat = readText(`/proc/${pid}/stat`);
  if (stat === "") return undefined;
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return fields[0] === "Z" ? "dead" : `${readText("/proc/sys/kernel/random/boot_id").trim()}_${fields[19]}`;
}

function readText(path) {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
