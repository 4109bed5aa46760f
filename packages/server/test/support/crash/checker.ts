// Judges one run from three histories: what senders were told, what receivers got, what the database says at the end.
// Pure, and knows nothing of how Posthorn works inside: only what it promises (G1 to G5, G7, G9).
import type { FaultKind, LedgerEntry } from "./ledger.ts";

export type Rule =
  /** G1: a 2xx without its event. */
  | "lost_event"
  /** An answer said that nothing was stored, and it was. */
  | "stored_despite_refusal"
  /** G7: one operation, more than one event. */
  | "doubled_event"
  /** G4: one delivery under two `webhook-id`s, or an operation answered with two ids. */
  | "unstable_id"
  /** G2: a webhook that matches heard nothing. */
  | "not_received"
  /** A webhook heard what it did not ask for. */
  | "received_by_stranger"
  /** G9: bytes that nobody sent. */
  | "altered_bytes"
  | "bad_signature"
  /** G3: something still waits although nothing stands in its way. */
  | "left_over"
  /** G3: not exactly one terminal record for each delivery. */
  | "terminal_records"
  /** Recorded as delivered, and no receiver answered 2xx. */
  | "delivered_unheard"
  /** G4: a repeated request that no fault explains. */
  | "unexplained_duplicate"
  /** G5: written by a node after another one had taken over. */
  | "stale_write";

export interface Violation {
  readonly rule: Rule;
  readonly detail: string;
}

/** What SQL finds after everything has come to rest. */
export interface FinalState {
  readonly pendingDeliveryCount: number;
  readonly pendingFanOutCount: number;
  readonly events: readonly { readonly id: string; readonly deliveryCount: number; readonly tailHash: string }[];
  readonly terminals: readonly {
    readonly deliveryId: string;
    readonly eventId: string;
    readonly webhook: string;
    readonly kind: "delivered" | "dead_letter" | "cancelled";
  }[];
  readonly attempts: readonly {
    readonly deliveryId: string;
    readonly number: number;
    readonly startedAtMs: number;
    /** When its record was made. */
    readonly recordedAtMs: number;
  }[];
}

export interface Verdict {
  readonly violations: readonly Violation[];
  readonly counts: {
    readonly invoked: number;
    readonly acknowledged: number;
    readonly stored: number;
    readonly requests: number;
    /** That ended, however. */
    readonly deliveries: number;
    readonly duplicates: number;
    /** Deliveries that ended with a receiver's 2xx. */
    readonly delivered: number;
    /** Acknowledged events that are not there, or that a matching webhook never got. */
    readonly lost: number;
  };
  readonly faults: Readonly<Partial<Record<FaultKind, number>>>;
  /** Repeated requests by the fault that explains them. */
  readonly explained: Readonly<Partial<Record<FaultKind, number>>>;
}

type Of<Kind extends LedgerEntry["kind"]> = Extract<LedgerEntry, { kind: Kind }>;

/** The supervisor reads what was sent before a fault a little after it, on a busy machine. */
const SLACK_MS = 1_000;
/** Clocks of two processes on one machine, each estimating the database's. */
const CLOCK_SLACK_MS = 100;

/** Judges a run. Events are told apart by their bytes, which are different for every operation. */
export function check(entries: readonly LedgerEntry[], final: FinalState): Verdict {
  const of = <Kind extends LedgerEntry["kind"]>(kind: Kind): Of<Kind>[] =>
    entries.filter((entry): entry is Of<Kind> => entry.kind === kind);
  const violations: Violation[] = [];
  const report = (rule: Rule, detail: string): void => void violations.push({ rule, detail });
  const received = of("received");
  const faults = of("fault");
  const operations = checkOperations(of("invoked"), entries, final, report);
  checkReceipts(operations, received, final, report);
  checkTerminals(received, final, report);
  const duplicates = explainDuplicates(received, faults, report);
  checkFence(of("taken_over"), final, report);
  const lost = new Set(
    violations.filter(({ rule }) => rule === "lost_event" || rule === "not_received").map(({ detail }) => detail),
  );
  return {
    violations,
    counts: {
      invoked: operations.length,
      acknowledged: operations.filter((operation) => operation.isAcknowledged).length,
      stored: final.events.length,
      requests: received.length,
      deliveries: final.terminals.length,
      duplicates: duplicates.length,
      delivered: new Set(final.terminals.filter(({ kind }) => kind === "delivered").map((each) => each.deliveryId))
        .size,
      lost: lost.size,
    },
    faults: countBy(faults.map(({ fault }) => fault)),
    explained: countBy(duplicates.filter((fault) => fault !== null)),
  };
}

type Report = (rule: Rule, detail: string) => void;

interface Operation {
  readonly number: number;
  readonly tailHash: string;
  readonly expected: ReadonlySet<string>;
  readonly acknowledgedIds: Set<string>;
  isAcknowledged: boolean;
  mayBeStored: boolean;
  /** What the database holds of it. */
  storedIds: string[];
}

function checkOperations(
  invoked: readonly Of<"invoked">[],
  entries: readonly LedgerEntry[],
  final: FinalState,
  report: Report,
): Operation[] {
  const operations = new Map<number, Operation>();
  const byTail = new Map<string, Operation>();
  for (const { operation: number, tailHash, expected } of invoked) {
    const acknowledgedIds = new Set<string>();
    const operation: Operation = {
      number,
      tailHash,
      expected: new Set(expected),
      acknowledgedIds,
      isAcknowledged: false,
      mayBeStored: true,
      storedIds: [],
    };
    operations.set(number, operation);
    byTail.set(tailHash, operation);
  }
  const open = new Set(operations.keys());
  const refused = new Set<number>();
  for (const entry of entries) {
    if (entry.kind === "acknowledged") {
      const operation = operations.get(entry.operation) as Operation;
      operation.isAcknowledged = true;
      if (entry.eventId !== null) operation.acknowledgedIds.add(entry.eventId);
    }
    if (entry.kind === "not_stored") refused.add(entry.operation);
    if (entry.kind === "acknowledged" || entry.kind === "unknown") open.delete(entry.operation);
  }
  // Refused each time it was tried, and never left open.
  for (const number of refused) if (open.has(number)) (operations.get(number) as Operation).mayBeStored = false;
  for (const event of final.events) {
    const operation = byTail.get(event.tailHash);
    if (operation === undefined) report("altered_bytes", `${event.id} is stored with bytes that nobody sent`);
    else operation.storedIds.push(event.id);
  }
  for (const { number, acknowledgedIds, isAcknowledged, storedIds, mayBeStored } of operations.values()) {
    const name = `operation ${number}`;
    if (acknowledgedIds.size > 1) report("unstable_id", `${name} was answered with ${[...acknowledgedIds].join(", ")}`);
    if (storedIds.length > 1) report("doubled_event", `${name} is stored as ${storedIds.join(", ")}`);
    for (const id of acknowledgedIds) if (!storedIds.includes(id)) report("lost_event", `${name}, ${id}`);
    if (isAcknowledged && acknowledgedIds.size + storedIds.length === 0) report("lost_event", name);
    if (!mayBeStored && storedIds.length > 0) report("stored_despite_refusal", `${name}, ${storedIds[0]}`);
  }
  return [...operations.values()];
}

function checkReceipts(
  operations: readonly Operation[],
  received: readonly Of<"received">[],
  final: FinalState,
  report: Report,
): void {
  const byTail = new Map(operations.map((operation) => [operation.tailHash, operation]));
  const heard = new Set<string>();
  const idOfDelivery = new Map<string, string>();
  for (const request of received) {
    const operation = byTail.get(request.tailHash);
    const what = `${request.deliveryId} (${request.eventId}) to ${request.webhook}`;
    if (!request.isSigned) report("bad_signature", what);
    if (operation === undefined) report("altered_bytes", what);
    else if (!operation.expected.has(request.webhook)) report("received_by_stranger", what);
    const earlier = idOfDelivery.get(request.deliveryId);
    if (earlier !== undefined && earlier !== request.eventId) report("unstable_id", `${what}, before as ${earlier}`);
    idOfDelivery.set(request.deliveryId, request.eventId);
    if (operation !== undefined && !operation.storedIds.includes(request.eventId)) {
      report("unstable_id", `${what} does not name the stored event`);
    }
    heard.add(`${request.eventId} ${request.webhook}`);
  }
  // Acknowledged or not: what is stored is owed. A dead letter or a cancellation ends the debt as well.
  const ended = new Set(
    final.terminals.filter(({ kind }) => kind !== "delivered").map(({ eventId, webhook }) => `${eventId} ${webhook}`),
  );
  for (const { number, storedIds, expected } of operations) {
    for (const id of storedIds) {
      for (const webhook of expected) {
        const debt = `${id} ${webhook}`;
        if (!heard.has(debt) && !ended.has(debt)) report("not_received", `operation ${number}, ${debt}`);
      }
    }
  }
}

function checkTerminals(received: readonly Of<"received">[], final: FinalState, report: Report): void {
  if (final.pendingDeliveryCount > 0) report("left_over", `${final.pendingDeliveryCount} deliveries`);
  if (final.pendingFanOutCount > 0) report("left_over", `${final.pendingFanOutCount} fan-outs`);
  const answered = new Set<string>();
  const heard = new Set<string>();
  for (const { deliveryId, answer } of received) {
    heard.add(deliveryId);
    if (answer !== null && answer >= 200 && answer <= 299) answered.add(deliveryId);
  }
  const terminalCounts = new Map<string, number>();
  const deliveriesOfEvent = new Map<string, number>();
  for (const { deliveryId, eventId, kind } of final.terminals) {
    const count = (terminalCounts.get(deliveryId) ?? 0) + 1;
    terminalCounts.set(deliveryId, count);
    if (count === 1) deliveriesOfEvent.set(eventId, (deliveriesOfEvent.get(eventId) ?? 0) + 1);
    if (kind === "delivered" && !answered.has(deliveryId)) report("delivered_unheard", deliveryId);
  }
  for (const [id, count] of terminalCounts) if (count > 1) report("terminal_records", `${id} has ${count}`);
  for (const id of heard) if (!terminalCounts.has(id)) report("terminal_records", `${id} was heard and has none`);
  for (const { id, deliveryCount } of final.events) {
    const count = deliveriesOfEvent.get(id) ?? 0;
    if (count !== deliveryCount) report("terminal_records", `${id} has ${count} ended deliveries of ${deliveryCount}`);
  }
}

/** Strikes again and again while it lasts: PostgreSQL panics, restarts and panics. */
const REPEATING: ReadonlySet<FaultKind> = new Set(["disk_full"]);

/**
 * For each repeated request the fault between the two that explains it; null for none. A fault explains one repeat of
 * each delivery: a node that sent in a loop because of one kill would be found out.
 */
function explainDuplicates(
  received: readonly Of<"received">[],
  faults: readonly Of<"fault">[],
  report: Report,
): (FaultKind | null)[] {
  const last = new Map<string, { readonly request: Of<"received">; readonly used: Set<Of<"fault">> }>();
  const found: (FaultKind | null)[] = [];
  for (const request of [...received].sort((a, b) => a.atMs - b.atMs)) {
    const before = last.get(request.deliveryId);
    const used = before?.used ?? new Set();
    last.set(request.deliveryId, { request, used });
    if (before === undefined) continue;
    const { answer, atMs: beforeMs } = before.request;
    // Answered with a failure: this is the retry that was promised.
    if (answer !== null && (answer < 200 || answer > 299)) continue;
    const cause = faults.find(
      (fault) => !used.has(fault) && fault.untilMs >= beforeMs - SLACK_MS && fault.atMs <= request.atMs + SLACK_MS,
    );
    if (cause !== undefined && !REPEATING.has(cause.fault)) used.add(cause);
    found.push(cause?.fault ?? null);
    if (cause === undefined) {
      const gapMs = Math.round(request.atMs - beforeMs);
      report("unexplained_duplicate", `${request.deliveryId}, ${gapMs} ms apart, at ${Math.round(request.atMs)}`);
    }
  }
  return found;
}

/** A node that was taken over writes nothing about what it began before. */
function checkFence(takeovers: readonly Of<"taken_over">[], final: FinalState, report: Report): void {
  for (const { atMs, node } of takeovers) {
    for (const { deliveryId, number, startedAtMs, recordedAtMs } of final.attempts) {
      if (startedAtMs < atMs - CLOCK_SLACK_MS && recordedAtMs > atMs + CLOCK_SLACK_MS) {
        report("stale_write", `attempt ${number} of ${deliveryId}, recorded after ${node} had been taken over`);
      }
    }
  }
}

function countBy<Key extends string>(keys: readonly Key[]): Partial<Record<Key, number>> {
  const counts: Partial<Record<Key, number>> = {};
  for (const key of keys) counts[key] = (counts[key] ?? 0) + 1;
  return counts;
}
