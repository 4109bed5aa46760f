// The fields that say which events travel together: batchSettings, coalesce, onImport. Their schemas, their defaults,
// and what is wrong with them. Must refuse a key that does not compile: nobody is there to be told when events come.
import type { ErrorDetail } from "@posthorn/contract";
import { z } from "zod";
import { type BatchSetting, type CoalesceSetting, IMPORT_MODES } from "../storage/configuration.ts";

export const MAX_BATCH_EVENTS = 1_000;
/** Seconds. */
const LONGEST_WAIT = 3_600;
const MAX_FLUSH_PATTERNS = 100;

const seconds = z.number().min(0.1).max(LONGEST_WAIT);
const expression = z.string().min(1);

export const batchSettingsField = z.strictObject({
  enabled: z.boolean().optional(),
  maxEvents: z.int().min(1).max(MAX_BATCH_EVENTS).optional(),
  maxWaitTime: seconds.optional(),
  flushOnEvent: z.array(z.string()).max(MAX_FLUSH_PATTERNS).optional(),
  key: expression.nullable().optional(),
  per: z.enum(["event", "batch"]).optional(),
});

export const coalesceField = z.strictObject({ key: expression, window: seconds, maxWait: seconds.optional() });

export const onImportField = z.enum(IMPORT_MODES);

type BatchSettingsField = z.output<typeof batchSettingsField>;
type CoalesceField = z.output<typeof coalesceField>;

/** The numbers that the published contract gives. */
export const BATCH_DEFAULTS: BatchSetting = {
  enabled: true,
  maxEvents: 100,
  maxWaitTime: 30,
  flushOnEvent: [],
  per: "event",
};
/** A state that changes all the time is sent after so many windows all the same. */
const MAX_WAIT_WINDOWS = 10;

export function withBatchDefaults(given: BatchSettingsField): BatchSetting {
  const { key } = given;
  return {
    enabled: given.enabled ?? BATCH_DEFAULTS.enabled,
    maxEvents: given.maxEvents ?? BATCH_DEFAULTS.maxEvents,
    maxWaitTime: given.maxWaitTime ?? BATCH_DEFAULTS.maxWaitTime,
    flushOnEvent: given.flushOnEvent ?? BATCH_DEFAULTS.flushOnEvent,
    ...(key === undefined || key === null ? {} : { key }),
    per: given.per ?? BATCH_DEFAULTS.per,
  };
}

export function withCoalesceDefaults({ key, window, maxWait }: CoalesceField): CoalesceSetting {
  return { key, window, maxWait: maxWait ?? Math.min(LONGEST_WAIT, window * MAX_WAIT_WINDOWS) };
}

/** What webhook-configuration.ts lends: the checks of expressions and of event types. */
export interface FieldChecks {
  readonly expression: (source: string, field: string) => ErrorDetail[];
  readonly eventType: (pattern: string, field: string) => ErrorDetail[];
}

export function checkBatchSettings({ key, flushOnEvent }: BatchSettingsField, checks: FieldChecks): ErrorDetail[] {
  const patterns = flushOnEvent ?? [];
  return [
    ...patterns.flatMap((pattern, index) => checks.eventType(pattern, `batchSettings.flushOnEvent[${index}]`)),
    ...(typeof key === "string" ? checks.expression(key, "batchSettings.key") : []),
  ];
}

export function checkCoalesce({ key, window, maxWait }: CoalesceField, checks: FieldChecks): ErrorDetail[] {
  const details = checks.expression(key, "coalesce.key");
  if (maxWait === undefined || maxWait >= window) return details;
  const message = `A state waits for \`window\` seconds at least, so maxWait cannot be less than ${window}.`;
  return [...details, { field: "coalesce.maxWait", message, code: "INVALID_VALUE" }];
}
