import { describe, expect, test } from "vitest";
import { decide, outcomeOf } from "../../src/deliver/decide.ts";
import type { SendResult } from "../../src/security/outbound/result.ts";

const trace = {
  address: "127.0.0.1:1",
  reusedConnection: false,
  requestStarted: true,
  timings: { dnsMs: null, connectMs: null, tlsMs: null, firstByteMs: 1, totalMs: 1 },
};
const responded = (status: number, headers: string[] = []): SendResult => ({
  ...trace,
  kind: "responded",
  status,
  headers,
  headersTruncated: false,
  body: Buffer.alloc(0),
  bodyReadBytes: 0,
  bodyTruncated: false,
  certificateExpiresAtMs: null,
});
const decided = (result: SendResult, policyAttempt = 1) =>
  decide({
    result,
    judged: { outcome: outcomeOf(result).outcome, action: null, afterMs: null },
    schedule: {
      retryPolicy: { maxRetries: 1, retryDelay: 5, backoffMultiplier: 1, failFastStatuses: [422] },
      expireAfterMs: null,
    },
    place: { deliveryId: new Uint8Array(16), policyAttempt, isRevived: false },
    endedAtMs: 1_000,
  });

describe("outcomes", () => {
  test.each([
    [200, "delivered"],
    [204, "delivered"],
    [299, "delivered"],
    [300, "rejected"],
    [301, "rejected"],
    [304, "rejected"],
    [307, "rejected"],
    [308, "rejected"],
    [400, "rejected"],
    [404, "rejected"],
    [409, "rejected"],
    [410, "gone"],
    [429, "throttled"],
    [500, "rejected"],
    [502, "rejected"],
    [503, "throttled"],
    [504, "rejected"],
  ])("status %i is %s", (status, outcome) => {
    expect(outcomeOf(responded(status)).outcome).toBe(outcome);
  });

  test("every failure of the network has an outcome of its own", () => {
    const failures: [SendResult, string][] = [
      [{ ...trace, kind: "timed_out", phase: "connect" }, "timed_out"],
      [{ ...trace, kind: "connection_failed", phase: "dns", code: "ENOTFOUND" }, "connection_failed"],
      [{ ...trace, kind: "tls_failed", code: "CERT_HAS_EXPIRED" }, "tls_failed"],
      [{ ...trace, kind: "blocked", code: "URL_ADDRESS", message: "" }, "blocked"],
      [{ ...trace, kind: "invalid_response", code: "HPE_INVALID_CONSTANT" }, "invalid_response"],
      [{ ...trace, kind: "aborted", phase: "response" }, "interrupted"],
    ];
    for (const [result, outcome] of failures) expect(outcomeOf(result).outcome).toBe(outcome);
  });
});

describe("what follows", () => {
  test("success delivers, whichever attempt it is", () => {
    expect(decided(responded(201), 2)).toEqual({ kind: "delivered" });
  });
  test("a failure waits as the policy says, the last one is a dead letter", () => {
    expect(decided(responded(500))).toEqual({ kind: "retry", nextAttemptAtMs: 6_000 });
    expect(decided(responded(500), 2)).toEqual({ kind: "dead_letter", reason: "attempts_exhausted" });
  });
  test("410 ends the delivery at once", () => {
    expect(decided(responded(410))).toEqual({ kind: "dead_letter", reason: "endpoint_gone" });
  });
  test("a status that the policy names as hopeless ends the delivery at its first attempt", () => {
    expect(decided(responded(422))).toEqual({ kind: "dead_letter", reason: "rejected_permanently" });
  });
  test("Retry-After is a minimum: it lengthens a wait and never shortens one", () => {
    expect(decided(responded(429, ["Retry-After", "60"]))).toEqual({ kind: "retry", nextAttemptAtMs: 61_000 });
    expect(decided(responded(503, ["retry-after", "1"]))).toEqual({ kind: "retry", nextAttemptAtMs: 6_000 });
  });
  test("what we interrupted ourselves is due at once, even after the last attempt", () => {
    expect(decided({ ...trace, kind: "aborted", phase: "response" }, 2)).toEqual({
      kind: "retry",
      nextAttemptAtMs: 1_000,
    });
  });
});
