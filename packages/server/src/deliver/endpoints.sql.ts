// Statements that keep what is known about endpoints, and raise the word when it changes. Engine role.
import { boolArray, int2Array, int4Array, textArray, timestamptzArray, uuidArray } from "../lib/binary-arrays.ts";
import { FENCE, type NodeIdentity } from "../storage/fence.ts";
import { NEW_ID } from "../storage/notices.sql.ts";
import type { Executor } from "../storage/pools.ts";
import type { BreakerPhase, OpenReason } from "./breaker.ts";
import type { HealthStatus } from "./health.ts";

export interface HealthRow {
  readonly tenantBytes: Uint8Array;
  readonly webhookBytes: Uint8Array;
  readonly lane: number;
  readonly livemode: boolean;
  readonly status: HealthStatus;
  readonly score: number;
  readonly sinceMs: number;
  readonly reason: string | null;
  readonly failingSinceMs: number | null;
  readonly lastSuccessMs: number | null;
  readonly lastFailureMs: number | null;
  readonly failureCount: number;
  readonly phase: BreakerPhase;
  readonly openReason: OpenReason;
  readonly openCount: number;
  readonly openUntilMs: number | null;
  readonly certificateExpiresAtMs: number | null;
  /** False: the change is not told as an event. */
  readonly mayRaise: boolean;
}

/**
 * Writes rows down, by primary key, and in the same statement the notice of each change of status that people should
 * hear of: trouble, another kind of trouble, and its end. A webhook that is a little unwell now and then tells nobody.
 * Repeated after a lost answer it tells nothing twice: `told_status` says what was told. Fenced.
 */
export async function storeHealth(db: Executor, node: NodeIdentity, rows: readonly HealthRow[]): Promise<void> {
  const times = (pick: (row: HealthRow) => number | null): Buffer => timestamptzArray(rows.map(pick));
  await db.query({
    name: "store_webhook_health",
    text: `
with ${FENCE},
incoming as (
  select * from unnest(
    $3::uuid[], $4::uuid[], $5::int2[], $6::bool[], $7::text[], $8::int2[], $9::timestamptz[], $10::text[],
    $11::timestamptz[], $12::timestamptz[], $13::timestamptz[], $14::int4[], $15::text[], $16::text[], $17::int4[],
    $18::timestamptz[], $19::timestamptz[], $20::bool[]
  ) as i (
    tenant_id, webhook_id, lane, livemode, status, score, since, reason, failing_since, last_success_at,
    last_failure_at, failure_count, phase, open_reason, open_count, open_until, certificate_expires_at, may_raise
  )
  where exists (select from fence)
),
told as (
  select i.*, coalesce(h.told_status, 'healthy') as told_status,
    i.may_raise and i.status <> 'degraded' and i.status <> coalesce(h.told_status, 'healthy') as is_news
  from incoming i
  left join webhook_health h on h.tenant_id = i.tenant_id and h.webhook_id = i.webhook_id
),
stored as (
  insert into webhook_health as h (
    tenant_id, webhook_id, since, open_until, failing_since, last_success_at, last_failure_at, certificate_expires_at,
    failure_count, open_count, lane, score, status, told_status, phase, open_reason, reason
  )
  select tenant_id, webhook_id, since, open_until, failing_since, last_success_at, last_failure_at,
    certificate_expires_at, failure_count, open_count, lane, score, status,
    case when is_news then status else told_status end, phase, open_reason, reason
  from told
  on conflict (tenant_id, webhook_id) do update set
    since = case when h.status = excluded.status then h.since else excluded.since end,
    open_until = excluded.open_until, failing_since = excluded.failing_since,
    last_success_at = greatest(h.last_success_at, excluded.last_success_at),
    last_failure_at = greatest(h.last_failure_at, excluded.last_failure_at),
    certificate_expires_at = coalesce(excluded.certificate_expires_at, h.certificate_expires_at),
    failure_count = excluded.failure_count, open_count = excluded.open_count, lane = excluded.lane,
    score = excluded.score, status = excluded.status, told_status = excluded.told_status, phase = excluded.phase,
    open_reason = excluded.open_reason, reason = excluded.reason,
    told_percent = case when excluded.failing_since is null then 0 else h.told_percent end
)
insert into operational_notice (tenant_id, id, at, webhook_id, bundle_id, livemode, type, detail)
select tenant_id, n.new_id, since, webhook_id, n.new_id, livemode, 'webhook.health_changed',
  json_build_object('status', status, 'previousStatus', told_status, 'score', score, 'reason', reason,
    'nextProbeAt', open_until)
from (select *, ${NEW_ID} from told where is_news) n`,
    values: [
      node.idBytes,
      node.incarnation,
      uuidArray(rows.map((row) => row.tenantBytes)),
      uuidArray(rows.map((row) => row.webhookBytes)),
      int2Array(rows.map((row) => row.lane)),
      boolArray(rows.map((row) => row.livemode)),
      textArray(rows.map((row) => row.status)),
      int2Array(rows.map((row) => row.score)),
      times((row) => row.sinceMs),
      textArray(rows.map((row) => row.reason)),
      times((row) => row.failingSinceMs),
      times((row) => row.lastSuccessMs),
      times((row) => row.lastFailureMs),
      int4Array(rows.map((row) => row.failureCount)),
      textArray(rows.map((row) => row.phase)),
      textArray(rows.map((row) => row.openReason)),
      int4Array(rows.map((row) => row.openCount)),
      times((row) => row.openUntilMs),
      times((row) => row.certificateExpiresAtMs),
      boolArray(rows.map((row) => row.mayRaise)),
    ],
  });
}

export interface StoredHealthRow {
  tenant_id: string;
  webhook_id: string;
  status: HealthStatus;
  score: number;
  since_ms: number;
  reason: string | null;
  failing_since_ms: number | null;
  last_success_ms: number | null;
  last_failure_ms: number | null;
  failure_count: number;
  phase: BreakerPhase;
  open_reason: OpenReason;
  open_count: number;
  open_until_ms: number | null;
  certificate_expires_ms: number | null;
}

const ms = (column: string): string => `extract(epoch from ${column})::float8 * 1000`;

/** What the next owner of these lanes has to know, by index webhook_health_troubled. */
export async function selectTroubled(db: Executor, lanes: readonly number[]): Promise<StoredHealthRow[]> {
  const { rows } = await db.query<StoredHealthRow>({
    name: "select_troubled_endpoints",
    text: `
select tenant_id, webhook_id, status, score, reason, failure_count, phase, open_reason, open_count,
  ${ms("since")} as since_ms, ${ms("failing_since")} as failing_since_ms, ${ms("last_success_at")} as last_success_ms,
  ${ms("last_failure_at")} as last_failure_ms, ${ms("open_until")} as open_until_ms,
  ${ms("certificate_expires_at")} as certificate_expires_ms
from webhook_health
where lane = any ($1::int2[]) and (status <> 'healthy' or phase <> 'closed')`,
    values: [int2Array(lanes)],
  });
  return rows;
}
