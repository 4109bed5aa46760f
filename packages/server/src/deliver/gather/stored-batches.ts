// Batches as the table gives them back: whole ones go out again as they were, broken ones have lost a member and go on
// as single deliveries. Pure.
import { bytesOfUuid } from "../due-event.ts";
import type { DueRow } from "../deliver.sql.ts";
import { type BatchIdentity, newBatch } from "./batch-body.ts";
import type { MemberRow } from "./gather.sql.ts";

export interface StoredBatch {
  readonly identity: BatchIdentity;
  readonly webhookUuid: string;
  readonly rows: readonly [DueRow, ...DueRow[]];
}

export interface BatchKey {
  readonly tenant_id: string;
  readonly webhook_id: string;
  readonly batch_id: string;
}

export interface StoredBatches {
  readonly whole: readonly StoredBatch[];
  readonly broken: readonly BatchKey[];
}

export const NO_BATCHES: StoredBatches = { whole: [], broken: [] };

/** The batches that due deliveries are members of, each once. */
export function batchesOf(rows: readonly DueRow[]): BatchKey[] {
  const found = new Map<string, BatchKey>();
  for (const { tenant_id, webhook_id, batch_id } of rows) {
    if (batch_id !== null) found.set(batch_id, { tenant_id, webhook_id, batch_id });
  }
  return [...found.values()];
}

/** @param keys the batches that were asked for: one without rows is not there any more */
export function storedBatches(keys: readonly BatchKey[], members: readonly MemberRow[]): StoredBatches {
  const byBatch = new Map<string, MemberRow[]>();
  for (const member of members) {
    const known = byBatch.get(member.batch_uuid);
    if (known === undefined) byBatch.set(member.batch_uuid, [member]);
    else known.push(member);
  }
  const whole: StoredBatch[] = [];
  const broken: BatchKey[] = [];
  for (const key of keys) {
    const [first, ...others] = byBatch.get(key.batch_id) ?? [];
    if (first === undefined || [first, ...others].some((member) => !isPending(member))) {
      broken.push(key);
      continue;
    }
    const { kind, created_ms: createdAtMs, webhook_id: webhookUuid } = first;
    const identity = newBatch(kind, bytesOfUuid(key.batch_id), createdAtMs);
    whole.push({ identity, webhookUuid, rows: [first as DueRow, ...(others as DueRow[])] });
  }
  return { whole, broken };
}

function isPending(member: MemberRow): member is MemberRow & { id: string } {
  return member.id !== null && member.type !== null;
}
