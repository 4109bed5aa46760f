// Writes down what became of deliveries, in micro-batches. Must never drop a result while the lease holds: a database
// that is away is waited for, a row that the database refuses is found by bisection and recorded without its excerpt.
import type { IdGenerator } from "@posthorn/contract";
import type { Log } from "../lib/log.ts";
import { MicroBatch } from "../lib/micro-batch.ts";
import type { SendResult } from "../security/outbound/result.ts";
import type { NodeIdentity } from "../storage/fence.ts";
import type { Executor } from "../storage/pools.ts";
import { classifyDatabaseError } from "../storage/postgres-errors.ts";
import { type AttemptRow, type ResultRow, recordResults } from "./record.sql.ts";

/** One attempt as record takes it; deliver hands over a structure that has these members. */
export interface RecordedAttempt {
  readonly number: number;
  readonly trigger: string;
  readonly startedAtMs: number;
  readonly endedAtMs: number;
  readonly webhookVersion: number;
  readonly url: string;
  readonly outcome: string;
  readonly outcomeCode: string | null;
  readonly bodyLength: number;
  readonly bodyHash: Uint8Array;
  /** What a template found no value for; null without such. */
  readonly warnings: readonly unknown[] | null;
  /** What rules took out of the answer, by name; `externalId` can be searched for. */
  readonly extracted: Readonly<Record<string, string>> | null;
  /** The batch that went out; null for a delivery by itself. */
  readonly batchBytes: Uint8Array | null;
  /** What was sent in the place of the event's own payload; null for that itself. */
  readonly correctionBytes: Uint8Array | null;
  readonly result: SendResult;
}

export interface DeliveryResult {
  readonly tenantBytes: Uint8Array;
  readonly deliveryBytes: Uint8Array;
  readonly eventBytes: Uint8Array;
  readonly webhookBytes: Uint8Array;
  readonly retentionClass: number;
  readonly replayed: boolean;
  readonly verdict: ResultRow["verdict"];
  readonly reason: string | null;
  readonly nextAttemptAtMs: number | null;
  /** Another delivery starts when this is recorded. */
  readonly isAwaited: boolean;
  readonly attempt: RecordedAttempt | null;
}

export interface RecordOptions {
  readonly db: Executor;
  readonly log: Log;
  readonly ids: IdGenerator;
  readonly identity: () => NodeIdentity;
  /** False once the lease is gone: results are then dropped, because their lanes have another owner. */
  readonly leaseHeld: () => boolean;
  /** The database was not reached or its answer was lost. */
  readonly onDatabaseTrouble: () => void;
  readonly monotonicMs: () => number;
  /** A batch is committed: what it recorded, and how long its statement took. */
  readonly onBatch?: (results: readonly ResultRow[], commitMs: number) => void;
  /** Named moment for crash tests; inert in production. */
  readonly failpoint?: (name: "before_record") => void;
}

/** Results that are written together or not at all. */
interface Pending {
  readonly rows: readonly ResultRow[];
  readonly incarnation: number;
  readonly isAwaited: boolean;
  readonly done: (isRecorded: boolean) => void;
}

const MAX_ROWS = 2_000;
const MAX_BYTES = 4 * 1024 * 1024;
const RETRY_MS = 100;
/**
 * Hardly anybody waits for a record, and a statement costs the same for one row as for thirty: a little patience saves
 * most of them. Where the next delivery of a key waits, less of it.
 */
const AWAITED_SPACING_MS = 5;
const UNHURRIED_SPACING_MS = 15;
/** What is kept of an answer to many deliveries with all but the first of them. */
const SHARED_ANSWER_BYTES = 512;

export class Recorder {
  readonly #options: RecordOptions;
  readonly #batch: MicroBatch<Pending>;

  constructor(options: RecordOptions) {
    this.#options = options;
    this.#batch = new MicroBatch<Pending>({
      flush: (items) => this.#flush(items),
      maxItems: MAX_ROWS,
      maxBytes: MAX_BYTES,
      countOf: (item) => item.rows.length,
      bytesOf: (item) => item.rows.reduce((sum, row) => sum + 300 + (row.attempt?.responseBody?.byteLength ?? 0), 0),
      concurrency: 1,
      spacing: {
        awaitedMs: AWAITED_SPACING_MS,
        unhurriedMs: UNHURRIED_SPACING_MS,
        isAwaited: (item) => item.isAwaited,
      },
    });
  }

  /**
   * True when the results are committed; false when they never will be: this node lost its lanes, or they were refused.
   * @param results of one request: all of them are written, or none
   */
  record(results: readonly DeliveryResult[]): Promise<boolean> {
    return new Promise((done) => {
      const rows = results.map((result, index): ResultRow => {
        // One literal, no spreading: this runs for every delivery.
        return {
          tenantBytes: result.tenantBytes,
          deliveryBytes: result.deliveryBytes,
          eventBytes: result.eventBytes,
          webhookBytes: result.webhookBytes,
          retentionClass: result.retentionClass,
          replayed: result.replayed,
          verdict: result.verdict,
          reason: result.reason,
          nextAttemptAtMs: result.nextAttemptAtMs,
          attempt: result.attempt === null ? null : this.#attemptRow(result.attempt, index > 0),
        };
      });
      const { incarnation } = this.#options.identity();
      this.#batch.add({ rows, incarnation, isAwaited: results.some((result) => result.isAwaited), done });
    });
  }

  drained(): Promise<void> {
    return this.#batch.drained();
  }

  async #flush(items: Pending[]): Promise<void> {
    const { db, log, identity, leaseHeld, monotonicMs, onBatch } = this.#options;
    this.#options.failpoint?.("before_record");
    for (let isRepeat = false; ; isRepeat = true) {
      const node = identity();
      // A result of an incarnation that was declared dead: the lanes' next owner repeats the request.
      const current = items.filter((item) => item.incarnation === node.incarnation);
      if (current.length < items.length) {
        for (const item of items) if (item.incarnation !== node.incarnation) item.done(false);
      }
      if (current.length === 0) return;
      const rows = current.flatMap((item) => item.rows);
      const sentAtMs = monotonicMs();
      try {
        const answer = await recordResults(db, node, rows, isRepeat);
        if (answer.fence_held > 0) onBatch?.(rows, monotonicMs() - sentAtMs);
        else log.warn({ results: current.length }, "results refused by the fence");
        for (const item of current) item.done(answer.fence_held > 0);
        return;
      } catch (error) {
        const failure = classifyDatabaseError(error);
        if (failure.kind === "refused") {
          log.error({ err: error, results: current.length }, "the database refused results");
          await this.#bisect(current);
          return;
        }
        this.#options.onDatabaseTrouble();
        // Away, or outcome unknown: a repeat is harmless, because removing a removed row ends nothing twice.
        if (!leaseHeld()) {
          for (const item of current) item.done(false);
          return;
        }
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
        items = current;
      }
    }
  }

  async #bisect(items: Pending[]): Promise<void> {
    if (items.length > 1) {
      const middle = items.length >> 1;
      await this.#flush(items.slice(0, middle));
      await this.#flush(items.slice(middle));
      return;
    }
    const item = items[0] as Pending;
    const bare = item.rows.map(withoutReceiverText);
    if (bare.every((row, index) => row === item.rows[index])) {
      item.done(false);
      return;
    }
    await this.#flush([{ ...item, rows: bare }]);
  }

  /** @param sharesRequest the same request is recorded with another delivery already */
  #attemptRow(attempt: RecordedAttempt, sharesRequest: boolean): AttemptRow {
    const { result } = attempt;
    const responded = result.kind === "responded" ? result : null;
    const answer = responded === null || responded.body.byteLength === 0 ? null : responded.body;
    const kept = sharesRequest ? (answer?.subarray(0, SHARED_ANSWER_BYTES) ?? null) : answer;
    const { timings } = result;
    return {
      idBytes: this.#options.ids.next(),
      number: attempt.number,
      trigger: attempt.trigger,
      startedAtMs: attempt.startedAtMs,
      durationMs: Math.max(0, Math.round(attempt.endedAtMs - attempt.startedAtMs)),
      dnsMs: rounded(timings.dnsMs),
      connectMs: rounded(timings.connectMs),
      tlsMs: rounded(timings.tlsMs),
      firstByteMs: rounded(timings.firstByteMs),
      webhookVersion: attempt.webhookVersion,
      outcome: attempt.outcome,
      outcomeCode: attempt.outcomeCode,
      url: attempt.url,
      address: result.address,
      bodyLength: attempt.bodyLength,
      bodyHash: attempt.bodyHash,
      warnings: attempt.warnings === null ? null : JSON.stringify(attempt.warnings),
      extracted: attempt.extracted === null ? null : JSON.stringify(attempt.extracted),
      externalId: attempt.extracted?.["externalId"] ?? null,
      responseStatus: responded?.status ?? null,
      responseHeaders: responded === null ? null : headerLines(responded.headers),
      responseBody: kept,
      responseTruncated: (responded?.bodyTruncated ?? false) || kept?.byteLength !== answer?.byteLength,
      batchBytes: attempt.batchBytes,
      correctionBytes: attempt.correctionBytes,
      sharesRequest,
    };
  }
}

function rounded(value: number | null): number | null {
  return value === null ? null : Math.round(value);
}

/** `name: value` lines; text columns cannot hold U+0000. */
function headerLines(headers: readonly string[]): string | null {
  let lines = "";
  for (let i = 0; i + 1 < headers.length; i += 2) lines += `${headers[i]}: ${headers[i + 1]}\n`;
  return lines === "" ? null : lines.replaceAll("\u0000", "\ufffd");
}

const BARE = { responseBody: null, responseHeaders: null, responseTruncated: true, extracted: null, externalId: null };

/** The row without anything that came from the receiver; the row itself when there is nothing to leave out. */
function withoutReceiverText(row: ResultRow): ResultRow {
  const { attempt } = row;
  if (attempt === null || (attempt.responseBody === null && attempt.responseHeaders === null)) return row;
  return { ...row, attempt: { ...attempt, ...BARE } };
}
