// The processes of a run: started, spoken to over IPC, and stopped by the handle that started them.
// Must never leave one behind, whichever way the run ends, and never touch one it did not start.
import { fork, spawn } from "node:child_process";
import { once } from "node:events";
import { tail } from "./postgres.mjs";

const STOP_TIMEOUT_MS = 10_000;

/** @type {Set<import("node:child_process").ChildProcess>} */
const running = new Set();

/** @param {import("node:child_process").ChildProcess} child */
function remember(child) {
  running.add(child);
  child.once("exit", () => running.delete(child));
  return child;
}

/**
 * @typedef {object} Instrument
 * @property {number} pid
 * @property {(message: object, answerType: string, timeoutMs: number, onMessage?: (message: any) => void) => Promise<any>} ask
 * @property {any} ready the message that said it is ready
 * @property {() => Promise<void>} stop
 */

/**
 * Starts one of our own programs that speak over IPC and waits for its `ready`.
 * @param {string} path
 * @returns {Promise<Instrument>}
 */
export async function startInstrument(path) {
  const child = remember(fork(path, [], { stdio: ["ignore", "inherit", "inherit", "ipc"] }));
  const ready = await answer(child, "ready", 10_000);
  return {
    pid: child.pid ?? 0,
    ready,
    ask: (message, answerType, timeoutMs, onMessage) => {
      const answered = answer(child, answerType, timeoutMs, onMessage);
      child.send(message);
      return answered;
    },
    stop: () => stopChild(child),
  };
}

/**
 * @param {import("node:child_process").ChildProcess} child
 * @param {string} type
 * @param {number} timeoutMs
 * @param {(message: any) => void} [onMessage] hears every message that comes before
 * @returns {Promise<any>}
 */
function answer(child, type, timeoutMs, onMessage) {
  return new Promise((resolve, reject) => {
    /** @param {Error | null} error @param {any} [message] */
    const settle = (error, message) => {
      clearTimeout(timer);
      child.off("message", hear);
      child.off("exit", exited);
      if (error === null) resolve(message);
      else reject(error);
    };
    /** @param {any} message */
    const hear = (message) => {
      if (message.type === type) settle(null, message);
      else if (message.type === "failed") settle(new Error(message.message));
      else onMessage?.(message);
    };
    const exited = () => settle(new Error(`${child.spawnargs[1]} ended before it said ${type}`));
    const timer = setTimeout(() => settle(new Error(`no ${type} within ${timeoutMs} ms`)), timeoutMs);
    child.on("message", hear);
    child.once("exit", exited);
  });
}

/**
 * Starts a server under measurement, exactly as a user would, and keeps the end of what it says for error messages.
 * @param {string[]} args of node
 * @param {Record<string, string>} environment on top of a minimal one
 * @param {string} directory to run in
 */
export function startServer(args, environment, directory) {
  const child = remember(
    spawn(process.execPath, args, {
      cwd: directory,
      env: { PATH: process.env.PATH ?? "", HOME: directory, TMPDIR: process.env.TMPDIR ?? "/tmp", ...environment },
      stdio: ["ignore", "pipe", "pipe"],
    }),
  );
  return { child, pid: child.pid ?? 0, log: tail(child), stop: () => stopChild(child) };
}

/** @param {import("node:child_process").ChildProcess} child */
export async function stopChild(child) {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, "exit");
  child.kill("SIGTERM");
  const timer = setTimeout(() => child.kill("SIGKILL"), STOP_TIMEOUT_MS);
  await exited;
  clearTimeout(timer);
}

export async function stopAllChildren() {
  await Promise.all([...running].map((child) => stopChild(child)));
}
