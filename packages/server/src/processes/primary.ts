// The first of several processes: starts the nodes, which share its port, restarts one that dies, carries what they tell
// each other, ends them. It does no work of a node itself, and must never leave one behind.
import cluster, { type Worker as Child } from "node:cluster";
import type { Clock } from "../lib/clock.ts";
import type { Log } from "../lib/log.ts";
import type { FromProcess, ProcessStart, ToProcess } from "./messages.ts";
import { restartDelayMs } from "./restarts.ts";

export interface ProcessesOptions {
  readonly count: number;
  readonly start: ProcessStart;
  readonly clock: Clock;
  readonly log: Log;
}

export type StartedProcesses =
  | {
      readonly outcome: "serving";
      readonly url: string;
      readonly address: string;
      /** Every process finishes what runs; resolves when all have ended. A second call waits for the first. */
      stop(): Promise<void>;
      /** Every process is killed now. */
      abandon(): void;
    }
  | { readonly outcome: "refused"; readonly code: string; readonly message: string };

type FirstWord = Extract<FromProcess, { kind: "serving" | "refused" }>;

const PROCESS_ENDED = "PROCESS_ENDED";
const START_TRIES = 3;

/** What was built is run, also under a test runner that prefers the sources. */
const ENTRY = new URL("./node-process.js", import.meta.url.replace("/src/processes/", "/dist/processes/"));

/** Starts the processes and returns when all of them serve; when one refuses at the start, none is left. */
export async function startProcesses(options: ProcessesOptions): Promise<StartedProcesses> {
  cluster.setupPrimary({ exec: fileOf(ENTRY), args: [], execArgv: argumentsForChildren(process.execArgv) });
  const processes = new Processes(options);
  const words = await Promise.all(Array.from({ length: options.count }, () => processes.addAtStart()));
  processes.allStarted();
  const refused = words.find((word) => word.kind === "refused");
  if (refused?.kind === "refused") {
    await processes.stop();
    return { outcome: "refused", code: refused.code, message: refused.message };
  }
  const [{ url, address }] = words as [Extract<FirstWord, { kind: "serving" }>];
  return { outcome: "serving", url, address, stop: () => processes.stop(), abandon: () => processes.kill() };
}

/**
 * MiB. What an event needs lives for the time of a commit or two: with the 16 that Node gives, much of it is still in
 * use at each collection and is copied twice (batches of 100 events: 68 and 44 µs an event). Node takes it at its start only.
 */
const YOUNG_GENERATION = "--max-semi-space-size=32";

/** What node is started with for a child. */
function argumentsForChildren(own: readonly string[]): string[] {
  // An inspector listens on a port of its own; cluster would count it up, which nobody asked for.
  const passedOn = own.filter((argument) => !argument.startsWith("--inspect"));
  const isSet = passedOn.some((argument) => argument.startsWith("--max-semi-space-size"));
  return isSet ? passedOn : [YOUNG_GENERATION, ...passedOn];
}

function fileOf(url: URL): string {
  return decodeURIComponent(process.platform === "win32" ? url.pathname.slice(1) : url.pathname);
}

class Processes {
  readonly #options: ProcessesOptions;
  readonly #children = new Set<Child>();
  readonly #names = new Map<Child, string>();
  /** By process, once it serves. */
  readonly #nodeUuids = new Map<Child, string>();
  readonly #restarts = new Set<NodeJS.Timeout>();
  #whenAllEnded: (() => void)[] = [];
  #isStarting = true;
  #isStopping = false;
  #stopped: Promise<void> | undefined;

  constructor(options: ProcessesOptions) {
    this.#options = options;
  }

  /** As `add`, but one that ends without saying why (a machine too busy to connect in time) is tried again. */
  async addAtStart(): Promise<FirstWord> {
    for (let tries = 1; ; tries += 1) {
      const word = await this.add();
      if (word.kind === "serving" || word.code !== PROCESS_ENDED || tries === START_TRIES) return word;
    }
  }

  /** Starts one more and waits for its first word; one that ends without a word has refused. */
  add(previousDelayMs?: number): Promise<FirstWord> {
    const { clock, log, start } = this.#options;
    const child = cluster.fork();
    const startedAtMs = clock.monotonicMs();
    this.#children.add(child);
    const name = this.#freeName();
    this.#names.set(child, name);
    return new Promise((resolve) => {
      child.on("message", (message: FromProcess) => {
        switch (message.kind) {
          case "listening":
            this.#tell(child, this.#isStopping ? { kind: "stop" } : { kind: "start", start, name });
            return;
          case "serving":
            this.#nodeUuids.set(child, message.nodeUuid);
            this.#tellSiblings();
            resolve(message);
            return;
          case "refused":
            log.error({ process: child.process.pid, code: message.code }, message.message);
            resolve(message);
            return;
          case "figures_wanted":
            for (const other of this.#children) {
              if (other !== child) this.#tell(other, { kind: "figures_wanted", id: message.id, from: name });
            }
            return;
          case "figures": {
            const { to, id, figures } = message;
            for (const [asker, its] of this.#names) if (its === to) this.#tell(asker, { kind: "figures", id, figures });
            return;
          }
          case "signal":
            for (const other of this.#children) if (other !== child) this.#tell(other, message);
            return;
          default:
            message satisfies never;
        }
      });
      child.on("error", (error) => log.debug({ err: error, process: child.process.pid }, "a process was not reached"));
      child.once("exit", (code, signal) => {
        resolve({ kind: "refused", code: PROCESS_ENDED, message: endOf(code, signal) });
        this.#ended(child, endOf(code, signal), restartDelayMs(previousDelayMs, clock.monotonicMs() - startedAtMs));
      });
    });
  }

  /** From now on one that ends is started again. */
  allStarted(): void {
    this.#isStarting = false;
  }

  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  kill(): void {
    this.#isStopping = true;
    for (const timer of this.#restarts) clearTimeout(timer);
    for (const child of this.#children) child.process.kill("SIGKILL");
  }

  async #stop(): Promise<void> {
    this.#isStopping = true;
    for (const timer of this.#restarts) clearTimeout(timer);
    for (const child of this.#children) this.#tell(child, { kind: "stop" });
    if (this.#children.size > 0) await new Promise<void>((resolve) => this.#whenAllEnded.push(resolve));
  }

  #ended(child: Child, how: string, delayMs: number): void {
    const { log } = this.#options;
    const nodeUuid = this.#nodeUuids.get(child);
    const hasServed = nodeUuid !== undefined;
    this.#children.delete(child);
    this.#names.delete(child);
    this.#nodeUuids.delete(child);
    if (hasServed) {
      this.#tellSiblings();
      // Seen by whoever started it, its end is certain: the others need not wait for its silence.
      for (const other of this.#children) this.#tell(other, { kind: "ended", nodeUuids: [nodeUuid] });
    }
    if (this.#children.size === 0) for (const resolve of this.#whenAllEnded.splice(0)) resolve();
    // One that never served at the start has a reason that the next one would meet too.
    if (this.#isStopping || (this.#isStarting && !hasServed)) return;
    const fields = { process: child.process.pid, nextStartInMs: delayMs };
    log.error(fields, `a process ended unasked (${how}); it is started again`);
    const timer = setTimeout(() => {
      this.#restarts.delete(timer);
      void this.add(delayMs);
    }, delayMs);
    this.#restarts.add(timer);
  }

  /** The lowest number that nobody has: names stay few, however often processes are replaced. */
  #freeName(): string {
    const taken = new Set(this.#names.values());
    let number = 1;
    while (taken.has(String(number))) number += 1;
    return String(number);
  }

  #tellSiblings(): void {
    for (const child of this.#children) {
      const others = [...this.#nodeUuids].filter(([other]) => other !== child).map(([, nodeUuid]) => nodeUuid);
      this.#tell(child, { kind: "siblings", nodeUuids: others });
    }
  }

  /** A process that is just dying cannot be told anything. */
  #tell(child: Child, message: ToProcess): void {
    if (child.isConnected()) child.send(message, () => {});
  }
}

function endOf(code: number | null, signal: string | null): string {
  return signal ?? `exit code ${code}`;
}
