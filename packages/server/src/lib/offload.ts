// Work that would block the event loop, done in one worker thread: scanning and signing of large bodies.
// Must never be used for what is small: handing over costs about as much as scanning 100 kB.
import { Worker } from "node:worker_threads";

interface Waiting {
  readonly resolve: (value: never) => void;
  readonly reject: (error: Error) => void;
}

/** The worker's file, also when this file runs from source (tests): the thread always runs what was built. */
function workerFile(): URL {
  return new URL(import.meta.url.replace("/src/lib/", "/dist/lib/").replace(/offload\.[jt]s$/, "offload-thread.js"));
}

export class Offload {
  readonly #waiting = new Map<number, Waiting>();
  #worker: Worker | undefined;
  #nextId = 1;

  /**
   * Runs a named task of lib/offload-thread.ts; rejects when the thread dies.
   * @param bytes copied once and handed over: a view would take its whole underlying memory with it
   */
  run<Result>(task: string, bytes: Uint8Array, ...parameters: unknown[]): Promise<Result> {
    const worker = this.#start();
    const id = this.#nextId;
    this.#nextId += 1;
    return new Promise<Result>((resolve, reject) => {
      this.#waiting.set(id, { resolve: resolve as (value: never) => void, reject });
      worker.ref();
      const copy = new Uint8Array(bytes);
      worker.postMessage({ id, task, parameters: [copy, ...parameters] }, [copy.buffer]);
    });
  }

  async stop(): Promise<void> {
    await this.#worker?.terminate();
  }

  #start(): Worker {
    if (this.#worker !== undefined) return this.#worker;
    // What was built resolves its packages as built, also under a test runner that prefers their sources.
    const worker = new Worker(workerFile(), { execArgv: [] });
    worker.unref();
    worker.on("message", (message: { id: number; value?: never; error?: string }) => {
      const waiting = this.#waiting.get(message.id);
      this.#waiting.delete(message.id);
      if (this.#waiting.size === 0) worker.unref();
      if (message.error === undefined) waiting?.resolve(message.value as never);
      else waiting?.reject(new Error(message.error));
    });
    const fail = (reason: Error): void => {
      this.#worker = undefined;
      for (const waiting of this.#waiting.values()) waiting.reject(reason);
      this.#waiting.clear();
    };
    worker.on("error", fail);
    worker.on("exit", (code) => fail(new Error(`the worker thread ended with ${code}`)));
    this.#worker = worker;
    return worker;
  }
}
