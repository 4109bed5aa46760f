// Keeps the embedded server running: restarts it when it dies, and stops it when asked.
// It must never restart a server that was told to stop, and never give up while the node lives.
import { setTimeout as delay } from "node:timers/promises";
import type { EmbeddedLog } from "./log.ts";
import type { ServerProcess } from "./server-process.ts";

export type EmbeddedServerEvent =
  /** The server died unasked; connections are broken and a restart is under way. */
  | { readonly kind: "exited"; readonly pid: number; readonly code: number | null; readonly signal: string | null }
  /** It answers again, at the same place. */
  | { readonly kind: "restarted"; readonly pid: number }
  | { readonly kind: "restart_failed"; readonly error: Error; readonly nextAttemptInMs: number };

export type Supervision = {
  readonly current: () => ServerProcess;
  /** Stops restarting, then has the server shut down and waits for its end; a second call waits for the same end. */
  stop(): Promise<void>;
  /** Stops restarting, then has the server shut down, which it goes on with when this process is gone. */
  abandon(): void;
  /** Stops restarting and leaves the server running. */
  leave(): void;
};

export type SupervisionOptions = {
  readonly obtain: () => Promise<ServerProcess>;
  readonly signal: (pid: number, signal: "SIGINT" | "SIGQUIT") => void;
  readonly onEvent: (event: EmbeddedServerEvent) => void;
  readonly log: EmbeddedLog;
};

const FIRST_DELAY_MS = 100;
const LAST_DELAY_MS = 10_000;
/** A fast shutdown writes a checkpoint, which takes as long as the disk needs for the dirty buffers (128 MB). */
const FAST_STOP_LIMIT_MS = 60_000;
const QUIET_RUN_MS = 60_000;

/** Watches `first` and whatever has to replace it. */
export function superviseServer(first: ServerProcess, options: SupervisionOptions): Supervision {
  const { obtain, onEvent, log } = options;
  const ending = new AbortController();
  let server = first;

  const run = async (): Promise<void> => {
    let delayMs = FIRST_DELAY_MS;
    for (;;) {
      const since = performance.now();
      const exit = await server.exited;
      if (ending.signal.aborted) return;
      log.error(
        { pid: server.pid, code: exit.code, signal: exit.signal, lastLines: exit.lastLines },
        "PostgreSQL ended unasked; restarting it",
      );
      onEvent({ kind: "exited", pid: server.pid, code: exit.code, signal: exit.signal });
      if (performance.now() - since > QUIET_RUN_MS) delayMs = FIRST_DELAY_MS;
      const next = await restart();
      if (next === undefined) return;
      server = next;
      if (ending.signal.aborted) options.signal(server.pid, "SIGINT");
      else onEvent({ kind: "restarted", pid: server.pid });
    }

    async function restart(): Promise<ServerProcess | undefined> {
      for (;;) {
        await delay(delayMs, undefined, { signal: ending.signal, ref: false }).catch(() => {});
        if (ending.signal.aborted) return undefined;
        delayMs = Math.min(delayMs * 2, LAST_DELAY_MS);
        try {
          return await obtain();
        } catch (error) {
          const failure = error instanceof Error ? error : new Error(String(error));
          log.error({ err: failure, nextAttemptInMs: delayMs }, "PostgreSQL could not be restarted");
          onEvent({ kind: "restart_failed", error: failure, nextAttemptInMs: delayMs });
        }
      }
    }
  };

  let isOver = false;
  const running = run().finally(() => (isOver = true));
  const stop = async (): Promise<void> => {
    ending.abort();
    // The watched process and its timers are unreferenced; without this, Node could end in the middle of the wait.
    const keepAlive = setInterval(() => {}, 60_000);
    void askToStop();
    await running;
    clearInterval(keepAlive);
  };

  async function askToStop(): Promise<void> {
    options.signal(server.pid, "SIGINT");
    await delay(FAST_STOP_LIMIT_MS, undefined, { ref: false });
    if (isOver) return;
    log.warn({ pid: server.pid }, "PostgreSQL takes too long to shut down; it will recover at its next start");
    options.signal(server.pid, "SIGQUIT");
  }

  let stopped: Promise<void> | undefined;
  return {
    current: () => server,
    stop: () => (stopped ??= stop()),
    abandon: () => {
      ending.abort();
      options.signal(server.pid, "SIGINT");
    },
    leave: () => {
      ending.abort();
      stopped ??= Promise.resolve();
    },
  };
}
