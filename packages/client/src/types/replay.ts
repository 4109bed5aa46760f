// Bulk replays as the API shows them.
import type { BulkResult } from "./delivery.ts";
import type { Time } from "./event.ts";

/** Events received in `[from, to)`, oldest first, to one webhook. */
export interface NewReplay {
  readonly webhookId: string;
  readonly from: Time;
  readonly to?: Time;
  /**
   * `owed` (unless given): what the webhook was owed, whatever its filters say now. `missed`: what it would hear of now and
   * was never owed. `all`: all that it would hear of now.
   */
  readonly which?: "owed" | "missed" | "all";
  readonly types?: readonly string[];
  /** Of `owed`: only events whose delivery ended so. */
  readonly states?: readonly ("delivered" | "dead_letter" | "cancelled")[];
  /** An expression that the events must pass as well. */
  readonly filter?: string;
  /** Counts exactly, and estimates how long it would take. */
  readonly dryRun?: boolean;
}

/** A bulk replay, and how far it has come. */
export interface Replay {
  readonly id: string;
  readonly webhookId: string;
  readonly state: "running" | "done" | "cancelled" | "failed";
  readonly dryRun: boolean;
  readonly which: "owed" | "missed" | "all";
  readonly from: string;
  readonly to: string;
  readonly types: readonly string[] | null;
  readonly states: readonly string[] | null;
  readonly filter: string | null;
  /** Deliveries made so far; of a dry run: that would be made. */
  readonly count: number;
  /** Events looked at so far. */
  readonly examined: number;
  /** Share of the time range that is done, 0 to 1. */
  readonly progress: number;
  readonly position: string | null;
  /** Of a dry run that is done. */
  readonly estimatedSeconds: number | null;
  /** Why it failed. */
  readonly problem: string | null;
  readonly createdBy: string;
  readonly createdAt: string;
  readonly finishedAt: string | null;
}

/** What a bulk cancellation takes. */
export interface CancelMany {
  /** At most so many, up to 10,000; 1,000 when left out. */
  readonly limit?: number;
  /** Counts and changes nothing. */
  readonly dryRun?: boolean;
}

export type CancelledMany = BulkResult;
