// Statements that fold what happened into the figures of webhooks, and remove minutes that are too old.
import { COUNTED_OUTCOMES, DURATION_COLUMNS, outcomeColumn, SUMMED_COLUMNS } from "../storage/rollup-columns.ts";
import type { Executor } from "../storage/pools.ts";

/** A figure's name and its sum over rows of the tail. */
const FIGURES: readonly (readonly [string, string])[] = [
  ["duration_ms_sum", "coalesce(sum(duration_ms_sum) filter (where duration_bucket is not null), 0)"],
  ["delivered_count", "sum(delivered_count)"],
  ["failed_count", "sum(failed_count)"],
  ...COUNTED_OUTCOMES.map((outcome) => [outcomeColumn(outcome), countOf(`outcome = '${outcome}'`)] as const),
  ...DURATION_COLUMNS.map((column, bucket) => [column, countOf(`duration_bucket = ${bucket}`)] as const),
];
const NAMES = FIGURES.map(([name]) => name).join(", ");
const SUMS = FIGURES.map(([, sum]) => sum).join(",\n    ");

function countOf(condition: string): string {
  return `coalesce(sum(attempt_count) filter (where ${condition}), 0)`;
}

function added(table: string): string {
  return [
    ...SUMMED_COLUMNS.map((column) => `${column} = ${table}.${column} + excluded.${column}`),
    `last_delivered_at = greatest(${table}.last_delivered_at, excluded.last_delivered_at)`,
  ].join(",\n    ");
}

/**
 * Moves up to `limit` rows of the tail into rollup and rollup_total. One statement: whoever reads sees a row in the tail
 * or in the figures, never in both and never in neither, and a crash leaves it in the tail.
 * The tail is empty but for some seconds of results, so it is read from its beginning; the upserts go by primary key.
 * @returns how many rows of the tail there were
 */
export async function foldTail(engine: Executor, limit: number): Promise<number> {
  const { rows } = await engine.query<{ folded_count: number }>({
    name: "fold_rollup_tail",
    text: `
with taken as (
  delete from rollup_tail where ctid = any (array(select ctid from rollup_tail limit $1))
  returning *
),
minutes as (
  insert into rollup (tenant_id, webhook_id, minute, last_delivered_at, ${NAMES})
  select tenant_id, webhook_id, minute, max(last_delivered_at), ${SUMS}
  from taken
  group by tenant_id, webhook_id, minute
  on conflict (tenant_id, webhook_id, minute) do update set
    ${added("rollup")}
),
totals as (
  insert into rollup_total (tenant_id, webhook_id, last_delivered_at, ${NAMES})
  select tenant_id, webhook_id, max(last_delivered_at), ${SUMS}
  from taken
  group by tenant_id, webhook_id
  on conflict (tenant_id, webhook_id) do update set
    ${added("rollup_total")}
)
select count(*) as folded_count from taken`,
    values: [limit],
  });
  return rows[0]?.folded_count ?? 0;
}

/** Whether there is anything to fold: what an idle node asks instead of taking the lock. */
export async function isTailEmpty(engine: Executor): Promise<boolean> {
  const { rows } = await engine.query<{ is_empty: boolean }>({
    name: "is_rollup_tail_empty",
    text: "select not exists (select from rollup_tail) as is_empty",
  });
  return rows[0]?.is_empty === true;
}

/**
 * Removes up to `limit` minutes before a time. Found webhook by webhook, by primary key: an index on the minute alone
 * would not lead with the tenant. A webhook has a minute only if it has a total.
 * @returns how many there were
 */
export async function deleteOldMinutes(engine: Executor, beforeMs: number, limit: number): Promise<number> {
  const { rowCount } = await engine.query({
    name: "delete_old_rollup_minutes",
    text: `
      delete from rollup
      where ctid = any (array(
        select old.ctid
        from rollup_total t
        cross join lateral (
          select r.ctid from rollup r
          where r.tenant_id = t.tenant_id and r.webhook_id = t.webhook_id and r.minute < to_timestamp($1::float8 / 1000)
          limit $2
        ) old
        limit $2
      ))`,
    values: [beforeMs, limit],
  });
  return rowCount ?? 0;
}
