// A command that runs until it is stopped, as a child process: its lines as they come, and an orderly end.
import { once } from "node:events";
import { createInterface } from "node:readline";
import { spawnPosthorn } from "./command.ts";

export interface Running {
  readonly pid: number;
  readonly out: readonly string[];
  readonly err: readonly string[];
  /** The first line of either stream that matches, now or later; fails when the command ends without it. */
  readonly line: (pattern: RegExp) => Promise<string>;
  /** Lines of standard output as JSON, as soon as there are `count` of them. */
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers freely
  readonly jsonLines: (count: number) => Promise<any[]>;
  /** Sends the signal unless null, and resolves with the exit code. */
  readonly end: (signal?: NodeJS.Signals | null) => Promise<number | null>;
}

const running = new Set<Running>();

export function start(args: readonly string[], env: Readonly<Record<string, string>> = {}): Running {
  const child = spawnPosthorn(args, env);
  child.stdin.end();
  const out: string[] = [];
  const err: string[] = [];
  const wakeUps = new Set<() => void>();
  let hasEnded = false;
  const wake = (): void => wakeUps.forEach((each) => each());
  for (const [stream, lines] of [
    [child.stdout, out],
    [child.stderr, err],
  ] as const) {
    createInterface({ input: stream }).on("line", (line) => {
      lines.push(line);
      wake();
    });
  }
  const closed = once(child, "close").then(([code]) => {
    hasEnded = true;
    wake();
    return code as number | null;
  });
  const found = <Found>(look: () => Found | undefined, what: string): Promise<Found> =>
    new Promise((resolve, reject) => {
      const tryIt = (): void => {
        const value = look();
        if (value === undefined && !hasEnded) return;
        wakeUps.delete(tryIt);
        if (value === undefined) reject(new Error(`ended without ${what}:\n${[...out, ...err].join("\n")}`));
        else resolve(value);
      };
      wakeUps.add(tryIt);
      tryIt();
    });
  const me: Running = {
    pid: child.pid as number,
    out,
    err,
    line: (pattern) => found(() => [...out, ...err].find((line) => pattern.test(line)), String(pattern)),
    jsonLines: (count) =>
      found(() => (out.length < count ? undefined : out.map((line) => JSON.parse(line) as unknown)), `${count} lines`),
    end: async (signal = "SIGINT") => {
      if (signal !== null && !hasEnded) child.kill(signal);
      const code = await closed;
      running.delete(me);
      return code;
    },
  };
  running.add(me);
  return me;
}

/** For afterEach: what a failed test left. */
export async function endAll(): Promise<void> {
  await Promise.all([...running].map((each) => each.end("SIGKILL")));
}
