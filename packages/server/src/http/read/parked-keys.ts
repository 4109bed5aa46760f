// Parked keys as people see them: what holds each, since when, why, and how many wait behind it. Under row-level security
// in one short transaction; must never change a row.
import { idFromUuid } from "@posthorn/contract";
import type pg from "pg";
import { MOST_WAITING, type ParkedFilter, type ParkedKeyRow, selectParkedKeys } from "../../replay/parked.sql.ts";
import { asTenant } from "../../storage/pools.ts";
import { bodyExcerpt } from "./body-excerpt.ts";
import { type LatestAttemptRow, selectLatestAttempts } from "./deliveries.sql.ts";
import { ownDeliveries, type Reader } from "./records.ts";
import { publicEventId } from "./views.ts";

export interface ParkedKey {
  readonly row: ParkedKeyRow;
  readonly attempt: LatestAttemptRow | null;
}

export class ParkedKeyList {
  readonly #api: pg.Pool;

  /** @param api API role, under row-level security */
  constructor(api: pg.Pool) {
    this.#api = api;
  }

  /** Up to `limit` of them, those of the newest deliveries first. */
  async list(reader: Reader, asked: ParkedFilter, beforeUuid: string, limit: number): Promise<readonly ParkedKey[]> {
    const filter = ownDeliveries(reader, asked);
    if (filter === null) return [];
    const { tenantUuid, livemode } = reader;
    return asTenant(this.#api, tenantUuid, async (db) => {
      const rows = await selectParkedKeys(db, tenantUuid, livemode, filter, beforeUuid, limit);
      const ids = rows.map((row) => row.id);
      const attempts = new Map((await selectLatestAttempts(db, tenantUuid, ids)).map((row) => [row.delivery_id, row]));
      return rows.map((row) => ({ row, attempt: attempts.get(row.id) ?? null }));
    });
  }
}

/** How much of the receiver's answer is shown: it mostly says what is wrong with the payload. */
const ANSWER_BYTES = 1_024;

export function parkedKeyView({ row, attempt }: ParkedKey): Record<string, unknown> {
  // Held by an earlier release, nobody wrote down when: its last attempt ended then.
  const heldAt = row.held_at ?? (attempt === null ? null : endOf(attempt));
  return {
    orderingKey: row.ordering_key,
    webhookId: idFromUuid("webhook", row.webhook_id),
    webhookName: row.webhook_name,
    heldReason: row.held_reason,
    parkedAt: heldAt?.toISOString() ?? null,
    waitingCount: row.waiting_count,
    waitingIsMore: row.waiting_count >= MOST_WAITING,
    deliveryId: idFromUuid("delivery", row.id),
    eventId: publicEventId({ id: row.event_id, sender_id: row.sender_id }),
    event: row.event_type,
    reference: row.reference,
    attemptCount: row.attempt_count,
    lastAttempt: attempt === null ? null : attemptView(attempt),
  };
}

function endOf(attempt: LatestAttemptRow): Date {
  return new Date(attempt.started_at.getTime() + attempt.duration_ms);
}

function attemptView(attempt: LatestAttemptRow): Record<string, unknown> {
  const answer = attempt.response_body?.subarray(0, ANSWER_BYTES) ?? null;
  const isCut = attempt.response_truncated || (attempt.response_body?.byteLength ?? 0) > ANSWER_BYTES;
  return {
    startedAt: attempt.started_at.toISOString(),
    durationMs: attempt.duration_ms,
    outcome: attempt.outcome,
    outcomeCode: attempt.outcome_code,
    responseStatus: attempt.response_status,
    responseBody: answer === null ? null : bodyExcerpt(answer, isCut).body,
  };
}
