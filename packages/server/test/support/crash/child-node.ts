// A node in a child process: started, killed, paused, armed with a failpoint. Must never leave the process behind, and
// must never signal another one than its own child.
import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { Failpoint } from "../../../src/compose/node-options.ts";
import type { BreakerTimings } from "../../../src/deliver/breaker.ts";
import type { LeaseTimings } from "../../../src/deliver/lease.ts";

/** What `tsc -b` makes of packages/server/src; `npm test` and `npm run chaos` build it first. */
export const BUILT = fileURLToPath(new URL("../../../dist", import.meta.url));
const ENTRY = fileURLToPath(new URL("node-process.mjs", import.meta.url));
const LOG_LINES_KEPT = 60;

export interface ChildNodeOptions {
  /** Folder of the built server; another one for a mutant. */
  readonly dist?: string;
  readonly connection: object;
  readonly apiKey: string;
  readonly masterKey: string;
  readonly soleNode?: boolean;
  readonly lease?: LeaseTimings;
  readonly breaker?: BreakerTimings;
}

export interface ChildNode {
  readonly id: string;
  readonly url: string;
  readonly pid: number;
  /** Resolves when it is gone, however it ended. */
  readonly gone: Promise<{ readonly code: number | null; readonly signal: NodeJS.Signals | null }>;
  readonly isGone: boolean;
  /** From now on it kills itself the `countdown`-th time that it comes to this point. */
  crashAt(point: Failpoint, countdown?: number): void;
  /** From now on its wall clock is wrong by so much; its monotonic clock goes on. */
  setWallClockOff(offByMs: number): void;
  /** SIGKILL; resolves when it is gone. */
  kill(): Promise<void>;
  /** SIGTERM; resolves with its exit code when it is gone. */
  stop(): Promise<number | null>;
  /** SIGSTOP. */
  pause(): void;
  /** SIGCONT. */
  proceed(): void;
  /** Its last log lines, for the message of a failed test. */
  log(): string;
}

/** Starts a node and waits until it listens. */
export async function startChildNode(options: ChildNodeOptions): Promise<ChildNode> {
  const settings = {
    dist: BUILT,
    soleNode: true,
    logLevel: process.env["POSTHORN_TEST_LOG"] ?? "warn",
    ...options,
  };
  const child = spawn(process.execPath, [ENTRY, JSON.stringify(settings)], { stdio: ["pipe", "pipe", "pipe"] });
  const lines: string[] = [];
  let isGone = false;
  const gone = new Promise<{ code: number | null; signal: NodeJS.Signals | null }>((resolve) => {
    child.once("exit", (code, signal) => {
      isGone = true;
      resolve({ code, signal });
    });
  });
  // A write to a child that was just killed.
  child.stdin.on("error", () => {});
  const log = (): string => lines.join("\n");
  const ready = await new Promise<{ id: string; url: string }>((resolve, reject) => {
    void gone.then(({ code, signal }) => reject(new Error(`the node ended (${signal ?? code}):\n${log()}`)));
    child.once("error", reject);
    const keep = (line: string): void => {
      lines.push(line);
      if (lines.length > LOG_LINES_KEPT) lines.shift();
    };
    createInterface({ input: child.stderr }).on("line", keep);
    createInterface({ input: child.stdout }).on("line", (line) => {
      if (line.startsWith('{"ready":')) resolve(JSON.parse(line).ready);
      else keep(line);
    });
  });
  const signal = (name: NodeJS.Signals): void => void (isGone || child.kill(name));
  return {
    ...ready,
    pid: pidOf(child),
    gone,
    get isGone() {
      return isGone;
    },
    crashAt: (crashAt, countdown = 1) => void child.stdin.write(`${JSON.stringify({ crashAt, countdown })}\n`),
    setWallClockOff: (wallClockOffByMs) => void child.stdin.write(`${JSON.stringify({ wallClockOffByMs })}\n`),
    kill: async () => {
      signal("SIGKILL");
      await gone;
    },
    stop: async () => {
      signal("SIGTERM");
      return (await gone).code;
    },
    pause: () => signal("SIGSTOP"),
    proceed: () => signal("SIGCONT"),
    log,
  };
}

function pidOf(child: ChildProcess): number {
  if (child.pid === undefined) throw new Error("the child was not started");
  return child.pid;
}
