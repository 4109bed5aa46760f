// What really happened, written down by the supervisor alone: operations, requests that arrived, faults that were made.
// The system under test must never be able to touch it, and an entry is never changed once it stands.
import { closeSync, openSync, writeSync } from "node:fs";

/** One thing done to the system, with the span in which it may explain a repeated request. */
export type FaultKind =
  | "node_killed"
  | "node_paused"
  | "postgres_killed"
  | "postgres_stopped"
  | "connections_terminated"
  | "connection_cut"
  | "connections_stalled"
  | "connections_refused"
  | "disk_full";

export type LedgerEvent =
  /** A sender asks for one event to be captured. Its bytes are like no other operation's. */
  | {
      readonly kind: "invoked";
      readonly operation: number;
      readonly key: string | null;
      /** SHA-256 of what follows the envelope's head: `"data":…}`. */
      readonly tailHash: string;
      /** Names of the webhooks that must hear of it. */
      readonly expected: readonly string[];
    }
  /** 2xx: from here on the event may not be lost. */
  | {
      readonly kind: "acknowledged";
      readonly operation: number;
      /** Null when the answer broke off after its status. */
      readonly eventId: string | null;
      readonly replayed: boolean;
    }
  /** An answer that promises that nothing was stored. */
  | { readonly kind: "not_stored"; readonly operation: number; readonly code: string }
  /** No answer, or one that leaves it open. */
  | { readonly kind: "unknown"; readonly operation: number; readonly why: string }
  | {
      readonly kind: "received";
      readonly webhook: string;
      readonly deliveryId: string;
      /** The `webhook-id` header. */
      readonly eventId: string;
      readonly attempt: number;
      readonly tailHash: string;
      readonly isSigned: boolean;
      /** The status answered; null for none. */
      readonly answer: number | null;
    }
  | { readonly kind: "fault"; readonly fault: FaultKind; readonly untilMs: number; readonly note: string }
  /** Another node took over everything that this one owned. */
  | { readonly kind: "taken_over"; readonly node: string };

/** With the time in milliseconds since 1970, never going back. */
export type LedgerEntry = LedgerEvent & { readonly atMs: number };

export interface Ledger {
  readonly entries: readonly LedgerEntry[];
  /** Where the entries stand as JSON lines. */
  readonly path: string;
  append(event: LedgerEvent): LedgerEntry;
  /** A fault that begins now; the returned function says that it is over. */
  beginFault(fault: FaultKind, note?: string): () => void;
  close(): void;
}

/** The wall clock may step; the ledger's must not. */
export function nowMs(): number {
  return performance.timeOrigin + performance.now();
}

/** Opens a ledger in a new file. */
export function openLedger(path: string): Ledger {
  const file = openSync(path, "ax");
  let isOpen = true;
  const entries: LedgerEntry[] = [];
  // A sender may still be waiting when a test that failed is cleared away; the number of a closed file is soon another's.
  const write = (line: object): void => void (isOpen && writeSync(file, `${JSON.stringify(line)}\n`));
  const append = (event: LedgerEvent): LedgerEntry => {
    const entry = { atMs: nowMs(), ...event };
    entries.push(entry);
    write(entry);
    return entry;
  };
  return {
    entries,
    path,
    append,
    beginFault(fault, note = "") {
      const begun = append({ kind: "fault", fault, untilMs: Number.MAX_SAFE_INTEGER, note });
      return () => {
        // The open entry stays in the file; in memory its end becomes known.
        entries[entries.indexOf(begun)] = { ...begun, untilMs: nowMs() } as LedgerEntry;
        write({ atMs: nowMs(), kind: "fault_over", fault, begunAtMs: begun.atMs });
      };
    },
    close() {
      if (isOpen) closeSync(file);
      isOpen = false;
    },
  };
}
