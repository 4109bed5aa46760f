// The trail of changes. An entry is written in the transaction of the change itself (guarantee G14).
import { lowestUuid } from "../lib/id-bounds.ts";
import type { Executor } from "../storage/pools.ts";

/** Between an entry's id and its time: both are made in the same turn, but ids never go backwards. */
const CLOCK_SLACK_MS = 60_000;

export interface AuditEntry {
  readonly tenantUuid: string;
  readonly entryUuid: string;
  readonly atMs: number;
  /** `key_…`; `node_…` when the program itself acted; `operator` for whoever runs the installation. */
  readonly actor: string;
  /** `webhook.created`. */
  readonly action: string;
  readonly objectType:
    | "webhook"
    | "delivery"
    | "event"
    | "api_key"
    | "company"
    | "tenant"
    | "digest"
    | "event_type"
    | "rule"
    | "code_table"
    | "organisation"
    | "route"
    | "oauth_client"
    | "oauth_grant";
  readonly objectId: string;
  /** Null outside of requests. */
  readonly requestId: string | null;
  /** `{ field: { from, to } }`, secrets masked. */
  readonly change: Readonly<Record<string, unknown>>;
}

/** Adds one entry. */
export async function insertAuditEntry(db: Executor, entry: AuditEntry): Promise<void> {
  await insertAuditEntries(db, [entry]);
}

/** Adds the entries of one change, all at once. */
export async function insertAuditEntries(db: Executor, entries: readonly AuditEntry[]): Promise<void> {
  await db.query({
    name: "insert_audit_entries",
    text: `insert into audit_entry (tenant_id, id, at, actor, action, object_type, object_id, request_id, change)
      select a.tenant_id, a.id, a.at, a.actor, a.action, a.object_type, a.object_id, a.request_id, a.change::json
      from unnest($1::uuid[], $2::uuid[], $3::timestamptz[], $4::text[], $5::text[], $6::text[], $7::text[],
        $8::text[], $9::text[])
        as a (tenant_id, id, at, actor, action, object_type, object_id, request_id, change)`,
    values: [
      entries.map((entry) => entry.tenantUuid),
      entries.map((entry) => entry.entryUuid),
      entries.map((entry) => new Date(entry.atMs).toISOString()),
      entries.map((entry) => entry.actor),
      entries.map((entry) => entry.action),
      entries.map((entry) => entry.objectType),
      entries.map((entry) => entry.objectId),
      entries.map((entry) => entry.requestId),
      entries.map((entry) => JSON.stringify(entry.change)),
    ],
  });
}

export interface AuditRow {
  id: string;
  at: Date;
  actor: string;
  action: string;
  object_type: string;
  object_id: string;
  request_id: string | null;
  change: unknown;
}

/** Null: any. */
export interface AuditFilter {
  readonly beforeUuid: string;
  readonly objectType: string | null;
  readonly objectId: string | null;
  readonly actor: string | null;
  readonly action: string | null;
  /** Inclusive, milliseconds since 1970. */
  readonly fromMs: number | null;
  /** Exclusive. */
  readonly toMs: number | null;
}

/**
 * A page of entries below an id, newest first: by primary key, or for one thing by index audit_entry_object. Ids begin
 * with their time, but one may be a little ahead of its entry's: the bounds in the key are a minute wider.
 */
export async function selectAuditEntries(
  db: Executor,
  tenantUuid: string,
  filter: AuditFilter,
  limit: number,
): Promise<AuditRow[]> {
  const { fromMs, toMs } = filter;
  const { rows } = await db.query<AuditRow>({
    text: `select id, at, actor, action, object_type, object_id, request_id, change
      from audit_entry
      where tenant_id = $1 and id < least($2::uuid, $3::uuid) and id >= $4
        and ($5::text is null or object_type = $5)
        and ($6::text is null or object_id = $6)
        and ($7::text is null or actor = $7)
        and ($8::text is null or action = $8)
        and ($9::float8 is null or at >= to_timestamp($9 / 1000))
        and ($10::float8 is null or at < to_timestamp($10 / 1000))
      order by id desc
      limit $11`,
    values: [
      tenantUuid,
      filter.beforeUuid,
      toMs === null ? filter.beforeUuid : lowestUuid(Math.max(0, toMs + CLOCK_SLACK_MS)),
      lowestUuid(fromMs === null ? 0 : Math.max(0, fromMs - CLOCK_SLACK_MS)),
      filter.objectType,
      filter.objectId,
      filter.actor,
      filter.action,
      fromMs,
      toMs,
      limit,
    ],
  });
  return rows;
}
