// When a failed request is sent again, as pure functions.
import { ConnectionFailed, PosthornError, TimedOut, UnexpectedAnswer } from "@posthorn/client";
import { describe, expect, test } from "vitest";
import { mayRepeat, nextDelayMs, RETRY_DEFAULTS, secondsOfRetryAfter } from "../../src/http/retry.ts";

const answered = (code: string, status: number) => new PosthornError({ code, message: "…", status });
const cut = (reason: string | null, nothingSent: boolean) => new ConnectionFailed("…", { reason, nothingSent });

describe("a failure is worth another try", () => {
  test.each([
    ["429", answered("RATE_LIMITED", 429), true, true],
    ["503, nothing stored", answered("DATABASE_UNAVAILABLE", 503), true, true],
    ["503, outcome unknown", answered("OUTCOME_UNKNOWN", 503), true, false],
    ["408", answered("REQUEST_TIMEOUT", 408), true, false],
    ["a proxy's 502", new UnexpectedAnswer("…", { status: 502 }), true, false],
    ["nobody listens", cut("ECONNREFUSED", true), true, true],
    ["cut on the way", cut("ECONNRESET", false), true, false],
    ["a browser's silence", cut(null, false), true, false],
    ["no answer in time", new TimedOut("…"), true, false],
    ["a wrong certificate", cut("DEPTH_ZERO_SELF_SIGNED_CERT", true), false, false],
    ["422", answered("VALIDATION_ERROR", 422), false, false],
    ["401", answered("UNAUTHORIZED", 401), false, false],
    ["500", answered("INTERNAL", 500), false, false],
    ["somebody else's page", new UnexpectedAnswer("…", { status: 200 }), false, false],
  ])("%s: whenever it may be repeated %s, otherwise %s", (_name, error, always, onlyIfNothing) => {
    expect([mayRepeat(error, "always"), mayRepeat(error, "only_if_nothing_happened")]).toEqual([always, onlyIfNothing]);
  });
});

describe("the pause", () => {
  const options = { ...RETRY_DEFAULTS, maxTries: 20, baseDelayMs: 100, maxDelayMs: 1_000, deadlineMs: 5_000 };
  test("is a random share of a bound that doubles up to its limit", () => {
    const whole = [1, 2, 3, 4, 5, 6].map((tries) => nextDelayMs(options, tries, 0, null, 1));
    expect(whole).toEqual([100, 200, 400, 800, 1_000, 1_000]);
    expect(nextDelayMs(options, 3, 0, null, 0)).toBe(0);
  });

  test("is at least what the server asked for, and none when that would be too late", () => {
    expect(nextDelayMs(options, 1, 0, 3, 0.5)).toBe(3_050);
    expect(nextDelayMs(options, 1, 0, 6, 0.5)).toBeNull();
    expect(nextDelayMs(options, 1, 4_990, null, 0.5)).toBeNull();
    expect(nextDelayMs(options, 20, 0, null, 0.5)).toBeNull();
  });

  test("is read from both forms of Retry-After", () => {
    const nowMs = Date.parse("2026-11-23T08:00:00Z");
    expect(secondsOfRetryAfter("7", nowMs)).toBe(7);
    expect(secondsOfRetryAfter("Mon, 23 Nov 2026 08:00:30 GMT", nowMs)).toBe(30);
    expect(secondsOfRetryAfter("Mon, 23 Nov 2026 07:00:00 GMT", nowMs)).toBe(0);
    expect([secondsOfRetryAfter("soon", nowMs), secondsOfRetryAfter(null, nowMs)]).toEqual([null, null]);
  });
});
