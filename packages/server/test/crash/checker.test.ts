// The judge is judged first: hand-made histories, a clean one and one for each way of breaking a promise.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { check, type FinalState, type Rule } from "../support/crash/checker.ts";
import type { LedgerEntry, LedgerEvent } from "../support/crash/ledger.ts";

const NOT_STORED: LedgerEvent = { kind: "not_stored", operation: 1, code: "DATABASE_UNAVAILABLE" };
const UNKNOWN: LedgerEvent = { kind: "unknown", operation: 1, why: "ECONNRESET" };
const INVOKED: LedgerEvent = { kind: "invoked", operation: 1, key: "k", tailHash: "tail", expected: ["all"] };
const ACKNOWLEDGED: LedgerEvent = { kind: "acknowledged", operation: 1, eventId: "evt_1", replayed: false };
const RECEIVED = {
  kind: "received",
  webhook: "all",
  deliveryId: "dlv_1",
  eventId: "evt_1",
  attempt: 1,
  tailHash: "tail",
  isSigned: true,
  answer: 200,
} as const;

const DELIVERED = { deliveryId: "dlv_1", eventId: "evt_1", webhook: "all", kind: "delivered" } as const;
const CLEAN: FinalState = {
  pendingDeliveryCount: 0,
  pendingFanOutCount: 0,
  events: [{ id: "evt_1", deliveryCount: 1, tailHash: "tail" }],
  terminals: [DELIVERED],
  attempts: [{ deliveryId: "dlv_1", number: 1, startedAtMs: 2_000, recordedAtMs: 2_010 }],
};
const NOTHING: FinalState = { ...CLEAN, events: [], terminals: [], attempts: [] };

/** One entry every ten seconds: far apart for any tolerance. */
function history(...events: LedgerEvent[]): LedgerEntry[] {
  return events.map((event, index) => ({ atMs: (index + 1) * 10_000, ...event }));
}

function fault(atMs: number, untilMs: number): LedgerEntry {
  return { atMs, kind: "fault", fault: "node_killed", untilMs, note: "" };
}

function rules(entries: readonly LedgerEntry[], final: FinalState): Rule[] {
  return [...new Set(check(entries, final).violations.map(({ rule }) => rule))];
}

describe("histories in which every promise was kept", () => {
  test("captured, heard once, recorded", () => {
    const verdict = check(history(INVOKED, ACKNOWLEDGED, RECEIVED), CLEAN);
    expect(verdict.violations).toEqual([]);
    expect(verdict.counts).toEqual({
      invoked: 1,
      acknowledged: 1,
      stored: 1,
      requests: 1,
      deliveries: 1,
      duplicates: 0,
      delivered: 1,
      lost: 0,
    });
  });

  test("unknown at first, then answered with the first event again", () => {
    expect(
      rules(history(INVOKED, UNKNOWN, { ...ACKNOWLEDGED, replayed: true } as LedgerEvent, RECEIVED), CLEAN),
    ).toEqual([]);
  });

  test("refused or unknown, and indeed not there", () => {
    expect(rules(history(INVOKED, NOT_STORED), NOTHING)).toEqual([]);
    expect(rules(history(INVOKED, UNKNOWN), NOTHING)).toEqual([]);
  });

  test("a retry after a failure is no duplicate", () => {
    const verdict = check(
      history(INVOKED, ACKNOWLEDGED, { ...RECEIVED, answer: 503 }, { ...RECEIVED, attempt: 2 }),
      CLEAN,
    );
    expect(verdict.violations).toEqual([]);
    expect(verdict.counts.duplicates).toBe(0);
  });

  test("a dead letter ends the debt to a webhook that could not hear", () => {
    expect(
      rules(history(INVOKED, ACKNOWLEDGED), { ...CLEAN, terminals: [{ ...DELIVERED, kind: "dead_letter" }] }),
    ).toEqual([]);
  });

  test("a request repeated over a kill is a duplicate that is explained", () => {
    const entries = history(INVOKED, ACKNOWLEDGED, RECEIVED, RECEIVED);
    const verdict = check([...entries, fault(35_000, 36_000)], CLEAN);
    expect(verdict.violations).toEqual([]);
    expect(verdict.explained).toEqual({ node_killed: 1 });
  });
});

describe("histories in which one was broken", () => {
  const cases: readonly [string, Rule, readonly LedgerEntry[], FinalState][] = [
    ["acknowledged and not there", "lost_event", history(INVOKED, ACKNOWLEDGED), NOTHING],
    [
      "acknowledged by a broken answer and not there",
      "lost_event",
      history(INVOKED, { ...ACKNOWLEDGED, eventId: null } as LedgerEvent),
      NOTHING,
    ],
    ["stored and never heard", "not_received", history(INVOKED, ACKNOWLEDGED), CLEAN],
    ["stored without an answer and never heard", "not_received", history(INVOKED, UNKNOWN), CLEAN],
    ["refused and stored all the same", "stored_despite_refusal", history(INVOKED, NOT_STORED, RECEIVED), CLEAN],
    [
      "one operation stored twice",
      "doubled_event",
      history(INVOKED, ACKNOWLEDGED, RECEIVED),
      { ...CLEAN, events: [...CLEAN.events, { id: "evt_2", deliveryCount: 0, tailHash: "tail" }] },
    ],
    [
      "answered with two ids",
      "unstable_id",
      history(INVOKED, ACKNOWLEDGED, { ...ACKNOWLEDGED, eventId: "evt_2" } as LedgerEvent, RECEIVED),
      CLEAN,
    ],
    [
      "one delivery under two webhook-ids",
      "unstable_id",
      history(INVOKED, ACKNOWLEDGED, { ...RECEIVED, answer: 500 }, { ...RECEIVED, eventId: "evt_2" }),
      CLEAN,
    ],
    [
      "heard by a stranger",
      "received_by_stranger",
      history(INVOKED, ACKNOWLEDGED, { ...RECEIVED, webhook: "canary" }),
      CLEAN,
    ],
    ["heard with other bytes", "altered_bytes", history(INVOKED, ACKNOWLEDGED, { ...RECEIVED, tailHash: "x" }), CLEAN],
    [
      "stored with other bytes",
      "altered_bytes",
      history(INVOKED, UNKNOWN),
      { ...CLEAN, events: [{ id: "evt_1", deliveryCount: 1, tailHash: "x" }] },
    ],
    ["a wrong signature", "bad_signature", history(INVOKED, ACKNOWLEDGED, { ...RECEIVED, isSigned: false }), CLEAN],
    [
      "something still waits",
      "left_over",
      history(INVOKED, ACKNOWLEDGED, RECEIVED),
      { ...CLEAN, pendingDeliveryCount: 1 },
    ],
    [
      "a list is not expanded",
      "left_over",
      history(INVOKED, ACKNOWLEDGED, RECEIVED),
      { ...CLEAN, pendingFanOutCount: 1 },
    ],
    [
      "heard and nowhere recorded",
      "terminal_records",
      history(INVOKED, ACKNOWLEDGED, RECEIVED),
      { ...CLEAN, terminals: [] },
    ],
    [
      "recorded twice",
      "terminal_records",
      history(INVOKED, ACKNOWLEDGED, RECEIVED),
      { ...CLEAN, terminals: [DELIVERED, { ...DELIVERED, kind: "cancelled" }] },
    ],
    [
      "fewer deliveries than were promised",
      "terminal_records",
      history(INVOKED, ACKNOWLEDGED, RECEIVED),
      { ...CLEAN, events: [{ id: "evt_1", deliveryCount: 2, tailHash: "tail" }] },
    ],
    [
      "recorded as delivered, answered with a failure",
      "delivered_unheard",
      history(INVOKED, ACKNOWLEDGED, { ...RECEIVED, answer: 500 }),
      CLEAN,
    ],
    ["heard twice for no reason", "unexplained_duplicate", history(INVOKED, ACKNOWLEDGED, RECEIVED, RECEIVED), CLEAN],
    [
      "heard twice, long after the kill was over",
      "unexplained_duplicate",
      [...history(INVOKED, ACKNOWLEDGED, RECEIVED, RECEIVED), fault(5_000, 6_000)],
      CLEAN,
    ],
    [
      "heard three times over one kill",
      "unexplained_duplicate",
      [...history(INVOKED, ACKNOWLEDGED, RECEIVED, RECEIVED, RECEIVED), fault(35_000, 36_000)],
      CLEAN,
    ],
    [
      "heard three times during one long pause",
      "unexplained_duplicate",
      [...history(INVOKED, ACKNOWLEDGED, RECEIVED, RECEIVED, RECEIVED), fault(25_000, 60_000)],
      CLEAN,
    ],
    [
      "recorded by a node that was taken over in between",
      "stale_write",
      [...history(INVOKED, ACKNOWLEDGED, RECEIVED), { atMs: 2_500, kind: "taken_over", node: "node_1" }],
      { ...CLEAN, attempts: [{ deliveryId: "dlv_1", number: 1, startedAtMs: 2_000, recordedAtMs: 3_000 }] },
    ],
  ];
  for (const [name, rule, entries, final] of cases) {
    test(`${rule}: ${name}`, () => {
      expect(rules(entries, final)).toContain(rule);
    });
  }
});

test("whichever acknowledged event is taken away, it is missed", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 30 }), fc.nat(), (count, pick) => {
      const numbers = Array.from({ length: count }, (_, index) => index);
      const entries = history(
        ...numbers.flatMap((n): LedgerEvent[] => [
          { kind: "invoked", operation: n, key: null, tailHash: `tail ${n}`, expected: [] },
          { kind: "acknowledged", operation: n, eventId: `evt_${n}`, replayed: false },
        ]),
      );
      const events = numbers.map((n) => ({ id: `evt_${n}`, deliveryCount: 0, tailHash: `tail ${n}` }));
      expect(rules(entries, { ...NOTHING, events })).toEqual([]);
      const missing = events.filter((_, index) => index !== pick % count);
      expect(check(entries, { ...NOTHING, events: missing }).counts.lost).toBe(1);
    }),
  );
});
