// A lock held by one living process of this machine: over a data directory, a test run.
// It must never be taken from a process that lives, and never outlive one that is gone.
//
// The lock is a folder holding one file, named after its holder. Two properties of rename(2) and unlink(2) make it
// safe without a server: a prepared folder can be renamed onto the lock's name only while nothing or an empty folder
// is there, and a dead holder's mark is removed by its unique name, so that nobody can remove a living one by mistake.
// A single file has neither: whoever unlinks a stale one may hit the file that a faster process has just put there.
import { randomUUID } from "node:crypto";
import { mkdir, readdir, readFile, rename, rm, rmdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { isProcessAlive, ownProcess } from "./process-identity.ts";

export type ProcessLock = {
  readonly path: string;
  /** Replaces what others are told about the holder; atomic for readers. */
  update(info: Record<string, string>): Promise<void>;
  /** Gives the lock up; a second call does nothing. */
  release(): Promise<void>;
};

export type LockHolder = { readonly pid: number; readonly info: Record<string, string> };

export type ProcessLockResult =
  | { readonly outcome: "acquired"; readonly lock: ProcessLock }
  | ({ readonly outcome: "held" } & LockHolder);

/**
 * Takes the lock at `path` (the folder it stands in must exist), or says which process holds it and what that process
 * told about itself. The lock of a dead process is taken over, also when several try at once. `info` can be read by
 * everybody who can read the folder: no secrets. Holds among processes that see each other's pids: two containers that
 * share a volume do not.
 */
export async function acquireProcessLock(path: string, info: Record<string, string> = {}): Promise<ProcessLockResult> {
  const { pid, startedAt } = ownProcess();
  const mark = `${pid}.${startedAt}.${randomUUID()}`;
  const draft = `${path}.${mark}`;
  await mkdir(draft, { mode: 0o755 });
  try {
    await writeFile(join(draft, mark), JSON.stringify(info));
    for (;;) {
      if (await moveIntoPlace(draft, path)) return { outcome: "acquired", lock: lockAt(path, mark, info) };
      const holder = await clearDeadMarks(path);
      if (holder !== undefined) return { outcome: "held", ...holder };
    }
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
}

/** Who holds the lock at `path` now, without taking it; undefined when nobody who lives does. */
export async function findLockHolder(path: string): Promise<LockHolder | undefined> {
  for (const mark of await listMarks(path)) {
    if (isProcessAlive(parseMark(mark))) return describeHolder(path, mark);
  }
  return undefined;
}

function lockAt(path: string, mark: string, firstInfo: Record<string, string>): ProcessLock {
  const draft = `${path}.${mark}.info`;
  let released = false;
  // One at a time: an update that finished after the release would bring the mark back for as long as we live.
  let last: Promise<void> = Promise.resolve();
  const inTurn = (task: () => Promise<void>): Promise<void> => {
    last = last.then(task, task);
    return last;
  };
  return {
    path,
    update: (info) =>
      inTurn(async () => {
        if (released) return;
        await writeFile(draft, JSON.stringify({ ...firstInfo, ...info }));
        await rename(draft, join(path, mark));
      }),
    release: () =>
      inTurn(async () => {
        if (released) return;
        released = true;
        await rm(join(path, mark), { force: true });
        // For tidiness only; when somebody else has moved in meanwhile it is not empty and stays.
        await rmdir(path).catch(() => {});
      }),
  };
}

async function moveIntoPlace(draft: string, path: string): Promise<boolean> {
  // Windows does not rename onto an empty folder; removing it first fails harmlessly when it is not empty.
  if (process.platform === "win32") await rmdir(path).catch(() => {});
  try {
    await rename(draft, path);
    return true;
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === "ENOTEMPTY" || code === "EEXIST" || (process.platform === "win32" && code === "EPERM")) return false;
    throw error;
  }
}

async function clearDeadMarks(path: string): Promise<LockHolder | undefined> {
  for (const mark of await listMarks(path)) {
    if (isProcessAlive(parseMark(mark))) return describeHolder(path, mark);
    await rm(join(path, mark), { force: true, recursive: true });
  }
  return undefined;
}

async function listMarks(path: string): Promise<string[]> {
  try {
    return await readdir(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
}

/** The name alone identifies the holder, so a file emptied by a power failure blocks nobody. */
function parseMark(mark: string): { pid: number; startedAt: string } {
  const [pid = "", startedAt = ""] = mark.split(".");
  return { pid: Number(pid), startedAt };
}

async function describeHolder(path: string, mark: string): Promise<LockHolder> {
  const text = await readFile(join(path, mark), "utf8").catch(() => "");
  return { pid: parseMark(mark).pid, info: parseInfo(text) };
}

function parseInfo(text: string): Record<string, string> {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? (value as Record<string, string>) : {};
  } catch {
    return {};
  }
}
