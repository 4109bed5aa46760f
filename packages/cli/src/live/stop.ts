// The end of commands that run until they are stopped: Ctrl-C, a signal, or nobody reading their output any more.
// The first one asks for an orderly end, the second ends at once.

const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
const NUMBERS: Readonly<Record<(typeof SIGNALS)[number], number>> = { SIGINT: 2, SIGTERM: 15, SIGHUP: 1 };

export interface Stop {
  /** Aborted as soon as the command is to end. */
  readonly signal: AbortSignal;
  /** Ends it from inside: all that was asked for is done, or the output is cut. */
  readonly end: () => void;
  /** The process reacts to signals as before; call it when everything is put away. */
  readonly release: () => void;
}

export function untilStopped(): Stop {
  const controller = new AbortController();
  const onSignal = (signal: (typeof SIGNALS)[number]): void => {
    if (controller.signal.aborted) process.exit(128 + NUMBERS[signal]);
    controller.abort();
  };
  for (const signal of SIGNALS) process.on(signal, onSignal);
  return {
    signal: controller.signal,
    end: () => controller.abort(),
    release: () => {
      for (const signal of SIGNALS) process.off(signal, onSignal);
    },
  };
}

/** Waits; resolves early, and does not reject, when it is stopped. */
export function pause(delayMs: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const done = (): void => {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, delayMs);
    signal.addEventListener("abort", done, { once: true });
  });
}
