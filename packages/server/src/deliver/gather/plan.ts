// What of one webhook travels together, compiled from its fields once for each snapshot. Must give the same answer for
// the same event on every node: nothing here looks at a clock, a database or what else waits.
import { createHash } from "node:crypto";
import { matchesPattern } from "../../catalogue/pattern.ts";
import { compileExpression, type Program } from "../../expressions/compile.ts";
import type { Definitions } from "../../expressions/definitions.ts";
import { ExpressionFault } from "../../expressions/errors.ts";
import { JsonText } from "../../expressions/json-text.ts";
import { parsePayload } from "../../expressions/payload.ts";
import { type ResourceNames, scopeOfEvent } from "../../expressions/scope-of-event.ts";
import { ABSENT } from "../../expressions/values.ts";
import type { BatchSetting, Webhook } from "../../storage/configuration.ts";
import type { DeliverableEvent } from "../queue.ts";
import { BATCH_FRAME_BYTES, MAX_BATCH_BYTES } from "./batch-body.ts";
import type { CoalesceRules } from "./coalescing.ts";
import type { BatchRules } from "./open-batches.ts";

/** Which batch an event joins. */
export interface BatchPlace {
  /** Of the open batch. */
  readonly key: string;
  /** What the webhook's key said of the event, as JSON; null where it said nothing. */
  readonly value: string | null;
  readonly rules: BatchRules;
  readonly flushes: boolean;
}

export interface GatherPlan {
  /** Null: every state is sent. */
  readonly coalesce: CoalesceRules | null;
  /** The thing that an event is a state of; null: it goes by itself. Ask only where `coalesce` is set. */
  coalesceKeyOf(event: DeliverableEvent): string | null;
  /** Null: a request of its own. */
  batchOf(event: DeliverableEvent): BatchPlace | null;
}

/** How events of a type may be called in an expression. */
export type NamesOf = (eventType: string) => ResourceNames;

/** The rules and code tables of a tenant, as they are now. */
export type DefinitionsOf = (tenantId: Webhook["tenantId"]) => Definitions;

export interface PlanOptions {
  readonly namesOf: NamesOf;
  readonly definitionsOf: DefinitionsOf;
}

/** Numbers of a webhook that says nothing about batches and wants its imports in them. */
const IMPORT_BATCH: BatchSetting = { enabled: false, maxEvents: 100, maxWaitTime: 30, flushOnEvent: [], per: "event" };
/** A digest that grew to so many is sent, and the next one begun: its members are in memory until then. */
export const MAX_DIGEST_EVENTS = 5_000;
/** An import that never falls silent is told of so often. */
const LONGEST_DIGEST_MS = 3_600_000;
/** Longer keys are kept by their hash. */
const MAX_KEY_LENGTH = 200;

/** @returns null for a webhook of which every event goes by itself */
export function gatherPlanOf(webhook: Webhook, { namesOf, definitionsOf }: PlanOptions): GatherPlan | null {
  const { batchSettings, coalesce, onImport } = webhook;
  const batches = batchSettings?.enabled === true;
  if (!batches && coalesce === null && onImport === "each") return null;
  const settings = batchSettings ?? IMPORT_BATCH;
  const batchRules: BatchRules = {
    kind: "batch",
    maxCount: settings.maxEvents,
    maxBytes: MAX_BATCH_BYTES - BATCH_FRAME_BYTES,
    maxWaitMs: settings.maxWaitTime * 1_000,
    quietMs: null,
  };
  const digestRules: BatchRules = {
    kind: "digest",
    maxCount: MAX_DIGEST_EVENTS,
    // It holds no event, so their size does not matter.
    maxBytes: Number.POSITIVE_INFINITY,
    maxWaitMs: LONGEST_DIGEST_MS,
    quietMs: settings.maxWaitTime * 1_000,
  };
  const batchKey = programOf(settings.key);
  const coalesceKey = programOf(coalesce?.key);
  const keyOf = (program: Program | null, event: DeliverableEvent): string | null =>
    program === null ? null : keyText(program, event, namesOf(event.type), definitionsOf(webhook.tenantId));
  return {
    coalesce: coalesce === null ? null : { windowMs: coalesce.window * 1_000, maxWaitMs: coalesce.maxWait * 1_000 },
    // A digest tells of every event, so none of them may vanish before.
    coalesceKeyOf: (event) => (onImport === "digest" && isImport(event) ? null : keyOf(coalesceKey, event)),
    batchOf(event) {
      const imported = onImport !== "each" && isImport(event);
      if (imported && onImport === "digest") return { key: "digest", value: null, rules: digestRules, flushes: false };
      if (!batches && !imported) return null;
      const key = keyOf(batchKey, event);
      return {
        key: key === null ? "batch" : `batch ${key}`,
        value: key,
        rules: batchRules,
        flushes: settings.flushOnEvent.some((pattern) => matchesPattern(pattern, event.type)),
      };
    },
  };
}

/** Whether an event is part of an import: its sender said so. */
export function isImport({ context }: DeliverableEvent): boolean {
  if (context === null) return false;
  const bytes = Buffer.from(context.buffer, context.byteOffset, context.byteLength);
  if (!bytes.includes("import")) return false;
  const value: unknown = JSON.parse(bytes.toString("utf8"));
  return typeof value === "object" && value !== null && (value as { source?: unknown }).source === "import";
}

function programOf(source: string | null | undefined): Program | null {
  if (source === undefined || source === null) return null;
  const compiled = compileExpression(source);
  // Checked when it was saved: only another version of this program can have let it through.
  return compiled.ok ? compiled.program : null;
}

/** A value as one text, so that 1 and "1" are two keys; null where there is none, or it took too much work to find. */
function keyText(
  program: Program,
  event: DeliverableEvent,
  names: ResourceNames,
  definitions: Definitions,
): string | null {
  const scope = scopeOfEvent(event, names, definitions, (bytes) => parsePayload(bytes, { exactNumbers: true }));
  const value = program.evaluate(scope);
  if (value instanceof ExpressionFault || value === ABSENT || value === null) return null;
  const json = new JsonText();
  json.write(value);
  // PostgreSQL's texts hold no U+0000; as JSON it is an escape.
  return json.text.length <= MAX_KEY_LENGTH ? json.text : createHash("sha256").update(json.text).digest("base64url");
}
