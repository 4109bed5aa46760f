// What the simulation of owed deliveries is made of: its receivers, the results of requests that come to nothing, and the
// rows that are handed from one owner of a lane to the next. Must hold no state.
import { uuidFromBytes } from "@posthorn/contract";
import type { HealthRow, StoredHealthRow } from "../../../src/deliver/endpoints.sql.ts";
import type { SendResult } from "../../../src/security/outbound/result.ts";
import type { Webhook } from "../../../src/storage/configuration.ts";
import { respondedWith, webhookWith } from "../../deliver/support.ts";
import type { World } from "./world.ts";

export interface Receiver {
  readonly webhook: Webhook;
  readonly maxAttempts: number;
  readonly lossShare: number;
  readonly latencyMs: number;
  deadUntilMs: number;
}

/** Two to five, some with order, some that lose requests. */
export function makeReceivers(world: World): Receiver[] {
  const receivers: Receiver[] = [];
  for (let n = 0; n < 2 + Math.floor(world.random() * 4); n += 1) {
    const maxRetries = 2 + Math.floor(world.random() * 8);
    const isOrdered = world.chance(0.5);
    const configuration = {
      maxInFlight: 1 + Math.floor(world.random() * 8),
      retryPolicy: {
        maxRetries,
        retryDelay: 0.5 + Math.floor(world.random() * 3),
        backoffMultiplier: 2,
        maxDelay: 20,
      },
      ...(isOrdered ? { orderingKey: true, onPoison: "skip" } : {}),
    };
    receivers.push({
      webhook: webhookWith({ number: n + 10, configuration }),
      maxAttempts: maxRetries + 1,
      lossShare: world.chance(0.6) ? world.between(0, 0.4) : 0,
      latencyMs: world.between(5, 800),
      deadUntilMs: 0,
    });
  }
  return receivers;
}

/** A 503 that asks for two seconds. */
export const ASKS_FOR_PATIENCE = { ...respondedWith(503), headers: ["Retry-After", "2"] } as SendResult;
export const ABORTED = { kind: "aborted" } as unknown as SendResult;
export const TIMED_OUT = { kind: "timed_out", phase: "response" } as unknown as SendResult;

export function valueOf(headers: readonly string[], name: string): string {
  for (let at = 0; at + 1 < headers.length; at += 2) {
    if (headers[at]?.toLowerCase() === name) return headers[at + 1] as string;
  }
  throw new Error(`no ${name}`);
}

export function asStored(row: HealthRow): StoredHealthRow {
  return {
    tenant_id: uuidFromBytes(row.tenantBytes),
    webhook_id: uuidFromBytes(row.webhookBytes),
    status: row.status,
    score: row.score,
    since_ms: row.sinceMs,
    reason: row.reason,
    failing_since_ms: row.failingSinceMs,
    last_success_ms: row.lastSuccessMs,
    last_failure_ms: row.lastFailureMs,
    failure_count: row.failureCount,
    phase: row.phase,
    open_reason: row.openReason,
    open_count: row.openCount,
    open_until_ms: row.openUntilMs,
    certificate_expires_ms: row.certificateExpiresAtMs,
  } as StoredHealthRow;
}
