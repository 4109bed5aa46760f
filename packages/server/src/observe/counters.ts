// What this process has done, as plain numbers that a scrape reads: captured, recorded, ended, handed off. Called once
// for each batch, with a short loop for its rows; must never allocate for a row, nor remember who it was about.
import type { Sample } from "./families.ts";
import { Histogram } from "./histogram.ts";

/** The parts of a recorded result that are counted. */
export interface CountedResult {
  readonly verdict: string;
  /** `sharesRequest`: its request is counted with another delivery of the same batch. */
  readonly attempt: {
    readonly outcome: string;
    readonly durationMs: number;
    readonly sharesRequest: boolean;
  } | null;
}

const ENDS = ["delivered", "dead_letter", "cancelled"];
const ROW_BOUNDS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000];
const COMMIT_BOUNDS_S = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5];
const ATTEMPT_BOUNDS_S = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 15, 30];

class Batches {
  readonly rows = new Histogram(ROW_BOUNDS);
  readonly commitSeconds = new Histogram(COMMIT_BOUNDS_S);

  add(rows: number, commitMs: number): void {
    this.rows.add(rows);
    this.commitSeconds.add(commitMs / 1_000);
  }
}

export class Counters {
  readonly #capture = new Batches();
  readonly #record = new Batches();
  readonly #attemptSeconds = new Histogram(ATTEMPT_BOUNDS_S);
  /** By name; the names are closed lists, so this cannot grow. */
  readonly #attempts: Record<string, number>;
  readonly #ended: Record<string, number> = Object.fromEntries(ENDS.map((end) => [end, 0]));
  readonly #upkeep = new Map<string, { done: number; failed: number }>();
  #captured = 0;
  #handoffsGiven = 0;
  #handoffsTaken = 0;

  /** @param outcomes every way in which an attempt can go, so that each is shown from the start, as 0 */
  constructor(outcomes: readonly string[]) {
    this.#attempts = Object.fromEntries(outcomes.map((outcome) => [outcome, 0]));
  }

  batchCaptured(rows: number, stored: number, commitMs: number): void {
    this.#capture.add(rows, commitMs);
    this.#captured += stored;
  }

  batchRecorded(results: readonly CountedResult[], commitMs: number): void {
    this.#record.add(results.length, commitMs);
    for (const { verdict, attempt } of results) {
      const ended = this.#ended[verdict];
      if (ended !== undefined) this.#ended[verdict] = ended + 1;
      if (attempt === null || attempt.sharesRequest) continue;
      this.#attempts[attempt.outcome] = (this.#attempts[attempt.outcome] ?? 0) + 1;
      this.#attemptSeconds.add(attempt.durationMs / 1_000);
    }
  }

  handoffGiven(): void {
    this.#handoffsGiven += 1;
  }

  handoffsTaken(count: number): void {
    this.#handoffsTaken += count;
  }

  upkeepRun(job: string, failed: boolean): void {
    const runs = this.#upkeep.get(job) ?? { done: 0, failed: 0 };
    if (failed) runs.failed += 1;
    else runs.done += 1;
    this.#upkeep.set(job, runs);
  }

  samples(): Sample[] {
    const samples: Sample[] = [
      { name: "posthorn_events_captured_total", labels: [], value: this.#captured },
      { name: "posthorn_handoffs_given_total", labels: [], value: this.#handoffsGiven },
      { name: "posthorn_handoffs_taken_total", labels: [], value: this.#handoffsTaken },
      { name: "posthorn_attempt_duration_seconds", labels: [], value: this.#attemptSeconds.value },
    ];
    for (const [end, value] of Object.entries(this.#ended)) {
      samples.push({ name: "posthorn_deliveries_ended_total", labels: [end], value });
    }
    for (const [outcome, value] of Object.entries(this.#attempts)) {
      samples.push({ name: "posthorn_attempts_total", labels: [outcome], value });
    }
    for (const [batch, { rows, commitSeconds }] of [
      ["capture", this.#capture],
      ["record", this.#record],
    ] as const) {
      samples.push({ name: "posthorn_batch_rows", labels: [batch], value: rows.value });
      samples.push({ name: "posthorn_batch_commit_seconds", labels: [batch], value: commitSeconds.value });
    }
    for (const [job, { done, failed }] of this.#upkeep) {
      samples.push({ name: "posthorn_upkeep_runs_total", labels: [job, "done"], value: done });
      samples.push({ name: "posthorn_upkeep_runs_total", labels: [job, "failed"], value: failed });
    }
    return samples;
  }
}
