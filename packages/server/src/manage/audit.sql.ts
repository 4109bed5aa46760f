// The trail of changes. An entry is written in the transaction of the change itself (guarantee G14).
import type { Executor } from "../storage/pools.ts";

export interface AuditEntry {
  readonly tenantUuid: string;
  readonly entryUuid: string;
  readonly atMs: number;
  /** `key_…`. */
  readonly actor: string;
  /** `webhook.created`. */
  readonly action: string;
  readonly objectType: "webhook" | "delivery" | "event";
  readonly objectId: string;
  readonly requestId: string;
  /** `{ field: { from, to } }`, secrets masked. */
  readonly change: Readonly<Record<string, unknown>>;
}

/** Adds one entry. */
export async function insertAuditEntry(db: Executor, entry: AuditEntry): Promise<void> {
  await db.query({
    name: "insert_audit_entry",
    text: `insert into audit_entry (tenant_id, id, at, actor, action, object_type, object_id, request_id, change)
      values ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
    values: [
      entry.tenantUuid,
      entry.entryUuid,
      new Date(entry.atMs).toISOString(),
      entry.actor,
      entry.action,
      entry.objectType,
      entry.objectId,
      entry.requestId,
      JSON.stringify(entry.change),
    ],
  });
}
