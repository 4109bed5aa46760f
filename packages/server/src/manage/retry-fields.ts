// The fields `retryPolicy` and `expireAfter`: their shapes, what is wrong with them, and how they are stored: in seconds,
// the defaults of the schedule filled in, so that what is shown is what is done.
import type { ErrorDetail } from "@posthorn/contract";
import { normaliseTimestamp } from "@posthorn/contract";
import { z } from "zod";
import { type CalendarSetting, CLOCK_PATTERN, isEverOpen, isOneOff, isTimeZone, WEEKDAYS } from "../lib/calendar.ts";
import { DURATION_PATTERN, parseDuration } from "../lib/duration.ts";
import type { ExponentialPolicy, RetryPolicySetting } from "../storage/retry-setting.ts";

const DAY_SECONDS = 86_400;
const LONGEST_STEP_SECONDS = 7 * DAY_SECONDS;
const LONGEST_POLICY_SECONDS = 30 * DAY_SECONDS;
const MAX_RETRIES = 100;
const MAX_WINDOWS = 20;
const LONGEST_WINDOW_MS = 31 * DAY_SECONDS * 1_000;

/** Missing members of a policy that says something of its pauses; the delays are those the contract prints (5 s, doubling). */
const DEFAULTS = { maxRetries: 9, retryDelay: 5, backoffMultiplier: 2 } as const;

/** A length of time: seconds, or a text such as `90s`, `30m`, `72h`, `3d`. Comes out in seconds. */
function seconds(min: number, max: number) {
  const inRange = (value: number): boolean => value >= min && value <= max;
  return z
    .union([
      z.number(),
      z
        .string()
        .regex(DURATION_PATTERN, "Expected seconds, or a text such as 90s, 30m, 72h or 3d")
        .transform((text) => parseDuration(text) as number),
    ])
    .refine(inRange, `Expected ${min} to ${max} seconds`)
    .meta({ description: "Seconds, or a text such as `90s`, `30m`, `72h` or `3d`." });
}

const clock = z.string().regex(CLOCK_PATTERN, "Expected HH:MM, 00:00 to 24:00");
const days = z.array(z.enum(WEEKDAYS)).min(1).max(7);
const weekly = z.strictObject({ days: days.optional(), from: clock, to: clock });
const moment = z
  .string()
  .refine((text) => normaliseTimestamp(text) !== null, "Expected HH:MM, or an ISO 8601 time with an offset")
  .meta({ format: "date-time" });
const oneOff = z.strictObject({ from: moment, to: moment });

const calendar = z.strictObject({
  timeZone: z
    .string()
    .min(1)
    .max(64)
    .meta({ examples: ["Asia/Kuala_Lumpur"] }),
  businessHours: z.array(weekly).min(1).max(MAX_WINDOWS).optional(),
  maintenanceWindows: z
    .array(z.union([weekly, oneOff]))
    .min(1)
    .max(MAX_WINDOWS)
    .optional(),
});

const failFastStatus = z.union([
  z.int().min(300).max(599),
  z.string().regex(/^[345]xx$/, "Expected a status such as 422, or a class such as 4xx"),
]);

export const retryPolicyField = z.strictObject({
  backoff: z.enum(["exponential", "linear", "standard"]).optional(),
  maxRetries: z.int().min(0).max(MAX_RETRIES).optional(),
  retryDelay: seconds(0, LONGEST_STEP_SECONDS).optional(),
  backoffMultiplier: z.number().min(1).max(10).optional(),
  increment: seconds(0, LONGEST_STEP_SECONDS).optional(),
  delays: z.array(seconds(0, LONGEST_STEP_SECONDS)).min(1).max(MAX_RETRIES).optional(),
  maxDelay: seconds(1, LONGEST_STEP_SECONDS).optional(),
  jitter: z.number().min(0).max(0.5).optional(),
  maxAge: seconds(1, LONGEST_POLICY_SECONDS).optional(),
  failFastStatuses: z.array(failFastStatus).min(1).max(50).optional(),
  calendar: calendar.optional(),
});
export const expireAfterField = seconds(1, LONGEST_POLICY_SECONDS);
const LONGEST_CHECK_SECONDS = 30 * 86_400;
const SHORTEST_CHECK_SECONDS = 900;
export const checkAfterField = seconds(SHORTEST_CHECK_SECONDS, LONGEST_CHECK_SECONDS);
export const expireWarningField = z.number().min(0.1).max(1);

type GivenPolicy = z.output<typeof retryPolicyField>;

/** The policy as it is stored. One that says nothing of pauses keeps the default ones beside its rules; `{}` is the printed one. */
export function retryPolicyOf(given: GivenPolicy): RetryPolicySetting {
  const { backoff, maxRetries, retryDelay, backoffMultiplier, increment, delays, ...rules } = given;
  const kept = defined(rules);
  if (delays !== undefined) return { delays, ...kept };
  const saysNothing = [backoff, maxRetries, retryDelay, backoffMultiplier].every((member) => member === undefined);
  if (backoff === "standard" || (saysNothing && Object.keys(kept).length > 0)) return { backoff: "standard", ...kept };
  const shared = { maxRetries: maxRetries ?? DEFAULTS.maxRetries, retryDelay: retryDelay ?? DEFAULTS.retryDelay };
  if (backoff === "linear") return { backoff, ...shared, increment: increment ?? shared.retryDelay, ...kept };
  const exponential: ExponentialPolicy = {
    ...shared,
    backoffMultiplier: backoffMultiplier ?? DEFAULTS.backoffMultiplier,
    ...kept,
  };
  return exponential;
}

function defined<Members extends object>(
  members: Members,
): { [Name in keyof Members]?: Exclude<Members[Name], undefined> } {
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined)) as never;
}

/** What is wrong with a policy that has the right shape. It is kept exactly, so one that reaches too far is refused. */
export function checkRetryPolicy(given: GivenPolicy): ErrorDetail[] {
  return [...contradictions(given), ...checkLength(given), ...(given.calendar ? checkCalendar(given.calendar) : [])];
}

/** Members that belong to another kind of schedule. */
function contradictions(given: GivenPolicy): ErrorDetail[] {
  const refused = (members: readonly (keyof GivenPolicy)[], reason: string): ErrorDetail[] =>
    members
      .filter((member) => given[member] !== undefined)
      .map((member) => ({ field: `retryPolicy.${member}`, message: `${reason} Leave it out.`, code: "INVALID_VALUE" }));
  const shapes = ["maxRetries", "retryDelay", "backoffMultiplier", "increment"] as const;
  if (given.delays !== undefined) return refused(["backoff", ...shapes], "`delays` lists every pause by itself.");
  switch (given.backoff) {
    case "standard":
      return refused(shapes, "`backoff: standard` has its own pauses.");
    case "linear":
      return refused(["backoffMultiplier"], "`backoff: linear` grows by `increment`.");
    case "exponential":
    case undefined:
      return refused(["increment"], "Only `backoff: linear` grows by `increment`.");
    default:
      return given.backoff satisfies never;
  }
}

function checkLength(given: GivenPolicy): ErrorDetail[] {
  const policy = retryPolicyOf(given);
  const pauses = pausesOf(policy).map((pause) => Math.min(pause, policy.maxDelay ?? Number.POSITIVE_INFINITY));
  const longest = Math.max(0, ...pauses);
  const total = pauses.reduce((sum, pause) => sum + pause, 0);
  if (longest > LONGEST_STEP_SECONDS) {
    return [tooLong(`Its longest pause would be ${inDays(longest)} days; 7 are the most.`)];
  }
  return total > LONGEST_POLICY_SECONDS
    ? [tooLong(`It would try for ${inDays(total)} days in all; 30 are the most.`)]
    : [];
}

function pausesOf(policy: RetryPolicySetting): readonly number[] {
  if ("delays" in policy) return policy.delays;
  if (policy.backoff === "standard") return [];
  return Array.from({ length: policy.maxRetries }, (_, retry) =>
    policy.backoff === "linear"
      ? policy.retryDelay + policy.increment * retry
      : policy.retryDelay * policy.backoffMultiplier ** retry,
  );
}

function tooLong(problem: string): ErrorDetail {
  const message = `${problem} Lower maxRetries or the pauses, or set maxDelay.`;
  return { field: "retryPolicy", message, code: "INVALID_VALUE" };
}

function inDays(length: number): string {
  return (length / DAY_SECONDS).toPrecision(3);
}

function checkCalendar(setting: CalendarSetting): ErrorDetail[] {
  const detail = (member: string, message: string): ErrorDetail => ({
    field: `retryPolicy.calendar${member}`,
    message,
    code: "INVALID_VALUE",
  });
  if (!isTimeZone(setting.timeZone)) {
    return [
      detail(".timeZone", "This is no time zone that is known here. Use an IANA name such as Asia/Kuala_Lumpur."),
    ];
  }
  if (setting.businessHours === undefined && setting.maintenanceWindows === undefined) {
    return [detail("", "Name `businessHours`, `maintenanceWindows` or both; without them it is always open.")];
  }
  const windows = Object.entries({
    businessHours: setting.businessHours ?? [],
    maintenanceWindows: setting.maintenanceWindows ?? [],
  }).flatMap(([name, list]) => list.map((window, index) => ({ place: `.${name}[${index}]`, window })));
  const problems = windows.flatMap(({ place, window }) => {
    const { from, to } = window;
    if (!isOneOff(window)) {
      const isNothing = from === to || from === "24:00";
      return isNothing ? [detail(place, "Its end is its beginning. A whole day is 00:00 to 24:00.")] : [];
    }
    const lengthMs = Date.parse(to) - Date.parse(from);
    return lengthMs > 0 && lengthMs <= LONGEST_WINDOW_MS
      ? []
      : [detail(place, "It must end after it begins, and last 31 days at most. For longer pause the webhook.")];
  });
  if (problems.length > 0) return problems;
  return isEverOpen(setting) ? [] : [detail("", "It is never open: its windows cover the whole week.")];
}
