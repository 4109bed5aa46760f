// Tells one running process from another, also when the operating system gives a pid out again.
// It must never call a process dead that it cannot judge: a doubtful pid counts as alive.
import { readFileSync } from "node:fs";

/** A process as a lock file can name it; `startedAt` is opaque (letters, digits, - and _), and "" where the platform does not tell. */
export type ProcessIdentity = { readonly pid: number; readonly startedAt: string };

/** Who is asking. */
export function ownProcess(): ProcessIdentity {
  return { pid: process.pid, startedAt: startOf(process.pid) ?? "" };
}

/**
 * Is that very process still running? A zombie counts as dead: it holds no file and answers nothing, and a container
 * whose first process does not reap keeps zombies for ever. A pid with another start time was given out again.
 */
export function isProcessAlive(identity: ProcessIdentity): boolean {
  if (!Number.isInteger(identity.pid) || identity.pid <= 0 || !hasPid(identity.pid)) return false;
  const stat = readStat(identity.pid);
  if (stat === undefined) return true;
  if (stat.state === "Z" || stat.state === "X") return false;
  return identity.startedAt === "" || identity.startedAt === startMark(stat.startTicks);
}

function startOf(pid: number): string | undefined {
  const stat = readStat(pid);
  return stat === undefined ? undefined : startMark(stat.startTicks);
}

function hasPid(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

/** Ticks count from boot, so the boot is part of the mark: after a reboot pids and ticks repeat. */
function startMark(startTicks: string): string {
  return `${bootId()}_${startTicks}`;
}

function bootId(): string {
  try {
    return readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
  } catch {
    return "";
  }
}

/** proc(5): the command name in field 2 may hold spaces and brackets, so fields are counted after its last ")". */
function readStat(pid: number): { state: string; startTicks: string } | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, "latin1");
    const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
    const state = fields[0];
    const startTicks = fields[19];
    return state === undefined || startTicks === undefined ? undefined : { state, startTicks };
  } catch {
    return undefined;
  }
}
