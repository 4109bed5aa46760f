// Brings spans to a collector, in batches, beside everything else: bounded in memory, never waited for, dropped and
// counted when the collector does not take them. Must never hold up a delivery, nor retry for long.
import type { Log } from "../lib/log.ts";
import type { Sample } from "./families.ts";
import { otlpJson, type Span } from "./spans.ts";

/** The part of the guarded client that is needed. */
export interface SpanSender {
  send(request: {
    readonly url: string;
    readonly method: string;
    readonly headers: readonly string[];
    readonly body: Uint8Array;
    readonly timeoutMs: number;
    readonly signal: AbortSignal;
  }): Promise<{ readonly kind: string; readonly status?: number }>;
}

export interface SpanExporterOptions {
  /** The collector's address for traces. */
  readonly url: string;
  /** Name and value in turn, of the settings. */
  readonly headers: readonly string[];
  readonly sender: SpanSender;
  readonly log: Log;
  readonly resource: Readonly<Record<string, string>>;
  readonly version: string;
}

const MAX_WAITING = 20_000;
const MAX_BATCH = 1_000;
const GAP_MS = 1_000;
const TIMEOUT_MS = 5_000;
const TRIES = 2;

export class SpanExporter {
  readonly #options: SpanExporterOptions;
  readonly #abort = new AbortController();
  #waiting: Span[] = [];
  #timer: NodeJS.Timeout | undefined;
  #sending: Promise<void> | undefined;
  #exported = 0;
  #dropped = 0;
  #isFailing = false;
  #stopped = false;

  constructor(options: SpanExporterOptions) {
    this.#options = options;
  }

  add(span: Span): void {
    if (this.#stopped || this.#waiting.length >= MAX_WAITING) {
      this.#dropped += 1;
      return;
    }
    this.#waiting.push(span);
    if (this.#sending !== undefined) return;
    if (this.#waiting.length >= MAX_BATCH) this.#sendNow();
    else this.#wait();
  }

  /** Sends what waits, for a moment at most, and takes nothing more. */
  async stop(): Promise<void> {
    this.#stopped = true;
    const limit = setTimeout(() => this.#abort.abort(), 1_000);
    while (this.#sending !== undefined || this.#waiting.length > 0) {
      if (this.#sending === undefined) this.#sendNow();
      await this.#sending;
    }
    clearTimeout(limit);
    clearTimeout(this.#timer);
  }

  samples(): Sample[] {
    return [
      { name: "posthorn_spans_total", labels: ["exported"], value: this.#exported },
      { name: "posthorn_spans_total", labels: ["dropped"], value: this.#dropped },
    ];
  }

  #wait(): void {
    if (this.#timer !== undefined) return;
    this.#timer = setTimeout(() => this.#sendNow(), GAP_MS);
    this.#timer.unref();
  }

  #sendNow(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#sending !== undefined || this.#waiting.length === 0) return;
    const batch = this.#waiting.splice(0, MAX_BATCH);
    this.#sending = this.#export(batch)
      .catch((error: unknown) => {
        this.#dropped += batch.length;
        this.#options.log.error({ err: error }, "exporting spans failed");
      })
      .finally(() => {
        this.#sending = undefined;
        if (this.#waiting.length >= MAX_BATCH) this.#sendNow();
        else if (this.#waiting.length > 0 && !this.#stopped) this.#wait();
      });
  }

  async #export(batch: readonly Span[]): Promise<void> {
    const { url, headers, sender, resource, version, log } = this.#options;
    const body = Buffer.from(otlpJson(batch, resource, version));
    let problem = "";
    for (let i = 0; i < TRIES && !this.#abort.signal.aborted; i += 1) {
      const result = await sender.send({
        url,
        method: "POST",
        headers: ["content-type", "application/json", ...headers],
        body,
        timeoutMs: TIMEOUT_MS,
        signal: this.#abort.signal,
      });
      if (result.kind === "responded" && result.status !== undefined && result.status >= 200 && result.status < 300) {
        this.#exported += batch.length;
        if (this.#isFailing) log.info("spans are exported again");
        this.#isFailing = false;
        return;
      }
      problem = result.status === undefined ? result.kind : `status ${result.status}`;
    }
    this.#dropped += batch.length;
    // Once for each outage: the collector's trouble is not ours.
    if (!this.#isFailing)
      log.warn({ problem, spans: batch.length }, "the collector does not take spans; they are dropped");
    this.#isFailing = true;
  }
}
