// What delivering leaves behind, as record takes it. Types only.
import type { MissingValue } from "../expressions/template.ts";
import type { SendResult } from "../security/outbound/result.ts";
import type { Outcome, Verdict } from "./decide.ts";
import type { Entry } from "./queue.ts";
import type { RuleWarning } from "./judge.ts";
import type { Body } from "./renderer.ts";

/** A body that can go out. */
export type SendableBody = Pick<Extract<Body, { kind: "body" }>, "bytes" | "warnings" | "parts">;

/** What one attempt leaves behind. */
export interface AttemptReport {
  readonly number: number;
  readonly trigger: Entry["trigger"];
  readonly startedAtMs: number;
  readonly endedAtMs: number;
  readonly webhookVersion: number;
  readonly method: string;
  readonly url: string;
  readonly outcome: Outcome;
  readonly outcomeCode: string | null;
  readonly bodyLength: number;
  readonly bodyHash: Uint8Array;
  /** What the template found no value for, and rules that could not be evaluated; null without such. */
  readonly warnings: readonly (MissingValue | RuleWarning)[] | null;
  /** What rules took out of the answer, by name. */
  readonly extracted: Readonly<Record<string, string>> | null;
  /** The batch that went out; null for a delivery by itself. */
  readonly batchBytes: Uint8Array | null;
  /** What was sent in the place of the event's own payload; null for that itself. */
  readonly correctionBytes: Uint8Array | null;
  readonly result: SendResult;
}

/** How a delivery goes on: after an attempt, or without one (withdrawn). */
export interface DeliveryReport {
  readonly entry: Entry;
  readonly attempt: AttemptReport | null;
  readonly verdict:
    | Verdict
    | { readonly kind: "cancelled"; readonly reason: "webhook_deleted" }
    | { readonly kind: "held"; readonly reason: "transformation_failed" | "key_parked" };
}

/**
 * Declared here, written by record: true when the reports of one request are committed, all of them; false when they never
 * will be: the lease is gone.
 */
export type RecordDelivery = (reports: readonly DeliveryReport[]) => Promise<boolean>;
