// What Linux tells about processes: CPU seconds and memory of a process and all that descend from it.
// Must never fail a measurement: where /proc is absent (other systems), figures are null.
import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";

const TICKS_PER_SECOND = ticksPerSecond();

function ticksPerSecond() {
  try {
    return Number(execFileSync("getconf", ["CLK_TCK"], { encoding: "utf8" }));
  } catch {
    return 100;
  }
}

/**
 * CPU seconds used so far by a process, its living descendants, and those of its children that it has already reaped
 * (PostgreSQL ends and starts processes all the time).
 * @param {number} rootPid
 * @returns {number | null}
 */
export function cpuSeconds(rootPid) {
  const processes = readProcesses();
  const root = processes.get(rootPid);
  if (root === undefined) return null;
  let ticks = 0;
  for (const pid of withDescendants(processes, rootPid)) ticks += processes.get(pid)?.ticks ?? 0;
  return ticks / TICKS_PER_SECOND;
}

/** Peak resident memory in bytes, summed over a process and its living descendants. @param {number} rootPid @returns {number | null} */
export function peakMemoryBytes(rootPid) {
  const processes = readProcesses();
  if (!processes.has(rootPid)) return null;
  let total = 0;
  for (const pid of withDescendants(processes, rootPid)) total += peakOf(pid);
  return total;
}

/**
 * CPU seconds that the whole machine has used so far, on all cores together, whoever used them.
 * @returns {number | null}
 */
export function machineCpuSeconds() {
  try {
    const [user, nice, system, , , interrupt, softInterrupt, steal] = readFileSync("/proc/stat", "utf8")
      .slice(4, 200)
      .trim()
      .split(/\s+/)
      .map(Number);
    let ticks = 0;
    for (const part of [user, nice, system, interrupt, softInterrupt, steal]) ticks += part ?? 0;
    return ticks / TICKS_PER_SECOND;
  } catch {
    return null;
  }
}

/** @param {number} pid */
function peakOf(pid) {
  try {
    const line = /VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, "utf8"));
    return Number(line?.[1] ?? 0) * 1024;
  } catch {
    return 0;
  }
}

/** @returns {Map<number, { parentPid: number, ticks: number }>} */
function readProcesses() {
  const processes = new Map();
  for (const name of readDirectory("/proc")) {
    const pid = Number(name);
    if (!Number.isInteger(pid)) continue;
    try {
      const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
      // The name in parentheses may hold anything; fields are counted from its end: state, ppid, …, utime is the 12th.
      const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
      const ticks = Number(fields[11]) + Number(fields[12]) + Number(fields[13]) + Number(fields[14]);
      processes.set(pid, { parentPid: Number(fields[1]), ticks });
    } catch {
      // Ended between the listing and the reading.
    }
  }
  return processes;
}

/** @param {string} path */
function readDirectory(path) {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}

/** @param {Map<number, { parentPid: number }>} processes @param {number} rootPid */
function withDescendants(processes, rootPid) {
  const found = new Set([rootPid]);
  for (let before = 0; before !== found.size; ) {
    before = found.size;
    for (const [pid, { parentPid }] of processes) if (found.has(parentPid)) found.add(pid);
  }
  return found;
}
